"""What the faults of a charger make of an order that it settles."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

from firmware_sim.faults.model import OrderAmount, OrderDuplicate, OrderEnergy, OrderFault, OrderMissing
from firmware_sim.orders import Sold

_PER_UNIT: Final = 10**4
_PERCENT: Final = 100


def logged(sold: Sold, faults: Sequence[OrderFault], step_mwh: int) -> list[Sold]:
    """Return what gets into the log of an order, under faults in the order in which they were set."""
    found = [sold]
    for fault in faults:
        if isinstance(fault, OrderEnergy):
            found = [one.scaled(Fraction(fault.percent) / _PERCENT, step_mwh) for one in found]
        elif isinstance(fault, OrderAmount):
            found = [replace(one, surcharge=one.surcharge + int(fault.by * _PER_UNIT)) for one in found]
        elif isinstance(fault, OrderMissing):
            found = []
        elif isinstance(fault, OrderDuplicate):
            found += found[:1]
    return found
