"""From readings to a conclusion: mean, rounding (化整) and comparison with the limit, in exact arithmetic.

GB/T 8170-2008: one rounding, an exact tie to the even multiple of the interval. Whether the rounded or the unrounded
mean is compared with the limit is a setting: the rounded one is the recalled practice of the verification rules, and
one public bench program takes the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from profiles.rounding import half_even

DIGITS: Final = 6  # of an error in % as text; more than any interval has


@dataclass(frozen=True, slots=True)
class Judged:
    """The mean of the errors at one point in %, as it is reported, and whether it conforms (合格)."""

    mean: Fraction
    rounded: Fraction
    shown: str  # the rounded mean; a zero keeps the sign of the mean
    good: bool


def error_percent(device: Fraction | int, standard: Fraction | int) -> Fraction:
    """Return ε = (device - standard)/standard in %; ZeroDivisionError where the standard measured nothing."""
    return 100 * (Fraction(device) - standard) / Fraction(standard)


def rounded(value: Fraction, interval: Fraction) -> Fraction:
    """Return the multiple of the interval nearest to a value, of two equally near ones the even multiple."""
    quotient = abs(value) / interval
    result = half_even(quotient.numerator, quotient.denominator) * interval
    return -result if value < 0 else result


def shown(value: Fraction, interval: Fraction) -> str:
    """Return a value rounded to the interval as text, with its sign: +0.4, -0.0."""
    digits = decimals(interval)
    magnitude = text(abs(rounded(value, interval)), digits)
    return f"{'-' if value < 0 else '+'}{magnitude}"


def text(value: Fraction, digits: int = DIGITS) -> str:
    """Return a value as decimal text with so many decimals, rounded half to even once."""
    scaled = half_even(abs(value).numerator * 10**digits, abs(value).denominator)
    sign = "-" if value < 0 and scaled else ""
    return f"{sign}{Decimal(scaled).scaleb(-digits):f}" if digits else f"{sign}{scaled}"


def decimals(interval: Fraction) -> int:
    """Return how many decimals a multiple of the interval needs; ValueError for one that no decimal number is."""
    for digits in range(DIGITS + 1):
        if (interval * 10**digits).denominator == 1:
            return digits
    raise ValueError(f"expected an interval of at most {DIGITS} decimals, got {interval}")


def judge(errors: Sequence[Fraction], *, limit: Fraction, interval: Fraction, by_rounded: bool) -> Judged:
    """Judge the errors (in %) measured at one point; ValueError when there are none.

    The limit itself still conforms. One that is no multiple of the interval (1.5·Imin/I, say) is rounded as the mean
    is, so that rounding never fails a mean within the limit.
    """
    if not errors:
        raise ValueError("expected at least one error to judge")
    mean = sum(errors, Fraction(0)) / len(errors)
    nearest = rounded(mean, interval)
    good = abs(nearest) <= rounded(limit, interval) if by_rounded else abs(mean) <= limit
    return Judged(mean, nearest, shown(mean, interval), good)
