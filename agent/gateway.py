"""The gateway at work: its lines, its journal, its uplink, and everything between them put together."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Final

from agent import build
from agent.config_file import Loaded
from agent.configuration import Configurator
from agent.factors import FactorBook
from agent.facts import MEASURE_MS, Facts
from agent.health import Health
from agent.journal import Journal
from agent.journal_entry import Append, event, to_row
from agent.journal_schema import JournalError
from agent.logs import log
from agent.metrics import AgentMetrics
from agent.recorder import Recorder, last_reading_ms
from agent.remote.remote import Remote
from agent.report import LiveValues, StatusReporter
from agent.retention import prune
from agent.tasks import every, watched
from agent.timekeeper import Timekeeper, kernel_synchronised
from agent.uplink import Uplink
from agent.voltage_means import TELL_MS
from agent.watchdog import LifeSigns
from agent.writer import JournalWriter
from clock import Clock, SystemClock
from diantan_core import Factor
from supervision.systemd import READY, STOPPING, Notifier, feed
from wire import topics
from wire.connection import LinkError, Received
from wire.envelope import KeyRing, Signer
from wire.keys import load_private, load_public
from wire.link import Link
from wire.messages import StatusState
from wire.records import ClockState, EventCode
from wire.tasks import end

CHECK_CLOCK_MS: Final = 1_000
PRUNE_MS: Final = 600_000
COUNTERS_MS: Final = 5_000  # so much may `journal ls` lag behind the acknowledgements
_GOODBYE_S: Final = 2.0  # how long the broker may take for the last status
_HOUR_MS: Final = 3_600_000


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
        metering = build.build_metering(loaded, states)
        journal.own_factor = frozenset(name for name, one in metering.items() if one.own_factor)
        self.time = Timekeeper(
            clock,
            # A simulated clock is by definition the one that everybody has.
            synchronised=kernel_synchronised if isinstance(clock, SystemClock) else lambda: True,
            not_before_ms=last_reading_ms(metering.values()),
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
        self.facts = Facts(
            {meter.id: 1000 * meter.poll_seconds for line in config.line for meter in line.meter},
            {name: time for name, one in metering.items() if (time := one.last_time_ms) is not None},
            self.writer,
            clock,
            now_ms,
            limit_ms=1000 * config.report.overdue_seconds,
            held_back=lambda: self.recorder.held_back,
            stale=lambda: self.live.dropped,
            resent=lambda: self.uplink.window.resent,
        )
        self.status.facts = self.facts.fields
        self.recorder = Recorder(
            loaded,
            metering,
            journal.notes(),
            writer=self.writer,
            time=self.time,
            factors=self.factors,
            live=self.live,
            facts=self.facts,
        )
        self.time.on_step, self.time.on_leap = self.recorder.clock_stepped, self.recorder.clock_leapt
        self.lines = build.build_lines(
            loaded,
            clock,
            now_ms=now_ms,
            serial_numbers={meter: serial for meter, (_, serial) in states.items() if serial is not None},
            on_reading=self.recorder.take,
            on_silent=self.recorder.silent,
            on_back=self.recorder.back,
            factor_at=self.factors.dispatched,
            errand_for=self.recorder.errand_for,
        )
        self.health = Health(
            self.lines,
            self.recorder.notes,
            self.writer,
            self.uplink,
            self.factors,
            held_back=lambda: self.recorder.held_back,
        )
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
            details = None if former is None else former.details()
            opened = event(self.time.now_ms(), EventCode.CONTEXT_OPENED, details=details)
            self.writer.submit(Append([to_row(opened)]))
        self.recorder.begin_time()
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
            ("checkpoint", 1000 * config.journal.checkpoint_seconds, 1.0, self.recorder.checkpoint),
            ("counters", COUNTERS_MS, 1.0, self.writer.store_counters),
            ("retention", PRUNE_MS, 10.0, self._prune),
            ("backlog", MEASURE_MS, 1.0, self.facts.measure),
            ("voltage means", TELL_MS, 1.0, self.recorder.voltage_means.tell_due),
            ("status", 1000 * config.report.status_seconds, 1.0, self._health),
        ]
        if config.report.live_seconds:
            duties.append(("live", 1000 * config.report.live_seconds, 1.0, self._publish_live))
        return [
            asyncio.create_task(every(self._clock, period, floor, duty), name=name)
            for name, period, floor, duty in duties
        ]

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
            self.recorder.checkpoint()
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
