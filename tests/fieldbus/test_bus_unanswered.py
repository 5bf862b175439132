"""What the bus does about replies that may still come: late ones, refusals, connections that change."""

import asyncio

import pytest
from bus_support import GAP_S, TIMEOUT_S, Line, after, answer, on, scripted

from fieldbus.line_timing import LineTiming


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
