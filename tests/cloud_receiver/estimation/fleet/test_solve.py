"""What stations say together of makes: found within u, no surer than masters let it be, and by no operator alone."""

import random
from dataclasses import replace
from math import sqrt
from statistics import mean

import numpy as np
import pytest
from levels_support import GAIN, by_brute_force, drawn, rms, solved

from cloud_receiver.estimation.fleet.levels import Heard, Level
from cloud_receiver.estimation.fleet.solve import Known


def test_a_make_that_is_off_is_found_from_a_hundred_stations() -> None:
    for seed in range(10):
        truth = drawn(seed, 100, [0.3], bias_sd=0)
        error, u = solved(truth.levels, 1).make(0)
        assert abs(error - 0.3) < 1.5 * u
        assert 0.05 < u < 0.065


def test_makes_are_covered_by_their_u() -> None:
    dice = random.Random(4)
    off = []
    for seed in range(20):
        makes = [dice.gauss(0, 0.15) for _ in range(8)]
        truth = drawn(seed, 60, makes, at_once=3)
        solution = solved(truth.levels, 8)
        off += [(solution.make(place)[0] - error) / solution.make(place)[1] for place, error in enumerate(makes)]
    assert 0.8 < rms(off) < 1.15
    assert mean(abs(value) < 1.96 for value in off) > 0.92


def test_the_spread_of_makes_is_learnt_from_many_and_believed_of_one() -> None:
    dice = random.Random(8)
    wide = solved(drawn(1, 200, [dice.gauss(0, 0.4) for _ in range(40)]).levels, 40)
    narrow = solved(drawn(1, 1000, [0.0] * 40).levels, 40)
    assert 0.3 < wide.cohort < 0.5
    assert narrow.cohort < 0.06
    # One make tells no spread: what is believed before counts as two.
    one = solved(drawn(1, 100, [0.0], bias_sd=0).levels, 1)
    assert 0.07 < one.cohort < 0.1


def test_no_number_of_stations_tells_the_masters_mean_error() -> None:
    truth = drawn(3, 3000, [0.1, -0.1], bias_sd=0)
    solution = solved(truth.levels, 2)
    assert solution.make(0)[1] > 0.045
    # A master with a certificate is none of them, and verified chargers tell a station's level: either lowers it.
    certified = [replace(level, certified=True) for level in truth.levels]
    assert solved(certified, 2).make(0)[1] < 0.02
    verified = [
        replace(level, verified=(gain, 1 / 0.05**2)) for level, gain in zip(truth.levels, truth.gains, strict=True)
    ]
    assert solved(verified, 2).make(0)[1] < 0.02
    # What masters and makes have in common no prior on makes takes for one or the other.
    both = [
        replace(level, makes=tuple(replace(one, mean=one.mean + 0.05) for one in level.makes)) for level in certified
    ]
    assert solved(both, 2).make(0)[0] == pytest.approx(0.15, abs=0.03)


def test_a_difference_of_makes_at_one_station_needs_no_master() -> None:
    level = Level(1, "", (Heard(0, 0.5, 1e4, 20), Heard(1, 0.1, 1e4, 20)), (0.0, GAIN))
    wide = Known(1.0, 0.05, 0.05)
    solution = solved([level], 2, wide)
    difference = solution.errors[0] - solution.errors[1]
    covariance = solution.covariance
    u = sqrt(covariance[0][0] + covariance[1][1] - 2 * covariance[0][1])
    assert difference == pytest.approx(0.4, abs=0.01)
    assert u < 0.02
    assert solution.make(0)[1] > 0.15


def test_it_is_what_generalised_least_squares_say() -> None:
    truth = drawn(5, 12, [0.2, -0.1, 0.0], at_once=2)
    levels = [
        replace(truth.levels[0], certified=True, gain=(0.1, 0.05)),
        replace(truth.levels[1], verified=(0.2, 400.0)),
        *truth.levels[2:],
    ]
    solution = solved(levels, 3)
    errors, covariance = by_brute_force(levels, 3, solution)
    assert solution.errors == pytest.approx(list(errors[:5]), abs=1e-9)
    assert np.array(solution.covariance) == pytest.approx(covariance[:5, :5], abs=1e-9)


def test_several_operators_have_what_is_their_own() -> None:
    off, own = [], []
    for seed in range(12):
        truth = drawn(seed, 150, [0.2, -0.1, 0.0, 0.1], operators=6, own_sd=0.08, at_once=2)
        solution = solved(truth.levels, 4)
        off += [(solution.make(place)[0] - error) / solution.make(place)[1] for place, error in enumerate(truth.makes)]
        own.append(solution.operator)
    assert 0.7 < rms(off) < 1.3
    assert 0.06 < mean(own) < 0.1
    none = [solved(drawn(seed, 150, [0.2, -0.1], operators=6).levels, 2).operator for seed in range(6)]
    assert mean(none) < 0.048


def test_one_operator_that_lies_moves_a_make_by_little() -> None:
    for seed in range(6):
        truth = drawn(seed, 200, [0.0], operators=8, bias_sd=0)
        honest = solved(truth.levels, 1)
        lying = [
            replace(level, makes=tuple(replace(one, mean=one.mean - 0.6) for one in level.makes))
            if level.operator == "operator 3"
            else level
            for level in truth.levels
        ]
        solution = solved(lying, 1)
        assert abs(solution.make(0)[0] - honest.make(0)[0]) < 0.055  # 0.075 where each of eight counts alike
        assert abs(solution.make(0)[0]) < 2.5 * solution.make(0)[1]
        assert solution.operator > honest.operator


def test_its_number_of_stations_makes_no_operator_louder() -> None:
    few = drawn(2, 40, [0.0], operators=4, bias_sd=0)
    many = [
        replace(level, station=1000 + number, operator="loud", makes=(replace(level.makes[0], mean=-0.3),))
        for number, level in enumerate([few.levels[0]] * 2000)
    ]
    error, u = solved([*few.levels, *many], 1).make(0)
    assert abs(error) < 2.5 * u
    assert error > -0.15


def test_a_station_whose_master_is_far_off_counts_less() -> None:
    truth = drawn(6, 20, [0.1], bias_sd=0)
    strange = replace(truth.levels[0], makes=(replace(truth.levels[0].makes[0], mean=5.0),))
    plain, moved = (solved([*first, *truth.levels[1:]], 1).make(0)[0] for first in ([], [strange]))
    assert abs(moved - plain) < 0.06


def test_the_order_of_stations_changes_nothing() -> None:
    truth = drawn(9, 30, [0.1, 0.0], operators=3, at_once=2)
    forward, backward = solved(truth.levels, 2), solved(truth.levels[::-1], 2)
    assert forward.errors == pytest.approx(backward.errors, abs=1e-12)
