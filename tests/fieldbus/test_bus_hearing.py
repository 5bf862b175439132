"""What the bus makes of everything that it hears: pieces, noise, echoes, other masters and other protocols."""

import asyncio
from collections.abc import Sequence

import pytest
from bus_support import GAP_S, TIMEOUT_S, Line, Toy, after, answer, on
from line_support import VirtualLoop

from fieldbus.exchange import (
    BadReplyError,
    Heard,
    Noise,
    NoReplyError,
)

FOREIGN = {
    "another meter's frame": (b"<bx>", "NoReplyError"),
    "another answer of the meter": (b"<ay>", "BadReplyError"),
    "another master's request": (b"(by)", "NoReplyError"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_frames_are_counted_and_never_used(kind: str) -> None:
    """The right answer behind one still counts; alone, it is as good as none."""
    octets, error = FOREIGN[kind]
    line = Line(lambda data: [(0.01, octets), *answer(data)])

    async def use() -> None:
        assert await line.ask("ax") == "x"
        line.script = lambda _: after(0.01, octets)
        assert await line.ask("ax") == error

    on(line, use).count(ok=1, timeout=1, foreign=2)


def test_a_reply_that_may_be_for_another_master_is_not_taken() -> None:
    """It asks the same meter for something whose answer looks the same, before ours has come."""
    line = Line(lambda _: [(0.01, b"(ay)"), (0.02, b"<ax>")])

    async def use() -> None:
        with pytest.raises(BadReplyError, match="another master asked the same meter"):
            await line.bus.exchange(line.toy.request("ax"))
        await asyncio.sleep(1)

    on(line, use).count(foreign=1, late=1)


@pytest.mark.parametrize(("reply", "wait_s"), [(b"<by>", 0.1), (b"", TIMEOUT_S)])
def test_another_masters_question_is_let_be_answered_first(reply: bytes, wait_s: float) -> None:
    """Until its meter has answered, or the time for that is over."""
    line = Line(answer)
    waited: list[float] = []

    async def use() -> None:
        loop = asyncio.get_running_loop()
        line.bus.attach(line.toy)
        line.far.deliver(b"(by)")
        if reply:
            loop.call_later(0.095, line.far.deliver, reply)
        asked_at = loop.time()
        assert await line.ask("ax") == "x"
        waited.append(loop.time() - asked_at)

    on(line, use)
    assert waited == [pytest.approx(wait_s + 0.01)]


@pytest.mark.parametrize("split", range(1, 8))
def test_replies_may_come_merged_or_in_any_pieces(split: int) -> None:
    """A late one and the right one, run together and cut anywhere."""
    line = Line(lambda _: [])

    async def use() -> None:
        assert await line.ask("ay") == "NoReplyError"
        both = b"<ay><ax>"
        line.script = lambda _: [(0.01, both[:split]), (0.02, both[split:])]
        assert await line.ask("ax") == "x"

    on(line, use).count(ok=1, timeout=1, late=1)


def test_a_frame_behind_noise_is_found() -> None:
    """Even if the noise looks like the beginning of a frame."""
    line = Line(lambda _: after(0.01, b"<<ax>"))

    async def use() -> None:
        assert await line.ask("ax") == "x"

    on(line, use).count(ok=1, corrupt=1)


def test_a_reply_that_has_begun_in_time_may_end_after_the_time_out() -> None:
    """The time-out is for its beginning."""
    line = Line(lambda _: [(0.29, b"<a"), (0.32, b"x>")])

    async def use() -> None:
        assert await line.ask("ax") == "x"

    on(line, use).count(ok=1)


@pytest.mark.parametrize(("pause_s", "outcome"), [(0.4, "x"), (0.6, "NoReplyError")])
def test_a_protocol_may_allow_longer_pauses_inside_a_frame(pause_s: float, outcome: str) -> None:
    """Half a second between two octets in DL/T 645, whatever the line's own gap."""
    line = Line(lambda _: [(0.01, b"<a"), (0.01 + pause_s, b"x>")])
    line.toy.longest_pause_s = 0.5

    async def use() -> None:
        assert await line.ask("ax") == outcome

    on(line, use)


def test_a_truncated_reply_and_its_rest_are_no_answer() -> None:
    """The rest comes while the next request waits, and must not spoil that."""
    line = Line(lambda _: [(0.01, b"<a"), (0.5, b"x>")])

    async def use() -> None:
        with pytest.raises(NoReplyError, match="only 2 octets: cut off"):
            await line.bus.exchange(line.toy.request("ax"))
        line.script = lambda data: after(0.25, b"<" + data[1:3] + b">")
        assert await line.ask("ay") == "y"

    on(line, use).count(ok=1, timeout=1, corrupt=3)


@pytest.mark.parametrize(("stopped_s", "said"), [(1.0, "x"), (10.0, "NoReplyError")])
def test_a_reply_that_lay_about_while_the_process_was_stopped_is_late(stopped_s: float, said: str) -> None:
    """Nobody knows when it came: its value would get the time at which the process woke up."""
    line = Line()

    async def use() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        task = asyncio.create_task(line.ask("ax"))
        await asyncio.sleep(0.1)
        loop.skip(stopped_s)
        line.far.deliver(b"<ax>")  # octets are read before timers are looked at
        assert await task == said

    on(line, use)
    assert line.bus.counters.late == (said != "x")


def test_a_line_that_babbles_without_end_ends_the_request() -> None:
    """An unfinished frame holds the time-out open, but not for ever."""
    line = Line(lambda _: [(i * 0.04, b"<") for i in range(1000)])

    async def use() -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        assert await line.ask("ax") == "NoReplyError"
        assert loop.time() - started <= TIMEOUT_S + line.timing.longest_reply_s + GAP_S

    on(line, use)


def test_echoes_are_told_from_answers() -> None:
    """Of a two-wire adapter that hears itself."""
    line = Line(lambda data: [(0.001, data), *answer(data)])

    async def use() -> None:
        assert [await line.ask("ax"), await line.ask("ay")] == ["x", "y"]

    on(line, use).count(ok=2, echo=2)


@pytest.mark.parametrize("echoing", [True, False])
def test_a_mirrored_request_is_confirmed_by_the_meter_alone(echoing: bool) -> None:
    """On a line that echoes, only the second copy is the meter's."""
    alive = True

    class Mirror(Toy):
        """Its `w` is answered by the very octets of the request."""

        def _heard(self, octets: bytes) -> Heard:
            heard = super()._heard(octets)
            return Heard(heard.device, heard.signature, heard.frame, octets, heard.is_request and octets[2:3] != b"w")

    def script(data: bytes) -> list[tuple[float, bytes]]:
        replies = after(0.02, data if data[2:3] == b"w" else b"<" + data[1:3] + b">") if alive else []
        return [*(after(0.001, data) if echoing else []), *replies]

    line = Line(script, toy=Mirror())

    async def use() -> None:
        nonlocal alive
        assert await line.ask("aw", "p", mirrored=True) == "w"
        alive = False
        assert await line.ask("aw", "p", mirrored=True) == "NoReplyError"

    on(line, use).count(ok=1, timeout=1, probes=1, echo=3 if echoing else 0)


def test_an_echo_that_was_spoilt_does_not_make_the_next_one_an_answer() -> None:
    """Else the echo of a write would say that the meter has taken it."""
    spoilt = False

    class Mirror(Toy):
        """Its `w` is answered by the very octets of the request."""

        def _heard(self, octets: bytes) -> Heard:
            heard = super()._heard(octets)
            return Heard(heard.device, heard.signature, heard.frame, octets, heard.is_request and octets[2:3] != b"w")

    def script(data: bytes) -> list[tuple[float, bytes]]:
        echo = after(0.001, b"~" + data[1:] if spoilt else data)
        return [*echo, *([] if data[2:3] == b"w" else answer(data))]

    line = Line(script, toy=Mirror())

    async def use() -> None:
        nonlocal spoilt
        assert await line.ask("ax") == "x"
        spoilt = True
        assert await line.ask("ax") == "x"
        spoilt = False
        assert await line.ask("aw", "p", mirrored=True) == "NoReplyError"

    on(line, use)


def test_a_wildcard_is_answered_by_whoever_it_fits() -> None:
    """And what comes late from another meter is still its reply."""
    line = Line(lambda _: [(0.01, b"<bx>"), (0.02, b"<cx>")])

    async def use() -> None:
        assert await line.ask("*x", answers=lambda heard: heard.signature == "x") == "x"
        await asyncio.sleep(1)
        line.script = lambda _: after(0.5, b"<dx>")
        assert await line.ask("*x", answers=lambda heard: heard.signature == "x") == "NoReplyError"
        await asyncio.sleep(1)

    on(line, use).count(ok=1, timeout=1, late=1, foreign=1)


def test_a_wildcard_unanswered_is_not_taken_for_a_meters_own_answer() -> None:
    """Its late reply has the signature of the next request to that meter, so that one is probed for."""
    line = Line(lambda _: after(0.5, b"<bx>"))

    async def use() -> None:
        assert await line.ask("*x", answers=lambda heard: heard.signature == "x") == "NoReplyError"
        line.script = lambda data: after(0.25, b"<" + data[1:3] + b">")
        assert await line.ask("bx", "p") == "x"
        assert await line.ask("bx", "p") == "x"

    on(line, use).count(ok=2, timeout=1, late=1, probes=1)


def test_frames_that_nobody_asked_for_are_answered_by_their_protocol() -> None:
    """A heartbeat, even without a request."""
    line = Line()

    async def use() -> None:
        line.bus.attach(line.toy)
        line.far.deliver(b"<h*>")
        await asyncio.sleep(0)

    on(line, use).count()
    assert line.sent == [b"(h*)"]
    assert [(traced.verdict, traced.sent, traced.time_ms) for traced in line.traced] == [
        ("response", True, 7),
        ("event", False, 7),
    ]


def test_another_protocols_frames_are_not_corrupt() -> None:
    """Each framing gets every octet; only what none understands is noise."""
    square = Toy("{}[]")
    line = Line(lambda data: [(0.01, b"[bx]"), *answer(data)])

    async def use() -> None:
        line.bus.attach(line.toy)
        line.bus.attach(square)
        assert await line.ask("ax") == "x"
        line.script = lambda _: after(0.01, b"[ax]")
        heard = await line.bus.exchange(square.request("ax"))
        assert heard is not None
        assert heard.octets == b"[ax]"
        line.script = lambda data: [(0.01, b"%%"), *answer(data)]
        assert await line.ask("ay") == "y"
        assert await line.ask("az") == "z"

    on(line, use).count(ok=4, foreign=1, corrupt=2)


def test_a_frame_of_one_protocol_does_not_hold_up_the_line_for_another() -> None:
    """To the other it looks unfinished, but there is nothing to wait for."""

    class Greedy(Toy):
        """Believes that everything is the beginning of something."""

        def feed(self, data: bytes) -> Sequence[Heard | Noise]:
            self._buffer += data
            return []

    line = Line(answer)

    async def use() -> None:
        loop = asyncio.get_running_loop()
        line.bus.attach(Greedy("{}[]"))
        started = loop.time()
        assert [await line.ask("ax"), await line.ask("ay")] == ["x", "y"]
        assert loop.time() - started == pytest.approx(0.02)

    on(line, use).count(ok=2)


def test_the_beginning_of_another_protocols_frame_behind_a_whole_one_waits() -> None:
    """It is noise to the first protocol, and the reply to the second."""
    square = Toy("{}[]")
    line = Line(lambda _: [(0.01, b"<zx>[a"), (0.02, b"x]")])

    async def use() -> None:
        line.bus.attach(line.toy)
        heard = await line.bus.exchange(square.request("ax"))
        assert heard is not None

    on(line, use).count(ok=1, foreign=1)


def test_a_stream_that_can_not_be_trusted_any_more_is_given_up() -> None:
    """At once, not after the time-out."""
    line = Line(lambda _: after(0.01, b"#"))

    async def use() -> None:
        with pytest.raises(BadReplyError, match="no bracket: the connection is given up"):
            await line.bus.exchange(line.toy.request("ax"))
        assert not line.bus.connected

    on(line, use).count(corrupt=1)


@pytest.mark.parametrize("asking", [True, False])
def test_who_floods_the_line_with_nothing_is_hung_up_on(asking: bool) -> None:
    """Taking noise apart is work that delays the other lines; with a frame now and then it is a bad line."""
    line = Line()

    async def use() -> None:
        line.bus.attach(line.toy)
        for frame in (b"<bz>", b""):
            line.far.deliver(b"." * 40_000 + frame)
        assert line.bus.connected
        task = asyncio.create_task(line.ask("ax")) if asking else None
        await asyncio.sleep(GAP_S)
        line.far.deliver(b"." * 40_000)
        assert not line.bus.connected
        assert task is None or await task == "BadReplyError"
        await line.bus.connect()
        line.script = answer
        assert await line.ask("bx") == "x"

    on(line, use)
    assert line.bus.counters.foreign == 1
