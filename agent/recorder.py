"""From the meters' readings to records in the journal, whatever the clock does meanwhile."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from agent.config_file import Loaded
from agent.factors import FactorBook
from agent.facts import Facts
from agent.journal_entry import Append, event, to_row
from agent.logs import log
from agent.metering import Metering
from agent.notes import MeterNotes, build_notes, row_of
from agent.reading import Reading
from agent.report import LiveValues
from agent.spare import Errand
from agent.timekeeper import INSIST_MS, STEP_MS, Timekeeper
from agent.voltage_means import build_means
from agent.writer import JournalWriter
from diantan_core import IntegrationError
from wire.records import ClockState, DetailKey, EventCode, IntervalRecord, Record
from wire.row import RecordError

_LONGEST_REASON: Final = 80  # characters: at most 256 bytes of UTF-8 travel


def last_reading_ms(metering: Iterable[Metering]) -> int | None:
    """Return when the last of the meters' stored readings was made; None without any."""
    return max((one.last_time_ms for one in metering if one.last_time_ms is not None), default=None)


class Recorder:
    """Everything that a gateway knows of its meters, and writes of them."""

    def __init__(
        self,
        loaded: Loaded,
        metering: Mapping[str, Metering],
        notes: Mapping[str, bytes],
        *,
        writer: JournalWriter,
        time: Timekeeper,
        factors: FactorBook,
        live: LiveValues,
        facts: Facts,
    ) -> None:
        """`metering` and `notes` are the meters' integrators and stored notes, by meter."""
        self.metering = metering
        self.held_back = 0  # readings not used: the disk takes no records, the time is not known, or they are doubtful
        self.notes = build_notes(
            loaded.config,
            loaded.profiles,
            notes,
            time.now_ms,
            trusted=lambda: time.state == ClockState.SYNCHRONISED,
            tell=self._found,
        )
        self.voltage_means = build_means(loaded, writer, time)
        self._writer = writer
        self._time = time
        self._factors = factors
        self._live = live
        self._facts = facts
        self._exchanged: set[str] = set()  # what readings said that could not be used
        self._serial_numbers: dict[str, int] = {}

    def take(self, reading: Reading) -> None:
        """Take a reading: for the live view, and for the registers unless the journal is too far behind.

        A reading that is held back costs no energy: the meter's register has it, and the next one used brings it.
        """
        if not reading.brief:
            self._live.update(reading)
        self._facts.read(reading.meter)
        if reading.exchanged:
            self._exchanged.add(reading.meter)
        if reading.serial_number is not None:
            self._serial_numbers[reading.meter] = reading.serial_number
        # Dated before a leap back of the clock that came while the poll was under way, a reading is of no use either.
        if not self._writer.has_room or self._time.doubtful or reading.time_ms > self._time.now_ms():
            self.held_back += 1
            return
        metering = self.metering[reading.meter]
        if reading.meter in self._exchanged and not reading.exchanged:
            reading = replace(reading, exchanged=True)
        if metering.doubts(reading):
            self.held_back += 1
            return
        try:
            records = metering.feed(reading, self._factors.schedule)
        except IntegrationError as error:
            self._facts.unusable += 1
            log.error("the reading can't be used: %s", error, extra={"about": reading.meter})
            return
        self._exchanged.discard(reading.meter)
        self.voltage_means.take(reading)
        number = self._serial_numbers.get(reading.meter)
        serial = {} if number is None else {reading.meter: number}
        noted = self.notes[reading.meter].take(reading, records)
        if (records or serial or noted or metering.unstored) and self._keep(metering, records, serial):
            self._serial_numbers.pop(reading.meter, None)

    def errand_for(self, meter: str) -> Errand | None:
        """Return what is to be asked of a meter beside its polls, while its answer can be kept."""
        return self.notes[meter].errand() if self._writer.has_room and not self._time.doubtful else None

    def silent(self, meter: str, time_ms: int, reason: str) -> None:
        """Record that a meter does not answer any more."""
        silent = event(time_ms, EventCode.METER_SILENT, meter, {DetailKey.TEXT: reason[:_LONGEST_REASON]})
        self._writer.submit(Append([to_row(silent)]))

    def back(self, meter: str, time_ms: int, silent_ms: int) -> None:
        """Record that it answers again."""
        back = event(time_ms, EventCode.METER_BACK, meter, {DetailKey.DURATION: silent_ms})
        self._writer.submit(Append([to_row(back)]))

    def checkpoint(self) -> None:
        """Store the state of every meter that was read, so that a crash costs little detail (it never costs energy)."""
        if self._writer.full:
            return  # the queue must not grow while nothing leaves it
        states = {meter: metering.take_state() for meter, metering in self.metering.items() if metering.dirty}
        if states:
            self._writer.submit(Append((), states))

    # The clock

    def begin_time(self) -> None:
        """Make known how the clock stands to what the journal says."""
        back_ms = (last_reading_ms(self.metering.values()) or 0) - self._time.now_ms()
        if self._time.ahead_ms >= STEP_MS:
            self.clock_stepped(-self._time.ahead_ms)
        elif back_ms > 0:
            self.clock_leapt(-back_ms)
            self.clock_stepped(-back_ms)
        if self._time.doubtful:
            log.warning(
                "the system clock is more than a day away from the last reading and no time service keeps it: readings "
                "are held back until it is known, or has lasted %d s",
                INSIST_MS // 1000,
            )

    def clock_stepped(self, step_ms: int) -> None:
        """Record a step of the clock, and throw away what it makes meaningless."""
        log.warning("the system clock stepped by %d ms", step_ms)
        self.voltage_means.stepped(step_ms)
        stepped = event(self._time.now_ms(), EventCode.CLOCK_STEPPED, details={DetailKey.STEP: step_ms})
        self._writer.submit(Append([to_row(stepped)]))

    def clock_leapt(self, leap_ms: int) -> None:
        """Leap with the clock: the meters' last readings, and what is open."""
        now = self._time.now_ms()
        for metering in self.metering.values():
            if records := metering.leap(leap_ms, now, self._factors.schedule):
                self._keep(metering, records, {})
        for notes in self.notes.values():
            notes.leapt()
        self.checkpoint()

    # Into the journal

    def _keep(self, metering: Metering, records: list[Record], serial: Mapping[str, int]) -> bool:
        """Have records and the state that follows them written; return whether the records can be kept."""
        try:
            rows = [to_row(record) for record in records]
        except RecordError as error:
            self._facts.unfit += len(records)
            log.error("a record can't be kept: %s", error, extra={"about": metering.meter})
            return False
        notes = {metering.meter: self.notes[metering.meter].encoded()}
        self._writer.submit(Append(rows, {metering.meter: metering.take_state()}, serial, notes))
        for record in records:
            if isinstance(record, IntervalRecord) and not metering.own_factor:
                self._factors.interval_closed(record)
        return True

    def _found(self, notes: MeterNotes, record: Record | None) -> None:
        try:
            rows = [] if record is None else [row_of(record, self._time.now_ms())]
        except RecordError as error:
            self._facts.unfit += 1
            log.error("a record can't be kept: %s", error, extra={"about": notes.meter})
            return
        self._writer.submit(Append(rows, notes={notes.meter: notes.encoded()}))
