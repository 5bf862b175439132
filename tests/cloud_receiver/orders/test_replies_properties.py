"""Whatever comes on the topic of replies, the intake raises nothing, and keeps only what the gateway has signed."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intake_support import Bench, Message
from orders_support import ORDERS, RESULTS, Desk, reply, reply_payload
from receiver_support import FakeGateway, enrol, station_model
from sqlalchemy import update

from bench.hostile_messages import not_deterministic
from cloud_receiver import database, meters, schema
from cloud_receiver.registry import Registry
from wire import strict, topics
from wire.commands import Outcome, Reply
from wire.envelope import Signer
from wire.fields import MessageError
from wire.orders import Verb

EXAMPLES = 150
CHANGES = st.lists(
    st.tuples(st.sampled_from(["flip", "set", "insert", "remove"]), st.integers(0, 1 << 16), st.integers(0, 255)),
    min_size=1,
    max_size=5,
)
VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=70)
    | st.binary(max_size=70)
    | st.sampled_from([0, 1, 3, 4, 2**53, 2**53 + 1, 2**61, 2**63 - 1]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.integers(0, 30), inner, max_size=4),
    max_leaves=8,
)


def changed(data: bytes, changes: list[tuple[str, int, int]]) -> bytes:
    out = bytearray(data)
    for kind, anywhere, value in changes:
        place = anywhere % max(len(out), 1)
        match kind:
            case "flip" if out:
                out[place] ^= 1 << value % 8
            case "set" if out:
                out[place] = value
            case "insert":
                out.insert(place, value)
            case "remove":
                del out[place : place + 1 + value % 40]
            case _:
                pass
    return bytes(out)


class Centre:
    """A store with a gateway and an open command of each verb."""

    def __init__(self, directory: Path) -> None:
        self.engine = database.open_store("sqlite:///store.sqlite", directory)
        database.upgrade(self.engine)
        with database.writing(self.engine) as connection:
            meters.enter_registry(connection, Registry(station=(station_model(),)))
        self.gateway: FakeGateway = enrol(self.engine, "gw1")
        self.desk = Desk(self.engine)
        self.numbers = {verb: self.desk.issue("gw1", order) for verb, order in ORDERS.items()}
        self.bench = Bench(self.engine)

    def take(self, message: Message) -> None:
        """Take a message in: it is answered for, and either the very bytes are kept or it is refused."""
        counters = self.bench.intake.counters
        refused, taken = counters.refused.total(), counters.replies.total()
        self.bench.clock.elapsed_ms += 10_000  # or too many bytes of replies would come at once
        self.bench.take(message)
        assert message.acked == ["ack"]
        assert (counters.store_errors, counters.set_aside) == (0, 0)
        assert counters.refused.total() + counters.replies.total() == refused + taken + 1
        kept = [row.reply for row in self.bench.rows(schema.command) if row.reply is not None]
        if counters.replies.total() > taken:
            assert kept == [message.payload]
        else:
            assert kept == []
        with database.writing(self.engine) as connection:
            connection.execute(update(schema.command).values(outcome=None, reply=None, reply_kid=None, reply_ms=None))

    def signed(self, payload: bytes) -> Message:
        topic = topics.reply("gw1")
        return Message(topic, Signer(self.gateway.key).sign(payload, topic))


@pytest.fixture(scope="module")
def centre() -> Iterator[Centre]:
    with tempfile.TemporaryDirectory() as name:
        made = Centre(Path(name))
        yield made
        made.engine.dispose()


@settings(max_examples=EXAMPLES)
@given(payload=st.binary(max_size=300), name=st.sampled_from(["gw1", "gw2", "gw-9", "-", ""]))
def test_random_bytes(centre: Centre, payload: bytes, name: str) -> None:
    centre.take(Message(f"{topics.ROOT}/up/{name}/reply", payload))


@settings(max_examples=EXAMPLES)
@given(payload=st.binary(max_size=300))
def test_random_bytes_that_are_signed(centre: Centre, payload: bytes) -> None:
    centre.take(centre.signed(payload))


@settings(max_examples=EXAMPLES)
@given(verb=st.sampled_from(list(Verb)), changes=CHANGES)
def test_a_changed_envelope_is_refused_unless_it_is_the_same(
    centre: Centre, verb: Verb, changes: list[tuple[str, int, int]]
) -> None:
    good = reply(centre.gateway, centre.numbers[verb], verb=verb)
    payload = changed(good.payload, changes)
    taken = centre.bench.intake.counters.replies.total()
    centre.take(Message(good.topic, payload))
    assert (centre.bench.intake.counters.replies.total() > taken) == (payload == good.payload)


@settings(max_examples=2 * EXAMPLES)
@given(verb=st.sampled_from(list(Verb)), outcome=st.sampled_from(list(Outcome)), changes=CHANGES)
def test_a_changed_reply_that_is_signed_is_kept_as_it_came_or_not_at_all(
    centre: Centre, verb: Verb, outcome: Outcome, changes: list[tuple[str, int, int]]
) -> None:
    good = reply_payload("gw1", centre.numbers[verb], outcome, verb=verb, result=RESULTS[verb])
    centre.take(centre.signed(changed(good, changes)))


@settings(max_examples=2 * EXAMPLES)
@given(verb=st.sampled_from(list(Verb)), key=st.integers(0, 9), inner=st.none() | st.integers(0, 6), value=VALUE)
def test_a_reply_with_any_value_is_kept_as_it_came_or_not_at_all(
    centre: Centre, verb: Verb, key: int, inner: int | None, value: object
) -> None:
    content = strict.load(reply_payload("gw1", centre.numbers[verb], verb=verb))
    assert isinstance(content, dict)
    result = content[7]
    changed_content = {**content, key: value} if inner is None else {**content, 7: {**result, inner: value}}
    payload = strict.dump(changed_content)
    try:
        Reply.decode(payload)
    except MessageError:
        taken = centre.bench.intake.counters.replies.total()
        centre.take(centre.signed(payload))
        assert centre.bench.intake.counters.replies.total() == taken
    else:
        centre.take(centre.signed(payload))


@pytest.mark.parametrize("name", sorted(not_deterministic()))
@pytest.mark.parametrize("place", [0, 1, 40, 1 << 16])
def test_hostile_items_in_a_signed_reply(centre: Centre, name: str, place: int) -> None:
    good = reply_payload("gw1", centre.numbers[Verb.STATUS])
    payload = good[:place] + not_deterministic()[name] + good[place:]
    if len(payload) < 1_000_000:
        centre.take(centre.signed(payload))
