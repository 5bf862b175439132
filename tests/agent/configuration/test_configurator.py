"""What commands do to the configuration of a running gateway, with a clock that is moved by hand."""

import asyncio
import threading
from typing import Any

import pytest
from configurator_support import Bench, digest, taken
from gateway_support import until
from keeper_support import ModelDisk

from agent.configuration.base import BaseFile
from agent.configuration.configurator import SETTLING_MS
from agent.configuration.events import ChangeLog
from wire.commands import Outcome
from wire.orders import ConfigureAction
from wire.results import ConfigurationState


@pytest.fixture
def bench(site: Any) -> Bench:
    """Return a process with a gateway of two meters."""
    own = BaseFile.read(site.configure(broker_port=1, meter_ports=[1, 2]))
    own.data_dir.mkdir()
    return Bench(own, own.data_dir / "journal.db")


def test_a_configuration_is_taken_over_and_told_once(bench: Bench) -> None:
    """Under way, on trial after the restart, and done when the centre has answered; events say all of it."""
    text = bench.text(30)

    async def scenario() -> None:
        async with bench.run() as gateway:
            shown = await gateway.show()
            assert (shown.state, shown.digest, shown.previous) == (ConfigurationState.FILE, bench.own.digest, None)
            assert shown.document == bench.own.content.decode()
            outcome, why, there = await bench.set(gateway, text, base=bench.own.digest, trial_s=60)
            assert (outcome, why, there.digest) == (Outcome.UNDER_WAY, "on trial for 60 s", bench.own.digest)
            await asyncio.wait_for(gateway.restart.wait(), 5)
        calls: list[int] = []
        async with bench.run() as gateway:
            gateway.on_pending = lambda: calls.append(1)
            shown = await gateway.show()
            assert (shown.state, shown.document) == (ConfigurationState.ON_TRIAL, text)
            assert gateway.pending is None
            gateway.heard_centre()
            # Not as soon as that: what ends the gateway a moment later has to be seen too.
            assert SETTLING_MS <= await bench.pass_until(lambda: gateway.pending is not None) < 2 * SETTLING_MS
            assert calls == [1]
            assert gateway.pending is not None
            assert gateway.pending.configuration.state == ConfigurationState.SENT
            assert gateway.pending.configuration.previous == bench.own.digest
            gateway.told()
            assert gateway.pending is None
            await until(lambda: not bench.keeper.state.changes, 5)
            await bench.pass_until(lambda: bench.keeper.state.verdict.told)  # type: ignore[union-attr]
            await bench.clock.advance(600_000)
            assert not gateway.restart.is_set()
        bench.restart_process()
        async with bench.run() as gateway:
            assert gateway.pending is None
            assert (await gateway.show()).document == text

    asyncio.run(scenario())
    command = (1).to_bytes(16)
    assert bench.events() == [
        (digest(text), command, "on trial for 60 s"),
        (digest(text), command, "stays: the centre answered"),
    ]


@pytest.mark.parametrize(
    ("connected", "trouble", "expected"),
    [
        (False, None, "broker 127.0.0.1:1 not reached within 60 s"),
        (False, "connection refused", "broker 127.0.0.1:1 not reached within 60 s: connection refused"),
        (True, None, "broker 127.0.0.1:1 was reached, but the centre did not answer within 60 s"),
    ],
)
def test_one_that_does_not_reach_the_centre_is_rolled_back_in_its_time(
    bench: Bench, connected: bool, trouble: str | None, expected: str
) -> None:
    """Told by the run after it, with the reason."""

    async def scenario() -> None:
        async with bench.run() as gateway:
            await bench.set(gateway, bench.text(30), trial_s=60)
            await asyncio.wait_for(gateway.restart.wait(), 5)
        bench.connected, bench.trouble = connected, trouble
        async with bench.run() as gateway:
            # Not before its time; how much later it is seen depends on how fast this machine's disk is.
            assert await bench.pass_until(gateway.restart.is_set) in range(60_000, 120_001)
            assert gateway.pending is None  # this run can't tell it
        async with bench.run() as gateway:
            assert gateway.pending is not None
            assert (gateway.pending.outcome, gateway.pending.text) == (Outcome.FAILED, expected)
            assert gateway.pending.configuration.state == ConfigurationState.FILE
            await until(lambda: not bench.keeper.state.changes, 5)

    asyncio.run(scenario())
    assert bench.events()[-1] == (bench.own.digest, (1).to_bytes(16), f"rolled back: {expected}")


def test_a_refusal_says_why_and_changes_nothing(bench: Bench) -> None:
    """Mistakes by key, another one in force, nothing to return to."""

    async def scenario() -> None:
        async with bench.run() as gateway:
            before = dict(bench.disk.visible)
            outcome, text, found = await bench.set(gateway, bench.text(0))
            assert (outcome, text) == (Outcome.REFUSED, "2 mistakes")
            assert found.problems[0].startswith("line[line-1].meter[meter-1].poll_seconds: ")
            outcome, text, _ = await bench.set(gateway, bench.text(30), base=bytes(32))
            assert (outcome, text) == (Outcome.REFUSED, f"another one is in force: {bench.own.digest.hex()}")
            outcome, text, _ = await gateway.roll_back(bench.command(ConfigureAction.ROLL_BACK))
            assert (outcome, text) == (Outcome.REFUSED, "the gateway's own file is in force: there is none before it")
            outcome, text, _ = await bench.set(gateway, bench.own.content.decode(), base=bytes(32))
            assert (outcome, text) == (Outcome.DONE, "it is in force already")
            assert not gateway.restart.is_set()
            assert bench.disk.visible == before

    asyncio.run(scenario())


def test_nothing_is_taken_while_a_trial_lasts(bench: Bench) -> None:
    """Neither a second one nor a roll-back; the same command again gets its own answer."""

    async def scenario() -> None:
        async with bench.run() as gateway:
            command = bench.command(ConfigureAction.SET, bench.text(30))
            assert (await gateway.set(command.order, command))[0] == Outcome.UNDER_WAY
            assert (await gateway.set(command.order, command))[0] == Outcome.UNDER_WAY
            busy = (Outcome.REFUSED, "a configuration is on trial: wait for its outcome")
            assert (await bench.set(gateway, bench.text(20)))[:2] == busy
            assert (await gateway.roll_back(bench.command(ConfigureAction.ROLL_BACK)))[:2] == busy
        async with bench.run() as gateway:
            assert (await bench.set(gateway, bench.text(20)))[:2] == busy
            assert (await gateway.set(command.order, command))[0] == Outcome.UNDER_WAY
            gateway.heard_centre()
            await bench.pass_until(lambda: gateway.pending is not None)
            # Not before the outcome is safe: the next one would take its place.
            assert (await bench.set(gateway, bench.text(20)))[0] == Outcome.REFUSED
            gateway.told()
            assert (await gateway.set(command.order, command))[:2] == (Outcome.DONE, "")
            assert (await bench.set(gateway, bench.text(20)))[0] == Outcome.UNDER_WAY

    asyncio.run(scenario())


def test_what_changes_while_the_last_change_is_journalled_does_not_wait(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock stands still from the trial's end on: nothing that waits for it would come."""
    released = asyncio.Event()
    written = ChangeLog.write

    async def when_released(log: ChangeLog, changes: Any) -> bool:
        await released.wait()
        return await written(log, changes)

    async def scenario() -> None:
        async with bench.run() as first:
            await bench.set(first, bench.text(30))
            await asyncio.wait_for(first.restart.wait(), 5)
        monkeypatch.setattr(ChangeLog, "write", when_released)
        async with bench.run() as second:
            second.heard_centre()
            await bench.pass_until(lambda: second.pending is not None)
            assert bench.keeper.state.changes
            released.set()
            await until(lambda: not bench.keeper.state.changes, 5)

    asyncio.run(scenario())


def test_a_roll_back_is_tried_too(bench: Bench) -> None:
    """With an outcome, and an event for each change in force."""
    text = bench.text(30)

    async def scenario() -> None:
        await taken(bench, text)
        async with bench.run() as gateway:
            outcome, _, found = await gateway.roll_back(bench.command(ConfigureAction.ROLL_BACK, trial_s=90))
            assert (outcome, found.digest, found.previous) == (Outcome.UNDER_WAY, digest(text), bench.own.digest)
            await asyncio.wait_for(gateway.restart.wait(), 5)
        async with bench.run() as gateway:
            assert (await gateway.show()).document == bench.own.content.decode()
            gateway.heard_centre()
            await bench.pass_until(lambda: gateway.pending is not None)
            await bench.pass_until(lambda: not bench.keeper.state.changes)

    asyncio.run(scenario())
    assert [(found, text) for found, _, text in bench.events()[2:]] == [
        (bench.own.digest, "on trial for 90 s"),
        (bench.own.digest, "stays: the centre answered"),
    ]


def test_an_event_is_written_once_however_a_run_ends(bench: Bench) -> None:
    """The journal has it, but the process died before it could note that."""

    async def scenario() -> None:
        await taken(bench, bench.text(30))
        async with bench.run() as gateway:
            await bench.set(gateway, bench.text(20), trial_s=60)
        async with bench.run():
            noted = dict(bench.disk.durable)
            await until(lambda: not bench.keeper.state.changes, 5)
        bench.disk = ModelDisk(dict(noted), dict(noted))
        bench.restart_process()
        assert len(bench.keeper.state.changes) == 2
        async with bench.run():
            await until(lambda: not bench.keeper.state.changes, 5)

    asyncio.run(scenario())
    assert [text for _, _, text in bench.events()][2:] == [
        "on trial for 60 s",
        "rolled back: the gateway did not survive the trial: it ended before the centre had answered",
    ]


def test_what_the_disk_refuses_is_tried_again(bench: Bench) -> None:
    """A trial whose good end can't be stored goes on being one; when it can be, it ends well."""

    async def scenario() -> None:
        async with bench.run() as gateway:
            bench.disk.full = ""
            outcome, text, _ = await bench.set(gateway, bench.text(30))
            assert (outcome, text) == (Outcome.FAILED, "it can't be stored: No space left on device")
            bench.disk.full = None
            assert (await bench.set(gateway, bench.text(30), trial_s=100))[0] == Outcome.UNDER_WAY
        async with bench.run() as gateway:
            gateway.heard_centre()
            bench.disk.full = ""
            await bench.pass_until(lambda: bench.clock.monotonic_ms() > 40_000)
            assert gateway.pending is None
            assert (await gateway.show()).state == ConfigurationState.ON_TRIAL
            bench.disk.full = None
            await bench.pass_until(lambda: gateway.pending is not None)

    asyncio.run(scenario())


def test_a_trial_that_can_not_be_stored_in_time_is_rolled_back(bench: Bench) -> None:
    """Another start would not know of it."""

    async def scenario() -> None:
        async with bench.run() as gateway:
            await bench.set(gateway, bench.text(30), trial_s=100)
        async with bench.run() as gateway:
            gateway.heard_centre()
            bench.disk.full = ""
            await bench.pass_until(gateway.restart.is_set)
            bench.disk.full = None
        async with bench.run() as gateway:
            assert gateway.pending is not None
            assert gateway.pending.text == "the centre answered, but within 100 s that could not be stored"
            await bench.pass_until(lambda: bench.keeper.stored)
        bench.restart_process()
        assert bench.keeper.configuration().state == ConfigurationState.FILE

    asyncio.run(scenario())


def test_who_asks_may_be_cancelled_and_what_was_stored_is_tried_all_the_same(bench: Bench) -> None:
    """Half done there is nothing: the disk has the trial, so the gateway starts again."""
    writing, go_on = threading.Event(), threading.Event()
    write = bench.disk.write

    def slow(name: str, content: bytes) -> None:
        writing.set()
        assert go_on.wait(10)
        write(name, content)

    async def scenario() -> None:
        async with bench.run() as gateway:
            bench.disk.write = slow  # type: ignore[method-assign]
            asking = asyncio.create_task(bench.set(gateway, bench.text(30)))
            await until(writing.is_set, 5)
            asking.cancel()
            await asyncio.sleep(0.05)
            asking.cancel()
            assert not asking.done()  # the next one would find the keeper in use
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await asyncio.wait_for(gateway.restart.wait(), 5)
        async with bench.run() as gateway:
            assert (await gateway.show()).state == ConfigurationState.ON_TRIAL

    asyncio.run(scenario())


def test_a_document_that_is_too_large_to_travel_is_not_shown(bench: Bench, site: Any) -> None:
    """An own file may be larger than a message; the digest says which it is."""
    own = BaseFile.read(site.write(bench.own.content.decode() + "#" * 70_000))
    bench.own = own
    bench.restart_process()

    async def scenario() -> None:
        async with bench.run() as gateway:
            shown = await gateway.show()
            assert (shown.digest, shown.document) == (own.digest, None)
            assert shown.problems == (f"{len(own.content)} bytes: too large to travel",)

    asyncio.run(scenario())
