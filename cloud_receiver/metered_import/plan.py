"""Which intervals of a file are new, the records that are made of them, and the journal in which they go."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, select

from cloud_receiver import factor_messages
from cloud_receiver.factor_spans import SLOT_MS
from cloud_receiver.grid.series_told import MOST_KEPT, time_text
from cloud_receiver.metered_import import known
from cloud_receiver.metered_import.journal import Place, newest, opened
from cloud_receiver.metered_import.known import Found, Known, Totals
from cloud_receiver.metered_import.records import Maker, Making
from cloud_receiver.metered_import.registers import Pair, Step, kwh
from cloud_receiver.metered_import.wish import Outcome, Surroundings, Wish
from cloud_receiver.mistakes import Mistake, Problem
from cloud_receiver.registry import Role
from cloud_receiver.schema import gateway as gateway_table
from wire.records import DetailKey, EventCode, EventRecord, IntervalRecord, Record

_TEXT_BYTES: Final = 256
_NAME_BYTES: Final = 120
_ONE_TURN: Final = 512


class Plan:
    """Which intervals are new, and the records that are made of them."""

    def __init__(self, connection: Connection, wish: Wish, around: Surroundings, outcome: Outcome) -> None:
        self.records: list[Record] = []
        self.place = Place(b"", 1)
        self._wish = wish
        self._around = around
        self._outcome = outcome
        self._interval_ms = wish.interval_ms
        self._known = Known(())
        number = known.meter_number(connection, wish.meter.gateway, wish.meter.id)
        station = connection.execute(
            select(gateway_table.c.station).where(gateway_table.c.name == wish.meter.gateway)
        ).scalar()
        if number is not None and station is not None:
            self._known = known.read(connection, station, number, outcome.first_ms - self._interval_ms, outcome.end_ms)
        self._newest = newest(connection, wish.meter.gateway)
        factors: dict[int, int | None] = {}
        # A generating unit's emission is its own: no factor of a node applies to what it feeds in.
        if wish.meter.role is not Role.GENERATION:
            first_ms = max(outcome.first_ms - self._interval_ms, 0) // SLOT_MS * SLOT_MS
            factors = factor_messages.latest(connection, wish.station.node, first_ms, outcome.end_ms)
        self._maker = Maker(
            Making(wish.meter.id, self._interval_ms, wish.station.timezone, factors, by_slot=wish.by_slot)
        )

    async def make(self) -> None:
        """Make the records. Intervals that are stored otherwise are told, or corrected if that is wanted."""
        new = []
        for number, step in enumerate(self._steps()):
            if self._is_new(step):
                new.append(step)
            if number % _ONE_TURN == 0:
                await asyncio.sleep(0)
        if not new:
            return
        fits = not self._outcome.corrected
        for number, (step, (before, after)) in enumerate(zip(new, _neighbours(new), strict=True)):
            if number % _ONE_TURN == 0:
                await asyncio.sleep(0)
            joined = before is not None and before.start_ms + self._interval_ms == step.start_ms
            if not joined:
                fits &= self._begin(step)
            made = self._maker.records(step)
            self._count(step, made)
            self.records += made
            if after is None or after.start_ms > step.start_ms + self._interval_ms:
                fits &= self._ends(step.start_ms + self._interval_ms)
        former = None if self._newest is None else self._newest[1]
        now_ms = self._around.clock.now_ms()
        if former is None or not fits:
            self.place = opened(former, now_ms, self._around.random)
        else:
            self.place = former
        self.records.insert(0, self._event(now_ms, len(new)))

    def _steps(self) -> list[Step]:
        """Return the file's intervals, and before a file of registers the one since the last register stored."""
        steps, first = self._outcome.series.steps, self._outcome.series.first
        if first is None or (row := self._known.before(first.time_ms)) is None:
            return steps
        total = known.totals(row)
        low = (total.forward_mwh, total.reverse_mwh)
        values = self._beyond(first.values, total)
        rise = (values[0] - low[0], values[1] - low[1])
        if row.end_ms + self._interval_ms != first.time_ms or not 0 <= min(rise) <= max(rise) <= self._wish.most_mwh:
            return steps
        return [Step(first.line, row.end_ms, rise, low), *steps]

    def _is_new(self, step: Step) -> bool:
        """Count an interval, and return whether there is something of it to store."""
        outcome = self._outcome
        found, row = self._known.compare(step.start_ms, self._interval_ms, step.energy)
        if found is Found.SAME:
            outcome.same += 1
            return False
        if found is Found.OTHER and row is not None and not self._wish.correct:
            outcome.refused += 1
            self._refuse(step, row.start_ms, row.duration_ms, (row.forward_mwh, row.reverse_mwh))
            return False
        outcome.corrected += found is Found.OTHER
        outcome.new += found is Found.NOTHING
        return True

    def _refuse(self, step: Step, start_ms: int, duration_ms: int, energy: tuple[int, int]) -> None:
        stored = f"{kwh(energy[0])} kWh forward, {kwh(energy[1])} reverse from {time_text(start_ms)}"
        found = f"{kwh(step.energy[0])} kWh forward, {kwh(step.energy[1])} reverse from {time_text(step.start_ms)}"
        text = f"expected what is stored: {stored} for {duration_ms // 1000} s; found {found} (--correct)"
        if self._outcome.refused <= MOST_KEPT:
            problem = Problem(Mistake.DUPLICATE, text, self._wish.name, self._outcome.series.place(step.line))
            self._outcome.contradictions.append(problem)

    def _begin(self, step: Step) -> bool:
        """Set the registers at the beginning of a run; return whether it continues what the newest journal has."""
        row = self._known.before(step.start_ms)
        stored = Totals(-1) if row is None else known.totals(row)
        if (made := self._maker.totals) is not None and made.time_ms > stored.time_ms:
            stored = made
        forward, reverse = stored.forward_mwh, stored.reverse_mwh
        if step.before is not None:
            forward, reverse = self._beyond(step.before, stored)
        elif self._wish.base_mwh is not None and step is self._outcome.series.steps[0]:
            forward = self._wish.base_mwh
        carbon = stored.carbon_forward_ug, stored.carbon_reverse_ug
        self._maker.begin(Totals(step.start_ms, forward, reverse, *carbon))
        adjacent = row is not None and row.end_ms == step.start_ms
        if not adjacent and (step.before is not None or row is None):
            self.records += self._maker.frozen()
        if not adjacent or row is None or self._newest is None or row.journal != self._newest[0]:
            return True
        return (forward, reverse) == (stored.forward_mwh, stored.reverse_mwh)

    def _beyond(self, registers: Pair, stored: Totals) -> Pair:
        """Return registers as cumulative ones, which go on where a register of the meter starts again from 0."""
        if self._wish.rollover_mwh is None:
            return registers
        turn_mwh = self._wish.rollover_mwh
        turns = [
            -(-max(before - register, 0) // turn_mwh)
            for before, register in zip((stored.forward_mwh, stored.reverse_mwh), registers, strict=True)
        ]
        return registers[0] + turns[0] * turn_mwh, registers[1] + turns[1] * turn_mwh

    def _ends(self, end_ms: int) -> bool:
        """Return whether the interval that follows a run, if it is of the newest journal, goes on where it ends."""
        row = self._known.at(end_ms)
        if row is None or self._newest is None or row.journal != self._newest[0]:
            return True
        return known.begins(row) == self._maker.totals

    def _count(self, step: Step, made: Sequence[Record]) -> None:
        outcome = self._outcome
        intervals = [record for record in made if isinstance(record, IntervalRecord)]
        outcome.divided += len(intervals) > 1
        outcome.without_factor += any(record.factor is None for record in intervals)
        outcome.forward_mwh += step.energy[0]
        outcome.reverse_mwh += step.energy[1]

    def _event(self, now_ms: int, count: int) -> EventRecord:
        name = self._wish.name.encode()[:_NAME_BYTES].decode(errors="ignore")
        text = f"{name} by {self._wish.by}".encode()[:_TEXT_BYTES].decode(errors="ignore")
        details: dict[int, int | str] = {
            DetailKey.TEXT: text,
            DetailKey.DIGEST: self._outcome.sha256,
            DetailKey.COUNT: count,
        }
        return EventRecord(self._wish.meter.id, now_ms, EventCode.IMPORTED, details)


def _neighbours(steps: Sequence[Step]) -> Iterator[tuple[Step | None, Step | None]]:
    for place in range(len(steps)):
        yield (steps[place - 1] if place else None), (steps[place + 1] if place + 1 < len(steps) else None)
