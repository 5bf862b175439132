"""The electricity error (电能计量误差, T/CIMA 0079.4, 5.6.1), beside which the carbon error is seen."""

from collections.abc import Iterator
from fractions import Fraction
from functools import partial

from firmware_sim.inspection.bench import Bench
from firmware_sim.inspection.metering.grid import conditions, place_of, places
from firmware_sim.inspection.metering.judging import error_percent, text
from firmware_sim.inspection.metering.limits import NoLimitError
from firmware_sim.inspection.metering.visit import Attempts, Visit, load
from firmware_sim.inspection.metering.visiting import VisitingItem
from firmware_sim.inspection.result import ItemInfo, ItemResult, Step, Verdict

_REPEATED = 5  # readings, as one public bench program takes for its spread
_REPEATED_AT = (("1.0", "Imax"), ("1.0", "Itr"), ("1.0", "Imin"), ("0.5L", "Itr"))


class Electricity(VisitingItem):
    """Every current, power factor and load condition, without regard to factors."""

    info = ItemInfo("metering.electricity", "5.6.1", "electricity", "Electricity error", "电能计量误差")

    def visits(self, bench: Bench) -> Iterator[Visit]:
        """Yield the load points in their order."""
        for voltage, balance in conditions(bench.rating, bench.selection):
            for place in places(bench.rating, bench.selection, balance=balance, voltage_mv=voltage):
                yield Visit(bench, place, "electricity", None)


class Repeatability:
    """How far readings of one load point lie apart (重复性)."""

    info = ItemInfo("metering.repeatability", "", "electricity", "Repeatability", "重复性")

    def estimate_ms(self, bench: Bench) -> int:
        """Return how long the readings take."""
        runs = bench.selection.runs
        return sum(visit.estimate_ms(self._way(visit)) * _REPEATED // runs for visit in self._visits(bench))

    async def run(self, bench: Bench) -> ItemResult:
        """Take five readings at each of a few points: by pulses, or by registers where there are none."""
        began = int(bench.time.now())
        try:
            for visit in self._visits(bench):
                bench.limits.repeatability_percent(bench.rating, visit.place.point)
        except NoLimitError as error:
            return ItemResult(self.info.id, Verdict.SKIPPED, began, began, note=str(error))
        steps, attempts = [], Attempts(bench)
        for visit in self._visits(bench):
            bench.tell(visit.place.key)
            steps.append(await attempts(partial(self._point, bench, visit)))
        verdict = Verdict.PASSED if all(step.good for step in steps) else Verdict.FAILED
        note = f"limits: {bench.limits.name}"
        return ItemResult(self.info.id, verdict, began, int(bench.time.now()), tuple(steps), note=note)

    @classmethod
    async def _point(cls, bench: Bench, visit: Visit) -> Step:
        visit.compared.clear()
        by = cls._way(visit)
        limit = bench.limits.repeatability_percent(bench.rating, visit.place.point)
        await load(bench, visit.place.point)
        for _ in range(_REPEATED):
            await visit.read(by, counted_for=limit)
        compared = visit.compared[by]
        errors = [error_percent(item.device, item.standard) for item in compared]
        spread = max(errors) - min(errors)
        counting = max(item.count_percent for item in compared)
        # Pulses are counted until counting is a tenth of this limit. Registers can't be: what counting does to two
        # readings is no spread of the meter's.
        slack = 2 * counting if by == "register" else 0
        more = f", and {text(Fraction(slack), 4)} % for counting" if slack else ""
        return Step(
            f"{visit.place.power_factor} {visit.place.current}, {by}: largest less smallest error",
            f"at most {text(limit, 4)} %{more}",
            f"{text(spread, 4)} %, of {', '.join(text(error, 4) for error in errors)}",
            spread <= limit + slack,
        )

    @staticmethod
    def _way(visit: Visit) -> str:
        return "pulse" if "pulse" in visit.ways else "register"

    @staticmethod
    def _visits(bench: Bench) -> Iterator[Visit]:
        for factor, current in _REPEATED_AT:
            chosen = place_of(bench.rating, factor, current)
            yield Visit(bench, chosen, "electricity", None)
