"""Order and rate of the drain, alone and in the model of drain_support."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from drain_support import BATCH, SIZE, TICK_MS, World
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from agent.config_file import load_config
from agent.drain import MAX_SPANS, OLDEST_SHARE, Drain, Kind
from agent.spans import stored_spans, united, without
from cloud_receiver.commit import MISSING_RANGES
from settings.errors import ConfigError


def taken(drain: Drain, count: int, now: float = 0) -> list[tuple[int, int]]:
    """Send the next batches."""
    runs = []
    for _ in range(count):
        run = drain.next(probing=False)
        assert run is not None
        drain.sent(run, now)
        if run.kind is Kind.BACKLOG:
            drain.settle(run.first, run.first + run.count - 1)
        runs.append((run.first, run.count))
    return runs


def test_newest_first_and_every_fourth_batch_from_the_oldest() -> None:
    """The live view fills from today backwards, and the cumulative acknowledgement goes on."""
    drain = Drain([(1, 100)], batch=10, per_second=0)
    assert taken(drain, 8) == [(91, 10), (81, 10), (71, 10), (1, 10), (61, 10), (51, 10), (41, 10), (11, 10)]
    assert drain.waiting == [(21, 40)]


def test_the_newest_of_several_outages_comes_first() -> None:
    """A second outage came before the first was made good."""
    drain = Drain([(1, 30), (51, 65)], batch=10, per_second=0)
    assert taken(drain, 3) == [(56, 10), (51, 5), (21, 10)]


def test_what_was_asked_for_has_its_turn_beside_the_backlog() -> None:
    """Neither waits for the other."""
    drain = Drain([(101, 200)], batch=10, per_second=0)
    drain.enter_again(1, 150)
    assert drain.again == [(1, 100)]
    assert taken(drain, 5) == [(191, 10), (1, 10), (181, 10), (101, 10), (171, 10)]


def test_gaps_are_closed_when_there_are_too_many() -> None:
    """The centre names 64, and every one costs its intake."""
    spans = [(100 * n, 100 * n + (5 if n == 3 else 50)) for n in range(1, MAX_SPANS + 2)]
    drain = Drain(spans, batch=10, per_second=0)
    assert taken(drain, 1) == [(300, 6)]
    assert taken(drain, 1) == [(100 * (MAX_SPANS + 1) + 41, 10)]


def test_rate_is_kept_over_time_and_allows_no_burst_after_a_pause() -> None:
    """Ten records a second: after a batch of ten the next may leave a second later; a second may be made up for."""
    drain = Drain([(1, 1000)], batch=10, per_second=10)
    assert drain.ready_ms() == 0
    taken(drain, 1, now=500)
    assert drain.ready_ms() == 1500
    taken(drain, 1, now=60_000)
    assert drain.ready_ms() == 60_000
    taken(drain, 1, now=60_000)
    assert drain.ready_ms() == 61_000
    drain.charge(20, 61_000)
    assert drain.ready_ms() == 63_000


runs = st.tuples(st.integers(1, 60), st.integers(0, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(st.tuples(st.booleans(), runs), max_size=12))
def test_spans_are_sets(operations: list[tuple[bool, tuple[int, int]]]) -> None:
    """Sorted, apart from each other, and of the same members as a set that is treated likewise."""
    spans: list[tuple[int, int]] = []
    members: set[int] = set()
    for enter, (first, last) in operations:
        spans = united(spans, first, last) if enter else without(spans, first, last)
        change = set(range(first, last + 1))
        members = members | change if enter else members - change
        assert [n for low, high in spans for n in range(low, high + 1)] == sorted(members)
        assert all(a[1] + 1 < b[0] for a, b in pairwise(spans))


def test_what_an_acknowledgement_says_is_stored() -> None:
    """Also where missing ranges adjoin, and where the highest sequence is not told."""
    assert stored_spans(0, (), 0) == []
    assert stored_spans(9, (), 0) == [(1, 9)]
    assert stored_spans(9, [(10, 11), (15, 15)], 0) == [(1, 9), (12, 14)]
    assert stored_spans(0, [(1, 1), (2, 2), (5, 6)], 8) == [(3, 4), (7, 8)]


@pytest.mark.parametrize(("rate", "fits"), [(0, True), (1, False), (4, False), (5, True)])
def test_a_rate_that_is_slower_than_the_meters_is_refused(site: Any, rate: int, fits: bool) -> None:
    """60 meters make a record a second: the oldest of a backlog must leave faster than that."""
    extra = f"[interval]\nminutes = 1\n[uplink]\ndrain_records_per_second = {rate}"
    path: Path = site.configure(broker_port=1, meter_ports=[1000 + n for n in range(60)], extra=extra)
    if fits:
        assert load_config(path).config.uplink.drain_records_per_second == rate
    else:
        with pytest.raises(ConfigError, match=r"uplink\.drain_records_per_second: 60 meters make 60 records in 60 s"):
            load_config(path)


def test_fresh_records_are_on_time_while_a_backlog_drains_and_nothing_is_sent_twice() -> None:
    """Behind 5000 old records: a fresh one waits for no more than what is on the wire."""
    world = World(1, backlog=5000, latency_ms=150)
    while world.window.drain:
        world.write(1)
        world.tick()
    world.until(world.all_stored, 10)
    assert len(world.written) > 100
    assert max(world.fresh_delays()) <= 2 * 150
    assert world.repeated == 0
    assert world.most_pieces <= 3


def test_the_middle_comes_last_and_the_oldest_have_their_share() -> None:
    """Whatever the latency: the order is that of the turns."""
    world = World(1, backlog=1000)
    world.state_records = 10_000
    world.until(world.all_stored, 60)
    drained = world.drained()
    assert drained[0].first == 1  # whose acknowledgement tells what the centre has
    half = drained[: len(drained) // 2]
    assert sum(run.first <= 500 for run in half) >= len(half) // OLDEST_SHARE
    assert drained[1].first == 991
    newest = [run.first for run in half if run.first > 500]
    assert newest == sorted(newest, reverse=True)
    assert 150 <= drained[-1].first <= 350


def test_the_first_acknowledgement_after_a_restart_tells_what_the_centre_has() -> None:
    """A backlog half drained from both ends is not sent again; only what was under way may be."""
    world = World(2, backlog=2000)
    world.until(lambda: len(world.first_taken) > 1200, 60)
    world.restart()
    assert world.window.drain.waiting == [(world.window.acknowledged + 1, 2000)]
    world.until(world.all_stored, 60)
    assert world.repeated <= (SIZE + 1) * BATCH


def test_rate_holds_back_the_backlog_alone() -> None:
    """Fifty records a second of the backlog; twice as many fresh ones pass."""
    world = World(3, backlog=2000, per_second=50)
    for _ in range(200):  # 10 s
        world.write(5)
        world.tick()
    sent = sum(run.count for run in world.drained())
    assert 400 <= sent <= 50 * 10 + 50 + BATCH
    assert max(world.fresh_delays()) <= 2 * 150


@pytest.mark.parametrize(("per_second", "kept"), [(100, True), (60, False)])
def test_retention_never_takes_what_could_have_been_sent(per_second: int, kept: bool) -> None:
    """A full journal loses 20 records a second from its beginning: the oldest must leave faster than that."""
    world = World(5, backlog=1000, per_second=per_second)
    while world.window.drain:
        world.write(1)
        world.prune(max(world.following - world.low - 1030, 0))
        world.tick()
    world.until(lambda: not world.window, 10)
    assert (world.gone() <= world.first_taken.keys()) is kept


def test_a_centre_with_too_many_gaps_to_tell_is_still_made_whole() -> None:
    """As an agent might leave it that sent in another order: from the oldest on, until the centre sees the end."""
    world = World(6, backlog=3000)
    for first in range(5, 3000, 20):
        world.centre.add(first, first + 9)
        for sequence in range(first, first + 10):
            world.first_taken[sequence] = 0
    assert len(world.centre) > 2 * MISSING_RANGES
    world.until(world.all_stored, 600)
    assert sum(world.taken.values()) < 3000


def test_a_second_outage_adds_a_gap_and_not_many() -> None:
    """Outages in the middle of draining: what each left behind is drained newest first."""
    world = World(4, backlog=3000, per_second=200)
    for _ in range(20):
        world.cut()
        for _ in range(80):  # 4 s, longer than the time-out
            world.write(1)
            world.tick()
        world.heal()
        for _ in range(20):
            world.write(1)
            world.tick()
    assert world.most_pieces <= MAX_SPANS + 2
    world.until(world.all_stored, 120)


actions = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 60)),
    st.tuples(st.just("wait"), st.integers(1, 120)),
    st.tuples(st.just("outage"), st.integers(1, 150)),
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("prune"), st.integers(1, 80)),
    st.tuples(st.just("lose"), st.integers(1, 400)),
    st.tuples(st.just("again"), st.integers(1, 400)),
)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    backlog=st.integers(0, 3000),
    latency_ms=st.integers(50, 700),
    per_second=st.sampled_from([0, 100, 1000]),
    bursts=st.lists(st.integers(0, BATCH), min_size=20, max_size=100),
    again=st.integers(0, 500),
)
def test_fresh_records_are_on_time_behind_any_backlog(  # noqa: PLR0917 - hypothesis passes by name
    seed: int, backlog: int, latency_ms: int, per_second: int, bursts: list[int], again: int
) -> None:
    """On a whole link of any length a fresh record waits for one answer at most, and nothing is sent twice."""
    world = World(seed, backlog=backlog, latency_ms=latency_ms, per_second=per_second)
    world.again(min(again, backlog))
    pause = 2 * latency_ms // 100 + 1  # at most two of the eight batches under way are fresh
    for burst in bursts:
        world.write(burst)
        for _ in range(pause):
            world.tick()
    world.until(world.all_stored, 120)
    assert max(world.fresh_delays(), default=0) <= 3 * latency_ms + 2 * TICK_MS
    assert world.repeated <= world.asked
    assert world.most_pieces <= SIZE


# Without shrinking: a failure's script is short enough, and to try shorter ones takes minutes.
@settings(max_examples=150, deadline=None, phases=[Phase.generate])
@given(
    seed=st.integers(0, 2**32),
    backlog=st.integers(0, 600),
    loss=st.sampled_from([0.0, 0.0, 0.05, 0.3]),
    double=st.sampled_from([0.0, 0.3]),
    jitter_ms=st.sampled_from([0.0, 0.0, 400.0]),
    skew_ms=st.sampled_from([0.0, 2000.0, -60_000.0]),
    per_second=st.sampled_from([0, 150]),
    script=st.lists(actions, min_size=5, max_size=40),
)
def test_model(  # noqa: PLR0917 - hypothesis passes by name
    seed: int,
    backlog: int,
    loss: float,
    double: float,
    jitter_ms: float,
    skew_ms: float,
    per_second: int,
    script: list[tuple[str, int]],
) -> None:
    """Losses, copies, reorder, restarts, cuts, receivers of different clocks, retention and holes, in any order.

    Everything the journal holds ends at the centre; what is acknowledged is there or gone; the gaps stay few, and what
    is sent again is bounded by what was lost.
    """
    world = World(seed, backlog=backlog, per_second=per_second)
    world.loss, world.double, world.jitter_ms, world.skew_ms = loss, double, jitter_ms, skew_ms
    for action, value in script:
        world.act(action, value)
        for _ in range(value if action == "wait" else 5):
            world.tick()
        assert set(range(1, world.window.acknowledged + 1)) <= world.first_taken.keys() | world.gone()
    world.loss = 0.0
    world.until(world.all_stored, 900)
    # A gap that can never be filled is passed with the next acknowledgement.
    world.write(1)
    world.until(lambda: world.all_stored() and world.window.acknowledged == world.following - 1, 900)
    assert world.most_pieces <= MAX_SPANS + SIZE + 2 + world.lives + len(world.holes)
    if not jitter_ms:
        # Whatever is lost, no more than a window's worth is sent again for it.
        accidents = world.cuts + world.lives - 1 + world.lost
        assert world.repeated <= (SIZE + 1) * BATCH * accidents + world.asked
