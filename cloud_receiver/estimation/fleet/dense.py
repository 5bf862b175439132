"""Symmetric positive definite matrices, dense and of a few hundred rows, without anything but the standard library."""

from collections.abc import Iterator, Sequence
from math import sqrt
from operator import mul
from typing import Final

from cloud_receiver.estimation.fleet.steps import at_once

Matrix = list[list[float]]
PRODUCTS: Final = 500_000
"""Multiplications between two turns of those that wait, some 20 ms; what has less has no turn within."""


def _rows(products: int) -> int:
    """Return after how many rows of so many multiplications others have their turn."""
    return max(1, PRODUCTS // max(products, 1))


class SingularError(ArithmeticError):
    """A matrix that is not positive definite."""


def product(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the scalar product; what the longer one has more is left out."""
    total: float = sum(map(mul, a, b))
    return total


def times(matrix: Matrix, vector: Sequence[float]) -> list[float]:
    """Return a matrix times a vector."""
    return [product(row, vector) for row in matrix]


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverse; SingularError."""
    return at_once(inverting(matrix))


def inverting(matrix: Matrix) -> Iterator[Matrix | None]:
    """Yield None between steps, and the inverse at the end, by Cholesky's factors; SingularError."""
    rows = _rows(len(matrix) ** 2 // 2)
    root: Matrix = []
    for place, row in enumerate(matrix, 1):
        root.append(_next_line(root, row))
        if place % rows == 0:
            yield None
    columns: Matrix = []
    for place in range(len(root)):
        columns.append(_column(root, place))
        if (place + 1) % rows == 0:
            yield None
    result: Matrix = [[0.0] * len(root) for _ in root]
    for place, column in enumerate(columns):
        for other in range(place + 1):
            value = product(column, columns[other][place - other :])
            result[place][other] = result[other][place] = value
        if (place + 1) % rows == 0:
            yield None
    yield result


def _next_line(root: Matrix, row: Sequence[float]) -> list[float]:
    """Return the next row of the root of a matrix, up to its diagonal."""
    line: list[float] = []
    for column, before in enumerate(root):
        line.append((row[column] - product(before, line)) / before[column])
    rest = row[len(root)] - product(line, line)
    if not rest > 0:
        raise SingularError(f"row {len(root)} is no independent one")
    line.append(sqrt(rest))
    return line


def _column(root: Matrix, place: int) -> list[float]:
    """Return a column of the root's inverse, from its diagonal on."""
    column = [1 / root[place][place]]
    for below in range(place + 1, len(root)):
        line = root[below]
        column.append(-product(line[place:below], column) / line[below])
    return column


def part(matrix: Matrix, places: Sequence[int]) -> Matrix:
    """Return the rows and columns at some places."""
    return [[row[column] for column in places] for row in (matrix[place] for place in places)]


def less(a: Matrix, b: Matrix) -> Matrix:
    """Return a less b."""
    return [[x - y for x, y in zip(one, other, strict=True)] for one, other in zip(a, b, strict=True)]


def plus(a: Matrix, b: Matrix) -> Matrix:
    """Return a and b added."""
    return [[x + y for x, y in zip(one, other, strict=True)] for one, other in zip(a, b, strict=True)]


def matrix_product(a: Matrix, b: Matrix) -> Matrix:
    """Return a times b."""
    return at_once(multiplying(a, b))


def multiplying(a: Matrix, b: Matrix) -> Iterator[Matrix | None]:
    """Yield None between steps, and a times b at the end."""
    columns = [list(column) for column in zip(*b, strict=True)]
    rows = _rows(len(columns) * len(b))
    result: Matrix = []
    for place, row in enumerate(a, 1):
        result.append([product(row, column) for column in columns])
        if place % rows == 0:
            yield None
    yield result
