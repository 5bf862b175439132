"""A flood of commands that the centre did sign, against a real agent process: polls go on, and memory stays."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from gateway_support import ORIGIN_MS, intervals, journal_records, until
from process_support import Process
from remote_support import HOUR, order_id

from agent.remote.answer import A_MINUTE
from clock import SimulatedClock
from wire import topics
from wire.commands import Command, Reply
from wire.connection import Received
from wire.envelope import open_envelope
from wire.orders import Read, TellStatus
from wire.results import Figures

FLOOD = 20_000
MOST_MORE_KIB = 40_000
SPEED = 60


def memory_kib(process: Any) -> int:
    """Return how much memory a process has."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


@pytest.mark.mosquitto
def test_a_flood_of_signed_commands_starves_nothing(
    mosquitto: Any, site: Any, responder: Any, registers_of: Any, make_centre: Any
) -> None:
    """As fast as the broker takes them: each meter is read in every minute, and few of the commands are taken."""
    clock = SimulatedClock(ORIGIN_MS, SPEED, time.monotonic_ns() // 1_000_000)
    responder.registers = registers_of(clock)
    replies: dict[bytes, Reply] = {}

    async def scenario() -> Path:
        centre = make_centre(mosquitto.port, clock=clock)
        take = centre.take

        def taken(received: Received) -> None:
            if received.topic != topics.reply("gw-1"):
                take(received)
                return
            received.ack()
            reply = Reply.decode(open_envelope(received.payload, received.topic, centre.ring).payload)
            replies[reply.id] = reply

        centre.link._on_message = taken
        centre.link.subscribe(topics.ALL_REPLIES, 1)
        async with responder.listening(), centre.running():
            extra = "[interval]\nminutes = 1\n"
            config = site.configure(broker_port=mosquitto.port, meter_ports=[responder.port] * 4, extra=extra)
            agent = Process(config, clock)
            async with agent.running() as process:
                await centre.until(lambda: len(centre.stored) > 2)
                before = memory_kib(process)
                now = clock.now_ms()
                for number in range(FLOOD):
                    order = Command("gw-1", order_id(number), now, now + HOUR, Read(f"meter-{number % 4 + 1}"))
                    centre.send(topics.command("gw-1"), order.encode())
                    if number % 50 == 0:
                        await asyncio.sleep(0)
                while not replies.get(last := order_id(FLOOD)):
                    order = Command("gw-1", last, now, now + 24 * HOUR, TellStatus())
                    centre.send(topics.command("gw-1"), order.encode())
                    await asyncio.sleep(0.2)
                result = replies[last].result
                assert isinstance(result, Figures)
                put_off = result.figures["commands.put_off"]
                more = memory_kib(process) - before
                assert put_off > FLOOD // 4  # the broker dropped the others: it keeps a thousand for each client
                assert more < MOST_MORE_KIB
                end = clock.now_ms()
                await until(lambda: bool(polled(agent.journal, end)))
            return agent.journal

    file = asyncio.run(scenario())
    assert A_MINUTE <= len(replies) < FLOOD / 4
    for number in range(1, 5):
        rows = intervals(list(journal_records(file).values()), f"meter-{number}")
        assert sum(row.readings == 0 for row in rows[1:-1]) <= len(rows) // 10


def polled(journal: Path, since_ms: int) -> list[Any]:
    """Return the intervals of the first meter that end after a time."""
    rows = intervals(list(journal_records(journal).values()), "meter-1")
    return [row for row in rows if row.start_ms >= since_ms]
