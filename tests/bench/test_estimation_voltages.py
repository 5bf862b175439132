"""Drawn voltages: what of them is physics, and what is wrong with the meters that show them."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from bench.estimation import voltages
from bench.estimation.readings import QUARTER_S, START_MS, Conditions, Shown, Truth, read
from bench.estimation.sites import AC, DAY_S, DC, MARGIN_S, STEP_S, Floats, Site, station
from bench.estimation.voltages import Mains, Voltages, Weather
from cloud_receiver.estimation.config import Estimation

DAYS = 12
PLAIN = Conditions(days=DAYS, curve=0.0, gain_sd=0.0)
OFF = ("GAIN", "HOURLY", "SLOWLY", "WARMTH", "NOISE", "MISSING")


def _mains(site: Site) -> Mains:
    return voltages.mains(station(site, DAYS, np.random.default_rng(3)), np.random.default_rng(4))


@pytest.fixture(scope="module")
def dc() -> Mains:
    return _mains(DC)


@pytest.fixture(scope="module")
def ac() -> Mains:
    return _mains(AC)


def _read(mains: Mains, conditions: Conditions, errors: Floats | None = None) -> tuple[Shown, Truth]:
    return read(mains.station, np.zeros(20) if errors is None else errors, conditions, np.random.default_rng(5))


def _show(mains: Mains, conditions: Conditions = PLAIN, errors: Floats | None = None) -> Voltages:
    return voltages.show(mains, *_read(mains, conditions, errors), np.random.default_rng(6))


def _ideal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OFF:
        monkeypatch.setattr(voltages, name, 0.0)
    monkeypatch.setattr(voltages, "STEP_V", 1e-6)


def test_a_drop_says_a_little_less_than_is_lost() -> None:
    assert voltages.lossless(0.0, 0.2, 0.0) == 1.0
    assert voltages.lossless(0.1, 0.2, 0.0) == pytest.approx(1.02 / 1.01)  # reactance drops, and loses nothing
    assert voltages.lossless(0.0, 0.2, 0.1) == pytest.approx(1 / 1.01)  # harmonics lose, and drop nothing
    drawn = np.array([_drawn(number) for number in range(60)])
    assert drawn.mean() == pytest.approx(voltages.DROP, abs=0.0015)
    assert drawn.std() == pytest.approx(voltages.DROP_SD, rel=0.1)


@pytest.mark.parametrize(
    ("highest", "harmonics", "off", "most"),
    [(0.25, 0.15, 0.022, 0.048), (0.25, 0.2, 0.028, 0.0565), (0.5, 0.15, 0.0315, 0.075), (0.5, 0.2, 0.0365, 0.083)],
)
def test_the_centre_states_more_than_drop_and_loss_differ(
    highest: float, harmonics: float, off: float, most: float
) -> None:
    # As docs/estimation.md and `voltage_drop_percent` say it.
    dice, count = np.random.default_rng(1), 200_000
    tangent, reactance = dice.uniform(-0.15, 0.15, count), dice.uniform(0, highest, count)
    beyond = np.abs(1 / voltages.lossless(tangent, reactance, dice.uniform(0, harmonics, count)) - 1)
    assert (beyond**2).mean() ** 0.5 == pytest.approx(off, abs=5e-4)
    assert np.quantile(beyond, 0.95) < most
    assert (beyond**2).mean() ** 0.5 < float(Estimation().voltage_drop_percent) / 100


def _drawn(number: int) -> Floats:
    mains = voltages.mains(station(DC, 1, np.random.default_rng(number)), np.random.default_rng(1000 + number))
    return mains.drops / mains.station.losses.branches


def test_chargers_of_three_phases_follow_their_mean_and_single_ones_are_spread(dc: Mains, ac: Mains) -> None:
    assert set(dc.phases) == {None}
    assert sorted(Counter(ac.phases).values()) == [6, 7, 7]
    assert dc.station.losses.trunk * dc.through.max() < 0.05
    assert (dc.master - dc.board).min() > 0  # power flows all the time, and drops voltage in the trunk
    assert (dc.master - dc.board).std(axis=0).max() < 1e-12  # alike in all phases


def test_a_charger_on_one_phase_lowers_it_and_raises_the_others(ac: Mains) -> None:
    drop = ac.master - ac.board
    by_phase = [
        sum(power for power, phase in zip(ac.powers, ac.phases, strict=True) if phase == which) for which in range(3)
    ]
    columns = np.column_stack([*by_phase, np.ones(drop.shape[1])])
    slopes = np.linalg.lstsq(columns, drop.T, rcond=None)[0][:3]
    assert (np.diag(slopes) > 0).all()
    assert (slopes[~np.eye(3, dtype=bool)] < 0).all()
    # evenly loaded, the trunk drops what it loses of its power
    even = slopes.sum(axis=0) / 3
    assert even == pytest.approx(np.full(3, ac.station.losses.trunk), rel=0.1)


def test_mains_wander_by_the_hour_the_day_and_the_tap_changer(dc: Mains) -> None:
    for phase in dc.master:
        assert 0.003 < phase.std() < 0.04
    assert 1e-4 < np.abs(np.diff(dc.master[0] - dc.master[1])).mean() < 1e-3
    taps = voltages._taps(dc.station.grid_s, np.random.default_rng(1))
    assert set(taps) == {-1.0, 0.0, 1.0}
    assert 10 < np.count_nonzero(np.diff(taps)) < 100


def test_ideal_meters_show_the_means_of_what_is_there(dc: Mains, monkeypatch: pytest.MonkeyPatch) -> None:
    _ideal(monkeypatch)
    errors = np.full(20, 0.03)
    shown, straight = _show(dc, errors=errors), _show(dc)
    registers, _ = _read(dc, PLAIN)
    assert shown.times_ms == [START_MS + QUARTER_S * 1000 * row for row in range(DAYS * DAY_S // QUARTER_S)]
    each = (len(shown.times_ms), QUARTER_S // STEP_S)
    inside = slice(MARGIN_S // STEP_S, (MARGIN_S + DAYS * DAY_S) // STEP_S)
    for number in range(20):
        means = shown.chargers[number]
        assert means.kw.sum() / 4 == pytest.approx(1.03 * np.diff(registers.chargers[number][[0, -1]])[0], rel=0.01)
        assert means.kw == pytest.approx(1.03 * straight.chargers[number].kw)
        course = (dc.board.mean(axis=0) - np.log1p(dc.drops[number] * dc.powers[number]))[inside].reshape(each)
        assert means.volts[0] == pytest.approx(voltages.NOMINAL_V * np.exp(course.mean(axis=1)), rel=3e-3)
    whole = dc.through[inside].reshape(each).mean(axis=1)
    assert shown.master.kw == pytest.approx(whole * (1 + dc.station.losses.trunk * whole), rel=0.3, abs=5)
    for volts, course in zip(shown.master.volts, dc.master[:, inside], strict=True):
        assert np.log(volts / voltages.NOMINAL_V) == pytest.approx(course.reshape(each).mean(axis=1), abs=3e-3)


def test_a_gateway_with_a_clock_of_its_own_means_other_quarters(dc: Mains, monkeypatch: pytest.MonkeyPatch) -> None:
    _ideal(monkeypatch)
    shown, truth = _read(dc, PLAIN)
    late = replace(truth, offsets_s=np.full(20, 2.0 * QUARTER_S))
    right, moved = (voltages.show(dc, shown, each, np.random.default_rng(6)) for each in (truth, late))
    for one, other in zip(right.chargers, moved.chargers, strict=True):
        assert other.kw[:-2].tolist() == one.kw[2:].tolist()
        assert other.volts[0][:-2].tolist() == one.volts[0][2:].tolist()
    assert moved.master.kw.tolist() == right.master.kw.tolist()


def test_voltmeters_are_off_drift_and_scatter(dc: Mains, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, noise, hourly = _show(dc), voltages.NOISE, voltages.HOURLY
    _ideal(monkeypatch)
    ideal = _show(dc)
    meters = zip([*drawn.chargers, drawn.master], [*ideal.chargers, ideal.master], strict=True)
    off = [np.log(one / other) for each, right in meters for one, other in zip(each.volts, right.volts, strict=True)]
    assert 0.002 < np.std([np.nanmean(each) for each in off]) < 0.0042
    step = np.concatenate([np.diff(each) for each in off])
    # what a quarter keeps of the one before is not in its difference; steps of 0.1 V add a little
    assert np.nanstd(step) == pytest.approx(noise * (2 * (1 - voltages.NOISE_KEPT)) ** 0.5, rel=0.15)
    by_hour = np.array([np.nanmean((each - np.nanmean(each)).reshape(DAYS, -1), axis=0) for each in off])
    assert np.abs(by_hour).mean() == pytest.approx(hourly * 2 / np.pi, rel=0.25)
    assert 0.01 < np.mean([np.isnan(each).mean() for each in off]) < 0.03


def test_a_day_warms_for_some_hours_and_cools_until_the_next() -> None:
    hours = np.arange(0, 24, 0.25)
    warmth = voltages.warmth_of_day(hours, voltages.WARMING_H)
    assert warmth.std() == pytest.approx(1.0)
    assert (warmth[0], hours[warmth.argmax()]) == (0.0, voltages.WARMING_H)
    rises = np.diff(np.append(warmth, warmth[0]))  # the next day begins as cool as this one ends
    assert (rises[hours < voltages.WARMING_H] > 0).all()
    assert (rises[hours >= voltages.WARMING_H] < 0).all()
    later = voltages.warmth_of_day(hours, voltages.WARMING_H + 2)
    assert hours[later.argmax()] == voltages.WARMING_H + 2
    # Waves of one turn and of two, as the product fits them, don't tell all of it.
    turns = 2 * np.pi * hours / 24
    waves = np.column_stack([np.ones(len(hours)), *(f(n * turns) for n in (1, 2) for f in (np.cos, np.sin))])
    left = warmth - waves @ np.linalg.lstsq(waves, warmth, rcond=None)[0]
    assert 0.03 < left.std() < 0.3


def test_days_differ_and_keep_something_of_the_one_before() -> None:
    weather = Weather.drawn(20_000, np.random.default_rng(1))
    assert (weather.size**2).mean() == pytest.approx(1.0, rel=0.05)
    logarithm = np.log(weather.size)
    assert logarithm.std() == pytest.approx(voltages.WEATHER, rel=0.05)
    assert np.corrcoef(logarithm[1:], logarithm[:-1])[0, 1] == pytest.approx(voltages.WEATHER_KEPT, abs=0.03)
    assert weather.warming_h.std() == pytest.approx(voltages.WARMEST_SD_H, rel=0.05)
    course = weather.at(np.arange(0, 24 * 20_000, 0.25))
    assert (course.reshape(-1, 96)[:, 0] == 0.0).all()
    one = voltages.warmth_of_day(np.arange(0, 24, 0.25), weather.warming_h[3]) * weather.size[3]
    assert course[3 * 96 : 4 * 96].tolist() == one.tolist()


def test_steps_of_the_display_are_met_by_single_polls(dc: Mains, monkeypatch: pytest.MonkeyPatch) -> None:
    _ideal(monkeypatch)
    monkeypatch.setattr(voltages, "STEP_V", 10.0)
    shown = _show(dc)
    polls = QUARTER_S // np.array(voltages.POLLS_S[:2])
    for each in shown.chargers:
        assert any(np.allclose(np.mod(each.volts[0] * count / 10 + 1e-6, 1), 0, atol=1e-5) for count in polls)
        assert len(np.unique(each.volts[0])) > 3


def test_readings_that_are_lost_or_wrong_take_voltages_with_them(dc: Mains) -> None:
    plain, lost = _show(dc), _show(dc, replace(PLAIN, lost_share=0.2))
    shown, _ = _read(dc, replace(PLAIN, lost_share=0.2))
    for number, each in enumerate(lost.chargers):
        gone = np.isnan(shown.chargers[number])
        assert np.isnan(each.kw[gone[:-1] | gone[1:]]).all()
        assert np.isnan(each.volts[0]).tolist() == np.isnan(each.kw).tolist()
    assert np.isnan(lost.master.kw).mean() > np.isnan(plain.master.kw).mean() + 0.05
    gross = _show(dc, replace(PLAIN, gross_share=0.01))
    wrong = [np.nanstd(each.volts[0]) for each in gross.chargers]
    right = [np.nanstd(each.volts[0]) for each in plain.chargers]
    assert np.mean(wrong) > np.mean(right)
    off = np.log(gross.chargers[0].volts[0] / np.nanmedian([each.volts[0] for each in gross.chargers], axis=0))
    assert 2 < np.count_nonzero(np.abs(off - np.nanmedian(off)) > 0.02) < 0.01 * len(off)


def test_trust_in_a_drop_ends_where_warmth_looks_like_one(dc: Mains, ac: Mains) -> None:
    for mains in (dc, ac):
        trust = voltages.trust(mains.station)
        assert (trust > voltages.DROP_SD).all()
        least = np.argmin(mains.station.losses.branches)
        assert trust.argmax() == least
        lowest = mains.station.losses.branches[least] * mains.station.site.high_kw
        assert trust[least] == pytest.approx(np.hypot(voltages.DROP_SD, voltages.WARMTH / lowest))
