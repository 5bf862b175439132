"""Stations as the lowest level (站级): a station's own grid-side meter beside the grid's meter of the same load.

The station says what it took and which carbon that bore, by its records and adjustments; the centre measures the load
at the substation. The station has no factor of its own, so energy and carbon are compared, slot by slot and by day.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Table, select

from cloud_receiver import factor_messages
from cloud_receiver.grid.model import Grid
from cloud_receiver.levels.book import Said
from cloud_receiver.levels.boundary import Flow, metered, numbers_of
from cloud_receiver.levels.compare import CARBON, ENERGY, MISSING, Limits, carbon_ug
from cloud_receiver.registry import Meter, Registry, Role, Station
from cloud_receiver.schema import adjustment, interval
from diantan_core import Energy

SLOT_MS: Final = 900_000
KINDS: Final = (ENERGY, CARBON, MISSING)
"""What can be said of a station; its arithmetic is checked with its records."""
_PPM_OF_PERCENT: Final = 10_000


@dataclass(frozen=True)
class Pair:
    """A station and the grid's meters of the load that it is."""

    station: Station
    own: tuple[Meter, ...]
    above: tuple[Meter, ...]

    @property
    def limits(self) -> Limits:
        """Return what the meters of both sides are good for."""
        return Limits(_ppm(self.above), _ppm(self.own), _step(self.above), _step(self.own))


def pairs(registry: Registry, grid: Grid | None) -> list[Pair]:
    """Return the stations all of whose loads are measured by another one's meters too.

    The loads of a station are those that the grid calls its own, and those that its own meters are said to measure.
    """
    measured: dict[str, list[Meter]] = {}
    for item in (item for each in registry.station for item in each.meter):
        element = item.element
        if item.role is Role.FLOW and element is not None and element.element == "load":
            measured.setdefault(element.id, []).append(item)
    loads: dict[str, set[str]] = {}
    for load in () if grid is None else grid.loads:
        if load.station:
            loads.setdefault(load.station, set()).add(load.id)
    result = []
    for each in registry.station:
        own = each.meters(Role.GRID)
        names = loads.get(each.id, set()) | {item.element.id for item in own if item.element is not None}
        if own and names and names <= measured.keys():
            result.append(Pair(each, own, tuple(item for name in sorted(names) for item in measured[name])))
    return result


def both_sides(
    connection: Connection, pair: Pair, first_ms: int, end_ms: int, settled_ms: int
) -> tuple[dict[int, Said], dict[int, Said]]:
    """Return what the grid's meter and what the station say of each slot that starts in [first_ms, end_ms).

    Carbon is left out where the slot's factor was dispatched after `settled_ms`: gateways may still adjust.
    """
    factors = {
        start: found[max(found)]
        for start, found in factor_messages.issued(connection, pair.station.node, first_ms, end_ms - 1).items()
        if max(found) <= settled_ms
    }
    above = _summed(connection, pair.above, first_ms, end_ms)
    own = _summed(connection, pair.own, first_ms, end_ms)
    carbon = _carbon(connection, pair, first_ms, end_ms)
    ours = {
        start: Said(forward, reverse, factor, factor, *_borne(forward, reverse, factor))
        for start, (forward, reverse) in above.items()
        for factor in (factors.get(start),)
    }
    theirs = {
        start: Said(forward, reverse, factor, factor, *carbon.get(start, (None, None)))
        for start, (forward, reverse) in own.items()
        for factor in (factors.get(start),)
    }
    return ours, theirs


def _summed(connection: Connection, meters: tuple[Meter, ...], first_ms: int, end_ms: int) -> dict[int, Flow]:
    """Return the energy of all meters together in the slots that each one in service covers."""
    parts = [(item, metered(connection, [item], first_ms, end_ms)) for item in meters]
    result = {}
    for start in {start for _, part in parts for start in part}:
        flows = [part.get(start) for item, part in parts if item.in_service(start)]
        known = [flow for flow in flows if flow is not None]
        if len(known) == len(flows):
            result[start] = sum(flow[0] for flow in known), sum(flow[1] for flow in known)
    return result


def _borne(forward: int, reverse: int, factor: int | None) -> tuple[int | None, int | None]:
    return (None, None) if factor is None else (carbon_ug(forward, factor), carbon_ug(reverse, factor))


def _carbon(connection: Connection, pair: Pair, first_ms: int, end_ms: int) -> Mapping[int, tuple[int, int]]:
    """Return the station's carbon forward and reverse of each slot, with what was adjusted since."""
    known = numbers_of(connection, pair.own)
    result: dict[int, tuple[int, int]] = {}
    for item in pair.own:
        if (numbers := known.get((item.gateway, item.id))) is None:
            continue
        for table in (interval, adjustment):
            for start, *carbon in _rows(connection, table, numbers, first_ms, end_ms):
                slot = start - start % SLOT_MS
                if item.in_service(slot):
                    forward, reverse = reversed(carbon) if item.inverted else carbon
                    before = result.get(slot, (0, 0))
                    result[slot] = before[0] + forward, before[1] + reverse
    return result


def _rows(
    connection: Connection, table: Table, numbers: tuple[int, int], first_ms: int, end_ms: int
) -> Iterator[tuple[int, int, int]]:
    """Yield start and carbon both ways; an interval that a second journal of the gateway says again, once."""
    columns = (table.c.start_ms, table.c.duration_ms, table.c.carbon_forward_ug, table.c.carbon_reverse_ug)
    statement = select(*columns).where(
        *(table.c.meter == numbers[0], table.c.station == numbers[1]),
        *(table.c.start_ms >= first_ms, table.c.start_ms < end_ms),
    )
    for row in connection.execute(statement.distinct() if table is interval else statement):
        yield int(row[0]), int(row[2]), int(row[3])


def _ppm(meters: tuple[Meter, ...]) -> int:
    return max(int(item.accuracy_class * _PPM_OF_PERCENT) for item in meters)


def _step(meters: tuple[Meter, ...]) -> int:
    return sum(Energy.from_kwh(item.resolution_kwh).mwh for item in meters)
