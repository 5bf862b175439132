"""Integers from floats, once and half to even, and what people and machines are shown of them."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.grid.analysis import fields
from cloud_receiver.grid.analysis.quantities import carbon_ug, factor_mg_per_kwh, half_even, usable

AMOUNTS = st.integers(-(10**24), 10**24)


@given(AMOUNTS, st.integers(1, 10**9))
def test_half_to_even_as_decimals_do(amount: int, by: int) -> None:
    with localcontext(prec=60):
        expected = (Decimal(amount) / by).quantize(Decimal(1), ROUND_HALF_EVEN)
    assert half_even(amount, by) == expected


@pytest.mark.parametrize(("amount", "by", "expected"), [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (1, 3, 0)])
def test_halves(amount: int, by: int, expected: int) -> None:
    assert half_even(amount, by) == expected


@given(st.integers(10**6, 10**15), st.integers(0, 2**32 - 1))
def test_a_factor_comes_back_from_energy_and_carbon(energy_mwh: int, factor: int) -> None:
    assert factor_mg_per_kwh(carbon_ug(energy_mwh, factor), energy_mwh) == factor


def test_no_energy_has_no_factor() -> None:
    assert factor_mg_per_kwh(0, 0) is None
    assert factor_mg_per_kwh(5, -1) is None


def test_what_is_no_power() -> None:
    assert not any(map(usable, (float("nan"), float("inf"), float("-inf"), 1.1e9, -1.1e9)))
    assert usable(-1e9)


@given(AMOUNTS)
def test_exact_values_are_exact(amount: int) -> None:
    carbon = fields.carbon("carbon", "carbon").exact(amount)
    assert isinstance(carbon, str)
    with localcontext(prec=60):
        assert Decimal(carbon) == Decimal(amount).scaleb(-9)


def test_fields_show_what_they_hold() -> None:
    energy, carbon = fields.energy("energy", "energy"), fields.carbon("carbon", "carbon")
    factor, count = fields.factor("factor", "factor"), fields.count("slots", "slots")
    assert (energy.name, energy.exact(1_234_567_890), energy.readable(1_234_567_890)) == (
        *("energy_kwh", "1234.567890"),
        "1.235",
    )
    assert (carbon.name, carbon.exact(-5), carbon.readable(-1_500_000_000_000)) == (
        *("carbon_kg", "-0.000000005"),
        "-1.500000",
    )
    assert (factor.name, factor.exact(570_300), factor.readable(None)) == ("factor_kg_per_kwh", "0.570300", "-")
    assert (count.exact(3), count.readable(3), factor.exact(None)) == (3, "3", None)
