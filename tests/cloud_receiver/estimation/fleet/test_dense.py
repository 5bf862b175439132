"""Dense symmetric matrices: the inverse, and what is none."""

import random
from collections.abc import Iterator, Sequence

import pytest
from levels_support import KNOWN, drawn

from cloud_receiver.estimation.fleet import dense, solve
from cloud_receiver.estimation.fleet.dense import SingularError, inverse, matrix_product, part
from cloud_receiver.estimation.fleet.solve import solving
from cloud_receiver.estimation.fleet.told import told


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_an_inverse_is_one(size: int) -> None:
    dice = random.Random(size)
    root = [[dice.gauss(0, 1) for _ in range(size)] for _ in range(size)]
    matrix = matrix_product(root, [list(column) for column in zip(*root, strict=True)])
    for place in range(size):
        matrix[place][place] += 0.1
    found = matrix_product(matrix, inverse(matrix))
    for row, line in enumerate(found):
        assert line == pytest.approx([float(row == column) for column in range(size)], abs=1e-7)


@pytest.mark.parametrize("matrix", [[[0.0]], [[1.0, 1.0], [1.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]], [[float("nan")]]])
def test_what_has_no_inverse_is_refused(matrix: list[list[float]]) -> None:
    with pytest.raises(SingularError):
        inverse(matrix)


def test_a_part_has_rows_and_columns_in_their_order() -> None:
    assert part([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]], [2, 0]) == [[9.0, 7.0], [3.0, 1.0]]


def test_no_step_multiplies_more_than_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    makes, few = 40, 4000
    found = drawn(3, 120, [0.0] * makes, operators=3, at_once=8)
    count = [0]
    product = dense.product

    def counted(a: Sequence[float], b: Sequence[float]) -> float:
        count[0] += min(len(a), len(b))
        return product(a, b)

    def most(steps: Iterator[object]) -> int:
        """Return how often the step that multiplies most does so."""
        taken = []
        count[0] = 0
        for _ in steps:
            taken.append(count[0])
            count[0] = 0
        return max([*taken, count[0]])

    monkeypatch.setattr(dense, "product", counted)
    monkeypatch.setattr(dense, "PRODUCTS", few)
    monkeypatch.setattr(solve, "PRODUCTS", few)
    monkeypatch.setattr(solve, "_ROUNDS", 3)
    *_, solution = solving(found.levels, makes, KNOWN)
    assert solution is not None
    assert most(solving(found.levels, makes, KNOWN)) <= 2 * few + makes**2
    assert most(told(solution, 1, 0.05)) <= 2 * few + makes**2
