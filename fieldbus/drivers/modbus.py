"""Modbus, RTU or TCP, on a line that other meters and other protocols share; a value is only ever that of its request.

Requests are encoded by pymodbus. Its client is not used: it owns its connection alone, keeps it after a time-out, and
takes a late reply for the answer to the next request.
"""

from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final, Literal

from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from fieldbus.drivers import modbus_identity
from fieldbus.drivers.base import Address, Found
from fieldbus.drivers.modbus_frames import (
    ERROR,
    HEADER,
    PROTOCOL,
    MbapFraming,
    RtuFraming,
    crc,
    device,
    read_signature,
    signature,
)
from fieldbus.exchange import (
    REFUSED,
    BadReplyError,
    Bus,
    Framing,
    Heard,
    NoReplyError,
    RefusedError,
    Request,
    UnsupportedError,
)
from profiles import Block, Command, Profile
from profiles.modbus.model import RegisterCommand
from profiles.modbus.plan import MAX_REGISTERS, ReadBlock

# Modbus application protocol 1.1b3, section 7.
EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}
TARGET_ABSENT: Final = frozenset({10, 11})  # the gateway answers for a meter that does not
UNITS: Final = range(1, 248)  # Modbus over serial line 1.02, 2.2

_HOLDING: Final = 3
_INPUT: Final = 4
_READS: Final = {_HOLDING: ReadHoldingRegistersRequest, _INPUT: ReadInputRegistersRequest}
_EXCEPTION_LENGTH: Final = 2
_LAST_TRANSACTION: Final = 0xFFFF
_LAST_REGISTER: Final = 0xFFFF
_Read = tuple[int, int, int]  # function, address, number of registers
_NO_PROFILES: Final[Mapping[Address, Profile]] = MappingProxyType({})


class ModbusDriver:
    """Modbus meters of one line, by unit."""

    protocol = PROTOCOL

    def __init__(
        self,
        bus: Bus,
        *,
        framing: Literal["rtu", "tcp"] = "rtu",
        profiles: Mapping[Address, Profile] = _NO_PROFILES,
    ) -> None:
        """`profiles` says by unit how a meter's clock is written: Modbus itself knows no clock."""
        self._bus = bus
        self._profiles = profiles
        self._framing: Framing = RtuFraming() if framing == "rtu" else MbapFraming()
        self._numbered = framing == "tcp"
        self._transaction = 0
        self._reads: dict[tuple[int, int, int, int], _Question] = {}
        bus.attach(self._framing)

    async def read(self, address: Address, block: Block) -> bytes:
        """Return the octets of a block's registers, two a register; a LineError says why there are none."""
        assert isinstance(block, ReadBlock)
        return await self.read_registers(_unit(address), block.function, block.address, block.count)

    async def read_registers(self, unit: int, function: int, address: int, count: int) -> bytes:
        """Return registers as they came, by function 3 or 4."""
        return (await self._ask(self._read(unit, function, address, count)))[2:]

    async def write(self, address: Address, command: Command) -> None:
        """Write one register (function 6) or several (16); RefusedError when the meter does not take it."""
        assert isinstance(command, RegisterCommand)
        unit = _unit(address)
        words = list(command.words)
        single = command.function == WriteSingleRegisterRequest.function_code
        kind = WriteSingleRegisterRequest if single else WriteMultipleRegistersRequest
        pdu = _encoded(kind(address=command.address, registers=words, dev_id=unit))
        # The answer repeats function and address, and what was written, or how many registers: all the first 5 octets.
        await self._ask(
            self._question(
                unit,
                pdu,
                signature(pdu[:5]),
                f"unit {unit}, {command.name} to registers {_span(command.address, len(words))}",
                like=(_HOLDING, command.address, 0),
                mirrored=single,
            )
        )

    async def time_sync(self, address: Address | None, time_ms: int, timezone: str) -> None:
        """Write a meter's clock where its profile says how; UnsupportedError where not, and for a broadcast."""
        if address is None:
            raise UnsupportedError("Modbus has no broadcast of the time: set the clock of each meter")
        profile = self._profiles.get(address)
        if profile is None or "clock" not in profile.writes:
            of = f"profile {profile.name}" if profile is not None else "it has no profile, which"
            raise UnsupportedError(f"unit {address}: {of} does not say how the clock is written")
        await self.write(address, profile.command("clock", {"time": time_ms}, timezone))

    async def scan(
        self, units: Iterable[int] = UNITS, functions: Iterable[int] = (_HOLDING, _INPUT)
    ) -> AsyncIterator[Found]:
        """Ask every unit for one register; whoever answers anything, be it an exception, is a meter.

        Some meters ignore a function that they don't know instead of refusing it, so those that are silent are asked
        again with the next function. LineDownError when the connection ends.
        """
        silent = list(units)
        for function in functions:
            asked, silent = silent, []
            for unit in asked:
                try:
                    await self._ask(self._read(unit, function, 0, 1))
                except (NoReplyError, BadReplyError):
                    silent.append(unit)
                    continue
                except RefusedError as refused:
                    if refused.silent:
                        continue
                yield Found(PROTOCOL, unit, await self._identify(unit))

    async def _identify(self, unit: int) -> dict[str, str]:
        """Return what a meter says of itself by functions 2BH and 11H; most say nothing."""
        for name, pdu, parse in modbus_identity.QUESTIONS:
            try:
                reply = await self._ask(self._question(unit, pdu, signature(pdu), f"unit {unit}, {name}"))
            except (NoReplyError, BadReplyError, RefusedError):
                continue
            if details := parse(reply):
                return details
        return {}

    async def _ask(self, question: "_Question") -> bytes:
        """Return the protocol data unit of the answer."""
        heard = await self._bus.exchange(self._request(question))
        assert heard is not None
        assert isinstance(heard.frame, bytes)
        return heard.frame

    def _request(self, question: "_Question") -> Request:
        if question.request is not None:
            return question.request
        unit = question.unit
        unanswered = self._bus.unanswered(device(unit))
        for _ in range(_LAST_TRANSACTION + 1):
            self._transaction = (self._transaction + 1) & _LAST_TRANSACTION
            if self._transaction not in unanswered:
                break
        octets = HEADER.pack(self._transaction, 0, 1 + len(question.pdu), unit) + question.pdu
        return Request(device(unit), octets, self._transaction, self._framing, question.about, verify=question.verify)

    def _read(self, unit: int, function: int, address: int, count: int) -> "_Question":
        key = (unit, function, address, count)
        question = self._reads.get(key)
        if question is None:
            pdu = _encoded(_READS[function](address=address, count=count, dev_id=unit))
            about = f"unit {unit}, registers {_span(address, count)} by function {function}"
            expected = read_signature(function, count)
            question = self._question(unit, pdu, expected, about, like=(function, address, count))
            self._reads[key] = question
        return question

    def _question(
        self,
        unit: int,
        pdu: bytes,
        expected: Hashable,
        about: str,
        *,
        like: _Read | None = None,
        mirrored: bool = False,
    ) -> "_Question":
        verify = partial(_verify, about, pdu[0], expected)
        if self._numbered:
            return _Question(unit, pdu, about, verify)
        octets = bytes((unit,)) + pdu
        request = Request(
            device(unit),
            octets + crc(octets),
            expected,
            self._framing,
            about,
            probe=partial(self._probe, unit, like) if like is not None else None,
            verify=verify,
            mirrored=mirrored,
        )
        return _Question(unit, pdu, about, verify, request)

    def _probe(self, unit: int, like: _Read, unanswered: frozenset[Hashable]) -> Request | None:
        """Return a read whose answer, and where that matters its refusal too, can't be taken for another's."""
        open_functions = {asked[0] for asked in unanswered if isinstance(asked, tuple)}
        second_best: _Read | None = None
        for read in _other_reads(*like):
            function, _, count = read
            if read_signature(function, count) in unanswered:
                continue
            if REFUSED not in unanswered or function not in open_functions:
                return self._read(unit, *read).request
            second_best = second_best or read
        return self._read(unit, *second_best).request if second_best is not None else None


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of a unit; `request` is how, where that is the same each time (RTU)."""

    unit: int
    pdu: bytes
    about: str
    verify: Callable[[Heard], None]
    request: Request | None = None


def _unit(address: Address) -> int:
    assert isinstance(address, int)
    return address


def _encoded(request: ModbusPDU) -> bytes:
    return bytes((request.function_code,)) + request.encode()


def _span(address: int, count: int) -> str:
    return str(address) if count == 1 else f"{address}..{address + count - 1}"


def _other_reads(function: int, address: int, count: int) -> Iterator[_Read]:
    """Yield reads like this one, but known from it by their answers: the likeliest to be answered with values first.

    A meter that has these registers has fewer of them. Where they can't be fewer, one more may be there; and the other
    function at least has refusals of its own.
    """
    most = min(MAX_REGISTERS, _LAST_REGISTER + 1 - address)
    other = _INPUT if function == _HOLDING else _HOLDING
    yield from ((function, address, n) for n in range(count - 1, 0, -1))
    yield from ((function, address, n) for n in range(count + 1, min(count + 1, most) + 1))
    yield from ((other, address, n) for n in range(max(count, 1), 0, -1))
    yield from ((function, address, n) for n in range(count + 2, most + 1))


def _verify(about: str, function: int, expected: Hashable, heard: Heard) -> None:
    pdu = heard.frame
    assert isinstance(pdu, bytes)
    if pdu[0] == function | ERROR and len(pdu) == _EXCEPTION_LENGTH:
        code = pdu[1]
        text = f"{about}: exception {code} ({EXCEPTIONS.get(code, 'unknown code')})"
        raise RefusedError(code, text, silent=code in TARGET_ABSENT)
    if pdu[0] != function:
        raise BadReplyError(f"{about}: the reply has function {pdu[0]}")
    if signature(pdu) != expected:
        raise BadReplyError(f"{about}: the reply does not fit: {pdu[:8].hex(' ')}, {len(pdu)} octets")
    if function in _READS and pdu[1] != len(pdu) - 2:
        raise BadReplyError(f"{about}: the reply says {pdu[1]} octets of registers and carries {len(pdu) - 2}")
