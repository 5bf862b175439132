"""What gateways' records say of a slot: each meter's energies and emission, where they cover the slot without a gap."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection, Select, func, select

from cloud_receiver.grid.service.plan import SLOT_MS, Metered
from cloud_receiver.schema import adjustment, interval
from wire.records import FactorQuality, Quality

_STATIONS_AT_ONCE: Final = 400  # parameters of one statement
_DOUBTFUL: Final = (Quality.ESTIMATED, Quality.PARTIAL)


class Row(NamedTuple):
    """An interval as far as it is needed here."""

    meter: int
    start_ms: int
    duration_ms: int
    forward_mwh: int
    reverse_mwh: int
    factor: int | None
    factor_quality: int
    carbon_ug: int
    quality: int


@dataclass(frozen=True, slots=True)
class Metering:
    """What a meter measured in a slot, forward (正向) and reverse (反向) as the element has them."""

    forward_mwh: int
    reverse_mwh: int
    emission_ug: int | None
    """Of a generating unit; None where it isn't known."""
    doubtful: bool
    """An interval of it is estimated, or not wholly covered by readings."""


class MeteringError(ValueError):
    """Records of a slot that are no measurement of it."""


class Records:
    """The records of a span of slots."""

    def __init__(self, connection: Connection, meters: Iterable[Metered], first_ms: int, end_ms: int) -> None:
        self._rows: dict[tuple[int, int], list[Row]] = {}
        self._late_ug: dict[tuple[int, int], int] = {}
        stations: dict[int, set[int]] = {}
        for item in meters:
            stations.setdefault(item.station, set()).add(item.number)
        for chunk in _chunks(sorted(stations)):
            wanted = set().union(*(stations[station] for station in chunk))
            columns = (interval.c.meter, interval.c.start_ms, interval.c.duration_ms, interval.c.forward_mwh)
            rest = (interval.c.reverse_mwh, interval.c.factor, interval.c.factor_quality, interval.c.carbon_forward_ug)
            statement: Select[tuple[int, ...]] = select(*columns, *rest, interval.c.quality).where(
                interval.c.station.in_(chunk), interval.c.start_ms >= first_ms, interval.c.start_ms < end_ms
            )
            for found in connection.execute(statement):
                row = Row._make(found)
                if row.meter in wanted:
                    self._rows.setdefault((row.meter, row.start_ms - row.start_ms % SLOT_MS), []).append(row)
            late = select(adjustment.c.meter, adjustment.c.start_ms, adjustment.c.carbon_forward_ug).where(
                adjustment.c.station.in_(chunk), adjustment.c.start_ms >= first_ms, adjustment.c.start_ms < end_ms
            )
            for meter, start_ms, carbon_ug in connection.execute(late):
                if meter in wanted:
                    key = meter, start_ms - start_ms % SLOT_MS
                    self._late_ug[key] = self._late_ug.get(key, 0) + carbon_ug

    def of(self, item: Metered, start_ms: int) -> Metering | None:
        """Return what a meter measured in a slot, None without records; MeteringError says what is wrong with them."""
        rows = self._rows.get((item.number, start_ms))
        if rows is None:
            return None
        rows = _once(sorted(rows, key=lambda row: (row.start_ms, row.duration_ms)))
        _require_cover(rows, start_ms)
        forward, reverse = (sum(row.forward_mwh for row in rows), sum(row.reverse_mwh for row in rows))
        if item.meter.inverted:
            forward, reverse = reverse, forward
        emission = _emission(rows, self._late_ug.get((item.number, start_ms)))
        return Metering(forward, reverse, emission, any(row.quality in _DOUBTFUL for row in rows))


def first_start_ms(connection: Connection, meters: Iterable[Metered], floor_ms: int) -> int | None:
    """Return the start of the first slot at or after `floor_ms` of which a station of these meters has a record."""
    first = [
        connection.execute(
            select(func.min(interval.c.start_ms)).where(interval.c.station == station, interval.c.start_ms >= floor_ms)
        ).scalar()
        for station in sorted({item.station for item in meters})
    ]
    found = min((start for start in first if start is not None), default=None)
    return None if found is None else found - found % SLOT_MS


def starts(connection: Connection, meters: Iterable[Metered], first_ms: int, end_ms: int) -> set[int]:
    """Return the slots within [first_ms, end_ms) of which the stations of these meters have records."""
    found: set[int] = set()
    for chunk in _chunks(sorted({item.station for item in meters})):
        statement = (
            select(interval.c.start_ms)
            .where(interval.c.station.in_(chunk), interval.c.start_ms >= first_ms, interval.c.start_ms < end_ms)
            .distinct()
        )
        found.update(start - start % SLOT_MS for start in connection.execute(statement).scalars())
    return found


def _once(rows: Sequence[Row]) -> list[Row]:
    """Return intervals without those that a second journal of the gateway says again."""
    kept: list[Row] = []
    for row in rows:
        if kept and (kept[-1].start_ms, kept[-1].duration_ms) == (row.start_ms, row.duration_ms):
            if kept[-1] != row:
                raise MeteringError(f"two records of the interval at {row.start_ms} ms say different things")
            continue
        kept.append(row)
    return kept


def _require_cover(rows: Sequence[Row], start_ms: int) -> None:
    reached = start_ms
    for row in rows:
        if row.start_ms != reached:
            what = "overlap" if row.start_ms < reached else "leave a gap"
            raise MeteringError(f"its records {what} at {min(row.start_ms, reached)} ms")
        reached += row.duration_ms
    if reached != start_ms + SLOT_MS:
        raise MeteringError(f"its records reach to {reached} ms, not to the slot's end")


def _emission(rows: Sequence[Row], late_ug: int | None) -> int | None:
    """Return what a unit emitted: by its register, or by a factor of its own. A node's factor is no emission."""
    if any(row.factor_quality in (FactorQuality.DISPATCHED, FactorQuality.HELD) for row in rows):
        return None
    # Without the register a gateway sends partial records with no carbon, and adjusts them when the register is back.
    lacking = any(row.factor is None and not row.carbon_ug and row.quality == Quality.PARTIAL for row in rows)
    if lacking and late_ug is None:
        return None
    return sum(row.carbon_ug for row in rows) + (late_ug or 0)


def _chunks(stations: Sequence[int]) -> Iterator[Sequence[int]]:
    for place in range(0, len(stations), _STATIONS_AT_ONCE):
        yield stations[place : place + _STATIONS_AT_ONCE]
