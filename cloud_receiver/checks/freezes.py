"""Freezes (冻结) of a midnight: the meter's own, the gateway's, and the intervals', against each other."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import groupby, pairwise
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from cloud_receiver import event_rows
from cloud_receiver.checks import frozen_intervals
from cloud_receiver.checks.day import Draft
from cloud_receiver.checks.frozen_intervals import FreezeRow
from cloud_receiver.checks.model import SLOT_MS, Context, IntervalRow, Kind, Severity, without_overlaps
from cloud_receiver.registry import Meter
from cloud_receiver.schema import event, freeze, interval
from wire.records import EventCode, FreezeSource, Quality

__all__ = ["BROKEN", "FreezeRow", "Pair", "apart_mwh", "at", "findings", "paired", "preferred"]

REACH_MS = 86_400_000
"""How far from midnight the readings around it are looked for."""
SHORT_GAP_MS = 120_000
GAP_OF_PERIODS = Fraction(5, 2)
"""A gateway calls a value measured when no gap between readings is longer than both (agent.metering)."""
FREEZE_STEP_MWH = 10_000
"""0.01 kWh, in which both DL/T protocols freeze energies, however fine the register that is polled."""
BROKEN: tuple[int, ...] = (
    EventCode.ROLLOVER,
    EventCode.RESET,
    EventCode.EXCHANGE,
    EventCode.JUMP,
    EventCode.GAP,
)
"""After these the gateway's register and the meter's lie a constant apart, which is not known."""


def preferred(rows: Iterable[FreezeRow]) -> FreezeRow | None:
    """Return the freeze to show of one midnight: the meter's own, else the gateway's best; of equals the latest."""
    return max(rows, key=lambda row: (row.own, -row.source, row.journal, row.sequence), default=None)


def at(connection: Connection, station: int, time_ms: int) -> dict[int, list[FreezeRow]]:
    """Return the freezes of one midnight by meter."""
    found: dict[int, list[FreezeRow]] = {}
    statement = select(*(freeze.c[name] for name in FreezeRow._fields)).where(
        freeze.c.station == station, freeze.c.time_ms == time_ms
    )
    for row in connection.execute(statement):
        found.setdefault(row.meter, []).append(FreezeRow._make(row))
    return found


def findings(connection: Connection, context: Context, end_ms: int) -> list[Draft]:
    """Return the findings about the freezes at the end of a day, daily and monthly ones, three ways.

    The meter's own against the gateway's, or against the intervals where that is missing; the gateway's against the
    intervals; those of a month against those of the first day.
    """
    frozen = at(connection, context.number, end_ms)
    by_intervals = frozen_intervals.at(connection, context, end_ms) if frozen else {}
    drafts = []
    for number, rows in frozen.items():
        meter = context.meters.get(number)
        if meter is None:
            continue
        ends = by_intervals.get(number, {})
        details = [
            detail
            for row in rows
            if row.own and (pair := paired(rows, row) or _by_interval(rows, row, ends)) is not None
            for detail in _compare(connection, context, meter, pair)
        ]
        details += frozen_intervals.against_intervals(meter, rows, ends)
        clocks_mwh = energy_mwh(meter, int(context.station.time_uncertainty_s * 1000))
        step_mwh = max(int(meter.resolution_kwh * 10**6), FREEZE_STEP_MWH)
        details += frozen_intervals.months_against_days(rows, clocks_mwh + step_mwh)
        if details:
            starts = [end_ms - SLOT_MS]
            drafts.append(Draft(Kind.FREEZE.value, number, Severity.WARNING.value, starts, details))
    return drafts


def _by_interval(rows: Iterable[FreezeRow], own: FreezeRow, ends: Mapping[int, IntervalRow]) -> "Pair | None":
    """Return a meter's own freeze with what the intervals of its journal have, where the gateway froze nothing."""
    if own.journal not in ends or any(row.journal == own.journal and not row.own for row in rows):
        return None
    end = ends[own.journal]
    totals = (end.forward_total_mwh, end.reverse_total_mwh)
    source = int(FreezeSource.GATEWAY_INTERPOLATED)
    gateway = FreezeRow(own.time_ms, own.meter, own.journal, end.sequence, own.kind, *totals, source)
    return Pair(own, gateway)


class Pair(NamedTuple):
    """A meter's own freeze and the gateway's of the same midnight."""

    own: FreezeRow
    gateway: FreezeRow

    def differences(self) -> tuple[int, int]:
        """Return by how much the meter's registers are above the gateway's, forward and reverse, in mWh."""
        return (
            self.own.forward_total_mwh - self.gateway.forward_total_mwh,
            self.own.reverse_total_mwh - self.gateway.reverse_total_mwh,
        )


def paired(rows: Iterable[FreezeRow], own: FreezeRow) -> Pair | None:
    """Return a meter's own freeze with the gateway's best of the same journal, where there is one."""
    gateway = preferred(row for row in rows if row.journal == own.journal and not row.own)
    return None if gateway is None or gateway.source == FreezeSource.GATEWAY_PARTIAL else Pair(own, gateway)


def _compare(connection: Connection, context: Context, meter: Meter, pair: Pair) -> list[dict[str, object]]:
    """Return what is wrong with a pair, by direction."""
    limits = apart_mwh(connection, context, meter, pair)
    broken_ms = _last_break(connection, context.number, pair.own)
    offsets = (0, 0)
    if limits is not None and broken_ms is not None:
        before = _pair_before(connection, context.number, pair.own, broken_ms)
        more = None if before is None else apart_mwh(connection, context, meter, before)
        if before is None or more is None:
            return []  # the first since the break: it shows how far apart the registers are
        offsets = before.differences()
        limits = (limits[0] + more[0], limits[1] + more[1])
    if limits is None:
        return []
    directions = zip(("forward", "reverse"), pair.differences(), offsets, limits, strict=True)
    return [
        {
            "start_ms": pair.own.time_ms,
            "direction": name,
            "meter_mwh": pair.own.forward_total_mwh if name == "forward" else pair.own.reverse_total_mwh,
            "gateway_mwh": pair.gateway.forward_total_mwh if name == "forward" else pair.gateway.reverse_total_mwh,
            "gateway_source": FreezeSource(pair.gateway.source).name.lower(),
            "difference_mwh": difference - offset,
            "tolerance_mwh": limit,
        }
        for name, difference, offset, limit in directions
        if abs(difference - offset) > limit
    ]


def apart_mwh(connection: Connection, context: Context, meter: Meter, pair: Pair) -> tuple[int, int] | None:
    """Return how far apart forward and reverse may be; None where too little is known to say.

    The true value lies between the readings around midnight: at most the energy that was counted between them away
    from the gateway's. A measured one has its readings close together, so that the rated power limits it further. The
    clocks' and both registers' steps come on top.
    """
    midnight_ms = pair.own.time_ms
    statement = select(*(interval.c[name] for name in IntervalRow._fields)).where(
        interval.c.station == context.number,
        interval.c.meter == pair.own.meter,
        interval.c.journal == pair.own.journal,
        interval.c.start_ms >= midnight_ms - REACH_MS,
        interval.c.start_ms < midnight_ms + REACH_MS,
    )
    rows = around([IntervalRow._make(row) for row in connection.execute(statement)], midnight_ms)
    if not rows:
        return None
    step = int(meter.resolution_kwh * 10**6)
    rest = energy_mwh(meter, int(context.station.time_uncertainty_s * 1000)) + step + max(step, FREEZE_STEP_MWH)
    forward, reverse = sum(row.forward_mwh for row in rows), sum(row.reverse_mwh for row in rows)
    if pair.gateway.source == FreezeSource.GATEWAY_MEASURED:
        period = max(Fraction(row.duration_ms, row.readings) for row in (rows[0], rows[-1]))
        most = energy_mwh(meter, max(SHORT_GAP_MS, int(GAP_OF_PERIODS * period)))
        forward, reverse = min(forward, most), min(reverse, most)
    return forward + rest, reverse + rest


def around(rows: list[IntervalRow], midnight_ms: int) -> Sequence[IntervalRow]:
    """Return the intervals from the last with a reading before midnight to the first with one after it.

    None of them where one is missing on the way or lacks a part of its energy.
    """
    kept = without_overlaps(rows)[0]
    middle = bisect_left(kept, midnight_ms, key=lambda row: row.start_ms)
    first = next((place for place in range(middle - 1, -1, -1) if kept[place].readings), None)
    last = next((place for place in range(middle, len(kept)) if kept[place].readings), None)
    if first is None or last is None:
        return ()
    found = kept[first : last + 1]
    whole = all(row.end_ms == following.start_ms for row, following in pairwise(found))
    return found if whole and all(row.quality != Quality.PARTIAL for row in found) else ()


def energy_mwh(meter: Meter, duration_ms: int) -> int:
    """Return the energy of a meter's rated power over a time, in mWh."""
    return int(meter.rated_kw * duration_ms * 1000 / 3600)


def _last_break(connection: Connection, station: int, row: FreezeRow) -> int | None:
    """Return when the gateway's register last began a new segment before a freeze, in its journal."""
    return connection.execute(
        select(func.max(event.c.time_ms)).where(
            event.c.station == station,
            event.c.journal == row.journal,
            event.c.meter == row.meter,
            event.c.time_ms <= row.time_ms,
            event_rows.told(BROKEN),
        )
    ).scalar()


def _pair_before(connection: Connection, station: int, row: FreezeRow, after_ms: int) -> Pair | None:
    """Return the last pair of a meter and journal before a freeze, of after a time."""
    statement = (
        select(*(freeze.c[name] for name in FreezeRow._fields))
        .where(
            freeze.c.station == station,
            freeze.c.meter == row.meter,
            freeze.c.journal == row.journal,
            freeze.c.time_ms > after_ms,
            freeze.c.time_ms < row.time_ms,
        )
        .order_by(freeze.c.time_ms.desc())
    )
    # Mostly that of the day before: what else there is since a break, which may be years, is not fetched.
    with connection.execute(statement) as found:
        for _, rows in groupby(map(FreezeRow._make, found), key=lambda each: each.time_ms):
            those = list(rows)
            own = preferred(each for each in those if each.own)
            pair = None if own is None else paired(those, own)
            if pair is not None:
                return pair
    return None
