"""What the demonstration of the grid runs: which gateways meter what, for how long, and what is left to telemetry."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from demo.grid import fleet
from demo.grid.fleet import SOURCES, USERS
from demo.grid.tables import SLOT_MS, Day, read_day

# The simulation starts before the day, so that every meter has been read before the first midnight, and ends after it,
# so that the last slot is closed, solved, dispatched and adjusted, but before another slot closes.
LEAD_SLOTS: Final = 2
TAIL_MS: Final = 12 * 60_000
_TAIL_SLOTS: Final = 2
PLANT_GATEWAYS: Final = 2
FEWEST_USERS: Final = 4
_KILOWATT: Final = 1_000_000  # mW


@dataclass(frozen=True, slots=True)
class Meter:
    """A simulated meter: of a generating unit, or at the entry of a user."""

    id: str
    element: str
    """What it measures, as the registry says it: `generator G010`."""
    role: str
    rated_kw: int

    @property
    def element_id(self) -> str:
        """Return the id of the generator or load."""
        return self.element.partition(" ")[2]

    @property
    def generates(self) -> bool:
        """Return whether it is that of a generating unit (发电侧)."""
        return self.role == "generation"


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway with its meters; it serves one station at one node."""

    id: str
    station: str
    station_name: str
    node: str
    meters: tuple[Meter, ...]


@dataclass(frozen=True, slots=True)
class GridPlan:
    """One demonstration."""

    directory: Path
    """Where the power flow wrote `topology`, `series` and `day.json`."""
    day: Day
    timezone: str
    gateways: tuple[Gateway, ...]
    hours: int = 24

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the day."""
        return ZoneInfo(self.timezone)

    @property
    def day_start_ms(self) -> int:
        """Local midnight, ms UTC."""
        return round(self.day.starts[0].timestamp()) * 1000

    @property
    def day_end_ms(self) -> int:
        """The end of what is simulated of the day."""
        return self.day_start_ms + min(self.hours * 4, len(self.day.starts)) * SLOT_MS

    @property
    def slots_ms(self) -> range:
        """The starts of the slots that the books are of, ms UTC."""
        return range(self.day_start_ms, self.day_end_ms, SLOT_MS)

    @property
    def origin_ms(self) -> int:
        """Where the simulated clock starts."""
        return self.day_start_ms - LEAD_SLOTS * SLOT_MS

    @property
    def end_ms(self) -> int:
        """Where the simulated clock may stop to be fast."""
        return self.day_end_ms + TAIL_MS

    @property
    def metered(self) -> frozenset[str]:
        """The ids of generators and loads that gateways meter."""
        return frozenset(meter.element_id for gateway in self.gateways for meter in gateway.meters)

    @property
    def simulated(self) -> Day:
        """The day with the quarters of an hour before and after it that are simulated too: the day repeats."""
        return self.day.repeated(LEAD_SLOTS, _TAIL_SLOTS)

    @property
    def telemetry(self) -> Day:
        """What no gateway meters, from the start of the simulation to the end of what is simulated of the day."""
        day = self.day.repeated(LEAD_SLOTS, 0).without(self.metered)
        return day.first((self.day_end_ms - self.origin_ms) // SLOT_MS)


def load(directory: Path, *, users: int, hours: int = 24) -> GridPlan:
    """Plan a demonstration of the day that the power flow wrote; the first `users` of the users get a gateway."""
    about = json.loads((directory / "day.json").read_text(encoding="utf-8"))
    day = read_day(directory / "series")
    return GridPlan(directory, day, about["timezone"], (*_plants(), *_parks(day, users)), hours)


def _plants() -> Sequence[Gateway]:
    share = -(-len(SOURCES) // PLANT_GATEWAYS)
    gateways = []
    for number in range(1, PLANT_GATEWAYS + 1):
        units = SOURCES[(number - 1) * share : number * share]
        meters = tuple(
            Meter(f"unit-{unit.bus:03}", f"generator {unit.id}", "generation", round(unit.rated_megawatts * 1200))
            for unit in units
        )
        name = f"plants {number} 发电企业{number}"
        gateways.append(Gateway(f"gw-plants-{number}", f"plants-{number}", name, fleet.node_id(units[0].bus), meters))
    return gateways


def _parks(day: Day, users: int) -> Sequence[Gateway]:
    gateways = []
    for bus in USERS[:users]:
        load = fleet.load_id(bus)
        rated_kw = -(-max(day.loads[load]) * 12 // (10 * _KILOWATT))
        meter = Meter(f"entry-{bus:03}", f"load {load}", "grid", rated_kw)
        station = fleet.station_id(bus)
        gateways.append(Gateway(f"gw-{station}", station, f"park {bus} 充电园区", fleet.node_id(bus), (meter,)))
    return gateways
