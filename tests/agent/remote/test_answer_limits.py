"""How much is taken, kept and answered of commands, and what a full disk changes."""

import asyncio
from typing import Any

import pytest
from journal_support import START
from remote_support import HOUR, Bureau, command, order_id

from agent.journal_schema import StorageFullError
from agent.remote import answer as answering
from agent.remote.answered import Answered
from wire.commands import Outcome
from wire.orders import Read, ReadDay, Verb
from wire.results import DayRead, Figures, SlotFactor

READ = Read("m")


def test_a_flood_of_commands_is_left_for_later(bureau: Bureau) -> None:
    """Neither done nor refused nor kept; later it is done. Repeated ones count as well."""

    async def scenario() -> None:
        async with bureau.run() as run:
            for number in range(500):
                run.take(command(number))
                if number % 10 == 0:
                    await run.settled()
            assert run.answerer.counts["put_off"] == 500 - answering.A_MINUTE
            await run.replied(answering.A_MINUTE)
            await bureau.clock.advance(60_000)
            assert (await run.answer(command(499))).outcome == Outcome.DONE
            for number in range(200):
                run.take(command(number % answering.A_MINUTE))
            await run.replied(2 * answering.A_MINUTE)
            assert run.answerer.counts["repeated"] == answering.A_MINUTE - 1
            assert len(run.journal.commands()) == answering.A_MINUTE + 1

    asyncio.run(scenario())
    assert len(bureau.done) == answering.A_MINUTE + 1


def test_so_many_are_under_way_and_no_more(bureau: Bureau) -> None:
    """Each may hold a reply of a MiB."""
    waiting = asyncio.Event()

    async def slow(_: Any) -> Answered:
        await waiting.wait()
        return Answered(Outcome.DONE)

    bureau.doing = slow

    async def scenario() -> None:
        async with bureau.run() as run:
            for number in range(answering.MOST_UNDER_WAY + 5):
                run.take(command(number, READ))
            await run.settled()
            assert run.answerer.counts["put_off"] == 5
            waiting.set()
            await run.replied(answering.MOST_UNDER_WAY)

    asyncio.run(scenario())
    assert len(bureau.done) == answering.MOST_UNDER_WAY


def test_so_many_are_kept_and_no_more(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    """When some have expired by the centre's time there is room again."""
    monkeypatch.setattr(answering, "MOST_KEPT", 3)

    async def scenario() -> None:
        async with bureau.run() as run:
            for number in range(3):
                await run.answer(command(number))
            run.take(command(3))
            await run.replied(3)
            assert run.answerer.counts["put_off"] == 1
            bureau.clock.wall_ms += HOUR + 1
            assert (await run.answer(command(4, issued=bureau.clock.wall_ms))).outcome == Outcome.DONE

    async def afterwards() -> None:
        async with bureau.run() as run:
            run.time.heard(START + HOUR + 1)
            bureau.clock.wall_ms = START + HOUR + 1
            assert (await run.answer(command(5, issued=START + HOUR + 1))).outcome == Outcome.DONE
            assert len(run.journal.commands()) <= 3

    asyncio.run(scenario())
    asyncio.run(afterwards())


def test_replies_that_take_too_much_room_stop_further_ones(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until they have expired; also counted after a restart."""
    monkeypatch.setattr(answering, "MOST_REPLY_BYTES", 10_000)

    async def large(_: Any) -> Answered:
        return Answered(Outcome.DONE, "", Figures({f"figure.{n}": "x" * 200 for n in range(60)}))

    bureau.doing = large

    async def scenario() -> None:
        async with bureau.run() as run:
            assert (await run.answer(command(1))).outcome == Outcome.DONE
        async with bureau.run() as run:
            reply = await run.answer(command(2))
            assert reply.outcome == Outcome.REFUSED
            assert "too much room" in reply.text
            bureau.clock.wall_ms += HOUR + 1
            run.time.heard(bureau.clock.wall_ms)
            assert (await run.answer(command(3, issued=bureau.clock.wall_ms))).outcome == Outcome.DONE

    asyncio.run(scenario())


def test_a_reply_that_is_too_large_is_refused_with_advice(bureau: Bureau) -> None:
    """It would not travel."""
    factors = tuple(SlotFactor(n, 1, 1, bytes(32)) for n in range(1024))

    async def large(one: Any) -> Answered:
        if one.verb is Verb.READ_DAY:
            return Answered(Outcome.DONE, "", DayRead((), factors * 2, {}))
        return Answered(Outcome.DONE, "", Figures({f"{n:0160}": "x" * 256 for n in range(4096)}))

    bureau.doing = large

    async def scenario() -> None:
        async with bureau.run() as run:
            reply = await run.answer(command(1, ReadDay("2026-01-01")))
            assert reply.outcome == Outcome.REFUSED
            assert "ask for fewer meters" in reply.text
            assert (await run.answer(command(2))).outcome == Outcome.FAILED

    asyncio.run(scenario())


def test_a_full_disk_keeps_nobody_from_asking_how_the_gateway_is(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has effects is refused; both are recorded when there is room, and the replies stay the same."""
    monkeypatch.setattr(answering, "_DISK_S", 0.05)

    async def scenario() -> None:
        async with bureau.run() as run:
            commit = run.journal.commit

            def refusing(*_: Any, **__: Any) -> int:
                raise StorageFullError("no room")

            monkeypatch.setattr(run.journal, "commit", refusing)
            run.take(command(1))
            run.take(command(2, READ))
            await run.sent(2)
            outcomes = {reply.id: reply.outcome for reply in bureau.wire.replies}
            assert outcomes == {order_id(1): Outcome.DONE, order_id(2): Outcome.REFUSED}
            run.take(command(1))
            await run.sent(3)
            monkeypatch.setattr(run.journal, "commit", commit)
            await bureau.clock.advance(60_000)
            async with asyncio.timeout(20):
                while not await run.writer.flush():
                    await bureau.clock.advance(60_000)
            await run.answer(command(2, READ))
        async with bureau.run() as run:
            await run.answer(command(1))

    asyncio.run(scenario())
    assert bureau.done == [order_id(1)]
    assert len(bureau.wire.payloads) == 5
    assert len(set(bureau.wire.payloads)) == 2
    assert sorted(bureau.outcomes()) == [(1, Outcome.DONE), (2, Outcome.REFUSED)]


def test_a_command_that_expires_while_it_waits_for_the_disk_is_not_done(bureau: Bureau) -> None:
    """It would come as a surprise."""

    async def scenario() -> None:
        async with bureau.run() as run:
            commit = run.journal.commit

            def late(operations: Any, **counters: int) -> int:
                bureau.clock.wall_ms = START + HOUR
                return commit(operations, **counters)

            run.journal.commit = late  # type: ignore[method-assign]  # a disk that takes an hour
            reply = await run.answer(command(1, READ))
            assert reply.outcome == Outcome.REFUSED
            assert "expired while it waited" in reply.text

    asyncio.run(scenario())
    assert bureau.done == []
