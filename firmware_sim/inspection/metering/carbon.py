"""The carbon error (碳计量误差) by both methods of T/CIMA 0079.4, 5.6.2: with a fixed, and with a dynamic factor."""

from collections.abc import Iterator
from fractions import Fraction
from functools import partial

from firmware_sim.inspection.bench import Ability, Bench
from firmware_sim.inspection.metering import factor as factors
from firmware_sim.inspection.metering.grid import Place, conditions, places
from firmware_sim.inspection.metering.measure import (
    Compared,
    Look,
    Quantity,
    energy_between,
    flow,
    quantities,
    told_apart,
)
from firmware_sim.inspection.metering.points import key, limit_of, result
from firmware_sim.inspection.metering.registers import blurred, gained, is_gated, mark
from firmware_sim.inspection.metering.visit import Attempts, Visit, load
from firmware_sim.inspection.metering.visiting import VisitingItem, concluded
from firmware_sim.inspection.result import ItemInfo, ItemResult, PointResult

ALL = "all"  # a sequence of all factors, where a reading names its factor
_NEEDS = frozenset({Ability.CARBON, Ability.FACTOR})


class FixedFactor(VisitingItem):
    """The factor stands; the current changes in falling order (5.6.2.2)."""

    info = ItemInfo(
        "metering.carbon.fixed",
        "5.6.2.2",
        "metering",
        "Carbon error, fixed-factor method",
        "碳计量误差（固定因子法）",
        needs=_NEEDS,
    )

    def visits(self, bench: Bench) -> Iterator[Visit]:
        """Yield the load points in their order."""
        for voltage, balance in conditions(bench.rating, bench.selection):
            for factor_mg in bench.selection.factors:
                for place in places(bench.rating, bench.selection, balance=balance, voltage_mv=voltage):
                    yield Visit(bench, place, "fixed", factor_mg)


class DynamicFactor:
    """The current stands; the factor steps from one value to the next (5.6.2.3).

    Each step is judged by itself, and so is the whole sequence: C = P·Σ(δ·Δt) over all steps of a run shows what is
    lost or counted with the wrong factor where one gives way to the next.
    """

    info = ItemInfo(
        "metering.carbon.dynamic",
        "5.6.2.3",
        "metering",
        "Carbon error, dynamic-factor method",
        "碳计量误差（动态因子法）",
        needs=_NEEDS,
    )

    def estimate_ms(self, bench: Bench) -> int:
        """Return how long all load points take."""
        return sum(
            visit.estimate_ms()
            for place in self._places(bench)
            if self._known(bench, place) is None
            for visit in self._visits(bench, place)
        )

    async def run(self, bench: Bench) -> ItemResult:
        """Measure every load point; a current that was interrupted begins again."""
        began = int(bench.time.now())
        points: list[PointResult] = []
        every, attempts = list(self._places(bench)), Attempts(bench)
        for number, place in enumerate(every, 1):
            known = self._known(bench, place)
            if known is None:
                bench.tell(f"current {number} of {len(every)}: {place.key}")
                known = await attempts(partial(self._sequence, bench, place))
            points += known
        return concluded(self.info.id, bench, began, points, attempts)

    async def _sequence(self, bench: Bench, place: Place) -> list[PointResult]:
        await load(bench, place.point)
        visits = self._visits(bench, place)
        whole = []
        for _ in range(bench.selection.runs):
            account = _Account(bench, place)
            for visit in visits:
                await account.step(visit)
                await visit.read()
            whole.append(await account.close(visits[-1]))
        found = [point for visit in visits for point in visit.results()]
        limit = _sequence_limit(bench, place)
        over_all = result(
            bench,
            place,
            whole,
            quantity="carbon",
            method="dynamic",
            factor=ALL,
            limit=limit,
            name=key(place, None, "register", ALL),
        )
        bench.done(over_all)
        return [*found, over_all]

    def _known(self, bench: Bench, place: Place) -> list[PointResult] | None:
        over_all = bench.known.get(key(place, None, "register", ALL))
        found = [visit.known() for visit in self._visits(bench, place)]
        if over_all is None or any(points is None for points in found):
            return None
        return [*(point for points in found if points is not None for point in points), over_all]

    @staticmethod
    def _visits(bench: Bench, place: Place) -> list[Visit]:
        return [Visit(bench, place, "dynamic", factor_mg) for factor_mg in bench.selection.factors]

    @staticmethod
    def _places(bench: Bench) -> Iterator[Place]:
        for voltage, balance in conditions(bench.rating, bench.selection):
            yield from places(bench.rating, bench.selection, balance=balance, voltage_mv=voltage)


class _Account:
    """Carbon over a sequence of factors, from the first register reading to the last."""

    def __init__(self, bench: Bench, place: Place) -> None:
        self._bench = bench
        self._place = place
        self._limit = _sequence_limit(bench, place)
        self._first: Look | None = None
        self._gated = False
        self._steps: list[tuple[int, Fraction, Fraction]] = []  # factor, instant, how uncertain it is in ms

    async def step(self, visit: Visit) -> None:
        """Give the next factor; the first one before the registers are read."""
        bench, factor_mg = self._bench, visit.factor_mg
        assert factor_mg is not None
        before = bench.time.now()
        await factors.give(bench, factor_mg)
        after = bench.time.now()
        if await factors.expect(bench, factor_mg):
            after = bench.time.now()  # it came into force later than it was written
        if self._first is None:
            quantity, _ = quantities(bench, factor_mg)
            self._gated = is_gated(bench, quantity, self._place.point, self._limit)
            self._first = await self._mark(visit)
            self._steps.append((factor_mg, self._first.middle, Fraction(0)))
        else:
            self._steps.append((factor_mg, (before + after) / 2, (after - before) / 2))

    async def close(self, visit: Visit) -> Compared:
        """Read the register once more; return what device and standard say of the whole sequence, ng."""
        bench, point, first = self._bench, self._place.point, self._first
        assert first is not None
        last = await self._mark(visit)
        ends = [*(instant for _, instant, _ in self._steps[1:]), last.middle]
        standard = count = uncertainty = Fraction(0)
        before: Quantity | None = None
        for (factor_mg, begin, vague_ms), end in zip(self._steps, ends, strict=True):
            quantity, _ = quantities(bench, factor_mg)
            energy, uncertain = await energy_between(bench, point, begin, end)
            standard += quantity.of(energy)
            uncertainty += quantity.of(uncertain)
            if before is not None:
                count += vague_ms * abs(flow(quantity, point) - flow(before, point))
            before = quantity
        largest, _ = quantities(bench, max(factor_mg for factor_mg, _, _ in self._steps))
        name = largest.register(point)
        count += blurred(bench, name, flow(largest, point), (first, last), gated=self._gated)
        device = Fraction(gained(bench, name, first.values[name], last.values[name]))
        whole = Compared("register", standard, device, count, last.middle - first.middle, uncertainty=uncertainty)
        return told_apart(whole, self._limit)

    async def _mark(self, visit: Visit) -> Look:
        quantity, _ = quantities(self._bench, visit.factor_mg)
        return await mark(self._bench, quantity, self._place.point, self._limit, visit.wait_until, gated=self._gated)


def _sequence_limit(bench: Bench, place: Place) -> Fraction:
    return max(limit_of(bench, place, factor_mg) for factor_mg in bench.selection.factors)
