"""Commands issued into a store, and replies as gateways sign them."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from intake_support import Bench, Message
from key_support import new_key
from receiver_support import DAY_MS, FakeGateway
from sqlalchemy import Engine

from cloud_receiver import database
from cloud_receiver.orders import book, issue
from cloud_receiver.orders.book import Entry
from cloud_receiver.schema import quarantine
from wire import topics
from wire.commands import Command, Outcome, Reply
from wire.envelope import KeyRing, Signer, open_envelope
from wire.keys import PrivateKey
from wire.orders import Configure, ConfigureAction, Order, Read, ReadDay, Resend, TellStatus, Verb
from wire.records import FreezeKind, FreezeRecord, FreezeSource
from wire.results import (
    Configuration,
    ConfigurationState,
    DayRead,
    Figures,
    MeterRead,
    Resent,
    Result,
    SlotFactor,
    StoredFreeze,
)

MINUTE_MS = 60_000
DIGEST = bytes(range(32))
DOCUMENT = '[gateway]\nid = "gw1"\n'
FREEZE = FreezeRecord("C01", DAY_MS, FreezeKind.DAILY, 12_345_678, 0, 7_040_000_000_001, 0, FreezeSource.METER)
RESULTS: dict[Verb, Result] = {
    Verb.READ: MeterRead("C01", DAY_MS, {"energy_forward": 12_345_678}, {"voltage_a": "no such register"}),
    Verb.READ_DAY: DayRead(
        (StoredFreeze(0, FREEZE),), (SlotFactor(DAY_MS, 570_300, DAY_MS, b"solve"),), {"C02": "does not answer"}
    ),
    Verb.RESEND: Resent(((1, 2), (4, 4)), ((3, 3),)),
    Verb.STATUS: Figures({"version": "1.0", "line.a.ok": 3}),
    Verb.CONFIGURE: Configuration(ConfigurationState.FILE, DIGEST, None, DOCUMENT),
}
ORDERS: dict[Verb, Order] = {
    Verb.READ: Read("C01"),
    Verb.READ_DAY: ReadDay("2026-07-01"),
    Verb.RESEND: Resend(b"journal1", 1, 4),
    Verb.STATUS: TellStatus(),
    Verb.CONFIGURE: Configure(ConfigureAction.SHOW),
}


@dataclass
class Desk:
    """The centre's key, by which commands are issued into a store."""

    engine: Engine
    key: PrivateKey = field(default_factory=new_key)
    now_ms: int = DAY_MS
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def issue(self, gateway: str = "gw1", order: Order | None = None, *, minutes: int = 60) -> bytes:
        with database.writing(self.engine) as connection:
            return issue.issue(
                *(connection, Signer(self.key), gateway, order or TellStatus()),
                author="tester",
                now_ms=self.now_ms,
                valid_ms=minutes * MINUTE_MS,
                random_bytes=lambda size: next(self._numbers).to_bytes(size, "big"),
            )

    def entry(self, number: bytes) -> Entry:
        with database.reading(self.engine) as connection:
            found = book.find(connection, number)
        assert found is not None
        return found

    def stored(self, number: bytes) -> book.Stored:
        with database.reading(self.engine) as connection:
            found = book.load(connection, number)
        assert found is not None
        return found

    def opened(self, topic: str, envelope: bytes) -> Command:
        """Return the command in an envelope, which the centre must have signed."""
        ring = KeyRing()
        ring.add(self.key.public_key(), "centre")
        return Command.decode(open_envelope(envelope, topic, ring).payload)


def reply_payload(
    gateway: str, number: bytes, outcome: Outcome = Outcome.DONE, *, verb: Verb | None = Verb.STATUS, **fields: Any
) -> bytes:
    if "result" not in fields and verb is not None and outcome is Outcome.DONE:
        fields["result"] = RESULTS[verb]
    return Reply(gateway, number, fields.pop("time_ms", DAY_MS), outcome, verb=verb, **fields).encode()


def reply(gateway: FakeGateway, number: bytes, outcome: Outcome = Outcome.DONE, **fields: Any) -> Message:
    """Return a gateway's reply, signed for its topic."""
    topic = topics.reply(gateway.name)
    return Message(topic, Signer(gateway.key).sign(reply_payload(gateway.name, number, outcome, **fields), topic))


def reasons(bench: Bench) -> list[str]:
    return [row.reason for row in bench.rows(quarantine)]
