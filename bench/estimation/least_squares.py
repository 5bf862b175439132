"""The peer: ordinary least squares with I2R terms of trunk and branches, and the estimator's own equations in numpy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from bench.estimation.readings import START_MS, Shown
from bench.estimation.sites import Floats

NOMINAL_CONVERSION = 0.05  # what a data sheet says of chargers that meter their output


@dataclass(frozen=True)
class Balance:
    """Windows between instants at which everything was read."""

    hours: Floats
    master: Floats
    energy: Floats  # window by charger, kWh
    active_h: Floats  # window by charger

    @property
    def squares(self) -> Floats:
        """Integral of the squared power of each charger, kW²h: as if power were constant while it was at work."""
        hours = np.maximum(self.active_h, np.minimum(self.hours[:, None], 1 / 60))
        return np.asarray(np.where(self.energy > 0, self.energy**2 / hours, 0.0), dtype=np.float64)

    @property
    def trunk(self) -> Floats:
        """Integral of the squared sum of powers, kW²h."""
        return np.asarray(self.energy.sum(axis=1) ** 2 / self.hours, dtype=np.float64)


def balance(shown: Shown) -> Balance:
    """Merge windows over lost readings and take differences."""
    columns = np.column_stack([shown.master, *shown.chargers])
    whole = np.isfinite(columns).all(axis=1)
    seconds = (np.array(shown.times_ms, dtype=np.float64)[whole] - START_MS) / 1000
    windows = np.diff(columns[whole], axis=0)
    hours, energy = np.diff(seconds) / 3600, windows[:, 1:]
    if shown.sessions_ms is None:
        return Balance(hours, windows[:, 0], energy, np.where(energy > 0, hours[:, None], 0.0))
    active = [np.diff(_active_until(sessions, seconds)) for sessions in shown.sessions_ms]
    return Balance(hours, windows[:, 0], energy, np.column_stack(active))


def _active_until(sessions: list[tuple[int, int]], seconds: Floats) -> Floats:
    edges = (np.array(sessions, dtype=np.float64).ravel() - START_MS) / 1000
    worked = np.cumsum(np.where(np.arange(len(edges)) % 2, np.diff(edges, prepend=edges[:1]), 0.0))
    return np.asarray(np.interp(seconds, edges, worked, left=0.0) / 3600, dtype=np.float64)


def ordinary(shown: Shown) -> Floats:
    """Return errors by ordinary least squares: chargers, trunk, branches, fixed load."""
    held = balance(shown)
    columns = [held.energy, held.trunk[:, None], held.squares.sum(axis=1)[:, None], held.hours[:, None]]
    rest = held.master - held.energy.sum(axis=1)
    if shown.conditions.conversion_spread is not None:
        rest = rest - NOMINAL_CONVERSION * held.energy.sum(axis=1)
        columns.append(held.active_h.sum(axis=1)[:, None])
    found = np.linalg.lstsq(np.hstack(columns), rest, rcond=None)[0]
    return np.asarray(1 / (1 + found[: held.energy.shape[1]]) - 1, dtype=np.float64)


def generalised(shown: Shown) -> Floats:
    """Return errors by one solution of the estimator's equations: all its columns, tridiagonal noise, normal priors.

    Written from the model's formulas with numpy and scipy, to be timed; no outliers, no noise chosen, no realignment.
    """
    held = balance(shown)
    energy, squares, count = held.energy, held.squares, held.energy.shape[1]
    power = energy / np.maximum(held.active_h, held.hours[:, None] / 15)
    both = (held.active_h[1:] > 0) & (held.active_h[:-1] > 0)
    edge = np.vstack([np.zeros(count), np.where(both, (power[1:] + power[:-1]) / 2, 0.0), np.zeros(count)])
    midnight = np.cumsum(held.hours) % 24
    columns = np.hstack(
        [
            -energy,
            energy.sum(axis=1)[:, None],
            held.hours[:, None],
            (held.hours * ((midnight < 6) | (midnight >= 18)))[:, None],
            held.trunk[:, None] * shown.design_trunk,
            squares.sum(axis=1)[:, None] * shown.design_branch,
            squares * shown.design_branch,
            -np.diff(edge, axis=0) / 3600,
        ]
    )
    centre = np.zeros(columns.shape[1])
    centre[count + 3 : count + 5] = 1.0
    spread = np.concatenate(
        [np.full(count, 0.0036), [0.0025, 10, 2, 0.3, 0.3], np.full(count, 0.3), np.full(count, 60)]
    )
    set_up = shown.conditions
    noise = (edge**2).sum(axis=1) + np.concatenate([[0.0], held.master]) ** 2 / held.hours[0] ** 2
    noise = noise / 3600**2 + (set_up.master_step**2 + 2 * set_up.charger_step**2) / 12
    band = np.zeros((2, len(held.master)))
    band[1] = noise[:-1] + noise[1:] + (0.0005 * held.master) ** 2 + 1e-6
    band[0, 1:] = -noise[1:-1]
    rest = held.master - energy.sum(axis=1) - columns @ centre
    white: NDArray[np.float64] = solveh_banded(band, np.column_stack([columns, rest]))
    normal = columns.T @ white[:, :-1] + np.diag(spread**-2.0)
    found = np.linalg.solve(normal, columns.T @ white[:, -1])[:count]
    return np.asarray(found / (1 - found), dtype=np.float64)
