"""The picture of a network in a slot of the store: by what was dispatched, and by the powers it was solved with."""

from typing import Any, Final

from cloud_receiver.figures.from_grid import balance_of, picture_of
from cloud_receiver.figures.network import Balance, NetworkPicture
from cloud_receiver.grid.kept import KeptSlot
from cloud_receiver.grid.show_slot import StoredSlot
from cloud_receiver.grid.show_snapshot import snapshot_of
from cloud_receiver.grid.snapshot import Network

_TONNE, _KG = 1e-12, 1e-6  # of µg and of mg
_ID: Final = 32
"""Digits of the solve_id in the head: those of the 16 bytes that are dispatched with each factor."""


def slot_picture(stored: StoredSlot) -> NetworkPicture:
    """Return the picture of a version of a slot. A factor that was held, or is the official one, has its colour too."""
    slot, grid = stored.slot, stored.kept.grid
    return picture_of(
        Network(grid, snapshot_of(grid, slot.used, slot.start_ms), stored.kept.name),
        [None if sent is None else sent * _KG for sent in slot.nodes.dispatched],
        [quality.name.lower() for quality in slot.nodes.qualities],
        balance=_balance(slot),
        solve_id=slot.solve_id.hex()[:_ID],
    )


def _balance(slot: KeptSlot) -> Balance | None:
    """Return the balance in t/h; a slot that could not be solved has none."""
    found: dict[str, Any] | None = slot.summary.get("balance")
    if found is None:
        return None
    ug: dict[str, int] = found["carbon_ug"]
    terms = ("loads", "losses", "negative_sources", "storages", "dropped", "imbalance")
    residual = ug["sources"] - sum(ug[term] for term in terms)
    rates = {name: amount * _TONNE / slot.used.hours for name, amount in ug.items()}
    return balance_of(rates, abs(residual) / ug["sources"] if ug["sources"] else 0.0)
