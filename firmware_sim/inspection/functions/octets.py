"""Octets that are no request, or none to this device: frames of every protocol here, and the bench's own, spoilt."""

from collections.abc import Awaitable, Callable
from typing import Final

from diantan_core import Dlt645Frame, Dlt698Frame
from fieldbus.exchange import Traced
from firmware_sim.inspection.bench import Bench, DutError
from firmware_sim.inspection.parts.dut import LineDut
from protocols.modbus.crc import crc16

GARBAGE: Final = (
    bytes(range(256)),
    b"\x00" * 40,
    b"\xff" * 7 + b"\x68" * 9,  # starts of DL/T frames without what follows
    b"GET / HTTP/1.1\r\nHost: meter\r\n\r\n",
)
_OTHER_UNIT: Final = 246
_OTHER_ADDRESS: Final = "890123456789"
_MBAP: Final = 6
_FIRST: Final = 0x68
_BEFORE_END: Final = 2  # the last octet of the check stands before 16H
_VALUE: Final = -5  # in a write, of each protocol here: before check, DL/T 698.45's time tag and the closing octet


def _rtu(body: bytes) -> bytes:
    return body + crc16(body).to_bytes(2, "little")


def foreign() -> dict[str, bytes]:
    """Return whole frames, each right in itself, for other devices and of several protocols."""
    ask = bytes((_OTHER_UNIT, 3, 0, 0, 0, 2))
    energy = Dlt645Frame(_OTHER_ADDRESS, 0x11, bytes.fromhex("00000100"))
    link = Dlt698Frame(0x43, _OTHER_ADDRESS, 0, bytes.fromhex("05010000100200" + "00"))
    return {
        "Modbus RTU to another unit": _rtu(ask),
        "Modbus TCP to another unit": bytes((0, 7, 0, 0, 0, len(ask))) + ask,
        "DL/T 645 to another address": energy.encode(),
        "DL/T 698.45 to another address": link.encode(),
    }


async def spoken(bench: Bench, ask: Callable[[], Awaitable[object]]) -> list[tuple[str, bytes]]:
    """Return the (protocol, octets) of the requests that something on the bench sends; [] where that can't be heard."""
    if not isinstance(bench.dut, LineDut):
        return []
    sent: list[tuple[str, bytes]] = []
    bus = bench.dut.bus
    before = bus.tap

    def hear(traced: Traced) -> None:
        if traced.sent and traced.verdict == "request":
            sent.append((traced.protocol, traced.octets))
        if before is not None:
            before(traced)

    bus.tap = hear
    try:
        await ask()
    except DutError:
        return []
    finally:
        bus.tap = before
    return sent


def has_check(protocol: str, octets: bytes) -> bool:
    """Return whether a request carries a check: all do but Modbus TCP's."""
    return protocol != "modbus" or crc16(octets) == 0


def wrong_bit(octets: bytes) -> bytes:
    """Return a request with one bit wrong in what its check covers, and the check as it was."""
    return _flipped(octets, len(octets) // 2)


def wrong_check(protocol: str, octets: bytes) -> bytes:
    """Return a request in which all is right but the check: who does not compare it obeys."""
    return _flipped(octets, len(octets) - (1 if protocol == "modbus" else _BEFORE_END))


def _flipped(octets: bytes, place: int) -> bytes:
    return octets[:place] + bytes((octets[place] ^ 0x01,)) + octets[place + 1 :]


def readdressed(protocol: str, octets: bytes) -> bytes | None:
    """Return a request as it would be to another device, its checks right; None where that can't be made."""
    if protocol == "modbus":
        if not has_check(protocol, octets):
            return octets[:_MBAP] + bytes((_OTHER_UNIT,)) + octets[_MBAP + 1 :]
        return _rtu(bytes((_OTHER_UNIT,)) + octets[1:-2])
    bare = octets[octets.index(_FIRST) :]
    if protocol == "dlt645":
        body = bytearray(bare[:-2])
        body[1:7] = bytes.fromhex(_OTHER_ADDRESS)[::-1]
        return octets[: len(octets) - len(bare)] + bytes(body) + bytes((sum(body) % 256, bare[-1]))
    frame = Dlt698Frame.decode(octets)
    return Dlt698Frame(frame.control, _OTHER_ADDRESS, frame.client, frame.user_data).encode()


def cut_short(octets: bytes) -> list[bytes]:
    """Return beginnings of a request: all but the last octet, half, and the first two."""
    return [octets[:-1], octets[: len(octets) // 2], octets[:2]]
