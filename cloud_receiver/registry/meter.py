"""A meter of the registry (计量点台账): what it measures, its accuracy and its time in service."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from cloud_receiver.registry.values import AwareDatetime, PositiveDecimal, ms
from settings.values import Exact, Flag, Name, PlainName, Section, Whole


class Role(StrEnum):
    """What a meter measures."""

    CHARGER = "charger"  # 充电桩电能表
    GRID = "grid"  # 关口表
    AUXILIARY = "auxiliary"  # 辅助用电
    GENERATION = "generation"  # 发电侧: on-grid energy (上网电量) and emission of a generating unit
    FLOW = "flow"  # 电网潮流: a branch's end, a load or a storage of the grid


class Side(StrEnum):
    """Side of a charger's conversion (交直流变换)."""

    INPUT = "input"  # 交流侧
    OUTPUT = "output"  # 直流侧


_LONGEST_MEASURES: Final = 80  # an element's id of 64 bytes and the words about it
_MEASURES: Final = re.compile(r"(generator|load|storage) (\S.*)|branch (\S.*) (from|to)")


@dataclass(frozen=True, slots=True)
class Measures:
    """What element of the grid a meter measures; `end` is that of a branch: from or to."""

    element: str
    id: str
    end: str = ""


def _measures(value: str) -> str:
    if len(value.encode()) > _LONGEST_MEASURES or not value.isprintable() or not _MEASURES.fullmatch(value):
        raise ValueError(
            f"expected 'generator ID', 'load ID', 'storage ID', 'branch ID from' or 'branch ID to', found {value!r}"
        )
    return value


DC_EFFICIENCY: Final = Decimal(95)
DC_EFFICIENCY_UNCERTAINTY: Final = Decimal("3.5")
"""Project defaults, no standard's: as the prior of error estimation, 5 % lost with a standard uncertainty of 2 %."""


class Verified(Section):
    """A certificate or an on-site verification (检定) of a meter: error and standard uncertainty, per cent."""

    at: AwareDatetime
    error_percent: Annotated[Exact, Field(ge=-49, le=49)]
    u_percent: Annotated[Exact, Field(ge=Decimal("0.001"), le=10)]
    document: str = ""


class Meter(Section):
    """A meter of a station."""

    id: PlainName
    role: Role
    gateway: Name
    accuracy_class: PositiveDecimal = Decimal(1)
    """Limit of the error in per cent of the reading (准确度等级)."""
    resolution_kwh: PositiveDecimal = Decimal("0.01")
    """Step of the energy register."""
    carbon_resolution_kg: PositiveDecimal = Decimal("0.01")
    """Step of the meter's own carbon register (碳量示数), where it has one."""
    rated_kw: PositiveDecimal
    interval_s: Annotated[Whole, Field(ge=60, le=3600)] = 900
    """Length of its records: what divides a slot of 900, or 1200, 1800, 3600 as of a utility's hourly meter."""
    only_orders: Flag = False
    """The charger is known by its charge orders (充电订单) only: no records of it are expected."""
    connectors: Annotated[tuple[PlainName, ...], Field(max_length=64)] = ()
    """What orders call the charger and its connectors (ConnectorID), where that is not its id."""
    measures: Annotated[str, AfterValidator(_measures)] | None = None
    """The element of the grid: forward energy (正向) is fed in by a generator, taken by a load, charged into a storage,
    and flows from the node into a branch."""
    inverted: Flag = False
    """The meter counts the other way round."""
    class_limit_percent: Annotated[Exact, Field(gt=0, le=50)] | None = None
    """Maximum permissible error of a charger (充电桩准确度等级), where it is not its meter's class."""
    order_class_percent: Annotated[Exact, Field(gt=0, le=50)] | None = None
    """Class of what orders are counted by, where that is another meter than this."""
    make: PlainName | None = None
    """Maker and model of a charger (厂家型号): what its make has in common, stations together tell."""
    dc_output: Flag = False
    """The charger meters its output (直流侧计量): its conversion loss lies before the meter."""
    dc_efficiency_percent: Annotated[Exact, Field(ge=50, le=100)] = DC_EFFICIENCY
    """Of its conversion (转换效率), where its meter or its orders count its output: what comes out of what goes in."""
    dc_efficiency_uncertainty_percent: Annotated[Exact, Field(ge=0, le=20)] = DC_EFFICIENCY_UNCERTAINTY
    """Limit of how far that is off, in the same per cent (rectangular distribution)."""
    orders_at: Side | None = None
    """Which side orders count (订单计量侧), where that is not the side that it meters."""
    voltage_drop: Flag = True
    """The charger's branch is measured by its voltage drop (电压降), where its voltage is that of its branch's end."""
    single_phase_vehicles: Flag = False
    """Vehicles charge on one phase (单相车辆) at this charger for three, by whatever share: where its meter doesn't
    tell the voltage of each phase, nobody knows what that loses."""
    verified: tuple[Verified, ...] = ()
    since: AwareDatetime | None = None
    """From when the meter belongs to the station and is expected to report."""
    until: AwareDatetime | None = None
    """When it was taken out of service, exchanged, renamed or moved to another gateway."""

    @property
    def element(self) -> Measures | None:
        """Return the element of the grid that the meter measures."""
        found = _MEASURES.fullmatch(self.measures or "")
        if found is None:
            return None
        if found[3] is not None:
            return Measures("branch", found[3], found[4])
        return Measures(found[1], found[2])

    @property
    def orders_at_output(self) -> bool:
        """Return whether orders count what leaves the charger's conversion."""
        return self.dc_output if self.orders_at is None else self.orders_at is Side.OUTPUT

    @property
    def orders_convert(self) -> bool:
        """Return whether orders count the other side of the charger's conversion than its meter does."""
        return self.orders_at_output != self.dc_output

    def turned(self, forward: int, reverse: int) -> tuple[int, int]:
        """Return (forward, reverse) as they flowed: of a meter that counts the other way round, each for the other."""
        return (reverse, forward) if self.inverted else (forward, reverse)

    def in_service(self, time_ms: int) -> bool:
        """Return whether the meter belongs to the station at an instant."""
        return (self.since is None or ms(self.since) <= time_ms) and (self.until is None or time_ms < ms(self.until))

    def service(self, first_ms: int, end_ms: int) -> tuple[int, int]:
        """Return the part [first, end) of a time in which the meter is in service; of no length where there is none."""
        first = first_ms if self.since is None else max(first_ms, ms(self.since))
        last = end_ms if self.until is None else min(end_ms, ms(self.until))
        return first, max(first, last)

    def meets(self, other: "Meter") -> bool:
        """Return whether there is an instant at which both are in service."""
        return all(
            first.since is None or second.until is None or first.since < second.until
            for first, second in ((self, other), (other, self))
        )
