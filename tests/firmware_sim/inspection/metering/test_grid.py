"""Load points in the order in which they are given."""

from dataclasses import replace
from fractions import Fraction

import pytest

from firmware_sim.inspection.bench import Selection
from firmware_sim.inspection.metering.grid import GridError, conditions, current_ma, places, power_factor
from firmware_sim.inspection.points import Balance, Character, LoadPoint, Rating

RATING = Rating("B", 220_000, imin_ma=250, itr_ma=500, imax_ma=60_000, starting_ma=20)


def test_the_default_selection_has_120_points_with_its_factors() -> None:
    selection = Selection()
    found = [
        (factor, place)
        for voltage, balance in conditions(RATING, selection)
        for factor in selection.factors
        for place in places(RATING, selection, balance=balance, voltage_mv=voltage)
    ]
    assert len(found) == 120
    assert len({(factor, place.key) for factor, place in found}) == 120


def test_currents_fall_whatever_order_the_plan_has() -> None:
    selection = Selection(currents=("Imin", "10Itr", "Imax", "0.5Imax", "Itr"), power_factors=("1.0",))
    found = [place.point.current_ma for place in places(RATING, selection, balance="a", voltage_mv=220_000)]
    assert found == [60_000, 30_000, 5_000, 500, 250]


def test_a_single_phase_meter_has_one_condition() -> None:
    assert list(conditions(replace(RATING, phases=1), Selection())) == [(220_000, "balanced")]
    assert list(conditions(RATING, Selection(voltages_mv=(57_700, 220_000)))) == [
        (57_700, "balanced"),
        (57_700, "a"),
        (220_000, "balanced"),
        (220_000, "a"),
    ]


@pytest.mark.parametrize("name", ["Ib", "2Imax", "0Itr", "-1Itr", "Itr2", ""])
def test_currents_that_are_none(name: str) -> None:
    with pytest.raises(GridError, match="current"):
        current_ma(name, RATING)


@pytest.mark.parametrize("name", ["1.0L", "0.5", "0.0L", "1.5C", "0.5l", ""])
def test_power_factors_that_are_none(name: str) -> None:
    with pytest.raises(GridError, match="power factor"):
        power_factor(name)


def test_power_factors() -> None:
    assert power_factor("1.0") == (1_000_000, Character.UNITY)
    assert power_factor("0.5L") == (500_000, Character.INDUCTIVE)
    assert power_factor("0.8C") == (800_000, Character.CAPACITIVE)


def test_the_power_of_a_point() -> None:
    point = LoadPoint(220_000, 5_000, 500_000, Character.INDUCTIVE)
    assert point.power_mw == 1_650_000
    assert replace(point, balance=Balance.B).power_mw == 550_000
    assert replace(point, reverse=True).power_mw == -1_650_000
    assert replace(point, phases=1, current_ma=1, power_factor_ppm=1).power_mw == Fraction(220_000, 10**9)
