"""A serial device, for which one end of a pseudo-terminal stands: no wire is needed to see octets pass."""

import asyncio
import os
import termios
import tty

import pytest
from sim_support import START, TtyMaster, read_pdu, rtu, served, service_of

from clock import ManualClock
from firmware_sim.lines.port import PortError
from firmware_sim.lines.serial_port import SerialSettings

REQUEST = rtu(1, read_pdu(0x12, 2))
REPLY = rtu(1, bytes((4, 4)) + (660_000).to_bytes(4, "big"))


def test_meters_answer_on_a_serial_device() -> None:
    async def run() -> tuple[bytes, int]:
        ours, theirs = os.openpty()
        tty.setraw(ours)
        device = os.ttyname(theirs)
        service = service_of(
            served("a"), clock=ManualClock(START), transport="serial", device=device, baud=19_200, parity="none"
        )
        await service.start()
        try:
            assert service.addresses()[0]["path"] == device
            speed = termios.tcgetattr(theirs)[4]
            master = TtyMaster.__new__(TtyMaster)
            master.attach(os.dup(ours))
            master.send(REQUEST)
            reply = await master.receive(len(REPLY))
            master.close()
            return reply, speed
        finally:
            await service.stop()
            os.close(ours)
            os.close(theirs)

    assert asyncio.run(run()) == (REPLY, termios.B19200)


def test_a_device_that_is_pulled_out_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        ours, theirs = os.openpty()
        service = service_of(served("a"), transport="serial", device=os.ttyname(theirs))
        await service.start()
        os.close(theirs)
        os.close(ours)
        async with asyncio.timeout(20):
            while "is gone" not in caplog.text:  # noqa: ASYNC110 - the log tells nobody
                await asyncio.sleep(0.001)
        await service.stop()

    asyncio.run(run())


def test_a_device_that_is_not_there_is_named() -> None:
    async def run() -> None:
        service = service_of(served("a"), transport="serial", device="/dev/no-such-device")
        with pytest.raises(PortError, match=r"can't open the serial device /dev/no-such-device: .*No such file"):
            await service.start()
        await service.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("settings", "bits"),
    [(SerialSettings(), 11), (SerialSettings(parity="none"), 10), (SerialSettings(parity="none", stop_bits=2), 11)],
)
def test_an_octet_takes_its_bits(settings: SerialSettings, bits: int) -> None:
    assert settings.octet_ms == pytest.approx(bits * 1000 / 9600)
