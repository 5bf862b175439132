"""The bus with a protocol of four octets, so that nothing but its own rules is at work: `(ms)` asks, `<ms>` answers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from line_support import FarEnd, MemoryChannel, VirtualLoop, run_virtual

from agent.bus import LineBus
from agent.exchange import (
    BadReplyError,
    Heard,
    LineDownError,
    LineError,
    Noise,
    NoReplyError,
    RefusedError,
    Request,
    Traced,
)
from agent.line_timing import LineTiming
from clock import ManualClock

TIMEOUT_S = 0.3
GAP_S = 0.05


class Toy:
    """Frames of one meter letter and one letter for what is asked; `!` refuses anything, `?` what is in capitals."""

    longest_pause_s = 0.0

    def __init__(self, brackets: str = "()<>") -> None:
        self.protocol = f"toy {brackets}"
        self.ask_open, self.ask_close, self.open, self.close = (ord(bracket) for bracket in brackets)
        self._buffer = b""

    @property
    def pending(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> Sequence[Heard | Noise]:
        self._buffer += data
        found: list[Heard | Noise] = []
        while self._buffer:
            closing = {self.ask_open: self.ask_close, self.open: self.close}.get(self._buffer[0])
            if closing is not None and len(self._buffer) < 4:
                break
            if closing is not None and self._buffer[3] == closing:
                found.append(self._heard(self._buffer[:4]))
                self._buffer = self._buffer[4:]
                continue
            found.append(Noise(self._buffer[:1], "no bracket", lost=self._buffer[:1] == b"#"))
            self._buffer = self._buffer[1:]
        return found

    def flush(self) -> Sequence[Heard | Noise]:
        rest, self._buffer = self._buffer, b""
        return [Noise(rest, "cut off")] if rest else []

    def respond(self, heard: Heard) -> bytes | None:
        return bytes((self.ask_open, heard.octets[1], ord("*"), self.ask_close)) if heard.signature == "*" else None

    def _heard(self, octets: bytes) -> Heard:
        said = chr(octets[2])
        asked = octets[0] == self.ask_open
        refuses = str.isupper if said == "?" else None
        signature = None if said in "!?" and not asked else said
        device = (self.protocol, chr(octets[1]))
        kind = {"is_request": asked, "is_part": said == "*"}
        return Heard(device, signature, said, octets, **kind, refuses=refuses)  # type: ignore[arg-type]

    def request(self, what: str, probes: str = "", **more: Any) -> Request:
        """Return a request like `ax` (ask meter a for x), with what may be asked instead to see what is under way."""
        meter, said = what

        def probe(unanswered: frozenset[Any]) -> Request | None:
            free = [letter for letter in probes if letter not in unanswered]
            return self.request(meter + free[0]) if free else None

        octets = bytes((self.ask_open, ord(meter), ord(said), self.ask_close))
        return Request((self.protocol, meter), octets, said, self, f"ask {what}", probe=probe, **more)


@dataclass
class Line:
    """A bus on a far end that does what its script says: for each request, pairs of seconds to wait and octets."""

    script: Callable[[bytes], Sequence[tuple[float, bytes]]] = lambda _: []
    toy: Toy = field(default_factory=Toy)
    traced: list[Traced] = field(default_factory=list)
    timing: LineTiming = field(default_factory=lambda: LineTiming(timeout_s=TIMEOUT_S, gap_s=GAP_S, replace_after=0))

    def __post_init__(self) -> None:
        self.far = FarEnd(lambda _: [])
        self.far.received = self._received  # type: ignore[method-assign]
        self.channel = MemoryChannel(self.far)
        self.bus = LineBus(self.channel, self.timing, ManualClock(wall_ms=7))
        self.bus.tap = self.traced.append
        self.sent: list[bytes] = []

    def _received(self, data: bytes) -> None:
        self.sent.append(data)
        loop = asyncio.get_running_loop()
        for seconds, octets in self.script(data):
            loop.call_later(seconds, self.far.deliver, octets)

    async def ask(self, what: str, probes: str = "", **more: Any) -> str:
        """Return what was answered, or the name of the error."""
        try:
            heard = await self.bus.exchange(self.toy.request(what, probes, **more))
        except LineError as error:
            return type(error).__name__
        return str(heard.frame) if heard is not None else "nothing"

    def count(self, **expected: int) -> None:
        """Compare the counters: those not named must be 0, except ok and connects."""
        counters = self.bus.counters
        names = [name for name in counters.__slots__ if name not in ("ok", "connects") or name in expected]
        assert {name: getattr(counters, name) for name in names} == {name: expected.get(name, 0) for name in names}


def on(line: Line, use: Callable[[], Awaitable[None]]) -> Line:
    """Run something on a connected line, in virtual time."""

    async def scenario() -> None:
        await line.bus.connect()
        await use()

    run_virtual(scenario())
    return line


def answer(data: bytes) -> list[tuple[float, bytes]]:
    """Answer at once."""
    return [(0.01, b"<" + data[1:3] + b">")]


def scripted(**replies: Sequence[tuple[float, bytes]]) -> Callable[[bytes], Sequence[tuple[float, bytes]]]:
    """Return a script by what is asked; anything else is answered at once."""
    return lambda data: replies[data[1:3].decode()] if data[1:3].decode() in replies else answer(data)


def after(seconds: float, octets: bytes) -> list[tuple[float, bytes]]:
    """Return one delivery."""
    return [(seconds, octets)]


def test_answers_come_to_their_requests() -> None:
    """And are counted."""
    line = Line(answer)

    async def use() -> None:
        assert [await line.ask(what) for what in ("ax", "bx", "ay")] == ["x", "x", "y"]

    on(line, use).count(ok=3, connects=1)


def test_a_late_reply_is_dropped_and_a_like_one_is_probed_for() -> None:
    """The reply to the first question comes while the second, whose answer looks the same, wants to be asked."""
    late = [after(0.5, b"<ax>")]
    line = Line(lambda data: late.pop() if data == b"(ax)" and late else answer(data))

    async def use() -> None:
        assert await line.ask("ax", "pq") == "NoReplyError"
        line.script = lambda data: after(0.25, b"<" + data[1:3] + b">")
        assert await line.ask("ax", "pq") == "x"

    on(line, use).count(ok=1, timeout=1, late=1, probes=1)
    assert line.sent == [b"(ax)", b"(ap)", b"(ax)"]


def test_another_question_needs_no_probe() -> None:
    """Its answer can't be mistaken; and once it is there, the older reply can't come any more."""
    line = Line(scripted(ax=after(0.5, b"<ax>")))

    async def use() -> None:
        assert await line.ask("ax") == "NoReplyError"
        assert await line.ask("ay") == "y"
        line.script = answer
        assert await line.ask("ax") == "x"

    on(line, use).count(ok=2, timeout=1)


def test_without_a_probe_that_is_known_from_the_rest_nothing_is_asked() -> None:
    """Rather no value than one that may be another's."""
    line = Line(lambda _: [])

    async def use() -> None:
        assert [await line.ask("ax", "p") for _ in range(4)] == ["NoReplyError"] * 4

    on(line, use).count(timeout=2, probes=1)
    assert line.sent == [b"(ax)", b"(ap)"]


@pytest.mark.parametrize(("heard_at", "asked_again"), [(None, False), (1.0, False), (61.0, True)])
def test_what_is_unanswered_is_forgotten_only_when_the_link_has_moved(
    heard_at: float | None, asked_again: bool
) -> None:
    """A link that stalls for minutes may still deliver everything; what came before the stall proves nothing."""
    line = Line(scripted(ax=[]))

    async def use() -> None:
        await line.ask("ax")
        await asyncio.sleep(heard_at or 1.0)
        if heard_at is not None:
            assert await line.ask("bx") == "x"
        await asyncio.sleep(62 - (heard_at or 1.0))
        await line.ask("ax")

    on(line, use)
    assert line.sent.count(b"(ax)") == 1 + asked_again
    assert line.bus.unanswered((line.toy.protocol, "a")) == frozenset("x")


def test_a_new_connection_lets_old_requests_be_forgotten_in_time_but_not_before() -> None:
    """A serial server may deliver to the next connection."""
    line = Line(scripted(ax=[]))

    async def use() -> None:
        await line.ask("ax")
        line.bus.close()
        await line.bus.connect()
        assert line.bus.unanswered((line.toy.protocol, "a")) == frozenset("x")
        assert await line.ask("ax") == "NoReplyError"
        assert len(line.sent) == 1
        await asyncio.sleep(61)
        line.script = answer
        assert await line.ask("ax") == "x"

    on(line, use).count(ok=1, connects=2, timeout=1)


@pytest.mark.parametrize("how", ["lost", "closed", "silent"])
def test_time_without_a_connection_lets_nothing_be_forgotten(how: str) -> None:
    """A 4G terminal keeps what the meter says while it is offline, and delivers it when it is back."""
    timing = LineTiming(timeout_s=TIMEOUT_S, gap_s=GAP_S, replace_after=1 if how == "silent" else 0)
    line = Line(scripted(ax=[]), timing=timing)

    async def use() -> None:
        assert await line.ask("ax") == "NoReplyError"
        if how == "lost":
            line.channel.lose()
        elif how == "closed":
            line.bus.close()
        await asyncio.sleep(300)
        await line.bus.connect()
        line.script = lambda data: [(0.0, b"<ax>"), *answer(data)]
        assert await line.ask("ay") == "y"

    on(line, use).count(ok=1, connects=2, timeout=1, late=1)


def test_a_connection_that_comes_by_itself_lets_old_requests_be_forgotten_in_time() -> None:
    """As when a meter dials in again: nobody calls `connect`."""
    line = Line(scripted(ax=[]))

    async def use() -> None:
        assert await line.ask("ax") == "NoReplyError"
        line.channel.lose()
        line.channel.redial()
        assert await line.ask("bx") == "x"
        assert await line.ask("ax") == "NoReplyError"
        await asyncio.sleep(61)
        line.script = answer
        assert await line.ask("ax") == "x"

    on(line, use).count(ok=2, connects=2, timeout=1)


def test_a_late_reply_across_a_reconnect_is_known() -> None:
    """It comes by the next connection, as from a serial server."""
    line = Line(scripted(ax=after(0.5, b"<ax>"), ay=after(0.28, b"<ay>")))

    async def use() -> None:
        await line.ask("ax")
        line.bus.close()
        await line.bus.connect()
        assert await line.ask("ay") == "y"

    on(line, use).count(ok=1, connects=2, timeout=1, late=1)


def test_several_late_replies_are_each_known_in_order() -> None:
    """The last of them shows that nothing older comes."""
    line = Line(scripted(ax=after(0.95, b"<ax>"), ay=after(0.66, b"<ay>"), az=after(0.37, b"<az>")))

    async def use() -> None:
        assert [await line.ask(what) for what in ("ax", "ay", "az")] == ["NoReplyError"] * 3
        await asyncio.sleep(0.2)
        line.script = answer
        assert line.bus.unanswered((line.toy.protocol, "a")) == frozenset()
        assert await line.ask("ax") == "x"

    on(line, use).count(ok=1, timeout=3, late=3)


def test_a_refusal_that_says_not_what_it_refuses_is_believed_only_alone() -> None:
    """With something else unanswered, another probe must decide."""
    line = Line(scripted(ax=after(0.5, b"<a!>")))

    async def use() -> None:
        assert await line.ask("ax", "pq") == "NoReplyError"
        line.script = scripted(ay=after(0.25, b"<a!>"), ap=after(0.01, b"<ap>"))
        # The refusal at 0.5 s is that of x, the one 0.05 s later that of y.
        assert await line.ask("ay", "pq") == "!"
        assert await line.ask("ax", "pq") == "x"

    on(line, use).count(ok=1, exception=1, timeout=1, late=1)


def test_a_meter_that_refuses_everything_is_understood_again() -> None:
    """One lost reply must not shift every later refusal by one for ever."""
    line = Line(scripted(ax=[]))

    async def use() -> None:
        assert await line.ask("ax", "pq") == "NoReplyError"
        line.script = scripted(ay=after(0.01, b"<a!>"))
        assert await line.ask("ay", "pq") == "NoReplyError"  # may be the refusal of x
        assert await line.ask("ay", "pq") == "!"  # p was answered, so this one is its own

    on(line, use).count(ok=0, exception=1, timeout=2, late=1, probes=1)


def test_a_refusal_that_says_enough_is_believed() -> None:
    """What is unanswered is none that it may refuse."""
    line = Line(scripted(ax=[], aY=after(0.01, b"<a?>")))

    async def use() -> None:
        assert await line.ask("ax") == "NoReplyError"
        assert await line.ask("aY") == "?"

    on(line, use).count(exception=1, timeout=1)


def test_a_refusal_of_something_else_is_late() -> None:
    """The request under way goes on waiting."""
    line = Line(scripted(aY=after(0.4, b"<a?>"), ax=after(0.2, b"<ax>")))

    async def use() -> None:
        assert await line.ask("aY") == "NoReplyError"
        assert await line.ask("ax") == "x"

    on(line, use).count(ok=1, timeout=1, late=1)


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
