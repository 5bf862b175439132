"""The channel to a TCP server, over real sockets."""

import asyncio
import socket
from contextlib import closing

import pytest
from line_support import FarEnd, over_tcp, until

from fieldbus.channels.tcp import TcpChannel
from fieldbus.exchange import LineDownError


async def collected(into: bytearray, length: int) -> bytes:
    """Wait until so many octets are there."""
    await until(lambda: len(into) >= length)
    return bytes(into)


def test_octets_go_both_ways() -> None:
    """Whatever they are."""

    async def scenario() -> None:
        far = FarEnd(lambda data: [data[::-1]])
        heard = bytearray()
        async with over_tcp(far) as channel:
            channel.attach(heard.extend, pytest.fail)
            assert not channel.connected
            await channel.open()
            await channel.open()  # is open already
            assert channel.connected
            channel.write(bytes(range(256)))
            assert await collected(heard, 256) == bytes(range(256))[::-1]

    asyncio.run(scenario())


def test_what_does_not_connect_is_named() -> None:
    """Nobody listens; or the address is none."""

    async def scenario() -> None:
        with closing(socket.socket()) as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            channel = TcpChannel("127.0.0.1", port, 5)
            with pytest.raises(LineDownError, match=rf"no connection to 127\.0\.0\.1:{port}: "):
                await channel.open()
            assert not channel.connected
            with pytest.raises(LineDownError):
                channel.write(b"x")
        with pytest.raises(LineDownError, match="no connection to"):
            await TcpChannel("no.such.host.invalid", 502, 20).open()

    asyncio.run(scenario())


def test_a_connection_that_takes_too_long_is_given_up() -> None:
    """A listener whose queue is full answers nothing."""

    async def scenario() -> None:
        with closing(socket.socket()) as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            waiting = [socket.socket() for _ in range(4)]
            try:
                for connection in waiting:
                    connection.setblocking(False)
                    connection.connect_ex(full.getsockname())
                channel = TcpChannel("127.0.0.1", full.getsockname()[1], 0.05)
                with pytest.raises(LineDownError, match=r"within 0\.05 s"):
                    await channel.open()
            finally:
                for connection in waiting:
                    connection.close()

    asyncio.run(scenario())


def test_the_end_of_the_connection_is_told_once_and_a_new_one_can_be_had() -> None:
    """Only the other side's end is told: closing is no news to who does it."""

    async def scenario() -> None:
        lost: asyncio.Queue[str] = asyncio.Queue()
        writers: list[asyncio.StreamWriter] = []

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        channel = TcpChannel("127.0.0.1", server.sockets[0].getsockname()[1], 5)
        channel.attach(lambda _: None, lost.put_nowait)
        await channel.open()
        await until(lambda: writers)
        writers[0].close()
        async with asyncio.timeout(20):
            assert "closed the connection" in await lost.get()
        assert not channel.connected
        await channel.open()
        channel.hang_up()
        assert not channel.connected
        await until(lambda: len(writers) == 2)
        writers[1].close()
        for _ in range(5):
            await asyncio.sleep(0)
        assert lost.empty()
        server.close()
        await server.wait_closed()

    asyncio.run(scenario())


def test_an_old_connection_says_nothing_any_more() -> None:
    """What it still brings is not the new one's."""

    async def scenario() -> None:
        heard = bytearray()
        writers: list[asyncio.StreamWriter] = []

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        channel = TcpChannel("127.0.0.1", server.sockets[0].getsockname()[1], 5)
        channel.attach(heard.extend, pytest.fail)
        await channel.open()
        await until(lambda: writers)
        channel.hang_up()
        await channel.open()
        await until(lambda: len(writers) == 2)
        writers[0].write(b"old")
        writers[1].write(b"new")
        assert await collected(heard, 3) == b"new"
        channel.close()
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()

    asyncio.run(scenario())
