"""Which charger explains a station's imbalance: an indication for a person, not a verdict.

Ridge regression of the slots' imbalance on the chargers' energies, each charger's error having the prior of its class.
The estimation with stated uncertainty is another program's part; a common error of all chargers can't be told from the
grid-side meter's own here.
"""

from collections.abc import Sequence
from math import sqrt
from typing import TypedDict

from cloud_receiver.checks.model import Context
from cloud_receiver.checks.tolerance import SlotEnergy, balance
from cloud_receiver.registry import Role

SHOWN = 3
_SMALLEST_PIVOT = 1e-12


class Suspect(TypedDict):
    """A charger and the error, in per cent of its reading, that fits the imbalance best."""

    meter: str
    apparent_error_percent: float
    class_percent: float


def suspects(context: Context, slots: Sequence[SlotEnergy]) -> list[Suspect]:
    """Return the chargers whose apparent error exceeds their class, the largest first."""
    chargers = context.numbers(Role.CHARGER)
    size = len(chargers)
    matrix = [[0.0] * size for _ in range(size)]
    right = [0.0] * size
    for slot in slots:
        result = balance(context, [slot], 1.0)
        if result is None:
            return []
        # Slots are weighted by what is uncertain in them apart from the accuracy that is asked for.
        noise = result.terms_mwh
        weight = 1 / max(
            1.0, noise["register_step"] ** 2 + noise["time"] ** 2 + noise["loss"] ** 2 + noise["auxiliary"] ** 2
        )
        energy = [float(slot.energy[number][0] - slot.energy[number][1]) for number in chargers]
        for row in range(size):
            if energy[row]:
                right[row] += weight * energy[row] * result.imbalance_mwh
                for column in range(size):
                    matrix[row][column] += weight * energy[row] * energy[column]
    classes = [float(context.meters[number].accuracy_class) for number in chargers]
    for place, limit in enumerate(classes):
        # Wide enough for a meter far beyond its class to show: three times the class as standard deviation.
        matrix[place][place] += 1 / (3 * limit / 100) ** 2
    share = _solve(matrix, right)
    # The charger's error is relative to the truth: indicated = true·(1 + e), imbalance = indicated·e/(1 + e).
    found: list[Suspect] = [
        {
            "meter": context.name(number),
            "apparent_error_percent": round(100 * part / (1 - part), 2),
            "class_percent": limit,
        }
        for number, part, limit in zip(chargers, share, classes, strict=True)
        if abs(100 * part / (1 - part)) > limit
    ]
    return sorted(found, key=lambda item: -abs(item["apparent_error_percent"]))[:SHOWN]


def _solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Solve a symmetric positive definite system by Cholesky's decomposition."""
    size = len(right)
    lower = [[0.0] * size for _ in range(size)]
    for row in range(size):
        for column in range(row + 1):
            rest = matrix[row][column] - sum(lower[row][k] * lower[column][k] for k in range(column))
            lower[row][column] = sqrt(max(rest, _SMALLEST_PIVOT)) if row == column else rest / lower[column][column]
    half = [0.0] * size
    for row in range(size):
        half[row] = (right[row] - sum(lower[row][k] * half[k] for k in range(row))) / lower[row][row]
    result = [0.0] * size
    for row in reversed(range(size)):
        result[row] = (half[row] - sum(lower[k][row] * result[k] for k in range(row + 1, size))) / lower[row][row]
    return result
