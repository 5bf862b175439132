"""Findings that another one explains."""

from typing import Any

import pytest
from whole_span_support import made, said

from cloud_receiver.estimation.changes import CHANGED, CLOCK_DRIFT, LEVEL_CHANGED
from cloud_receiver.estimation.gross import BEYOND_POWER
from cloud_receiver.estimation.noticed import LEVEL, Noticed
from cloud_receiver.estimation.ratio import RATIO, RATIO_CHANGED
from cloud_receiver.estimation.told_apart import told_apart

Numbers = dict[str, float | str]
SHIFT = ("clock_shift", [0], {"hours": 3.0}, True)
NEVER = ("never_charged", [1], {}, False)
ODD = ("implausible", [1], {}, False)
UNEXPLAINED = ("unexplained", [], {}, True)
BACKWARDS = ("generation", [], {"windows": 480.0}, True)
WRONG = Noticed(RATIO, (), {"ratio": 10.0})
TURNED = Noticed(RATIO_CHANGED, (), {"before": 1.0, "after": -1.0})
BECAME = Noticed(RATIO_CHANGED, (), {"before": 1.0, "after": 0.75})


def gain(ratio: float) -> tuple[str, list[int], Numbers, bool]:
    return ("gain", [], {"ratio": ratio}, True)


def names(findings: Any, *noticed: Noticed) -> tuple[list[str], list[str]]:
    by_core, by_centre = told_apart(said(findings=findings), made(3), noticed)
    return [item[0] for item in by_core], [item.name for item in by_centre]


def test_what_nothing_explains_stands() -> None:
    findings = [SHIFT, NEVER, ODD, UNEXPLAINED]
    noticed = [Noticed(LEVEL), Noticed(CHANGED, (11,)), Noticed(LEVEL_CHANGED), Noticed(CLOCK_DRIFT, (12,))]
    assert told_apart(said(findings=findings), made(3), noticed) == (findings, noticed)


@pytest.mark.parametrize(("windows", "stands"), [(7.0, True), (8.0, False)])
def test_a_master_that_runs_backwards_shifts_no_clock(windows: float, stands: bool) -> None:
    backwards = ("generation", [], {"windows": windows}, True)
    assert names([SHIFT, backwards]) == ([*(["clock_shift"] if stands else []), "generation"], [])


@pytest.mark.parametrize("ratio", [WRONG, BECAME])
def test_by_a_wrong_ratio_nothing_else_is_explained(ratio: Noticed) -> None:
    assert names([SHIFT, gain(0.8), UNEXPLAINED, NEVER], ratio) == (["never_charged"], [ratio.name])


def test_all_chargers_lie_far_from_a_master_of_a_wrong_ratio() -> None:
    assert names([gain(0.8)], Noticed(LEVEL)) == (["gain"], [])
    assert names([], WRONG, Noticed(LEVEL)) == ([], ["ratio"])
    assert names([ODD], Noticed(LEVEL)) == (["implausible"], ["level"])


def test_what_changed_with_the_ratio_is_not_named_again() -> None:
    along = (Noticed(LEVEL), Noticed(LEVEL_CHANGED), Noticed(CHANGED, (11,)), Noticed(CLOCK_DRIFT, (12,)))
    assert names([], BECAME, *along) == ([], ["ratio_changed", "clock_drift"])
    assert names([], WRONG, *along[1:]) == ([], ["ratio", "level_changed", "changed", "clock_drift"])


@pytest.mark.parametrize(
    ("findings", "noticed", "stands"),
    [
        ([gain(-0.99)], [], False),
        ([], [TURNED], False),
        ([], [Noticed(RATIO, (), {"ratio": -2.0})], False),
        ([gain(0.8)], [], True),
        ([], [BECAME], True),
        ([], [WRONG], True),
    ],
)
def test_a_master_that_is_turned_round_generates_nothing(
    findings: list[Any], noticed: list[Noticed], stands: bool
) -> None:
    assert ("generation" in names([*findings, BACKWARDS], *noticed)[0]) == stands
    assert "clock_shift" not in names([*findings, BACKWARDS, SHIFT], *noticed)[0]


@pytest.mark.parametrize("ratio", [WRONG, BECAME])
def test_a_load_less_than_nothing_is_no_generation_by_a_wrong_ratio(ratio: Noticed) -> None:
    less = ("generation", [], {"windows": 7.0}, True)
    assert names([less], ratio) == ([], [ratio.name])
    assert names([less, gain(0.8)]) == (["generation", "gain"], [])


def test_a_charger_beyond_its_power_has_charged_behind_the_master() -> None:
    findings = [NEVER, ODD]
    assert names(findings, Noticed(BEYOND_POWER, (12,))) == ([], ["beyond_power"])
    # Another one may still be what the core says.
    assert names(findings, Noticed(BEYOND_POWER, (11,))) == (["never_charged", "implausible"], ["beyond_power"])


def test_a_charger_hours_off_is_behind_the_master() -> None:
    shifted = ("clock_shift", [1], {"hours": 3.0}, True)
    assert names([ODD, shifted]) == (["clock_shift"], [])
    assert names([ODD, SHIFT]) == (["implausible", "clock_shift"], [])
    # Where no clock is shifted, it isn't.
    assert names([ODD, shifted, BACKWARDS]) == (["implausible", "generation"], [])


@pytest.mark.parametrize("name", ["implausible", "negative"])
def test_of_a_charger_that_is_nothing_like_its_meter_no_clock_is_told(name: str) -> None:
    offset = ("offset", [1], {}, False)
    assert names([(name, [1], {}, False), offset]) == ([name], [])
    assert names([(name, [2], {}, False), offset]) == ([name, "offset"], [])
