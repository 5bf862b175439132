"""What was not measured of an element, and what came only after its slot was first solved (迟到数据)."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from cloud_receiver.grid.analysis import fields
from cloud_receiver.grid.analysis.quantities import MWH_PER_MW_H
from cloud_receiver.grid.analysis.tally import Versions
from cloud_receiver.grid.kept import FLOW, Floats, Powers

GAP_FIELDS: Final = (
    fields.count("slots_missing", "missing 缺测"),
    fields.count("slots_late", "late 迟到"),
    fields.energy("late_energy", "late 迟到电量", shown=False),
    fields.count("slots_changed", "changed 改动", shown=False),
    fields.energy("changed_energy", "changed 改动电量", shown=False),
)


def note(
    rare: Counter[tuple[str, int]],
    versions: Versions,
    column: Callable[[Powers], Floats],
    picks: Sequence[int],
    *,
    stride: int,
    width: int = 1,
) -> None:
    """Count gaps, and what late data brought, of values `width` wide in rows `stride` wide.

    Late: the slot was first solved without a value that is there now. Changed: with another one. The energy is by how
    much the magnitude of the first value of the row that differs changed.
    """
    values = column(versions.newest.measured)
    opened = versions.newest.measured.open_branches if stride == FLOW else frozenset()
    former = None if versions.first is None else column(versions.first.measured)
    to_mwh = versions.newest.measured.hours * MWH_PER_MW_H
    for place, pick in enumerate(picks):
        base = pick * stride
        for index in range(base, base + width):
            value = values[index]
            if not math.isfinite(value):
                if pick not in opened:
                    rare["slots_missing", place] = 1
                continue
            if former is None or former[index] == value:
                continue
            late = not math.isfinite(former[index])
            what = "late" if late else "changed"
            was = 0.0 if late else former[index]
            if not rare[f"slots_{what}", place]:
                rare[f"slots_{what}", place] = 1
                rare[f"{what}_energy", place] = round(value * to_mwh) - round(was * to_mwh)


def row(sums: Counter[str]) -> dict[str, int]:
    """Return the columns of GAP_FIELDS."""
    return {
        "slots_missing": sums["slots_missing"],
        "slots_late": sums["slots_late"],
        "late_energy_kwh": sums["late_energy"],
        "slots_changed": sums["slots_changed"],
        "changed_energy_kwh": sums["changed_energy"],
    }
