"""The feed of solved slots: one message for each version, or several of a large grid."""

from collections.abc import Iterator, Mapping
from typing import Final

from cloud_receiver.grid.kept import KeptSlot
from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.service.outlet import Told
from cloud_receiver.grid.service.plan import SLOT_MS
from wire import topics
from wire.envelope import Signer
from wire.grid_feed import MAX_NODES, GridSlot, Term

_TERMS: Final = {term.name.lower(): term for term in Term}
_LARGEST: Final = 2**63 - 1


def messages(signer: Signer, centre: str, grid: Grid, slot: KeptSlot) -> Iterator[Told]:
    """Yield the signed messages of a slot."""
    for part in parts(centre, grid, slot):
        yield Told(topics.GRID_FEED, signer.sign(part.encode(), topics.GRID_FEED))


def parts(centre: str, grid: Grid, slot: KeptSlot) -> Iterator[GridSlot]:
    """Yield what is told of a slot, at most 4096 nodes at a time."""
    balance = slot.summary.get("balance", {})
    carbon, energy = (_amounts(balance.get(name, {})) for name in ("carbon_ug", "energy_mwh"))
    names = [node.id for node in grid.nodes]
    for first in range(0, len(names), MAX_NODES):
        here = slice(first, first + MAX_NODES)
        yield GridSlot(
            centre,
            slot.start_ms,
            SLOT_MS,
            slot.version,
            slot.solve_id,
            slot.solved_ms,
            bytes.fromhex(grid.digest),
            carbon,
            energy,
            first,
            len(names),
            tuple(names[here]),
            slot.nodes.dispatched[here],
            slot.nodes.origins[here],
            tuple(int(quality) for quality in slot.nodes.qualities[here]),
        )


def _amounts(told: Mapping[str, int]) -> dict[int, int]:
    return {_TERMS[name]: max(min(amount, _LARGEST), -_LARGEST) for name, amount in told.items() if name in _TERMS}
