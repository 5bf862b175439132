"""Commands to a real agent process: a real Mosquitto, a simulated meter, and the test in the place of the centre."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gateway_support import Scene, assert_delivered, journal_records, silence, until
from key_support import new_key
from process_support import Process
from remote_support import HOUR, order_id

from agent.journal_check import open_read_only
from agent.journal_schema import JournalError
from wire import topics
from wire.commands import Command, Outcome, Reply
from wire.connection import Received
from wire.envelope import Signer, open_envelope
from wire.orders import Order, Read, ReadDay, TellStatus
from wire.records import DetailKey, EventCode, EventRecord
from wire.results import DayRead, Figures, MeterRead

TOPIC = topics.command("gw-1")


class Headquarters:
    """The centre: takes records as ever, gives orders, and keeps every reply with its bytes."""

    def __init__(self, scene: Scene, centre: Any) -> None:
        self.scene = scene
        self.centre = centre
        self.payloads: dict[bytes, list[bytes]] = {}
        self._take = centre.take
        centre.link._on_message = self.take
        centre.link.subscribe(topics.ALL_REPLIES, 1)

    def take(self, received: Received) -> None:
        """Take a reply, or leave a message to the centre."""
        if received.topic != topics.reply("gw-1"):
            self._take(received)
            return
        received.ack()
        payload = open_envelope(received.payload, received.topic, self.centre.ring).payload
        self.payloads.setdefault(Reply.decode(payload).id, []).append(payload)

    def command(self, number: int, order: Order, age_ms: int = 0) -> Command:
        """Return a command that is valid for a day."""
        issued = self.scene.clock.now_ms() - age_ms
        return Command("gw-1", order_id(number), issued, issued + 24 * HOUR, order)

    async def answer(self, one: Command, count: int = 1) -> Reply:
        """Send a command, again and again, until there are so many replies to it; return the last."""
        async with asyncio.timeout(40):
            while len(self.payloads.get(one.id, ())) < count:
                self.centre.send(TOPIC, one.encode())
                for _ in range(100):
                    await asyncio.sleep(0.01)
                    if len(self.payloads.get(one.id, ())) >= count:
                        break
        return Reply.decode(self.payloads[one.id][-1])


def begun(journal: Path) -> set[bytes]:
    """Return the ids of the commands that are on the disk and have no outcome."""
    try:
        with closing(open_read_only(journal)) as connection:
            return {id_ for (id_,) in connection.execute("SELECT id FROM commands WHERE outcome IS NULL")}
    except (JournalError, sqlite3.Error):
        return set()  # it is just being made


@pytest.mark.mosquitto
def test_commands_to_an_agent_that_is_killed_in_the_middle_of_one(scene: Scene, make_centre: Any) -> None:
    """Each verb that reads, a forged and an old command, a kill -9, and the same replies by another process."""

    async def scenario() -> Path:
        centre = make_centre(scene.broker.port, clock=scene.clock)
        office = Headquarters(scene, centre)
        async with scene.responder.listening(), centre.running():
            agent = Process(scene.configure(1), scene.clock)
            async with agent.running() as process:
                await centre.until(lambda: len(centre.stored) > 2)
                read = office.command(1, Read("meter-1"))
                before = scene.clock.now_ms()
                found = await office.answer(read)
                assert found.outcome == Outcome.DONE, found
                assert isinstance(found.result, MeterRead)
                counted = 10**9 + 10**6 * (found.result.time_ms - before) // 60_000
                assert found.result.values["energy_forward"] >= counted
                assert await office.answer(read, 2) == found

                centre.send(TOPIC, office.command(2, Read("meter-1")).encode(), Signer(new_key()))
                old = await office.answer(office.command(3, Read("meter-1"), 30 * HOUR))
                assert (old.outcome, "expired" in old.text) == (Outcome.REFUSED, True)
                status = await office.answer(office.command(4, TellStatus()))
                assert isinstance(status.result, Figures)
                assert status.result.figures["commands.unbelieved"] == 1
                assert status.result.figures["commands.done"] == 1
                day = await office.answer(office.command(5, ReadDay("2026-01-01")))
                assert isinstance(day.result, DayRead)

                scene.responder.fault = silence
                stuck = office.command(6, Read("meter-1"))
                centre.send(TOPIC, stuck.encode())
                await until(lambda: stuck.id in begun(agent.journal))
                process.kill()
                await process.wait()
            scene.responder.fault = None
            asked = len(scene.responder.requests)
            async with agent.running():
                interrupted = await office.answer(stuck)
                assert (interrupted.outcome, interrupted.text) == (Outcome.FAILED, "interrupted by a restart")
                assert await office.answer(stuck, 2) == interrupted
                assert await office.answer(read, 3) == found
                assert len(office.payloads[stuck.id]) >= 2
                await until(lambda: len(scene.responder.requests) > asked)
                assert (await office.answer(office.command(7, Read("meter-1")))).outcome == Outcome.DONE
                written = len(centre.stored)
                await centre.until(lambda: len(centre.stored) > written + 2)
            assert order_id(2) not in office.payloads
            kept = [payloads for id_, payloads in office.payloads.items() if id_ != order_id(3)]
            assert all(len(set(payloads)) == 1 for payloads in kept)
        assert_delivered(centre, agent.journal)
        return agent.journal

    events = [
        record.details
        for record in journal_records(asyncio.run(scenario())).values()
        if isinstance(record, EventRecord) and record.code == EventCode.COMMAND
    ]
    told = [
        (int(str(details[DetailKey.COMMAND]), 16), details[DetailKey.OUTCOME])
        for details in events
        if DetailKey.COMMAND in details
    ]
    done = [(1, Outcome.DONE), (4, Outcome.DONE), (5, Outcome.DONE), (6, Outcome.FAILED), (7, Outcome.DONE)]
    # The old one is kept, and recorded, unless the centre's own time had passed its end already.
    assert [one for one in told if one != (3, Outcome.REFUSED)] == done
