"""Dispatch of factors by the clock: what is sent, stored, corrected and tried again."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from key_support import BOTH_ALGORITHMS, key_of, new_key
from receiver_support import DAY_MS, SLOT_MS
from refusing_table_support import refuse_rows
from sqlalchemy import Engine, select, update

from clock import ManualClock
from cloud_receiver import database
from cloud_receiver.config import Dispatch
from cloud_receiver.dispatch import Dispatcher
from cloud_receiver.factor_messages import latest
from cloud_receiver.schema import factor_message
from settings.errors import ConfigError
from wire import topics
from wire.envelope import KeyRing, Signer, open_envelope
from wire.link import LinkError
from wire.messages import Factors

pytestmark = BOTH_ALGORITHMS


class FakeLink:
    """Takes what is published, or fails as a broken link does."""

    def __init__(self) -> None:
        self.messages: list[Factors] = []
        self.published: list[bytes] = []
        self.attempts = 0
        self.broken = False
        self.up = asyncio.Event()
        self.up.set()

    async def wait_connected(self) -> None:
        await self.up.wait()

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        self.attempts += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.broken:
            future.set_exception(LinkError("not connected"))
            return future
        assert (qos, retain) == (1, True)
        ring = KeyRing()
        ring.add(key_of("centre").public_key(), "centre")
        message = Factors.decode(open_envelope(payload, topic, ring).payload)
        assert topic == topics.factor(message.node)
        self.messages.append(message)
        self.published.append(payload)
        future.set_result(None)
        return future


class Bench:
    """A dispatcher with a schedule of 200 slots from the day's start, slot n having the factor n."""

    def __init__(self, engine: Engine, directory: Path, **settings: int) -> None:
        self.path = directory / "factors.csv"
        self.write({slot: f"0.000{slot:03}" for slot in range(200)})
        self.engine = engine
        self.clock = ManualClock(wall_ms=DAY_MS + 100 * SLOT_MS + 5000)
        self.link = FakeLink()
        self.dispatcher = Dispatcher(
            engine, Signer(key_of("centre")), self.link, self.clock, Dispatch(schedule=self.path, **settings)
        )

    def write(self, factors: dict[int, str], node: str = "node1") -> None:
        lines = ["node,start,factor"]
        for slot, factor in factors.items():
            minutes = slot % 96 * 15
            lines.append(f"{node},2026-07-{1 + slot // 96:02}T{minutes // 60:02}:{minutes % 60:02}:00+08:00,{factor}")
        self.path.write_text("\n".join(lines) + "\n")

    def stored(self) -> dict[int, int | None]:
        with database.reading(self.engine) as connection:
            found = latest(connection, "node1", DAY_MS, DAY_MS + 1000 * SLOT_MS)
        return {(start - DAY_MS) // SLOT_MS: factor for start, factor in found.items()}


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def newest(message: Factors) -> int:
    return (message.first_start_ms - DAY_MS) // SLOT_MS + len(message.factors) - 1


def test_at_once_and_then_at_every_slot_start(engine: Engine, tmp_path: Path) -> None:
    bench = Bench(engine, tmp_path)

    async def scenario() -> None:
        task = asyncio.create_task(bench.dispatcher.run())
        await settle()
        assert [newest(message) for message in bench.link.messages] == [100]
        await bench.clock.advance(SLOT_MS - 5001)
        assert len(bench.link.messages) == 1
        await bench.clock.advance(1)
        await settle()
        assert [newest(message) for message in bench.link.messages] == [100, 101]
        task.cancel()

    asyncio.run(scenario())
    message = bench.link.messages[-1]
    # 96 slots, the newest last; its issue is stored before it is sent.
    assert message.factors == tuple(range(6, 102))
    assert message.issued_ms == DAY_MS + 101 * SLOT_MS
    assert bench.stored() == {slot: slot for slot in range(5, 102)}


@pytest.mark.parametrize(
    ("settings", "expected"), [({"lead_slots": 2}, 102), ({"lead_ms": 895_000}, 101), ({"lead_ms": 894_999}, 100)]
)
def test_a_lead_brings_the_factor_before_its_slot(
    settings: dict[str, int], expected: int, engine: Engine, tmp_path: Path
) -> None:
    bench = Bench(engine, tmp_path, **settings)
    (item,) = bench.dispatcher.messages(bench.clock.now_ms())
    assert newest(item.message) == expected


def test_with_a_lead_the_dispatcher_wakes_that_much_earlier(engine: Engine, tmp_path: Path) -> None:
    bench = Bench(engine, tmp_path, lead_ms=60_000)

    async def scenario() -> None:
        task = asyncio.create_task(bench.dispatcher.run())
        await settle()
        await bench.clock.advance(SLOT_MS - 5000 - 60_000)
        await settle()
        assert [newest(message) for message in bench.link.messages] == [100, 101]
        task.cancel()

    asyncio.run(scenario())


def test_a_corrected_schedule_is_sent_again_and_both_issues_are_kept(engine: Engine, tmp_path: Path) -> None:
    bench = Bench(engine, tmp_path)

    async def scenario() -> None:
        task = asyncio.create_task(bench.dispatcher.run())
        await settle()
        bench.write({slot: f"0.000{slot:03}" for slot in range(200)} | {99: "0.5", 100: ""})
        bench.dispatcher.wake()
        await settle()
        task.cancel()

    asyncio.run(scenario())
    before, after = bench.link.messages
    assert before.factors[-2:] == (99, 100)
    assert after.factors[-2:] == (500_000, None)
    assert after.solve_id != before.solve_id
    assert after.issued_ms > before.issued_ms
    stored = bench.stored()
    assert (stored[98], stored[99], stored[100]) == (98, 500_000, None)
    with database.reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM factor").scalar() == 98


def test_a_schedule_with_mistakes_does_not_replace_the_good_one(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(engine, tmp_path)

    async def scenario() -> None:
        task = asyncio.create_task(bench.dispatcher.run())
        await settle()
        bench.write({100: "much"})
        bench.dispatcher.wake()
        await settle()
        task.cancel()

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert [message.factors for message in bench.link.messages] == [tuple(range(5, 101))] * 2
    assert "line 2" in caplog.text


def test_a_broken_link_is_tried_again_and_told_once(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(engine, tmp_path)
    bench.link.broken = True

    async def scenario() -> None:
        task = asyncio.create_task(bench.dispatcher.run())
        await settle()
        assert bench.link.attempts == 1
        bench.dispatcher.wake()
        await settle()
        assert bench.link.attempts == 2
        assert bench.link.messages == []
        bench.link.broken = False
        bench.dispatcher.wake()  # as the reconnection does
        await settle()
        assert len(bench.link.messages) == 1
        task.cancel()

    asyncio.run(scenario())
    assert caplog.text.count("not connected") == 1


def test_without_a_link_it_waits_in_silence(engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(engine, tmp_path)
    bench.link.up.clear()

    async def scenario() -> None:
        task = asyncio.create_task(bench.dispatcher.run())
        await bench.clock.advance(3 * SLOT_MS)
        assert (bench.link.attempts, bench.stored()) == (0, {})
        bench.link.up.set()
        await settle()
        assert [newest(message) for message in bench.link.messages] == [103]
        task.cancel()

    asyncio.run(scenario())
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_schedule_that_has_ended_or_has_a_gap_is_told_once(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(engine, tmp_path)
    bench.write({slot: "0.5" for slot in range(200) if slot not in {90, 101, 102}})

    async def scenario() -> None:
        task = asyncio.create_task(bench.dispatcher.run())
        for _ in range(3):
            await settle()
            await bench.clock.advance(SLOT_MS)
        await settle()
        task.cancel()

    bench.dispatcher = Dispatcher(
        engine, Signer(key_of("centre")), bench.link, bench.clock, Dispatch(schedule=bench.path)
    )
    asyncio.run(scenario())
    assert [newest(message) for message in bench.link.messages] == [100, 100, 100, 103]
    # Only consecutive slots share a message.
    assert [len(message.factors) for message in bench.link.messages] == [10, 10, 10, 1]
    assert caplog.text.count("no factor of node node1 for this slot; the last is of 2026-07-01T17:00+00:00") == 1
    assert caplog.text.count("no factor of node") == 1


def test_a_correction_after_the_clock_was_set_back_is_newer_than_what_was_sent(engine: Engine, tmp_path: Path) -> None:
    bench = Bench(engine, tmp_path)
    now = bench.clock.now_ms()
    (first,) = bench.dispatcher.messages(now)
    bench.write({slot: f"0.000{slot:03}" for slot in range(200)} | {200: "0.1"})
    bench.dispatcher._reload()
    (later,) = bench.dispatcher.messages(now - SLOT_MS)  # nothing new for a slot, but another schedule
    assert later.message.solve_id != first.message.solve_id
    assert later.message.issued_ms == first.message.issued_ms + 1


def stored_envelopes(engine: Engine) -> list[bytes]:
    with database.reading(engine) as connection:
        rows = connection.execute(select(factor_message.c.envelope).order_by(factor_message.c.issued_ms)).scalars()
        return [bytes(row) for row in rows]


def test_what_is_published_is_what_is_stored_and_is_not_signed_anew(engine: Engine, tmp_path: Path) -> None:
    bench = Bench(engine, tmp_path)

    async def scenario(dispatcher: Dispatcher) -> None:
        task = asyncio.create_task(dispatcher.run())
        await settle()
        await bench.clock.advance(60_000)
        dispatcher.wake()  # as a reconnection does
        await settle()
        task.cancel()

    asyncio.run(scenario(bench.dispatcher))
    # After a restart, too.
    asyncio.run(
        scenario(Dispatcher(engine, Signer(key_of("centre")), bench.link, bench.clock, Dispatch(schedule=bench.path)))
    )
    (envelope,) = stored_envelopes(engine)
    assert bench.link.published == [envelope] * 4


def test_what_cannot_be_stored_is_not_published(engine: Engine, tmp_path: Path) -> None:
    bench = Bench(engine, tmp_path)
    refuse_rows(engine, factor_message)

    async def scenario() -> None:
        task = asyncio.create_task(bench.dispatcher.run())
        await settle()
        task.cancel()

    asyncio.run(scenario())
    assert (bench.link.published, bench.dispatcher.figures.failed) == ([], 1)
    # The factors and their message are one transaction.
    assert bench.stored() == {}


def test_under_a_new_key_the_same_factors_are_signed_anew(engine: Engine, tmp_path: Path) -> None:
    bench = Bench(engine, tmp_path)
    now = bench.clock.now_ms()
    (before,) = bench.dispatcher.messages(now)
    key = new_key()
    again = Dispatcher(engine, Signer(key), bench.link, bench.clock, Dispatch(schedule=bench.path))
    (after,) = again.messages(now)
    assert after.message == replace(before.message, issued_ms=before.message.issued_ms + 1)
    ring = KeyRing()
    ring.add(key.public_key(), "centre")
    assert Factors.decode(open_envelope(after.envelope, after.topic, ring).payload) == after.message


def test_a_stored_message_that_nobody_can_read_is_not_published_again(engine: Engine, tmp_path: Path) -> None:
    bench = Bench(engine, tmp_path)
    now = bench.clock.now_ms()
    (before,) = bench.dispatcher.messages(now)
    with database.writing(engine) as connection:
        connection.execute(update(factor_message).values(envelope=b"rubbish"))
    (after,) = bench.dispatcher.messages(now)
    assert after.message.issued_ms == before.message.issued_ms + 1


def test_a_clock_set_back_does_not_hide_a_newer_issue(engine: Engine, tmp_path: Path) -> None:
    bench = Bench(engine, tmp_path)
    bench.dispatcher.messages(DAY_MS + 100 * SLOT_MS)
    bench.write(dict.fromkeys(range(101), "0.7"))
    again = Dispatcher(engine, Signer(key_of("centre")), bench.link, bench.clock, Dispatch(schedule=bench.path))
    (item,) = again.messages(DAY_MS + 99 * SLOT_MS)
    assert item.message.issued_ms == DAY_MS + 100 * SLOT_MS + 1
    assert bench.stored()[99] == 700_000


def test_a_schedule_that_can_not_be_used_stops_the_start(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    with pytest.raises(ConfigError, match="can't be read"):
        Dispatcher(engine, Signer(key_of("centre")), FakeLink(), ManualClock(), Dispatch(schedule=path))


def test_nodes_of_the_grid_are_left_out_and_told_once(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(engine, tmp_path)
    now = bench.clock.now_ms()
    lines = bench.path.read_text() + "node2,2026-07-02T01:00:00+08:00,0.5\n"
    bench.path.write_text(lines)
    bench.dispatcher._reload()
    bench.dispatcher.leave_out({"node1", "elsewhere"})
    bench.dispatcher.leave_out({"node1", "elsewhere"})
    assert [item.message.node for item in bench.dispatcher.messages(now)] == ["node2"]
    assert caplog.text.count("nodes of the grid") == 1
    bench.dispatcher.leave_out(())
    assert [item.message.node for item in bench.dispatcher.messages(now)] == ["node1", "node2"]
