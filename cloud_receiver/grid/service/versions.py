"""Slots from collection to the store: a version for each that comes out other than the one before it, in order of time.

A slot depends on what was measured in it, on what its storages hold when it begins, and, where it falls back, on the
slots before it. So a correction goes on into the slots after it, until one comes out as it was.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from cloud_receiver.grid import shelf
from cloud_receiver.grid.config import Grid as GridSettings
from cloud_receiver.grid.kept import TANK, KeptSlot, Powers, solve_id
from cloud_receiver.grid.official import OfficialFactor
from cloud_receiver.grid.service.collect import HOURS, Collected, Collector, missing, with_tanks
from cloud_receiver.grid.service.fallback import results
from cloud_receiver.grid.service.newest import Newest, last_start_ms, newest, next_start_ms
from cloud_receiver.grid.service.plan import SLOT_MS, Plan
from cloud_receiver.grid.service.solve import Solution, solve
from cloud_receiver.grid.service.summary import summary
from cloud_receiver.grid.service.unfed import unfed
from cloud_receiver.grid.service.weigh import sigmas
from cloud_receiver.grid.telemetry import TelemetryError
from wire.messages import Origin

log = logging.getLogger(__name__)

_FORM = 1
"""Part of what is hashed: a program that solves otherwise counts it up."""


@dataclass
class Solved:
    """What a transaction made of its slots: new versions, and later slots that they may change."""

    slots: list[KeptSlot] = field(default_factory=list)
    follow: set[int] = field(default_factory=set)


class Versions:
    """Solves slots inside one transaction."""

    def __init__(
        self,
        connection: Connection,
        plans: Mapping[int, Plan],
        settings: GridSettings,
        official: OfficialFactor,
        now_ms: int,
    ) -> None:
        self._connection = connection
        self._plans = plans
        self._settings = settings
        self._official = official
        self._now_ms = now_ms
        self._node_ids = {number: [node.id for node in plan.grid.nodes] for number, plan in plans.items()}
        self._kept: dict[int, Newest] = {}

    def solve(self, plan: Plan, starts: Collection[int], end_ms: int, hasty: Collection[int] = ()) -> Solved:
        """Solve slots of one grid, in order; those that are `hasty` only if nothing is missing.

        Slots before `end_ms` that a correction may change are solved too.
        """
        solved, pending = Solved(), set(starts)
        first, end = min(pending), end_ms
        reach = max(self._settings.hold_slots, 1) * SLOT_MS
        self._kept = newest(self._connection, first - reach, end, self._node_ids)
        last = last_start_ms(self._connection)
        collect = self._collection(plan, first, end)
        while pending:
            start = min(pending)
            pending.remove(start)
            try:
                slot = self._slot(plan, collect(start), complete_only=start in hasty)
            except (SQLAlchemyError, OSError):
                raise
            except Exception as error:
                # One bad slot must stop neither the others nor the intake.
                log.exception("the slot %d ms of the grid can't be solved", start)
                slot = self._failed(plan, start, error)
            before = self._kept.get(start)
            if slot is None or (before is not None and before.solve_id == slot.solve_id):
                continue
            # At once: the next slot begins with what this one leaves.
            shelf.enter_slots(self._connection, [slot])
            self._kept[start] = Newest(
                start, slot.version, slot.grid, slot.solve_id, slot.nodes, slot.summary, self._node_ids[slot.grid]
            )
            solved.slots.append(slot)
            if last is not None and start < last:
                following = self._following(start, before)
                pending |= {after for after in following if after < end_ms}
                solved.follow |= {after for after in following if after >= end_ms}
        return solved

    def _collection(self, plan: Plan, first_ms: int, end_ms: int) -> Callable[[int], Collected]:
        """Return what collects a slot: all at once, or one by one where something in the store can't be read."""
        largest = float(self._settings.max_factor)
        try:
            return Collector(self._connection, plan, first_ms, end_ms, largest).slot
        except TelemetryError:
            return lambda start: Collector(self._connection, plan, start, start + SLOT_MS, largest).slot(start)

    def _following(self, start_ms: int, before: Newest | None) -> set[int]:
        """Return the slots that this new version may change."""
        reach = start_ms + (self._settings.hold_slots + 1) * SLOT_MS
        after = newest(self._connection, start_ms + SLOT_MS, reach, self._node_ids)
        found = {start for start, slot in after.items() if slot.falls_back}
        slot = self._kept[start_ms]
        left = slot.tanks, slot.efficiencies
        if slot.tanks and (before is None or (before.tanks, before.efficiencies) != left):
            following = next_start_ms(self._connection, start_ms)
            found |= set() if following is None else {following}
        return found

    def _slot(self, plan: Plan, collected: Collected, *, complete_only: bool) -> KeptSlot | None:
        lacking = sorted(plan.label(variable) for variable in missing(plan, collected.powers))
        if complete_only and lacking:
            return None
        measured = self._with_tanks(plan, collected)
        weights = sigmas(plan, collected, self._settings)
        if collected.told:
            solution = solve(plan, measured, weights)
        else:
            solution = Solution(measured, None, None, (), "not solved: nothing was measured")
        return self._version(plan, collected, measured, solution, {"sigmas": weights.digest, "missing": lacking})

    def _version(
        self, plan: Plan, collected: Collected, measured: Powers, solution: Solution, inputs: dict[str, Any]
    ) -> KeptSlot:
        start = collected.start_ms
        before = [self._kept.get(start - ago * SLOT_MS) for ago in range(1, self._settings.hold_slots + 1)]
        node_ids = self._node_ids[plan.kept.id]
        islands = unfed(plan.grid, measured)
        found = results(solution.flow, node_ids, before, self._official.value_mg_per_kwh, islands)
        lacking = inputs.pop("missing")
        settings = {"form": _FORM, **inputs}
        if found.held:
            settings["held"] = [[place, *held] for place, held in sorted(found.held.items())]
        if Origin.OFFICIAL in found.nodes.origins:
            settings["official"] = self._official.value_mg_per_kwh
        earlier = self._kept.get(start)
        late = sorted(_late(earlier).difference(lacking))
        told = summary(
            *(plan, collected, solution, found),
            missing=lacking,
            late=late,
            tanks=_tanks_after(plan, measured, solution),
            official=self._official,
        )
        # With them the solve_id can be found again from the row alone (grid verify).
        told["settings"] = settings
        if plan.grid.storages:
            told["efficiencies"] = {
                storage.id: list(measured.storages[TANK * place + 2 : TANK * place + 4])
                for place, storage in enumerate(plan.grid.storages)
            }
        return KeptSlot(
            start,
            1 if earlier is None else earlier.version + 1,
            plan.kept.id,
            solve_id(plan.grid, start, measured, settings),
            self._now_ms,
            measured,
            solution.used,
            found.nodes,
            told,
        )

    def _failed(self, plan: Plan, start: int, error: Exception) -> KeptSlot:
        """Return the version of a slot that nothing could be made of."""
        collected = Collected(start, Powers.missing(plan.grid, HOURS))
        collected.flag("slot", f"{type(error).__name__}: {error}"[:500])
        measured = self._with_tanks(plan, collected)
        solution = Solution(measured, None, None, (), f"not solved: {type(error).__name__}: {error}")
        return self._version(plan, collected, measured, solution, {"error": solution.error, "missing": []})

    def _with_tanks(self, plan: Plan, collected: Collected) -> Powers:
        """Return the measurements with what the storages hold: what they held when the last slot ended."""
        start_ms = collected.start_ms
        if not plan.grid.storages:
            return collected.powers
        slot = self._kept.get(start_ms - SLOT_MS)
        if slot is None and (last := last_start_ms(self._connection, start_ms)) is not None:
            slot = newest(self._connection, last, last + 1, self._node_ids)[last]
        tanks, efficiencies = ({}, {}) if slot is None else (slot.tanks, slot.efficiencies)
        places = list(enumerate(storage.id for storage in plan.grid.storages))
        return with_tanks(
            collected.powers,
            {place: tanks[name] for place, name in places if name in tanks},
            {place: efficiencies[name] for place, name in places if name in efficiencies},
        )


def _late(earlier: Newest | None) -> set[str]:
    if earlier is None:
        return set()
    summary = earlier.summary
    return {*summary["missing"]["first"], *summary["late"]["first"]}


def _tanks_after(plan: Plan, measured: Powers, solution: Solution) -> dict[str, tuple[float, float, float]]:
    tanks: dict[str, tuple[float, float, float]] = {}
    for place, storage in enumerate(plan.grid.storages):
        at = TANK * place
        energy, carbon, unknown = measured.storages[at + 4 : at + TANK]
        tank = energy, carbon, unknown
        charge, discharge = solution.used.storages[at : at + 2]
        if solution.flow is not None and not isnan(charge) and not isnan(discharge):
            tank = solution.flow.tanks[place]
        if all(not isnan(number) for number in tank):
            tanks[storage.id] = tank
    return tanks
