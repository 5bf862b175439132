"""The Modbus driver before meters that answer, refuse, and misbehave."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from line_support import FarEnd, MemoryChannel, run_virtual
from modbus_support import Meters, crc, places, read_out

import profiles
from clock import ManualClock
from fieldbus.bus import LineBus
from fieldbus.drivers.base import Found
from fieldbus.drivers.modbus import ModbusDriver
from fieldbus.exchange import BadReplyError, LineDownError, LineError, NoReplyError, RefusedError, UnsupportedError
from fieldbus.line_timing import LineTiming
from profiles.modbus.model import RegisterCommand
from profiles.modbus.plan import ReadBlock

KINDS = pytest.mark.parametrize("kind", ["rtu", "tcp"])


class Line:
    """A driver on meters in memory."""

    def __init__(self, kind: Any, **meters: Any) -> None:
        self.meters = Meters(mbap=kind == "tcp", **meters)
        self.far = FarEnd(self.meters.answer)
        self.channel = MemoryChannel(self.far)
        self.bus = LineBus(self.channel, LineTiming(timeout_s=0.3, gap_s=0.05), ManualClock())
        self.driver = ModbusDriver(self.bus, framing=kind)

    async def read(self, address: int, count: int, unit: int = 1, function: int = 3) -> list[tuple[object, int]]:
        """Return place and counter of each pair of registers."""
        return read_out(await self.driver.read_registers(unit, function, address, count))


def on(line: Line, use: Callable[[], Awaitable[None]]) -> Line:
    """Run something on a connected line, in virtual time."""

    async def scenario() -> None:
        await line.bus.connect()
        await use()

    run_virtual(scenario())
    return line


def pieces(octets: bytes) -> list[tuple[float, bytes]]:
    """Return an undisturbed delivery."""
    return [(0.0, octets)]


@KINDS
@pytest.mark.parametrize("function", [3, 4])
def test_reads_blocks_of_a_plan(kind: str, function: int) -> None:
    """The longest one, too."""
    line = Line(kind)

    async def use() -> None:
        octets = await line.driver.read(1, ReadBlock(function, 1000, 124, ()))
        assert [where for where, _ in read_out(octets)] == places(function, 1000, 124)
        assert len(await line.driver.read(1, ReadBlock(function, 0, 125, ()))) == 250

    assert on(line, use).bus.counters.ok == 2


@KINDS
@pytest.mark.parametrize(("function", "words"), [(16, (1, 2, 65535)), (6, (42,))])
def test_writes_registers(kind: str, function: int, words: tuple[int, ...]) -> None:
    """The meter sees function, address and words; its answer repeats what it must."""
    line = Line(kind)

    async def use() -> None:
        await line.driver.write(1, RegisterCommand("factor", function, 0x4000, words))

    on(line, use)
    (written,) = [pdu for _, pdu in line.meters.seen if pdu[0] == function]
    assert written[1:3] == b"\x40\x00"
    assert written.endswith(b"".join(word.to_bytes(2, "big") for word in words))


@KINDS
@pytest.mark.parametrize("function", [6, 16])
def test_a_write_that_is_confirmed_otherwise_is_not_confirmed(kind: str, function: int) -> None:
    """Another value or number of registers."""
    line = Line(kind)
    line.far.answer = lambda data: [
        line.meters.frame(1, bytes((function,)) + b"\x40\x00\x00\x63", data[:4]) if function in data[1:8] else reply
        for reply in line.meters.answer(data)
    ]

    async def use() -> None:
        with pytest.raises(BadReplyError):
            await line.driver.write(1, RegisterCommand("factor", function, 0x4000, (42,)))

    on(line, use)


@KINDS
def test_an_exception_is_the_meters_word(kind: str) -> None:
    """Code 2 is the meter's own; 11 is a gateway's about a meter that is silent."""
    line = Line(kind, exceptions={(3, 2): 2, (3, 11): 11, (3, 99): 99})

    async def use() -> None:
        with pytest.raises(
            RefusedError, match=r"unit 1, registers 2\.\.3 .*exception 2 \(illegal data address\)"
        ) as no:
            await line.read(2, 2)
        assert (no.value.code, no.value.silent) == (2, False)
        with pytest.raises(RefusedError, match="gateway target device failed to respond") as absent:
            await line.read(11, 2)
        assert absent.value.silent
        with pytest.raises(RefusedError, match="unknown code"):
            await line.read(99, 2)
        assert line.bus.connected

    assert on(line, use).bus.counters.exception == 3


def test_a_silent_meter_is_named() -> None:
    """With what it was asked."""
    line = Line("rtu", silent={1})

    async def use() -> None:
        with pytest.raises(NoReplyError, match=r"unit 1, registers 5 by function 4: no reply within 0\.3 s"):
            await line.driver.read_registers(1, 4, 5, 1)

    on(line, use)


Spoil = Callable[[Meters, bytes], Sequence[tuple[float, bytes]]]

# What is delivered instead of the reply to "unit 1, function 3, registers 100 and 101", and what must come of it.
RTU_SPOILT: dict[str, tuple[Spoil, str]] = {
    "noise in front": (lambda _, reply: pieces(b"\x03\x03\xfa\x00" + reply), "value"),
    "noise behind": (lambda _, reply: pieces(reply + b"\x00\xff"), "value"),
    "single octets": (lambda _, reply: [(0.01, reply[i : i + 1]) for i in range(len(reply))], "value"),
    "another unit in front": (lambda m, reply: pieces(m.frame(9, reply[1:-2]) + reply), "value"),
    "another unit alone": (lambda m, reply: pieces(m.frame(9, reply[1:-2])), "NoReplyError"),
    "another function": (lambda m, _: pieces(m.frame(1, b"\x04\x04\x00\x01\x00\x02")), "BadReplyError"),
    "too few registers": (lambda m, _: pieces(m.frame(1, b"\x03\x02\x00\x01")), "BadReplyError"),
    "too many registers": (lambda m, _: pieces(m.frame(1, b"\x03\x06" + bytes(6))), "BadReplyError"),
    "a count that lies": (lambda m, _: pieces(m.frame(1, b"\x03\x06" + bytes(4))), "NoReplyError"),
    "a wrong check": (lambda _, reply: pieces(reply[:-1] + bytes((reply[-1] ^ 1,))), "NoReplyError"),
    "a wrong octet": (lambda _, reply: pieces(reply[:4] + bytes((reply[4] ^ 1,)) + reply[5:]), "NoReplyError"),
    "truncated": (lambda _, reply: pieces(reply[:-3]), "NoReplyError"),
    "a pause in the middle": (lambda _, reply: [(0.0, reply[:5]), (0.04, reply[5:])], "value"),
    "too long a pause in the middle": (lambda _, reply: [(0.0, reply[:5]), (0.06, reply[5:])], "NoReplyError"),
    "an exception of another function": (lambda m, _: pieces(m.frame(1, b"\x84\x02")), "BadReplyError"),
    "the echo alone": (lambda m, _: pieces(m.frame(1, b"\x03\x00\x64\x00\x02")), "NoReplyError"),
    "the echo and the reply": (lambda m, reply: pieces(m.frame(1, b"\x03\x00\x64\x00\x02") + reply), "value"),
}
TCP_SPOILT: dict[str, tuple[Spoil, str]] = {
    "single octets": (lambda _, reply: [(0.01, reply[i : i + 1]) for i in range(len(reply))], "value"),
    "another unit in front": (lambda _, reply: pieces(reply[:6] + b"\x09" + reply[7:] + reply), "value"),
    "another unit alone": (lambda _, reply: pieces(reply[:6] + b"\x09" + reply[7:]), "NoReplyError"),
    "another transaction in front": (lambda _, reply: pieces(b"\x77" + reply[1:] + reply), "value"),
    "another transaction alone": (lambda _, reply: pieces(b"\x77" + reply[1:]), "BadReplyError"),
    "no transaction": (lambda _, reply: pieces(b"\0\0" + reply[2:]), "BadReplyError"),
    "another function": (lambda _, reply: pieces(reply[:7] + b"\x04" + reply[8:]), "BadReplyError"),
    "unknown function": (lambda _, reply: pieces(reply[:7] + b"\x63" + reply[8:]), "BadReplyError"),
    "too few registers": (lambda m, reply: pieces(m.frame(1, b"\x03\x02\0\0", reply)), "BadReplyError"),
    "too many registers": (lambda m, reply: pieces(m.frame(1, b"\x03\x06" + bytes(6), reply)), "BadReplyError"),
    "a count that lies": (lambda _, reply: pieces(reply[:8] + b"\x06" + reply[9:]), "BadReplyError"),
    "another protocol": (lambda _, reply: pieces(reply[:2] + b"\x12\x34" + reply[4:]), "BadReplyError"),
    "length beyond a frame": (lambda _, reply: pieces(reply[:4] + b"\xff\xff" + reply[6:]), "BadReplyError"),
    "noise": (lambda _, __: pieces(bytes(range(0x40, 0x70))), "BadReplyError"),
    "truncated": (lambda _, reply: pieces(reply[:-3]), "NoReplyError"),
}
SPOILT = [
    pytest.param(kind, spoil, expected, id=f"{kind}-{name}")
    for kind, table in (("rtu", RTU_SPOILT), ("tcp", TCP_SPOILT))
    for name, (spoil, expected) in table.items()
]


@pytest.mark.parametrize(("kind", "spoil", "expected"), SPOILT)
def test_a_spoilt_reply_yields_the_right_value_or_none(kind: str, spoil: Spoil, expected: str) -> None:
    """And the line works again at once."""
    line = Line(kind)
    line.far.spoil = lambda reply: spoil(line.meters, reply)

    async def use() -> None:
        try:
            assert [where for where, _ in await line.read(100, 2)] == places(3, 100, 2)
            outcome = "value"
        except LineError as error:
            outcome = type(error).__name__
        assert outcome == expected
        line.far.spoil = None
        for _ in range(2 if expected == "value" else 3):  # a truncated frame of TCP may cost the next one
            await line.bus.connect()
            try:
                values = await line.read(200, 4)
                break
            except LineError:
                continue
        assert [where for where, _ in values] == places(3, 200, 4)

    on(line, use)


def test_a_frame_behind_noise_waits_for_the_silence() -> None:
    """The noise claims to be a reply of 250 octets."""
    line = Line("rtu")
    line.far.spoil = lambda reply: pieces(b"\x03\x03\xfa" + reply)
    took = 0.0

    async def use() -> None:
        nonlocal took
        started = asyncio.get_running_loop().time()
        await line.read(100, 2)
        took = asyncio.get_running_loop().time() - started

    assert on(line, use).bus.counters.corrupt == 1
    assert took == pytest.approx(0.05)


def test_an_echoing_line_is_no_confirmation_of_a_write() -> None:
    """Function 6 is confirmed by the very octets of the request, and those come back from the adapter itself."""
    line = Line("rtu", silent={1})
    answer = line.meters.answer
    line.far.answer = lambda data: [data, *answer(data)]

    async def use() -> None:
        with pytest.raises(NoReplyError):
            await line.driver.write(1, RegisterCommand("factor", 6, 0x4000, (42,)))
        line.meters.silent.clear()
        await line.driver.write(1, RegisterCommand("factor", 6, 0x4000, (42,)))
        line.meters.silent.add(1)
        with pytest.raises(NoReplyError):
            await line.driver.write(1, RegisterCommand("factor", 6, 0x4000, (43,)))

    assert on(line, use).bus.counters.foreign == 0


def test_transaction_numbers_are_not_used_again_while_unanswered() -> None:
    """Not even after all the others were."""
    line = Line("tcp", silent={1}, units=(1, 2))

    async def use() -> None:
        with pytest.raises(NoReplyError):
            await line.read(0, 2, unit=1)
        line.meters.silent.clear()
        line.driver._transaction = 0xFFFF
        await line.read(0, 2, unit=1)

    on(line, use)
    numbers = [int.from_bytes(request[:2], "big") for request in line.far.requests]
    assert numbers == [1, 0]
    line.driver._transaction = 0
    assert line.driver._request(line.driver._read(1, 3, 0, 2)).signature == 1


@pytest.mark.parametrize("count", [1, 2, 125])
def test_there_are_many_probes(count: int) -> None:
    """A dead meter must not use them up within a minute at a request a second."""
    line = Line("rtu")
    request = line.driver._request(line.driver._read(1, 3, 0, count))
    unanswered = {request.signature}
    assert request.probe is not None
    while (probe := request.probe(frozenset(unanswered))) is not None:
        assert probe.signature not in unanswered
        unanswered.add(probe.signature)
    assert len(unanswered) > 60


def test_a_meter_that_refuses_a_block_is_understood_after_a_lost_reply() -> None:
    """The refusal of function 3 can't be told from another of function 3, so function 4 decides."""
    line = Line("rtu", exceptions={(3, 100): 2})
    lost = [True]
    line.far.spoil = lambda reply: [] if lost.pop() else pieces(reply)

    async def use() -> None:
        with pytest.raises(NoReplyError):
            await line.read(100, 2)
        lost[:] = [False] * 20
        for _ in range(3):
            try:
                await line.read(100, 2)
            except RefusedError:
                break
            except LineError:
                continue
        else:
            pytest.fail("the refusal is never understood")
        with pytest.raises(RefusedError):
            await line.read(100, 2)

    on(line, use)


def test_the_clock_is_set_only_where_the_profile_says_how() -> None:
    """Modbus itself knows no clock."""
    line = Line("rtu", units=(1, 2))
    known = profiles.load("sim-carbon-meter")
    unknown = dataclasses.replace(known, writes={})
    line.driver = ModbusDriver(line.bus, profiles={1: known, 2: unknown})

    async def use() -> None:
        await line.driver.time_sync(1, 1_767_196_800_000, "Asia/Shanghai")
        for unit, reason in ((2, "sim-carbon-meter does not say"), (3, "has no profile"), (None, "no broadcast")):
            with pytest.raises(UnsupportedError, match=reason) as refused:
                await line.driver.time_sync(unit, 0, "Asia/Shanghai")
            assert not refused.value.silent

    assert "clock" in known.writes
    on(line, use)
    assert [pdu[0] for _, pdu in line.meters.seen if pdu[0] in (6, 16)] == [16]


async def found(driver: ModbusDriver, units: Sequence[int]) -> list[Found]:
    """Return everything a scan finds."""
    return [meter async for meter in driver.scan(units)]


@KINDS
def test_a_scan_finds_whoever_answers_anything(kind: str) -> None:
    """A value, an exception, or function 4 only; a gateway's exception 11 is no meter."""
    line = Line(kind, units=(1, 2, 3, 5), exceptions={})
    answer = line.meters.reply

    def reply(unit: int, pdu: bytes) -> bytes:
        if pdu[0] == 0x2B and unit == 1:
            return bytes.fromhex("2B 0E 01 01 00 00 02") + b"\x00\x03ABC" + b"\x05\x02M1"
        if pdu[0] == 0x11 and unit == 3:
            return b"\x11\x04\x07\x00Z9"
        if unit == 5:
            return bytes((pdu[0] | 0x80, 11))
        return bytes((pdu[0] | 0x80, 2)) if unit == 2 else answer(unit, pdu)

    line.meters.reply = reply  # type: ignore[method-assign]
    only_4 = line.meters.answer
    line.far.answer = lambda data: [] if line_unit(kind, data) == (3, 3) else only_4(data)

    async def use() -> None:
        assert await found(line.driver, range(1, 7)) == [
            Found("modbus", 1, {"vendor": "ABC", "model": "M1"}),
            Found("modbus", 2, {}),
            Found("modbus", 3, {"server_id": "07 00 5a 39", "server_id_text": "Z9"}),
        ]

    line.bus = LineBus(line.channel, LineTiming(timeout_s=0.3, replace_after=0), ManualClock())
    line.driver = ModbusDriver(line.bus, framing=kind)  # type: ignore[arg-type]
    on(line, use)


def line_unit(kind: str, request: bytes) -> tuple[int, int]:
    """Return unit and function of a request."""
    return (request[6], request[7]) if kind == "tcp" else (request[0], request[1])


def test_a_scan_ends_with_its_connection() -> None:
    """Nobody is found on a line that is down."""
    line = Line("rtu")

    async def use() -> None:
        line.bus.close()
        with pytest.raises(LineDownError):
            await found(line.driver, [1])

    on(line, use)


def test_the_check_is_that_of_the_standard() -> None:
    """Modbus over serial line 1.02, appendix B: 02 07 has the check 41 12."""
    assert crc(b"\x02\x07") == b"\x41\x12"
