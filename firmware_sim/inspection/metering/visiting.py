"""Items that visit one load point after the other, and what the visits come to."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from firmware_sim.inspection.bench import Bench
from firmware_sim.inspection.metering.points import factor_text
from firmware_sim.inspection.metering.visit import Attempts, Visit
from firmware_sim.inspection.result import ItemInfo, ItemResult, PointResult, Verdict


class VisitingItem(ABC):
    """Measures every load point by itself; those of an interrupted run are taken over."""

    info: ItemInfo

    @abstractmethod
    def visits(self, bench: Bench) -> Iterator[Visit]:
        """Yield the load points in their order."""

    def estimate_ms(self, bench: Bench) -> int:
        """Return how long all load points take."""
        return sum(visit.estimate_ms() for visit in self.visits(bench) if visit.known() is None)

    async def run(self, bench: Bench) -> ItemResult:
        """Measure every load point."""
        began = int(bench.time.now())
        points: list[PointResult] = []
        visits, attempts = list(self.visits(bench)), Attempts(bench)
        for number, visit in enumerate(visits, 1):
            known = visit.known()
            if known is None:
                what = "electricity" if visit.factor_mg is None else f"{factor_text(visit.factor_mg)} kg/kWh"
                bench.tell(f"point {number} of {len(visits)}: {visit.place.key}, {what}")
                known = await attempts(visit.measure)
            points += known
        return concluded(self.info.id, bench, began, points, attempts)


def concluded(
    item: str, bench: Bench, began: int, points: list[PointResult], attempts: Attempts | None = None
) -> ItemResult:
    """Return an item's result: it fails with one of its points, and says which limits were used."""
    verdict = Verdict.PASSED if all(point.good for point in points) else Verdict.FAILED
    figures = {"points": str(len(points)), "beyond the limit": str(sum(not point.good for point in points))}
    if attempts is not None and attempts.again:
        figures["measured once more"] = str(attempts.again)
    note = f"limits: {bench.limits.name}"
    if not points:
        return ItemResult(
            item, Verdict.SKIPPED, began, began, note="the device has neither registers nor pulses for it"
        )
    return ItemResult(item, verdict, began, int(bench.time.now()), points=tuple(points), note=note, figures=figures)
