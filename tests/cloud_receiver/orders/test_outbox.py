"""The outbox publishes what waits in the store: soon, with back-off, at once when a gateway is back, once in all."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from intake_support import Bench, Message, batch
from orders_support import MINUTE_MS, ORDERS, Desk, reply
from receiver_support import DAY_MS, FakeGateway, enrol, interval, until
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from clock import ManualClock
from cloud_receiver import database
from cloud_receiver.orders import outbox as outbox_module
from cloud_receiver.orders.outbox import AT_ONCE, FIRST_MS, GAP_MS, LONGEST_MS, OFFLINE_MS, UNDER_WAY_MS, WINDOW, Outbox
from wire import topics
from wire.commands import Outcome
from wire.envelope import Signer
from wire.link import LinkError
from wire.messages import Status, StatusState
from wire.orders import Verb
from wire.records import ClockState

HOUR_MS = 60 * MINUTE_MS


@dataclass
class FakeLink:
    """A link that is there, or fails as the test says."""

    connected: bool = True
    failing: bool = False
    published: list[tuple[str, bytes]] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        assert (qos, retain) == (1, False)
        self.published.append((topic, payload))
        future = asyncio.get_running_loop().create_future()
        if self.failing:
            future.set_exception(LinkError("the link broke"))
        else:
            future.set_result(None)
        return future

    async def wait_connected(self) -> None:
        while not self.connected:  # noqa: ASYNC110  # the test sets it
            await asyncio.sleep(0.001)


class Post:
    """An outbox whose clock and link are the test's."""

    def __init__(self, engine: Engine) -> None:
        self.desk = Desk(engine)
        self.link = FakeLink()
        self.clock = ManualClock(wall_ms=DAY_MS)
        self.outbox = Outbox(engine, self.link, self.clock)

    def round(self, *, after_ms: int = 0) -> list[bytes]:
        """Let some time pass and the outbox look once; return the ids of what it published."""
        self.clock.wall_ms += after_ms
        self.link.published.clear()
        asyncio.run(self.outbox._round())
        return self.sent()

    def sent(self) -> list[bytes]:
        found = []
        for topic, envelope in self.link.published:
            command = self.desk.opened(topic, envelope)
            assert topic == topics.command(command.gateway)
            found.append(command.id)
        return found


def heard(engine: Engine, gateway: FakeGateway, state: StatusState, outbox: Outbox | None = None) -> None:
    """Let the intake store a status, and tell the outbox of it."""
    topic = topics.status(gateway.name)
    status = Status(gateway.name, state, DAY_MS, b"journal1", 1, 0, ClockState.SYNCHRONISED)
    bench = Bench(engine)
    if outbox is not None:
        bench.intake._committer.on_status = outbox.heard
    bench.take(Message(topic, Signer(gateway.key).sign(status.encode(), topic)))


def test_a_new_command_is_published_once_as_it_was_signed(engine: Engine, gateway: FakeGateway) -> None:
    post = Post(engine)
    number = post.desk.issue()
    assert post.round() == [number]
    assert post.link.published == [(topics.command("gw1"), post.desk.stored(number).envelope)]
    entry = post.desk.entry(number)
    assert (entry.published, entry.published_ms, entry.state(DAY_MS)) == (1, DAY_MS, "published")
    assert post.round() == []
    assert post.outbox.figures.published == 1


def test_it_is_repeated_with_growing_pauses_until_it_expires(engine: Engine, gateway: FakeGateway) -> None:
    heard(engine, gateway, StatusState.BIRTH)
    post = Post(engine)
    number = post.desk.issue(minutes=60)
    rounds = range(2 * HOUR_MS // 5000)
    times = [post.clock.wall_ms - DAY_MS for _ in rounds if post.round(after_ms=5000)]
    assert times[0] == 5000
    assert times[-1] < HOUR_MS
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[:6] == [FIRST_MS << step for step in range(6)]
    assert set(pauses[6:]) == {LONGEST_MS}
    entry = post.desk.entry(number)
    assert (entry.published, entry.state(post.clock.wall_ms)) == (len(times), "expired")


def test_a_gateway_that_is_away_is_not_flooded(engine: Engine, gateway: FakeGateway) -> None:
    heard(engine, gateway, StatusState.OFFLINE)
    post = Post(engine)
    post.desk.issue(minutes=7 * 24 * 60)
    count = sum(len(post.round(after_ms=10 * MINUTE_MS)) for _ in range(7 * 24 * 6))
    assert 7 * 24 <= count <= 7 * 24 + 10  # and those of the first hour
    assert OFFLINE_MS == HOUR_MS


def test_an_answered_command_is_published_no_more(engine: Engine, gateway: FakeGateway) -> None:
    post = Post(engine)
    number = post.desk.issue()
    post.round()
    Bench(engine).take(reply(gateway, number))
    assert post.round(after_ms=HOUR_MS // 2) == []


def test_one_that_is_under_way_is_repeated_slowly_in_case_its_final_reply_was_lost(
    engine: Engine, gateway: FakeGateway
) -> None:
    post = Post(engine)
    number = post.desk.issue("gw1", ORDERS[Verb.CONFIGURE])
    post.round()
    bench = Bench(engine)
    bench.take(reply(gateway, number, Outcome.UNDER_WAY, verb=Verb.CONFIGURE))
    assert post.round(after_ms=UNDER_WAY_MS - 1) == []
    assert post.round(after_ms=1) == [number]
    bench.take(reply(gateway, number, verb=Verb.CONFIGURE))
    assert post.round(after_ms=HOUR_MS // 2) == []


@pytest.mark.parametrize("state", [StatusState.BIRTH, StatusState.HEALTH])
def test_a_gateway_that_comes_back_is_sent_its_commands_at_once(
    engine: Engine, gateway: FakeGateway, state: StatusState
) -> None:
    other = enrol(engine, "gw2")
    heard(engine, other, StatusState.BIRTH)
    post = Post(engine)
    mine, theirs = post.desk.issue("gw1", minutes=6000), post.desk.issue("gw2", minutes=6000)
    heard(engine, gateway, StatusState.OFFLINE, post.outbox)
    assert post.round() == [mine, theirs]
    while mine in post.round(after_ms=LONGEST_MS):  # until it rests for longer than this
        pass
    post.clock.wall_ms += GAP_MS + 1
    heard(engine, gateway, state, post.outbox)
    assert mine in post.round()
    # The next health says nothing new.
    heard(engine, gateway, StatusState.HEALTH, post.outbox)
    assert mine not in post.round(after_ms=GAP_MS + 1)


def test_what_was_published_just_before_the_birth_is_under_way(engine: Engine, gateway: FakeGateway) -> None:
    post = Post(engine)
    number = post.desk.issue()
    assert post.round() == [number]
    post.clock.wall_ms += GAP_MS
    heard(engine, gateway, StatusState.BIRTH, post.outbox)
    assert post.round() == []
    assert post.round(after_ms=FIRST_MS - GAP_MS) == [number]


def test_a_gateway_that_starts_again_with_what_it_tries_hears_of_the_centre_at_once(
    engine: Engine, gateway: FakeGateway
) -> None:
    post = Post(engine)
    number = post.desk.issue("gw1", ORDERS[Verb.CONFIGURE])
    post.round()
    Bench(engine).take(reply(gateway, number, Outcome.UNDER_WAY, verb=Verb.CONFIGURE))
    post.clock.wall_ms += 1
    heard(engine, gateway, StatusState.BIRTH, post.outbox)
    assert post.round() == [number]
    assert post.round(after_ms=1) == []


def test_a_status_of_a_journal_that_was_given_up_is_replayed_and_wakes_nobody(
    engine: Engine, gateway: FakeGateway
) -> None:
    post, bench = Post(engine), Bench(engine)
    post.desk.issue()
    bench.take(batch(gateway, 1, 1))
    bench.take(Message(gateway.topic, gateway.envelope(1, [interval(1)], context=b"journal2")))
    status = Status("gw1", StatusState.HEALTH, DAY_MS, b"journal2", 2, 0, ClockState.SYNCHRONISED)
    topic = topics.status("gw1")
    bench.take(Message(topic, Signer(gateway.key).sign(status.encode(), topic)))
    post.round()
    post.clock.wall_ms += GAP_MS + 1
    heard(engine, gateway, StatusState.BIRTH, post.outbox)  # of journal1
    assert post.round() == []


def test_a_will_wakes_nobody(engine: Engine, gateway: FakeGateway) -> None:
    post = Post(engine)
    post.desk.issue()
    post.round()
    post.clock.wall_ms += GAP_MS + 1
    heard(engine, gateway, StatusState.OFFLINE, post.outbox)
    assert post.round() == []


def test_two_receivers_publish_it_once(engine: Engine, gateway: FakeGateway) -> None:
    one, two = Post(engine), Post(engine)
    two.desk = one.desk
    number = one.desk.issue()
    with database.reading(engine) as connection:
        seen = outbox_module.book.waiting(connection, DAY_MS)
    assert one.round() == [number]
    # The second has looked before the first published: it comes too late all the same.
    asyncio.run(two.outbox._publish(seen, DAY_MS))
    assert two.sent() == []
    for post in (one, two):
        post.clock.wall_ms += GAP_MS + 1
        heard(engine, gateway, StatusState.BIRTH, post.outbox)
    assert [post.round() for post in (one, two)] == [[number], []]
    # The clock of the second is a little behind.
    one.clock.wall_ms += 300
    count = 2
    for _ in range(200):
        found = one.round(after_ms=5000) + two.round(after_ms=5000)
        assert len(found) <= 1
        count += len(found)
    assert one.desk.entry(number).published == count > 5


def test_what_a_receiver_counted_and_never_published_is_made_up_for(engine: Engine, gateway: FakeGateway) -> None:
    killed, other = Post(engine), Post(engine)
    number = killed.desk.issue()
    other.desk = killed.desk
    with database.writing(engine) as connection:
        (entry,) = outbox_module.book.waiting(connection, DAY_MS)
        outbox_module.book.claim(connection, entry, DAY_MS)
    assert other.round(after_ms=FIRST_MS - 1) == []
    assert other.round(after_ms=1) == [number]


def test_what_a_broken_link_may_have_lost_is_published_again_at_the_next_connection(
    engine: Engine, gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    post = Post(engine)
    number = post.desk.issue()
    post.link.failing = True
    assert post.round() == [number]
    assert (post.outbox.figures.published, post.outbox.figures.failed) == (0, 1)
    assert "the link broke" in caplog.text
    post.link.failing = False
    # Not without a new connection: a broker that refuses it would be asked twice a second.
    assert post.round(after_ms=1) == []
    post.outbox.connected()
    assert post.round(after_ms=1) == [number]
    post.outbox.connected()
    assert post.round(after_ms=1) == []


def test_nothing_is_counted_without_a_link(engine: Engine, gateway: FakeGateway) -> None:
    post = Post(engine)
    number = post.desk.issue()
    post.link.connected = False
    assert post.round() == []
    assert post.desk.entry(number).published == 0
    post.link.connected = True
    assert post.round() == [number]


def test_a_clock_that_was_put_back_keeps_nothing_waiting(engine: Engine, gateway: FakeGateway) -> None:
    post = Post(engine)
    number = post.desk.issue(minutes=600)
    assert post.round(after_ms=5 * HOUR_MS) == [number]
    assert post.round(after_ms=-4 * HOUR_MS) == [number]
    assert post.round(after_ms=1) == []


def test_many_commands_go_out_in_portions_in_the_order_of_their_issue(engine: Engine, gateway: FakeGateway) -> None:
    names = ["gw1", *(enrol(engine, f"gw{number}").name for number in range(2, 21))]
    post = Post(engine)
    numbers = []
    for _ in range(WINDOW):
        for name in names:
            numbers.append(post.desk.issue(name))
            post.desk.now_ms += 1
    post.clock.wall_ms += 1000
    assert len(numbers) > 3 * AT_ONCE
    rounds = [post.round() for _ in range(5)]
    assert [len(found) for found in rounds] == [AT_ONCE, AT_ONCE, AT_ONCE, len(numbers) - 3 * AT_ONCE, 0]
    assert [number for found in rounds for number in found] == numbers


def test_what_a_broken_link_lost_is_published_once_more_however_much_it_is(
    engine: Engine, gateway: FakeGateway
) -> None:
    post = Post(engine)
    numbers = []
    for place in range(AT_ONCE // WINDOW + 2):
        if place:
            enrol(engine, f"away{place}")
        for _ in range(WINDOW):
            numbers.append(post.desk.issue("gw1" if place == 0 else f"away{place}"))
            post.desk.now_ms += 1
    post.clock.wall_ms += 1000
    assert AT_ONCE < len(numbers) < 2 * AT_ONCE
    post.link.failing = True
    assert len(post.round()) + len(post.round()) == len(numbers)
    post.link.failing = False
    post.outbox.connected()
    rounds = [post.round() for _ in range(4)]
    assert [len(found) for found in rounds] == [AT_ONCE, len(numbers) - AT_ONCE, 0, 0]
    assert [number for found in rounds for number in found] == numbers


def test_a_gateway_gets_a_few_commands_at_a_time(engine: Engine, gateway: FakeGateway) -> None:
    post, bench = Post(engine), Bench(engine)
    numbers = []
    for _ in range(2 * WINDOW):
        numbers.append(post.desk.issue("gw1", ORDERS[Verb.CONFIGURE]))
        post.desk.now_ms += 1
    post.clock.wall_ms += 1000
    assert post.round() == numbers[:WINDOW]
    assert post.round() == []
    bench.take(reply(gateway, numbers[3], verb=Verb.CONFIGURE))
    # One that is under way keeps no place.
    bench.take(reply(gateway, numbers[5], Outcome.UNDER_WAY, verb=Verb.CONFIGURE))
    assert post.round() == numbers[WINDOW : WINDOW + 2]


def running(outbox: Outbox, scenario: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        task = asyncio.create_task(outbox.run())
        try:
            await scenario()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def test_it_runs_through_failures_of_the_store(
    engine: Engine, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outbox_module, "POLL_S", 0.001)
    post = Post(engine)
    number = post.desk.issue()
    failures = 0

    def fail(*_: Any) -> None:
        nonlocal failures
        failures += 1
        raise OperationalError("SELECT", {}, RuntimeError("disk full"))

    async def scenario() -> None:
        event.listen(engine, "before_cursor_execute", fail)
        await until(lambda: failures > 3)
        event.remove(engine, "before_cursor_execute", fail)
        await until(lambda: post.sent() == [number])

    running(post.outbox, scenario)
    assert sum("commands wait for the store" in record.message for record in caplog.records) == 1


def test_it_is_woken_by_a_connection_and_by_a_gateway(
    engine: Engine, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "POLL_S", 1000)
    post = Post(engine)
    first = post.desk.issue()

    async def scenario() -> None:
        await until(lambda: post.sent() == [first])
        post.clock.wall_ms += FIRST_MS
        post.outbox.connected()
        await until(lambda: post.sent() == [first] * 2)
        post.clock.wall_ms += GAP_MS + 1
        post.outbox.heard("gw1", StatusState.BIRTH)
        await until(lambda: post.sent() == [first] * 3)

    running(post.outbox, scenario)
