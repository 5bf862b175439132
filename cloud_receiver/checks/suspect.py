"""Which charger explains a station's imbalance of a day: an estimate with its uncertainty, from balanced slots.

Bayesian linear regression of the slots' imbalance on the chargers' energies. Priors: a charger's error has three times
its class as standard deviation (wide, so that one far beyond shows), the modelled auxiliary load and the scale of the
modelled loss have their stated uncertainties. Slots are weighted by register steps and clocks. An error of the grid
side or of all chargers alike can't be told apart by a balance: the grid side's class is in the uncertainty, and a
charger is suspected only when it stands out from the median of those that charged too. Nor can a charger's error and
its efficiency where it meters its output: how far that may be off is in its uncertainty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, hypot, sqrt
from statistics import median
from typing import TypedDict

from cloud_receiver.checks.conversion import relative_limit
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.checks.tolerance import MWH_PER_KWH, SlotEnergy, balance, drawn_mwh
from cloud_receiver.registry import Role

PRIOR_CLASSES = 3.0
_NO_FIT = 3.0
"""What is left over its noise beyond which errors of chargers are not what is wrong with the day."""
_SMALLEST_NOISE_KWH = 1e-6
_SMALLEST_PIVOT = 1e-12
_MOST_SHARE = 1 - 1e-6
"""Of an indication that may be error: where all of it is, or more, there is no truth that it could be relative to."""
_SQRT3 = sqrt(3)


class Suspect(TypedDict):
    """A charger whose error, in per cent of the true value, is beyond its class with the stated uncertainty."""

    meter: str
    apparent_error_percent: float
    standard_uncertainty_percent: float
    class_percent: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A charger's error in per cent and its standard uncertainty."""

    number: int
    error: float
    uncertainty: float
    active_slots: int
    misfit: float
    """Of all of them together: what they leave of the imbalances, over its noise."""


def estimates(context: Context, slots: Sequence[SlotEnergy]) -> list[Estimate]:
    """Return each charger's apparent error against the grid-side meter; empty without a balance."""
    chargers = context.numbers(Role.CHARGER)
    rows: list[tuple[list[float], float, float]] = []
    for slot in slots:
        result = balance(context, [slot], 1.0)
        if result is None:
            return []
        energies = [drawn_mwh(context, slot, number) / MWH_PER_KWH for number in chargers]
        noise = hypot(result.terms_mwh["register_step"], result.terms_mwh["time"]) / MWH_PER_KWH
        columns = [*energies, slot.duration_ms / SLOT_MS, (result.loss_mwh - result.conversion_mwh) / MWH_PER_KWH]
        rows.append((columns, result.imbalance_mwh / MWH_PER_KWH, max(noise, _SMALLEST_NOISE_KWH)))
    if not rows:
        return []
    converted = [relative_limit(context.meters[number]) / _SQRT3 for number in chargers]
    priors = [
        hypot(PRIOR_CLASSES * float(context.meters[number].accuracy_class) / 100, efficiency)
        for number, efficiency in zip(chargers, converted, strict=True)
    ]
    auxiliary = 0.0 if context.numbers(Role.AUXILIARY) else float(context.station.auxiliary.load_w) / 4000
    priors.append(max(auxiliary * float(context.station.auxiliary.uncertainty_percent) / 100 / _SQRT3, 1e-6))
    priors.append(max(float(context.station.loss.uncertainty_percent) / 100 / _SQRT3, 1e-6))
    shares, deviations = _regression(rows, priors)
    misfit = _misfit(rows, shares)
    grid = hypot(*(float(context.meters[number].accuracy_class) / _SQRT3 for number in context.numbers(Role.GRID)))
    return [
        # Errors are relative to the truth: of an indication x the share e/(1 + e) is error.
        Estimate(
            number,
            100 * min(share, _MOST_SHARE) / (1 - min(share, _MOST_SHARE)),
            hypot(100 * deviation * misfit, 100 * efficiency, grid),
            sum(bool(row[0][place]) for row in rows),
            misfit,
        )
        for place, (number, share, deviation, efficiency) in enumerate(
            zip(chargers, shares, deviations, converted, strict=False)
        )
    ]


def suspects(
    context: Context, slots: Sequence[SlotEnergy], coverage_factor: float, minimum_slots: int
) -> dict[int, Suspect]:
    """Return the chargers beyond their class by more than the expanded uncertainty, by meter number."""
    found = estimates(context, slots)
    if not found or found[0].misfit > _NO_FIT:
        return {}
    # Of those that hardly charged only the prior speaks: among them an error of the grid side would stand out.
    charged = [item for item in found if item.active_slots >= minimum_slots]
    if not charged:
        return {}
    middle = median(item.error for item in charged)
    result: dict[int, Suspect] = {}
    for item in charged:
        limit = float(context.meters[item.number].accuracy_class)
        beyond = min(abs(item.error), abs(item.error - middle)) - limit
        if beyond > coverage_factor * item.uncertainty:
            result[item.number] = {
                "meter": context.name(item.number),
                "apparent_error_percent": round(item.error, 2),
                "standard_uncertainty_percent": round(item.uncertainty, 2),
                "class_percent": limit,
            }
    return result


def _regression(
    rows: Sequence[tuple[list[float], float, float]], priors: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Return the posterior means and standard deviations of the columns' coefficients."""
    size = len(priors)
    matrix = [[0.0] * size for _ in range(size)]
    right = [0.0] * size
    for columns, value, noise in rows:
        weight = noise**-2
        used = [place for place, column in enumerate(columns) if column]
        for row in used:
            right[row] += weight * columns[row] * value
            for column in used:
                matrix[row][column] += weight * columns[row] * columns[column]
    for place, prior in enumerate(priors):
        matrix[place][place] += prior**-2
    lower = _cholesky(matrix)
    inverse = [_solve(lower, [float(place == row) for place in range(size)]) for row in range(size)]
    means = [sum(part * value for part, value in zip(line, right, strict=True)) for line in inverse]
    return means, [sqrt(max(inverse[place][place], 0.0)) for place in range(size)]


def _misfit(rows: Sequence[tuple[list[float], float, float]], shares: Sequence[float]) -> float:
    """Return how much larger what is left is than its noise, at least 1 (Birge ratio): nothing explains it then.

    What one charger didn't count at all no error of the others explains, but they would be accused of it.
    """
    left = (
        (value - sum(column * share for column, share in zip(columns, shares, strict=True))) / noise
        for columns, value, noise in rows
    )
    return max(1.0, sqrt(fsum(rest * rest for rest in left) / max(len(rows) - len(shares), 1)))


def _cholesky(matrix: list[list[float]]) -> list[list[float]]:
    size = len(matrix)
    lower = [[0.0] * size for _ in range(size)]
    for row in range(size):
        for column in range(row + 1):
            rest = matrix[row][column] - sum(lower[row][k] * lower[column][k] for k in range(column))
            lower[row][column] = sqrt(max(rest, _SMALLEST_PIVOT)) if row == column else rest / lower[column][column]
    return lower


def _solve(lower: list[list[float]], right: list[float]) -> list[float]:
    size = len(right)
    half = [0.0] * size
    for row in range(size):
        half[row] = (right[row] - sum(lower[row][k] * half[k] for k in range(row))) / lower[row][row]
    result = [0.0] * size
    for row in reversed(range(size)):
        result[row] = (half[row] - sum(lower[k][row] * result[k] for k in range(row + 1, size))) / lower[row][row]
    return result
