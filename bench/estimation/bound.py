"""The least error that any estimator has left on these readings, if it knows how the truth was drawn.

All but its draws is given: power at every instant, which chargers are sound, the spread of errors, gain, losses,
curves and clocks, and the covariance of the noise. What is drawn is then normal and the balance linear in it, so the
posterior variance is the least mean square, and what each unknown adds to it adds up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solveh_banded

from bench.estimation.readings import QUARTER_S, Conditions
from bench.estimation.sites import DAY_S, STEP_S, Floats, Station

SOUND_SD, ALTERED_SD, SOUND = 0.0035, 0.03, 0.01
BRANCH_SD = 0.3
FIXED_SD_KW = 10.0  # nothing is known of the fixed load
# of a charger's own error, the master's gain, losses of trunk and branches, change with load, clocks, fixed load,
# what a voltage drop leaves of a branch, noise
PARTS = ("own", "gain", "trunk", "level", "branch", "curve", "clock", "fixed", "drop", "noise")


@dataclass(frozen=True)
class Bound:
    """Of one station: the standard deviation left of each charger's error, and the mean square by part."""

    sd: Floats
    parts: Floats  # charger by part, variances


@dataclass(frozen=True)
class Least:
    """Over the stations of a row."""

    mae: float
    rmse: float
    parts: Floats  # root mean square by part

    def part(self, name: str) -> float:
        """Return what one unknown leaves."""
        return float(self.parts[PARTS.index(name)])

    def __str__(self) -> str:
        """Say it in per cent, the parts that matter."""
        named = [f"{name} {100 * value:.3f}" for name, value in zip(PARTS, self.parts, strict=True) if value > 5e-5]
        return (
            f"with all spreads known these readings leave MAE {100 * self.mae:.3f} %, RMSE {100 * self.rmse:.3f} % "
            f"({', '.join(named)})"
        )


def over(bounds: Sequence[Bound | None]) -> Least | None:
    """Return what is left over the stations of a row, None where a station has no bound."""
    known = [each for each in bounds if each is not None]
    if not known or len(known) < len(bounds):
        return None
    sd = np.concatenate([each.sd for each in known])
    parts = np.concatenate([each.parts for each in known])
    mae = float(sd.mean() * np.sqrt(2 / np.pi))  # of normal errors
    return Least(mae, float(np.sqrt((sd**2).mean())), np.asarray(np.sqrt(parts.mean(axis=0)), dtype=np.float64))


def applies(conditions: Conditions) -> bool:
    """Return whether the readings are made of nothing but what is modelled here."""
    strange = conditions.gross_share or conditions.lost_share or conditions.auxiliaries
    cohort = conditions.cohort or conditions.cohort_sd or conditions.gain_sd == 0
    return not (strange or cohort) and conditions.conversion_spread is None


@dataclass(frozen=True)
class _Windows:
    """What truly happened, window by window; powers at their boundaries."""

    energy: Floats  # window by charger, kWh
    by_load: Floats
    squares: Floats  # kW²h
    trunk: Floats  # kW²h
    master: Floats  # kWh
    power: Floats  # boundary by charger, kW
    total: Floats  # boundary, kW


def _windows(station: Station, conditions: Conditions) -> _Windows:
    boundaries = np.arange(0, conditions.days * DAY_S + 1, QUARTER_S, dtype=np.float64)
    edges = np.searchsorted(station.grid_s, boundaries)
    hours = STEP_S / 3600

    def summed(steps: Floats) -> Floats:
        return np.asarray(np.add.reduceat(steps[: edges[-1]], edges[:-1]) * hours, dtype=np.float64)

    shape = (len(boundaries) - 1, len(station.chargings))
    energy, by_load, squares = np.empty(shape), np.empty(shape), np.empty(shape)
    power = np.empty((len(boundaries), shape[1]))
    for number, charging in enumerate(station.chargings):
        steps = np.diff(charging.at(station.grid_s)) / hours
        energy[:, number] = np.diff(charging.at(boundaries))
        by_load[:, number] = np.diff(charging.by_load_at(boundaries))
        squares[:, number] = summed(steps**2)
        power[:, number] = (steps[edges - 1] + steps[edges]) / 2
    through = station.power + station.branch_kw + station.site.fixed_kw
    trunk = summed(through**2)
    total = (through[edges - 1] + through[edges]) / 2
    return _Windows(energy, by_load, squares, trunk, summed(through) + station.losses.trunk * trunk, power, total)


def _noise(held: _Windows, conditions: Conditions) -> Floats:
    """Return the banded covariance: readings at boundaries, white noise of the master."""
    count = len(held.master)
    active = held.energy > 0
    sides = np.zeros((count + 1, active.shape[1]))
    sides[:-1] += active / 2
    sides[1:] += active / 2
    registers = conditions.master_step**2 + conditions.charger_step**2 * sides.sum(axis=1)
    jitter = (conditions.jitter_s / 3600) ** 2 * ((held.power**2).sum(axis=1) + held.total**2)
    each = registers / 12 + jitter
    band = np.zeros((2, count))
    band[1] = each[:-1] + each[1:] + (conditions.white * held.master) ** 2 + 1e-12
    band[0, 1:] = -each[1:-1]
    return band


def of(station: Station, errors: Floats, conditions: Conditions, measured: Floats | None = None) -> Bound:
    """Return the bound of a station whose chargers were drawn with these errors.

    `measured` says how well the loss of each branch is known beside the design, a standard deviation in 1/kW, NaN where
    it is not; None that none is.
    """
    held = _windows(station, conditions)
    count = held.energy.shape[1]
    losses = station.losses
    loss = held.squares * losses.branches
    slope = -np.diff(held.power, axis=0) / 3600
    parts = [
        (0, -held.energy, np.where(np.abs(errors) > SOUND, ALTERED_SD, SOUND_SD)),
        (1, held.master[:, None], np.array([conditions.gain_sd])),
        (2, losses.trunk * held.trunk[:, None], np.array([conditions.design_sd])),
        (3, loss.sum(axis=1)[:, None], np.array([conditions.design_sd])),
        (4, held.squares * losses.level, np.full(count, BRANCH_SD)),
        (5, -held.by_load, np.full(count, conditions.curve / 2)),
        (6, slope, np.full(count, conditions.offset_sd_s)),
        (7, np.full((len(held.master), 1), QUARTER_S / 3600), np.array([FIXED_SD_KW])),
    ]
    parts = [part for part in parts if part[2].max() > 0]
    columns = np.hstack([values for _, values, _ in parts])
    spread = np.concatenate([sd for _, _, sd in parts])
    which = np.concatenate([np.full(len(sd), number) for number, _, sd in parts])
    scaled = columns * spread
    normal = scaled.T @ solveh_banded(_noise(held, conditions), scaled)
    drop = np.zeros((count, len(spread)))
    if measured is not None:
        known = np.where(np.isfinite(measured), 1 / measured, 0.0)
        drop[:, which == 3] = (losses.branches * known)[:, None]
        drop[:, which == 4] = np.diag(losses.level * known)
        drop *= spread
    covariance = np.linalg.inv(normal + drop.T @ drop + np.eye(len(spread)))
    # a charger's error is that of its register and what its loads made of the curve
    wanted = np.zeros((count, len(spread)))
    wanted[:, :count] = np.diag(spread[:count])
    curve = np.flatnonzero(which == 5)
    if len(curve):
        load = held.by_load.sum(axis=0) / held.energy.sum(axis=0)
        wanted[np.arange(count), curve] = load * spread[curve]
    left = wanted @ covariance  # what of each unknown, in its own spread, stays in the estimate
    found = np.zeros((count, len(PARTS)))
    for number in range(len(PARTS) - 2):
        found[:, number] = (left[:, which == number] ** 2).sum(axis=1)
    found[:, -2] = ((left @ drop.T) ** 2).sum(axis=1)
    found[:, -1] = np.einsum("ij,jk,ik->i", left, normal, left)
    return Bound(np.sqrt(np.einsum("ij,ij->i", left, wanted)), found)
