"""Solves stored slots again from what is stored with them (复算), and compares to the bit.

Three things are checked of each version: its solve_id is the hash of its topology, measurements and settings; its
factors, through-flows and what was dispatched are what the solver makes of the powers it used; and those powers are
what the reconciliation makes of the measurements. The last one depends on how well each power is known: where the
registry, the configuration or the records say otherwise today, it can't be repeated, and that is told.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection

from cloud_receiver.grid import shelf
from cloud_receiver.grid.analysis import reading
from cloud_receiver.grid.analysis.layout import Layout
from cloud_receiver.grid.analysis.periods import SLOT_MS, Span, utc
from cloud_receiver.grid.config import Grid as GridSettings
from cloud_receiver.grid.kept import Floats, KeptError, KeptSlot, NodeQuality, Powers, solve_id
from cloud_receiver.grid.service import plan as plans
from cloud_receiver.grid.service.collect import Collector
from cloud_receiver.grid.service.fallback import quality_of
from cloud_receiver.grid.service.plan import Plan
from cloud_receiver.grid.service.solve import core_slot, solve
from cloud_receiver.grid.service.unfed import unfed
from cloud_receiver.grid.service.weigh import sigmas
from cloud_receiver.grid.telemetry import TelemetryError
from cloud_receiver.registry import Registry
from diantan_core import CarbonFlowError, QuantityError
from wire.messages import Origin

MOST_TOLD: Final = 10
"""Differences that are told of a slot; the others are counted."""


@dataclass
class Verdict:
    """What came of a version of a slot."""

    start_ms: int
    version: int
    solve_id: str
    differences: list[str] = field(default_factory=list)
    count: int = 0
    """Of differences."""
    unrepeated: str = ""
    """Why the reconciliation couldn't be repeated; empty where it was, or where there was none."""

    def differs(self, text: str) -> None:
        """Note a difference."""
        self.count += 1
        if len(self.differences) < MOST_TOLD:
            self.differences.append(text)

    def record(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "interval_start_utc": utc(self.start_ms),
            "version": self.version,
            "solve_id": self.solve_id,
            "agrees": not self.count,
            "differences": self.differences,
            "difference_count": self.count,
            "reconciliation_not_repeated": self.unrepeated or None,
        }


class Verifier:
    """Verifies slots of one store."""

    def __init__(self, connection: Connection, registry: Registry, settings: GridSettings) -> None:
        self._connection = connection
        self._grids = shelf.grids(connection)
        self._numbers = plans.numbers(connection)
        self._registry = registry
        self._settings = settings
        self._plans: dict[int, Plan] = {}
        self._collectors: dict[tuple[int, int], Collector] = {}

    def run(self, span: Span, progress: Callable[[int], None] = lambda _: None) -> Iterator[Verdict]:
        """Verify all versions of the slots of a span."""
        for window in reading.windows(reading.clipped(self._connection, span)):
            found = list(shelf.slots(self._connection, window.first_ms, window.end_ms, all_versions=True))
            last = {slot.start_ms: slot.version for slot in found}
            for slot in found:
                yield self.verify(slot, newest=last[slot.start_ms] == slot.version)
            progress(window.end_ms)

    def verify(self, slot: KeptSlot, *, newest: bool = True) -> Verdict:
        """Verify a version of a slot. What one that isn't the newest was weighed by may be known no more."""
        verdict = Verdict(slot.start_ms, slot.version, slot.solve_id.hex())
        try:
            kept = self._grids[slot.grid]
            Layout(kept).check(slot)
        except (KeyError, KeptError) as error:
            verdict.differs(f"grid {slot.grid}: {error}")
            return verdict
        plan = self._plans.setdefault(slot.grid, Plan(kept, self._registry, self._numbers))
        settings = slot.summary.get("settings")
        if not isinstance(settings, dict):
            verdict.differs("the settings it was solved with are not stored")
            return verdict
        again = solve_id(kept.grid, slot.start_ms, slot.measured, settings)
        if again != slot.solve_id:
            verdict.differs(f"solve_id: stored {slot.solve_id.hex()}, again {again.hex()}")
        self._solution(plan, slot, settings, verdict)
        self._powers(plan, slot, settings, verdict, newest=newest)
        return verdict

    def _solution(self, plan: Plan, slot: KeptSlot, settings: dict[str, Any], verdict: Verdict) -> None:
        nodes, ids = slot.nodes, [node.id for node in plan.grid.nodes]
        solved = str(slot.summary.get("error", "")).startswith("not solved") is False
        if not solved:
            for name, quality, factor in zip(ids, nodes.qualities, nodes.factors, strict=True):
                if quality is not NodeQuality.UNSOLVED or not math.isnan(factor):
                    verdict.differs(f"node {name}: has a result, though the slot was not solved")
            again: Sequence[int | None] = [None] * len(ids)
        else:
            try:
                flow = plan.core.solve(core_slot(slot.used))
                again = flow.factors_mg_per_kwh
            except (CarbonFlowError, QuantityError) as error:
                verdict.differs(f"can't be solved: {error}")
                return
            rows = zip(ids, nodes.factors, flow.factors, nodes.flux, flow.flux_megawatts, strict=True)
            for name, factor, factor_again, flux, flux_again in rows:
                if not _same(factor, math.nan if factor_again is None else factor_again):
                    verdict.differs(f"node {name}: factor: stored {factor!r}, again {factor_again!r} kg/kWh")
                if not _same(flux, flux_again):
                    verdict.differs(f"node {name}: through-flow: stored {flux!r}, again {flux_again!r} MW")
            islands = unfed(plan.grid, slot.measured)
            for place, (name, quality, said) in enumerate(zip(ids, nodes.qualities, flow.qualities, strict=True)):
                quality_again = quality_of(said, place in islands)
                if quality is not quality_again:
                    told = f"stored {quality.name.lower()}, again {quality_again.name.lower()}"
                    verdict.differs(f"node {name}: quality: {told}")
        self._dispatched(ids, slot, again, settings, verdict)

    @staticmethod
    def _dispatched(
        ids: Sequence[str], slot: KeptSlot, again: Sequence[int | None], settings: dict[str, Any], verdict: Verdict
    ) -> None:
        held = {row[0]: row[1] for row in settings.get("held", ())}
        rows = zip(ids, slot.nodes.dispatched, slot.nodes.origins, again, strict=True)
        for place, (name, sent, origin, own) in enumerate(rows):
            expected = own
            if origin is Origin.HELD:
                expected = held.get(place)
            elif origin is Origin.OFFICIAL:
                expected = settings.get("official")
            if sent != expected or (origin is not Origin.SOLVED and own is not None):
                verdict.differs(f"node {name}: {origin.name.lower()}: dispatched {sent}, again {expected} mg/kWh")

    def _powers(self, plan: Plan, slot: KeptSlot, settings: dict[str, Any], verdict: Verdict, *, newest: bool) -> None:
        if "reconciliation" not in slot.summary:
            if slot.used.pack() != slot.measured.pack():
                verdict.differs("powers: others were used than were measured, without a reconciliation")
            return
        try:
            collected = self._collector(plan, slot.start_ms).slot(slot.start_ms)
        except TelemetryError as error:
            verdict.unrepeated = f"its telemetry can't be read: {error}"
            return
        weights = sigmas(plan, collected, self._settings)
        if weights.digest != settings.get("sigmas"):
            why = "registry, configuration or records" if newest else "it is not the newest version: the records"
            verdict.unrepeated = f"{why} are others now, and with them the weights of its powers"
            return
        used = solve(plan, slot.measured, weights).used
        for name, stored, again in _columns(slot.used, used):
            if not all(map(_same, stored, again)):
                number = sum(not _same(one, other) for one, other in zip(stored, again, strict=True))
                verdict.differs(f"powers: {number} of {name} come out otherwise")

    def _collector(self, plan: Plan, start_ms: int) -> Collector:
        """Return what collects a slot: one for some slots, since each asks the store."""
        first_ms = start_ms - start_ms % (reading.AT_ONCE * SLOT_MS)
        key = plan.kept.id, first_ms
        if key not in self._collectors:
            end_ms = first_ms + reading.AT_ONCE * SLOT_MS
            factor = float(self._settings.max_factor)
            self._collectors = {key: Collector(self._connection, plan, first_ms, end_ms, factor)}
        return self._collectors[key]


def _columns(one: Powers, other: Powers) -> tuple[tuple[str, Floats, Floats], ...]:
    return (
        ("branches", one.flows, other.flows),
        ("generators", one.sources, other.sources),
        ("loads", one.loads, other.loads),
        ("storages", one.storages, other.storages),
    )


def _same(one: float, other: float) -> bool:
    """Return whether two numbers are the same to the bit, the sign of 0 aside; NaN is itself."""
    return one == other or (math.isnan(one) and math.isnan(other))
