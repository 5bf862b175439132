"""Exact decimals and their bounds."""

from decimal import Decimal

import pytest

from settings.decimals import exact


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0.01", Decimal("0.01")),
        ("-1e3", Decimal(-1000)),
        (7, Decimal(7)),
        (Decimal("1.50"), Decimal("1.50")),
        (0.1, None),
        (True, None),
        ("1,5", None),
        ("", None),
        ("NaN", None),
        ("Infinity", None),
        ("1e50", None),
        ("9e49", Decimal("9e49")),
        ("1e-50", Decimal("1e-50")),
        ("1e-51", None),
        (None, None),
        ([1], None),
    ],
)
def test_an_exact_number_is_a_finite_decimal_of_bearable_length(value: object, number: Decimal | None) -> None:
    assert exact(value) == number
