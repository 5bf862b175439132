"""Octets of any kind on the line: what a bench says to see whether a meter minds."""

import asyncio

import pytest
from bus_support import Line, after, answer, on

from fieldbus.exchange import LineDownError


def test_what_comes_back_answers_nothing_and_the_next_request_waits_for_silence() -> None:
    line = Line(lambda data: after(0.2, b"<ax>") if data == b"zzz" else answer(data))

    async def use() -> None:
        line.bus.attach(line.toy)  # as a driver does when it is made
        loop = asyncio.get_running_loop()
        begun = loop.time()
        asking = [loop.create_task(line.bus.raw(b"zzz", 0.5)), loop.create_task(line.ask("ax"))]
        await asking[0]
        assert loop.time() - begun == pytest.approx(0.7)  # silence after the reply to it
        assert line.sent == [b"zzz"]
        assert await asking[1] == "x"

    on(line, use).count(foreign=1, ok=1, connects=1)
    assert [(traced.octets, traced.verdict) for traced in line.traced] == [
        (b"zzz", "raw"),
        (b"<ax>", "foreign"),
        (b"(ax)", "request"),
        (b"<ax>", "answer"),
    ]


def test_silence_ends_where_the_connection_does() -> None:
    line = Line()

    async def use() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, lambda: line.channel.lose("hung up"))
        begun = loop.time()
        await line.bus.raw(b"zzz", 5)
        assert loop.time() - begun <= 5
        assert not line.bus.connected
        with pytest.raises(LineDownError):
            await line.bus.raw(b"zzz", 5)
        await line.bus.connect()
        line.script = answer
        assert await line.ask("ax") == "x"

    on(line, use).count(ok=1, connects=2, unreachable=1)
