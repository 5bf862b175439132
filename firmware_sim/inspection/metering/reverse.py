"""Errors in reverse (反向计量误差): pulses and registers while the power flows out, for energy and for carbon.

Clause 5.6 of T/CIMA 0079.4, as it is known here, names load points without a direction, and registers for both. So the
points of reverse are a choice of ours: Imax and Itr at power factor 1, balanced, with the largest of the plan's
factors; the limits are those of the same load forward.
"""

from collections.abc import Iterator
from typing import Final

from firmware_sim.inspection.bench import Ability, Bench
from firmware_sim.inspection.metering.grid import place_of
from firmware_sim.inspection.metering.visit import Visit
from firmware_sim.inspection.metering.visiting import VisitingItem
from firmware_sim.inspection.result import ItemInfo

_CURRENTS: Final = ("Imax", "Itr")
_CARBON: Final = frozenset({Ability.CARBON, Ability.FACTOR})


class Reverse(VisitingItem):
    """Energy and, on a device that is given factors, carbon at a large and a small reverse load."""

    info = ItemInfo(
        "metering.reverse",
        "5.6",
        "metering",
        "Electricity and carbon error in reverse",
        "反向电能与碳计量误差",
        needs=frozenset({Ability.REVERSE}),
    )

    def visits(self, bench: Bench) -> Iterator[Visit]:
        """Yield the load points in their order."""
        factors = [max(bench.selection.factors)] if bench.dut.abilities >= _CARBON else []
        for current in _CURRENTS:
            place = place_of(bench.rating, "1.0", current, is_reverse=True)
            yield Visit(bench, place, "electricity", None)
            for factor_mg in factors:
                yield Visit(bench, place, "fixed", factor_mg)
