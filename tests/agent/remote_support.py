"""What the tests of commands share: an answerer on a real journal, and a centre that signs and reads its replies."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from journal_support import START
from key_support import new_key

from agent.journal import Journal
from agent.remote.answer import Answerer
from agent.remote.answered import Answered
from agent.remote.believe import CentreTime
from agent.writer import JournalWriter
from clock import ManualClock
from wire import topics
from wire.commands import Command, Outcome, Reply
from wire.connection import LinkError
from wire.envelope import KeyRing, Signer, open_envelope
from wire.orders import Order, TellStatus, Verb
from wire.records import DetailKey, EventCode, EventRecord
from wire.results import Figures

GATEWAY = "gw-1"
TOPIC = topics.command(GATEWAY)
HOUR = 3_600_000


def order_id(number: int) -> bytes:
    """Return a command's id."""
    return number.to_bytes(16, "big")


def command(
    number: int, order: Order | None = None, *, issued: int = START, lasts: int = HOUR, gateway: str = GATEWAY
) -> Command:
    """Return a command, for STATUS if nothing else is said."""
    return Command(gateway, order_id(number), issued, issued + lasts, order or TellStatus())


@dataclass
class Wire:
    """The link: keeps what is published, unless it is down."""

    ring: KeyRing
    connected: bool = True
    replies: list[Reply] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        """Take a message."""
        assert (topic, qos, retain) == (topics.reply(GATEWAY), 1, False)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.connected:
            found = open_envelope(payload, topic, self.ring).payload
            self.payloads.append(found)
            self.replies.append(Reply.decode(found))
            future.set_result(None)
        else:
            future.set_exception(LinkError("down"))
        return future


Doing = Callable[[Command], Awaitable[Answered]]


class Bureau:
    """The centre's key, the gateway's, and everything of a gateway that outlives a run of it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "journal.db"
        self.clock = ManualClock(START)
        self.trusted = True
        centre, gateway = new_key(), new_key()
        self.signer, self.gateway_signer = Signer(centre), Signer(gateway)
        self.ring, replies = KeyRing(), KeyRing()
        self.ring.add(centre.public_key(), "centre")
        replies.add(gateway.public_key(), GATEWAY)
        self.wire = Wire(replies)
        self.done: list[bytes] = []  # the ids of what was done, in order
        self.doing: Doing | None = None  # instead of doing nothing

    def signed(self, one: Command, topic: str = TOPIC, signer: Signer | None = None) -> bytes:
        """Return a command's envelope."""
        return (signer or self.signer).sign(one.encode(), topic)

    async def handle(self, one: Command) -> Answered:
        """Do a command."""
        self.done.append(one.id)
        if self.doing is not None:
            return await self.doing(one)
        return Answered(Outcome.DONE, "", Figures({"n": len(self.done)}) if one.verb is Verb.STATUS else None)

    def journal(self) -> Journal:
        """Open the journal, as a run of the program does."""
        return Journal.open(self.path, now_ms=self.clock.now_ms(), entropy=random.Random().randbytes)

    @asynccontextmanager
    async def run(self, *, killed: bool = False, **changes: Any) -> AsyncIterator["Run"]:
        """Run the answerer; `killed`: nothing more is written at the end."""
        run = Run(self, self.journal(), **changes)
        tasks = [asyncio.create_task(run.writer.run()), asyncio.create_task(run.answerer.run())]
        await asyncio.sleep(0)
        try:
            yield run
        finally:
            tasks[1].cancel()
            await asyncio.gather(tasks[1], return_exceptions=True)
            if not killed and not tasks[0].done():
                await run.writer.flush()
            tasks[0].cancel()
            await asyncio.gather(tasks[0], return_exceptions=True)
            run.writer._executor.shutdown()
            run.journal.connection.close()
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    def events(self) -> list[dict[int, Any]]:
        """Return the details of the journal's command events."""
        journal = self.journal()
        found = [
            dict(record.details)
            for record in journal.read(1, 10_000).records
            if isinstance(record, EventRecord) and record.code == EventCode.COMMAND
        ]
        journal.close()
        return found

    def outcomes(self) -> list[tuple[int, Outcome]]:
        """Return what the journal's events say became of commands: (number, outcome)."""
        return [(int(details[DetailKey.COMMAND], 16), Outcome(details[DetailKey.OUTCOME])) for details in self.events()]


class Run:
    """One run of a gateway, as far as commands go."""

    def __init__(self, bureau: Bureau, journal: Journal) -> None:
        self.bureau = bureau
        self.journal = journal
        clock = bureau.clock
        self.writer = JournalWriter(journal, clock, clock.now_ms, memory_records=1000)
        self.time = CentreTime(
            journal.header.centre_ms,
            clock.now_ms,
            trusted=lambda: bureau.trusted,
            note=self.writer.note_centre_time,
            since_ms=journal.header.created_ms,
        )
        self.answerer = Answerer(
            GATEWAY,
            dict.fromkeys(Verb, bureau.handle),
            self.writer,
            bureau.wire,
            signer=bureau.gateway_signer,
            centre=bureau.ring,
            clock=clock,
            now_ms=clock.now_ms,
            time=self.time,
        )

    def take(self, one: Command, **how: Any) -> bool:
        """Hand a signed command over."""
        return self.answerer.message(TOPIC, self.bureau.signed(one, **how))

    async def replied(self, count: int) -> list[Reply]:
        """Wait until so many replies have been sent, and for one more that should not come."""
        await self.sent(count)
        await self.settled()
        assert len(self.bureau.wire.replies) == count
        return self.bureau.wire.replies

    async def sent(self, count: int) -> None:
        """Wait until so many replies have been sent."""
        async with asyncio.timeout(20):
            while len(self.bureau.wire.replies) < count:  # noqa: ASYNC110 - a thread writes
                await asyncio.sleep(0.001)

    async def settled(self) -> None:
        """Wait until nothing is under way any more that could still be said."""
        async with asyncio.timeout(20):
            await self.writer.flush()
            for _ in range(20):
                await asyncio.sleep(0)
            await self.writer.call(lambda: None)
            for _ in range(20):
                await asyncio.sleep(0)

    async def answer(self, one: Command, **how: Any) -> Reply:
        """Hand a command over and return the reply to it."""
        before = len(self.bureau.wire.replies)
        self.take(one, **how)
        return (await self.replied(before + 1))[-1]


def later(one: Command, by_ms: int) -> Command:
    """Return the same command as if it was signed later."""
    return replace(one, issued_ms=one.issued_ms + by_ms, expires_ms=one.expires_ms + by_ms)
