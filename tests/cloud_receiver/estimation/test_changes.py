"""What became another within the span, from halves that are made up."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from estimation_support import DAY, LENGTH
from whole_span_support import One, Said, made, said

from cloud_receiver.estimation.changes import noticed
from cloud_receiver.estimation.halves import Difference, Halves, Parts, judged
from cloud_receiver.estimation.noticed import Noticed

COUNT = 5
U = 0.0005
SURE = {"clear": 0.0, "flag": 1.0, "undetermined": 0.5}


def decided(error: float) -> str:
    return "flag" if abs(error) > 0.012 else "clear" if abs(error) < 0.008 else "undetermined"


def half(errors: Sequence[float], offsets: Sequence[float] = (0.0,) * COUNT, *, gain: float = 0.0) -> Said:
    return Said(
        [
            One(place, error, U, decided(error), SURE[decided(error)], (offset, 1.0))
            for place, (error, offset) in enumerate(zip(errors, offsets, strict=True))
        ],
        gain=(gain, 0.002),
    )


def halves_of(first: Said, second: Said) -> Halves | None:
    differences = [
        Difference(11 + before.charger, 100 * (after.error - before.error), 100 * U * 2**0.5)
        for before, after in zip(first.chargers, second.chargers, strict=True)
    ]
    return judged(DAY + 5 * LENGTH, differences)


def mean_of(first: Said, second: Said) -> Any:
    """Return what an estimate over both says."""
    errors = [(before.error + after.error) / 2 for before, after in zip(first.chargers, second.chargers, strict=True)]
    return half(errors)


def found(first: Said, second: Said, station: Any = None, estimation: Any = None) -> list[Noticed]:
    one, other = first, second
    parts: Any = Parts(one, other, DAY + 5 * LENGTH)  # type: ignore[arg-type]  # made up
    return noticed(station or made(COUNT), estimation or mean_of(first, second), parts, halves_of(first, second))


SOUND = (0.001, -0.002, 0.0, 0.003, 0.002)


def with_(place: int, error: float, errors: Sequence[float] = SOUND) -> list[float]:
    return [error if number == place else value for number, value in enumerate(errors)]


def test_halves_that_say_the_same_have_no_name() -> None:
    assert found(half(SOUND), half([error + 0.001 * (-1) ** place for place, error in enumerate(SOUND)])) == []
    assert noticed(made(COUNT), said(), None, None) == []


@pytest.mark.parametrize(
    ("before", "after", "decision", "withdrawn"),
    [
        (0.0, 0.015, "clear", True),  # what it is now is beyond
        (0.0, 0.004, "clear", False),  # within all the time
        (0.0, 0.04, "flag", False),  # beyond now
        (0.04, 0.0, "flag", True),  # repaired: whoever goes there finds nothing
        (0.0, 0.018, "undetermined", True),  # nothing is said, and why
    ],
)
def test_a_charger_that_became_another(before: float, after: float, decision: str, withdrawn: bool) -> None:
    first, second = half(with_(2, before)), half(with_(2, after))
    estimation: Any = half(SOUND)
    estimation.chargers[2] = replace(estimation.chargers[2], decision=decision)
    [item] = found(first, second, estimation=estimation)
    assert (item.name, item.meters, item.blocks) == ("changed", (13,), False)
    assert item.withdrawn == ((13,) if withdrawn else ())
    assert item.numbers == pytest.approx({"before_percent": 100 * before, "after_percent": 100 * after})


@pytest.mark.parametrize(("limit", "named"), [(1.0, True), (2.0, False)])
def test_a_change_of_no_consequence_has_no_name(limit: float, named: bool) -> None:
    assert bool(found(half(SOUND), half(with_(2, 0.004)), made(COUNT, limit=limit))) == named


def test_where_all_halves_differ_one_is_not_another() -> None:
    first = half(SOUND)
    second = half([error + change for error, change in zip(SOUND, (0.004, -0.004, 0.003, -0.003, 0.005), strict=True)])
    assert [item.name for item in found(first, second)] == []


@pytest.mark.parametrize(("became", "named"), [((0.03, 0.0), True), ((0.02, 0.0), False), ((0.03, 0.01), False)])
def test_labels_that_were_exchanged(became: tuple[float, float], named: bool) -> None:
    first = half(with_(1, 0.0, with_(2, 0.03)))
    second = half(with_(1, became[0], with_(2, became[1])))
    names = [(item.name, item.meters) for item in found(first, second)]
    assert (("labels_exchanged", (12, 13)) in names) == named
    assert ("changed", (12,)) in names


def ran(seconds: float, *places: int) -> list[float]:
    return [seconds if place in places else 0.0 for place in range(COUNT)]


@pytest.mark.parametrize(("seconds", "named"), [(59, False), (61, True), (-300, True)])
def test_a_clock_that_runs_away(seconds: float, named: bool) -> None:
    names = found(half(SOUND), half(SOUND, ran(seconds, 3)))
    assert [(item.name, item.meters, item.blocks) for item in names] == (
        [("clock_drift", (14,), False)] if named else []
    )
    if named:
        # Halves of ten days lie five days apart.
        assert names[0].numbers == pytest.approx({"seconds": seconds, "seconds_a_day": seconds / 5})


def test_clocks_that_all_run_away_are_the_master_s() -> None:
    [item] = found(half(SOUND), half(SOUND, ran(120, 0, 1, 2)))
    assert item.meters == (11, 12, 13)
    two = found(half(SOUND), half(SOUND, ran(120, 0, 1)))
    assert [item.meters for item in two] == [(11,), (12,)]


@pytest.mark.parametrize("change", [{"active_windows": 7}, {"offset_s": None}, {"offset_s": (300.0, 80.0)}])
def test_an_offset_that_nobody_knows_is_no_drift(change: dict[str, Any]) -> None:
    second = half(SOUND, ran(300, 3))
    second.chargers = [replace(one, **change) if one.charger == 3 else one for one in second.chargers]
    assert found(half(SOUND), second) == []


@pytest.mark.parametrize("name", ["implausible", "negative", "clock_shift"])
def test_what_is_nothing_like_its_meter_has_no_clock(name: str) -> None:
    first, second = half(SOUND), half(SOUND, ran(300, 3))
    estimation = replace(mean_of(first, second), findings=[(name, [3], {}, False)])
    assert found(first, second, estimation=estimation) == []


def test_a_clock_withdraws_what_halves_do_not_bear_out() -> None:
    first, second = half(SOUND), half(with_(3, 0.011), ran(300, 3))
    estimation: Any = half(SOUND)
    [drift] = [item for item in found(first, second, estimation=estimation) if item.name == "clock_drift"]
    assert drift.withdrawn == (14,)


def by(change: float) -> list[float]:
    return [error + change for error in SOUND]


@pytest.mark.parametrize(
    ("change", "anchored", "names", "blocks"),
    [
        (0.003, (), [], []),
        (0.005, (), ["level_changed"], [False]),
        (-0.02, (), ["level_changed"], [True]),
        (-0.02, (12,), ["level_changed"], [False]),
    ],
)
def test_a_master_that_became_another(
    change: float, anchored: tuple[int, ...], names: list[str], blocks: list[bool]
) -> None:
    found_ = found(half(SOUND), half(by(change)), made(COUNT, anchored=anchored))
    assert [item.name for item in found_] == names
    assert [item.blocks for item in found_] == blocks
    if found_:
        assert found_[0].numbers["percent"] == pytest.approx(100 * change)


def test_the_estimate_of_the_master_is_part_of_it() -> None:
    """Errors that stay, beside a master that is taken to have changed, are a change too."""
    [item] = found(half(SOUND), half(SOUND, gain=0.02))
    assert (item.name, item.numbers["percent"]) == ("level_changed", pytest.approx(-2))
    assert found(half(SOUND), half(by(0.02), gain=0.02)) == []


def test_a_level_withdraws_what_halves_do_not_bear_out() -> None:
    errors = with_(3, 0.005)
    [item] = found(half(errors), half([error + 0.005 for error in errors]), estimation=half(errors))
    assert (item.blocks, item.withdrawn) == (False, (14,))


def test_three_chargers_are_needed_for_a_level() -> None:
    first, second = half(SOUND), half(by(0.02))
    for part in (first, second):
        part.chargers = [replace(one, identified=0.1) if one.charger > 1 else one for one in part.chargers]
    assert found(first, second) == []
