"""Valid messages changed by chance: the intake never raises, and holds only what a gateway has signed."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intake_support import Bench, Message
from key_support import BOTH_ALGORITHMS, new_key
from receiver_support import DAY_MS, FakeGateway, enrol, interval, station_model
from sqlalchemy import Engine, delete, func, insert, select

from bench.hostile_messages import not_deterministic, ordered
from cloud_receiver import database, meters, schema
from cloud_receiver.registry import Registry
from diantan_core import DecodeError, decode_batch
from wire import topics
from wire.envelope import Signer
from wire.messages import Status, StatusState
from wire.records import ClockState, EventCode, EventRecord, Record

pytestmark = BOTH_ALGORITHMS

EXAMPLES = 100
SEQUENCE = 1 + list(schema.interval.c.keys()).index("sequence")
"""Where a reading has its sequence, behind the name of its table; all four tables begin alike."""
_BIT = st.tuples(st.just("bit"), st.integers(0, 1 << 16), st.integers(0, 7))
_BYTE = st.tuples(st.sampled_from(["set", "insert"]), st.integers(0, 1 << 16), st.integers(0, 255))
_CUT = st.tuples(st.sampled_from(["cut", "remove", "double"]), st.integers(0, 1 << 16), st.integers(1, 40))
CHANGES = st.lists(_BIT | _BYTE | _CUT, min_size=1, max_size=5)

VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=70)
    | st.binary(max_size=70)
    | st.sampled_from([0, 1, 4096, 4097, 2**53, 2**61, 2**63 - 1, -(2**61)]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.integers(-1, 30), inner, max_size=4),
    max_leaves=8,
)


def changed(data: bytes, changes: list[tuple[str, int, int]]) -> bytes:
    out = bytearray(data)
    for kind, anywhere, value in changes:
        place = anywhere % (len(out) + 1)
        match kind:
            case "bit" if place < len(out):
                out[place] ^= 1 << value
            case "set" if place < len(out):
                out[place] = value
            case "insert":
                out.insert(place, value)
            case "cut":
                del out[place:]
            case "remove":
                del out[place : place + value]
            case "double":
                out[place:place] = out[place : place + value]
            case _:
                pass
    return bytes(out)


class Centre:
    """A store with two gateways, of which gw1 has sent three intervals and an event."""

    def __init__(self, directory: Path) -> None:
        self.engine: Engine = database.open_store("sqlite:///store.sqlite", directory)
        database.upgrade(self.engine)
        with database.writing(self.engine) as connection:
            meters.enter_registry(connection, Registry(station=(station_model(),)))
        self.one, self.two = enrol(self.engine, "gw1"), enrol(self.engine, "gw2")
        self.bench = Bench(self.engine)
        records: list[Record] = [interval(number) for number in range(3)]
        records.append(EventRecord(None, DAY_MS, EventCode.CONTEXT_OPENED, {5: 1}))
        self.payload = self.one.payload(1, records)
        self.envelope = self.one.envelope(1, records)
        self.bench.take(Message(self.one.topic, self.envelope))
        self.stored = self.readings()
        assert len(self.stored) == 4

    def readings(self) -> set[tuple[Any, ...]]:
        """Return every row that is a reading, or proves one."""
        found: set[tuple[Any, ...]] = set()
        with database.reading(self.engine) as connection:
            for table in (schema.interval, schema.freeze, schema.adjustment, schema.event):
                found |= {(table.name, *row) for row in connection.execute(select(table))}
        return found

    def forget(self, rows: set[tuple[Any, ...]]) -> None:
        """Take back what an example has stored, with its journals and proofs."""
        if not rows:
            return
        with database.writing(self.engine) as connection:
            first = connection.execute(select(func.min(schema.journal.c.id))).scalar_one()
            for table in (schema.interval, schema.freeze, schema.adjustment, schema.event):
                connection.execute(delete(table).where((table.c.journal != first) | (table.c.sequence > 4)))
            connection.execute(delete(schema.message).where(schema.message.c.envelope != self.envelope))
            connection.execute(delete(schema.received_range))
            connection.execute(insert(schema.received_range).values(journal=first, first=1, last=4))
        assert self.readings() == self.stored

    def messages(self) -> dict[bytes, str]:
        """Return the signed envelopes that are kept, with their topics."""
        with database.reading(self.engine) as connection:
            return {bytes(row.envelope): row.topic for row in connection.execute(select(schema.message))}

    def signed(self, payload: bytes, gateway: FakeGateway | None = None) -> Message:
        sender = gateway or self.one
        return Message(sender.topic, Signer(sender.key).sign(payload, sender.topic))


@pytest.fixture(scope="module")
def centre() -> Iterator[Centre]:
    with tempfile.TemporaryDirectory() as name:
        made = Centre(Path(name))
        yield made
        made.engine.dispose()


@settings(max_examples=EXAMPLES)
@given(changes=CHANGES, topic=st.sampled_from(["records", "status"]), name=st.sampled_from(["gw1", "gw2", "gw3"]))
def test_a_changed_envelope_adds_nothing(
    centre: Centre, changes: list[tuple[str, int, int]], topic: str, name: str
) -> None:
    message = Message(f"{topics.ROOT}/up/{name}/{topic}", changed(centre.envelope, changes))
    refused = centre.bench.intake.counters.refused.total()
    centre.bench.take(message)
    assert message.acked == ["ack"]
    same = message.payload == centre.envelope and message.topic == centre.one.topic
    assert centre.bench.intake.counters.refused.total() == refused + (not same)
    assert centre.readings() == centre.stored
    assert list(centre.messages()) == [centre.envelope]


@settings(max_examples=EXAMPLES)
@given(changes=CHANGES)
def test_a_changed_batch_that_is_signed_is_stored_as_it_says_or_not_at_all(
    centre: Centre, changes: list[tuple[str, int, int]]
) -> None:
    _stored_as_signed(centre, changed(centre.payload, changes))


@settings(max_examples=EXAMPLES)
@given(key=st.integers(0, 12), column=st.none() | st.integers(0, 22), value=VALUE)
def test_a_batch_with_any_value_is_stored_as_it_says_or_not_at_all(
    centre: Centre, key: int, column: int | None, value: object
) -> None:
    batch: dict[int, Any] = cbor2.loads(centre.payload)
    if column is None or not isinstance(batch.get(key), dict):
        batch[key] = value
    else:
        batch[key] = ordered({**batch[key], column: value})
    _stored_as_signed(centre, cbor2.dumps(ordered(batch)))


@settings(max_examples=60)
@given(place=st.integers(0, 1 << 16), name=st.sampled_from(sorted(not_deterministic())))
def test_hostile_items_anywhere_in_a_signed_batch(centre: Centre, place: int, name: str) -> None:
    place %= len(centre.payload) + 1
    _stored_as_signed(centre, centre.payload[:place] + not_deterministic()[name] + centre.payload[place:])


def _stored_as_signed(centre: Centre, payload: bytes) -> None:
    """Take a signed payload in: every new row is one of those the decoder reads in it, and the message is kept."""
    message = centre.signed(payload) if len(payload) < 1_000_000 else Message(centre.one.topic, payload)
    counters = centre.bench.intake.counters
    refused = counters.refused.total()
    centre.bench.take(message)
    assert message.acked == ["ack"]
    assert (counters.store_errors, counters.set_aside) == (0, 0)
    news = centre.readings() - centre.stored
    try:
        batch = decode_batch(payload)
    except DecodeError:
        batch = None
    if batch is None or batch.gateway != "gw1":
        assert counters.refused.total() == refused + 1
        assert news == set()
    else:
        sequences = set(range(batch.first, batch.first + batch.count))
        assert {row[SEQUENCE] for row in news} <= sequences
        # Of a journal that was known, what came before stays; of another one everything is new.
        assert len(news) == (len(sequences - {1, 2, 3, 4}) if batch.context == b"journal1" else batch.count)
        if news:
            assert message.payload in centre.messages()
    assert centre.stored <= centre.readings()
    centre.forget(news)


@settings(max_examples=EXAMPLES)
@given(changes=CHANGES)
def test_a_changed_status_that_is_signed_raises_nothing(centre: Centre, changes: list[tuple[str, int, int]]) -> None:
    good = Status("gw2", StatusState.BIRTH, DAY_MS, b"journal1", 5, 0, ClockState.SYNCHRONISED).encode()
    topic = topics.status("gw2")
    payload = changed(good, changes)
    message = Message(topic, Signer(centre.two.key).sign(payload, topic))
    centre.bench.take(message)
    assert message.acked == ["ack"]
    assert centre.readings() == centre.stored
    for row in centre.bench.rows(schema.gateway_status):
        assert len(row.context) == 8
        assert row.next_sequence >= 1


@settings(max_examples=60)
@given(st.lists(st.tuples(st.text(min_size=1, max_size=40), st.binary(max_size=40)), max_size=20))
def test_anything_on_any_topic(centre: Centre, items: list[tuple[str, bytes]]) -> None:
    messages = [Message(topic, payload) for topic, payload in items]
    centre.bench.take(*messages)
    assert all(message.acked == ["ack"] for message in messages)
    assert centre.readings() == centre.stored


def test_a_key_that_nobody_enrolled_signs_nothing(centre: Centre) -> None:
    message = Message(centre.one.topic, Signer(new_key()).sign(centre.payload, centre.one.topic))
    centre.bench.take(message)
    assert centre.readings() == centre.stored
