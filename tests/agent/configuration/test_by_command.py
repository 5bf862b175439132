"""Configurations by signed commands: a real process, a real broker, and replies as the centre gets them."""

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from gateway_support import Scene, assert_delivered, until
from process_support import Process, changed

from agent.configuration.keeper import CUT_SHORT
from agent.configuration.store import digest_of
from wire import topics
from wire.commands import Command, Outcome, Reply
from wire.fields import MessageError
from wire.orders import Configure, ConfigureAction
from wire.results import Configuration, ConfigurationState

HOUR_MS = 3_600_000


@dataclass
class Office:
    """The centre's side of commands."""

    centre: Any
    scene: Scene
    sent: int = 0

    def __post_init__(self) -> None:
        self.centre.link.subscribe(topics.ALL_REPLIES, 1)

    def send(self, order: Configure) -> bytes:
        """Send a command; return its id."""
        self.sent += 1
        command = Command("gw-1", self.sent.to_bytes(16), now := self.scene.clock.now_ms(), now + HOUR_MS, order)
        self.centre.send(topics.command("gw-1"), command.encode())
        return command.id

    def replies(self, command: bytes) -> list[Reply]:
        """Return what has been answered to a command."""
        found = []
        for payload in self.centre.lives:  # the stand-in for a centre keeps there what is neither records nor status
            with suppress(MessageError):
                found.append(Reply.decode(payload))
        return [reply for reply in found if reply.id == command]

    async def answer(self, command: bytes) -> tuple[list[Outcome], str, Configuration]:
        """Wait for the final reply; return the distinct outcomes in their order, and what the last one says."""

        def final() -> bool:
            return any(reply.outcome != Outcome.UNDER_WAY for reply in self.replies(command))

        await self.centre.until(final, 40)
        replies = self.replies(command)
        result = replies[-1].result
        assert isinstance(result, Configuration)
        return list(dict.fromkeys(reply.outcome for reply in replies)), replies[-1].text, result


async def at_work(centre: Any) -> None:
    """Wait until the gateway takes commands: it has sent records, and they have been acknowledged."""
    await centre.until(lambda: len(centre.stored) > 2)


@pytest.mark.mosquitto
def test_from_the_command_to_its_outcome(scene: Scene, make_centre: Any) -> None:
    """Shown, taken over, refused, rolled back by itself, rolled back by command: one process, no record lost."""

    async def scenario() -> None:
        centre = make_centre(scene.broker.port, clock=scene.clock)
        office = Office(centre, scene)
        async with scene.responder.listening(), centre.running():
            config = scene.configure(1)
            agent = Process(config, scene.clock)
            own, text = config.read_text(), changed(config, ("poll_seconds = 60", "poll_seconds = 90"))
            wrong = text.replace(f"port = {scene.broker.port}\n", "port = 1\n")
            async with agent.running() as process:
                await at_work(centre)
                outcomes, _, shown = await office.answer(office.send(Configure(ConfigureAction.SHOW)))
                assert (outcomes, shown.state, shown.document) == ([Outcome.DONE], ConfigurationState.FILE, own)

                order = Configure(ConfigureAction.SET, text, shown.digest, 3600)
                outcomes, _, found = await office.answer(office.send(order))
                assert outcomes == [Outcome.UNDER_WAY, Outcome.DONE]
                assert (found.state, found.digest) == (ConfigurationState.SENT, digest_of(text.encode()))

                outcomes, why, _ = await office.answer(office.send(order))
                assert (outcomes, why) == ([Outcome.DONE], "it is in force already")
                outcomes, why, _ = await office.answer(office.send(Configure(ConfigureAction.SET, own, bytes(32))))
                assert (outcomes, why) == ([Outcome.REFUSED], f"another one is in force: {found.digest.hex()}")
                bad = Configure(ConfigureAction.SET, text.replace('"gw-1"', '"gw-2"'))
                outcomes, _, refused = await office.answer(office.send(bad))
                assert outcomes == [Outcome.REFUSED]
                assert refused.problems == ("gateway.id: can't be changed from afar: expected gw-1, got gw-2",)

                outcomes, why, back = await office.answer(office.send(Configure(ConfigureAction.SET, wrong, None, 10)))
                assert outcomes == [Outcome.UNDER_WAY, Outcome.FAILED]
                assert why.startswith("broker 127.0.0.1:1 not reached within 10 s: ")
                assert back == found

                outcomes, _, found = await office.answer(
                    office.send(Configure(ConfigureAction.ROLL_BACK, trial_s=3600))
                )
                assert outcomes == [Outcome.UNDER_WAY, Outcome.DONE]
                assert (found.state, found.digest) == (ConfigurationState.FILE, digest_of(own.encode()))
                assert process.returncode is None
                first = len(centre.stored)
                await centre.until(lambda: len(centre.stored) > first + 3)
        assert_delivered(centre, agent.journal)
        assert len(centre.contexts) == 1
        assert [why.partition(":")[0] for _, why in agent.changes()] == [
            *("on trial for 3600 s", "stays"),
            *("on trial for 10 s", "rolled back"),
            *("on trial for 3600 s", "stays"),
        ]

    asyncio.run(scenario())


@pytest.mark.mosquitto
def test_a_gateway_that_is_killed_in_the_trial_tells_it_when_it_is_back(scene: Scene, make_centre: Any) -> None:
    """The command is answered by another process, with the same id."""

    async def scenario() -> None:
        centre = make_centre(scene.broker.port, clock=scene.clock)
        office = Office(centre, scene)
        async with scene.responder.listening(), centre.running():
            config = scene.configure(1)
            agent = Process(config, scene.clock)
            wrong = changed(config, (f"port = {scene.broker.port}\n", "port = 1\n"))
            async with agent.running() as process:
                await at_work(centre)
                command = office.send(Configure(ConfigureAction.SET, wrong, None, 3600))
                await until(lambda: len(agent.changes()) == 1)
                process.send_signal(signal.SIGKILL)
                await process.wait()
            async with agent.running():
                outcomes, why, found = await office.answer(command)
                assert (outcomes, why) == ([Outcome.UNDER_WAY, Outcome.FAILED], CUT_SHORT)
                assert (found.state, found.digest) == (ConfigurationState.FILE, agent.base.digest)
        assert_delivered(centre, agent.journal)

    asyncio.run(scenario())
