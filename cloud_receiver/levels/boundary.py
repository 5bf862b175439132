"""What this centre knows of a boundary: energy by its own meter, the factor both ways, the carbon."""

from collections.abc import Iterable, Mapping
from math import isnan
from typing import Final

from sqlalchemy import Connection, select

from cloud_receiver import factor_messages
from cloud_receiver.grid import shelf
from cloud_receiver.grid.kept import LOAD, SOURCE, KeptSlot
from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.shelf import KeptGrids
from cloud_receiver.levels.book import Said, newest
from cloud_receiver.levels.compare import carbon_ug
from cloud_receiver.levels.partner import Partner, Rank, Side
from cloud_receiver.registry import Meter, Registry
from cloud_receiver.schema import interval, meter, station

SLOT_MS: Final = 900_000
_MWH_PER_MEGAWATT_HOUR: Final = 10**9

Flow = tuple[int, int]
"""Energy in mWh, forward and reverse: from the parent into the child, and back."""


def said(
    connection: Connection, partner: Partner, registry: Registry, *, first_ms: int, end_ms: int
) -> dict[int, Said]:
    """Return what this centre can say of each slot that starts in [first_ms, end_ms)."""
    grids = shelf.grids(connection)
    flows = _solved(connection, partner, grids, first_ms, end_ms)
    flows |= metered(connection, partner.meters, registry, first_ms, end_ms)
    theirs = newest(connection, partner.centre, Side.THEIRS, first_ms, end_ms)
    own = _own_factors(connection, partner, grids, first_ms, end_ms)
    result = {}
    for start, (forward, reverse) in sorted(flows.items()):
        other = theirs.get(start)
        if partner.rank is Rank.PARENT:
            down, up = None if other is None else other.factor, own.get(start)
        else:
            down, up = own.get(start), None if other is None else other.reverse_factor
        result[start] = Said(forward, reverse, down, up, _carbon(forward, down), _carbon(reverse, up))
    return result


def _carbon(energy_mwh: int, factor: int | None) -> int | None:
    if not energy_mwh:
        return 0
    return None if factor is None else carbon_ug(energy_mwh, factor)


def metered(
    connection: Connection, meters: Iterable[Meter], registry: Registry, first_ms: int, end_ms: int
) -> dict[int, Flow]:
    """Return the energy of the slots that records of these meters cover wholly, once."""
    homes = {id(item): each.id for each in registry.station for item in each.meter}
    result: dict[int, Flow] = {}
    for item in meters:
        found = connection.execute(
            select(meter.c.id, meter.c.station)
            .join(station, station.c.id == meter.c.station)
            .where(meter.c.gateway == item.gateway, meter.c.name == item.id, station.c.name == homes.get(id(item)))
        ).first()
        if found is None:
            continue
        covered: dict[int, list[int]] = {}
        for row in connection.execute(
            select(interval.c.start_ms, interval.c.duration_ms, interval.c.forward_mwh, interval.c.reverse_mwh).where(
                interval.c.station == found.station,
                interval.c.meter == found.id,
                interval.c.start_ms >= first_ms,
                interval.c.start_ms < end_ms,
            )
        ):
            slot = covered.setdefault(row.start_ms - row.start_ms % SLOT_MS, [0, 0, 0])
            for place, value in enumerate((row.duration_ms, row.forward_mwh, row.reverse_mwh)):
                slot[place] += value
        for start, (duration, forward, reverse) in covered.items():
            if duration == SLOT_MS and item.in_service(start):
                result[start] = (reverse, forward) if item.inverted else (forward, reverse)
    return result


def _solved(connection: Connection, partner: Partner, grids: KeptGrids, first_ms: int, end_ms: int) -> dict[int, Flow]:
    """Return the energy that telemetry told, as the solved slots have it: a net one, since it knows no more."""
    result = {}
    for slot in shelf.slots(connection, first_ms, end_ms):
        power = _power(partner, grids[slot.grid].grid, slot)
        if power is not None:
            energy = round(power * slot.measured.hours * _MWH_PER_MEGAWATT_HOUR)
            result[slot.start_ms] = (max(energy, 0), max(-energy, 0))
    return result


def _power(partner: Partner, grid: Grid, slot: KeptSlot) -> float | None:
    """Return the measured power from the parent into the child in MW."""
    if partner.rank is Rank.PARENT:
        places = {item.id: slot.measured.sources[SOURCE * place] for place, item in enumerate(grid.generators)}
    else:
        places = {item.id: slot.measured.loads[LOAD * place] for place, item in enumerate(grid.loads)}
    power = places.get(partner.element.id)
    return None if power is None or isnan(power) else power


def _own_factors(
    connection: Connection, partner: Partner, grids: KeptGrids, first_ms: int, end_ms: int
) -> Mapping[int, int | None]:
    """Return this centre's factor of what it gives: a parent's of the boundary node, a child's of the source's node."""
    if partner.rank is Rank.CHILD:
        return factor_messages.latest(connection, partner.node, first_ms, end_ms - 1)
    result: dict[int, int | None] = {}
    for place, kept in enumerate(grids.all):
        until = grids.all[place + 1].valid_from_ms if place + 1 < len(grids.all) else end_ms
        node = next((item.node for item in kept.grid.generators if item.id == partner.element.id), None)
        first, last = max(first_ms, kept.valid_from_ms), min(end_ms, until) - 1
        if node is not None and first <= last:
            result |= factor_messages.latest(connection, node, first, last)
    return result
