"""Simulated meters of plants and of the grid: generating units (机组) with their emission registers, and others."""

from dataclasses import dataclass
from typing import Final

from firmware_sim.circuit import Circuit
from firmware_sim.curves import Curve, MappedCurve
from firmware_sim.meter import Meter, MeterSettings, Row

_MS_PER_HOUR: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Fuel:
    """What a unit emits: so much for each kWh it sends out, in mg, and so much for each hour that it does, in ng.

    The second part (空载) makes the factor a function of the load: the lower the load, the higher the factor.
    """

    factor: int
    no_load_ng_per_h: int = 0

    def rate(self, power_mw: int) -> int:
        """Return the emission rate at a power, ng/h: mW times mg/kWh is ng/h."""
        return power_mw * self.factor + self.no_load_ng_per_h if power_mw > 0 else 0


class GridMeter(Meter):
    """A meter without any carbon register: it shows none, instead of 0."""

    def _carbon(self, energy_mwh: int, factor: int) -> int:
        del energy_mwh, factor
        return 0

    def _shown(self) -> Row:
        return {**super()._shown(), "carbon_forward": None, "carbon_reverse": None}


class UnitMeter(Meter):
    """A generating unit's meter. Its emission follows from what it really sends out, not from what its meter shows."""

    def __init__(self, load: Curve, circuit: Circuit, settings: MeterSettings, fuel: Fuel) -> None:
        # In the place of a power in mW a rate in ng/h, and so ng/h·ms in the place of µJ.
        self._rate = MappedCurve(load, fuel.rate)
        super().__init__(load, circuit, settings)

    def emitted_ng(self, until_ms: int) -> int:
        """Return what was emitted from the start to an instant, in whole ng."""
        return self._rate.energy_at(until_ms)[0] // _MS_PER_HOUR

    def _carbon(self, energy_mwh: int, factor: int) -> int:
        del energy_mwh, factor
        return 0

    def _accumulate(self, until_ms: int) -> None:
        self._totals.carbon_forward += self.emitted_ng(until_ms) - self.emitted_ng(self._now_ms)
        super()._accumulate(until_ms)
