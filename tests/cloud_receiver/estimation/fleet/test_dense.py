"""Dense symmetric matrices: the inverse, and what is none."""

import random

import pytest

from cloud_receiver.estimation.fleet.dense import SingularError, inverse, matrix_product, part


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
