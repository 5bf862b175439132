"""The row with vehicles on one phase of chargers for three: its truth, and what phases are worth."""

import numpy as np
import pytest

from bench.estimation import judge, voltages
from bench.estimation.scenarios import SCENARIOS, run_station
from bench.estimation.sites import SINGLE_LOSS, UNEVEN, station

ROWS = ["F30-uneven", "F30-uneven-mean"]


def test_half_of_the_vehicles_lose_six_times_as_much() -> None:
    held = station(UNEVEN, 10, np.random.default_rng(3))
    powers = np.array([np.diff(each.at(held.grid_s)) * 120 for each in held.chargings])
    singles = np.array([np.diff(each.single_at(held.grid_s)) * 120 for each in held.chargings])
    assert 0.3 < singles.sum() / powers.sum() < 0.7
    assert singles.max() < 8 < powers.max()
    # of what a step holds, all stands on one phase or nothing, but where one vehicle follows another
    assert ((singles == 0) | np.isclose(singles, powers)).mean() > 0.99
    losses = held.losses.branches[:, None] * (powers**2 + (SINGLE_LOSS - 1) * singles**2)
    assert held.branch_kw == pytest.approx(losses.sum(axis=0))


def test_a_phase_falls_by_all_that_is_lost_and_the_mean_as_of_an_even_load() -> None:
    held = voltages.mains(station(UNEVEN, 10, np.random.default_rng(3)), np.random.default_rng(4))
    assert held.singles is not None
    number, drop, power = 2, held.drops[2], held.powers[2]
    fallen = [
        1 / np.exp(own - held.board[phase]) - 1
        for own, phase in zip(voltages._fallen(held, number), held.orders[number], strict=True)
    ]
    assert np.mean(fallen, axis=0) == pytest.approx(drop * power, abs=1e-12)
    alone = (held.singles[number] > 0) & np.isclose(held.singles[number], power)
    assert fallen[0][alone] == pytest.approx(SINGLE_LOSS * drop * power[alone])
    assert (fallen[1][alone] < 0).all()


def test_phases_tell_what_their_mean_hides() -> None:
    assert SCENARIOS["F30-uneven-mean"].like == "F30-uneven"
    outcomes = [run_station(number, ROWS) for number in range(4)]
    each, mean = (judge.figures([one[row] for one in outcomes]) for row in ROWS)
    assert each.mae < 0.8 * mean.mae
    assert each.coverage > mean.coverage + 0.15
    assert each.guarded[1] <= mean.guarded[1]
