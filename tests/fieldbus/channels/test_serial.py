"""The serial channel on pseudo-terminals."""

import asyncio
import os
import termios
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from line_support import FarEnd, over_pty, until

from fieldbus.channels.serial import SerialChannel
from fieldbus.exchange import LineDownError


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[int, str]]:
    """Yield the controlling side and the device of a new pseudo-terminal in its default state, line editing and all."""
    master, slave = os.openpty()
    os.set_blocking(master, False)
    try:
        yield master, os.ttyname(slave)
    finally:
        os.close(slave)
        os.close(master)


async def written(master: int, length: int) -> bytes:
    """Wait for so many octets on the controlling side."""
    found = b""
    async with asyncio.timeout(20):
        while len(found) < length:
            try:
                found += os.read(master, 65536)
            except BlockingIOError:
                await asyncio.sleep(0.001)
    return found


@pytest.mark.parametrize("parity", ["even", "odd", "none"])
def test_every_octet_goes_through_both_ways(parity: str) -> None:
    """None of them means anything to the terminal: no line editing, no flow control by XON and XOFF, no echo."""

    async def scenario() -> None:
        heard = bytearray()
        async with pair() as (master, device):
            channel = SerialChannel(device, parity=parity)  # type: ignore[arg-type]
            channel.attach(heard.extend, pytest.fail)
            for _ in range(2):  # it can be opened again
                await channel.open()
                await channel.open()
                channel.write(bytes(range(256)))
                assert await written(master, 256) == bytes(range(256))
                os.write(master, bytes(range(256)))
                await until(lambda: len(heard) >= 256)
                assert bytes(heard) == bytes(range(256))
                heard.clear()
                channel.close()
                assert not channel.connected

    asyncio.run(scenario())


def test_a_port_is_held_exclusively() -> None:
    """Two programs on one RS-485 line read each other's replies."""

    async def scenario() -> None:
        async with pair() as (_, device):
            first, second = SerialChannel(device), SerialChannel(device)
            await first.open()
            with pytest.raises(LineDownError, match=f"{device} can't be opened: another program uses it"):
                await second.open()
            first.close()
            await second.open()
            second.close()

    asyncio.run(scenario())


def test_a_port_that_is_not_there_is_named(tmp_path: Path) -> None:
    """And writing to it fails."""

    async def scenario() -> None:
        channel = SerialChannel(str(tmp_path / "ttyUSB9"))
        with pytest.raises(LineDownError, match="ttyUSB9 can't be opened"):
            await channel.open()
        with pytest.raises(LineDownError, match="is not open"):
            channel.write(b"x")

    asyncio.run(scenario())


def test_a_port_that_is_none_is_named(tmp_path: Path) -> None:
    """A file, say."""
    path = tmp_path / "file"
    path.write_bytes(b"")

    async def scenario() -> None:
        with pytest.raises(LineDownError, match="file can't be opened"):
            await SerialChannel(str(path)).open()

    asyncio.run(scenario())


def test_what_came_while_the_port_was_closed_is_dropped() -> None:
    """It answers nothing that was asked since."""

    async def scenario() -> None:
        heard = bytearray()
        master, slave = os.openpty()
        tty.setraw(slave)
        os.write(master, b"old")
        channel = SerialChannel(os.ttyname(slave))
        channel.attach(heard.extend, pytest.fail)
        await channel.open()
        os.write(master, b"new")
        await until(lambda: len(heard) >= 3)
        assert bytes(heard) == b"new"
        channel.close()
        os.close(slave)
        os.close(master)

    asyncio.run(scenario())


def test_an_adapter_that_is_pulled_out_is_told() -> None:
    """Once, and with a reason."""

    async def scenario() -> None:
        lost: list[str] = []
        master, slave = os.openpty()
        device = os.ttyname(slave)
        channel = SerialChannel(device)
        channel.attach(lambda _: None, lost.append)
        await channel.open()
        os.close(slave)
        os.close(master)
        await until(lambda: bool(lost))
        assert not channel.connected
        assert lost[0].startswith(f"{device} failed: ")
        assert len(lost) == 1
        channel.close()

    asyncio.run(scenario())


def test_writing_to_an_adapter_that_is_pulled_out_is_told_later() -> None:
    """Not from inside the call."""

    async def scenario() -> None:
        lost: list[str] = []
        master, slave = os.openpty()
        channel = SerialChannel(os.ttyname(slave))
        channel.attach(lambda _: None, lost.append)
        await channel.open()
        os.close(slave)
        os.close(master)
        channel.write(b"x")
        assert lost == []
        await until(lambda: bool(lost))
        assert not channel.connected

    asyncio.run(scenario())


def test_more_than_the_port_takes_at_once_is_sent_in_order() -> None:
    """And what it does not take at all is refused, not kept for ever."""

    async def scenario() -> None:
        async with pair() as (master, device):
            channel = SerialChannel(device)
            await channel.open()
            data = bytes(i % 251 for i in range(30_000))
            channel.write(data)
            assert await written(master, len(data)) == data
            for _ in range(6):
                channel.write(bytes(10_000))
            with pytest.raises(LineDownError, match="takes no octets"):
                channel.write(bytes(65_000))
            channel.close()

    asyncio.run(scenario())


def test_the_baud_rate_changes_behind_what_was_written() -> None:
    """As after DL/T 645's function 17H."""

    async def scenario() -> None:
        far = FarEnd(lambda _: [])
        async with over_pty(far, baud=2400) as channel:
            await channel.change_baud(4800)  # closed: it counts from the next opening
            await channel.open()
            assert channel.baud == 4800
            channel.write(b"switch")
            await channel.change_baud(9600)
            await until(lambda: far.requests)
            assert b"".join(far.requests) == b"switch"
            assert channel.baud == 9600
            slave = os.open(channel.name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            assert termios.tcgetattr(slave)[4:6] == [termios.B9600, termios.B9600]
            os.close(slave)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("settings", "bits"), [({}, 11), ({"parity": "none"}, 10), ({"parity": "none", "stop_bits": 2}, 11)]
)
def test_a_character_has_more_bits_than_its_data(settings: dict[str, object], bits: int) -> None:
    """Start, data, parity, stop."""
    assert SerialChannel("/dev/null", **settings).bits_per_character == bits  # type: ignore[arg-type]
