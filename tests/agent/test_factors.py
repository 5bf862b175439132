"""Carbon factors as they come: believed, refused, late, corrected, stale."""

import random
from pathlib import Path
from typing import Any

import pytest
from key_support import BOTH_ALGORITHMS, new_key

from agent.factors import REJECTED_EVERY_MS, SLOT_MS, FactorBook
from agent.journal_entry import Append, FactorUpdate, StoredFactor
from wire import topics
from wire.envelope import KeyRing, Signer
from wire.messages import Factors
from wire.records import DetailKey, EventCode, FactorQuality, IntervalRecord, Quality
from wire.row import from_body

pytestmark = BOTH_ALGORITHMS

START = 1_767_196_800_000
TOPIC = topics.factor("node-1")


class Desk:
    """A factor book, the centre's key, and a writer that only collects."""

    def __init__(self, stored: tuple[StoredFactor, ...] = (), **settings: Any) -> None:
        self.operations: list[Append | FactorUpdate] = []
        self.now_ms = START
        centre = new_key()
        self.signer = Signer(centre)
        ring = KeyRing()
        ring.add(centre.public_key(), "centre")
        values = {"default": None, "hold_ms": None, **settings}
        self.book = FactorBook("node-1", stored, self, ring, now_ms=lambda: self.now_ms, **values)  # type: ignore[arg-type]  # a stand-in

    def submit(self, operation: Append | FactorUpdate) -> None:
        """Collect."""
        self.operations.append(operation)

    def take(self, *factors: int | None, start: int = START, issued: int = 1, **changes: Any) -> bool:
        """Sign and hand over a message."""
        values = {"node": "node-1", "solve_id": b"s", "issued_ms": issued, "slot_ms": SLOT_MS, **changes}
        message = Factors(first_start_ms=start, factors=factors, **values)
        return self.book.message(TOPIC, self.signer.sign(message.encode(), TOPIC))

    @property
    def events(self) -> list[Any]:
        """The events submitted so far."""
        return [from_body(row.body) for one in self.operations if isinstance(one, Append) for row in one.rows]


def test_factors_apply_from_their_slot_and_are_stored() -> None:
    """Three slots, one of them undefined."""
    desk = Desk()
    assert desk.take(500_000, None, 600_000)
    schedule = desk.book.schedule
    assert schedule.at(START) == (500_000, FactorQuality.DISPATCHED)
    assert schedule.at(START + SLOT_MS) == (None, FactorQuality.UNDEFINED)
    assert schedule.at(START + 3 * SLOT_MS) == (600_000, FactorQuality.HELD)
    (update,) = desk.operations
    assert isinstance(update, FactorUpdate)
    assert list(update.slots) == [(START, 500_000), (START + SLOT_MS, None), (START + 2 * SLOT_MS, 600_000)]


def test_each_slot_is_stored_with_its_own_solution() -> None:
    """An adjustment must name the solution of its slot, not that of the newest one in the message."""
    desk = Desk()
    assert desk.take(500_000, 600_000, 700_000, solve_ids=(b"a", b"b", b"a"))
    updates = [one for one in desk.operations if isinstance(one, FactorUpdate)]
    assert {one.solve_id: list(one.slots) for one in updates} == {
        b"a": [(START, 500_000), (START + 2 * SLOT_MS, 700_000)],
        b"b": [(START + SLOT_MS, 600_000)],
    }
    assert [desk.book.schedule.at(START + place * SLOT_MS)[0] for place in range(3)] == [500_000, 600_000, 700_000]
    desk.operations.clear()
    assert desk.take(500_000, 610_000, 700_000, issued=2, solve_ids=(b"a", b"c", b"a"))
    assert [list(one.changed) for one in desk.operations if isinstance(one, FactorUpdate)] == [
        [],
        [(START + SLOT_MS, 610_000)],
    ]


def test_a_message_repeated_or_older_changes_nothing() -> None:
    """Each slot keeps what was issued last, whatever the order of arrival."""
    desk = Desk()
    assert desk.take(500_000, issued=10)
    assert desk.take(500_000, issued=10)
    assert desk.take(400_000, issued=9)
    assert len(desk.operations) == 1
    assert desk.book.schedule.at(START)[0] == 500_000
    assert desk.take(450_000, issued=11)
    assert desk.book.schedule.at(START)[0] == 450_000


def test_the_time_of_issue_survives_a_restart() -> None:
    """An old message replayed to a restarted gateway is as stale as before; a repetition renews the time."""
    desk = Desk()
    desk.take(500_000, issued=10)
    desk.take(500_000, issued=20)
    last = desk.operations[-1]
    assert isinstance(last, FactorUpdate)
    assert (list(last.slots), list(last.changed), last.issued_ms) == ([(START, 500_000)], [], 20)
    again = Desk(stored=(StoredFactor(START, 500_000, b"s", 20),))
    assert again.take(400_000, issued=15)
    assert again.book.schedule.at(START)[0] == 500_000


def test_a_later_message_fills_the_slots_missed() -> None:
    """The dispatcher repeats the last slots: only what is new counts as changed."""
    desk = Desk()
    desk.take(1, issued=1)
    desk.take(1, 2, 3, issued=2)
    update = desk.operations[-1]
    assert isinstance(update, FactorUpdate)
    assert [start for start, _ in update.changed] == [START + SLOT_MS, START + 2 * SLOT_MS]


@pytest.mark.parametrize(
    "changes", [{"node": "node-2"}, {"slot_ms": 60_000}, {"start": START + 1}], ids=["node", "slot", "start"]
)
def test_wrong_content_is_rejected(changes: dict[str, Any]) -> None:
    """Signed, but not ours."""
    desk = Desk()
    assert not desk.take(500_000, **changes)
    assert [event.code for event in desk.events] == [EventCode.FACTOR_REJECTED]
    assert desk.book.schedule.at(START)[0] is None


def test_wrong_signature_garbage_and_another_topic_are_rejected() -> None:
    """Nothing unsigned is believed, and what was signed for another topic is not for this one."""
    desk = Desk()
    message = Factors("node-1", b"s", 1, SLOT_MS, START, (500_000,)).encode()
    stranger = Signer(new_key())
    good = desk.signer.sign(message, TOPIC)
    for envelope in (
        stranger.sign(message, TOPIC),
        desk.signer.sign(message, topics.factor("node-2")),
        good[:-1] + bytes([good[-1] ^ 1]),
        message,
        b"",
        random.Random(1).randbytes(300),
    ):
        assert not desk.book.message(TOPIC, envelope)
    assert desk.book.rejected == 6
    assert desk.book.schedule.at(START)[0] is None


def test_rejections_are_recorded_once_an_hour() -> None:
    """A flood of bad messages does not fill the journal."""
    desk = Desk()
    for _ in range(100):
        desk.book.message(TOPIC, b"junk")
    desk.now_ms += REJECTED_EVERY_MS
    desk.book.message(TOPIC, b"junk")
    assert [event.details[DetailKey.COUNT] for event in desk.events] == [1, 101]


def test_a_slot_that_closed_without_its_factor_is_told_once() -> None:
    """However many meters there are."""
    desk = Desk(default=400_000)

    def closed(slot: int, quality: FactorQuality) -> IntervalRecord:
        return IntervalRecord("m", START + slot, 60_000, 0, 0, 0, 0, 1, quality, 0, 0, 0, 0, 1, Quality.MEASURED)

    desk.book.interval_closed(closed(0, FactorQuality.DISPATCHED))
    for minute in range(3):
        desk.book.interval_closed(closed(60_000 * minute, FactorQuality.HELD))
    desk.book.interval_closed(closed(SLOT_MS, FactorQuality.DEFAULT))
    assert [(event.code, event.details[DetailKey.SLOT]) for event in desk.events] == [
        (EventCode.FACTOR_MISSING, START),
        (EventCode.FACTOR_MISSING, START + SLOT_MS),
    ]


def test_only_what_the_centre_said_is_forwarded_to_meters() -> None:
    """A held factor is the meter's own business; an undefined one is said."""
    desk = Desk(default=400_000)
    desk.take(500_000, None)
    assert desk.book.dispatched(START + 1) == (START, 500_000)
    assert desk.book.dispatched(START + SLOT_MS) == (START + SLOT_MS, None)
    assert desk.book.dispatched(START + 2 * SLOT_MS) is None


def test_topic_is_the_nodes() -> None:
    """As wire.topics says."""
    assert Desk().book.topic == TOPIC
    assert Path(TOPIC).name == "node-1"
