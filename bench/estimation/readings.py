"""What the meters of a station show at each quarter of an hour, and what its chargers' orders tell."""

from dataclasses import dataclass

import numpy as np

from bench.estimation.sites import DAY_S, STEP_S, Floats, Station

QUARTER_S = 900
START_MS = 1_767_196_800_000  # 2026-01-01 00:00 in Shanghai, midnight of the truth


@dataclass(frozen=True)
class Conditions:
    """What is wrong with meters, clocks and records; errors and spreads are relative."""

    days: int = 90
    gain_sd: float = 0.0025
    white: float = 0.0005
    curve: float = 0.001  # by how much a charger's error changes from no load to the highest, up or down
    design_sd: float = 0.1  # of the design's losses: conductors between 10 and 50 °C differ by 15 %
    master_step: float = 0.01
    charger_step: float = 0.01
    jitter_s: float = 1.0
    offset_sd_s: float = 0.0
    cohort: float = 0.0  # what all chargers have in common
    cohort_sd: float = 0.0  # and how much that differs from station to station
    gross_share: float = 0.0
    gross_kwh: float = 5.0
    lost_share: float = 0.0
    auxiliaries: bool = False
    orders: bool = True  # whether anyone tells of sessions
    conversion_spread: float | None = None  # given: chargers meter their DC output


@dataclass(frozen=True)
class Truth:
    """What nobody is told."""

    errors: Floats
    gain: float
    branches: Floats  # I2R loss of each, 1/kW
    by_load: Floats  # what of each error grows in proportion to power
    by_branch: Floats  # loss of each branch beyond the level of all, of its energy: it grows alike
    registered: Floats  # error of each register at half of the highest power
    curves: Floats  # and what is added at the highest
    offsets_s: Floats  # of the chargers' clocks
    mean_kw: Floats  # of each charger, by energy


@dataclass(frozen=True)
class Shown:
    """What is known: registers in kWh (NaN: lost), sessions by each charger's clock, and the design."""

    times_ms: list[int]
    master: Floats
    chargers: list[Floats]
    sessions_ms: list[list[tuple[int, int]]] | None
    design_trunk: float
    design_branch: float
    conditions: Conditions


def drawn_errors(count: int, dice: np.random.Generator) -> Floats:
    """Return errors of sound chargers, N(0, 0.35 %) within 1 %, and of one to three altered ones, 1.5 to 5 %."""
    errors = np.clip(0.0035 * dice.standard_normal(count), -0.01, 0.01)
    altered = dice.choice(count, dice.integers(1, 4), replace=False)
    errors[altered] = dice.choice([-1.0, 1.0], len(altered)) * dice.uniform(0.015, 0.05, len(altered))
    return errors


def read(station: Station, errors: Floats, conditions: Conditions, dice: np.random.Generator) -> tuple[Shown, Truth]:
    """Read the station under these conditions."""
    count = len(station.chargings)
    boundaries = np.arange(0, conditions.days * DAY_S + 1, QUARTER_S, dtype=np.float64)
    offsets = conditions.offset_sd_s * dice.standard_normal(count)
    gain = conditions.gain_sd * dice.standard_normal()
    errors = errors + conditions.cohort + conditions.cohort_sd * dice.standard_normal()
    curves = conditions.curve / 2 * dice.choice([-1.0, 1.0], count)
    chargers, sessions, true, loads = [], [], np.empty(count), np.empty(count)
    for number, charging in enumerate(station.chargings):
        taken = boundaries + offsets[number] + conditions.jitter_s * dice.standard_normal(len(boundaries))
        shown = (1 + errors[number]) * charging.at(taken)
        shown += curves[number] * charging.by_load_at(taken)
        chargers.append(_register(shown, conditions.charger_step, dice))
        ends = boundaries[[0, -1]]
        loads[number] = np.diff(charging.by_load_at(ends))[0] / np.diff(charging.at(ends))[0]
        true[number] = errors[number] + curves[number] * loads[number]
        sessions.append(_orders(charging.starts_s - offsets[number], charging.ends_s - offsets[number], boundaries[-1]))
    master = _master(station, conditions, boundaries, gain, dice)
    if conditions.lost_share:
        _lose(master, chargers, conditions.lost_share, dice)
    times = [START_MS + QUARTER_S * 1000 * row for row in range(len(boundaries))]
    known = np.exp(conditions.design_sd * dice.standard_normal(2))
    design = (float(station.losses.trunk * known[0]), float(station.losses.level * known[1]))
    told = sessions if conditions.orders else None
    losses, mean_kw = station.losses, (1 + loads) / 2 * station.site.high_kw
    by_load, by_branch = curves * (1 + loads), (losses.branches - losses.level) * mean_kw
    truth = Truth(true, gain, losses.branches, by_load, by_branch, errors, curves, offsets, mean_kw)
    return Shown(times, master, chargers, told, *design, conditions), truth


def _register(kwh: Floats, step: float, dice: np.random.Generator) -> Floats:
    """Return a cumulative register: it shows whole steps, and began somewhere."""
    began = dice.integers(0, 100_000) + dice.random() * step - kwh[0]
    return np.asarray(np.floor((kwh + began) / step) * step, dtype=np.float64)


def _orders(starts_s: Floats, ends_s: Floats, until_s: float) -> list[tuple[int, int]]:
    """Return sessions as orders tell them, in whole seconds."""
    spans = zip(np.floor(starts_s), np.ceil(ends_s), strict=True)
    return [(START_MS + int(start) * 1000, START_MS + int(end) * 1000) for start, end in spans if start < until_s]


def _master(
    station: Station, conditions: Conditions, boundaries: Floats, gain: float, dice: np.random.Generator
) -> Floats:
    power = station.power + station.branch_kw + station.site.fixed_kw
    if conditions.conversion_spread is not None:
        power = power + _conversion(station, conditions.conversion_spread, dice)
    if conditions.auxiliaries:
        power = power + _auxiliaries(station.grid_s[:-1], dice)
    power = power + station.losses.trunk * power**2
    total = np.concatenate([[0.0], np.cumsum(power) * STEP_S / 3600])
    taken = boundaries + conditions.jitter_s * dice.standard_normal(len(boundaries))
    windows = np.diff(np.interp(taken, station.grid_s, total)) * (1 + gain)
    windows *= 1 + conditions.white * dice.standard_normal(len(windows))
    if conditions.gross_share:
        wrong = dice.random(len(windows)) < conditions.gross_share
        windows += np.where(wrong, conditions.gross_kwh * dice.choice([-1.0, 1.0], len(windows)), 0.0)
    return _register(np.concatenate([[0.0], np.cumsum(windows)]), conditions.master_step, dice)


def _conversion(station: Station, spread: float, dice: np.random.Generator) -> Floats:
    """Return the power lost in conversion: standby at work, a share that differs by unit, a little with the square."""
    level = 0.045 + 0.01 * dice.standard_normal()
    lost = 0.2 * station.active
    for charging in station.chargings:
        power = np.diff(charging.at(station.grid_s)) * 3600 / STEP_S
        lost = lost + (level + spread * dice.standard_normal()) * power + 3e-5 * power**2
    return lost


def _auxiliaries(times_s: Floats, dice: np.random.Generator) -> Floats:
    """Return 1 kW of lamps from dusk to dawn, and a 0.5 kW heater with a thermostat."""
    hour = times_s % DAY_S / 3600
    dusk, dawn = dice.uniform(17.5, 19.5), dice.uniform(5, 7)
    lamps = ((hour >= dusk) | (hour < dawn)).astype(np.float64)
    minutes, share = dice.uniform(20, 60), dice.uniform(0.3, 0.6) + 0.15 * np.cos(2 * np.pi * (hour - 4) / 24)
    return lamps + 0.5 * ((times_s / (60 * minutes)) % 1 < share)


def _lose(master: Floats, chargers: list[Floats], share: float, dice: np.random.Generator) -> None:
    """Lose readings: of the whole station in bursts for half of the share, of single chargers for the rest."""
    rows = len(master)
    bursts = max(1, int(rows * share / 2 / 8))
    for first, length in zip(dice.integers(1, rows - 1, bursts), dice.geometric(1 / 8, bursts), strict=True):
        master[first : min(first + length, rows - 1)] = np.nan
    each = share / 2 / len(chargers)
    for column in chargers:
        gone = np.flatnonzero(dice.random(rows - 2) < each) + 1
        column[gone] = np.nan
