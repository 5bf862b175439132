"""The one rounding of the house: half to even, in whole numbers."""


def half_even(numerator: int, denominator: int) -> int:
    """Return the quotient rounded to the nearest integer, an exact tie to the even one; the denominator is positive."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))
