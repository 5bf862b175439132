"""The daily report of a station: energy and carbon by meter, the balance against the grid side, the findings."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from cloud_receiver import findings
from cloud_receiver.checks import freezes, load
from cloud_receiver.checks.day import day_balance
from cloud_receiver.checks.load import results_of_day
from cloud_receiver.checks.model import SLOT_MS, Context, IntervalRow, without_overlaps
from cloud_receiver.checks.tolerance import Balance
from cloud_receiver.config import Checks
from cloud_receiver.findings import Finding
from cloud_receiver.registry import Registry
from cloud_receiver.sales import listing
from cloud_receiver.sales.listing import Sold
from cloud_receiver.schema import adjustment, freeze, interval
from cloud_receiver.validation import reported
from cloud_receiver.validation.reported import Estimated
from diantan_core import next_day_start_ms
from wire.records import FactorQuality, FreezeSource, Quality


class ReportError(Exception):
    """There is nothing such a report could be about."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A freeze (冻结); `source` says whether the meter's own freeze object or the gateway has it. Energy in mWh."""

    source: FreezeSource
    forward_total_mwh: int
    reverse_total_mwh: int


@dataclass(slots=True)
class MeterDay:
    """A meter's day. Energy in mWh, carbon in µg, adjustments included."""

    meter: str
    role: str
    forward_mwh: int = 0
    reverse_mwh: int = 0
    carbon_forward_ug: int = 0
    carbon_reverse_ug: int = 0
    forward_total_mwh: int | None = None
    carbon_forward_total_ug: int | None = None
    intervals: int = 0
    expected: int = 0
    freezes: int = 0
    """Midnights of the day, its last one included, at which the registers were frozen."""
    frozen: Frozen | None = None
    """The registers at the end of the day."""
    quality: dict[str, int] = field(default_factory=dict)
    factor_quality: dict[str, int] = field(default_factory=dict)
    sold: Sold | None = None
    """What its orders that end in the day came to."""
    estimated: Estimated | None = None
    """What is estimated, where it was asked for; no energy of this report has it in it."""


@dataclass(frozen=True, slots=True)
class Report:
    """A station's day."""

    station: str
    name: str
    day: date
    timezone: str
    meters: list[MeterDay]
    balance: Balance | None
    slots_in_day: int
    findings: list[Finding]
    with_estimates: bool = False
    only_orders: tuple[str, ...] = ()
    """Chargers in service that are known by their orders only: no balance by readings can be made with them."""


def make(
    connection: Connection,
    registry: Registry,
    checks: Checks,
    station_name: str,
    day: date,
    *,
    with_estimates: bool = False,
) -> Report:
    """Read a station's day; ReportError for a station nobody registered."""
    station = registry.find(station_name)
    if station is None:
        known = ", ".join(item.id for item in registry.station) or "none"
        raise ReportError(f"station {station_name!r} is not in the registry (known: {known})")
    context = next(item for item in load.contexts(connection, registry) if item.station.id == station_name)
    zone = ZoneInfo(station.timezone)
    day_ms = int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000
    end_ms = next_day_start_ms(day_ms, station.timezone)
    results = results_of_day(connection, context.number, day_ms, end_ms)
    return Report(
        station.id,
        station.name,
        day,
        station.timezone,
        _meters(connection, context, (day_ms, end_ms), with_estimates=with_estimates),
        day_balance(results, context, checks),
        (end_ms - day_ms) // SLOT_MS,
        findings.listed(connection, station.id, day_ms, closed=True),
        with_estimates,
        tuple(meter.id for meter in context.at(day_ms).meters.values() if meter.only_orders),
    )


def _meters(connection: Connection, context: Context, span: tuple[int, int], *, with_estimates: bool) -> list[MeterDay]:
    day_ms, end_ms = span
    rows: dict[int, list[IntervalRow]] = {}
    statement = select(*(interval.c[name] for name in IntervalRow._fields)).where(
        interval.c.station == context.number, interval.c.start_ms >= day_ms, interval.c.start_ms < end_ms
    )
    for row in connection.execute(statement):
        rows.setdefault(row.meter, []).append(IntervalRow._make(row))
    frozen = {
        row[0]: int(row[1])
        for row in connection.execute(
            select(freeze.c.meter, func.count(freeze.c.time_ms.distinct()))
            .where(freeze.c.station == context.number, freeze.c.time_ms > day_ms, freeze.c.time_ms <= end_ms)
            .group_by(freeze.c.meter)
        )
    }
    closing = freezes.at(connection, context.number, end_ms)
    adjusted: dict[tuple[int, int, int], tuple[int, int]] = {}
    for row in connection.execute(
        select(
            *(adjustment.c.meter, adjustment.c.journal, adjustment.c.start_ms),
            *(adjustment.c.carbon_forward_ug, adjustment.c.carbon_reverse_ug),
        ).where(adjustment.c.station == context.number, adjustment.c.start_ms >= day_ms, adjustment.c.start_ms < end_ms)
    ):
        forward, reverse = adjusted.get(key := (row.meter, row.journal, row.start_ms), (0, 0))
        adjusted[key] = forward + row.carbon_forward_ug, reverse + row.carbon_reverse_ug
    serving = [
        number
        for number, meter in context.meters.items()
        if number in rows or any(meter.in_service(start) for start in range(day_ms, end_ms, SLOT_MS))
    ]
    numbers = [*serving, *sorted(number for number in rows if number not in context.meters)]
    counts = {number: without_overlaps(rows.get(number, []))[0] for number in numbers}
    estimated = reported.of_day(connection, context.number, day_ms, end_ms, counts) if with_estimates else {}
    sold = listing.sold(connection, context, day_ms, end_ms)
    result = []
    for number in numbers:
        meter = context.meters.get(number)
        item = MeterDay(context.name(number), meter.role.value if meter else "unknown")
        counted = counts[number]
        _sum(item, counted, 0 if meter is not None and meter.only_orders else end_ms - day_ms)
        for each in counted:
            # What corrects an interval counts where the interval does: not that of a journal's repeated time.
            more = adjusted.get((each.meter, each.journal, each.start_ms), (0, 0))
            item.carbon_forward_ug += more[0]
            item.carbon_reverse_ug += more[1]
        item.freezes = frozen.get(number, 0)
        last = freezes.preferred(closing.get(number, ()))
        if last is not None:
            item.frozen = Frozen(FreezeSource(last.source), last.forward_total_mwh, last.reverse_total_mwh)
        item.sold = sold.get(number)
        item.estimated = estimated.get(number)
        result.append(item)
    return result


def _sum(item: MeterDay, rows: list[IntervalRow], day_length_ms: int) -> None:
    item.intervals = len(rows)
    # The meter's own interval length tells how many a whole day has.
    durations = Counter(row.duration_ms for row in rows)
    item.expected = day_length_ms // (durations.most_common(1)[0][0] if durations else SLOT_MS)
    item.forward_mwh = sum(row.forward_mwh for row in rows)
    item.reverse_mwh = sum(row.reverse_mwh for row in rows)
    item.carbon_forward_ug = sum(row.carbon_forward_ug for row in rows)
    item.carbon_reverse_ug = sum(row.carbon_reverse_ug for row in rows)
    item.quality = _counted(Quality(row.quality).name.lower() for row in rows)
    item.factor_quality = _counted(FactorQuality(row.factor_quality).name.lower() for row in rows)
    if rows:
        item.forward_total_mwh = rows[-1].forward_total_mwh
        item.carbon_forward_total_ug = rows[-1].carbon_forward_total_ug


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
