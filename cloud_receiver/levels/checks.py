"""Findings of a boundary: each day, what two centres don't agree about (分级核对)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from cloud_receiver.grid import findings
from cloud_receiver.grid.findings import Draft
from cloud_receiver.levels import book
from cloud_receiver.levels.book import Said
from cloud_receiver.levels.compare import ARITHMETIC, CARBON, FACTOR, KINDS, Limits, differences, edges, pairs_of, sums
from cloud_receiver.levels.partner import Partner, Side
from cloud_receiver.levels.stations import KINDS as STATION_KINDS
from cloud_receiver.levels.stations import Pair, both_sides
from diantan_core import day_start_ms, next_day_start_ms

SLOT_MS: Final = 900_000
DAY: Final = "level_day"
"""Sums of a day that differ by more than the meters' limits: steps and clocks count once, not in every slot."""
ALL_KINDS: Final = (*KINDS, DAY)
SHOWN: Final = 10
NEVER_HEARD_MS: Final = 86_400_000
"""How far back the silence of a side is told that has never said anything."""
_ALARMS: Final = (ARITHMETIC, FACTOR, CARBON, DAY)


def check_day(
    connection: Connection, partner: Partner, day_ms: int, zone: str, *, until_ms: int, now_ms: int
) -> tuple[int, int]:
    """Compare a day's slots that ended before `until_ms`; return how many findings were opened and closed."""
    end_ms = _end(day_ms, zone, until_ms)
    ours = _ended(book.newest(connection, partner.centre, Side.OURS, day_ms, end_ms), end_ms)
    theirs = _ended(book.newest(connection, partner.centre, Side.THEIRS, day_ms, end_ms), end_ms)
    our_limits, their_limits = (book.limits(connection, partner.centre, side) for side in Side)
    limits = Limits(our_limits[0], their_limits[0], our_limits[1], their_limits[1])
    subject = f"centre {partner.centre}"
    since_ms = _both_since(connection, partner, now_ms)
    drafts = _drafts(subject, partner.node, (ours, theirs), limits, ALL_KINDS, missing_from_ms=since_ms)
    return findings.synchronise(connection, day_ms, ALL_KINDS, drafts, now_ms, subject=subject)


def check_station_day(
    connection: Connection, pair: Pair, day_ms: int, *, until_ms: int, now_ms: int
) -> tuple[int, int]:
    """Compare a station's day with the grid's meter of its load; return how many findings were opened and closed."""
    end_ms = _end(day_ms, pair.station.timezone, until_ms)
    both = both_sides(connection, pair, day_ms, end_ms, until_ms)
    subject = f"station {pair.station.id}"
    kinds = (*STATION_KINDS, DAY)
    drafts = _drafts(subject, pair.station.node, (_ended(both[0], end_ms), _ended(both[1], end_ms)), pair.limits, kinds)
    return findings.synchronise(connection, day_ms, kinds, drafts, now_ms, subject=subject)


def _both_since(connection: Connection, partner: Partner, now_ms: int) -> int:
    """Return from when on a side's silence is a finding: before it first spoke, there was nothing to hear."""
    first = [book.first_start(connection, partner.centre, side) for side in Side]
    return max(now_ms - NEVER_HEARD_MS if start is None else start for start in first)


def _end(day_ms: int, zone: str, until_ms: int) -> int:
    return min(next_day_start_ms(day_ms, zone), until_ms - until_ms % SLOT_MS)


def _drafts(
    subject: str,
    node: str,
    sides: tuple[Mapping[int, Said], Mapping[int, Said]],
    limits: Limits,
    kinds: Sequence[str],
    *,
    missing_from_ms: int = 0,
) -> list[Draft]:
    ours, theirs = sides
    drafts = [
        Draft(
            *(item.kind, subject, min(item.starts), max(item.starts)),
            "alarm" if item.kind in _ALARMS else "warning",
            {
                "slots": [_utc(start) for start in sorted(set(item.starts))],
                "count": len(item.details),
                "details": [_readable(detail) for detail in item.details[:SHOWN]],
                "node": node,
            },
        )
        for item in differences(ours, theirs, limits, SLOT_MS, missing_from_ms=missing_from_ms)
        if item.kind in kinds
    ]
    return drafts + _whole_day(subject, node, ours, theirs, limits)


def _ended(said: Mapping[int, Said], end_ms: int) -> dict[int, Said]:
    return {start: item for start, item in said.items() if start + SLOT_MS <= end_ms}


def _whole_day(
    subject: str, node: str, ours: Mapping[int, Said], theirs: Mapping[int, Said], limits: Limits
) -> list[Draft]:
    pairs = pairs_of(ours, theirs)
    if not pairs:
        return []
    both = list(pairs)
    begins = [start for start in both if start - SLOT_MS not in pairs]
    ends = [start for start in both if start + SLOT_MS not in pairs]
    mine, other = sums(pairs.values())
    evidence: dict[str, object] = {}
    for way in ("forward", "reverse"):
        name = f"{way}_mwh"
        # Where slots are missing the registers are read too.
        at = [energy for span in zip(begins, ends, strict=True) for energy in edges(pairs, way, *span, SLOT_MS)]
        limit = limits.energy_mwh(max(mine[name], other[name]), at, SLOT_MS)
        if abs(mine[name] - other[name]) > limit:
            evidence |= {f"ours_{name}": mine[name], f"theirs_{name}": other[name], f"limit_{name}": limit}
    if not evidence:
        return []
    evidence |= {"slots": len(both), "node": node}
    return [Draft(DAY, subject, both[0], both[-1], "alarm", evidence)]


def _readable(detail: Mapping[str, object]) -> dict[str, object]:
    start = detail["start_ms"]
    rest = {key: value for key, value in detail.items() if key != "start_ms"}
    return {"start": _utc(start) if isinstance(start, int) else start, **rest}


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="minutes")


def days_of(first_ms: int, last_ms: int, zone: str) -> list[int]:
    """Return the starts of the local days that [first_ms, last_ms] touches."""
    result = [day_start_ms(first_ms, zone)]
    while (following := next_day_start_ms(result[-1], zone)) <= last_ms:
        result.append(following)
    return result
