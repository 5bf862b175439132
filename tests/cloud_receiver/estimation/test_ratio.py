"""The master by the chargers, day by day: what is told of it, and what is not."""

import random
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from estimation_support import DAY, LENGTH
from receiver_support import station_model
from whole_span_support import SLOTS_A_DAY, context, drawn, said, total, windows_of

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.noticed import Noticed
from cloud_receiver.estimation.ratio import noticed, slopes

COUNT = 4
NOTHING = said()


def found(master: list[float], columns: list[list[float]], estimation: Any = NOTHING) -> list[Noticed]:
    return noticed(context(COUNT), windows_of(master, columns), estimation)


def counted(factor: float, columns: list[list[float]], from_day: int = 0) -> list[float]:
    """Return what a master counts by another ratio from a day on."""
    begin = from_day * SLOTS_A_DAY
    return [value * (factor if place >= begin else 1) for place, value in enumerate(total(columns))]


def at_the_output(efficiency: str) -> Context:
    model = station_model(COUNT)
    *chargers, grid = model.meter
    own = [one.model_copy(update={"dc_output": True, "dc_efficiency_percent": Decimal(efficiency)}) for one in chargers]
    return context(COUNT, model.model_copy(update={"meter": (*own, grid)}))


@pytest.mark.parametrize("days", [1, 3, 10, 30])
@pytest.mark.parametrize("seed", range(5))
def test_a_ratio_that_is_right_has_no_name(days: int, seed: int) -> None:
    columns = drawn(COUNT, days, seed)
    dice = random.Random(seed)
    assert found([value * dice.gauss(1.02, 0.01) for value in total(columns)], columns) == []


@pytest.mark.parametrize("ratio", [10.0, 2.0, 1.2, 0.5, -1.0])
def test_a_ratio_that_is_wrong_all_the_time(ratio: float) -> None:
    columns = drawn(COUNT, 10)
    [item] = found(counted(ratio, columns), columns)
    assert (item.name, item.meters, item.blocks) == ("ratio", (), True)
    assert item.numbers["ratio"] == pytest.approx(ratio)


def test_what_the_core_names_is_not_named_again() -> None:
    columns = drawn(COUNT, 10)
    assert found(counted(1.2, columns), columns, said(findings=[("gain", [], {}, True)])) == []
    # A day from which on it is so the core doesn't tell.
    [item] = found(counted(1.2, columns, 5), columns, said(findings=[("gain", [], {}, True)]))
    assert item.name == "ratio_changed"


@pytest.mark.parametrize("day", [2, 5, 9])
def test_a_ratio_that_became_wrong(day: int) -> None:
    columns = drawn(COUNT, 10)
    [item] = found(counted(0.8, columns, day), columns)
    assert (item.name, item.blocks) == ("ratio_changed", True)
    assert (item.numbers["before"], item.numbers["after"]) == pytest.approx((1.0, 0.8))
    since = datetime.fromisoformat(str(item.numbers["since"]))
    assert since.timestamp() * 1000 == DAY + day * LENGTH
    assert since.utcoffset() is not None


def test_days_that_differ_from_one_another_have_no_date() -> None:
    columns = drawn(COUNT, 12)
    dice = random.Random(3)
    by_day = [dice.uniform(0.85, 1.15) for _ in range(12)]
    master = [value * by_day[place // SLOTS_A_DAY] for place, value in enumerate(total(columns))]
    assert found(master, columns) == []


@pytest.mark.parametrize(
    "days", [(1.0, 1.11, 1.0, 1.11, 1.12, 1.12), (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.12, 1.12, 1.0, 1.12)]
)
def test_days_on_either_side_that_are_as_far_off_leave_no_date(days: tuple[float, ...]) -> None:
    columns = drawn(COUNT, len(days))
    master = [value * days[place // SLOTS_A_DAY] for place, value in enumerate(total(columns))]
    assert [item for item in found(master, columns) if item.name == "ratio_changed"] == []


def test_days_that_scatter_as_far_as_they_are_off_tell_no_ratio() -> None:
    columns = drawn(COUNT, 12)
    master = [value * (1.0, 1.3)[place // SLOTS_A_DAY % 2] for place, value in enumerate(total(columns))]
    assert found(master, columns) == []


def test_a_day_on_which_they_do_not_go_together_tells_nothing() -> None:
    columns = drawn(COUNT, 10)
    late = [0.0] * 12 + total(columns)[:-12]
    assert slopes(context(COUNT), windows_of(late, columns)) == []
    dark = [0.01 * (place % 2) for place in range(SLOTS_A_DAY)]
    assert len(slopes(context(1), windows_of([*dark, *total(columns[:1])], [[*dark, *columns[0]]]))) == 10


@pytest.mark.parametrize("windows", [0, 11, 12])
def test_few_windows_tell_nothing(windows: int) -> None:
    column = [float(place % 5) for place in range(windows)]
    assert len(slopes(context(1), windows_of([2 * value for value in column], [column]))) == (windows >= 12)


@pytest.mark.parametrize("truly", [0.90, 0.93, 0.96])
def test_what_chargers_lose_before_their_meters_is_no_wrong_ratio(truly: float) -> None:
    """Of chargers that meter their output: half of what 85 % lose would pass for a ratio otherwise."""
    columns = drawn(COUNT, 10)
    master = [value / truly for value in total(columns)]
    assert noticed(at_the_output("93"), windows_of(master, columns), NOTHING) == []
    # 12 % beyond what is stated: as much as a ratio that is wrong, and as an efficiency within its limits.
    within = [value / 0.93 * 1.12 for value in total(columns)]
    assert noticed(at_the_output("93"), windows_of(within, columns), NOTHING) == []
    # 75 % is no efficiency of such a charger.
    [item] = noticed(at_the_output("93"), windows_of([value / 0.75 for value in total(columns)], columns), NOTHING)
    assert item.name == "ratio"


def test_an_efficiency_as_stated_is_no_wrong_ratio() -> None:
    columns = drawn(COUNT, 10)
    master = [value / 0.85 for value in total(columns)]
    assert noticed(at_the_output("85"), windows_of(master, columns), NOTHING) == []
    assert [item.name for item in noticed(context(COUNT), windows_of(master, columns), NOTHING)] == ["ratio"]
