"""Split halves: silent where the model is right, loud where noise is understated."""

import random
from collections.abc import Sequence
from math import sqrt
from statistics import mean

import pytest
from cycle_support import SELDOM
from estimation_support import DAY, LENGTH, Site, rows_of
from receiver_support import SLOT_MS

from cloud_receiver import database
from cloud_receiver.estimation import store
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.halves import (
    MOST,
    Difference,
    Halves,
    chi_square_quantile,
    compare,
    judged,
    parted,
    widened,
    without,
)
from cloud_receiver.estimation.model import Setup
from cloud_receiver.estimation.orders import Orders
from cloud_receiver.estimation.run import Done, estimate, nightly
from cloud_receiver.estimation.windows import StationWindows
from diantan_core import ErrorCharger, ErrorEstimate, ErrorEstimation, ErrorEstimator, ErrorWindows

CHARGERS, DAYS = 8, 14


def windows_of(seed: int, wander: float) -> tuple[ErrorWindows, list[float]]:
    """Return a station's windows and true errors; `wander`: how much each error is another every day, unseen."""
    dice = random.Random(seed)
    errors = [dice.gauss(0, 0.0035) for _ in range(CHARGERS)]
    left, kw, total, before = ([0.0] * CHARGERS for _ in range(4))
    today = [0.0] * CHARGERS
    columns: list[list[float]] = [[] for _ in range(CHARGERS)]
    master, counted, shown = [], 0.0, 0.0
    for slot in range(DAYS * 96):
        if not slot % 96:
            today = [dice.gauss(0, wander) for _ in range(CHARGERS)]
        taken = 0.125
        for place, error in enumerate(errors):
            if not left[place] and dice.random() < 0.06:
                left[place], kw[place] = dice.randint(2, 5), dice.uniform(25, 58)
            if left[place]:
                left[place] -= 1
                taken += kw[place] / 4 * (1 + 1e-4 * kw[place])
                total[place] += kw[place] / 4 * (1 + error + today[place])
            register = int(100 * total[place]) / 100
            columns[place].append(register - before[place])
            before[place] = register
        counted += taken * (1 + dice.gauss(0, 0.0005))
        register = int(100 * counted) / 100
        master.append(register - shown)
        shown = register
    return ErrorWindows.from_energies([DAY + slot * SLOT_MS for slot in range(DAYS * 96 + 1)], master, columns), errors


def compared(windows: ErrorWindows, *, anchored: tuple[int, ...] = ()) -> tuple[Halves | None, ErrorEstimation]:
    estimator = ErrorEstimator([ErrorCharger() for _ in range(CHARGERS)])
    chargers = tuple(range(CHARGERS))
    setup = Setup(
        *(DAY, DAY + DAYS * LENGTH, chargers, estimator, ""),
        limits={},
        anchored=anchored,
        certified=False,
        epochs={},
        sound_sd=0.0035,
        altered_sd=0.03,
        clear_below=0.05,
        flag_above=0.95,
        master_step_kwh=0.01,
        anchors={},
        turns={},
        gain=(0.0, 0.0025),
        cohort_sd=0.001,
    )
    found = StationWindows(windows, chargers, (), 0, begins=True, orders=Orders())
    parts = parted(found, lambda part: estimator.estimate(part.windows))
    return compare(setup, parts), estimator.estimate(windows)


def sizes(estimation: ErrorEstimation, errors: Sequence[float], factor: float) -> list[float]:
    """Return how far estimates are off beyond what all have in common, in their own u times the factor."""
    off = [one.error - error for one, error in zip(estimation.chargers, errors, strict=True)]
    return [abs(value - mean(off)) / (factor * one.u_own) for value, one in zip(off, estimation.chargers, strict=True)]


@pytest.mark.parametrize(("wander", "least", "most"), [(0.0, 1.0, 1.1), (0.01, 1.4, 2.6), (0.03, 2.0, 4.0)])
def test_the_factor_is_one_where_the_model_is_right_and_rises_with_hidden_noise(
    wander: float, least: float, most: float
) -> None:
    factors, plain, widened_sizes = [], [], []
    for seed in range(20):
        windows, errors = windows_of(seed, wander)
        halves, estimation = compared(windows)
        assert halves is not None
        assert halves.agree == (halves.factor == 1)
        factors.append(halves.factor)
        plain += sizes(estimation, errors, 1)
        widened_sizes += sizes(estimation, errors, halves.factor)
    assert least <= mean(factors) <= most
    coverage = mean(size <= 1.96 for size in widened_sizes)
    assert coverage >= 0.88
    if wander:
        assert mean(size <= 1.96 for size in plain) < coverage - 0.05


def test_chargers_that_were_verified_are_not_compared() -> None:
    halves, _ = compared(windows_of(1, 0.0)[0], anchored=(0, 3))
    assert halves is not None
    assert [item.meter for item in halves.differences] == [1, 2, 4, 5, 6, 7]
    assert halves.split_ms == DAY + DAYS * LENGTH // 2


def test_without_windows_in_both_halves_nothing_is_said() -> None:
    none = ErrorWindows.from_energies([], [], [[] for _ in range(CHARGERS)])
    one = ErrorWindows.from_energies([0, SLOT_MS], [1.0], [[0.1] for _ in range(CHARGERS)])
    assert (compared(none)[0], compared(one)[0]) == (None, None)


@pytest.mark.parametrize(("degrees", "quantile"), [(2, 5.991), (7, 14.067), (9, 16.919), (19, 30.144), (99, 123.225)])
def test_quantiles_are_those_of_tables(degrees: int, quantile: float) -> None:
    assert chi_square_quantile(degrees, 0.95) == pytest.approx(quantile, rel=0.01)


def differences(*changes: float) -> list[Difference]:
    return [Difference(place, change, 0.1) for place, change in enumerate(changes)]


def test_what_all_have_in_common_is_left_out() -> None:
    halves = judged(0, differences(0.4, 0.5, 0.6))
    assert halves is not None
    assert [item.change for item in halves.differences] == pytest.approx([-0.1, 0, 0.1])
    assert halves.z_rms == pytest.approx(1)
    assert halves.rms == pytest.approx(0.1 * sqrt(2 / 3))
    assert (halves.agree, halves.factor) == (True, 1)


def test_halves_that_do_not_agree_widen_by_what_is_missing() -> None:
    halves = judged(0, differences(-0.3, 0, 0.3))
    assert halves is not None
    assert not halves.agree
    assert halves.factor == pytest.approx(3)
    assert halves.needed == pytest.approx(3 / sqrt(5.991 / 2), rel=0.01)


def test_the_factor_is_bounded_and_needs_three_chargers() -> None:
    halves = judged(0, differences(-3, 0, 3))
    assert halves is not None
    assert halves.factor == MOST
    assert judged(0, differences(-3, 3)) is None


def test_one_that_changed_widens_no_other() -> None:
    halves = judged(0, differences(0.1, 0, -0.1, 0.05, 3))
    assert halves is not None
    assert not halves.agree
    rest = without(halves, {4})
    assert rest.agree
    assert [item.meter for item in rest.differences] == [0, 1, 2, 3]
    assert without(halves, ()) is halves
    # Of two nothing can be said: what all of them say stands.
    assert without(halves, {2, 3, 4}) is halves


def one_of(error: float) -> ErrorEstimate:
    """Return an estimate near an error."""
    windows, errors = windows_of(3, 0.0)
    shift = 1 + error - errors[0]
    count = len(windows)
    columns = [[windows.energies_kwh(place)[charger] for place in range(count)] for charger in range(CHARGERS)]
    columns[0] = [value * shift for value in columns[0]]
    times = [*windows.starts_ms, windows.ends_ms[-1]]
    return compared(ErrorWindows.from_energies(times, windows.master_kwh, columns))[1].chargers[0]


@pytest.mark.parametrize(("error", "decision"), [(0.0, "clear"), (0.05, "flag")])
def test_a_wider_u_withdraws_decisions_and_makes_none(error: float, decision: str) -> None:
    one = one_of(error)
    bounds = (0.05, 0.95)
    assert widened(one, 1, 0.02, bounds) == (one.u, one.probability, decision, None)
    u, probability, same, reason = widened(one, 2, 0.02, bounds)
    assert u == pytest.approx(sqrt(one.u_common**2 + 4 * one.u_own**2))
    assert (same, reason) == (decision, None)
    # So wide that P says nothing, or even that it is beyond: that is no flag.
    for factor in (40, 10_000):
        u, probability, withdrawn, reason = widened(one, factor, 0.02, bounds)
        assert (withdrawn, reason) == ("undetermined", "halves")
    assert probability > 0.95


def stored(site: Site, settings: Estimation, through_ms: int) -> Done:
    [done] = [item for item in nightly(site.engine, site.context(), settings, through_ms) if item is not None]
    with database.writing(site.engine) as connection:
        assert done.state is not None
        store.keep_state(connection, site.context().number, done.state)
        store.keep(connection, site.context().number, done.result, through_ms)
    return done


def test_a_night_keeps_what_the_last_run_over_all_windows_said(site: Site) -> None:
    site.store(rows_of(site.numbers(), 8, change=(1, 3 * 96, 0.036)))
    settings = Estimation(days=7, full_every_days=SELDOM)
    first = stored(site, settings, DAY + 7 * LENGTH).result
    assert first.halves is not None
    assert (first.full, first.halves.agree) == (True, False)
    [finding] = [item for item in first.findings if item.name == "halves"]
    assert finding.numbers["factor"] == first.halves.factor
    night = stored(site, settings, DAY + 8 * LENGTH).result
    assert (night.full, night.halves) == (False, first.halves)
    for one in night.chargers:
        assert one.u**2 == pytest.approx(one.u_common**2 + one.u_own**2)
    without = estimate(
        site.engine, site.context(), Estimation(days=7, split_halves=False), DAY, DAY + 7 * LENGTH
    ).result
    assert without.halves is None
    assert [one.u_own * first.halves.factor for one in without.chargers] == pytest.approx(
        [one.u_own for one in first.chargers]
    )
