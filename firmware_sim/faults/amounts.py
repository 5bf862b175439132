"""Amounts as people write them in faults: `799999.99 kWh`, exact, in canonical units."""

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

from profiles.points import POINTS, UNITS

_MOST_DIGITS: Final = 30


def canonical(text: str, point: str) -> int:
    """Return an amount of a standard point in canonical units; a bare number is in these already.

    ValueError, which says what was expected, for another unit and for a part of a canonical unit.
    """
    quantity = POINTS[point].quantity
    number, _, unit = text.strip().partition(" ")
    unit = unit.strip() or quantity.value
    worth = UNITS[quantity].get(unit, 1 if unit == quantity.value else None)
    if worth is None:
        raise ValueError(f"expected a unit of {point}: {', '.join(UNITS[quantity])}; found {unit!r}")
    try:
        value = Decimal(number)
    except InvalidOperation:
        raise ValueError(f"expected a number and a unit, such as 12.5 {unit}; found {text!r}") from None
    if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS or len(value.as_tuple().digits) > _MOST_DIGITS:
        raise ValueError(f"expected a finite number of at most {_MOST_DIGITS} digits, found {text!r}")
    amount = Fraction(value) * worth
    if amount.denominator != 1:
        raise ValueError(f"expected a whole number of {quantity.value}, found {text!r}")
    return int(amount)
