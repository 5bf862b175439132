"""What meters show of voltage: mean voltage and power by quarter of an hour, of each charger and of the master.

The mains wander by the hour, the day and the steps of a tap changer; cables before and behind the master drop voltage
with power, phase by phase; each voltmeter is off, and drifts with the day, the weeks and its own warmth. With the day
it goes as air does: it warms within hours of the morning and cools until the next, on some days more than on others.
Branches lose more than their drop says where power factor, reactance and harmonics make it so.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from bench.estimation.readings import QUARTER_S, START_MS, Conditions, Shown, Truth
from bench.estimation.sites import AC, DAY_S, MARGIN_S, SINGLE_LOSS, STEP_S, Floats, Station

NOMINAL_V, STEP_V = 230.0, 0.1
PHASES = 3
# of the mains, relative
DAY, HALF_DAY, HOUR, MINUTES = 0.008, 0.005, 0.005, 0.001
PHASE_HOURS, PHASE_MINUTES = 0.003, 0.0005
TAP, TAPS_A_DAY = 0.0125, 4.0
# of loads: tan phi, X/R of a branch, harmonics of current
TAN_PHI, TAN_PHI_SD, REACTANCE, HARMONICS = 0.1, 0.07, (0.05, 0.25), (0.03, 0.15)
TRUNK_REACTANCE, SOURCE_DROP = (0.1, 0.6), (0.003, 0.015)  # the latter at the station's highest power
# of voltmeters, relative: error, with the hour of the day (the amplitude of a cosine of the same mean square), over
# weeks, when the charger is warm at its highest power
GAIN, HOURLY, SLOWLY, WARMTH = 0.003, 0.0005, 0.0005, 0.00015
SLOWLY_S, WARMTH_S = 20 * DAY_S, 3600.0
# a day at the voltmeters: when it is coolest, hours from there to the warmest, time constant of cooling
COOLEST_H, COOLEST_SD_H, WARMING_H, COOLING_H = 6.0, 2.0, 8.0, 6.0
# of the weather: spread of the logarithm of a day's amplitude, how much of it the next day keeps, when it is warmest
WEATHER, WEATHER_KEPT, WARMEST_SD_H = 0.4, 0.7, 0.7
NOISE, NOISE_KEPT = 0.0005, 0.3  # of a quarter's mean, and how much of it the next one keeps
POLLS_S, POLLS_SHARE = (60, 30, 15), (0.6, 0.25, 0.15)
MISSING = 0.02
DROP, DROP_SD = 0.991, 0.0118  # mean and spread of relative drop by relative loss, as drawn
GROSS = 0.05  # up to so much is a quarter off that is grossly wrong


@dataclass(frozen=True)
class Mains:
    """The truth of one station, by step: logarithms of relative voltages, powers in kW."""

    station: Station
    powers: Floats  # charger by step
    through: Floats  # through the trunk
    master: Floats  # phase by step
    board: Floats  # phase by step, where the branches begin
    phases: tuple[int | None, ...]  # of each charger; None: all three
    drops: Floats  # relative voltage drop of each branch, 1/kW
    singles: Floats | None = None  # what of each power stands on one phase of a charger for three
    orders: tuple[tuple[int, ...], ...] = ()  # and to which phase of the board each of its phases is laid


@dataclass(frozen=True)
class Means:
    """What one meter shows: means by quarter, NaN where there is none."""

    volts: list[Floats]
    kw: Floats


@dataclass(frozen=True)
class Voltages:
    """What the meters of a station show."""

    times_ms: list[int]  # when each quarter begins
    chargers: list[Means]
    master: Means


def mains(station: Station, dice: np.random.Generator) -> Mains:
    """Draw the voltages behind the meters."""
    count = len(station.chargings)
    powers = np.array([np.diff(each.at(station.grid_s)) for each in station.chargings]) * 3600 / STEP_S
    tangent = TAN_PHI + TAN_PHI_SD * dice.standard_normal(count)
    drops = station.losses.branches * lossless(
        tangent, dice.uniform(*REACTANCE, count), dice.uniform(*HARMONICS, count)
    )
    single = station.site.high_kw <= AC.high_kw
    phases = tuple(int(each) if single else None for each in dice.permutation(np.arange(count) % PHASES))
    through = station.power + station.branch_kw + station.site.fixed_kw
    by_phase = np.repeat(station.site.fixed_kw / PHASES + np.zeros((1, len(through))), PHASES, axis=0)
    for power, phase in zip(powers, phases, strict=True):
        if phase is None:
            by_phase += power / PHASES
        else:
            by_phase[phase] += power
    singles: Floats | None = None
    orders: tuple[tuple[int, ...], ...] = ()
    if station.site.single_share:
        singles = np.array([np.diff(each.single_at(station.grid_s)) for each in station.chargings]) * 3600 / STEP_S
        orders = tuple(tuple(int(each) for each in dice.permutation(PHASES)) for _ in singles)
        for single, order in zip(singles, orders, strict=True):
            by_phase -= single / PHASES
            by_phase[order[0]] += single
    mean = float(lossless(tangent.mean(), dice.uniform(*TRUNK_REACTANCE), dice.uniform(*HARMONICS)))
    source = dice.uniform(*SOURCE_DROP) / station.power.max()
    master = _wander(station.grid_s[:-1], dice) - np.log1p(_cable(source, by_phase, dice.uniform(0.1, 0.5)))
    board = master - np.log1p(_cable(station.losses.trunk * mean, by_phase, dice.uniform(0.5, 1.0)))
    return Mains(station, powers, through, master, board, phases, drops, singles, orders)


def lossless(tangent: Floats | float, reactance: Floats | float, harmonics: Floats | float) -> Floats:
    """Return relative drop by relative loss: reactive power and harmonics lose what a drop doesn't show."""
    tangent, reactance, harmonics = np.asarray(tangent), np.asarray(reactance), np.asarray(harmonics)
    return np.asarray((1 + reactance * tangent) / ((1 + tangent**2) * (1 + harmonics**2)), dtype=np.float64)


def trust(station: Station) -> Floats:
    """Return how far the drop of each branch, known exactly, leaves its loss: a relative standard deviation."""
    warm = WARMTH / (station.losses.branches * station.site.high_kw)
    return np.asarray(np.hypot(DROP_SD, warm), dtype=np.float64)


def _cable(coefficient: float, by_phase: Floats, neutral: float) -> Floats:
    """Return the relative drop of each phase: of its conductor, and of a neutral that carries what is uneven."""
    others = (by_phase.sum(axis=0) - by_phase) / (PHASES - 1)
    return np.asarray(PHASES * coefficient * (by_phase + neutral * (by_phase - others)), dtype=np.float64)


def _wander(times_s: Floats, dice: np.random.Generator) -> Floats:
    """Return the logarithms of the relative voltages of the mains: phase by step."""
    turn = 2 * np.pi * times_s / DAY_S
    days = np.exp(0.3 * dice.standard_normal(int((times_s[-1] - times_s[0]) / DAY_S) + 2))
    today = days[((times_s - times_s[0]) / DAY_S).astype(np.int64)]
    common = today * DAY * dice.standard_normal() * np.sin(turn + dice.uniform(0, 2 * np.pi))
    common += HALF_DAY * dice.standard_normal() * np.sin(2 * turn + dice.uniform(0, 2 * np.pi))
    common += HOUR * _kept(len(times_s), STEP_S / 3600, dice) + MINUTES * _kept(len(times_s), STEP_S / 90, dice)
    common += TAP * _taps(times_s, dice)
    each = [
        PHASE_HOURS * _kept(len(times_s), STEP_S / 7200, dice) + PHASE_MINUTES * _kept(len(times_s), STEP_S / 90, dice)
        for _ in range(PHASES)
    ]
    return np.asarray(common + np.array(each) + 0.01 * dice.standard_normal((PHASES, 1)), dtype=np.float64)


def _kept(count: int, forgotten: float, dice: np.random.Generator) -> Floats:
    """Return a random course of standard deviation 1 that forgets so much of itself from step to step."""
    keep = float(np.exp(-forgotten))
    drawn = dice.standard_normal(count)
    drawn[1:] *= (1 - keep**2) ** 0.5
    return np.asarray(lfilter([1.0], [1.0, -keep], drawn), dtype=np.float64)


def _taps(times_s: Floats, dice: np.random.Generator) -> Floats:
    """Return where the tap changer stands: one step up or down at times, never further than one from the middle."""
    span = times_s[-1] - times_s[0]
    when = np.sort(dice.uniform(times_s[0], times_s[-1], int(dice.poisson(TAPS_A_DAY * span / DAY_S))))
    where, stands = [0.0], 0.0
    for _ in when:
        stands = float(dice.choice([-1.0, 1.0])) if stands == 0 else 0.0
        where.append(stands)
    return np.asarray(np.array(where)[np.searchsorted(when, times_s)], dtype=np.float64)


@dataclass(frozen=True)
class Weather:
    """What the days of a station are like, one after another, from the day before the first one."""

    size: Floats  # of the daily course, mean square 1
    warming_h: Floats

    @classmethod
    def drawn(cls, days: int, dice: np.random.Generator) -> "Weather":
        """Draw so many days, and one before and after."""
        logarithm = WEATHER * _kept(days + 2, -float(np.log(WEATHER_KEPT)), dice) - WEATHER**2
        return cls(np.exp(logarithm), WARMING_H + WARMEST_SD_H * dice.standard_normal(days + 2))

    def at(self, hours: Floats) -> Floats:
        """Return the course at hours since the coolest one of the day before the first: cool is 0."""
        day = (hours // 24).astype(np.int64)
        return np.asarray(self.size[day] * warmth_of_day(hours % 24, self.warming_h[day]), dtype=np.float64)


def warmth_of_day(hours: Floats, warming_h: Floats | float) -> Floats:
    """Return the warmth at hours since the coolest one: up fast, down slowly, standard deviation 1."""
    return _up_and_down(hours, warming_h) / float(_up_and_down(np.arange(0, 24, 0.25), WARMING_H).std())


def _up_and_down(hours: Floats, warming_h: Floats | float) -> Floats:
    up = (1 - np.cos(np.pi * hours / warming_h)) / 2
    left, end = (np.exp(-(each - warming_h) / COOLING_H) for each in (hours, np.float64(24.0)))
    return np.asarray(np.where(hours < warming_h, up, (left - end) / (1 - end)), dtype=np.float64)


def _fallen(held: Mains, number: int) -> list[Floats]:
    """Return the logarithms of the relative voltages at a charger: one, or three where loads stand on one of them.

    The neutral's current lets that phase fall by all that the branch loses, and the others rise by half of the rest.
    """
    phase, drop, power = held.phases[number], held.drops[number], held.powers[number]
    if held.singles is None:
        board = held.board.mean(axis=0) if phase is None else held.board[phase]
        return [board - np.log1p(drop * power)]
    more = (SINGLE_LOSS - 1) * drop * held.singles[number]
    falls = (drop * power + more, drop * power - more / 2, drop * power - more / 2)
    return [held.board[each] - np.log1p(fall) for each, fall in zip(held.orders[number], falls, strict=True)]


def show(held: Mains, shown: Shown, truth: Truth, dice: np.random.Generator, *, by_phase: bool = True) -> Voltages:
    """Read the voltages of the station whose registers are shown: the same errors, clocks and losses of readings.

    `by_phase`: whether gateways tell all phases of a charger for three, or their mean.
    """
    conditions, site = shown.conditions, held.station.site
    quarters = len(shown.times_ms) - 1
    chargers = []
    weather = Weather.drawn(quarters * QUARTER_S // DAY_S + 1, dice)
    for number, power in enumerate(held.powers):
        off = truth.registered[number] + truth.curves[number] * (2 * power / site.high_kw - 1)
        warm = _warmth(power / site.high_kw)
        polls = _Polls(quarters, truth.offsets_s[number], dice)
        volts = [_meter(polls, fallen, warm, weather, dice) for fallen in _fallen(held, number)]
        if not by_phase:
            volts = [np.asarray(np.mean(volts, axis=0), dtype=np.float64)]
        chargers.append(_known(Means(volts, polls.mean(power * (1 + off))), shown.chargers[number], conditions, dice))
    polls = _Polls(quarters, 0.0, dice)
    cool = np.zeros(len(held.through))
    kw = polls.mean((1 + truth.gain) * (held.through + held.station.losses.trunk * held.through**2))
    volts = [_meter(polls, phase, cool, weather, dice) for phase in held.master]
    times = [START_MS + QUARTER_S * 1000 * row for row in range(quarters)]
    return Voltages(times, chargers, _known(Means(volts, kw), shown.master, conditions, dice))


class _Polls:
    """Which steps a gateway polls: every so often since the quarter began by its clock, voltage and power at once."""

    def __init__(self, quarters: int, offset_s: float, dice: np.random.Generator) -> None:
        # a step has one power: polls more often than that bring it again
        self._stride = max(1, int(dice.choice(POLLS_S, p=POLLS_SHARE)) // STEP_S)
        self._each = QUARTER_S // STEP_S // self._stride
        self.quarters = quarters
        begins = MARGIN_S + float(np.clip(offset_s, -MARGIN_S, MARGIN_S - QUARTER_S))
        self._first = int(begins / STEP_S) + int(dice.integers(self._stride))

    def at(self, steps: Floats) -> Floats:
        """Return what is polled: quarter by poll."""
        last = self._first + self.quarters * self._each * self._stride
        return steps[self._first : last : self._stride].reshape(self.quarters, self._each)

    def mean(self, steps: Floats) -> Floats:
        """Return the mean of a quarter."""
        return np.asarray(self.at(steps).mean(axis=1), dtype=np.float64)


def _meter(polls: _Polls, relative: Floats, warm: Floats, weather: Weather, dice: np.random.Generator) -> Floats:
    """Return the mean voltages that a voltmeter shows of a course."""
    hours = 24 + (np.arange(polls.quarters) + 0.5) * QUARTER_S / 3600
    coolest = float(np.clip(dice.normal(COOLEST_H, COOLEST_SD_H), 0, 24))
    gain = GAIN * dice.standard_normal() + HOURLY / 2**0.5 * dice.choice([-1.0, 1.0]) * weather.at(hours - coolest)
    gain += SLOWLY * _kept(polls.quarters, QUARTER_S / SLOWLY_S, dice)
    gain += NOISE * _kept(polls.quarters, -float(np.log(NOISE_KEPT)), dice)
    course = polls.at(relative + WARMTH * dice.standard_normal() * warm) + gain[:, None]
    steps = np.round(NOMINAL_V * np.exp(course) / STEP_V)
    return np.asarray(steps.mean(axis=1) * STEP_V, dtype=np.float64)


def _warmth(load: Floats) -> Floats:
    """Return how warm a charger is, 1 after hours at its highest power."""
    keep = float(np.exp(-STEP_S / WARMTH_S))
    return np.asarray(lfilter([1 - keep], [1.0, -keep], load), dtype=np.float64)


def _known(means: Means, register: Floats, conditions: Conditions, dice: np.random.Generator) -> Means:
    """Lose quarters, and those in which readings were lost; make some grossly wrong."""
    quarters = len(means.kw)
    lost = dice.random(quarters) < MISSING
    lost |= np.isnan(register[:-1]) | np.isnan(register[1:])
    wrong = np.where(dice.random(quarters) < conditions.gross_share, dice.uniform(-GROSS, GROSS, quarters), 0.0)
    volts = [np.where(lost, np.nan, each * (1 + wrong)) for each in means.volts]
    return Means(volts, np.where(lost, np.nan, means.kw))
