"""Amounts in faults: exact, in any unit of their quantity."""

import pytest

from firmware_sim.faults.amounts import canonical


@pytest.mark.parametrize(
    ("text", "point", "expected"),
    [
        ("799999.99 kWh", "energy_forward", 799_999_990_000),
        ("5", "energy_forward", 5),
        ("5 mWh", "energy_forward", 5),
        ("-3.3 kW", "power", -3_300_000),
        ("12.5  V", "voltage_a", 12_500),
        ("0.581 kg/kWh", "carbon_factor", 581_000),
        ("1 t", "carbon_forward", 10**15),
        ("7", "status", 7),
    ],
)
def test_an_amount_is_exact(text: str, point: str, expected: int) -> None:
    assert canonical(text, point) == expected


@pytest.mark.parametrize(
    ("text", "point", "expected"),
    [
        ("5 kW", "energy_forward", "expected a unit of energy_forward: mWh, Wh, kWh, MWh; found 'kW'"),
        ("much kWh", "energy_forward", "expected a number and a unit"),
        ("0.0000001 kWh", "energy_forward", "expected a whole number of mWh"),
        ("NaN kWh", "energy_forward", "expected a finite number"),
        ("1e999999 kWh", "energy_forward", "expected a finite number of at most 30 digits"),
        ("", "power", "expected a number"),
    ],
)
def test_what_is_no_amount_is_said(text: str, point: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        canonical(text, point)
