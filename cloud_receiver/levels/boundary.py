"""What this centre knows of a boundary: energy by its own meter, the factor both ways, the carbon."""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, select

from cloud_receiver import factor_messages
from cloud_receiver.grid.service.plan import Metered
from cloud_receiver.grid.service.records import MeteringError, Records
from cloud_receiver.grid.shelf import KeptGrids
from cloud_receiver.levels.book import Said, newest
from cloud_receiver.levels.compare import carbon_ug
from cloud_receiver.levels.partner import Partner, Rank, Side
from cloud_receiver.levels.solved import SolvedSlots
from cloud_receiver.registry import Meter
from cloud_receiver.schema import meter as meter_table
from wire.levels import Totals
from wire.messages import Origin

SLOT_MS: Final = 900_000

Flow = tuple[int, int]
"""Energy in mWh, forward and reverse: from the parent into the child, and back."""


def said(connection: Connection, partner: Partner, solved: SolvedSlots, first_ms: int, end_ms: int) -> dict[int, Said]:
    """Return what this centre can say of each slot that starts in [first_ms, end_ms), both starts of slots."""
    grids = solved.grids(connection)
    flows: dict[int, Flow] = {}
    totals: dict[int, Totals] = {}
    for start, slot in solved.between(connection, first_ms, end_ms).items():
        if slot.totals is not None:
            totals[start] = slot.totals
        if (net := slot.net_mwh.get(partner.element)) is not None:
            flows[start] = max(net, 0), max(-net, 0)
    flows |= metered(connection, partner.meters, first_ms, end_ms)
    theirs = newest(connection, partner.centre, Side.THEIRS, first_ms, end_ms)
    own, origins = _own_factors(connection, partner, grids, first_ms, end_ms)
    result = {}
    for start, (forward, reverse) in sorted(flows.items()):
        other = theirs.get(start)
        if partner.rank is Rank.PARENT:
            down, up = None if other is None else other.factor, own.get(start)
        else:
            down, up = own.get(start), None if other is None else other.reverse_factor
        carbon = _carbon(forward, down), _carbon(reverse, up)
        result[start] = Said(forward, reverse, down, up, *carbon, totals.get(start), origins.get(start))
    return result


def _carbon(energy_mwh: int, factor: int | None) -> int | None:
    if not energy_mwh:
        return 0
    return None if factor is None else carbon_ug(energy_mwh, factor)


def metered(connection: Connection, meters: Collection[Meter], first_ms: int, end_ms: int) -> dict[int, Flow]:
    """Return the energy of the slots that records of these meters, one after the other in service, cover wholly."""
    known = numbers_of(connection, meters)
    found = [Metered(*known[key], item) for item in meters if (key := (item.gateway, item.id)) in known]
    records = Records(connection, found, first_ms, end_ms)
    result: dict[int, Flow] = {}
    for item in found:
        for start in range(first_ms, end_ms, SLOT_MS):
            try:
                energy = records.of(item, start) if item.meter.in_service(start) else None
            except MeteringError:  # the grid service tells of it
                continue
            if energy is not None:
                result[start] = energy.forward_mwh, energy.reverse_mwh
    return result


def numbers_of(connection: Connection, meters: Collection[Meter]) -> dict[tuple[str, str], tuple[int, int]]:
    """Return the numbers of these meters and of their stations, by gateway and name."""
    rows = connection.execute(select(meter_table).where(meter_table.c.gateway.in_({item.gateway for item in meters})))
    return {(row.gateway, row.name): (row.id, row.station) for row in rows}


def _own_factors(
    connection: Connection, partner: Partner, grids: KeptGrids, first_ms: int, end_ms: int
) -> tuple[Mapping[int, int | None], Mapping[int, Origin]]:
    """Return this centre's factor of what it gives, and the origin of those that are not solved.

    A parent's is that of the boundary node, a child's that of the source's node.
    """
    if partner.rank is Rank.CHILD:
        return _factors_of(connection, partner.node, first_ms, end_ms - 1)
    result: dict[int, int | None] = {}
    origins: dict[int, Origin] = {}
    for place, kept in enumerate(grids.all):
        until = grids.all[place + 1].valid_from_ms if place + 1 < len(grids.all) else end_ms
        node = next((item.node for item in kept.grid.generators if item.id == partner.element.id), None)
        first, last = max(first_ms, kept.valid_from_ms), min(end_ms, until) - 1
        if node is not None and first <= last:
            found, sources = _factors_of(connection, node, first, last)
            result |= found
            origins |= sources
    return result, origins


def _factors_of(
    connection: Connection, node: str, first_ms: int, last_ms: int
) -> tuple[dict[int, int | None], dict[int, Origin]]:
    origins = factor_messages.origins(connection, node, first_ms, last_ms)
    return (
        factor_messages.latest(connection, node, first_ms, last_ms),
        {start: Origin(origin) for start, origin in origins.items() if origin},
    )
