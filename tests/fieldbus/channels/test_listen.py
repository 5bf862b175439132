"""The port that meters dial in to, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from line_support import until

from diantan_core import Dlt698Frame
from fieldbus.channels import listen
from fieldbus.channels.listen import Dlt698Sorter, ListenChannel
from fieldbus.exchange import LineDownError

ONE = "000000000001"
TWO = "000000000002"


def link(address: str, data: bytes = b"login") -> bytes:
    """Return a frame as a meter sends it of its own accord."""
    return Dlt698Frame(0x81, address, 0, data).encode()


def ask(address: str, kind: Any = "single") -> bytes:
    """Return a request, with the preamble of a master."""
    return b"\xfe\xfe\xfe\xfe" + Dlt698Frame(0x43, address, 0, b"read", kind=kind).encode()


class Meter:
    """Someone who dials in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ended(self) -> bool:
        """Wait for the end of the connection."""
        async with asyncio.timeout(20):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    async def hears(self, length: int) -> bytes:
        """Wait for so many octets."""
        async with asyncio.timeout(20):
            return await self.reader.readexactly(length)


class Scene:
    """A listening channel and what it says."""

    def __init__(self, channel: ListenChannel) -> None:
        self.channel = channel
        self.heard: list[bytes] = []
        self.lost: list[str] = []
        self.meters: list[Meter] = []
        channel.attach(self.heard.append, self.lost.append)

    async def dial(self) -> Meter:
        """Dial in; return when the channel knows."""
        known = len(self.channel._peers)
        meter = Meter(*await asyncio.open_connection("127.0.0.1", self.channel.port))
        self.meters.append(meter)
        if self.channel._sorter is not None:
            await until(lambda: len(self.channel._peers) > known)
        else:
            address = meter.writer.get_extra_info("sockname")
            await until(lambda: self.channel._peers[-1:] and str(address[1]) in self.channel._peers[-1].name)
        return meter


@asynccontextmanager
async def listening(sorter: Any = Dlt698Sorter, login_s: float = 0.0) -> AsyncIterator[Scene]:
    """Yield a scene; its channel listens although nobody is there yet."""
    scene = Scene(ListenChannel("127.0.0.1", 0, 0.01, sorter, login_s))
    with pytest.raises(LineDownError, match=r"nobody has dialled in to 127\.0\.0\.1:\d+ within 0\.01 s"):
        await scene.channel.open()
    try:
        yield scene
    finally:
        scene.channel.close()
        for meter in scene.meters:
            meter.writer.close()
        for _ in range(5):
            await asyncio.sleep(0)


def run(use: Callable[[Scene], Awaitable[None]], sorter: Any = Dlt698Sorter, login_s: float = 0.0) -> None:
    """Run something with a listening channel."""

    async def scenario() -> None:
        async with listening(sorter, login_s) as scene:
            await use(scene)

    asyncio.run(scenario())


def test_a_meter_dials_in_and_is_talked_to() -> None:
    """Its frames come whole, however they were cut."""

    async def use(scene: Scene) -> None:
        assert not scene.channel.connected
        meter = await scene.dial()
        await scene.channel.open()
        assert scene.channel.connected
        for octet in link(ONE):
            meter.writer.write(bytes((octet,)))
            await meter.writer.drain()
        await until(lambda: scene.heard)
        assert scene.heard == [link(ONE)]
        scene.channel.write(ask(ONE))
        assert await meter.hears(len(ask(ONE))) == ask(ONE)

    run(use)


def test_opening_waits_for_a_meter() -> None:
    """It need not be there first."""

    async def use(scene: Scene) -> None:
        scene.channel._wait_s = 20
        opening = asyncio.create_task(scene.channel.open())
        await scene.dial()
        await opening
        assert scene.channel.connected

    run(use)


def test_nothing_is_asked_before_the_meter_has_logged_in() -> None:
    """LINK comes first; a meter that sends none is used after a while all the same."""

    async def use(scene: Scene) -> None:
        meter = await scene.dial()
        assert not scene.channel.connected
        with pytest.raises(LineDownError):
            scene.channel.write(ask(ONE))
        with pytest.raises(LineDownError, match="nobody has dialled in"):
            await scene.channel.open()
        meter.writer.write(link(ONE))
        scene.channel._wait_s = 20
        await scene.channel.open()
        scene.channel.write(ask(ONE))
        assert await meter.hears(len(ask(ONE))) == ask(ONE)
        silent = await scene.dial()
        scene.channel.write(ask("AAAAAAAAAAAA", "wildcard"))
        with pytest.raises(LineDownError, match=TWO):
            scene.channel.write(ask(TWO))
        scene.channel.ready(scene.channel._peers[-1])  # as its timer will do
        scene.channel.write(ask(TWO))
        assert await silent.hears(len(ask(TWO))) == ask(TWO)

    run(use, login_s=1000.0)


def test_a_meter_that_never_logs_in_is_used_in_the_end() -> None:
    async def use(scene: Scene) -> None:
        await scene.dial()
        scene.channel._wait_s = 20
        await scene.channel.open()
        assert scene.channel.connected

    run(use, login_s=0.01)


def test_meters_are_told_apart_by_the_address_in_their_frames() -> None:
    """Each hears only its own requests; all hear a wildcard."""

    async def use(scene: Scene) -> None:
        one, two = await scene.dial(), await scene.dial()
        one.writer.write(link(ONE))
        two.writer.write(link(TWO))
        await until(lambda: len(scene.heard) == 2)
        scene.channel.write(ask(TWO))
        scene.channel.write(ask(ONE))
        everyone = ask("AAAAAAAAAAAA", "wildcard")
        scene.channel.write(everyone)
        assert await one.hears(len(ask(ONE)) + len(everyone)) == ask(ONE) + everyone
        assert await two.hears(len(ask(TWO)) + len(everyone)) == ask(TWO) + everyone

    run(use)


def test_two_who_talk_at_once_are_not_mixed_up() -> None:
    """Half a frame of one, a whole one of the other, the other half."""

    async def use(scene: Scene) -> None:
        one, two = await scene.dial(), await scene.dial()
        one.writer.write(link(ONE)[:9])
        await one.writer.drain()
        two.writer.write(link(TWO))
        await until(lambda: scene.heard)
        one.writer.write(link(ONE)[9:])
        await until(lambda: len(scene.heard) == 2)
        assert scene.heard == [link(TWO), link(ONE)]

    run(use)


def test_the_newest_connection_of_a_meter_wins() -> None:
    """The old one is ended, and who waits for its answer is told; the other meter's is left alone."""

    async def use(scene: Scene) -> None:
        old, other = await scene.dial(), await scene.dial()
        old.writer.write(link(ONE))
        other.writer.write(link(TWO))
        await until(lambda: len(scene.heard) == 2)
        scene.channel.write(ask(ONE))
        new = await scene.dial()
        new.writer.write(link(ONE))
        assert await old.hears(len(ask(ONE))) == ask(ONE)
        assert await old.ended()
        assert [f"meter {ONE} has dialled in to {scene.channel.name} again"] == scene.lost
        scene.channel.write(ask(ONE))
        assert await new.hears(len(ask(ONE))) == ask(ONE)
        scene.channel.write(ask(TWO))
        assert await other.hears(len(ask(TWO))) == ask(TWO)

    run(use)


def test_a_meter_that_has_not_dialled_in_is_named() -> None:
    """Unless one connection is there whose meter has not said its address."""

    async def use(scene: Scene) -> None:
        with pytest.raises(LineDownError, match="nobody has dialled in"):
            scene.channel.write(ask(TWO))
        one = await scene.dial()
        scene.channel.write(ask(TWO))
        assert await one.hears(len(ask(TWO))) == ask(TWO)
        one.writer.write(link(ONE))
        await until(lambda: scene.heard)
        with pytest.raises(LineDownError, match=f"meter {TWO} has not dialled in to"):
            scene.channel.write(ask(TWO))

    run(use)


def test_the_end_of_a_connection_is_told_to_whoever_waits_for_it_alone() -> None:
    """Another meter's end is no matter for the request under way."""

    async def use(scene: Scene) -> None:
        one, two = await scene.dial(), await scene.dial()
        one.writer.write(link(ONE))
        two.writer.write(link(TWO))
        await until(lambda: len(scene.heard) == 2)
        scene.channel.write(ask(ONE))
        two.writer.close()
        await until(lambda: len(scene.channel._peers) == 1)
        assert scene.lost == []
        one.writer.close()
        await until(lambda: scene.lost)
        assert "closed the connection" in scene.lost[0]
        assert not scene.channel.connected

    run(use)


def test_hanging_up_drops_only_who_was_asked_and_closing_everyone() -> None:
    """A silent meter's connection is replaced; its neighbours keep theirs."""

    async def use(scene: Scene) -> None:
        one, two = await scene.dial(), await scene.dial()
        one.writer.write(link(ONE))
        two.writer.write(link(TWO))
        await until(lambda: len(scene.heard) == 2)
        scene.channel.write(ask(ONE))
        scene.channel.hang_up()
        await one.hears(0)
        assert scene.channel.connected
        scene.channel.write(ask(TWO))
        await two.hears(len(ask(TWO)))
        scene.channel.close()
        assert await two.ended()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", scene.channel.port)
        assert scene.lost == []

    run(use)


def test_noise_and_a_frame_without_end_are_passed_on() -> None:
    """So that they are counted; the next frame is not lost with them."""

    async def use(scene: Scene) -> None:
        meter = await scene.dial()
        meter.writer.write(b"\x01\x02" + link(ONE)[:-4])
        await until(lambda: b"".join(scene.heard) == b"\x01\x02" + link(ONE)[:-4])
        meter.writer.write(link(ONE))
        await until(lambda: scene.heard[-1] == link(ONE))

    run(use)


def test_without_sorting_the_newest_connection_wins() -> None:
    """For a DTU that passes octets: they come as they are."""

    async def use(scene: Scene) -> None:
        old = await scene.dial()
        scene.channel.write(b"question")
        assert await old.hears(8) == b"question"
        new = await scene.dial()
        assert await old.ended()
        assert "replaced by another connection" in scene.lost[0]
        new.writer.write(b"\x68\x01half")
        await until(lambda: scene.heard)
        assert b"".join(scene.heard) == b"\x68\x01half"
        scene.channel.write(b"again")
        assert await new.hears(5) == b"again"

    run(use, None)


def test_idle_connections_keep_no_meter_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are as many as there may be, one that has not said who it is goes; a meter's never does."""
    monkeypatch.setattr(listen, "_MOST_CONNECTIONS", 2)

    async def use(scene: Scene) -> None:
        one = await scene.dial()
        one.writer.write(link(ONE))
        await until(lambda: scene.heard == [link(ONE)])
        idle = await scene.dial()
        two = Meter(*await asyncio.open_connection("127.0.0.1", scene.channel.port))
        scene.meters.append(two)
        assert await idle.ended()
        two.writer.write(link(TWO))
        await until(lambda: scene.heard[1:] == [link(TWO)])
        late = Meter(*await asyncio.open_connection("127.0.0.1", scene.channel.port))
        scene.meters.append(late)
        assert await late.ended()
        scene.channel.write(ask(ONE))
        assert await one.hears(len(ask(ONE))) == ask(ONE)

    run(use)


def test_who_floods_the_port_with_nothing_is_hung_up_on() -> None:
    """And not the meter that was asked last."""

    async def use(scene: Scene) -> None:
        meter, flood = await scene.dial(), await scene.dial()
        meter.writer.write(link(ONE))
        await until(lambda: scene.heard)
        scene.channel.write(ask(ONE))
        flood.writer.write(b"." * 20_000)
        assert await flood.ended()
        assert scene.lost == []
        assert await meter.hears(len(ask(ONE))) == ask(ONE)
        assert sum(map(len, scene.heard)) <= len(link(ONE)) + 20_000

    run(use)


def test_a_port_that_is_taken_is_named() -> None:
    """Two lines can't listen on one port."""

    async def use(scene: Scene) -> None:
        with pytest.raises(LineDownError, match=rf"can't listen on 127\.0\.0\.1:{scene.channel.port}"):
            await ListenChannel("127.0.0.1", scene.channel.port, 0.01).open()

    run(use)
