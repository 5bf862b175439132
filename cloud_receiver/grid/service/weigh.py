"""How well each power of a slot is known: the standard deviations by which the reconciliation weighs it."""

import hashlib
from array import array
from dataclasses import dataclass
from math import isnan, sqrt
from typing import Final

from cloud_receiver.grid.config import Grid as GridSettings
from cloud_receiver.grid.kept import FLOW, LOAD, SOURCE, TANK
from cloud_receiver.grid.model import Element
from cloud_receiver.grid.service.collect import Collected
from cloud_receiver.grid.service.plan import Plan, Variable

DOUBTFUL_SHARE: Final = 0.1
"""Of a power whose interval is estimated or partial: a default of this program."""
WAY_IS_SURE: Final = 3
"""A storage's standard deviation is at most this part of its power: registers say which way it went, and one that is
turned round gives what its tank doesn't hold."""
_KILOWATTS: Final = 1000


@dataclass(frozen=True)
class Sigmas:
    """Standard deviations in MW, in the order of the grid."""

    flows: list[tuple[float, float]]
    sources: list[float]
    loads: list[float]
    storages: list[float]

    @property
    def digest(self) -> str:
        """A hash of them: a solution depends on it."""
        numbers = array("d", (sigma for pair in self.flows for sigma in pair))
        for part in (self.sources, self.loads, self.storages):
            numbers.extend(part)
        return hashlib.sha256(numbers.tobytes()).hexdigest()[:16]


def sigmas(plan: Plan, collected: Collected, settings: GridSettings) -> Sigmas:
    """Return the standard deviation of each power: by its meters where gateways measured it, else as configured."""
    share = float(settings.sigma_percent) / 100
    floor = float(settings.sigma_floor_kw) / _KILOWATTS
    powers = collected.powers
    flows, sources, loads, storages = powers.flows, powers.sources, powers.loads, powers.storages

    def sigma(variable: Variable, first: float, second: float = 0.0) -> float:
        # Both registers of a power that turned were read, so their sum counts, not what is left of it.
        size = abs(first) + abs(second)
        if isnan(size):  # missing: what is found instead is not held to any reading
            return floor
        variance = collected.metered.get(variable)
        if variance is None:
            variance = (share * size) ** 2 + floor**2
        if variable in collected.doubtful:
            variance += (DOUBTFUL_SHARE * size) ** 2
        if variable[0] is Element.STORAGE:
            return min(sqrt(variance), size / WAY_IS_SURE)
        return sqrt(variance)

    return Sigmas(
        [
            (0.0, 0.0)
            if place in powers.open_branches
            else (
                sigma((Element.BRANCH, place, 0), flows[FLOW * place], flows[FLOW * place + 1]),
                sigma((Element.BRANCH, place, 1), flows[FLOW * place + 2], flows[FLOW * place + 3]),
            )
            for place in range(len(plan.grid.branches))
        ],
        [sigma((Element.GENERATOR, place, 0), sources[SOURCE * place]) for place in range(len(plan.grid.generators))],
        [sigma((Element.LOAD, place, 0), loads[LOAD * place]) for place in range(len(plan.grid.loads))],
        [
            sigma((Element.STORAGE, place, 0), storages[TANK * place], storages[TANK * place + 1])
            for place in range(len(plan.grid.storages))
        ],
    )
