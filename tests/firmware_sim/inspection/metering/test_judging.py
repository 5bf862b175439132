"""Rounding after GB/T 8170 and the conclusion at a load point."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.inspection.metering.judging import decimals, error_percent, judge, rounded, shown, text

FRACTIONS = st.fractions(min_value=-200, max_value=200, max_denominator=10_000)
INTERVALS = st.sampled_from([Fraction(n, 100) for n in (1, 2, 5, 10, 20, 50)])


@pytest.mark.parametrize(
    ("value", "interval", "result"),
    [  # facts/metrology.md, section 5
        ("12.1498", "1", "12"),
        ("1.050", "0.1", "1.0"),
        ("0.35", "0.1", "0.4"),
        ("2500", "1000", "2000"),
        ("3500", "1000", "4000"),
        ("-0.0365", "0.001", "-0.036"),
        ("8.53459", "0.01", "8.53"),
        ("60.28", "0.5", "60.5"),
        ("60.25", "0.5", "60.0"),
        ("60.38", "0.5", "60.5"),
        ("-60.75", "0.5", "-61.0"),
        ("832", "20", "840"),
        ("830", "20", "840"),
        ("842", "20", "840"),
        ("-930", "20", "-920"),
    ],
)
def test_published_cases(value: str, interval: str, result: str) -> None:
    assert rounded(Fraction(value), Fraction(interval)) == Fraction(result)


@given(FRACTIONS, INTERVALS)
def test_no_multiple_is_nearer_and_ties_are_even(value: Fraction, interval: Fraction) -> None:
    result = rounded(value, interval)
    assert (result / interval).denominator == 1
    distance = abs(value - result)
    assert distance <= interval / 2
    if distance == interval / 2:
        assert (result / interval) % 2 == 0
    assert rounded(-value, interval) == -result


def test_a_rounded_zero_carries_the_sign_of_the_mean() -> None:
    assert shown(Fraction(-1, 100), Fraction(1, 10)) == "-0.0"
    assert shown(Fraction(1, 100), Fraction(1, 10)) == "+0.0"
    assert shown(Fraction(-3, 10), Fraction(1, 5)) == "-0.4"  # 1.5 intervals: the even multiple is 2


def test_error_has_its_sign() -> None:
    assert error_percent(99, 100) == -1
    assert error_percent(Fraction(203, 2), 100) == Fraction(3, 2)
    with pytest.raises(ZeroDivisionError):
        error_percent(1, 0)


@pytest.mark.parametrize(("errors", "by_rounded", "good"), [([1.04, 1.04], True, True), ([1.04, 1.04], False, False)])
def test_by_the_rounded_or_the_unrounded_mean(errors: list[float], by_rounded: bool, good: bool) -> None:
    exact = [Fraction(str(error)) for error in errors]
    assert judge(exact, limit=Fraction(1), interval=Fraction(1, 10), by_rounded=by_rounded).good is good


@given(FRACTIONS, INTERVALS, st.fractions(min_value=Fraction(1, 10), max_value=20, max_denominator=1000))
def test_rounding_never_fails_a_mean_within_the_limit(mean: Fraction, interval: Fraction, limit: Fraction) -> None:
    found = judge([mean], limit=limit, interval=interval, by_rounded=True).good
    assert found or abs(mean) > limit
    assert not found or abs(mean) <= limit + interval


def test_a_limit_between_two_multiples() -> None:
    limit = Fraction("1.5") * 250 / 200  # below Imin: 1.875
    assert judge([Fraction("1.87")], limit=limit, interval=Fraction(1, 10), by_rounded=True).good
    assert not judge([Fraction("1.96")], limit=limit, interval=Fraction(1, 10), by_rounded=True).good


def test_the_mean_counts_not_each_reading() -> None:
    found = judge([Fraction(3), Fraction(-2)], limit=Fraction(1), interval=Fraction(1, 10), by_rounded=True)
    assert (found.mean, found.shown, found.good) == (Fraction(1, 2), "+0.5", True)
    with pytest.raises(ValueError, match="at least one"):
        judge([], limit=Fraction(1), interval=Fraction(1, 10), by_rounded=True)


@given(FRACTIONS, st.integers(0, 6))
def test_text_says_the_value(value: Fraction, digits: int) -> None:
    assert abs(Fraction(text(value, digits)) - value) <= Fraction(1, 2 * 10**digits)


def test_decimals_of_an_interval() -> None:
    assert [decimals(Fraction(text)) for text in ("0.1", "0.05", "0.2", "1", "20")] == [1, 2, 1, 0, 0]
    with pytest.raises(ValueError, match="1/3"):
        decimals(Fraction(1, 3))
