"""registry.toml: the stations, their meters and what is known of their accuracy and losses (台账)."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import combinations
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from settings.errors import ConfigError
from settings.load import load as load_file
from settings.values import Exact, Flag, Name, PlainName, Section, Whole, Zone

_LARGEST_FILE: Final = 64 << 20  # a province's meters, some hundred bytes each

NonNegative = Annotated[Exact, Field(ge=0)]
PositiveDecimal = Annotated[Exact, Field(gt=0)]


def _with_zone(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("expected a time with its zone, such as 2026-07-01T00:00:00+08:00")
    return value


AwareDatetime = Annotated[datetime, AfterValidator(_with_zone)]


class Role(StrEnum):
    """What a meter measures."""

    CHARGER = "charger"  # 充电桩电能表
    GRID = "grid"  # 关口表
    AUXILIARY = "auxiliary"  # 辅助用电
    GENERATION = "generation"  # 发电侧: on-grid energy (上网电量) and emission of a generating unit
    FLOW = "flow"  # 电网潮流: a branch's end, a load or a storage of the grid


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
    """Of its conversion (转换效率), where it meters its output: what comes out of what goes in."""
    dc_efficiency_uncertainty_percent: Annotated[Exact, Field(ge=0, le=20)] = DC_EFFICIENCY_UNCERTAINTY
    """Limit of how far that is off, in the same per cent (rectangular distribution)."""
    voltage_drop: Flag = True
    """The charger's branch is measured by its voltage drop (电压降): not where it shares a sub-feeder with others."""
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

    def turned(self, forward: int, reverse: int) -> tuple[int, int]:
        """Return (forward, reverse) as they flowed: of a meter that counts the other way round, each for the other."""
        return (reverse, forward) if self.inverted else (forward, reverse)

    def in_service(self, time_ms: int) -> bool:
        """Return whether the meter belongs to the station at an instant."""
        return (self.since is None or _ms(self.since) <= time_ms) and (self.until is None or time_ms < _ms(self.until))

    def service(self, first_ms: int, end_ms: int) -> tuple[int, int]:
        """Return the part [first, end) of a time in which the meter is in service; of no length where there is none."""
        first = first_ms if self.since is None else max(first_ms, _ms(self.since))
        last = end_ms if self.until is None else min(end_ms, _ms(self.until))
        return first, max(first, last)

    def meets(self, other: "Meter") -> bool:
        """Return whether there is an instant at which both are in service."""
        return all(
            first.since is None or second.until is None or first.since < second.until
            for first, second in ((self, other), (other, self))
        )


class Loss(Section):
    """Modelled loss (线损) between the grid-side meter and the chargers, and its uncertainty.

    A cable's loss power is P²·R/U² of the power through it. Energies of slots know the mean power only; the form
    factors say how much the mean square exceeds the square of the mean.
    """

    trunk_ohm: NonNegative = Decimal(0)
    """Resistance of one conductor of the trunk, that carries the sum of all chargers."""
    branch_ohm: NonNegative = Decimal(0)
    """Resistance of one conductor of each charger's cable."""
    line_voltage_v: PositiveDecimal = Decimal(400)
    trunk_form: Annotated[Exact, Field(ge=1)] = Decimal("1.02")
    branch_form: Annotated[Exact, Field(ge=1)] = Decimal("1.10")
    fixed_w: NonNegative = Decimal(0)
    uncertainty_percent: NonNegative = Decimal(30)
    """Limit of the model's relative error (rectangular distribution)."""


class Auxiliary(Section):
    """Auxiliary consumption (辅助用电) where no meter measures it."""

    load_w: NonNegative = Decimal(0)
    uncertainty_percent: NonNegative = Decimal(20)


class Tariff(Section):
    """Prices (电价) of a part of the day, local time; where `end` is not after `begin` it goes on after midnight."""

    begin: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "00:00"
    end: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "00:00"
    price: Annotated[Exact, Field(ge=-1000, le=1000)]
    """Of energy (电费), the currency's unit per kWh."""
    service_price: Annotated[Exact, Field(ge=-1000, le=1000)] | None = None
    """Of service (服务费)."""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None

    @property
    def begin_minute(self) -> int:
        """Return the minute of the day at which it begins."""
        return _minute(self.begin)

    def applies(self, time_ms: int, minute: int) -> bool:
        """Return whether it has the price at an instant, which is this minute of the local day."""
        if (self.since is not None and time_ms < _ms(self.since)) or (
            self.until is not None and time_ms >= _ms(self.until)
        ):
            return False
        begin, end = self.begin_minute, _minute(self.end)
        return begin <= minute < end if begin < end else minute >= begin or minute < end


class StationEstimation(Section):
    """What is this station's own in remote error estimation (远程误差估计)."""

    enabled: Flag = True
    days: Annotated[Whole, Field(ge=1, le=400)] | None = None
    cohort_percent: Annotated[Exact, Field(ge=0, le=10)] | None = None
    """What all its chargers may have in common, such as those of one make."""


class Station(Section):
    """A charging station."""

    id: Name
    name: str = ""
    operator: str = ""
    """Who runs it (运营商); completeness is told by operator as well."""
    timezone: Zone = "Asia/Shanghai"
    node: Name
    """The carbon node whose factor applies."""
    since: AwareDatetime | None = None
    """From when every meter is expected to report; without it, from the station's first record."""
    time_uncertainty_s: NonNegative = Decimal(2)
    """Limit of how far the boundaries of two meters' intervals lie apart: clocks, and polling between two readings."""
    loss: Loss = Loss()
    auxiliary: Auxiliary = Auxiliary()
    estimation: StationEstimation = StationEstimation()
    tariff: Annotated[tuple[Tariff, ...], Field(max_length=1000)] = ()
    """What orders are to be priced at, where it is to be checked."""
    meter: tuple[Meter, ...]

    @property
    def since_ms(self) -> int | None:
        """Return `since` in ms UTC."""
        return None if self.since is None else _ms(self.since)

    def meters(self, role: Role) -> tuple[Meter, ...]:
        """Return the meters with a role."""
        return tuple(meter for meter in self.meter if meter.role is role)


class Registry(Section):
    """All stations."""

    station: tuple[Station, ...]

    def find(self, station: str) -> Station | None:
        """Return the station with this id."""
        return next((item for item in self.station if item.id == station), None)


def _ms(time: datetime) -> int:
    return int(time.timestamp()) * 1000


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _repeated(key: str, station: Station) -> list[str]:
    """Find meters that share a name: one may follow the other, on another gateway (a move)."""
    groups: dict[str, list[Meter]] = {}
    for meter in station.meter:
        groups.setdefault(meter.id, []).append(meter)
    problems = []
    for name, group in groups.items():
        pairs = list(combinations(group, 2))
        if any(one.meets(other) for one, other in pairs):
            problems.append(f"{key}.meter[{name}]: is there {len(group)} times at once, expected once")
        elif any(one.gateway == other.gateway for one, other in pairs):
            text = f"is there {len(group)} times with one gateway, expected a name for each meter"
            problems.append(f"{key}.meter[{name}]: {text}")
    return problems


def _called_twice(key: str, station: Station) -> list[str]:
    """Find names by which orders would mean two chargers at once."""
    named: dict[str, list[Meter]] = {}
    for meter in station.meters(Role.CHARGER):
        for name in dict.fromkeys((meter.id, *meter.connectors)):
            named.setdefault(name, []).append(meter)
    return [
        f"{key}.meter[{two[0].id}].connectors: {name!r} is {two[1].id} as well, expected one charger"
        for name, group in named.items()
        for two in combinations(group, 2)
        if two[0].id != two[1].id and two[0].meets(two[1])
    ]


_MEASURED_BY: Final[Mapping[str, Role]] = {
    "generator": Role.GENERATION,
    "branch": Role.FLOW,
    "storage": Role.FLOW,
}


_SLOT_S: Final = 900
_LONGER_S: Final = (1200, 1800, 3600)
"""Those that divide an hour, over which a station's balance is made then."""


def _unfit(key: str, meter: Meter) -> list[str]:
    """Find what does not fit a meter's records."""
    problems = []
    if _SLOT_S % meter.interval_s and meter.interval_s not in _LONGER_S:
        expected = f"expected a divisor of {_SLOT_S} (a slot of 15 minutes), or {', '.join(map(str, _LONGER_S))}"
        problems.append(f"{key}.meter[{meter.id}].interval_s: {expected}; found {meter.interval_s}")
    if meter.make is not None and meter.role is not Role.CHARGER:
        problems.append(f"{key}.meter[{meter.id}].make: expected of chargers only, found a {meter.role} meter")
    if meter.only_orders and meter.role is not Role.CHARGER:
        problems.append(f"{key}.meter[{meter.id}].only_orders: expected of chargers only, found a {meter.role} meter")
    if (meter.connectors or meter.order_class_percent is not None) and meter.role is not Role.CHARGER:
        expected = "expected connectors and order_class_percent of chargers only"
        problems.append(f"{key}.meter[{meter.id}]: {expected}, found a {meter.role} meter")
    return problems


def _misplaced(key: str, station: Station) -> list[str]:
    """Find meters that can't measure what they are said to."""
    problems = []
    for meter in station.meter:
        problems += _unfit(key, meter)
        if meter.role is not Role.CHARGER and (meter.dc_output or meter.class_limit_percent is not None):
            problems.append(
                f"{key}.meter[{meter.id}]: expected class_limit_percent and dc_output of chargers only, "
                f"found a {meter.role} meter"
            )
        if meter.role not in (Role.CHARGER, Role.GRID) and meter.verified:
            problems.append(
                f"{key}.meter[{meter.id}].verified: expected of chargers and grid-side meters only, "
                f"found a {meter.role} meter"
            )
        told = meter.model_fields_set & {"dc_efficiency_percent", "dc_efficiency_uncertainty_percent"}
        if told and not meter.dc_output:
            text = f"expected {' and '.join(sorted(told))} with dc_output = true only, found it false"
            problems.append(f"{key}.meter[{meter.id}]: {text}")
        element = meter.element
        if element is None:
            if meter.role in (Role.GENERATION, Role.FLOW):
                problems.append(
                    f"{key}.meter[{meter.id}].measures: expected the element that a {meter.role} meter measures"
                )
            continue
        roles = (Role.GRID, Role.FLOW) if element.element == "load" else (_MEASURED_BY[element.element],)
        if meter.role not in roles:
            expected = " or ".join(roles)
            text = f"a {element.element} is measured by a meter with the role {expected}, found {meter.role}"
            problems.append(f"{key}.meter[{meter.id}].measures: {text}")
    return problems


def _measured_twice(stations: Sequence[Station]) -> list[str]:
    """Find elements that two meters measure at the same time."""
    groups: dict[Measures, list[Meter]] = {}
    for meter in (meter for station in stations for meter in station.meter):
        if (element := meter.element) is not None:
            groups.setdefault(element, []).append(meter)
    return [
        f"meters {' and '.join(meter.id for meter in group)} both measure {group[0].measures} at the same time, "
        "expected one"
        for group in groups.values()
        if any(one.meets(other) for one, other in combinations(group, 2))
    ]


def load(path: Path) -> Registry:
    """Read and check registry.toml; ConfigError has every mistake."""
    registry = load_file(path, Registry, _LARGEST_FILE)
    problems = [
        f"station[{name}]: is there {count} times, expected once"
        for name, count in Counter(station.id for station in registry.station).items()
        if count > 1
    ]
    owner: dict[str, str] = {}
    for station in registry.station:
        key = f"station[{station.id}]"
        problems += _repeated(key, station)
        problems += _misplaced(key, station)
        problems += _called_twice(key, station)
        for meter in station.meter:
            if owner.setdefault(meter.gateway, station.id) != station.id:
                other = f"gateway {meter.gateway} already serves station {owner[meter.gateway]}, expected one station"
                problems.append(f"{key}.meter[{meter.id}].gateway: {other}")
    problems += _measured_twice(registry.station)
    if problems:
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    return registry
