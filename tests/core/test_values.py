"""Energy, Carbon and Factor as values; relative error and rounding against the standard's examples."""

import copy
import operator
import pickle
from array import array
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import diantan_core as core

I64 = st.integers(-(2**63), 2**63 - 1)
I128 = st.integers(-(2**127), 2**127 - 1)
U32 = st.integers(0, 2**32 - 1)


@given(I64)
def test_energy_is_its_decimal(mwh: int) -> None:
    energy = core.Energy(mwh)
    assert energy.mwh == mwh
    assert energy.kwh == Decimal(mwh).scaleb(-6)
    assert core.Energy.from_kwh(energy.kwh) == energy
    assert core.Energy.from_kwh(str(energy.kwh)) == energy


@given(I128)
def test_carbon_is_its_decimal(ng: int) -> None:
    carbon = core.Carbon(ng)
    assert (carbon.ng, carbon.ug) == (ng, ng // 1000)
    assert f"{carbon.kg:f}" == f"{'-' if ng < 0 else ''}{abs(ng) // 10**12}.{abs(ng) % 10**12:012}"
    assert core.Carbon.from_kg(carbon.kg) == carbon


@given(I64, U32)
def test_energy_times_factor_is_carbon(mwh: int, mg: int) -> None:
    assert (core.Energy(mwh) * core.Factor(mg)).ng == mwh * mg


@given(I64, I64)
def test_energy_adds_or_refuses(left: int, right: int) -> None:
    for combine in (operator.add, operator.sub):
        expected = combine(left, right)
        if -(2**63) <= expected < 2**63:
            assert combine(core.Energy(left), core.Energy(right)) == core.Energy(expected)
        else:
            with pytest.raises(core.QuantityError, match="64 bits"):
                combine(core.Energy(left), core.Energy(right))
    assert (core.Energy(left) < core.Energy(right)) == (left < right)
    assert (core.Energy(left) >= core.Energy(right)) == (left >= right)


@pytest.mark.parametrize("value", [core.Energy(-5), core.Carbon(2**100), core.Factor(536_600)])
def test_values_hash_pickle_and_print(value: Any) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value
    assert {value: 1}[copy.copy(value)] == 1
    assert eval(repr(value), vars(core)) == value


def test_values_of_different_kinds_do_not_mix() -> None:
    assert core.Energy(1) != core.Carbon(1)
    for combine in (operator.add, operator.lt):
        with pytest.raises(TypeError):
            combine(core.Energy(1), core.Carbon(1))
    with pytest.raises(TypeError):
        core.Energy(1) * 2  # type: ignore[operator]  # the point of the test


@pytest.mark.parametrize("make", [core.Energy.from_kwh, core.Carbon.from_kg, core.Factor.from_kg_per_kwh])
def test_floats_and_nonsense_are_refused(make: Callable[[Any], object]) -> None:
    for wrong in (0.5, True, None, b"1", Fraction(1, 2)):
        with pytest.raises(TypeError, match="expected a Decimal, str or int"):
            make(wrong)
    for nonsense in ("", "NaN", "Infinity", "1,5", " 1", Decimal("NaN"), Decimal("Infinity")):
        with pytest.raises(core.QuantityError):
            make(nonsense)
    with pytest.raises(core.QuantityError, match="finer"):
        make("0.0000000000001")
    with pytest.raises(core.QuantityError, match="out of range"):
        make(10**40)


def test_integers_out_of_range_are_typed_errors() -> None:
    for make in (lambda: core.Energy(2**63), lambda: core.Carbon(2**127), lambda: core.Factor(-1)):
        with pytest.raises(core.QuantityError, match="expected"):
            make()
    for wrong in (1.0, "1"):
        with pytest.raises(TypeError):
            core.Energy(wrong)  # type: ignore[arg-type]  # the point of the test


@given(I128, I128.filter(bool))
def test_relative_error_is_exact(indicated: int, true: int) -> None:
    if abs(indicated - true) < 2**126:
        assert core.relative_error(indicated, true) == Fraction(indicated - true, true)


def test_relative_error_refuses() -> None:
    for indicated, true in ((1, 0), (2**127, 1), (-(2**127), 2**126)):
        with pytest.raises(core.CoreError):
            core.relative_error(indicated, true)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("12.1498", "1", "12"),
        ("1.050", "0.1", "1.0"),
        ("0.35", "0.1", "0.4"),
        ("2500", "1E+3", "2000"),
        ("3500", "1000", "4000"),
        ("-0.0365", "0.001", "-0.036"),
        ("8.53459", "0.01", "8.53"),
        ("60.28", "0.5", "60.5"),
        ("60.25", "0.5", "60.0"),
        ("60.38", "0.5", "60.5"),
        ("-60.75", "0.5", "-61.0"),
        ("832", "20", "840"),
        ("830", "20", "840"),
        ("842", "20", "840"),
        ("-930", "20", "-920"),
        ("-0.0365", "0.1", "-0.0"),
    ],
)
def test_rounding_examples(value: str, unit: str, expected: str) -> None:
    assert str(core.round_to_interval(Decimal(value), unit)) == expected
    assert core.round_to_interval(Fraction(value), Decimal(unit)) == Decimal(expected)


@given(
    st.fractions() | st.decimals(allow_nan=False, allow_infinity=False, places=7), st.integers(1, 99), st.integers(0, 4)
)
def test_rounding_agrees_with_fractions(value: Fraction | Decimal, digits: int, places: int) -> None:
    unit = Decimal(digits).scaleb(-places)
    rounded = core.round_to_interval(value, unit)
    # Python rounds a Fraction half to even.
    assert Fraction(rounded) == round(Fraction(value) / Fraction(unit)) * Fraction(unit)
    assert rounded.as_tuple().exponent == -places
    if value:
        assert rounded.is_signed() == (value < 0)


@given(st.decimals(-(10**12), 10**12, places=9), st.integers(0, 6))
def test_rounding_to_places_is_decimal_quantize(value: Decimal, places: int) -> None:
    unit = Decimal(1).scaleb(-places)
    assert str(core.round_to_interval(value, unit)) == str(value.quantize(unit, ROUND_HALF_EVEN))


def test_rounding_takes_numbers_of_any_size_and_refuses_others() -> None:
    assert core.round_to_interval(Fraction(10**60 + 1, 2 * 10**20), "0.1") == Decimal(5 * 10**39)
    for wrong in (0.5, "1", True, None):
        with pytest.raises(TypeError, match="Fraction, Decimal or int"):
            core.round_to_interval(wrong, "1")  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(TypeError):
        core.round_to_interval(1, 0.1)  # type: ignore[arg-type]  # the point of the test
    for unit in ("0", "-1", "nan", "", "1e999999999"):
        with pytest.raises(core.QuantityError):
            core.round_to_interval(1, unit)
    for value in (Decimal("NaN"), Decimal("Infinity"), Decimal("1e99999999")):
        with pytest.raises(core.QuantityError):
            core.round_to_interval(value, "1")


@given(st.lists(st.tuples(I64, U32 | st.just(-1), I64), max_size=20))
def test_residuals(rows: list[tuple[int, int, int]]) -> None:
    columns = [array("q", column) for column in zip(*rows, strict=True)] or [array("q")] * 3
    expected = [carbon * 1000 - energy * max(factor, 0) for energy, factor, carbon in rows]
    assert core.carbon_residuals_ng(*columns) == expected


def test_residuals_refuse() -> None:
    one, two = array("q", [1]), array("q", [1, 2])
    with pytest.raises(core.CoreError, match="different lengths"):
        core.carbon_residuals_ng(one, two, one)
    with pytest.raises(core.CoreError, match="carbon factor -2"):
        core.carbon_residuals_ng(one, array("q", [-2]), one)
    with pytest.raises(core.IntegrationError, match="energy_mwh: expected a buffer of signed 64-bit"):
        core.carbon_residuals_ng(array("d", [1.0]), one, one)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), U32 | st.none(), U32 | st.none()), max_size=10))
def test_adjustments_are_exact(changes: list[tuple[int, int, int | None, int | None]]) -> None:
    register = core.AdjustmentRegister()
    forward_ng = reverse_ng = 0
    for forward, reverse, used, now in changes:
        difference = (now or 0) - (used or 0)
        before = (forward_ng // 1000, reverse_ng // 1000)
        forward_ng += forward * difference
        reverse_ng += reverse * difference
        after = (forward_ng // 1000, reverse_ng // 1000)
        assert register.apply(forward, reverse, used, now) == (after[0] - before[0], after[1] - before[1])
    assert (register.forward_ng, register.reverse_ng) == (forward_ng, reverse_ng)


def test_adjustments_refuse() -> None:
    register = core.AdjustmentRegister(5, -5)
    for arguments in ((2**63 - 1, 0, 0, 2**32 - 1), (2**63, 0, 0, 0), (0, 0, 0, 2**32)):
        with pytest.raises(core.QuantityError):
            register.apply(*arguments)
    assert (register.forward_ng, register.reverse_ng) == (5, -5)
