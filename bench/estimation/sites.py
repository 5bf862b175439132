"""What truly happens behind a master meter: sessions, power in steps of seconds, and the losses of cables."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAY_S = 86_400
MARGIN_S = 3_600  # the truth begins earlier and ends later than the readings: clocks are off
STEP_S = 30  # of the powers of which squares are taken
PROFILE_S = 20  # of power within a session


@dataclass(frozen=True)
class Site:
    """A kind of station: how it is used. Powers in kW, energies in kWh."""

    name: str
    sessions_a_day: float
    session_kwh: float
    kwh_spread: float
    low_kw: float
    high_kw: float
    taper: float
    derated: float
    fixed_kw: float
    hours: tuple[float, ...]  # how many arrivals by local hour, relative
    chargers: int = 20
    single_share: float = 0.0  # of the vehicles that charge on one phase of a charger for three
    single_kw: tuple[float, float] = (6.2, 7.0)


DC = Site(
    "dc", 6.0, 22.0, 0.45, 25.0, 58.0, 0.2, 0.3, 0.5,
    (1, 0.6, 0.4, 0.3, 0.4, 0.8, 1.6, 2.8, 3, 2.6, 2.6, 3, 3.6, 3.4, 2.8, 2.6, 2.8, 3.4, 3.8, 3.6, 3.2, 2.8, 2.2, 1.6),
)  # fmt: skip
AC = Site(
    "ac", 1.6, 15.0, 0.45, 6.2, 7.0, 0.05, 0.0, 0.2,
    (0.4, 0.2, 0.2, 0.2, 0.3, 0.8, 2, 4, 4.4, 3, 1.8, 1.6, 2, 2, 1.6, 1.6, 2, 3, 3.4, 3, 2.4, 1.8, 1.2, 0.8),
)  # fmt: skip


UNEVEN = replace(AC, name="ac-uneven", low_kw=10.0, high_kw=22.0, single_share=0.5)
SINGLE_LOSS = 6.0  # of a load on one phase, with a neutral like the lines, to that of an even one


@dataclass(frozen=True)
class Arrivals:
    """The sessions of a charger before they have a shape: when, how much, at which highest power."""

    starts_s: Floats
    kwh: Floats
    plateau_kw: Floats
    stays_s: Floats | None = None  # how long a vehicle stays; None: as long as it charges
    single: NDArray[np.bool_] | None = None  # which charge on one phase


@dataclass(frozen=True)
class Charging:
    """What a charger delivered: cumulative energy between knots is a straight line."""

    times_s: Floats
    kwh: Floats
    kwh_by_load: Floats  # the same weighted with the load, -1 at none to +1 at the site's highest power
    starts_s: Floats  # of the sessions, as orders tell them
    ends_s: Floats
    kwh_single: Floats | None = None  # the same of vehicles on one phase

    def at(self, times_s: Floats) -> Floats:
        """Return the energy delivered until then."""
        return np.interp(times_s, self.times_s, self.kwh)

    def by_load_at(self, times_s: Floats) -> Floats:
        """Return the energy until then weighted with the load."""
        return np.interp(times_s, self.times_s, self.kwh_by_load)

    def single_at(self, times_s: Floats) -> Floats:
        """Return the energy until then that was delivered on one phase."""
        if self.kwh_single is None:
            return np.zeros(len(times_s))
        return np.interp(times_s, self.times_s, self.kwh_single)


@dataclass(frozen=True)
class Losses:
    """True coefficients of I2R losses, 1/kW; those of the branches scatter around their level."""

    trunk: float
    level: float
    branches: Floats  # of loads that stand evenly


@dataclass(frozen=True)
class Station:
    """The truth of one station over some days from local midnight; powers are means of steps."""

    site: Site
    days: int
    chargings: list[Charging]
    grid_s: Floats
    power: Floats  # of all chargers, kW
    branch_kw: Floats  # lost in the branches
    active: Floats  # chargers at work
    losses: Losses


def station(site: Site, days: int, dice: np.random.Generator) -> Station:
    """Draw a station whose sessions are drawn as its site says."""
    return behind(
        site, days, [charging(site, days, _arrivals(site, days, dice), dice) for _ in range(site.chargers)], dice
    )


def behind(site: Site, days: int, chargings: list[Charging], dice: np.random.Generator) -> Station:
    """Draw the cables to chargers: 0.5 to 2 % of the energy is lost, half in the trunk and half in the branches."""
    grid = np.arange(-MARGIN_S, days * DAY_S + MARGIN_S + 1, STEP_S, dtype=np.float64)
    spread = np.exp(0.3 * dice.standard_normal(site.chargers))
    total, squares, active = np.zeros(len(grid) - 1), np.zeros(len(grid) - 1), np.zeros(len(grid) - 1)
    uneven = np.zeros(len(grid) - 1)
    for each, own in zip(chargings, spread, strict=True):
        power = np.diff(each.at(grid)) * 3600 / STEP_S
        total += power
        squares += own * power**2
        active += power > 0
        if site.single_share:
            uneven += own * (SINGLE_LOSS - 1) * (np.diff(each.single_at(grid)) * 3600 / STEP_S) ** 2
    share = dice.uniform(0.005, 0.02) / 2
    energy = total.sum()
    trunk, level = share * energy / (total**2).sum(), share * energy / squares.sum()
    losses = Losses(trunk, level, level * spread)
    return Station(site, days, chargings, grid, total, level * (squares + uneven), active, losses)


def charging(site: Site, days: int, arrivals: Arrivals, dice: np.random.Generator) -> Charging:
    """Draw power within sessions: between arrival and departure where a vehicle stays, else one after another."""
    starts, kwh, plateau = arrivals.starts_s, arrivals.kwh, arrivals.plateau_kw
    steps = np.maximum(2, np.ceil(kwh / plateau * 3600 / PROFILE_S)).astype(np.int64)
    session = np.repeat(np.arange(len(kwh)), steps)
    first = np.cumsum(steps) - steps
    within = (np.arange(len(session)) - first[session] + 0.5) / steps[session]
    shape = _profile(site, within, session, len(kwh), dice)
    mean = np.bincount(session, shape, len(kwh)) / steps
    if arrivals.stays_s is not None:
        plateau = np.maximum(plateau, kwh / (mean * arrivals.stays_s) * 3600)
    seconds = kwh / (plateau * mean) * 3600
    if arrivals.stays_s is None:
        starts = _one_after_another(starts, seconds, dice)
    kept = starts + seconds < days * DAY_S + MARGIN_S
    inside = kept[session]
    session, shape = session[inside], shape[inside]
    part = (kwh / (mean * steps))[session] * shape
    power = (plateau[session] * shape - site.high_kw / 2) / (site.high_kw / 2)
    step = np.arange(len(session)) - np.repeat(np.cumsum(steps[kept]) - steps[kept], steps[kept])
    ends = starts[session] + (step + 1) * (seconds / steps)[session]
    # a session's first knot stands still: until then nothing flowed
    at = np.flatnonzero(step == 0)
    times = np.insert(ends, at, starts[kept])
    single = None if arrivals.single is None else np.cumsum(np.insert(part * arrivals.single[session], at, 0.0))
    return Charging(
        times,
        np.cumsum(np.insert(part, at, 0.0)),
        np.cumsum(np.insert(part * power, at, 0.0)),
        starts[kept],
        (starts + (seconds if arrivals.stays_s is None else arrivals.stays_s))[kept],
        single,
    )


def _arrivals(site: Site, days: int, dice: np.random.Generator) -> Arrivals:
    rate = site.sessions_a_day * np.exp(0.2 * dice.standard_normal())
    weights = np.array(site.hours) / sum(site.hours)
    count = max(1, int(dice.poisson(rate * days)))
    day, hour = dice.integers(0, days, count), dice.choice(24, count, p=weights)
    starts = np.sort(day * DAY_S + hour * 3600.0 + dice.uniform(0, 3600, count))
    kwh = np.clip(site.session_kwh * np.exp(site.kwh_spread * dice.standard_normal(count)), 1.0, 4 * site.session_kwh)
    plateau = dice.uniform(site.low_kw, site.high_kw, count)
    if not site.single_share:
        return Arrivals(starts, kwh, plateau)
    single = dice.random(count) < site.single_share
    return Arrivals(starts, kwh, np.where(single, dice.uniform(*site.single_kw, count), plateau), single=single)


def _profile(site: Site, within: Floats, session: NDArray[np.int64], count: int, dice: np.random.Generator) -> Floats:
    """Return power relative to its highest: a plateau that wanders, sometimes a step down, a taper at the end."""
    shape = np.where(within > 1 - site.taper, 1 - 0.75 * (within - 1 + site.taper) / site.taper, 1.0)
    from_when, to = dice.uniform(0.2, 0.8, count), np.where(dice.random(count) < site.derated, 0.7, 1.0)
    shape *= np.where(within > from_when[session], to[session], 1.0)
    phase, cycles = dice.uniform(0, 2 * np.pi, count), dice.uniform(0.5, 3, count)
    shape *= 1 + 0.02 * np.sin(phase[session] + 2 * np.pi * cycles[session] * within)
    return shape * (1 + 0.005 * dice.standard_normal(len(within)))


def _one_after_another(starts: Floats, seconds: Floats, dice: np.random.Generator) -> Floats:
    moved, free = starts.copy(), -np.inf
    for number, gap in enumerate(dice.uniform(120, 900, len(starts))):
        moved[number] = max(moved[number], free)
        free = moved[number] + seconds[number] + gap
    return moved
