"""Columns of a batch: n values as one value, as runs, or as an array (docs/wire.md, "Columns")."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import cbor2

Item = int | bytes | None
Column = Item | list[Item] | dict[int, Item]


def column(values: Sequence[Item]) -> Column:
    """Return the values as a column: one value if all are equal, else runs or an array, whichever is shorter."""
    return _shorter(values, difference=False)


def difference_column(values: Sequence[int | None]) -> Column:
    """Return a column of differences, each to the last entry before it that is not null (the first: to 0)."""
    return _shorter(values, difference=True)


def put(group: dict[int, object], key: int, values: Column) -> None:
    """Add a column to its group unless every value is 0, which is what an absent column means."""
    if values != 0:
        group[key] = values


def _shorter(values: Sequence[Item], *, difference: bool) -> Column:
    starts = [0, *(row for row, (before, value) in enumerate(pairwise(values), 1) if value != before)]
    code = _differences if difference else list
    if len(starts) == 1:
        return values[0]
    array: list[Item] = code(values)
    # A run costs at least a byte more than an array's element: with more runs than that it can't win.
    if 2 * len(starts) > len(values):
        return array
    runs: dict[int, Item] = dict(zip(starts, code([values[row] for row in starts]), strict=True))
    return runs if len(cbor2.dumps(runs)) < len(cbor2.dumps(array)) else array


def _differences(values: Iterable[Item]) -> list[Item]:
    last = 0
    result: list[Item] = []
    for value in values:
        if isinstance(value, int):
            result.append(value - last)
            last = value
        else:
            result.append(value)
    return result
