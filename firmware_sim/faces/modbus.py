"""The Modbus face of the meters on a line: functions 3, 4, 6, 16, 17 and 43/14, in RTU or MBAP frames.

Modbus application protocol 1.1b3. Coils and discrete inputs, files and diagnostics are refused with exception 1.
"""

import logging
import struct
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from firmware_sim.faces.base import Answer
from firmware_sim.faces.modbus_identity import Identity, IdentityError
from firmware_sim.faces.modbus_requests import BROADCAST, MbapRequests, Request, Requests, RtuRequests
from firmware_sim.layout import AddressError
from firmware_sim.registers import RefusedError, RegisterMap

log = logging.getLogger(__name__)

_READS: Final = (3, 4)
_WRITE_ONE: Final = 6
_WRITE: Final = 16
_SERVER_ID: Final = 17
_IDENTIFICATION: Final = 43
_MOST_READ: Final = 125
_MOST_WRITTEN: Final = 123
_ADDRESSES: Final = 1 << 16
_VERSION: Final = "1.0"

_ILLEGAL_FUNCTION: Final = 1
_ILLEGAL_ADDRESS: Final = 2
_ILLEGAL_VALUE: Final = 3
_DEVICE_FAILURE: Final = 4
_NO_RESPONSE: Final = 11  # gateway target device failed to respond

NOBODY: Final = ""
"""Instead of a meter's id, for what a gateway answers in the place of a meter that is not there."""


class _Refusal(Exception):  # noqa: N818 - what the meter answers, no fault of the program
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class ModbusMeter:
    """One unit: its answers to the messages (PDU) it is sent."""

    def __init__(self, unit: int, registers: RegisterMap) -> None:
        self.unit = unit
        self.registers = registers
        self._identity = Identity(registers.profile, _VERSION)

    def answer(self, pdu: bytes, now_ms: int) -> bytes:
        """Return the reply, an exception where the meter refuses."""
        try:
            return self._answer(pdu, now_ms)
        except _Refusal as refusal:
            code = refusal.code
        except IdentityError as error:
            code = error.code
        except AddressError as error:
            log.debug("unit %d: %s", self.unit, error)
            code = _ILLEGAL_ADDRESS
        except RefusedError as error:
            log.info("unit %d refuses a write: %s", self.unit, error)
            code = _ILLEGAL_VALUE
        except ValueError as error:
            # A value that its register can't show: the description of the station is at fault.
            log.warning("unit %d can't answer: %s", self.unit, error)
            code = _DEVICE_FAILURE
        return bytes((pdu[0] | 0x80, code))

    def _answer(self, pdu: bytes, now_ms: int) -> bytes:
        function = pdu[0]
        if function in _READS:
            return self._read(pdu, now_ms)
        if function == _WRITE_ONE:
            address, word = _numbers(pdu, 5)
            self.registers.write(address, [word], now_ms)
            return pdu
        if function == _WRITE:
            return self._write(pdu, now_ms)
        if function == _SERVER_ID:
            return self._identity.server_id(self.unit)
        if function == _IDENTIFICATION:
            return self._identity.identification(pdu)
        raise _Refusal(_ILLEGAL_FUNCTION)

    def _read(self, pdu: bytes, now_ms: int) -> bytes:
        address, count = _numbers(pdu, 5)
        if not 1 <= count <= _MOST_READ:
            raise _Refusal(_ILLEGAL_VALUE)
        if address + count > _ADDRESSES:
            raise _Refusal(_ILLEGAL_ADDRESS)
        words = self.registers.read(pdu[0], address, count, now_ms)
        return struct.pack(f">BB{count}H", pdu[0], 2 * count, *words)

    def _write(self, pdu: bytes, now_ms: int) -> bytes:
        if len(pdu) < 6:  # noqa: PLR2004 - function, address, number of registers and of octets
            raise _Refusal(_ILLEGAL_VALUE)
        address, count = struct.unpack_from(">HH", pdu, 1)
        if not 1 <= count <= _MOST_WRITTEN or pdu[5] != 2 * count or len(pdu) != 6 + 2 * count:
            raise _Refusal(_ILLEGAL_VALUE)
        self.registers.write(address, struct.unpack_from(f">{count}H", pdu, 6), now_ms)
        return pdu[:5]


def _numbers(pdu: bytes, length: int) -> tuple[int, int]:
    if len(pdu) != length:
        raise _Refusal(_ILLEGAL_VALUE)
    first, second = struct.unpack_from(">HH", pdu, 1)
    return first, second


class ModbusFace:
    """The Modbus meters of one connection.

    With `absent` "exception", requests to units without a meter are answered with exception 11, as a gateway does
    (MBAP only: in RTU frames the silence of the line is all there is).
    """

    protocol = "modbus"
    rtu: type[RtuRequests] = RtuRequests
    mbap: type[MbapRequests] = MbapRequests

    def __init__(
        self,
        meters: Mapping[str, ModbusMeter],
        *,
        framing: Literal["rtu", "tcp"] = "rtu",
        absent: Literal["silent", "exception"] = "silent",
    ) -> None:
        self._meters = meters
        self._names = {meter.unit: name for name, meter in meters.items()}
        self._requests: Requests = (self.mbap if framing == "tcp" else self.rtu)(self._names)
        self._excepts = absent == "exception" and framing == "tcp"

    def feed(self, data: bytes, now_ms: int) -> Sequence[Answer]:
        """Take octets as they come from the master; return the replies in the order in which the meters send them."""
        return [answer for request in self._requests.feed(data) for answer in self._answer(request, now_ms)]

    def flush(self) -> None:
        """Give up an unfinished request, after silence on the line."""
        self._requests.flush()

    def misaddressed(self, octets: bytes) -> bytes:
        """Return a reply as if another meter had sent it, its checks right."""
        return self._requests.misaddressed(octets)

    def addresses(self) -> Mapping[str, str]:
        """Return each meter's unit by its id."""
        return {name: str(meter.unit) for name, meter in self._meters.items()}

    def _answer(self, request: Request, now_ms: int) -> Sequence[Answer]:
        if request.unit == BROADCAST:
            for meter in self._meters.values():
                meter.answer(request.pdu, now_ms)
            return ()
        name = self._names.get(request.unit)
        if name is not None:
            pdu = self._meters[name].answer(request.pdu, now_ms)
            return (Answer(name, self._requests.reply(request, pdu)),)
        if not self._excepts:
            return ()
        pdu = bytes((request.pdu[0] | 0x80, _NO_RESPONSE))
        return (Answer(NOBODY, self._requests.reply(request, pdu)),)
