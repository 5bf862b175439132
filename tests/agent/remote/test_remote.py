"""Commands to a whole gateway: every verb over a real broker and a real line, and what a restart leaves."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from gateway_support import ORIGIN_MS, Running, Scene, journal_records, silence, until
from remote_support import HOUR

from agent.config_file import load_config
from agent.gateway import Gateway
from agent.journal import Journal
from agent.journal_entry import Append, StoredCommand
from agent.remote.figures import oldest
from wire import topics
from wire.commands import Command, Outcome, Reply
from wire.connection import Received
from wire.envelope import open_envelope
from wire.orders import Configure, ConfigureAction, Order, Read, ReadDay, Resend, TellStatus, Verb
from wire.records import DetailKey, EventCode, EventRecord, FreezeKind
from wire.results import Configuration, ConfigurationState, DayRead, Figures, MeterRead, Resent

DAY = 24 * HOUR
SHOWN = Configuration(ConfigurationState.SENT, b"d" * 32, None, "[gateway]")


def order_of(number: int, order: Order, now_ms: int) -> Command:
    """Return a command that is valid for a day."""
    return Command("gw-1", number.to_bytes(16, "big"), now_ms, now_ms + DAY, order)


@dataclass
class Pending:
    """How a trial ended."""

    command: bytes
    outcome: Outcome
    text: str
    configuration: Configuration


class Configurator:
    """Stands for the agent's own: keeps what it was asked."""

    def __init__(self, pending: Pending | None = None, state: ConfigurationState = ConfigurationState.SENT) -> None:
        self.pending = pending
        self.shown = replace(SHOWN, state=state)
        self.asked: list[tuple[ConfigureAction, bytes]] = []
        self.heard = 0
        self.on_pending: Any = lambda: None

    async def show(self) -> Configuration:
        """Return what is in force."""
        return self.shown

    async def set(self, order: Configure, one: Command) -> tuple[Outcome, str, Configuration]:
        """Try it."""
        self.asked.append((order.action, one.id))
        return Outcome.UNDER_WAY, "on trial", self.shown

    async def roll_back(self, one: Command) -> tuple[Outcome, str, Configuration]:
        """Have nothing to go back to."""
        self.asked.append((ConfigureAction.ROLL_BACK, one.id))
        return Outcome.REFUSED, "there is none before it", self.shown

    def told(self) -> None:
        """Forget it."""
        self.pending = None

    def heard_centre(self) -> None:
        """Count."""
        self.heard += 1


class Commander:
    """The centre, giving orders."""

    def __init__(self, scene: Scene, centre: Any) -> None:
        self.scene = scene
        self.centre = centre
        self.replies: dict[bytes, list[Reply]] = {}
        self._take = centre.take
        centre.link._on_message = self.take
        centre.link.subscribe(topics.ALL_REPLIES, 1)

    def take(self, received: Received) -> None:
        """Take a reply, or leave a message to the centre."""
        if received.topic != topics.reply("gw-1"):
            self._take(received)
            return
        received.ack()
        reply = Reply.decode(open_envelope(received.payload, received.topic, self.centre.ring).payload)
        self.replies.setdefault(reply.id, []).append(reply)

    async def order(self, number: int, order: Order) -> Reply:
        """Give an order, again and again, until it is answered."""
        one = order_of(number, order, self.scene.clock.now_ms())
        async with asyncio.timeout(40):
            while one.id not in self.replies:
                self.centre.send(topics.command("gw-1"), one.encode())
                for _ in range(100):
                    await asyncio.sleep(0.01)
                    if one.id in self.replies:
                        break
        return self.replies[one.id][-1]


@asynccontextmanager
async def commanded(scene: Scene, make_centre: Any, extra: str = "", **more: Any) -> AsyncIterator[tuple[Any, Any]]:
    """Run a gateway with two meters, and a centre."""
    centre = make_centre(scene.broker.port, clock=scene.clock)
    commander = Commander(scene, centre)
    async with scene.responder.listening(), centre.running():
        running = with_configurator(scene, extra, **more)
        async with running as gateway:
            await until(lambda: gateway.link.connected)
            yield commander, gateway


def with_configurator(scene: Scene, extra: str = "", configurator: Any = None) -> Running:
    """Return a gateway in this process."""
    running = Running.__new__(Running)
    loaded = load_config(scene.configure(2, extra))
    loaded.config.gateway.data_dir.mkdir(exist_ok=True)
    running.file = loaded.config.journal_file
    journal = Journal.open(running.file, now_ms=scene.clock.now_ms(), entropy=random.Random().randbytes)
    running.gateway = Gateway(loaded, journal, scene.clock, chance=random.Random(1), configurator=configurator)
    running.stop = asyncio.Event()
    return running


@pytest.mark.mosquitto
def test_every_verb_is_answered(scene: Scene, make_centre: Any) -> None:
    """Over the broker; each leaves a record of itself."""

    async def scenario() -> Any:
        configurator = Configurator()
        async with commanded(scene, make_centre, configurator=configurator) as (commander, gateway):
            order = commander.order
            read = await order(1, Read("meter-1"))
            assert read.outcome == Outcome.DONE, read
            assert isinstance(read.result, MeterRead)
            assert read.result.values["energy_forward"] > 10**9
            assert abs(read.result.time_ms - scene.clock.now_ms()) < HOUR

            assert "did you mean 'meter-1'" in (await order(2, Read("meter-11"))).text

            await until(lambda: scene.clock.now_ms() > ORIGIN_MS + 2 * HOUR)
            day = await order(3, ReadDay("2026-01-01"))
            assert isinstance(day.result, DayRead)
            assert {freeze.record.kind for freeze in day.result.freezes} <= set(FreezeKind)
            assert "is still to come" in day.result.refused["meter-1"]

            commander.centre.deaf = True
            stored = dict(commander.centre.stored)
            commander.centre.stored.clear()
            commander.centre.deaf = False
            context = gateway.writer.journal.header.context
            resent = await order(4, Resend(context, 1, 3))
            assert resent.result == Resent(((1, 3),), ())
            await commander.centre.until(lambda: {1, 2, 3} <= set(commander.centre.stored))
            assert commander.centre.stored.keys() <= set(stored) | set(range(1, gateway.writer.next_sequence))
            refused = await order(5, Resend(bytes(8), 1, 3))
            assert (refused.outcome, context.hex() in refused.text) == (Outcome.REFUSED, True)
            assert (await order(6, Resend(context, 10**9, 10**9))).outcome == Outcome.REFUSED

            status = await order(7, TellStatus())
            assert isinstance(status.result, Figures)
            figures = status.result.figures
            assert figures["configuration.digest"] == (b"d" * 32).hex()
            assert figures["line.line-1.meters"] == 1
            assert figures["meter.meter-1.age_ms"] < HOUR
            assert figures["journal.context"] == context.hex()
            assert (figures["journal.oldest"], figures["cut.meters"]) == (1, 0)
            assert figures["program.memory"] > 1_000_000

            shown = await order(8, Configure(ConfigureAction.SHOW))
            assert shown.result == configurator.shown
            tried = await order(9, Configure(ConfigureAction.SET, "[gateway]"))
            assert tried.outcome == Outcome.UNDER_WAY
            assert (await order(10, Configure(ConfigureAction.ROLL_BACK))).outcome == Outcome.REFUSED
            assert [action for action, _ in configurator.asked] == [ConfigureAction.SET, ConfigureAction.ROLL_BACK]
            assert configurator.heard >= 10
            await until(lambda: gateway.uplink.unacknowledged == 0)
            return gateway.writer.journal.path

    file = asyncio.run(scenario())
    events = [
        record.details
        for record in journal_records(file).values()
        if isinstance(record, EventRecord) and record.code == EventCode.COMMAND
    ]
    assert [int(details[DetailKey.COMMAND], 16) for details in events] == list(range(1, 11))


@pytest.mark.mosquitto
def test_a_silent_meter_fails_and_the_others_are_read(scene: Scene, make_centre: Any) -> None:
    """And without a configurator nothing is to be configured."""

    async def fault(request: Any, reply: bytes) -> bytes | None:
        return None if request.unit == 2 else reply

    async def scenario() -> None:
        scene.responder.fault = fault
        async with commanded(scene, make_centre) as (commander, _):
            found = await commander.order(1, Read("meter-2"))
            assert (found.outcome, found.verb) == (Outcome.FAILED, Verb.READ)
            assert "no" in found.text
            assert (await commander.order(2, Read("meter-1"))).outcome == Outcome.DONE
            assert (await commander.order(3, Configure(ConfigureAction.SHOW))).outcome == Outcome.REFUSED

    asyncio.run(scenario())


@pytest.mark.mosquitto
def test_the_centres_time_is_taken_from_all_that_it_signs(scene: Scene, make_centre: Any) -> None:
    """Acknowledgements and factors, over a restart."""

    async def scenario() -> None:
        async with commanded(scene, make_centre) as (commander, gateway):
            await until(lambda: gateway.remote.time.newest_ms > ORIGIN_MS)
            acknowledged = gateway.remote.time.newest_ms
            now = scene.clock.now_ms() + 60_000
            commander.centre.mute = True
            commander.centre.dispatch(now // 900_000 * 900_000, 5, issued_ms=now)
            await until(lambda: gateway.remote.time.newest_ms >= now)
            assert now > acknowledged
        async with commanded(scene, make_centre) as (_, gateway):
            assert gateway.remote.time.newest_ms >= now

    asyncio.run(scenario())


def settled(scene: Scene, configurator: Configurator | None, kept: list[StoredCommand]) -> dict[int, Any]:
    """Start a gateway whose journal has these commands; return the outcomes of the events, by command."""

    async def scenario() -> Any:
        scene.responder.fault = silence
        async with scene.responder.listening():
            loaded = load_config(scene.configure(1))
            loaded.config.gateway.data_dir.mkdir(exist_ok=True)
            journal = Journal.open(
                loaded.config.journal_file, now_ms=scene.clock.now_ms(), entropy=random.Random().randbytes
            )
            journal.commit([Append(command=one) for one in kept])
            journal.close()
            running = with_configurator(scene, configurator=configurator)
            async with running as gateway:
                answerer = gateway.remote.answerer
                for _ in range(5):
                    await gateway.writer.flush()
                    await asyncio.sleep(0.01)
                if configurator is not None and configurator.shown.state is ConfigurationState.ON_TRIAL:
                    configurator.shown = SHOWN
                    configurator.pending = Pending(b"2" * 16, Outcome.DONE, "it stays", SHOWN)
                    configurator.on_pending()
                await until(lambda: not answerer.unfinished)
                for _ in range(5):
                    await gateway.writer.flush()
                    await asyncio.sleep(0.01)
            assert configurator is None or configurator.pending is None
            return running.file

    events = [
        (bytes.fromhex(str(record.details[DetailKey.COMMAND])), record.details)
        for record in journal_records(asyncio.run(scenario())).values()
        if isinstance(record, EventRecord) and record.code == EventCode.COMMAND
    ]
    found = {command[0] - 48: (details[DetailKey.OUTCOME], details.get(DetailKey.TEXT)) for command, details in events}
    assert len(found) == len(events)
    return found


def begun(number: int, verb: Verb, outcome: Outcome | None = None) -> StoredCommand:
    """Return a command that has no final outcome."""
    return StoredCommand(b"%d" % number * 16, ORIGIN_MS, ORIGIN_MS + DAY, verb, outcome)


INTERRUPTED = (Outcome.FAILED, "interrupted by a restart")
KEPT = [begun(1, Verb.READ), begun(2, Verb.CONFIGURE, Outcome.UNDER_WAY), begun(3, Verb.CONFIGURE)]


@pytest.mark.mosquitto
def test_what_a_former_run_began_was_interrupted(scene: Scene) -> None:
    """All of it, where no configuration is on trial."""
    assert settled(scene, None, KEPT) == dict.fromkeys((1, 2, 3), INTERRUPTED)


@pytest.mark.mosquitto
def test_the_end_of_a_trial_of_a_former_run_is_told_at_the_start(scene: Scene) -> None:
    """The rest was interrupted."""
    configurator = Configurator(Pending(b"2" * 16, Outcome.FAILED, "the centre did not answer", SHOWN))
    assert settled(scene, configurator, KEPT) == {
        1: INTERRUPTED,
        2: (Outcome.FAILED, "the centre did not answer"),
        3: INTERRUPTED,
    }


@pytest.mark.mosquitto
def test_a_configuration_on_trial_waits_for_its_end(scene: Scene) -> None:
    """Which comes while this run goes on."""
    configurator = Configurator(state=ConfigurationState.ON_TRIAL)
    assert settled(scene, configurator, KEPT) == {1: INTERRUPTED, 2: (Outcome.DONE, "it stays"), 3: INTERRUPTED}


@pytest.mark.mosquitto
def test_an_end_that_the_journal_has_already_is_not_recorded_again(scene: Scene) -> None:
    """The program died between the journal and the configurator's own note of it."""
    configurator = Configurator(Pending(b"2" * 16, Outcome.DONE, "it stays", SHOWN))
    assert settled(scene, configurator, [begun(2, Verb.CONFIGURE, Outcome.DONE)]) == {}


@pytest.mark.mosquitto
def test_more_figures_than_a_reply_takes_are_cut_worst_first(scene: Scene) -> None:
    """And it says how many meters and lines are missing."""

    async def scenario() -> None:
        scene.responder.fault = silence
        async with scene.responder.listening(), with_configurator(scene) as gateway:
            gateway.facts.read("meter-1")
            status = gateway.remote.answerer._handlers[Verb.STATUS]
            whole = status.collect({})  # type: ignore[attr-defined]
            assert {name for name in whole if name.startswith("meter.")} == {
                *("meter.meter-1.age_ms", "meter.meter-1.failures", "meter.meter-1.line"),
                *("meter.meter-2.failures", "meter.meter-2.line"),
            }
            cut = status.collect({}, len(whole) - 1)  # type: ignore[attr-defined]
            assert (cut["cut.meters"], cut["cut.lines"]) == (1, 0)
            assert "meter.meter-2.failures" in cut  # never read
            assert "meter.meter-1.failures" not in cut
            small = status.collect({}, 4096, 1800)  # type: ignore[attr-defined]
            assert small["cut.meters"] == 2
            assert sum(map(len, small)) < 1800
            assert oldest(gateway.writer.journal).keys() <= {"journal.oldest", "journal.oldest_ms"}

    asyncio.run(scenario())
