"""What windows don't hold, and on whose account: readings that are missing, or begin anew too often to be compared.

A charger escapes judgement where its energy lies outside windows, and a station where it has none. Neither may pass
unnoticed: who has something to hide need only see to it that his registers are not known.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.estimation.model import Setup
from cloud_receiver.estimation.noticed import Noticed
from cloud_receiver.estimation.registers import Registers
from cloud_receiver.estimation.windows import MWH_PER_KWH, StationWindows, serves
from cloud_receiver.registry import Meter, Role
from diantan_core import RegisterInstants

HELD_UP = "held_up"
OUTSIDE = "outside_windows"
ANEW = "began_anew"
EXCHANGED = "exchanged_often"
RARELY = "rarely_read"
NO_MASTER = "no_master"
DAY_MS = 86_400_000
_SHARE = 0.1
"""Of the span without windows on account of a meter."""
_ENERGY_SHARE = 0.2
_RARELY = 0.5
"""Share of the instants at which a register is known, below which windows are long on account of it."""
_LEAST_KWH = 5.0
"""Of a charger's energy outside windows."""
_FEW = 3
"""Registers that began anew, and exchanges, that nobody need explain."""
_WEEK_MS = 7 * DAY_MS

Span = tuple[int, int]


def noticed(context: Context, made: Setup, registers: Registers, found: StationWindows) -> list[Noticed]:
    """Return what is to be said of a station's meters."""
    span = made.first_ms, made.end_ms
    meters = [
        number for number, meter in context.balanced().items() if not meter.only_orders and number not in found.silent
    ]
    standing = {number: registers.of(number).instants(standing=True) for number in meters}
    known = {number: one for number, one in standing.items() if one.first_ms is not None}
    gaps = list(_gaps(context, found, known, span))
    held = {number: _account(context, registers, number, known[number], gaps) for number in meters}
    length = max(span[1] - span[0], 1)
    result = []
    if not any(serves(context.meters[number], span[1] - 1, span[1]) for number in context.numbers(Role.GRID)):
        result.append(Noticed(NO_MASTER, blocks=True))
    for number, parts in held.items():
        total = sum(last - first for first, last in parts)
        late = sum(last - first for first, last in parts if last == span[1])
        share = _share(context.meters[number], known[number], span)
        numbers: dict[str, float | str] = {"hours": total / 3.6e6, "share": total / length}
        if late:
            numbers["since"] = _local(span[1] - late, context)
        if total > _SHARE * length or late >= DAY_MS:
            result.append(Noticed(HELD_UP, (number,), numbers))
        if share < _RARELY:
            result.append(Noticed(RARELY, (number,), {"share": share}))
    result += [
        Noticed(OUTSIDE, (number,), {"kwh": kwh, "share": share})
        for number, (kwh, share) in _outside(registers, found, span).items()
        if held.get(number)
    ]
    weeks = length / _WEEK_MS
    for number in meters:
        times = [time_ms for time_ms in registers.of(number).breaks if span[0] < time_ms < span[1]]
        if len(times) >= _FEW and len(times) > weeks:
            result.append(Noticed(ANEW, (number,), {"times": float(len(times))}))
    for number, turns in made.turns.items():
        if len(turns) >= _FEW:
            numbers = {"times": float(len(turns)), "since": _local(turns[0], context)}
            result.append(Noticed(EXCHANGED, (number,), numbers))
    return result


def _asked(meter: Meter, first_ms: int, last_ms: int) -> range:
    """Return the instants of a span at which a meter should be known."""
    every = max(meter.interval_s * 1000, SLOT_MS)
    begin, end = meter.service(first_ms, last_ms + 1)
    return range(begin + -begin % every, end, every)


def _of(known: RegisterInstants, asked: range) -> int:
    """Return how many of the instants are known."""
    return known.count(asked.start, asked.stop, asked.step)


def _share(meter: Meter, known: RegisterInstants, span: Span) -> float:
    """Return the share of the instants at which a meter should be known, from its first reading on."""
    asked = _asked(meter, max(span[0], known.first_ms or 0), span[1])
    return _of(known, asked) / len(asked) if asked else 1.0


def _local(time_ms: int, context: Context) -> str:
    place = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(ZoneInfo(context.station.timezone))
    return place.isoformat(timespec="minutes")


def _gaps(context: Context, found: StationWindows, known: Mapping[int, RegisterInstants], span: Span) -> Iterator[Span]:
    """Yield the parts of a span that no window covers, from when any meter was read."""
    if not known:
        return
    reached = max(span[0], min(one.first_ms or 0 for one in known.values()))
    for first, last in zip(found.windows.starts_ms, found.windows.ends_ms, strict=True):
        if first > reached:
            yield reached, first
        reached = max(reached, last)
    if reached < span[1] - span[1] % max(context.meters[number].interval_s * 1000 for number in known):
        yield reached, span[1]


def _account(
    context: Context, registers: Registers, number: int, known: RegisterInstants, gaps: Sequence[Span]
) -> list[Span]:
    """Return the gaps in which a meter was not known all the time, or its register began anew."""
    meter, breaks = context.meters[number], registers.of(number).breaks
    result = []
    for first, last in gaps:
        anew = bisect_right(breaks, first) < bisect_right(breaks, last)
        asked = _asked(meter, first, last)
        if anew or _of(known, asked) < len(asked):
            result.append((first, last))
    return result


def _outside(registers: Registers, found: StationWindows, span: Span) -> Mapping[int, tuple[float, float]]:
    """Return by charger the energy that its records counted outside windows, kWh, and its share."""
    result = {}
    for number, kwh in zip(found.chargers, found.windows.sums_kwh, strict=True):
        counted = registers.of(number).counted_mwh(*span) / MWH_PER_KWH
        outside = abs(counted) - abs(kwh)
        if outside > _LEAST_KWH and outside > _ENERGY_SHARE * abs(counted):
            result[number] = (outside, outside / abs(counted))
    return result
