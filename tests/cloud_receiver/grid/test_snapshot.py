"""Measurements: what can't be one is told by element and field; what is not there is none."""

import math

import pytest

from cloud_receiver.grid.model import Branch, Generator, Grid, Load, Node, Storage
from cloud_receiver.grid.snapshot import (
    Charge,
    Demand,
    EndPowers,
    EndRegisters,
    Generation,
    Measurement,
    Snapshot,
    problems_of,
    require,
    value_mistakes,
)
from cloud_receiver.mistakes import InputError, Mistake

GRID = Grid(
    (Node("a"), Node("b")),
    (Branch("L", "a", "b"),),
    (Generator("G", "a"),),
    (Load("D", "b"),),
    (Storage("S", "b"),),
)


@pytest.mark.parametrize(
    ("value", "mistake", "field"),
    [
        (EndPowers(math.nan, 1.0), Mistake.NUMBER, "from_megawatts"),
        (EndPowers(1.0, -math.inf), Mistake.NUMBER, "to_megawatts"),
        (EndPowers(1.1e9, 0.0), Mistake.NUMBER, "from_megawatts"),
        (EndRegisters(1.0, -0.1, 0.0, 0.0), Mistake.NUMBER, "from_out_megawatts"),
        (Generation(math.nan), Mistake.NUMBER, "megawatts"),
        (Generation(1.0, -0.001), Mistake.FACTOR, "factor"),
        (Generation(1.0, 875.0), Mistake.FACTOR, "factor"),
        (Generation(1.0, math.nan), Mistake.NUMBER, "factor"),
        (Generation(1.0, None, -5.0), Mistake.EMISSION, "emission"),
        (Generation(1.0, 0.5, 5.0), Mistake.FORM, "emission"),
        (Demand(1.0, 10.1), Mistake.FACTOR, "factor"),
        (Charge(-1.0, 0.0), Mistake.NUMBER, "charge_megawatts"),
        (Charge(1.0, 0.0, 0.0), Mistake.NUMBER, "charge_efficiency"),
        (Charge(1.0, 0.0, 1.1), Mistake.NUMBER, "charge_efficiency"),
        (Charge(1.0, 0.0, 1.0, 1.0, 5.0, 1.0, 6.0), Mistake.NUMBER, "unknown_megawatt_hours"),
    ],
)
def test_a_value_that_can_not_be_is_told(value: Measurement, mistake: Mistake, field: str) -> None:
    assert [(found, key) for found, key, _ in value_mistakes(value)] == [(mistake, field)]


def test_the_limit_of_factors_is_a_setting_and_its_message_guesses_the_unit() -> None:
    ((_, _, text),) = value_mistakes(Generation(1.0, 875.0))
    assert text == "expected 0 to 10 kgCO2/kWh, found 875.0 (is it in g/kWh?)"
    assert list(value_mistakes(Generation(1.0, 875.0), max_factor=1000.0)) == []


@pytest.mark.parametrize(
    "value",
    [
        EndPowers(None, None),
        EndPowers(-1e9, 1e9),
        EndRegisters(0.0, None, 1.0, 2.0),
        Generation(-5.0, 0.0),
        Generation(5.0, None, 0.0),
        Demand(-5.0, 10.0),
        Charge(None, None),
        Charge(1.0, 2.0, 0.9, 0.9, 5.0, 1.0, 5.0),
    ],
)
def test_what_may_be_is_no_mistake(value: Measurement) -> None:
    assert list(value_mistakes(value)) == []


def test_measurements_have_to_be_of_the_grid_of_the_slot() -> None:
    right = Snapshot(
        {"L": EndPowers(1.0, -1.0)}, {"G": Generation(1.0, 0.5)}, {"D": Demand(1.0)}, {"S": Charge(0.0, 0.0)}
    )
    require(GRID, right)
    assert problems_of(GRID, Snapshot()) == []
    wrong = Snapshot(
        {"L2": EndPowers(1.0, -1.0)}, {"G": Generation(math.nan)}, {"x": Demand(1.0)}, open_branches=frozenset({"L9"})
    )
    assert [str(problem) for problem in problems_of(GRID, wrong)] == [
        "branch L2: is measured and is not in the grid of this slot",
        "generator G: megawatts: expected a finite number of MW, found nan",
        "load x: is measured and is not in the grid of this slot",
        "branch L9: is open and is not in the grid of this slot",
    ]
    with pytest.raises(InputError, match="branch L2"):
        require(GRID, wrong)
