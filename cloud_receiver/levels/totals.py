"""The sums of a whole grid in a slot, as a centre tells them to another one: its books must close."""

from cloud_receiver.grid.analysis.balance import Balance
from cloud_receiver.grid.analysis.layout import Layout
from cloud_receiver.grid.analysis.tally import Versions
from cloud_receiver.grid.kept import KeptSlot
from wire.domain import MAX_AMOUNT
from wire.levels import Totals


def totals_of(layout: Layout, slot: KeptSlot) -> Totals | None:
    """Return the sums of a solved slot; None for amounts that no message carries.

    What is left of the carbon when all is told, rounding and what could not be traced, is part of its imbalance.
    """
    sums = {name: column[0] for name, column in Balance().sheet(layout, [0], Versions(slot)).dense.items()}
    found = []
    for unit in ("", "_carbon"):
        came = sums[f"sources{unit}"] + sums[f"fed_in{unit}"]
        used = sums[f"loads{unit}"] + sums[f"negative_sources{unit}"]
        lost = sums[f"losses{unit}"]
        kept = sums[f"charged{unit}"] - sums[f"discharged{unit}"]
        found.append((came, used, lost, kept, came - used - lost - kept))
    energy, carbon = found
    amounts = [amount for pair in zip(energy, carbon, strict=True) for amount in pair]
    return Totals(*amounts) if all(abs(amount) <= MAX_AMOUNT for amount in amounts) else None
