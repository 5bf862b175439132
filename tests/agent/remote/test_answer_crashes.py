"""Commands over crashes at every commit and over random histories: at most once, always answered, always the same."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_support import START
from remote_support import HOUR, Bureau, Run, command, order_id

from agent.journal_check import verify
from agent.remote.answered import Answered
from wire.commands import Outcome
from wire.orders import Read, TellStatus

INTERRUPTED = Answered(Outcome.FAILED, "interrupted by a restart")
DAYS = 24 * HOUR
ORDERS = (TellStatus(), Read("m"))  # without effects, and with


class KilledError(Exception):
    """The program died."""


def die_at(run: Run, commit: int, *, after: bool) -> None:
    """Let the program die at a commit: before it begins, or when it is on the disk."""
    real, count = run.journal.commit, 0

    def dying(*arguments: Any, **counters: int) -> int:
        nonlocal count
        count += 1
        if count > commit or (count == commit and not after):
            run.bureau.wire.connected = False
            raise KilledError
        written = real(*arguments, **counters)
        if count == commit:
            run.bureau.wire.connected = False
            raise KilledError
        return written

    run.journal.commit = dying  # type: ignore[method-assign]  # the fault


async def lived(bureau: Bureau, what: Callable[[Run], Any], dies: tuple[int, bool] | None = None) -> None:
    """Run the program until it has nothing more to do, or dies; it begins as the gateway does."""
    bureau.wire.connected = True
    try:
        async with bureau.run(killed=dies is not None) as run:
            if dies is not None:
                die_at(run, dies[0], after=dies[1])
            for left in run.answerer.unfinished:
                run.answerer.start(run.answerer.finish(left, INTERRUPTED))
            await what(run)
            for _ in range(3):
                if run.writer.waiting_operations and dies is not None:
                    await asyncio.sleep(0.002)  # a dead writer never becomes idle
                else:
                    await run.settled()
    except KilledError:
        pass


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("commit", [1, 2])
def test_a_crash_at_a_commit(tmp_path: Path, order: Any, commit: int, after: bool) -> None:
    """The id is on the disk or not, the outcome is or not: the command is done at most once and answered once."""
    bureau = Bureau(tmp_path)

    async def taken(run: Run) -> None:
        run.take(command(1, order))

    async def scenario() -> None:
        await lived(bureau, taken, (commit, after))
        bureau.wire.replies.clear()  # whether one came does not matter: the centre asks again
        first = set(bureau.wire.payloads)
        await lived(bureau, taken)
        await lived(bureau, taken)
        assert len(set(bureau.wire.payloads) | first) == 1

    asyncio.run(scenario())
    commits = 1 if order == TellStatus() else 2  # there is no second one
    stored = after and commit == commits
    begun = commits == 2 and (commit == 2 or after)
    if commits == 2:
        assert bureau.done == [order_id(1)] * (0 if begun and commit == 1 else 1)
    expected = Outcome.FAILED if begun and not stored else Outcome.DONE
    assert {reply.outcome for reply in bureau.wire.replies} == {expected}
    assert bureau.outcomes() == [(1, expected)]
    assert verify(bureau.path).problems == []


Step = tuple[str, int]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("command"), st.integers(0, 5)),
        st.tuples(st.just("command"), st.integers(0, 11)),
        st.tuples(st.just("burst"), st.integers(2, 80)),
        st.tuples(st.just("wait"), st.integers(1, 120_000)),
        st.tuples(st.just("clock"), st.integers(-3 * HOUR, 3 * HOUR)),
        st.tuples(st.just("heard"), st.integers(0, 3 * HOUR)),
        st.tuples(st.just("link"), st.integers(0, 1)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.sampled_from(("die before", "die after")), st.integers(1, 2)),
        st.tuples(st.sampled_from(("die before", "die after")), st.integers(1, 5)),
    ),
    max_size=30,
)


def of(number: int) -> Any:
    """Return a command; every second one has effects."""
    return command(number, ORDERS[number % 2], lasts=7 * DAYS)


async def step(run: Run, kind: str, number: int, repeated: int) -> None:
    """Do one thing to a running program."""
    bureau = run.bureau
    match kind:
        case "command":
            run.take(of(number))
        case "burst":
            for _ in range(number):
                run.take(of(repeated))
        case "wait":
            await bureau.clock.advance(number)
        case "clock":
            bureau.clock.wall_ms += number
        case "heard":
            run.time.heard(START + number)
        case "link":
            bureau.wire.connected = bool(number)
            run.answerer.connected()


async def history(bureau: Bureau, story: list[Step]) -> set[int]:
    """Live through a history; return the numbers of the commands that were sent."""
    sent: set[int] = set()
    rest = iter(story)
    dies: tuple[int, bool] | None = None
    over = False

    async def some(run: Run) -> None:
        nonlocal dies, over
        dies = None
        for kind, number in rest:
            if kind == "restart" or kind.startswith("die"):
                dies = None if kind == "restart" else (number, kind == "die after")
                return
            if kind in ("command", "burst"):
                sent.add(number if kind == "command" else min(sent, default=0))
            await step(run, kind, number, min(sent, default=0))
            await asyncio.sleep(0)
        over = True

    while not over:
        bureau.clock.wall_ms = max(bureau.clock.wall_ms, START)
        await lived(bureau, some, dies)
    return sent


@settings(max_examples=150)
@given(steps)
def test_any_history_leaves_each_command_done_at_most_once_and_answered_alike(story: list[Step]) -> None:
    """Restarts, crashes at any commit, clocks that step, links that come and go, bursts, repeats."""
    with TemporaryDirectory() as directory:
        bureau = Bureau(Path(directory))
        bureau.trusted = False

        async def scenario() -> set[int]:
            sent = await history(bureau, story)

            async def the_rest(run: Run) -> None:
                bureau.clock.wall_ms = START + HOUR
                for number in sorted(sent):
                    await bureau.clock.advance(60_000)
                    run.take(of(number))
                    await run.settled()

            for _ in range(2):
                await lived(bureau, the_rest)
            return sent

        sent = asyncio.run(scenario())
        payloads = defaultdict(set)
        for reply, payload in zip(bureau.wire.replies, bureau.wire.payloads, strict=True):
            payloads[reply.id].add(payload)
        assert set(payloads) == {order_id(number) for number in sent}  # each is answered
        assert all(len(found) == 1 for found in payloads.values())  # with one reply
        with_effects = [done for done in bureau.done if done[-1] % 2]
        assert len(with_effects) == len(set(with_effects))  # each is done at most once
        outcomes = bureau.outcomes()
        assert sorted(number for number, _ in outcomes) == sorted(sent)  # and recorded once
        told = {int.from_bytes(reply.id, "big"): reply.outcome for reply in bureau.wire.replies}
        assert dict(outcomes) == told
        assert verify(bureau.path).problems == []
