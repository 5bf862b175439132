"""Rounding agrees with exact fractions."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from profiles.rounding import half_even


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_half_even_agrees_with_fractions(numerator: int, denominator: int) -> None:
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))
