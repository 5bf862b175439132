"""The delivery logic, without a link."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.drain import Kind, Run
from agent.window import Window


def window(acknowledged: int = 0, following: int | None = None, **changes: Any) -> Window:
    """Return a window of 3 batches of 10 over a journal that begins or goes on after `acknowledged`."""
    values = {"batch": 10, "size": 3, "timeouts_ms": lambda: (1000.0, 8000.0), "chance": random.Random(1)}
    return Window(acknowledged, acknowledged + 1 if following is None else following, **{**values, **changes})


def fresh(w: Window, next_sequence: int, *, partial: bool = True, now: float = 0) -> tuple[int, int] | None:
    """Let the journal grow and return (first, count) of the next new batch."""
    w.grown(next_sequence, now)
    run = w.next_run(now, partial=partial)
    assert run is None or run.kind is Kind.FRESH
    return None if run is None else (run.first, run.count)


def send(w: Window, first: int, count: int, now: float = 0) -> None:
    """Send fresh records."""
    w.grown(first + count, now)
    w.sent(Run(first, count, Kind.FRESH), now)


def test_sends_full_batches_at_once_and_the_rest_when_asked() -> None:
    """A part of a batch waits for the linger time."""
    w = window()
    assert fresh(w, 15, partial=False) == (1, 10)
    send(w, 1, 10)
    assert fresh(w, 15, partial=False) is None
    assert fresh(w, 15) == (11, 4)


def test_stops_when_the_window_is_full() -> None:
    """A centre that does not answer gets a few batches, not the whole journal."""
    w = window()
    for first in (1, 11, 21):
        send(w, first, 10)
    assert fresh(w, 100) is None
    assert w.acknowledge(10, (), 0)
    assert fresh(w, 100) == (31, 10)


def test_goes_on_after_the_stored_acknowledgement() -> None:
    """What is acknowledged is not sent again after a restart."""
    assert fresh(window(acknowledged=40), 45) == (41, 4)


def test_time_out_doubles_with_jitter_from_above_up_to_the_longest() -> None:
    """Never earlier than the time-out, never later than one and a half times it."""
    w = window()
    send(w, 1, 10)
    now = 0.0
    waits = []
    for _ in range(6):
        due = w.next_due_ms()
        assert due is not None
        assert w.due(due - 1) == []
        waits.append(due - now)
        now = due
        (batch,) = w.due(now)
        w.sent_again(batch, batch.count, now)
    for wait, least in zip(waits, (1000, 2000, 4000, 8000, 8000, 8000), strict=True):
        assert least <= wait <= 1.5 * least
    assert w.resent == 6


def test_what_others_overtook_is_sent_again_soon_and_only_that() -> None:
    """The third batch arrived, the second did not; the fourth was sent after it and may be on its way."""
    w = window(size=4)
    for first in (1, 11, 21, 31):
        send(w, first, 10)
    assert w.acknowledge(10, [(11, 20)], 500, highest=30)
    assert [batch.first for batch in w.due(500)] == [11]
    assert len(w) == 2


def test_a_batch_that_is_only_behind_a_gap_is_not_sent_again() -> None:
    """While a backlog drains from both ends, most of what is under way lies in a gap of what the centre has."""
    w = window(0, 1001, size=8)
    w.acknowledge(0, (), 0)
    drained(w, 1)
    w.acknowledge(10, (), 1)
    runs = drained(w, 6)
    assert (991, 10) in runs
    assert (11, 10) in runs
    assert runs.index((991, 10)) < runs.index((11, 10))
    w.acknowledge(10, [(11, 990)], 500, highest=1000)
    assert w.due(999) == []


def drained(w: Window, count: int, now: float = 0) -> list[tuple[int, int]]:
    """Send the next batches."""
    runs = []
    for _ in range(count):
        run = w.next_run(now, partial=True)
        assert run is not None
        w.sent(run, now)
        runs.append((run.first, run.count))
    return runs


def test_an_overtaken_batch_is_given_the_time_to_arrive() -> None:
    """Two receivers may have taken one batch each, and one of them is slower."""
    w = window(timeouts_ms=lambda: (8000.0, 8000.0))
    send(w, 1, 10)
    send(w, 11, 10)
    w.acknowledge(0, [(1, 10)], 10, highest=20)
    assert w.due(999) == []
    assert [batch.first for batch in w.due(1000)] == [1]


def test_what_is_missing_in_an_old_message_is_no_reason_to_send() -> None:
    """What it has is true for ever, what it misses was so when it was written."""
    w = window(size=4)
    for first in (1, 11, 21, 31):
        send(w, first, 10)
    w.acknowledge(10, [(11, 20)], 500, highest=30, stale=True)
    assert w.due(999) == []
    assert [batch.first for batch in w.due(3000)] == [11, 31]


def test_the_arrival_of_a_repeated_batch_proves_only_its_first_sending() -> None:
    """Which copy arrived is not known: what was sent between the two may still be on its way."""
    w = window()
    send(w, 1, 10)
    (batch,) = w.due(1500)
    send(w, 11, 10, 1500)
    w.sent_again(batch, 10, 1501)
    w.grown(31, 1600)
    w.sent(Run(21, 10, Kind.FRESH), 1600)
    w.acknowledge(10, [(11, 15)], 1700, highest=16)
    assert 11 not in [batch.first for batch in w.due(2400)]


def test_a_centre_that_answers_again_is_not_kept_waiting() -> None:
    """After a long silence the pauses are long; one sign of life ends that for all batches."""
    w = window()
    send(w, 1, 10)
    send(w, 11, 10)
    now = 0.0
    for _ in range(6):
        now = max(batch.due_ms for batch in w.due(1e9))
        for batch in w.due(now):
            w.sent_again(batch, batch.count, now)
    assert min(batch.due_ms for batch in w.due(1e9)) >= now + 8000
    w.acknowledge(10, (), now + 100)
    assert [batch.first for batch in w.due(now + 1500)] == [11]


def test_late_acknowledgement_changes_nothing() -> None:
    """A smaller `up_to` is an old message."""
    w = window()
    send(w, 1, 10)
    assert w.acknowledge(10, (), 0)
    assert not w.acknowledge(5, [(6, 10)], 0)
    assert (w.acknowledged, len(w)) == (10, 0)


def test_acknowledgement_inside_a_batch_keeps_it_under_way() -> None:
    """A batch is done when its last record is stored."""
    w = window()
    send(w, 1, 10)
    assert w.acknowledge(9, (), 0)
    assert len(w) == 1
    assert w.acknowledge(10, (), 0)
    assert len(w) == 0


def test_the_centre_may_know_more_than_the_stored_acknowledgement() -> None:
    """After a crash the counter is old: what the centre has is not sent again."""
    w = window(acknowledged=5)
    assert w.acknowledge(37, (), 0)
    assert fresh(w, 40) == (38, 2)


def test_when_the_link_is_back_everything_under_way_is_due() -> None:
    """The broker may have lost it with the connection."""
    w = window()
    for first in (1, 11):
        send(w, first, 10)
    w.link_back(5)
    assert [batch.first for batch in w.due(5)] == [1, 11]


def test_dropped_records_are_not_waited_for() -> None:
    """The journal gave up records before 15."""
    w = window()
    send(w, 1, 10)
    w.give_up(1, 14)
    assert len(w) == 0
    assert fresh(w, 16) == (15, 1)


def test_a_hole_in_the_journal_costs_only_what_is_in_it() -> None:
    """The backlog before and behind it is still sent."""
    w = window(0, 101)
    w.give_up(41, 60)
    assert w.drain.waiting == [(1, 40), (61, 100)]


def test_what_is_left_of_a_batch_under_way_is_sent() -> None:
    """The journal gave up its first records: the others still have to arrive."""
    w = window()
    send(w, 1, 10)
    send(w, 11, 10)
    w.give_up(1, 4)
    assert [(batch.first, batch.count) for batch in w.due(2000)] == [(5, 6), (11, 10)]
    w.acknowledge(10, (), 0)
    assert len(w) == 1


def test_a_gap_that_can_never_be_filled_does_not_end_delivery() -> None:
    """The journal gave up records that the centre will name missing for ever; also after a restart."""
    w = window()
    w.give_up(1, 14)
    for first in (15, 25, 35):
        send(w, first, 10)
    assert fresh(w, 100) is None
    assert w.acknowledge(0, [(1, 14), (25, 34)], 0, highest=44)
    assert (w.acknowledged, len(w)) == (24, 1)
    assert w.acknowledge(0, [(1, 14)], 0, highest=44)
    assert (w.acknowledged, len(w)) == (44, 0)
    w = window(acknowledged=44)
    send(w, 45, 10)
    assert not w.acknowledge(0, [(1, 14)], 0, highest=44)
    assert not w.acknowledge(0, [(1, 14), (45, 50)], 0, highest=54)
    assert w.acknowledge(0, [(1, 14)], 0, highest=54)
    assert (w.acknowledged, len(w)) == (54, 0)


def test_a_centre_that_does_not_tell_its_highest_is_understood() -> None:
    """It said nothing of what lies above the last missing range."""
    w = window()
    w.give_up(1, 14)
    send(w, 15, 10)
    assert w.acknowledge(0, [(1, 14)], 0)
    assert (w.acknowledged, len(w)) == (14, 1)


def probed(acknowledged: int, following: int, **changes: Any) -> Window:
    """Return a window of 8 batches that has heard from the centre: it has the first batch."""
    w = window(acknowledged, following, size=8, **changes)
    drained(w, 1)
    w.acknowledge(acknowledged + 10, (), 0)
    return w


def test_a_part_of_the_window_is_kept_free_of_backlog() -> None:
    """Fresh records find room at once, however slow the link."""
    w = probed(0, 1000)
    drained(w, 6)
    assert w.next_run(0, partial=True) is None
    assert fresh(w, 1011) == (1000, 10)
    send(w, 1000, 10)
    assert fresh(w, 1011) == (1010, 1)


def test_a_link_too_slow_for_the_fresh_records_still_lets_some_of_the_backlog_pass() -> None:
    """One batch in five; else the oldest would be lost in the end."""
    w = probed(0, 1000)
    kinds = []
    w.grown(5000, 0)
    for turn in range(10):
        run = w.next_run(0, partial=True)
        assert run is not None
        w.sent(run, 0)
        kinds.append(run.kind)
        if turn >= 5:
            w.acknowledge(10, [(11, 999)], 0, highest=run.first + run.count - 1 if run.kind is Kind.FRESH else 1039)
    assert kinds.count(Kind.BACKLOG) == 2


def test_until_the_centre_has_answered_only_one_batch_of_the_backlog_is_under_way() -> None:
    """It may have most of it."""
    w = window(0, 1000, size=8)
    assert drained(w, 1) == [(1, 10)]
    assert w.next_run(0, partial=True) is None
    assert fresh(w, 1001) == (1000, 1)
    w.acknowledge(0, [(1, 10)], 1, highest=999)
    assert w.drain.waiting == []


def test_what_the_centre_has_beyond_a_gap_is_counted() -> None:
    """The gateway's backlog is what is missing, not all behind the first gap."""
    w = probed(0, 1000)
    drained(w, 6)
    w.acknowledge(10, [(11, 979)], 0, highest=999)
    assert (w.acknowledged, w.beyond) == (10, 20)
    w.acknowledge(20, [(21, 979)], 0, highest=999)
    assert (w.acknowledged, w.beyond) == (20, 20)


def test_fresh_records_that_had_no_turn_in_time_are_backlog() -> None:
    """After an outage of more than a time-out; what came since then is not."""
    w = window(40)
    w.grown(51, 0)
    w.grown(61, 900)
    w.grown(61, 1100)
    assert (w.drain.waiting, w.frontier) == ([(41, 50)], 51)
    w.grown(61, 2000)
    assert (w.drain.waiting, w.frontier) == ([(41, 60)], 61)


def test_too_many_gaps_are_not_added_to() -> None:
    """Where eight runs wait already, fresh records wait in their order instead; none is lost."""
    w = window(0, 1, size=8)
    for number in range(1, 9):
        w.drain.enter(100 * number, 100 * number + 10)
    w.frontier = 901
    w.grown(911, 0)
    w.grown(911, 5000)
    assert (len(w.drain.waiting), w.frontier) == (8, 901)
    assert fresh(w, 911) == (901, 10)
    w.drain.settle(100, 110)
    w.grown(911, 5000)
    assert (w.drain.waiting[-1], w.frontier) == ((901, 910), 911)


def test_what_leaves_again_counts_against_the_rate() -> None:
    """It uses the link all the same."""
    w = probed(0, 1000, drain_per_second=10)
    assert w.drain.ready_ms() == 1000
    assert drained(w, 1, now=1000) == [(990, 10)]
    assert w.drain.ready_ms() == 2000
    (batch,) = w.due(2600)
    w.sent_again(batch, 10, 2600)
    assert w.drain.ready_ms() == 3000
    assert w.next_due_ms() == 3000
    assert w.next_run(2999, partial=True) is None


def test_what_is_missing_at_the_end_of_a_repeated_batch_waits_anew() -> None:
    """The journal gave less of it than at first."""
    w = probed(0, 1000)
    ((first, _),) = drained(w, 1)
    (batch,) = w.due(2600)
    w.sent_again(batch, 4, 2600)
    assert (batch.first, batch.count) == (first, 4)
    assert w.drain.waiting == [(11, 989), (994, 999)]


def test_time_outs_follow_the_clock() -> None:
    """What is long on a fast clock would be hours once it runs at real speed."""
    timeouts = (1e6, 1e6)
    w = window(timeouts_ms=lambda: timeouts)
    send(w, 1, 10)
    timeouts = (1000.0, 8000.0)
    send(w, 11, 10)
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
        w.grown(total + 1, now)
        for batch in w.due(now):
            w.sent_again(batch, batch.count, now)
            under_way.append((batch.first, batch.count))
        while (run := w.next_run(now, partial=True)) is not None:
            w.sent(run, now)
            under_way.append((run.first, run.count))
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
