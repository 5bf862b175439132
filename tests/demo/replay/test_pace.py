"""What lets time go on: records and acknowledgements as they come, and only those that are signed."""

import asyncio
from pathlib import Path

import pytest

from demo.files import GATEWAY, NODE
from demo.processes import DemoError
from demo.replay.pace import Pace
from wire import topics
from wire.batch import RecordBatchMessage, encode_batch
from wire.connection import Received
from wire.envelope import Signer
from wire.keys import generate, save_public
from wire.messages import Acknowledgement
from wire.records import ClockState, FactorQuality, IntervalRecord, Quality, Record

SLOT_MS = 900_000
CONTEXT = bytes(8)


class Heard:
    """A pace that hears gateway and centre."""

    def __init__(self, directory: Path) -> None:
        self.gateway, self.centre = generate(), generate()
        save_public(self.gateway.public_key(), directory / "gateway.pub")
        save_public(self.centre.public_key(), directory / "centre.pub")
        self.pace = Pace(1, directory / "gateway.pub", directory / "centre.pub", ["c01", "grid"])

    def hears(self, topic: str, envelope: bytes) -> None:
        self.pace._take(Received(topic, envelope, retained=False, ack=lambda: None))

    def records(self, first: int, *records: Record, signer: Signer | None = None) -> None:
        message = RecordBatchMessage(GATEWAY, CONTEXT, first, SLOT_MS, ClockState.SYNCHRONISED, list(records))
        topic = topics.records(GATEWAY)
        self.hears(topic, (signer or Signer(self.gateway)).sign(encode_batch(message), topic))

    def acknowledgement(self, up_to: int, signer: Signer | None = None) -> None:
        topic = topics.acknowledgement(GATEWAY)
        message = Acknowledgement(GATEWAY, CONTEXT, up_to, (), SLOT_MS)
        self.hears(topic, (signer or Signer(self.centre)).sign(message.encode(), topic))


@pytest.fixture
def heard(tmp_path: Path) -> Heard:
    return Heard(tmp_path)


def interval(meter: str, number: int) -> IntervalRecord:
    undefined = FactorQuality.UNDEFINED
    return IntervalRecord(
        meter, number * SLOT_MS, SLOT_MS, 0, 0, 0, 0, None, undefined, 0, 0, 0, 0, 2, Quality.MEASURED
    )


def test_a_quarter_is_complete_when_all_meters_have_it(heard: Heard) -> None:
    heard.records(1, interval("c01", 0), interval("c01", 1))
    assert heard.pace.complete(0)
    assert not heard.pace.complete(SLOT_MS)
    heard.records(3, interval("grid", 0))
    assert heard.pace.complete(SLOT_MS)
    assert not heard.pace.complete(2 * SLOT_MS)
    heard.records(4, interval("another", 9), interval("grid", 1))
    assert heard.pace.complete(2 * SLOT_MS)
    assert not heard.pace.complete(2 * SLOT_MS + 1)
    assert heard.pace.written == 5


def test_all_is_settled_when_the_centre_has_all(heard: Heard) -> None:
    heard.records(1, interval("c01", 0), interval("grid", 0))
    heard.acknowledgement(1)
    assert not heard.pace.settled
    heard.acknowledgement(2)
    assert heard.pace.settled
    heard.acknowledgement(1)  # overtaken
    assert heard.pace.settled


def test_who_is_up_has_signed_something(heard: Heard) -> None:
    for topic, own, other in (
        (topics.status(GATEWAY), heard.gateway, heard.centre),
        (topics.factor(NODE), heard.centre, heard.gateway),
    ):
        heard.hears(topic, b"")
        heard.hears(topic, Signer(other).sign(b"x", topic))
        assert not (heard.pace.gateway_is_up and heard.pace.centre_is_up)
        heard.hears(topic, Signer(own).sign(b"x", topic))
    assert heard.pace.gateway_is_up
    assert heard.pace.centre_is_up


def test_what_others_sign_counts_for_nothing(heard: Heard) -> None:
    stranger = Signer(generate())
    heard.records(1, interval("c01", 0), interval("grid", 0), signer=stranger)
    heard.acknowledgement(5, signer=stranger)
    topic = topics.records(GATEWAY)
    heard.hears(topic, Signer(heard.gateway).sign(b"no batch", topic))
    assert (heard.pace.written, heard.pace.acknowledged, heard.pace.complete(1)) == (0, 0, False)


def test_it_waits_as_long_as_anything_comes(heard: Heard) -> None:
    async def test() -> tuple[bool, bool]:
        waiting = asyncio.create_task(heard.pace.comes(lambda: heard.pace.complete(SLOT_MS), lambda: None))
        await asyncio.sleep(0)
        heard.records(1, interval("c01", 0))
        await asyncio.sleep(0)
        heard.records(2, interval("grid", 0))
        return await waiting, await heard.pace.comes(lambda: False, lambda: None, patience_s=0)

    assert asyncio.run(test()) == (True, False)


def test_a_program_that_has_ended_is_told_of_at_once(heard: Heard) -> None:
    def check() -> None:
        raise DemoError("agent ended early")

    with pytest.raises(DemoError, match="agent ended early"):
        asyncio.run(heard.pace.comes(lambda: False, check))
