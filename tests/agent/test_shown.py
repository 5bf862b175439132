"""Values as text: exact, with the decimals of the meter."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.shown import text_of, unit_of
from profiles import Point
from profiles.points import Quantity

ZONE = "Asia/Shanghai"


def point(quantity: Quantity, resolution: int = 1) -> Point:
    return Point(name="p", quantity=quantity, scale=Fraction(resolution), resolution=resolution)


@pytest.mark.parametrize(
    ("quantity", "resolution", "value", "text", "unit"),
    [
        (Quantity.ENERGY, 10_000, 1_234_560_000, "1234.56", "kWh"),
        (Quantity.ENERGY, 10_000, 0, "0.00", "kWh"),
        (Quantity.ENERGY, 1_000_000, 5_000_000, "5", "kWh"),
        (Quantity.ENERGY, 400_000, 49_382_400_000, "49382.4", "kWh"),
        (Quantity.ENERGY, 10_000, 1, "0.000001", "kWh"),  # finer than the meter's steps: nothing is left out
        (Quantity.POWER, 100, -300, "-0.0003", "kW"),
        (Quantity.VOLTAGE, 100, 230_100, "230.1", "V"),
        (Quantity.CURRENT, 1, -5, "-0.005", "A"),
        (Quantity.FREQUENCY, 10, 49_990, "49.99", "Hz"),
        (Quantity.CARBON, 10**10, 123 * 10**10, "1.23", "kg"),
        (Quantity.FACTOR, 100, 581_000, "0.5810", "kg/kWh"),
        (Quantity.POWER_FACTOR, 1000, -990_000, "-0.990", ""),
        (Quantity.NUMBER, 1, 42, "42", ""),
        (Quantity.METER_CONSTANT, 1, 6400, "6400", "imp/kWh"),
        (Quantity.TIME, 1000, 1_767_240_000_123, "2026-01-01 12:00:00.123+08:00", ""),
    ],
)
def test_text(quantity: Quantity, resolution: int, value: int, text: str, unit: str) -> None:
    assert (text_of(point(quantity, resolution), value, ZONE), unit_of(point(quantity, resolution))) == (text, unit)


@pytest.mark.parametrize(
    ("own", "quantity", "value", "text", "unit"),
    [
        ("W", Quantity.POWER, 1_150_500, "1150.500", "W"),
        ("Wh", Quantity.ENERGY, 1_234_000, "1234.000", "Wh"),
        ("MWh", Quantity.ENERGY, 1_234_000, "0.001234000", "MWh"),
        ("%", Quantity.POWER_FACTOR, 990_000, "99.0000", "%"),
        ("1", Quantity.POWER_FACTOR, 990_000, "0.990000", ""),
        ("mWh", Quantity.ENERGY, 5, "5", "mWh"),
        ("1", Quantity.NUMBER, 5, "5", ""),
        ("s", Quantity.TIME, 0, "1970-01-01 08:00:00.000+08:00", ""),
    ],
)
def test_the_profiles_own_unit(own: str, quantity: Quantity, value: int, text: str, unit: str) -> None:
    shown = Point(name="p", quantity=quantity, scale=Fraction(1), resolution=1, own_unit=own)
    assert (text_of(shown, value, ZONE), unit_of(shown)) == (text, unit)


@given(st.integers(-(10**18), 10**18), st.sampled_from([1, 7, 10, 10_000, 400_000, 10**6, 10**9]))
def test_the_text_is_the_value(value: int, resolution: int) -> None:
    assert Decimal(text_of(point(Quantity.ENERGY, resolution), value, ZONE)) * 10**6 == value
