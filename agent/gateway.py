"""The gateway at work: readings in, records out, and everything between them put together."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from agent import build
from agent.config_file import Loaded
from agent.configuration import Configurator
from agent.factors import FactorBook
from agent.facts import MEASURE_MS, Facts
from agent.health import Health
from agent.journal import Append, Journal, event, to_row
from agent.journal_schema import JournalError
from agent.logs import log
from agent.metering import Metering
from agent.metrics import AgentMetrics
from agent.notes import MeterNotes, build_notes, row_of
from agent.reading import Reading
from agent.remote.remote import Remote
from agent.report import LiveValues, StatusReporter
from agent.retention import prune
from agent.spare import Errand
from agent.tasks import every, watched
from agent.timekeeper import INSIST_MS, STEP_MS, Timekeeper, kernel_synchronised
from agent.uplink import Uplink
from agent.voltage_means import TELL_MS, build_means
from agent.watchdog import LifeSigns
from agent.writer import JournalWriter
from clock import Clock, SystemClock
from diantan_core import Factor, IntegrationError
from supervision.systemd import READY, STOPPING, Notifier, feed
from wire import topics
from wire.connection import LinkError, Received
from wire.envelope import KeyRing, Signer
from wire.keys import load_private, load_public
from wire.link import Link
from wire.messages import StatusState
from wire.records import ClockState, DetailKey, EventCode, IntervalRecord, Record
from wire.row import RecordError
from wire.tasks import end

CHECK_CLOCK_MS: Final = 1_000
PRUNE_MS: Final = 600_000
COUNTERS_MS: Final = 5_000  # so much may `journal ls` lag behind the acknowledgements
_GOODBYE_S: Final = 2.0  # how long the broker may take for the last status
_HOUR_MS: Final = 3_600_000
_LONGEST_REASON: Final = 80  # characters: at most 256 bytes of UTF-8 travel


class Gateway:
    """One running agent."""

    def __init__(
        self,
        loaded: Loaded,
        journal: Journal,
        clock: Clock,
        *,
        chance: random.Random,
        notifier: Notifier | None = None,
        configurator: Configurator | None = None,
    ) -> None:
        """Put the parts together; MeteringError or KeyFileError when a stored state or a key can't be used."""
        self.config = config = loaded.config
        self.configurator = configurator
        self._clock = clock
        states = journal.states()
        self.metering = build.build_metering(loaded, states)
        journal.own_factor = frozenset(name for name, metering in self.metering.items() if metering.own_factor)
        last_times = [time for metering in self.metering.values() if (time := metering.last_time_ms) is not None]
        self.time = Timekeeper(
            clock,
            # A simulated clock is by definition the one that everybody has.
            synchronised=kernel_synchronised if isinstance(clock, SystemClock) else lambda: True,
            not_before_ms=max(last_times, default=None),
            on_step=self._clock_stepped,
            on_leap=self._clock_leapt,
        )
        now_ms = self.time.now_ms
        self.writer = JournalWriter(
            journal,
            clock,
            now_ms,
            memory_records=config.journal.memory_records,
            clock_state=lambda: self.time.state,
        )
        signer = Signer(load_private(config.gateway.key_file))
        centre = KeyRing()
        centre.add(load_public(config.centre.key_file), "centre")
        default = config.factor.default
        self.factors = FactorBook(
            config.factor.node,
            journal.factors(),
            self.writer,
            centre,
            now_ms=now_ms,
            default=None if default is None else Factor.from_kg_per_kwh(default).mg_per_kwh,
            hold_ms=None if config.factor.hold_hours is None else config.factor.hold_hours * _HOUR_MS,
        )
        gateway = config.gateway.id
        self.status = StatusReporter(
            gateway,
            signer,
            now_ms=now_ms,
            writer=self.writer,
            clock_state=lambda: self.time.state,
        )
        self.link = Link(
            build.link_settings(config),
            clock,
            will=(self.status.topic, self.status.envelope(StatusState.OFFLINE), 1, True),
            on_message=self._message,
            on_connect=self._connected,
        )
        self.uplink = Uplink(
            build.uplink_settings(config),
            self.writer,
            self.link,
            signer,
            centre,
            clock=clock,
            now_ms=now_ms,
            chance=chance,
        )
        self.writer.on_written = self.uplink.records_written
        self.live = LiveValues(gateway, self.link, signer, now_ms=now_ms, stale_ms=1000 * config.report.stale_seconds)
        self.notes = build_notes(
            config,
            loaded.profiles,
            journal.notes(),
            now_ms,
            trusted=lambda: self.time.state == ClockState.SYNCHRONISED,
            tell=self._found,
        )
        self.lines = build.build_lines(
            loaded,
            clock,
            now_ms=now_ms,
            serial_numbers={meter: serial for meter, (_, serial) in states.items() if serial is not None},
            on_reading=self.reading,
            on_silent=self._silent,
            on_back=self._back,
            factor_at=self.factors.dispatched,
            errand_for=self._errand_for,
        )
        self.voltage_means = build_means(loaded, self.writer, self.time)
        self.held_back = 0  # readings not used: the disk takes no records, the time is not known, or they are doubtful
        self.health = Health(
            self.lines, self.notes, self.writer, self.uplink, self.factors, held_back=lambda: self.held_back
        )
        self._exchanged: set[str] = set()  # what readings said that could not be used
        self._serial_numbers: dict[str, int] = {}
        self.facts = Facts(
            {meter.id: 1000 * meter.poll_seconds for line in config.line for meter in line.meter},
            {name: time for name, metering in self.metering.items() if (time := metering.last_time_ms) is not None},
            self.writer,
            clock,
            now_ms,
            limit_ms=1000 * config.report.overdue_seconds,
            held_back=lambda: self.held_back,
            stale=lambda: self.live.dropped,
            resent=lambda: self.uplink.window.resent,
        )
        self.status.facts = self.facts.fields
        self.remote = Remote(self, loaded, clock, signer, centre)
        self.metrics = AgentMetrics(self)
        self._notifier = notifier or Notifier()
        self._acknowledgements = topics.acknowledgement(gateway)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then store everything and say goodbye; JournalError when the journal fails."""
        if self.writer.next_sequence == 1:
            context = self.writer.journal.header.context.hex()
            log.info("new journal, context %s", context)
            former = self.writer.journal.former
            self._event(EventCode.CONTEXT_OPENED, None if former is None else former.details())
        self._begin_time()
        self.link.subscribe(self._acknowledgements, 1)
        self.link.subscribe(self.factors.topic, 1)
        self.link.subscribe(self.remote.topic, 1)
        keeping = asyncio.create_task(self.writer.run(), name="journal writer")
        tasks = [
            asyncio.create_task(self.uplink.run(), name="uplink"),
            asyncio.create_task(self.remote.run(), name="commands"),
            *(asyncio.create_task(watched(self._clock, line), name=f"line {line.name}") for line in self.lines),
            *self._housekeeping(),
        ]
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await self.link.start()
            await self.metrics.start()
            self._notifier.tell(READY)
            if self._notifier.watchdog_s is not None:
                tasks.append(asyncio.create_task(feed(self._notifier, self._life_signs().trouble), name="watchdog"))
            done, _ = await asyncio.wait({keeping, stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._notifier.tell(STOPPING)
            await self.metrics.stop()
            await end({stopping, *tasks})
            await self._leave(keeping)
        for task in done - {stopping}:
            task.result()  # whatever ended by itself did so with an error

    def _life_signs(self) -> LifeSigns:
        return LifeSigns(
            self.lines,
            self.writer,
            longest_timeout_ms=max(line.timeout_ms for line in self.config.line),
            seconds=asyncio.get_running_loop().time,
        )

    def reading(self, reading: Reading) -> None:
        """Take a reading: for the live view, and for the registers unless the journal is too far behind.

        A reading that is held back costs no energy: the meter's register has it, and the next one used brings it.
        """
        if not reading.brief:
            self.live.update(reading)
        self.facts.read(reading.meter)
        if reading.exchanged:
            self._exchanged.add(reading.meter)
        if reading.serial_number is not None:
            self._serial_numbers[reading.meter] = reading.serial_number
        # Dated before a leap back of the clock that came while the poll was under way, a reading is of no use either.
        if not self.writer.has_room or self.time.doubtful or reading.time_ms > self.time.now_ms():
            self.held_back += 1
            return
        metering = self.metering[reading.meter]
        if reading.meter in self._exchanged and not reading.exchanged:
            reading = replace(reading, exchanged=True)
        if metering.doubts(reading):
            self.held_back += 1
            return
        try:
            records = metering.feed(reading, self.factors.schedule)
        except IntegrationError as error:
            self.facts.unusable += 1
            log.error("the reading can't be used: %s", error, extra={"about": reading.meter})
            return
        self._exchanged.discard(reading.meter)
        self.voltage_means.take(reading)
        number = self._serial_numbers.pop(reading.meter, None)
        serial = {} if number is None else {reading.meter: number}
        noted = self.notes[reading.meter].take(reading, records)
        if records or serial or noted or metering.unstored:
            self._keep(metering, records, serial)

    def _keep(self, metering: Metering, records: list[Record], serial: Mapping[str, int]) -> None:
        try:
            rows = [to_row(record) for record in records]
        except RecordError as error:
            self.facts.unfit += len(records)
            log.error("a record can't be kept: %s", error, extra={"about": metering.meter})
            return
        notes = {metering.meter: self.notes[metering.meter].encoded()}
        self.writer.submit(Append(rows, {metering.meter: metering.take_state()}, serial, notes))
        for record in records:
            if isinstance(record, IntervalRecord) and not metering.own_factor:
                self.factors.interval_closed(record)

    def _errand_for(self, meter: str) -> Errand | None:
        """Return what is to be asked of a meter beside its polls, while its answer can be kept."""
        return self.notes[meter].errand() if self.writer.has_room and not self.time.doubtful else None

    def _found(self, notes: MeterNotes, record: Record | None) -> None:
        try:
            rows = [] if record is None else [row_of(record, self.time.now_ms())]
        except RecordError as error:
            self.facts.unfit += 1
            log.error("a record can't be kept: %s", error, extra={"about": notes.meter})
            return
        self.writer.submit(Append(rows, notes={notes.meter: notes.encoded()}))

    def _event(self, code: EventCode, details: Mapping[DetailKey, int | str] | None = None) -> None:
        self.writer.submit(Append([to_row(event(self.time.now_ms(), code, details=details))]))

    def _silent(self, meter: str, time_ms: int, reason: str) -> None:
        silent = event(time_ms, EventCode.METER_SILENT, meter, {DetailKey.TEXT: reason[:_LONGEST_REASON]})
        self.writer.submit(Append([to_row(silent)]))

    def _back(self, meter: str, time_ms: int, silent_ms: int) -> None:
        back = event(time_ms, EventCode.METER_BACK, meter, {DetailKey.DURATION: silent_ms})
        self.writer.submit(Append([to_row(back)]))

    def _clock_stepped(self, step_ms: int) -> None:
        log.warning("the system clock stepped by %d ms", step_ms)
        self.voltage_means.stepped(step_ms)
        self._event(EventCode.CLOCK_STEPPED, {DetailKey.STEP: step_ms})

    def _clock_leapt(self, leap_ms: int) -> None:
        now = self.time.now_ms()
        for metering in self.metering.values():
            if records := metering.leap(leap_ms, now, self.factors.schedule):
                self._keep(metering, records, {})
        for notes in self.notes.values():
            notes.leapt()
        self.checkpoint()

    def _begin_time(self) -> None:
        """Make known how the clock stands to what the journal says."""
        last = max((metering.last_time_ms or 0 for metering in self.metering.values()), default=0)
        if self.time.ahead_ms >= STEP_MS:
            self._clock_stepped(-self.time.ahead_ms)
        elif (back_ms := last - self.time.now_ms()) > 0:
            self._clock_leapt(-back_ms)
            self._clock_stepped(-back_ms)
        if self.time.doubtful:
            log.warning(
                "the system clock is more than a day away from the last reading and no time service keeps it: readings "
                "are held back until it is known, or has lasted %d s",
                INSIST_MS // 1000,
            )

    def _message(self, received: Received) -> None:
        try:
            heard = False
            if received.topic == self._acknowledgements:
                heard = self.uplink.acknowledgement(received.topic, received.payload)
            elif received.topic == self.factors.topic:
                heard = self.factors.message(received.topic, received.payload)
            elif received.topic == self.remote.topic:
                heard = self.remote.message(received.topic, received.payload)
            # What the broker kept may be from long ago: it does not show that the centre is there.
            if heard and not received.retained and self.configurator is not None:
                self.configurator.heard_centre()
        except Exception:
            log.exception("a message could not be handled", extra={"about": received.topic})
        # Also what was refused: the broker would only bring it again.
        received.ack()

    def _connected(self) -> None:
        self._publish_status(StatusState.BIRTH)
        self.uplink.connected()
        self.remote.connected()

    def _publish_status(self, state: StatusState) -> "asyncio.Future[None]":
        return self.link.publish(self.status.topic, self.status.envelope(state), 1, retain=True)

    def _housekeeping(self) -> list["asyncio.Task[None]"]:
        config = self.config
        duties: list[tuple[str, float, float, Callable[[], Awaitable[None] | None]]] = [
            ("clock", CHECK_CLOCK_MS, 0.25, self.time.check),
            ("checkpoint", 1000 * config.journal.checkpoint_seconds, 1.0, self.checkpoint),
            ("counters", COUNTERS_MS, 1.0, self.writer.store_counters),
            ("retention", PRUNE_MS, 10.0, self._prune),
            ("backlog", MEASURE_MS, 1.0, self.facts.measure),
            ("voltage means", TELL_MS, 1.0, self.voltage_means.tell_due),
            ("status", 1000 * config.report.status_seconds, 1.0, self._health),
        ]
        if config.report.live_seconds:
            duties.append(("live", 1000 * config.report.live_seconds, 1.0, self._publish_live))
        return [
            asyncio.create_task(every(self._clock, period, floor, duty), name=name)
            for name, period, floor, duty in duties
        ]

    def checkpoint(self) -> None:
        """Store the state of every meter that was read, so that a crash costs little detail (it never costs energy)."""
        if self.writer.full:
            return  # the queue must not grow while nothing leaves it
        states = {meter: metering.take_state() for meter, metering in self.metering.items() if metering.dirty}
        if states:
            self.writer.submit(Append((), states))

    async def _prune(self) -> None:
        await prune(self.writer, self.config.journal, self._trusted_ms, self.time.now_ms, lambda: self.time.state)

    def _trusted_ms(self) -> int | None:
        return self.time.now_ms() if self.time.state == ClockState.SYNCHRONISED else None

    def _publish_live(self) -> None:
        self.live.publish()

    def _health(self) -> None:
        if self.link.connected:
            self._publish_status(StatusState.HEALTH)
        self.health.tell()

    async def _leave(self, keeping: "asyncio.Task[None]") -> None:
        if not keeping.done():
            self.checkpoint()
            if not await self.writer.flush():
                log.error(
                    "%d records could not be written and are lost; their energy is in the meters' registers",
                    self.writer.waiting_records,
                )
        if self.link.connected:
            with contextlib.suppress(LinkError, TimeoutError):
                await asyncio.wait_for(self._publish_status(StatusState.OFFLINE), _GOODBYE_S)
        await asyncio.wait({asyncio.ensure_future(self.link.stop())}, timeout=_GOODBYE_S)
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError, JournalError):
            await keeping
        await self.writer.close()
        log.info("stopped", extra={"details": self.health.figures()})
