"""What chargers lose that meter their output (直流侧计量): their conversion (交直流变换) lies before the meter.

With an efficiency η ± a (registry: `dc_efficiency_percent`, `dc_efficiency_uncertainty_percent`), E at the output is
E/η at the input; what a vehicle feeds back (V2G) arrives as E·η. The efficiency of chargers of one make is off alike:
the limits of several add up, not their squares.
"""

from collections.abc import Mapping
from typing import NamedTuple

from cloud_receiver.checks.model import Context
from cloud_receiver.registry import Meter, Role


class Conversion(NamedTuple):
    """A loss and how far it may be off, mWh; both 0 of a charger that meters its input."""

    mwh: float
    limit_mwh: float


def of_meter(meter: Meter, energy: tuple[int, int]) -> Conversion:
    """Return what a charger lost before its meter, of (forward, reverse) in mWh."""
    return of_output(meter, energy) if meter.dc_output else Conversion(0.0, 0.0)


def of_output(meter: Meter, energy: tuple[int, int]) -> Conversion:
    """Return what a charger loses, of (forward, reverse) at its output in mWh, whichever side it meters."""
    efficiency = float(meter.dc_efficiency_percent) / 100
    limit = float(meter.dc_efficiency_uncertainty_percent) / 100
    forward, reverse = energy
    return Conversion(
        forward * (1 / efficiency - 1) + reverse * (1 - efficiency), forward * limit / efficiency**2 + reverse * limit
    )


def of_meters(context: Context, energy: Mapping[int, tuple[int, int]]) -> Conversion:
    """Return what all chargers of a station lost before their meters, of energies by meter."""
    found = [of_meter(context.meters[number], energy.get(number, (0, 0))) for number in context.numbers(Role.CHARGER)]
    return Conversion(sum(item.mwh for item in found), sum(item.limit_mwh for item in found))


def relative_limit(meter: Meter) -> float:
    """Return how far the input of a charger may be off because of its efficiency, as a share of it."""
    if not meter.dc_output:
        return 0.0
    return float(meter.dc_efficiency_uncertainty_percent / meter.dc_efficiency_percent)
