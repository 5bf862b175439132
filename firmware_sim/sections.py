"""What the sections of a station file have in common: multiples of a unit, and durations."""

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator


def whole(value: Decimal, per_unit: int, name: str) -> Decimal:
    """Return the value when it is a multiple of 1/`per_unit`; ValueError otherwise."""
    if value * per_unit != (value * per_unit).to_integral_value():
        raise ValueError(f"expected a multiple of {name}")
    return value


def _ranged(value: object) -> object:
    numbers = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(numbers) != 2 or not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):  # noqa: PLR2004 - least and most
        raise ValueError("expected a whole number of ms, or [least, most]")
    return tuple(numbers)


Milliseconds = Annotated[tuple[int, int], BeforeValidator(_ranged)]
"""A duration, or the least and the most of one."""
