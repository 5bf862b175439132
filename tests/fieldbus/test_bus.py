"""The bus: turns, connections, cancelling, pauses, and what is counted and traced."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from bus_support import GAP_S, TIMEOUT_S, Line, Toy, after, answer, on, scripted
from line_support import VirtualLoop, run_virtual

from fieldbus.exchange import (
    BadReplyError,
    Heard,
    LineDownError,
    Noise,
    RefusedError,
    Request,
)
from fieldbus.line_timing import LineTiming


def test_answers_come_to_their_requests() -> None:
    """And are counted."""
    line = Line(answer)

    async def use() -> None:
        assert [await line.ask(what) for what in ("ax", "bx", "ay")] == ["x", "x", "y"]

    on(line, use).count(ok=3, connects=1)


def test_a_lost_connection_ends_the_request_at_once() -> None:
    """What it asked stays known."""
    line = Line()
    line.script = lambda _: line.channel.lose("gone") or []

    async def use() -> None:
        with pytest.raises(LineDownError, match="gone"):
            await line.bus.exchange(line.toy.request("ax"))
        assert line.bus.unanswered((line.toy.protocol, "a")) == frozenset("x")
        assert await line.ask("ax") == "LineDownError"

    on(line, use).count(unreachable=2)


def test_without_a_connection_nothing_is_asked() -> None:
    """And what fails to connect is counted."""
    line = Line()
    line.channel.refuses = True

    async def use() -> None:
        with pytest.raises(LineDownError, match="refused"):
            await line.bus.connect()
        assert await line.ask("ax") == "LineDownError"
        assert line.bus.unanswered((line.toy.protocol, "a")) == frozenset()

    run_virtual(use())
    line.count(unreachable=2, connects=0)


def test_two_who_connect_at_once_share_the_connection() -> None:
    """A reader from the command line and the line's own task, say."""
    line = Line(answer)

    async def use() -> None:
        line.bus.close()
        await asyncio.gather(line.bus.connect(), line.bus.connect())

    on(line, use).count(connects=2)
    assert line.channel.opened == 2


def test_a_part_of_a_reply_that_must_be_confirmed_keeps_the_request_waiting() -> None:
    """A fragment (分帧) of DL/T 698.45: the rest comes only after its confirmation."""
    line = Line(lambda data: after(0.2, b"<a*>") if data == b"(ax)" else after(0.2, b"<ax>"))

    async def use() -> None:
        assert await line.ask("ax") == "x"

    on(line, use).count(ok=1)
    assert line.sent == [b"(ax)", b"(a*)"]


def test_a_connection_that_brings_nothing_is_replaced() -> None:
    """After some requests in a row without a single octet, whoever they were for."""
    timing = LineTiming(timeout_s=TIMEOUT_S, replace_after=3)
    line = Line(timing=timing)

    async def use() -> None:
        await line.ask("ax")
        await line.ask("ay")
        line.far.deliver(b"<b")  # a sign of life
        await asyncio.sleep(1)
        for what in ("az", "bx"):
            await line.ask(what)
            assert line.bus.connected
        await line.ask("by")
        assert not line.bus.connected

    on(line, use)


def test_a_cancelled_request_leaves_the_line_in_order() -> None:
    """Its reply is late when it comes, and the next request is served."""
    line = Line(scripted(ax=after(0.1, b"<ax>"), ay=after(0.25, b"<ay>")))

    async def use() -> None:
        task = asyncio.create_task(line.ask("ax"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert line.bus.unanswered((line.toy.protocol, "a")) == frozenset("x")
        assert await line.ask("ay") == "y"

    on(line, use).count(ok=1, late=1)


def test_a_reply_between_cancelling_and_the_end_of_the_task_is_late() -> None:
    """Not foreign, and not waited for any more."""
    line = Line()

    async def use() -> None:
        task = asyncio.create_task(line.ask("ax"))
        await asyncio.sleep(0.05)
        task.cancel()
        line.far.deliver(b"<ax>")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert line.bus.unanswered((line.toy.protocol, "a")) == frozenset()

    on(line, use).count(late=1)


class Patient(Toy):
    """Holds every frame back until the line is silent, as a framing does that sees noise before it."""

    def feed(self, data: bytes) -> Sequence[Heard | Noise]:
        self._buffer += data
        return []

    def flush(self) -> Sequence[Heard | Noise]:
        return super().feed(b"")


@pytest.mark.parametrize("closing", [False, True])
def test_an_answer_found_by_silence_after_cancelling_is_late(closing: bool) -> None:
    """The task has not yet noticed that it was cancelled when the frame is found."""
    line = Line(toy=Patient())
    broken: list[Any] = []

    async def use() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: broken.append(context))
        task = asyncio.create_task(line.ask("ax"))
        await asyncio.sleep(0.05)
        line.far.deliver(b"<ax>")
        if closing:
            task.cancel()
            line.bus.close()
        else:
            assert isinstance(loop, VirtualLoop)
            # In the same turn of the loop as the end of the silence, and before it.
            loop.call_at(loop.time() + GAP_S - 1e-10, lambda: (task.cancel(), loop.skip(1e-3)))
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(1)

    on(line, use).count(late=1)
    assert broken == []


def test_requests_wait_for_their_turn() -> None:
    """Two tasks, one line."""
    line = Line(answer)

    async def use() -> None:
        assert await asyncio.gather(line.ask("ax"), line.ask("ay"), line.ask("az")) == ["x", "y", "z"]

    on(line, use).count(ok=3)
    assert [traced.sent for traced in line.traced] == [True, False] * 3


def test_a_broadcast_waits_for_no_answer_but_gives_the_meters_time() -> None:
    """Modbus over serial line 1.02, 2.4.1."""
    line = Line(answer)
    line.timing = LineTiming(after_broadcast_s=0.1)
    times: list[float] = []

    async def use() -> None:
        loop = asyncio.get_running_loop()
        times.append(loop.time())
        line.script = lambda _: []
        octets = b"(**)"
        assert await line.bus.exchange(Request(("toy", "*"), octets, None, line.toy, "all")) is None
        line.script = answer
        await line.ask("ax")
        times.append(loop.time())

    on(line, use).count(ok=1)
    assert times[1] - times[0] == pytest.approx(0.11)


def test_pauses_between_requests_are_kept_and_sending_takes_its_time() -> None:
    """A pause since the last octet; the time-out runs from the end of the request."""
    timing = LineTiming(timeout_s=TIMEOUT_S, gap_s=GAP_S, pause_s=0.02, character_s=0.001, replace_after=0)
    line = Line(answer, timing=timing)
    times: list[float] = []

    async def use() -> None:
        loop = asyncio.get_running_loop()
        await line.ask("ax")
        times.append(loop.time())
        await line.ask("ay")
        times.append(loop.time())
        line.script = lambda _: []
        await line.ask("az")
        times.append(loop.time())

    on(line, use)
    assert times[1] - times[0] == pytest.approx(0.02 + 0.01)
    assert times[2] - times[1] == pytest.approx(0.02 + 0.004 + TIMEOUT_S)


def test_nothing_is_sent_while_a_frame_is_still_coming() -> None:
    """Half-duplex: two at once would destroy both."""
    line = Line(lambda _: [])

    async def use() -> None:
        await line.ask("ax")
        line.far.deliver(b"<a")
        line.script = answer
        task = asyncio.create_task(line.ask("ay"))
        await asyncio.sleep(0.02)
        assert line.sent == [b"(ax)"]
        line.far.deliver(b"x>")
        assert await task == "y"

    on(line, use).count(ok=1, late=1, timeout=1)


def test_what_an_answer_is_worth_is_counted() -> None:
    """The request says so itself."""
    line = Line(answer)

    def verify(heard: Heard) -> None:
        if heard.signature == "r":
            raise RefusedError(4, "no")
        if heard.signature == "b":
            raise BadReplyError("short")

    async def use() -> None:
        answers = [await line.ask(what, verify=verify) for what in ("ar", "ab", "ax")]
        assert answers == ["RefusedError", "BadReplyError", "x"]

    on(line, use).count(ok=1, exception=1, corrupt=1)


def test_everything_that_passes_is_traced_with_what_it_was_taken_for() -> None:
    """For `diantan-agent trace`."""
    line = Line(lambda data: [(0.001, data), (0.002, b"%<bx>"), *answer(data)])

    async def use() -> None:
        await line.ask("ax")
        line.bus.close()

    on(line, use)
    assert [(traced.octets, traced.verdict) for traced in line.traced] == [
        (b"(ax)", "request"),
        (b"(ax)", "echo"),
        (b"<bx>", "foreign"),
        (b"<ax>", "answer"),
        (b"%", "corrupt"),
    ]


def test_closing_ends_a_request_under_way() -> None:
    """With an error, not with silence."""
    line = Line()

    async def use() -> None:
        task = asyncio.create_task(line.ask("ax"))
        await asyncio.sleep(0.05)
        line.bus.close()
        assert await task == "LineDownError"

    on(line, use)
