"""The bad link: what it does to whole MQTT packets, between a real client socket and a real server socket."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from chaos.relay import Relay, Trouble

CONNECT = b"\x10\x04abcd"
PUBLISH = b"\x32\x09\x00\x03a/b\x00\x07hi"  # QoS 1, packet 7
SECOND = b"\x32\x09\x00\x03a/b\x00\x08ho"
PUBACK = b"\x40\x02\x00\x07"

Session = Callable[[Relay, asyncio.StreamReader, asyncio.StreamWriter, bytearray], Awaitable[None]]


def run(session: Session, *, seed: int = 1) -> bytes:
    """Play a client against a relay before a server that only listens; return what the server got."""
    got = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):
                got.extend(data)
        except OSError:
            pass
        writer.close()

    async def play() -> None:
        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        relay = Relay(server.sockets[0].getsockname()[1], random.Random(seed))
        await relay.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        try:
            async with asyncio.timeout(10):
                await session(relay, reader, writer, got)
        finally:
            writer.transport.abort()
            await relay.stop()
            server.close()
            await server.wait_closed()

    asyncio.run(play())
    return bytes(got)


async def come_about(ready: Callable[[], bool]) -> None:
    """Wait until something has come about in another task."""
    while not ready():  # noqa: ASYNC110 - the relay has no event for each of its counters
        await asyncio.sleep(0.001)


async def until(got: bytearray, count: int) -> None:
    """Wait until the server has so many octets."""
    await come_about(lambda: len(got) >= count)


def test_a_good_link_changes_nothing() -> None:
    async def session(_relay: Relay, _reader: object, writer: asyncio.StreamWriter, got: bytearray) -> None:
        long = b"\x32\xc8\x01" + bytes(200)
        writer.write(CONNECT + PUBLISH + long)
        await until(got, len(CONNECT + PUBLISH + long))
        assert got == CONNECT + PUBLISH + long

    run(session)


def test_a_dropped_message_is_acknowledged_all_the_same() -> None:
    async def session(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, got: bytearray) -> None:
        relay.trouble = Trouble(drop=1.0)
        writer.write(CONNECT + PUBLISH)
        assert await reader.readexactly(4) == PUBACK
        assert got == CONNECT
        assert relay.counts.dropped == 1

    run(session)


def test_what_is_withheld_is_acknowledged_and_everything_else_passes() -> None:
    async def session(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, got: bytearray) -> None:
        relay.withheld = "/b"
        other = PUBLISH.replace(b"a/b", b"a/c")
        writer.write(CONNECT + PUBLISH + other)
        assert await reader.readexactly(4) == PUBACK
        await until(got, len(CONNECT + other))
        assert got == CONNECT + other
        relay.heal()
        writer.write(SECOND)
        await until(got, len(CONNECT + other + SECOND))
        assert got == CONNECT + other + SECOND

    run(session)


def test_a_duplicate_says_that_it_is_one() -> None:
    async def session(relay: Relay, _reader: object, writer: asyncio.StreamWriter, got: bytearray) -> None:
        relay.trouble = Trouble(duplicate=1.0)
        writer.write(PUBLISH)
        await until(got, 2 * len(PUBLISH))
        assert got == PUBLISH + b"\x3a" + PUBLISH[1:]

    run(session)


def test_a_message_is_overtaken_by_the_next_packet() -> None:
    async def session(relay: Relay, _reader: object, writer: asyncio.StreamWriter, got: bytearray) -> None:
        relay.trouble = Trouble(reorder=1.0)
        writer.write(PUBLISH)
        await come_about(lambda: relay.counts.reordered > 0)
        relay.trouble = Trouble()
        writer.write(SECOND)
        await until(got, len(PUBLISH + SECOND))
        assert got == SECOND + PUBLISH

    run(session)


def test_a_connection_ends_in_the_middle_of_a_packet() -> None:
    async def session(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, got: bytearray) -> None:
        writer.write(CONNECT)
        await until(got, len(CONNECT))
        relay.trouble = Trouble(cut=1.0)
        writer.write(PUBLISH)
        await ended(reader)

    assert run(session).startswith(CONNECT)


async def ended(reader: asyncio.StreamReader) -> None:
    """Wait until the relay has ended the connection."""
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""


def test_what_is_held_back_is_known_and_never_arrives() -> None:
    async def session(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, got: bytearray) -> None:
        writer.write(CONNECT)
        await until(got, len(CONNECT))
        relay.hold()
        writer.write(PUBLISH)
        await come_about(lambda: bool(relay.held))
        assert relay.held == ["a/b"]
        relay.heal()
        await ended(reader)

    assert run(session) == CONNECT


def test_a_cut_link_refuses_until_it_is_healed() -> None:
    async def session(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, got: bytearray) -> None:
        writer.write(CONNECT)
        await until(got, len(CONNECT))
        relay.cut()
        await ended(reader)
        again, other = await asyncio.open_connection("127.0.0.1", relay.port)
        await ended(again)
        other.transport.abort()
        relay.heal()
        _, third = await asyncio.open_connection("127.0.0.1", relay.port)
        third.write(SECOND)
        await until(got, len(CONNECT + SECOND))
        third.transport.abort()

    assert run(session) == CONNECT + SECOND


def test_a_silent_link_swallows_both_ways() -> None:
    async def session(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, got: bytearray) -> None:
        writer.write(CONNECT)
        await until(got, len(CONNECT))
        relay.silent = True
        writer.write(PUBLISH)
        await writer.drain()
        await asyncio.sleep(0)
        relay.heal()
        await ended(reader)

    assert run(session) == CONNECT
