"""Exact decimal numbers, and how large or fine they may be."""

from decimal import Decimal, InvalidOperation
from typing import Final

MOST_DIGITS: Final = 50
"""On either side of the decimal point: 1e999999999 is a number too, and computing with it takes for ever."""


def exact(value: object) -> Decimal | None:
    """Return a finite exact decimal from a text or an integer; None for anything else, floats included.

    One of more than 50 digits before or after the point is nothing that a meter has, and None as well.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() and is_bounded(number) else None


def is_bounded(number: Decimal) -> bool:
    """Return whether a finite number has at most 50 digits on either side of the point."""
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return -MOST_DIGITS <= exponent <= MOST_DIGITS and number.adjusted() < MOST_DIGITS
