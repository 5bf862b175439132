"""An intake whose link is played by the test."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from key_support import new_key
from receiver_support import DAY_MS, FakeGateway, interval
from sqlalchemy import Engine, event, select
from sqlalchemy.exc import IntegrityError

from clock import ManualClock
from cloud_receiver import database
from cloud_receiver.config import Intake as IntakeSettings
from cloud_receiver.intake import Intake
from wire import topics
from wire.envelope import KeyRing, Signer, open_envelope
from wire.messages import Acknowledgement

FAST = IntakeSettings(commit_wait_ms=0, retry_first_ms=1, retry_longest_ms=1)


@dataclass
class FakeLink:
    """Remembers what was published."""

    published: list[tuple[str, bytes]] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        assert qos == 1
        assert not retain
        self.published.append((topic, payload))
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


@dataclass
class Message:
    """A message as the link hands it over."""

    topic: str
    payload: bytes
    acked: list[str] = field(default_factory=list)
    retained: bool = False

    @property
    def ack(self) -> Callable[[], None]:
        return lambda: self.acked.append("ack")


class Bench:
    """An intake with everything around it."""

    def __init__(self, engine: Engine, settings: IntakeSettings = FAST) -> None:
        self.engine = engine
        self.link = FakeLink()
        self.clock = ManualClock(wall_ms=DAY_MS)
        self.signer = Signer(new_key())
        self.intake = Intake(engine, self.signer, self.link, self.clock, settings)

    def take(self, *messages: Message) -> None:
        """Let the messages through and the intake end."""

        async def run() -> None:
            for item in messages:
                self.intake.receive(item)
            self.intake.stop()
            await self.intake.run()

        asyncio.run(run())
        self.intake._stopping = False

    def acknowledgements(self) -> list[Acknowledgement]:
        """Return what was acknowledged, after checking the centre's signature and the topic."""
        ring = KeyRing()
        ring.add(self.signer._key.public_key(), "centre")
        result = []
        for topic, envelope in self.link.published:
            opened = Acknowledgement.decode(open_envelope(envelope, topic, ring).payload)
            assert topic == topics.acknowledgement(opened.gateway)
            result.append(opened)
        return result

    def rows(self, table: Any) -> list[Any]:
        with database.reading(self.engine) as connection:
            return list(connection.execute(select(table)).all())


def batch(gateway: FakeGateway, first: int, count: int) -> Message:
    """Return the batch of the records first..first+count-1, record n being slot n - 1."""
    return Message(
        gateway.topic, gateway.envelope(first, [interval(number - 1) for number in range(first, first + count)])
    )


@contextmanager
def rejecting(engine: Engine, sequence: int) -> Iterator[None]:
    """Let the store reject a record, as a constraint does."""

    def reject(_conn: Any, _cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
        if sql.startswith("INSERT INTO interval") and any(row[0] == sequence for row in parameters):
            raise IntegrityError(sql, None, sqlite3.IntegrityError("constraint failed"))

    event.listen(engine, "before_cursor_execute", reject)
    yield
    event.remove(engine, "before_cursor_execute", reject)
