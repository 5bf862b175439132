"""The carbon error (碳计量误差) by both methods of T/CIMA 0079.4, 5.6.2: with a fixed, and with a dynamic factor."""

from collections.abc import Iterator
from fractions import Fraction

from firmware_sim.inspection.bench import Ability, Bench
from firmware_sim.inspection.metering import factor as factors
from firmware_sim.inspection.metering.grid import Place, conditions, places
from firmware_sim.inspection.metering.measure import Compared, Look, Quantity, flow, look, quantities
from firmware_sim.inspection.metering.points import factor_text, key, limit_of, result
from firmware_sim.inspection.metering.visit import Visit
from firmware_sim.inspection.result import ItemInfo, ItemResult, PointResult, Verdict

ALL = "all"  # a sequence of all factors, where a reading names its factor
_NEEDS = frozenset({Ability.CARBON, Ability.FACTOR})


class FixedFactor:
    """The factor stands; the current changes in falling order (5.6.2.2)."""

    info = ItemInfo(
        "metering.carbon.fixed",
        "5.6.2.2",
        "metering",
        "Carbon error, fixed-factor method",
        "碳计量误差（固定因子法）",
        needs=_NEEDS,
    )

    def estimate_ms(self, bench: Bench) -> int:
        """Return how long all load points take."""
        return sum(visit.estimate_ms() for visit in self._visits(bench) if visit.known() is None)

    async def run(self, bench: Bench) -> ItemResult:
        """Measure every load point; those of an interrupted run are taken over."""
        began = int(bench.time.now())
        points: list[PointResult] = []
        visits = list(self._visits(bench))
        for number, visit in enumerate(visits, 1):
            assert visit.factor_mg is not None
            known = visit.known()
            if known is None:
                bench.tell(f"point {number} of {len(visits)}: {visit.place.key}, {factor_text(visit.factor_mg)}")
                await bench.source.set(visit.place.point)
                await factors.give(bench, visit.factor_mg)
                await factors.expect(bench, visit.factor_mg)
                for _ in range(bench.selection.runs):
                    await visit.read()
                known = visit.results()
            points += known
        return concluded(self.info.id, bench, began, points)

    @staticmethod
    def _visits(bench: Bench) -> Iterator[Visit]:
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
        every = list(self._places(bench))
        for number, place in enumerate(every, 1):
            known = self._known(bench, place)
            if known is None:
                bench.tell(f"current {number} of {len(every)}: {place.key}")
                known = await self._sequence(bench, place)
            points += known
        return concluded(self.info.id, bench, began, points)

    async def _sequence(self, bench: Bench, place: Place) -> list[PointResult]:
        await bench.source.set(place.point)
        visits = self._visits(bench, place)
        whole = []
        for _ in range(bench.selection.runs):
            account = _Account(bench, place)
            for visit in visits:
                assert visit.factor_mg is not None
                await account.step(visit.factor_mg)
                await visit.read()
            whole.append(await account.close())
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
        self._first: Look | None = None
        self._steps: list[tuple[int, Fraction, Fraction]] = []  # factor, instant, how uncertain it is in ms

    async def step(self, factor_mg: int) -> None:
        """Give the next factor; the first one before the registers are read."""
        bench = self._bench
        before = bench.time.now()
        await factors.give(bench, factor_mg)
        after = bench.time.now()
        if await factors.expect(bench, factor_mg):
            after = bench.time.now()  # it came into force later than it was written
        if self._first is None:
            self._first = await look(bench, [self._register(factor_mg)])
            self._steps.append((factor_mg, self._first.middle, Fraction(0)))
        else:
            self._steps.append((factor_mg, (before + after) / 2, (after - before) / 2))

    async def close(self) -> Compared:
        """Read the register once more; return what device and standard say of the whole sequence, ng."""
        bench, point, first = self._bench, self._place.point, self._first
        assert first is not None
        name = self._register(self._steps[0][0])
        last = await look(bench, [name])
        ends = [*(instant for _, instant, _ in self._steps[1:]), last.middle]
        standard = count = Fraction(0)
        before: Quantity | None = None
        for (factor_mg, begin, vague_ms), end in zip(self._steps, ends, strict=True):
            quantity, _ = quantities(bench, factor_mg)
            truth = await bench.standard.between(begin, end)
            energy = truth.reverse_mwh if point.reverse else truth.forward_mwh
            standard += quantity.of(energy)
            count += quantity.of(truth.uncertainty_mwh)
            if before is not None:
                count += vague_ms * abs(flow(quantity, point) - flow(before, point))
            before = quantity
        taking = (first.after - first.before + last.after - last.before) / 2
        largest, _ = quantities(bench, max(factor_mg for factor_mg, _, _ in self._steps))
        count += bench.dut.resolution(name) + flow(largest, point) * taking
        gained = last.values[name] - first.values[name]
        return Compared("register", standard, Fraction(gained), count, last.middle - first.middle)

    def _register(self, factor_mg: int) -> str:
        return quantities(self._bench, factor_mg)[0].register(self._place.point)


def _sequence_limit(bench: Bench, place: Place) -> Fraction:
    return max(limit_of(bench, place, factor_mg) for factor_mg in bench.selection.factors)


def concluded(item: str, bench: Bench, began: int, points: list[PointResult]) -> ItemResult:
    """Return an item's result: it fails with one of its points, and says which limits were used."""
    verdict = Verdict.PASSED if all(point.good for point in points) else Verdict.FAILED
    figures = {"points": str(len(points)), "beyond the limit": str(sum(not point.good for point in points))}
    note = f"limits: {bench.limits.name}"
    if not points:
        return ItemResult(
            item, Verdict.SKIPPED, began, began, note="the device has neither registers nor pulses for it"
        )
    return ItemResult(item, verdict, began, int(bench.time.now()), points=tuple(points), note=note, figures=figures)
