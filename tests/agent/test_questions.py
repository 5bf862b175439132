"""Questions of commands on a line: at once where there is time, else in bounded time, and never in the way."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from line_bench import MINUTE, PROFILE, SLOT, START, ZONE, Bench

from agent.line import Line
from agent.questions import Question
from agent.remote.asking import WAIT_MS, Asking, LineBusyError, ends_asking
from agent.spare import Errand
from fieldbus.exchange import LineDownError, LineError, NoReplyError, RefusedError
from profiles import Block

SECOND = 1000
ROW = PROFILE.plan_row("daily_freezes", 1, ZONE)[0]
ROWS_FROM = PROFILE.tables["daily_freezes"].address


def energy() -> Block:
    """Return a request for the energies."""
    return PROFILE.plan([PROFILE.points["energy_forward"]], ZONE)[0]


def busy(**more: Any) -> Bench:
    """Return a line of 20 meters that can't be read as often as is wanted: 0.1 s each, wanted every second."""
    bench = Bench(meters=20, poll_seconds=1, points=["energy_forward"], **more)
    bench.wire.answer_ms = 100
    bench.wire.timeout_ms = 1000
    return bench


def rates(bench: Bench) -> Counter[str]:
    """Return how many readings each meter gave."""
    return Counter(reading.meter for reading in bench.readings)


async def keep_asking(bench: Bench, line: Line, answered: list[Question], for_ms: int) -> None:
    """Ask again as soon as there is an answer, as a flood of commands would: eight questions at a time."""
    waiting = [line.ask(f"m{unit}", ROW) for unit in range(1, 9)]
    end = bench.clock.now_ms() + for_ms
    while bench.clock.now_ms() < end:
        await bench.clock.advance(100)
        for index, question in enumerate(waiting):
            if question.answer.done():
                question.answer.exception()
                answered.append(question)
                waiting[index] = line.ask(question.meter.id, ROW)


def test_an_idle_line_answers_at_once() -> None:
    """It was asleep until the next poll, half a minute away."""
    bench = Bench(poll_seconds=60)
    bench.wire.answer_ms = 40

    async def scenario() -> None:
        async with bench.running():
            await bench.clock.advance(30 * SECOND)
            question = bench.line.ask("m1", energy())
            await bench.clock.advance(0)
            await bench.clock.advance(50)
            values, time_ms = question.answer.result()
            assert values["energy_forward"] == bench.wire.energy
            assert time_ms == bench.clock.now_ms() - 10

    asyncio.run(scenario())


def test_a_meter_of_another_line_is_not_asked() -> None:
    """Nothing is queued for it."""
    bench = Bench()

    async def scenario() -> None:
        with pytest.raises(KeyError):
            bench.line.ask("m2", energy())

    asyncio.run(scenario())


def test_a_busy_line_answers_in_bounded_time() -> None:
    """There is no idle time at all: within the share that a command may take."""
    bench = busy()

    async def scenario() -> None:
        async with bench.running():
            await bench.clock.advance(MINUTE)
            for _ in range(3):
                question = bench.line.ask("m7", energy())
                await bench.clock.advance(3 * SECOND)
                assert question.answer.done()
                assert question.answer.result()[0]["energy_forward"] == bench.wire.energy

    asyncio.run(scenario())


@pytest.mark.parametrize("answer_ms", [10, 100])
@pytest.mark.parametrize("silent", [False, True])
def test_a_flood_of_questions_leaves_polls_and_errands_their_time(answer_ms: int, silent: bool) -> None:
    """Also when it is for meters that don't answer, and cost a time-out each."""
    plain, bench = busy(), busy()
    told: list[Any] = []
    answered: list[Question] = []
    bench.wire.answer_ms = plain.wire.answer_ms = answer_ms
    for one in (plain, bench):
        if silent:
            one.wire.errors.update({unit: NoReplyError("no reply") for unit in range(1, 9)})
        one.errand_for = lambda meter: errand(told) if meter == "m20" else None

    async def flooded() -> None:
        async with bench.running():
            told.clear()
            await keep_asking(bench, bench.line, answered, 10 * MINUTE)

    plain.run(10 * MINUTE)
    asyncio.run(flooded())
    before, after = rates(plain), rates(bench)
    assert all(after[f"m{unit}"] >= 0.9 * before[f"m{unit}"] for unit in range(9, 21)), (before, after)
    assert len(told) >= 5
    assert len(answered) >= 20
    assert isinstance(answered[0].answer.exception(), NoReplyError) == silent


def errand(told: list[Any]) -> Errand:
    """Return an errand of one block."""
    return Errand([ROW], lambda values, time_ms: told.append((time_ms, values)), told.append)


@pytest.mark.parametrize("before_s", range(14, 34))
def test_a_question_never_delays_the_readings_at_a_boundary(before_s: int) -> None:
    """However many wait, whenever they came, and though each costs a time-out."""
    bench = busy(start_ms=START + SLOT - before_s * SECOND, longest_silence_ms=600_000)
    bench.wire.errors.update({unit: NoReplyError("no reply") for unit in range(1, 9)})

    async def scenario() -> None:
        async with bench.running():
            await keep_asking(bench, bench.line, [], (before_s + 3) * SECOND)

    asyncio.run(scenario())
    first: dict[str, int] = {}
    for reading in bench.readings:
        if reading.time_ms > START + SLOT:
            first.setdefault(reading.meter, reading.time_ms)
    assert len(first) == 12
    # 12 polls of 0.1 s, after the one that was under way when the boundary came.
    assert max(first.values()) <= START + SLOT + 13 * 100


def test_a_question_goes_before_an_errand() -> None:
    """A person waits for it."""
    bench = Bench(poll_seconds=60)
    bench.wire.answer_ms = 100
    told: list[Any] = []
    order: list[str] = []
    errands = iter([Errand([ROW, ROW, ROW], lambda *_: order.append("errand"), told.append)])
    bench.errand_for = lambda _: next(errands, None)

    async def scenario() -> None:
        async with bench.running():
            question = bench.line.ask("m1", ROW)
            question.answer.add_done_callback(lambda _: order.append("question"))
            await bench.clock.advance(10 * SECOND)

    asyncio.run(scenario())
    assert order == ["question", "errand"]
    assert told == []


def test_a_silent_meter_is_asked_too_and_polled_at_once_when_it_answers() -> None:
    """Its next poll would have been minutes away."""
    bench = Bench(meters=2, poll_seconds=10, longest_silence_ms=600_000)
    bench.wire.timeout_ms = 1000
    bench.wire.errors[1] = NoReplyError("no reply")

    async def scenario() -> None:
        async with bench.running():
            await bench.clock.advance(20 * MINUTE)
            assert bench.line.meters[0].is_silent
            question = bench.line.ask("m1", energy())
            await bench.clock.advance(0)
            await bench.clock.advance(10 * SECOND)
            assert isinstance(question.answer.exception(), NoReplyError)
            before = rates(bench)["m1"]
            bench.wire.errors.clear()
            question = bench.line.ask("m1", energy())
            await bench.clock.advance(0)
            await bench.clock.advance(10 * SECOND)
            assert question.answer.result()
            assert rates(bench)["m1"] > before

    asyncio.run(scenario())


def test_behind_a_line_that_is_down_the_answer_is_that_there_is_no_connection() -> None:
    """At once, again and again, without a loop that takes the processor."""
    bench = Bench()
    bench.wire.down = True

    async def scenario() -> None:
        async with bench.running():
            for _ in range(3):
                question = bench.line.ask("m1", energy())
                await bench.clock.advance(100)
                assert isinstance(question.answer.exception(), LineDownError)

    asyncio.run(scenario())
    assert bench.wire.connects <= 3


def test_a_question_that_nobody_waits_for_is_not_put() -> None:
    """Its command was answered already."""
    bench = busy()

    async def scenario() -> None:
        async with bench.running():
            questions = [bench.line.ask("m1", ROW) for _ in range(5)]
            for question in questions[:4]:
                question.answer.cancel()
            await bench.clock.advance(MINUTE)
            assert questions[4].answer.done()

    asyncio.run(scenario())
    assert sum(address >= ROWS_FROM for _, _, address in bench.wire.reads) == 1


def test_a_line_that_stops_tells_whoever_waits() -> None:
    """Those in its queue, and the one under way."""
    bench = Bench()

    async def scenario() -> list[Question]:
        async with bench.running():
            bench.wire.answer_ms = 500
            questions = [bench.line.ask("m1", ROW) for _ in range(3)]
            await bench.clock.advance(100)
            assert questions[0].begun
        return questions

    questions = asyncio.run(scenario())
    assert all(isinstance(question.answer.exception(), LineError) for question in questions)


def test_a_line_without_any_time_is_called_busy() -> None:
    """The polls go on for ever, and the share is used up: whoever asks waits so long and no longer."""
    bench = busy()
    asking = Asking([bench.line], bench.clock)

    async def scenario() -> None:
        async with bench.running():
            bench.line.question_time.spend(-1_000_000, bench.clock.monotonic_ms())
            task = asyncio.create_task(asking.ask("m3", energy()))
            await bench.clock.advance(0)
            await bench.clock.advance(WAIT_MS - 1)
            assert not task.done()
            await bench.clock.advance(1)
            with pytest.raises(LineBusyError, match="line bus is busy"):
                await task

    asyncio.run(scenario())
    assert ends_asking(LineBusyError("x"))


@pytest.mark.parametrize(
    ("error", "ends"), [(NoReplyError("x"), True), (RefusedError(2, "x"), False), (LineDownError("x"), True)]
)
def test_what_makes_further_requests_pointless(error: Exception, ends: bool) -> None:
    """A refusal does not."""
    assert ends_asking(error) is ends


def test_whoever_is_cancelled_leaves_no_question() -> None:
    """A command that ends with the gateway."""
    bench = busy()
    asking = Asking([bench.line], bench.clock)
    left: list[Callable[[], bool]] = []

    async def scenario() -> None:
        task = asyncio.create_task(asking.ask("m3", energy()))
        await asyncio.sleep(0)
        left.append(bench.line._questions._waiting[0].answer.cancelled)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert left[0]()

    asyncio.run(scenario())
