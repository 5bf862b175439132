"""Errors in reverse (反向计量误差): pulses and registers while the power flows out, for energy and for carbon.

Clause 5.6 of T/CIMA 0079.4, as it is known here, names load points without a direction, and registers for both. So the
points of reverse are a choice of ours: Imax and Itr at power factor 1, balanced, with the largest of the plan's
factors; the limits are those of the same load forward.
"""

from collections.abc import Iterator
from typing import Final

from firmware_sim.inspection.bench import Ability, Bench
from firmware_sim.inspection.metering.carbon import concluded
from firmware_sim.inspection.metering.grid import place_of
from firmware_sim.inspection.metering.points import factor_text
from firmware_sim.inspection.metering.visit import Attempts, Visit
from firmware_sim.inspection.result import ItemInfo, ItemResult, PointResult

_CURRENTS: Final = ("Imax", "Itr")
_CARBON: Final = frozenset({Ability.CARBON, Ability.FACTOR})


class Reverse:
    """Energy and, on a device that is given factors, carbon at a large and a small reverse load."""

    info = ItemInfo(
        "metering.reverse",
        "5.6",
        "metering",
        "Electricity and carbon error in reverse",
        "反向电能与碳计量误差",
        needs=frozenset({Ability.REVERSE}),
    )

    def estimate_ms(self, bench: Bench) -> int:
        """Return how long all load points take."""
        return sum(visit.estimate_ms() for visit in self._visits(bench) if visit.known() is None)

    async def run(self, bench: Bench) -> ItemResult:
        """Measure every load point; those of an interrupted run are taken over."""
        began = int(bench.time.now())
        points: list[PointResult] = []
        visits, attempts = list(self._visits(bench)), Attempts(bench)
        for number, visit in enumerate(visits, 1):
            known = visit.known()
            if known is None:
                what = "electricity" if visit.factor_mg is None else f"carbon, {factor_text(visit.factor_mg)}"
                bench.tell(f"point {number} of {len(visits)}: {visit.place.key}, {what}")
                known = await attempts(visit.measure)
            points += known
        return concluded(self.info.id, bench, began, points, attempts)

    @staticmethod
    def _visits(bench: Bench) -> Iterator[Visit]:
        factors = [max(bench.selection.factors)] if bench.dut.abilities >= _CARBON else []
        for current in _CURRENTS:
            place = place_of(bench.rating, "1.0", current, is_reverse=True)
            yield Visit(bench, place, "electricity", None)
            for factor_mg in factors:
                yield Visit(bench, place, "fixed", factor_mg)
