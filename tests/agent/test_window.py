"""The delivery logic, without a link."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.window import Window


def window(acknowledged: int = 0, **changes: Any) -> Window:
    """Return a window of 3 batches of 10."""
    values = {"batch": 10, "size": 3, "timeouts_ms": lambda: (1000.0, 8000.0), "chance": random.Random(1)}
    return Window(acknowledged, **{**values, **changes})


def test_sends_full_batches_at_once_and_the_rest_when_asked() -> None:
    """A part of a batch waits for the linger time."""
    w = window()
    assert w.room_for(next_sequence=15, partial=False) == (1, 10)
    w.sent(1, 10, 0)
    assert w.room_for(next_sequence=15, partial=False) is None
    assert w.room_for(next_sequence=15, partial=True) == (11, 4)


def test_stops_when_the_window_is_full() -> None:
    """A centre that does not answer gets a few batches, not the whole journal."""
    w = window()
    for first in (1, 11, 21):
        w.sent(first, 10, 0)
    assert w.room_for(next_sequence=100, partial=True) is None
    assert w.acknowledge(10, (), 0)
    assert w.room_for(next_sequence=100, partial=True) == (31, 10)


def test_goes_on_after_the_stored_acknowledgement() -> None:
    """What is acknowledged is not sent again after a restart."""
    assert window(acknowledged=40).room_for(next_sequence=45, partial=True) == (41, 4)


def test_time_out_doubles_with_jitter_from_above_up_to_the_longest() -> None:
    """Never earlier than the time-out, never later than one and a half times it."""
    w = window()
    w.sent(1, 10, 0)
    now = 0.0
    waits = []
    for _ in range(6):
        due = w.next_due_ms()
        assert due is not None
        assert w.due(due - 1) == []
        waits.append(due - now)
        now = due
        (batch,) = w.due(now)
        w.sent_again(batch, now)
    for wait, least in zip(waits, (1000, 2000, 4000, 8000, 8000, 8000), strict=True):
        assert least <= wait <= 1.5 * least
    assert w.resent == 6


def test_missing_ranges_are_sent_again_soon_and_only_they() -> None:
    """Out of order: the third batch arrived, the second did not."""
    w = window()
    for first in (1, 11, 21):
        w.sent(first, 10, 0)
    assert w.acknowledge(10, [(11, 20)], 500)
    assert [batch.first for batch in w.due(500)] == [11]
    assert len(w) == 2


def test_a_batch_named_missing_is_given_the_time_to_arrive() -> None:
    """The acknowledgement may have crossed it on the way."""
    w = window(timeouts_ms=lambda: (8000.0, 8000.0))
    w.sent(1, 10, 0)
    w.acknowledge(0, [(1, 10)], 10)
    assert w.due(999) == []
    assert [batch.first for batch in w.due(1000)] == [1]


def test_late_acknowledgement_changes_nothing() -> None:
    """A smaller `up_to` is an old message."""
    w = window()
    w.sent(1, 10, 0)
    assert w.acknowledge(10, (), 0)
    assert not w.acknowledge(5, [(6, 10)], 0)
    assert (w.acknowledged, len(w)) == (10, 0)


def test_acknowledgement_inside_a_batch_keeps_it_under_way() -> None:
    """A batch is done when its last record is stored."""
    w = window()
    w.sent(1, 10, 0)
    assert w.acknowledge(9, (), 0)
    assert len(w) == 1
    assert w.acknowledge(10, (), 0)
    assert len(w) == 0


def test_the_centre_may_know_more_than_the_stored_acknowledgement() -> None:
    """After a crash the counter is old: what the centre has is not sent again."""
    w = window(acknowledged=5)
    assert w.acknowledge(37, (), 0)
    assert w.room_for(next_sequence=40, partial=True) == (38, 2)


def test_when_the_link_is_back_everything_under_way_is_due() -> None:
    """The broker may have lost it with the connection."""
    w = window()
    for first in (1, 11):
        w.sent(first, 10, 0)
    w.link_back(5)
    assert [batch.first for batch in w.due(5)] == [1, 11]


def test_dropped_records_are_not_waited_for() -> None:
    """The journal gave up records before 15."""
    w = window()
    w.sent(1, 10, 0)
    w.skip(15)
    assert len(w) == 0
    assert w.room_for(next_sequence=16, partial=True) == (15, 1)


def test_what_is_left_of_a_batch_under_way_is_sent() -> None:
    """The journal gave up its first records: the others still have to arrive."""
    w = window()
    w.sent(1, 10, 0)
    w.sent(11, 10, 0)
    w.skip(5)
    assert [(batch.first, batch.count) for batch in w.due(2000)] == [(5, 6), (11, 10)]
    w.acknowledge(10, (), 0)
    assert len(w) == 1


def test_a_gap_that_can_never_be_filled_does_not_end_delivery() -> None:
    """The journal gave up records that the centre will name missing for ever; also after a restart."""
    w = window()
    w.skip(15)
    for first in (15, 25, 35):
        w.sent(first, 10, 0)
    assert w.room_for(next_sequence=100, partial=True) is None
    assert w.acknowledge(0, [(1, 14), (25, 34)], 0, highest=44)
    assert (w.acknowledged, len(w)) == (24, 2)
    assert w.acknowledge(0, [(1, 14)], 0, highest=44)
    assert (w.acknowledged, len(w)) == (44, 0)
    w = window(acknowledged=44)
    w.sent(45, 10, 0)
    assert not w.acknowledge(0, [(1, 14)], 0, highest=44)
    assert not w.acknowledge(0, [(1, 14), (45, 50)], 0, highest=54)
    assert w.acknowledge(0, [(1, 14)], 0, highest=54)
    assert (w.acknowledged, len(w)) == (54, 0)


def test_a_centre_that_does_not_tell_its_highest_is_understood() -> None:
    """It said nothing of what lies above the last missing range."""
    w = window()
    w.skip(15)
    w.sent(15, 10, 0)
    assert w.acknowledge(0, [(1, 14)], 0)
    assert (w.acknowledged, len(w)) == (14, 1)


def test_time_outs_follow_the_clock() -> None:
    """What is long on a fast clock would be hours once it runs at real speed."""
    timeouts = (1e6, 1e6)
    w = window(timeouts_ms=lambda: timeouts)
    w.sent(1, 10, 0)
    timeouts = (1000.0, 8000.0)
    w.sent(11, 10, 0)
    assert [batch.first for batch in w.due(1500)] == [11]


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), total=st.integers(1, 200), loss=st.floats(0, 0.9))
def test_everything_arrives_over_any_link_that_loses_and_reorders(seed: int, total: int, loss: float) -> None:
    """A centre behind a link that loses batches and acknowledgements ends up with every sequence."""
    chance = random.Random(seed)
    w = window(chance=chance)
    stored: set[int] = set()
    under_way: list[tuple[int, int]] = []
    now = 0.0
    for _ in range(20_000):
        if w.acknowledged == total:
            break
        now += 200
        for batch in w.due(now):
            w.sent_again(batch, now)
            under_way.append((batch.first, batch.count))
        while (run := w.room_for(total + 1, partial=True)) is not None:
            w.sent(*run, now)
            under_way.append(run)
        chance.shuffle(under_way)
        while under_way and chance.random() < 0.7:
            first, count = under_way.pop()
            if chance.random() >= loss:
                stored.update(range(first, first + count))
        up_to = next(n for n in range(total + 1) if n + 1 not in stored)
        gaps = [(n, n) for n in range(up_to + 1, max(stored, default=0)) if n not in stored]
        if chance.random() >= loss:
            told = gaps[:64]
            w.acknowledge(up_to, told, now, highest=max(stored) if 0 < len(told) < 64 else 0)
        assert stored.issuperset(range(1, w.acknowledged + 1))
    assert w.acknowledged == total
    assert stored == set(range(1, total + 1))
