"""Columns of a batch: n values as one value, runs, an array or packed (docs/wire.md, "Columns")."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import cbor2

Item = int | bytes | None
Column = Item | list[Item] | dict[int, Item]  # bytes: packed integers, or the one value of a column of bytes


def column(values: Sequence[Item]) -> Column:
    """Return the values as a column: one value if all are equal, else the shortest of array, packed and runs."""
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
    forms: list[Column] = [array]
    if all(isinstance(entry, int) for entry in array):
        forms.append(_packed(array))  # type: ignore[arg-type]  # integers, as was just found
    # A run costs a byte more than an array's element, at least: with that many runs they can't be shorter.
    if 2 * len(starts) <= len(values):
        forms.append(dict(zip(starts, code([values[row] for row in starts]), strict=True)))
    return min(forms, key=lambda form: len(cbor2.dumps(form)))


def _packed(entries: Sequence[int]) -> bytes:
    """Return the entries as big-endian two's complement, each of as many bytes as the longest needs."""
    width = max((entry if entry >= 0 else ~entry).bit_length() for entry in entries) // 8 + 1
    return b"".join(entry.to_bytes(width, "big", signed=True) for entry in entries)


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
