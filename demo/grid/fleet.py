"""What stands in the demonstration's network: which source is what, which loads are users with a gateway.

The IEEE 118-bus case has powers and no fuels. Kinds, factors and classes here are made up, so that clean and dirty
power meet on the lines; the factors at rated power are of the usual size of such plants (kgCO₂/kWh, direct).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from demo.grid.load_shapes import LoadClass

WATTS: Final = 1_000_000
"""In a MW. Powers that are metered are whole watts, so that the energy of a slot is a whole number of mWh."""


class SourceKind(StrEnum):
    """What drives a source."""

    COAL = "coal"  # 燃煤
    GAS = "gas"  # 燃气
    HYDRO = "hydro"  # 水电
    NUCLEAR = "nuclear"  # 核电
    WIND = "wind"  # 风电
    SOLAR = "solar"  # 光伏

    @property
    def chinese(self) -> str:
        """Return the name of such a plant."""
        return _CHINESE[self]

    @property
    def follows(self) -> bool:
        """Return whether it gives what the loads ask for, as the sun, the wind and a reactor don't."""
        return self in (SourceKind.COAL, SourceKind.GAS, SourceKind.HYDRO)


_CHINESE: Final = {
    SourceKind.COAL: "燃煤电厂",
    SourceKind.GAS: "燃气电厂",
    SourceKind.HYDRO: "水电站",
    SourceKind.NUCLEAR: "核电厂",
    SourceKind.WIND: "风电场",
    SourceKind.SOLAR: "光伏电站",
}
_FUEL: Final = {SourceKind.COAL: (775_000, 67), SourceKind.GAS: (366_000, 32)}
"""What a thermal unit emits for a kWh, in mg, and in an hour that it runs, in g for each kW of its rated power.

At part load a kWh costs more: 0.842 kg/kWh of coal at rated power, 0.909 at half of it.
"""


@dataclass(frozen=True, slots=True)
class Source:
    """A source of the network, by the number of its bus."""

    bus: int
    kind: SourceKind
    rated_megawatts: float

    @property
    def id(self) -> str:
        """Its id in the grid model."""
        return f"G{self.bus:03}"

    @property
    def name(self) -> str:
        """Name of the plant."""
        return f"{self.kind} {self.bus} {self.kind.chinese}"

    @property
    def fuel_mg_per_kwh(self) -> int:
        """What it emits for each kWh."""
        return _FUEL.get(self.kind, (0, 0))[0]

    @property
    def no_load_g_per_h(self) -> int:
        """What it emits in each hour that it runs, beside that."""
        return round(_FUEL.get(self.kind, (0, 0))[1] * self.rated_megawatts * 1000)

    def emission(self, watts: int) -> int:
        """Return the emission in µg/h at a power in W."""
        return self.fuel_mg_per_kwh * watts + self.no_load_g_per_h * 10**6 if watts > 0 else 0


SOURCES: Final = tuple(
    Source(bus, SourceKind(kind), rated)
    for bus, kind, rated in (
        (10, "hydro", 450),
        (12, "gas", 85),
        (25, "gas", 220),
        (26, "coal", 314),
        (31, "solar", 7),
        (46, "wind", 19),
        (49, "wind", 204),
        (54, "solar", 48),
        (59, "gas", 155),
        (61, "wind", 160),
        (65, "coal", 391),
        (66, "coal", 392),
        (69, "coal", 516.4),
        (80, "coal", 477),
        (87, "solar", 4),
        (89, "nuclear", 607),
        (100, "hydro", 252),
        (103, "solar", 40),
        (111, "gas", 36),
    )
)
"""The sources of case118 that feed in, by bus number as the IEEE prints it, with the power that the case gives them.

Bus 69 is the slack: it gives what is left, which is near what its rating says. The other machines are condensers
(调相机) and feed in nothing.
"""
SLACK_BUS: Final = 69
USERS: Final = (14, 29, 39, 44, 67, 97, 118, 20, 51, 58, 98, 117, 3, 84)
"""Buses of the 14 users (用户): charging parks. Their loads are metered by gateways, the first ones first.

Bus 84 takes clean power only: its factor is 0, which is a factor.
"""


@dataclass(frozen=True, slots=True)
class Battery:
    """A storage (储能): it charges at noon and discharges in the evening, and is empty when the day begins."""

    bus: int
    watts: int
    charge_hours: tuple[int, int]
    discharge_hours: tuple[int, int]
    thousandths: int
    """Efficiency each way."""

    @property
    def id(self) -> str:
        """Its id in the grid model."""
        return f"E{self.bus:03}"

    def powers(self, hour: float) -> tuple[int, int]:
        """Return charging and discharging power in W at an hour of the day."""
        charges = self.charge_hours[0] <= hour < self.charge_hours[1]
        discharges = self.discharge_hours[0] <= hour < self.discharge_hours[1]
        return self.watts * charges, self.watts * discharges


# Four hours in give 228 MW·h, three hours out take 189: it is never asked for what it doesn't hold.
BATTERY: Final = Battery(70, 60 * WATTS, (10, 14), (18, 21), 950)


def node_id(bus: int) -> str:
    """Return the id of a bus in the grid model."""
    return f"B{bus:03}"


def load_id(bus: int) -> str:
    """Return the id of the load at a bus."""
    return f"U{bus:03}" if bus in USERS else f"D{bus:03}"


def load_class(bus: int, megawatts: float) -> LoadClass:
    """Return what sort of load stands at a bus: large ones are industry, of the others every third is commercial."""
    if bus in USERS:
        return LoadClass.CHARGING
    if megawatts >= 60:  # noqa: PLR2004 - see above
        return LoadClass.INDUSTRIAL
    return LoadClass.COMMERCIAL if bus % 3 == 0 else LoadClass.RESIDENTIAL


def station_id(bus: int) -> str:
    """Return the id of the charging station that a user is."""
    return f"park-{bus:03}"
