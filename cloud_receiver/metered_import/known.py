"""What the store has of a meter: which intervals a file repeats or contradicts, and from which registers it goes on."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from sqlalchemy import Connection, func, select

from cloud_receiver.checks.model import IntervalRow, without_overlaps
from cloud_receiver.schema import interval
from cloud_receiver.schema import meter as meter_table

_LONGEST_MS = 86_400_000
"""No interval spans a local midnight."""


class Found(Enum):
    """What the store has of an interval."""

    NOTHING = "nothing"
    SAME = "same"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Totals:
    """Cumulative registers at an instant: energy in mWh, carbon in µg."""

    time_ms: int
    forward_mwh: int = 0
    reverse_mwh: int = 0
    carbon_forward_ug: int = 0
    carbon_reverse_ug: int = 0


class Known:
    """The intervals of a meter that count, in order of time: the later of two that overlap (docs/import.md)."""

    def __init__(self, rows: Sequence[IntervalRow]) -> None:
        self.rows = rows
        self._starts = [row.start_ms for row in rows]

    def compare(self, start_ms: int, duration_ms: int, energy: tuple[int, int]) -> tuple[Found, IntervalRow | None]:
        """Return what is stored of an interval, and the first record of it."""
        place = bisect_left(self._starts, start_ms)
        if place and self.rows[place - 1].end_ms > start_ms:
            place -= 1
        here = []
        while place < len(self.rows) and self.rows[place].start_ms < start_ms + duration_ms:
            here.append(self.rows[place])
            place += 1
        if not here:
            return Found.NOTHING, None
        within = here[0].start_ms == start_ms and sum(row.duration_ms for row in here) == duration_ms
        stored = sum(row.forward_mwh for row in here), sum(row.reverse_mwh for row in here)
        return Found.SAME if within and stored == energy else Found.OTHER, here[0]

    def before(self, time_ms: int) -> IntervalRow | None:
        """Return the last interval that ends at or before an instant."""
        place = bisect_left(self._starts, time_ms)
        while place and self.rows[place - 1].end_ms > time_ms:
            place -= 1
        return self.rows[place - 1] if place else None

    def at(self, time_ms: int) -> IntervalRow | None:
        """Return the interval that begins at an instant."""
        place = bisect_left(self._starts, time_ms)
        return self.rows[place] if place < len(self.rows) and self._starts[place] == time_ms else None


def meter_number(connection: Connection, gateway: str, name: str) -> int | None:
    """Return the number of a meter; None for one that the store doesn't know yet."""
    return connection.execute(
        select(meter_table.c.id).where(meter_table.c.gateway == gateway, meter_table.c.name == name)
    ).scalar()


def extent(connection: Connection, station: int, meter: int) -> tuple[int, int] | None:
    """Return when the first and the last interval of a meter begin; None where there is none."""
    low, high = connection.execute(
        select(func.min(interval.c.start_ms), func.max(interval.c.start_ms)).where(
            interval.c.station == station, interval.c.meter == meter
        )
    ).one()
    return None if low is None else (low, high)


def read(connection: Connection, station: int, meter: int, first_ms: int, last_ms: int) -> Known:
    """Return the meter's intervals around [first_ms, last_ms], with the last one before and the first one after."""
    mine = (interval.c.station == station, interval.c.meter == meter)
    before = connection.execute(
        select(func.max(interval.c.start_ms)).where(*mine, interval.c.start_ms < first_ms)
    ).scalar()
    low = first_ms if before is None else before - _LONGEST_MS
    found = connection.execute(
        select(*(interval.c[name] for name in IntervalRow._fields))
        .where(*mine, interval.c.start_ms.between(low, last_ms + _LONGEST_MS))
        .order_by(interval.c.start_ms)
    )
    rows = [IntervalRow._make(row) for row in found]
    if any(before.end_ms > after.start_ms for before, after in pairwise(rows)):
        rows = sorted(without_overlaps(rows)[0])
    return Known(rows)


def totals(row: IntervalRow) -> Totals:
    """Return the registers at the end of an interval."""
    return Totals(
        row.end_ms,
        *(row.forward_total_mwh, row.reverse_total_mwh),
        *(row.carbon_forward_total_ug, row.carbon_reverse_total_ug),
    )


def begins(row: IntervalRow) -> Totals:
    """Return the registers at the beginning of an interval."""
    return Totals(
        row.start_ms,
        *(row.forward_total_mwh - row.forward_mwh, row.reverse_total_mwh - row.reverse_mwh),
        row.carbon_forward_total_ug - row.carbon_forward_ug,
        row.carbon_reverse_total_ug - row.carbon_reverse_ug,
    )
