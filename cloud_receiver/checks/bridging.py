"""What meters counted over a gap in the records: a register bridges it where its value is known at both ends.

At an end it is known from the interval that ends there, the one that begins there, or a freeze (冻结) of that midnight,
if it was read about then: what a gateway interpolated over a time without readings is no register.
Both ends of one journal bridge the gap, unless an interval in it lacks part of its energy or the register was broken
off. Over the end of a journal energy alone is bridged: the registers of gateways are those of their meters as long as
neither journal broke them off, and the difference must be one that the meter's rated power allows.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, exists, select

from cloud_receiver import event_rows
from cloud_receiver.checks.freezes import BROKEN, energy_mwh
from cloud_receiver.checks.model import Context, IntervalRow
from cloud_receiver.checks.tolerance import SlotEnergy
from cloud_receiver.registry import Meter
from cloud_receiver.schema import adjustment, event, freeze, interval
from wire.records import EventCode, FreezeSource, Quality

MOST_GAPS: Final = 50
"""Of a month; what is beyond stays unbridged, and is said to be missing."""
_LOSING: Final = tuple(code for code in BROKEN if code != EventCode.ROLLOVER)
_FROZEN: Final = int(FreezeSource.GATEWAY_MEASURED)


class Registers(NamedTuple):
    """A gateway's cumulative registers of a meter: mWh and µg."""

    forward_mwh: int
    reverse_mwh: int
    carbon_forward_ug: int
    carbon_reverse_ug: int


class Bridge(NamedTuple):
    """What the meters of the balance counted over a gap; carbon in µg by meter, where every register of it is known."""

    slot: SlotEnergy
    carbon_ug: Mapping[int, int] | None


_Edge = Mapping[int, Mapping[int, Registers]]
"""By meter and journal."""


def gaps(runs: Iterable[tuple[int, int]], first_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """Return what runs in order of time leave of [first, end)."""
    result, at = [], first_ms
    for start, end in runs:
        if start > at:
            result.append((at, min(start, end_ms)))
        at = max(at, end)
    if at < end_ms:
        result.append((at, end_ms))
    return result


def bridge(connection: Connection, context: Context, first_ms: int, end_ms: int) -> Bridge | None:
    """Return what was counted over the gap [first, end); None where a register of the balance is not known."""
    then = context.at(first_ms)
    weighed = then.balanced()
    if any(_comes_or_goes(meter, first_ms, end_ms) for meter in context.balanced().values()):
        return None
    before, after = (_edge(connection, context, time_ms) for time_ms in (first_ms, end_ms))
    if any(number not in before or number not in after for number in weighed):
        return None
    broken = _broken(connection, context.number, first_ms, end_ms)
    energy: dict[int, tuple[int, int]] = {}
    carbon: dict[int, int] | None = {}
    changes = _adjusted(connection, context.number, first_ms, end_ms)
    for number, meter in weighed.items():
        if number in broken:
            return None
        common = before[number].keys() & after[number].keys()
        if common:
            journal = max(common)
            old, new = before[number][journal], after[number][journal]
            if carbon is not None:
                gained = new.carbon_forward_ug - old.carbon_forward_ug
                lost = new.carbon_reverse_ug - old.carbon_reverse_ug
                carbon[number] = (-1 if meter.inverted else 1) * (gained - lost + changes.get(number, 0))
        else:
            pair = _over(connection, context.number, number, (before[number], after[number]), end_ms)
            if pair is None:
                return None
            old, new = pair
            carbon = None
        counted = (new.forward_mwh - old.forward_mwh, new.reverse_mwh - old.reverse_mwh)
        if not all(0 <= amount <= _most(meter, end_ms - first_ms) for amount in counted):
            return None
        energy[number] = meter.turned(*counted)
    return Bridge(SlotEnergy(first_ms, energy, end_ms - first_ms), carbon)


def _comes_or_goes(meter: Meter, first_ms: int, end_ms: int) -> bool:
    times = (time.timestamp() * 1000 for time in (meter.since, meter.until) if time is not None)
    return any(first_ms < time < end_ms for time in times)


def _most(meter: Meter, duration_ms: int) -> int:
    return energy_mwh(meter, duration_ms) + int(meter.resolution_kwh * 10**6)


def _edge(connection: Connection, context: Context, time_ms: int) -> _Edge:
    """Return the registers at an instant as far as they are known."""
    found: dict[int, dict[int, Registers]] = {}
    frozen = connection.execute(
        select(freeze).where(
            freeze.c.station == context.number, freeze.c.time_ms == time_ms, freeze.c.source == _FROZEN
        )
    )
    for row in frozen:
        registers = (row.forward_total_mwh, row.reverse_total_mwh)
        carbon = (row.carbon_forward_total_ug, row.carbon_reverse_total_ug)
        found.setdefault(row.meter, {})[row.journal] = Registers(*registers, *carbon)
    statement = select(*(interval.c[name] for name in IntervalRow._fields)).where(
        interval.c.station == context.number,
        interval.c.start_ms >= time_ms - context.block_ms,
        interval.c.start_ms <= time_ms,
    )
    for each in connection.execute(statement):
        item = IntervalRow._make(each)
        if item.end_ms == time_ms and item.quality in (Quality.MEASURED, Quality.PARTIAL):
            found.setdefault(item.meter, {})[item.journal] = _at_end(item)
        elif item.start_ms == time_ms and item.quality == Quality.MEASURED:
            found.setdefault(item.meter, {}).setdefault(item.journal, _at_start(item))
    return found


def _at_end(row: IntervalRow) -> Registers:
    return Registers(
        row.forward_total_mwh, row.reverse_total_mwh, row.carbon_forward_total_ug, row.carbon_reverse_total_ug
    )


def _at_start(row: IntervalRow) -> Registers:
    end = _at_end(row)
    return Registers(
        end.forward_mwh - row.forward_mwh,
        end.reverse_mwh - row.reverse_mwh,
        end.carbon_forward_ug - row.carbon_forward_ug,
        end.carbon_reverse_ug - row.carbon_reverse_ug,
    )


def _broken(connection: Connection, station: int, first_ms: int, end_ms: int) -> set[int]:
    """Return the meters that lack energy in a time: by an interval that says so, or an event of the register."""
    partial = select(interval.c.meter).where(
        interval.c.station == station,
        interval.c.start_ms >= first_ms,
        interval.c.start_ms < end_ms,
        interval.c.quality == int(Quality.PARTIAL),
    )
    events = select(event.c.meter).where(
        event.c.station == station,
        event.c.time_ms > first_ms,
        event.c.time_ms <= end_ms,
        event.c.code.in_(_LOSING),
    )
    return {*connection.execute(partial).scalars(), *connection.execute(events).scalars()}


def _over(
    connection: Connection,
    station: int,
    number: int,
    edges: tuple[Mapping[int, Registers], Mapping[int, Registers]],
    end_ms: int,
) -> tuple[Registers, Registers] | None:
    """Return the registers at both ends of a gap over which a journal ended; None where one was broken off."""
    former, later = max(edges[0]), max(edges[1])
    broken = exists().where(
        event.c.station == station,
        event.c.meter == number,
        event.c.journal.in_((former, later)),
        event_rows.told(BROKEN),
        event.c.time_ms <= end_ms,
    )
    if connection.execute(select(broken)).scalar():
        return None
    return edges[0][former], edges[1][later]


def _adjusted(connection: Connection, station: int, first_ms: int, end_ms: int) -> dict[int, int]:
    """Return what adjustments change of the carbon of a time, forward less reverse in µg, by meter."""
    rows = connection.execute(
        select(adjustment.c.meter, adjustment.c.carbon_forward_ug, adjustment.c.carbon_reverse_ug).where(
            adjustment.c.station == station, adjustment.c.start_ms >= first_ms, adjustment.c.start_ms < end_ms
        )
    )
    result: dict[int, int] = {}
    for number, forward, reverse in rows:
        result[number] = result.get(number, 0) + forward - reverse
    return result
