"""READ: values of a meter now, through its line."""

import asyncio
from typing import Any

import pytest
from line_bench import PROFILE, ZONE, Bench
from remote_support import command

from agent.questions import Question
from agent.remote.answered import Answered, RefusedCommandError
from agent.remote.asking import ALL_MS, Asking
from agent.remote.read_now import ReadNow
from fieldbus.exchange import LineDownError, NoReplyError, RefusedError
from wire.commands import Outcome
from wire.orders import Read
from wire.results import MeterRead

POINTS = ["energy_forward", "meter_constant"]
SECOND = 1000


def bench(**more: Any) -> Bench:
    """Return a line with three meters that are polled once a minute."""
    found = Bench(meters=3, points=POINTS, **more)
    found.wire.answer_ms, found.wire.timeout_ms = 20, 1000
    return found


def reader(one: Bench) -> ReadNow:
    """Return what is tested."""
    profiles = {meter.id: PROFILE for meter in one.line.meters}
    return ReadNow(Asking([one.line], one.clock), profiles, ZONE, one.clock.now_ms)


async def read(one: Bench, *orders: Read, for_ms: int = 10 * SECOND) -> list[Answered]:
    """Give orders at once; return what comes of each, in their order."""
    handler = reader(one)
    tasks = [asyncio.create_task(handler(command(n, order))) for n, order in enumerate(orders)]
    await one.clock.advance(0)
    await one.clock.advance(for_ms)
    return [await task for task in tasks]


def answers(one: Bench, *orders: Read, settle_ms: int = 30 * SECOND) -> list[Answered]:
    """Run the line for a while, then give it orders."""

    async def scenario() -> list[Answered]:
        async with one.running():
            await one.clock.advance(settle_ms)
            return await read(one, *orders)

    return asyncio.run(scenario())


def test_the_points_of_a_poll_are_read_if_none_is_named() -> None:
    """With when the last of them came."""
    one = bench()
    (found,) = answers(one, Read("m2"))
    result = found.result
    assert isinstance(result, MeterRead)
    assert (found.outcome, found.text, result.meter) == (Outcome.DONE, "", "m2")
    assert dict(result.values) == {
        name: value for name, value in result.values.items() if name in ("energy_reverse", *POINTS)
    }
    assert result.values["energy_forward"] == one.wire.energy
    assert "meter_constant" in result.values
    assert result.refused == {}
    assert one.clock.now_ms() - 10 * SECOND <= result.time_ms < one.clock.now_ms() - 9 * SECOND


def test_only_what_is_named_is_read() -> None:
    """Once each."""
    one = bench()
    before = len(one.wire.reads)
    (found,) = answers(one, Read("m1", ("serial_number", "serial_number")))
    assert isinstance(found.result, MeterRead)
    assert dict(found.result.values) == {"serial_number": one.wire.serial}
    assert before < len(one.wire.reads)


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (Read("m22"), "there is no meter 'm22'; did you mean 'm2'?"),
        (Read("other"), "there is no meter 'other'"),
        (Read("m1", ("energy_forwards",)), "has no point 'energy_forwards'; did you mean 'energy_forward'?"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is_nearest(order: Read, text: str) -> None:
    """Nothing is asked."""
    with pytest.raises(RefusedCommandError, match=text.replace("?", r"\?")):
        asyncio.run(reader(bench())(command(1, order)))


def test_refused_points_are_listed_beside_those_that_came() -> None:
    """With the meter's reason."""
    one = bench()
    one.wire.constant_error = RefusedError(2, "illegal data address")
    (found,) = answers(one, Read("m1"))
    assert isinstance(found.result, MeterRead)
    assert found.outcome == Outcome.DONE
    assert found.result.values["energy_forward"] == one.wire.energy
    assert found.result.refused == {"meter_constant": "illegal data address"}


def test_a_meter_that_refuses_everything_has_no_value() -> None:
    """That is a failure, with the reasons."""
    one = bench()
    one.wire.constant_error = RefusedError(2, "illegal data address")
    (found,) = answers(one, Read("m1", ("meter_constant",)))
    assert (found.outcome, found.text) == (Outcome.FAILED, "no point has a value: illegal data address")
    assert isinstance(found.result, MeterRead)
    assert found.result.refused == {"meter_constant": "illegal data address"}


def test_a_silent_meter_is_tried_once() -> None:
    """Not once for each request: each would cost a time-out."""
    one = bench()
    one.wire.errors[2] = NoReplyError("no reply within 1 s")

    async def scenario() -> list[Answered]:
        async with one.running():
            await one.clock.advance(300 * SECOND)
            one.wire.reads.clear()
            found = await read(one, Read("m2"), for_ms=3 * SECOND)
            assert [unit for _, unit, _ in one.wire.reads].count(2) == 1
            return found

    (found,) = asyncio.run(scenario())
    assert (found.outcome, found.text) == (Outcome.FAILED, "no reply within 1 s")
    assert isinstance(found.result, MeterRead)
    assert set(found.result.refused) >= set(POINTS)
    assert found.result.values == {}


def test_a_line_that_is_down_fails() -> None:
    """At once."""
    one = bench()
    one.wire.down = True
    (found,) = answers(one, Read("m1"))
    assert found.outcome == Outcome.FAILED
    assert "no connection" in found.text


def test_several_orders_for_one_line_are_served_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in the order in which it came, and none is forgotten."""
    one = bench()
    order: list[str] = []
    ask = one.line.ask

    def noted(meter: str, block: Any) -> Question:
        question = ask(meter, block)
        question.answer.add_done_callback(lambda _: order.append(meter))
        return question

    monkeypatch.setattr(one.line, "ask", noted)
    found = answers(one, Read("m1"), Read("m2"), Read("m3"))
    assert all(one.outcome == Outcome.DONE for one in found)
    assert order[:6] == ["m1", "m2", "m3", "m1", "m2", "m3"]


def test_a_value_that_can_not_travel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A float register may hold anything."""
    handler = reader(bench())

    async def absurd(_meter: str, block: Any) -> tuple[dict[str, int], int]:
        return {point.name: 10**30 for point in block.points[:1]}, 7

    monkeypatch.setattr(handler._asking, "ask", absurd)
    found = asyncio.run(handler(command(1, Read("m1", ("energy_forward", "energy_reverse")))))
    assert isinstance(found.result, MeterRead)
    assert "no value that can travel" in found.result.refused["energy_forward"]
    assert found.result.refused["energy_reverse"] == "the meter has no value"


def test_what_takes_too_long_ends_with_what_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line so slow that one request takes as long as all of them may."""
    one = bench()
    handler = reader(one)

    async def slow(_meter: str, block: Any) -> tuple[dict[str, int], int]:
        one.clock.elapsed_ms += ALL_MS
        return {point.name: 1 for point in block.points}, 7

    monkeypatch.setattr(handler._asking, "ask", slow)
    found = asyncio.run(handler(command(1, Read("m1", tuple(POINTS)))))
    assert found.outcome == Outcome.DONE
    assert isinstance(found.result, MeterRead)
    assert list(found.result.values) == ["energy_forward"]
    assert "no time was left" in found.result.refused["meter_constant"]


def test_a_line_that_goes_down_in_the_middle_leaves_what_came() -> None:
    """With the reason for the rest."""
    one = bench()
    one.wire.constant_error = LineDownError("the connection broke")
    (found,) = answers(one, Read("m1"))
    assert isinstance(found.result, MeterRead)
    assert found.outcome == Outcome.DONE
    assert found.result.refused["meter_constant"] == "the connection broke"
