"""Real pseudo-terminals: raw octets, a link that stays, and one master after the other."""

import asyncio
import contextlib
import os
from pathlib import Path

import pytest
import serial
from sim_support import TtyMaster, master_of, read_pdu, rtu, served, service_of

from firmware_sim.lines.port import PortError

REQUEST = rtu(1, read_pdu(0x12, 2))
REPLY = rtu(1, bytes((4, 4)) + (660_000).to_bytes(4, "big"))


def test_octets_pass_as_they_are() -> None:
    async def run() -> bytes:
        # Unit 3 and function 17 are control characters (interrupt, start), 0D and 0A line ends.
        async with master_of(service_of(served("a", unit=3), transport="pty")) as master:
            master.send(rtu(3, bytes((17,))) + rtu(3, read_pdu(0x0A0D, 1)))
            head = await master.receive(3)
            rest = await master.receive(head[2] + 2)
            exception = await master.receive(5)
            return bytes(head + rest + exception)

    octets = asyncio.run(run())
    assert octets[:2] == bytes((3, 17))
    assert octets.endswith(rtu(3, bytes((0x84, 2))))


def test_the_link_leads_to_the_terminal_and_goes_with_it(tmp_path: Path) -> None:
    link = tmp_path / "line"
    link.symlink_to("left-behind-by-an-earlier-run")

    async def run() -> tuple[str, bytes]:
        service = service_of(served("a"), transport="pty", path=link)
        async with master_of(service) as master:
            master.send(REQUEST)
            return str(service.addresses()[0]["path"]), await master.receive(len(REPLY))

    assert asyncio.run(run()) == (str(link), REPLY)
    assert not link.is_symlink()


def test_a_link_that_leads_to_a_later_run_stays(tmp_path: Path) -> None:
    link = tmp_path / "line"

    async def run() -> None:
        first, second = (service_of(served("a"), transport="pty", path=link) for _ in range(2))
        await first.start()
        await second.start()
        await first.stop()
        assert link.is_symlink()
        await second.stop()
        assert not link.is_symlink()

    asyncio.run(run())


def test_somebody_elses_file_is_not_replaced(tmp_path: Path) -> None:
    link = tmp_path / "line"
    link.write_text("precious")

    async def run() -> None:
        service = service_of(served("a"), transport="pty", path=link)
        with pytest.raises(PortError, match=f"can't make the link {link} to a pty: File exists"):
            await service.start()
        await service.stop()

    asyncio.run(run())
    assert link.read_text() == "precious"


def test_one_master_follows_another() -> None:
    async def run() -> list[bytes]:
        service = service_of(served("a"), transport="pty")
        replies = []
        async with master_of(service) as master:
            master.send(REQUEST)
            replies.append(await master.receive(len(REPLY)))
            for _ in range(2):
                other = TtyMaster(service.addresses()[0]["path"])
                other.send(REQUEST)
                replies.append(await other.receive(len(REPLY)))
                other.close()
        return replies

    assert asyncio.run(run()) == [REPLY] * 3


def test_pyserial_opens_it_like_any_serial_port() -> None:
    async def run() -> bytes:
        service = service_of(served("a"), transport="pty")
        await service.start()
        path = service.addresses()[0]["path"]

        def ask() -> bytes:
            with serial.Serial(path, 9600, parity=serial.PARITY_EVEN, timeout=20) as port:
                port.write(REQUEST)
                return bytes(port.read(len(REPLY)))

        try:
            return await asyncio.to_thread(ask)
        finally:
            await service.stop()

    assert asyncio.run(run()) == REPLY


def test_replies_that_nobody_reads_are_lost_and_the_line_lives_on() -> None:
    async def run() -> bytes:
        service = service_of(served("a"), transport="pty")
        await service.start()
        path = service.addresses()[0]["path"]
        try:
            deaf = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            for _ in range(3000):
                # A terminal that takes no more for the moment must not stop the loop that is to empty it.
                with contextlib.suppress(BlockingIOError):
                    os.write(deaf, REQUEST)
                await asyncio.sleep(0)
            os.close(deaf)
            master = TtyMaster(path)
            # What the terminal itself still holds comes first; behind it, the present reply.
            master.send(rtu(1, bytes((17,))))
            heard = b""
            while bytes((1, 17)) not in heard:
                heard += await master.receive(1)
            master.close()
            return heard
        finally:
            await service.stop()

    heard = asyncio.run(run())
    assert len(heard) < 3000 * len(REPLY)
