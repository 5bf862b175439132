"""A generating unit (机组): its on-grid energy (上网电量) and its emission (排放量), one record of both.

Two integrators of the core take the same readings: energies in mWh, and the emission register in mg, of which 64 bits
hold 9 Gt (a 600 MW unit emits 4 Mt a year). The carbon of a record is what the register measured, so it has no factor.

The emission comes in a reply after that of the energies, and is integrated with its own time, so that a slow line moves
nothing over an interval's end. A poll whose replies lie on both sides of such an end is left aside.

A poll that brought no emission is left aside for up to an interval, since the energy register has what it brought. If
that is not enough, the energy goes on alone: its records are partial and have no carbon. When the emission is back,
its rise is spread over them as ever, and an adjustment record brings each its share.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from agent.config import Meter
from agent.doubt import Doubt
from agent.logs import log
from agent.metering import Metering, MeteringError, freeze_source, max_kw, measured_gap_ms, register_events
from agent.reading import Reading
from agent.unit_state import Pending, UnitState, UnitStateError, decode, encode
from diantan_core import (
    Closed,
    Factor,
    FactorSchedule,
    FreezeRow,
    IntegrationError,
    IntervalRow,
    RegisterIntegrator,
)
from profiles import Point
from wire.domain import EMISSION_END_UG
from wire.records import (
    AdjustmentRecord,
    DetailKey,
    EventCode,
    EventRecord,
    FactorQuality,
    FreezeKind,
    FreezeRecord,
    IntervalRecord,
    Quality,
    Record,
)

EMISSION_DIRECTION: Final = 3  # in an event's details: the emission register, in mg
ADJUSTED_BY: Final = b"emission"  # instead of a solve id: no factor changed
MOST_PENDING: Final = 1_000  # ten days of quarters of an hour
# More than any fuel gives, of all the power that is plausible.
_MOST_KG_PER_KWH: Final = 2
_NG_PER_MG: Final = 10**6
_UG_PER_MG: Final = 1_000
_MG_PER_KG: Final = 10**6
_OF_BOTH: Final = (EventCode.TIME_BACK, EventCode.GAP)  # where the energies' integrator has said so already
_BOTH: Final = 2
_REVERSE: Final = 1  # the direction of an event

Span = tuple[int, int]
"""Start and duration of an interval, ms; of a freeze its time and kind."""


def own_schedule(meter: Meter) -> FactorSchedule | None:
    """Return the factor of a generating unit that has no emission register; None for any other meter."""
    if meter.emission_factor is None:
        return None
    return FactorSchedule(default=Factor.from_kg_per_kwh(meter.emission_factor).mg_per_kwh)


class GeneratingUnit(Metering):
    """One generating unit's energy and emission registers at the gateway."""

    def __init__(
        self, meter: Meter, emission: Point, *, interval_ms: int, timezone: str, register_end_mwh: int | None = None
    ) -> None:
        """`emission`: the profile's point of the emission register."""
        super().__init__(
            meter,
            interval_ms=interval_ms,
            timezone=timezone,
            register_end_mwh=register_end_mwh,
            schedule=FactorSchedule(),  # no factor: the emission is measured
        )
        limit_mg_h = int(max_kw(meter) * _MOST_KG_PER_KWH * _MG_PER_KG)
        step_mg = -(-emission.resolution // _NG_PER_MG)
        end_mg = None if emission.rollover is None else emission.rollover // _NG_PER_MG
        if meter.emission_rollover_kg is not None:
            end_mg = int(meter.emission_rollover_kg * _MG_PER_KG)
        # mg for mWh, and so mg/h for mW: to split a register over time, the unit does not matter.
        self._emission = RegisterIntegrator(
            interval_ms=interval_ms,
            timezone=timezone,
            rollover_mwh=end_mg or None,
            max_power_mw=limit_mg_h,
            resolution_mwh=step_mg,
            measured_gap_ms=measured_gap_ms(meter),
        )
        self._emission_doubt = Doubt(limit_mg_h, step_mg)
        self._interval_ms = interval_ms
        self._unit = UnitState()
        self._complete_ms: int | None = None  # the last poll that brought both; without one, the first poll
        self._lacking = False

    def restore(self, state: bytes) -> None:
        """Go on from a stored state; MeteringError when it is none."""
        super().restore(state)
        try:
            self._unit = decode(state)
            if self._unit.emission:
                self._emission.restore(self._unit.emission)
        except (UnitStateError, IntegrationError) as error:
            raise MeteringError(f"meter {self.meter}: the state in the journal can't be used: {error}") from error

    def take_state(self) -> bytes:
        """Return the state to store."""
        emission = b"" if self._emission.last_time_ms is None else self._emission.state()
        return encode(replace(self._unit, energy=super().take_state(), emission=emission))

    def doubts(self, reading: Reading) -> bool:
        """Return whether a reading has to be left aside: a register is odd, or the emission may still come."""
        if super().doubts(reading):
            return True
        if self._complete_ms is None:
            self._complete_ms = reading.time_ms
        if reading.emission_ng is None:
            return self._waits(reading)
        if self._straddles(reading) and self._may_wait(reading):
            return True
        struck = self._emission_doubt.strikes(_as_doubted(reading, reading.emission_ng))
        if struck:
            log.warning(
                "its emission register fell or rose by more than can have been emitted, to %d ng: not used unless the "
                "next reading goes on from there",
                reading.emission_ng,
                extra={"about": self.meter},
            )
        return struck

    def _waits(self, reading: Reading) -> bool:
        waits = self._may_wait(reading)
        if not waits and not self._lacking:
            log.warning(
                "its emission register gives no value: the energy goes on alone, and records are partial",
                extra={"about": self.meter},
            )
        self._lacking = not waits
        return waits

    def _may_wait(self, reading: Reading) -> bool:
        return 0 <= reading.time_ms - (self._complete_ms or 0) < self._interval_ms

    def _straddles(self, reading: Reading) -> bool:
        """Return whether energies and emission were read in two intervals."""
        return _emission_ms(reading) // self._interval_ms != reading.time_ms // self._interval_ms

    def _emission_time(self, reading: Reading) -> int:
        """Return when the emission was read; where every poll straddles an interval's end, with the energies."""
        return reading.time_ms if self._straddles(reading) else _emission_ms(reading)

    def feed(self, reading: Reading, schedule: FactorSchedule) -> list[Record]:
        """Take a reading, or with no emission in it its energies; return the records it closed in order of time."""
        totals = self._integrator.forward_mwh, self._integrator.reverse_mwh
        closed = self._take_energy(reading, schedule)
        self._unit.exchanged |= reading.exchanged
        measured = None if reading.emission_ng is None else self._take_emission(reading, reading.emission_ng)
        records = list(self._both(closed, measured, totals))
        if self._emission.last_time_ms == self._emission_time(reading):
            self._unit.exchanged = self._unit.broken = False
        return records

    def _take_emission(self, reading: Reading, emission_ng: int) -> Closed | None:
        """Return what the emission closes; None when it can't be used."""
        unit, register_mg = self._unit, emission_ng // _NG_PER_MG
        is_first = self._emission.last_time_ms is None
        try:
            measured = self._emission.feed_one(
                *(self._emission_time(reading), register_mg, 0, FactorSchedule()),
                exchanged=unit.exchanged or unit.broken,
            )
        except (IntegrationError, OverflowError) as error:
            log.error("the emission can't be used: %s", error, extra={"about": self.meter})
            return None
        if is_first and not unit.chained:
            unit.total_ug = register_mg * _UG_PER_MG % EMISSION_END_UG
        self._emission_doubt.taken(_as_doubted(reading, emission_ng))
        self._complete_ms, self._lacking = reading.time_ms, False
        return measured

    def _relocate(self, last_ms: int, schedule: FactorSchedule) -> list[Record]:
        totals = self._integrator.forward_mwh, self._integrator.reverse_mwh
        energy_ms = self.last_time_ms or 0
        closed = self._integrator.relocate(last_ms, self._own(schedule))
        self._complete_ms = None
        self._emission_doubt.forget()
        emission_ms = self._emission.last_time_ms
        if emission_ms is None:
            return list(self._both(closed, None, totals))
        self._break_off()
        # Read with the energies or just after them, it goes with them; it may not end up in another interval.
        behind_ms = max(energy_ms - emission_ms, 0)
        measured = self._emission.relocate(max(last_ms - behind_ms, 0), FactorSchedule())
        return list(self._both(closed, measured, totals))

    def _break_off(self) -> None:
        """Let the records that lack their emission go without: no later reading can be shared out over them."""
        self._unit.broken |= bool(self._unit.pending)
        self._unit.pending.clear()

    def _both(self, closed: Closed, measured: Closed | None, totals: tuple[int, int]) -> Iterator[Record]:
        """Yield the records of what both integrators closed; `totals`: the energies before."""
        events = list(register_events(self.meter, closed))
        yield from events
        emissions: dict[Span, IntervalRow] = {}
        if measured is not None:
            yield from self._emission_events(measured, {event.code for event in events})
            emissions = {(row[0], row[1]): row for row in measured.intervals}
            for pending in self._unit.pending:
                emission = emissions.pop(pending[:2], None)
                if emission is not None:
                    yield self._adjustment(pending, emission)
            self._unit.pending.clear()
        energies = {(row[0], row[1]): row for row in closed.intervals}
        freezes = closed.freezes
        qualities = {} if measured is None else {(row[0], row[1]): row[6] for row in measured.freezes}
        for span in sorted(energies.keys() | emissions.keys()):
            while freezes and freezes[0][0] <= span[0]:
                yield self._frozen(freezes.pop(0), qualities)
            record = self._interval(span, energies.get(span), emissions.get(span), totals)
            totals = record.forward_total_mwh, record.reverse_total_mwh
            yield record
            if measured is None and self._emission.last_time_ms is not None:
                self._await_emission(record)
        for freeze in freezes:
            yield self._frozen(freeze, qualities)

    def _emission_events(self, measured: Closed, told: set[EventCode]) -> Iterator[EventRecord]:
        unit = self._unit
        for event in register_events(self.meter, measured):
            # The second of the two registers that the integrator has always stands at 0.
            if event.details[DetailKey.DIRECTION] == _REVERSE or (event.code in _OF_BOTH and event.code in told):
                continue
            code = event.code
            if code == EventCode.EXCHANGE and not unit.exchanged:
                code = EventCode.JUMP  # the same register, but its rise has no records to go to
            yield replace(event, code=code, details={**event.details, int(DetailKey.DIRECTION): EMISSION_DIRECTION})

    def _interval(
        self, span: Span, energy: IntervalRow | None, emission: IntervalRow | None, totals: tuple[int, int]
    ) -> IntervalRecord:
        """Return the record of an interval; where one of the two is not known, it is partial and has 0 for it."""
        unit = self._unit
        emitted_ug = 0 if emission is None else emission[2] * _UG_PER_MG
        unit.total_ug = (unit.total_ug + emitted_ug) % EMISSION_END_UG
        unit.chained = True
        known = [row for row in (energy, emission) if row is not None]
        quality = max(row[13] for row in known) if len(known) == _BOTH else Quality.PARTIAL
        amounts = (0, 0, *totals) if energy is None else energy[2:6]
        return IntervalRecord(
            self.meter,
            *span,
            *amounts,
            None,
            FactorQuality.UNDEFINED,
            emitted_ug,
            0,
            unit.total_ug,
            0,
            max(row[12] for row in known),
            Quality(quality),
        )

    def _await_emission(self, record: IntervalRecord) -> None:
        """Remember a record that lacks its emission."""
        if self._unit.broken:
            return
        self._unit.pending.append((record.start_ms, record.duration_ms, record.forward_mwh, record.reverse_mwh))
        if len(self._unit.pending) > MOST_PENDING:
            self._break_off()

    def _adjustment(self, pending: Pending, emission: IntervalRow) -> AdjustmentRecord:
        return AdjustmentRecord(self.meter, *pending, None, None, emission[2] * _UG_PER_MG, 0, ADJUSTED_BY)

    def _frozen(self, row: FreezeRow, qualities: Mapping[Span, int]) -> FreezeRecord:
        """Return a freeze; the emission's total is that of the intervals before, which end at every midnight."""
        quality = max(row[6], qualities.get((row[0], row[1]), int(Quality.PARTIAL)))
        return FreezeRecord(
            self.meter,
            row[0],
            FreezeKind(row[1]),
            row[2],
            row[3],
            self._unit.total_ug,
            0,
            freeze_source(Quality(quality)),
        )


def _as_doubted(reading: Reading, emission_ng: int) -> Reading:
    """Return the emission register in the place of an energy's."""
    time_ms = _emission_ms(reading)
    return replace(reading, time_ms=time_ms, forward_mwh=emission_ng // _NG_PER_MG, reverse_mwh=0)


def _emission_ms(reading: Reading) -> int:
    return reading.time_ms if reading.emission_ms is None else reading.emission_ms
