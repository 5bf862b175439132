"""Numbers of cells, by every decimal mark."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.delimited.numbers import COMMA, EITHER, LONGEST, POINT, number


@pytest.mark.parametrize(
    ("text", "marks", "value"),
    [
        ("1.5", POINT, "1.5"),
        ("1,5", COMMA, "1.5"),
        ("1.5", EITHER, "1.5"),
        ("-1,5", EITHER, "-1.5"),
        ("+.5", POINT, "0.5"),
        (",5", COMMA, "0.5"),
        ("7.", POINT, "7"),
        ("007", POINT, "7"),
        ("9" * LONGEST, POINT, "9" * LONGEST),
        ("1,5", POINT, None),
        ("1.5", COMMA, None),
        ("1.234,5", EITHER, None),
        ("1,234,567", COMMA, None),
        ("1 234", POINT, None),
        ("9" * (LONGEST + 1), POINT, None),
        ("1_000", POINT, None),
        ("٣", POINT, None),
        ("NaN", POINT, None),
        ("", POINT, None),
        (".", POINT, None),
        ("1e3", POINT, None),
    ],
)
def test_texts_that_are_numbers_and_others(text: str, marks: str, value: str | None) -> None:
    assert number(text, marks) == (None if value is None else Decimal(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5e3", "1500"), ("2E-1", "0.2"), ("1e999", None), ("e3", None), ("1e", None), ("1e3e3", None)],
)
def test_exponents_where_they_are_welcome(text: str, value: str | None) -> None:
    assert number(text, exponent=True) == (None if value is None else Decimal(value))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**15), max_value=10**15))
def test_every_decimal_comes_back(value: Decimal) -> None:
    text = format(value, "f")
    assert number(text) == number(text.replace(".", ","), COMMA) == number(text, EITHER) == value
