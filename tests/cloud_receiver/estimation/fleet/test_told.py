"""What a station is told: by others, never by itself, and by other operators where there are any."""

import random
from dataclasses import replace

import pytest
from levels_support import KNOWN, by_brute_force, drawn, rms, solved, told_by

from cloud_receiver.estimation.fleet.levels import Heard, Level
from cloud_receiver.estimation.fleet.solve import solving
from cloud_receiver.estimation.fleet.told import Told, expected


def test_without_one_station_is_what_the_others_say() -> None:
    truth = drawn(1, 30, [0.2, 0.0, -0.1], at_once=3)
    found = told_by(solved(truth.levels, 3))
    variance = solved(truth.levels, 3).cohort
    for number in (0, 7, 19):
        others = [level for level in truth.levels if level.station != number]
        # By the same variances: all but one learn nearly the same.
        without = solved(others, 3)
        assert without.cohort == pytest.approx(variance, rel=0.25)
        for make, (error, u) in found[number].makes.items():
            assert (error, u) == pytest.approx(without.make(make), abs=0.012)


def test_what_is_told_is_what_generalised_least_squares_say_of_the_others() -> None:
    calm = drawn(11, 24, [0.05, -0.05, 0.0], operators=2, at_once=3, bias_sd=0)
    # Makes 0 and 1 with both operators; 2 with the first one only.
    levels = [
        replace(level, makes=tuple(one for one in level.makes if one.make != 2 or level.operator == "operator 0"))
        for level in calm.levels
    ]
    levels = [level for level in levels if level.makes]
    solution = solved(levels, 3)
    assert all(weight == 1 for one in solution.summed for weight in one.operator.weights)
    found = told_by(solution)
    heard = 0
    for level in levels:
        for one in level.makes:
            out = (
                {item.station for item in levels if item.operator == level.operator}
                if one.make < 2
                else {level.station}
            )
            others = [item for item in levels if item.station not in out]
            # That its operator is there, with nothing to say, leaves what is its own of a make unknown.
            silent = replace(level, makes=(Heard(one.make, 0.0, 1e-9, 0),), gain=(0.0, 1.0))
            errors, covariance = by_brute_force([*others, silent], 3, solution)
            own = 3 + 2 + len(others) + 1 + 3 * int(level.operator[-1]) + one.make
            places = [one.make, own]
            u = covariance[places][:, places].sum() ** 0.5
            assert found[level.station].makes[one.make] == pytest.approx((errors[places].sum(), u), abs=1e-6)
            heard += one.make == 2
    assert heard > 3


def test_a_station_never_hears_itself() -> None:
    truth = drawn(2, 30, [0.1], bias_sd=0)
    before = told_by(solved(truth.levels, 1))[4].makes[0]
    for shift in (0.02, -0.05):
        one = truth.levels[4]
        moved = [*truth.levels[:4], replace(one, makes=(replace(one.makes[0], mean=one.makes[0].mean + shift),))]
        after = told_by(solved([*moved, *truth.levels[5:]], 1))
        # What it says reaches it by the learnt spread of makes alone, which is nothing beside it.
        assert after[4].makes[0][0] == pytest.approx(before[0], abs=1e-4)
        assert after[5].makes[0][0] != pytest.approx(before[0], abs=1e-4)


def test_what_is_told_is_covered_by_its_u() -> None:
    dice = random.Random(3)
    off = []
    for seed in range(20):
        makes = [dice.gauss(0, 0.15) for _ in range(4)]
        truth = drawn(seed, 40, makes, operators=4, own_sd=0.05, at_once=2)
        for number, one in told_by(solved(truth.levels, 4)).items():
            operator = truth.levels[number].operator
            off += [(error - makes[make] - truth.own[operator, make]) / u for make, (error, u) in one.makes.items()]
    assert 0.75 < rms(off) < 1.2


def test_an_operator_hears_the_others_where_there_are_some() -> None:
    truth = drawn(5, 60, [0.0], operators=3, bias_sd=0)
    lying = [
        replace(level, makes=(replace(level.makes[0], mean=level.makes[0].mean + 0.4),))
        if level.operator == "operator 1"
        else level
        for level in truth.levels
    ]
    found = told_by(solved(lying, 1))
    own = {truth.levels[number].operator: one.makes[0] for number, one in found.items()}
    assert abs(own["operator 1"][0]) < 0.1
    assert own["operator 1"][0] < own["operator 0"][0]
    # Of a make that no other operator has, its own other stations tell, what is its own of it included.
    alone = [
        replace(level, makes=(replace(level.makes[0], make=1),)) if level.operator == "operator 1" else level
        for level in lying
    ]
    error, u = told_by(solved(alone, 2))[1].makes[1]
    assert error == pytest.approx(0.4, abs=0.13)
    assert u < 0.11


@pytest.mark.parametrize(("stations", "heard"), [(1, False), (3, False), (4, True)])
def test_of_few_others_nothing_is_told(stations: int, *, heard: bool) -> None:
    found = told_by(solved(drawn(1, stations, [0.3]).levels, 1))
    assert [bool(one.makes) for one in found.values()] == [heard] * stations


def test_a_new_station_is_told_and_tells_nothing() -> None:
    truth = drawn(7, 40, [0.3], bias_sd=0)
    new = Level(99, "operator 0", (Heard(0, 0.0, 1e-9, 0),), (0.0, 1.0))
    solution = solved([*truth.levels, new], 1)
    assert solution.make(0) == pytest.approx(solved(truth.levels, 1).make(0), abs=1e-6)
    assert told_by(solution)[99].makes[0] == pytest.approx(solution.make(0), abs=1e-5)
    assert 99 not in told_by(solved([new], 1)) or not told_by(solved([new], 1))[99].makes


def test_the_mean_of_all_chargers_counts_those_of_which_nothing_is_told() -> None:
    found = Told(1, {0: (0.3, 0.06)})
    assert expected(found, {0: 10}, 0, 0.1) == pytest.approx((0.3, 0.06))
    assert expected(found, {0: 5, 1: 3}, 2, 0.1) == pytest.approx((0.15, 0.08))
    assert expected(Told(1, {}), {1: 3}, 0, 0.1) is None


def test_what_chargers_share_at_one_station_is_in_u() -> None:
    solution = solved(drawn(7, 40, [0.3], bias_sd=0).levels, 1)
    (plain, wide) = (told_by(solution, station=station)[3].makes[0] for station in (0.0, 0.07))
    assert wide == pytest.approx((plain[0], (plain[1] ** 2 + 0.07**2) ** 0.5))


def test_work_is_done_in_steps() -> None:
    truth = drawn(1, 500, [0.0] * 30, operators=2)
    steps = list(solving(truth.levels, 30, KNOWN))
    assert len(steps) > 20
    assert [step for step in steps if step is not None] == steps[-1:]
