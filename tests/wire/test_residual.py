"""The bound of honest carbon: floored registers stay within it, and what is beyond is named."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from wire.residual import Residual, dishonest


class Amounts(NamedTuple):
    forward_mwh: int
    reverse_mwh: int
    carbon_forward_ug: int
    carbon_reverse_ug: int


@given(
    before=st.integers(0, 10**15),
    energy=st.integers(0, 10**9),
    factor=st.integers(0, 2**32 - 1),
)
def test_the_difference_of_two_floored_registers_is_honest(before: int, energy: int, factor: int) -> None:
    carbon = (before + energy * factor) // 1000 - before // 1000
    assert list(dishonest(Amounts(energy, energy, carbon, carbon), factor)) == []


def test_a_microgram_is_too_much_either_way_and_in_either_direction() -> None:
    assert list(dishonest(Amounts(1_999, 1, 1, 0), 1)) == []
    assert list(dishonest(Amounts(2_000, 1_000, 1, 2), 1)) == [
        Residual("forward", 2_000, 1, -1000),
        Residual("reverse", 1_000, 2, 1000),
    ]
    assert list(dishonest(Amounts(1_000, 0, -7, 0), -7)) == []
