"""The driver against a responder that misbehaves: a value is only ever that of its own request."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agent.exchange import BadReplyError, LineDownError, LineError, NoReplyError
from agent.modbus import MeterExceptionError, ModbusTcp
from profiles.modbus.model import RegisterCommand
from profiles.modbus.plan import ReadBlock

TIMEOUT_S = 0.15


def words(data: bytes) -> list[int]:
    """Return the registers in a payload."""
    return list(struct.unpack(f">{len(data) // 2}H", data))


def with_driver(responder: Any, use: Callable[[ModbusTcp], Awaitable[None]], timeout_s: float = TIMEOUT_S) -> ModbusTcp:
    """Run something with a connected driver, and return it for its counters."""

    async def scenario() -> ModbusTcp:
        async with responder.listening():
            driver = ModbusTcp("127.0.0.1", responder.port, timeout_s)
            await driver.connect()
            try:
                await use(driver)
            finally:
                driver.close()
                await asyncio.sleep(0)
            return driver

    return asyncio.run(scenario())


@pytest.mark.parametrize("function", [3, 4])
def test_reads_registers(responder: Any, function: int) -> None:
    """The responder's registers hold their addresses."""

    async def use(driver: ModbusTcp) -> None:
        assert words(await driver.read(7, ReadBlock(function, 1000, 125, ()))) == list(range(1000, 1125))

    assert with_driver(responder, use).counters.ok == 1
    assert (responder.requests[0].unit, responder.requests[0].function) == (7, function)


@pytest.mark.parametrize(("function", "values"), [(16, (1, 2, 65535)), (6, (42,))])
def test_writes_registers(responder: Any, function: int, values: tuple[int, ...]) -> None:
    """One register or several."""

    async def use(driver: ModbusTcp) -> None:
        await driver.write(1, RegisterCommand("factor", function, 0x4000, values))

    with_driver(responder, use)
    (written,) = responder.written
    assert (written.address, written.words) == (0x4000, values)


@pytest.mark.parametrize("stall_s", [0.2, 0.35, 0.5])
def test_a_late_reply_is_never_taken_for_another_request(responder: Any, stall_s: float) -> None:
    """After a stall longer than the time-out, every value is the one asked for, or there is none."""
    stalled = False

    async def fault(_: Any, reply: bytes) -> bytes:
        nonlocal stalled
        if not stalled:
            stalled = True
            await asyncio.sleep(stall_s)
        return reply

    responder.fault = fault
    outcomes: list[str] = []

    async def use(driver: ModbusTcp) -> None:
        for address in (100, 200, 300, 400, 500, 600):
            if not driver.connected:
                await driver.connect()
            try:
                assert words(await driver.read(1, ReadBlock(3, address, 2, ()))) == [address, address + 1]
                outcomes.append("ok")
            except NoReplyError:
                outcomes.append("none")

    driver = with_driver(responder, use)
    assert outcomes == ["none", "ok", "ok", "ok", "ok", "ok"]
    assert driver.counters.connects == 2


SPOILT: dict[str, Callable[[Any, Any, bytes], bytes]] = {
    "another function": lambda responder, request, _: responder.reply(request, function=4),
    "too few registers": lambda responder, request, _: responder.reply(request, count=1),
    "too many registers": lambda responder, request, _: responder.reply(request, count=3),
    "byte count that lies": lambda _r, _q, reply: reply[:8] + b"\x06" + reply[9:],
    "unknown function": lambda _r, _q, reply: reply[:7] + b"\x63" + reply[8:],
    "another protocol": lambda _r, _q, reply: reply[:2] + b"\x12\x34" + reply[4:],
    "length beyond a frame": lambda _r, _q, reply: reply[:4] + b"\xff\xff" + reply[6:],
    "noise": lambda _r, _q, _reply: bytes(range(0x40, 0x70)),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_reply_that_does_not_fit_is_refused_at_once(responder: Any, kind: str) -> None:
    """The connection is given up: nothing after such a frame can be trusted."""

    async def fault(request: Any, reply: bytes) -> bytes:
        return SPOILT[kind](responder, request, reply)

    responder.fault = fault

    async def use(driver: ModbusTcp) -> None:
        with pytest.raises(BadReplyError):
            await driver.read(1, ReadBlock(3, 100, 2, ()))
        assert not driver.connected

    assert with_driver(responder, use, 30).counters.corrupt == 1


@pytest.mark.parametrize("changes", [{"transaction": 999}, {"unit": 9}, {"transaction": 0}])
def test_foreign_replies_are_skipped_and_counted(responder: Any, changes: dict[str, int]) -> None:
    """Another transaction or unit; the right reply behind it still counts."""

    async def fault(request: Any, reply: bytes) -> bytes:
        return responder.reply(request, **changes) + reply

    responder.fault = fault

    async def use(driver: ModbusTcp) -> None:
        try:
            assert words(await driver.read(1, ReadBlock(3, 100, 2, ()))) == [100, 101]
        except BadReplyError:
            # pymodbus takes transaction 0 for any transaction; then there must be no value at all.
            assert changes == {"transaction": 0}

    assert with_driver(responder, use, 30).counters.foreign >= 1


def test_only_a_foreign_reply_is_no_reply(responder: Any) -> None:
    """It ends in the time-out."""

    async def fault(request: Any, _: bytes) -> bytes:
        return responder.reply(request, unit=9)

    responder.fault = fault

    async def use(driver: ModbusTcp) -> None:
        with pytest.raises(NoReplyError):
            await driver.read(1, ReadBlock(3, 100, 2, ()))

    counters = with_driver(responder, use).counters
    assert (counters.foreign, counters.timeout) == (1, 1)


def test_truncated_frame_is_named(responder: Any) -> None:
    """A frame that stops in the middle."""

    async def fault(_: Any, reply: bytes) -> bytes:
        return reply[:-3]

    responder.fault = fault

    async def use(driver: ModbusTcp) -> None:
        with pytest.raises(NoReplyError, match="only 10 octets of a frame"):
            await driver.read(1, ReadBlock(3, 100, 2, ()))

    with_driver(responder, use)


def test_a_frame_in_pieces_is_put_together(responder: Any) -> None:
    """TCP keeps no frame boundaries."""

    async def fault(_: Any, reply: bytes) -> None:
        (writer,) = responder.writers
        for octet in reply:
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0)

    responder.fault = fault

    async def use(driver: ModbusTcp) -> None:
        assert words(await driver.read(1, ReadBlock(3, 100, 2, ()))) == [100, 101]

    with_driver(responder, use, 30)


def test_exception_reply_is_named_and_keeps_the_connection(responder: Any) -> None:
    """Code 2 is the meter's word; 11 is a gateway's about a meter that is silent."""

    async def fault(request: Any, _: bytes) -> bytes:
        return responder.exception(request, request.address)

    responder.fault = fault

    async def use(driver: ModbusTcp) -> None:
        with pytest.raises(MeterExceptionError, match=r"exception 2 \(illegal data address\)") as refused:
            await driver.read(1, ReadBlock(3, 2, 2, ()))
        assert not refused.value.silent
        with pytest.raises(MeterExceptionError, match="gateway target device failed to respond") as absent:
            await driver.read(1, ReadBlock(3, 11, 2, ()))
        assert absent.value.silent
        with pytest.raises(MeterExceptionError, match="unknown code"):
            await driver.read(1, ReadBlock(3, 99, 2, ()))
        assert driver.connected

    assert with_driver(responder, use).counters.exception == 3


def test_unreachable_meter_is_named() -> None:
    """Nobody listens there."""

    async def use() -> None:
        driver = ModbusTcp("127.0.0.1", 1, 1.0)
        with pytest.raises(LineDownError, match=r"127\.0\.0\.1:1"):
            await driver.connect()
        with pytest.raises(LineDownError):
            await driver.read(1, ReadBlock(3, 0, 1, ()))
        assert driver.counters.unreachable == 1

    asyncio.run(use())


def test_a_closed_connection_ends_the_request_at_once(responder: Any) -> None:
    """Not only after the time-out."""

    async def fault(_: Any, __: bytes) -> None:
        for writer in list(responder.writers):
            writer.close()

    responder.fault = fault

    async def use(driver: ModbusTcp) -> None:
        async with asyncio.timeout(10):
            with pytest.raises(LineDownError, match="closed the connection"):
                await driver.read(1, ReadBlock(3, 0, 1, ()))

    with_driver(responder, use, 60)


def test_a_cancelled_request_leaves_no_reply_behind(responder: Any) -> None:
    """What it asked for may still arrive, so its connection is given up."""
    asked = asyncio.Event()

    async def fault(_: Any, __: bytes) -> None:
        asked.set()

    responder.fault = fault

    async def use(driver: ModbusTcp) -> None:
        task = asyncio.create_task(driver.read(1, ReadBlock(3, 0, 1, ())))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not driver.connected

    with_driver(responder, use, 60)


def test_every_error_is_a_line_error() -> None:
    """A caller needs to catch one class."""
    for error in (LineDownError, NoReplyError, BadReplyError, MeterExceptionError):
        assert issubclass(error, LineError)
