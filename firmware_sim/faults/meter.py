"""A meter with the faults that it has itself: registers, clock, and power lost in the middle of a write."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from diantan_core import day_start_ms
from firmware_sim.charger import Charger
from firmware_sim.faces.base import PowerLostError
from firmware_sim.faults.amounts import canonical
from firmware_sim.faults.book import ActiveFault, FaultBook
from firmware_sim.faults.model import (
    ClockDrift,
    ClockJump,
    OrderFault,
    PowerCut,
    Rollover,
    StateFault,
    Stuck,
    SwappedWords,
)
from firmware_sim.faults.orders import logged
from firmware_sim.meter import Meter, Row
from firmware_sim.orders import Shown, Sold

log = logging.getLogger(__name__)
_HALF_A_DAY_MS: Final = 43_200_000


class _Effect:
    """What a state fault does to a meter's registers, between two times of the meter's clock."""

    def __init__(self, fault: ActiveFault, begun_ms: int) -> None:
        self.fault = fault
        self.begun_ms = begun_ms
        self.ended_ms: int | None = None
        self.values: Row = {}  # stuck: by point; rollover: the shift of the register
        self.wraps_at = 0

    def shows(self, frozen_ms: int | None) -> bool:
        """Return whether it is seen in a present value (None), or in one frozen at a time."""
        if frozen_ms is None:
            return self.ended_ms is None
        return self.begun_ms <= frozen_ms and (self.ended_ms is None or frozen_ms < self.ended_ms)


@dataclass(frozen=True, slots=True)
class _Cut:
    """The write in which the power went, and its first part."""

    spec: PowerCut
    write: str
    first: Row
    time_ms: int


class FaultyMeter:
    """`firmware_sim.faces.base.Values` over a meter, as its faults in the book let it be seen."""

    def __init__(self, name: str, meter: Meter, book: FaultBook) -> None:
        self.meter = meter
        self._name = name
        self._book = book
        self._faults = book.on_meter(name)
        self._effects: list[_Effect] = []
        self._begun: set[int] = set()
        self._dark_until_ms: int | None = None
        self._cut: _Cut | None = None
        self._own_drift = meter.drift_ppm
        if isinstance(meter, Charger):
            meter.settled = self._settled

    # What a face asks

    def values(self, now_ms: int) -> Row:
        """Return every point the meter knows, faults included."""
        if not self._faults and not self._effects:
            return self.meter.values(now_ms)
        self.advance(now_ms)
        return self._seen(self.meter.values(now_ms))

    def row(self, table: str, number: int, now_ms: int) -> Row:
        """Return a row of a table; what was frozen while a register was wrong shows that, also later."""
        if not self._faults and not self._effects:
            return self.meter.row(table, number, now_ms)
        self.advance(now_ms)
        row = self.meter.row(table, number, now_ms)
        return self._seen(dict(row), frozen_ms=row.get("time")) if row else row

    def order_row(self, row: int, now_ms: int) -> Shown:
        """Return a row of the order log, from 1 on, or (0) its counter; empty of a meter that sells nothing."""
        if not isinstance(self.meter, Charger):
            return {}
        self.advance(now_ms)
        return self.meter.order_row(row - 1, now_ms) if row else {"count": self.meter.order_count(now_ms)}

    def apply(self, write: str, fields: Row, now_ms: int) -> None:
        """Carry out a write; ValueError for values that the meter refuses, PowerLostError unless it is stored whole."""
        self.advance(now_ms)
        cut = self._cut
        if cut is not None and (cut.write, cut.time_ms) == (write, now_ms):
            self._go_on(cut, fields)
            return
        if self.is_dark(now_ms):
            raise PowerLostError("the meter has no power")
        for fault in list(self._faults):
            spec = fault.spec
            if isinstance(spec, PowerCut) and fault.strikes(now_ms):
                self._book.count(self._name, spec.kind)
                self._dark_until_ms = now_ms + int(spec.dark_s * 1000)
                self._cut = _Cut(spec, write, fields, now_ms)
                stored = self._stored(spec, write, fields, now_ms)
                if stored is not None:
                    self.meter.apply(write, stored, now_ms)
                _lost(spec)
                return
        self.meter.apply(write, fields, now_ms)

    def _go_on(self, cut: _Cut, fields: Row) -> None:
        """Store a further part of a write in which the power went: of the factors of a day, half is the morning."""
        outcome, zone = cut.spec.outcome, self.meter.settings.timezone
        if outcome == "whole":
            self.meter.apply(cut.write, fields, cut.time_ms)
        elif outcome == "half" and cut.write == "factor":
            for part in (cut.first, fields):
                time_ms = part.get("time")
                if time_ms is not None and time_ms - day_start_ms(time_ms, zone) < _HALF_A_DAY_MS:
                    self.meter.apply(cut.write, part, cut.time_ms)
            self._cut = replace(cut, first={})
        _lost(cut.spec)

    # What the line and the registers ask

    def is_dark(self, now_ms: int) -> bool:
        """Return whether the meter is without power, so that it hears and says nothing."""
        return not self.meter.powered or (self._dark_until_ms is not None and now_ms <= self._dark_until_ms)

    def swapped(self, now_ms: int) -> "_Swapped | None":
        """Return which points have their words in reverse order in the reply to one request; None: none has."""
        struck = [fault for fault in self._faults if isinstance(fault.spec, SwappedWords) and fault.strikes(now_ms)]
        for fault in struck:
            self._book.count(self._name, fault.spec.kind)
        return _Swapped(struck) if struck else None

    # Time

    def advance(self, now_ms: int) -> None:
        """Bring the meter to an instant, through the beginnings and ends of its faults on the way."""
        for time_ms, fault, begins in sorted(self._edges(now_ms), key=lambda edge: edge[0]):
            # Registers never go back: what the past asks for happens at the latest instant known.
            self.meter.advance(time_ms)
            (self._begin if begins else self._end)(fault, time_ms)
        self.meter.advance(now_ms)

    def _edges(self, now_ms: int) -> list[tuple[int, ActiveFault, bool]]:
        edges = []
        for fault in self._faults:
            if not isinstance(fault.spec, StateFault):
                continue
            never = fault.end_ms is not None and fault.end_ms <= fault.begin_ms
            if fault.number not in self._begun and fault.begin_ms <= now_ms and not never:
                edges.append((fault.begin_ms, fault, True))
            if fault.end_ms is not None and fault.end_ms <= now_ms:
                edges.append((fault.end_ms, fault, False))
        return edges

    def _begin(self, fault: ActiveFault, time_ms: int) -> None:
        spec, meter = fault.spec, self.meter
        self._begun.add(fault.number)
        fault.applied += 1
        self._book.count(self._name, spec.kind)
        effect = _Effect(fault, meter.device_time(time_ms))
        if isinstance(spec, Stuck):
            seen = self._seen(meter.values(time_ms))
            given = {} if spec.value is None else {point: canonical(spec.value, point) for point in spec.point}
            effect.values = {point: given.get(point, seen.get(point)) for point in spec.point}
            self._effects.append(effect)
        elif isinstance(spec, Rollover):
            effect.wraps_at = canonical(spec.at, spec.point)
            present = meter.values(time_ms).get(spec.point) or 0
            shift = 0 if spec.left is None else effect.wraps_at - canonical(spec.left, spec.point) - present
            effect.values = {spec.point: shift}
            self._effects.append(effect)
        elif isinstance(spec, ClockDrift):
            self._drift(time_ms)
        elif isinstance(spec, ClockJump):
            try:
                meter.set_clock(time_ms, meter.device_time(time_ms) + spec.by_ms)
            except ValueError as error:
                log.warning("meter %s: fault %d, %s: %s", self._name, fault.number, spec.kind, error)

    def _end(self, fault: ActiveFault, time_ms: int) -> None:
        self._faults.remove(fault)
        self._begun.discard(fault.number)
        if isinstance(fault.spec, ClockDrift):
            self._drift(time_ms)
        for effect in self._effects:
            if effect.fault is fault:
                effect.ended_ms = self.meter.device_time(time_ms)

    def _drift(self, time_ms: int) -> None:
        """Let the clock run as fast as it does by itself and all faults that are on make it."""
        drifts = [
            Fraction(fault.spec.ppm)
            for fault in self._faults
            if isinstance(fault.spec, ClockDrift) and fault.number in self._begun
        ]
        self.meter.set_drift(time_ms, self._own_drift + sum(drifts))

    def _settled(self, sold: Sold, time_ms: int) -> Sequence[Sold]:
        struck = [fault for fault in self._faults if isinstance(fault.spec, OrderFault) and fault.strikes(time_ms)]
        for fault in struck:
            self._book.count(self._name, fault.spec.kind)
        specs = [fault.spec for fault in struck if isinstance(fault.spec, OrderFault)]
        return logged(sold, specs, self.meter.settings.resolution_mwh)

    # Registers

    def _seen(self, row: Row, frozen_ms: int | None = None) -> Row:
        """Return a row as the faults show it: a present one, or one that was frozen at a time of the meter's clock."""
        for effect in self._effects:
            if not effect.shows(frozen_ms):
                continue
            for point, value in effect.values.items():
                if point not in row:
                    continue
                row[point] = ((row[point] or 0) + (value or 0)) % effect.wraps_at if effect.wraps_at else value
        return row

    def _stored(self, cut: PowerCut, write: str, fields: Row, now_ms: int) -> Row | None:
        """Return what of a write is in the meter when its power comes back; None: nothing.

        The first half of a factor is its slot: it takes the factor that the meter had for it. That of a clock is the
        date: the time of day is the old one. A single number has no halves and is not there.
        """
        if cut.outcome != "half":
            return fields if cut.outcome == "whole" else None
        time_ms = fields.get("time")
        if time_ms is None:
            return None
        if write == "factor":
            return {**fields, "carbon_factor": self.meter.factor_at(time_ms)}
        zone = self.meter.settings.timezone
        old_ms = self.meter.device_time(now_ms)
        return {**fields, "time": day_start_ms(time_ms, zone) + old_ms - day_start_ms(old_ms, zone)}


def _lost(cut: PowerCut) -> None:
    if cut.outcome != "whole":
        raise PowerLostError("the power went in the middle of the write")


class _Swapped:
    def __init__(self, faults: list[ActiveFault]) -> None:
        points: set[str] | None = set()
        for fault in faults:
            named = fault.spec.point if isinstance(fault.spec, SwappedWords) else ()
            points = None if named is None or points is None else points | set(named)
        self._points = points  # None: all

    def __call__(self, point: str) -> bool:
        return self._points is None or point in self._points
