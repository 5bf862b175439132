"""Waiting for an answer: until it is there, the command is over, or the patience is."""

import asyncio
import io
from typing import Any

import pytest
from intake_support import Bench
from orders_support import MINUTE_MS, ORDERS, Desk, reply
from receiver_support import DAY_MS, FakeGateway, until
from sqlalchemy import Engine

from clock import ManualClock
from cloud_receiver import database
from cloud_receiver.orders import book, waiting
from cloud_receiver.orders.book import Entry
from cloud_receiver.orders.waiting import Progress
from wire.commands import Outcome
from wire.orders import Verb


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_S", 0.001)
    monkeypatch.setattr(waiting, "LATE_S", 0.02)


class Waiter:
    """A command that is waited for while the test changes the world."""

    def __init__(self, engine: Engine, verb: Verb = Verb.STATUS) -> None:
        self.engine = engine
        self.clock = ManualClock(wall_ms=DAY_MS)
        self.number = Desk(engine).issue("gw1", ORDERS[verb], minutes=1)
        self.stream = io.StringIO()

    async def wait(self, limit_s: float | None = None, trial_ms: int = 0) -> Entry:
        progress = Progress(asyncio.get_running_loop().time, self.stream)
        return await waiting.wait(
            self.engine, self.number, self.clock, limit_s=limit_s, trial_ms=trial_ms, progress=progress
        )

    def publish(self) -> None:
        with database.writing(self.engine) as connection:
            entry = book.find(connection, self.number)
            assert entry is not None
            book.claim(connection, entry, self.clock.now_ms())


def test_it_ends_with_the_reply(engine: Engine, gateway: FakeGateway) -> None:
    waiter = Waiter(engine)

    async def scenario() -> Entry:
        task = asyncio.create_task(waiter.wait())
        await asyncio.sleep(0.01)
        assert not task.done()
        bench = Bench(engine)
        bench.intake.receive(reply(gateway, waiter.number))
        bench.intake.stop()
        await bench.intake.run()
        return await task

    assert asyncio.run(scenario()).outcome == Outcome.DONE
    assert waiter.stream.getvalue() == ""


def test_it_ends_when_the_command_has_expired_and_nothing_can_come_any_more(
    engine: Engine, gateway: FakeGateway
) -> None:
    waiter = Waiter(engine)

    async def scenario() -> Entry:
        task = asyncio.create_task(waiter.wait())
        await asyncio.sleep(0.05)
        assert not task.done()
        waiter.clock.wall_ms += MINUTE_MS
        return await task

    entry = asyncio.run(scenario())
    assert entry.state(waiter.clock.now_ms()) == "expired"


def test_what_is_under_way_may_take_its_trial_longer(engine: Engine, gateway: FakeGateway) -> None:
    waiter = Waiter(engine, Verb.CONFIGURE)
    Bench(engine).take(reply(gateway, waiter.number, Outcome.UNDER_WAY, verb=Verb.CONFIGURE))

    async def scenario() -> Entry:
        task = asyncio.create_task(waiter.wait(trial_ms=5000))
        waiter.clock.wall_ms += MINUTE_MS + 5000 + waiting.UNDER_WAY_MS - 1
        await asyncio.sleep(0.05)
        assert not task.done()
        waiter.clock.wall_ms += 1
        return await task

    assert asyncio.run(scenario()).outcome == Outcome.UNDER_WAY


@pytest.mark.parametrize("limit_s", [0, 0.01])
def test_patience_ends_it(engine: Engine, gateway: FakeGateway, limit_s: float) -> None:
    entry = asyncio.run(Waiter(engine).wait(limit_s))
    assert entry.state(DAY_MS) == "new"


def test_it_is_said_once_that_no_receiver_takes_it(
    engine: Engine, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "UNTAKEN_S", 0.005)
    waiter = Waiter(engine)
    asyncio.run(waiter.wait(0.05))
    assert waiter.stream.getvalue().count("no receiver has published command") == 1
    waiter.stream = io.StringIO()
    waiter.publish()
    asyncio.run(waiter.wait(0.05))
    assert waiter.stream.getvalue() == ""


def test_a_terminal_sees_what_is_waited_for_and_then_nothing_of_it(
    engine: Engine, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiter = Waiter(engine)
    waiter.stream = Terminal()

    async def scenario() -> None:
        task = asyncio.create_task(waiter.wait())
        await until(lambda: "waits for a receiver" in waiter.stream.getvalue())
        waiter.publish()
        await until(lambda: "published 1 time, waits for the gateway" in waiter.stream.getvalue())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())
    last = waiter.stream.getvalue().rsplit("\r", 2)
    assert last[1].strip() == ""
    assert last[2] == ""


def test_elsewhere_there_is_a_line_a_minute() -> None:
    stream, now_s = io.StringIO(), 100.0
    progress = Progress(lambda: now_s, stream)
    for step in range(200):
        now_s = 100.0 + step
        progress(f"step {step}")
    progress.notice("by the way")
    assert stream.getvalue() == "step 60\nstep 120\nstep 180\nby the way\n"


def test_a_shorter_text_covers_a_longer_one_on_a_terminal() -> None:
    stream = Terminal()
    progress = Progress(lambda: 0.0, stream)
    progress("a long text")
    progress("short")
    progress.notice("done")
    assert stream.getvalue() == "\ra long text\rshort      \r           \rdone\n"


def test_a_line_is_no_longer_than_a_terminal_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    progress = Progress(lambda: 0.0, stream)
    progress("x" * 50)
    progress.clear()
    assert stream.getvalue() == f"\r{'x' * 19}\r{' ' * 19}\r"


def test_the_situation_is_told(engine: Engine, gateway: FakeGateway) -> None:
    waiter = Waiter(engine, Verb.CONFIGURE)
    Bench(engine).take(reply(gateway, waiter.number, Outcome.UNDER_WAY, verb=Verb.CONFIGURE))
    waiter.stream = Terminal()
    asyncio.run(waiter.wait(0.01))
    assert "gw1: configure: under way at the gateway" in waiter.stream.getvalue()


def test_a_store_that_fails_ends_it(engine: Engine, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError("gone")

    waiter = Waiter(engine)
    monkeypatch.setattr(waiting.book, "find", fail)
    with pytest.raises(OSError, match="gone"):
        asyncio.run(waiter.wait())
