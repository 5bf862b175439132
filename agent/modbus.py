"""Modbus TCP on pymodbus' asynchronous client, made strict: a value is only ever that of its own request.

pymodbus accepts a reply without comparing its function, its length or a transaction id of zero with the request, and
keeps a connection after a time-out. Here every frame is checked before the library sees it, anything that does not
match ends the request with a typed error, and after any failure the connection is replaced, so that a late reply has
nowhere to arrive.
"""

import struct
from typing import Final, NamedTuple

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from agent.drivers.base import Address
from agent.exchange import BadReplyError, LineCounters, LineDownError, LineError, NoReplyError, RefusedError
from profiles import Block, Command
from profiles.modbus.model import RegisterCommand
from profiles.modbus.plan import ReadBlock

# Modbus application protocol 1.1b3, section 7; messaging on TCP/IP implementation guide 1.0b, section 3.1.
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

_HEADER: Final = struct.Struct(">HHHBB")  # transaction, protocol, length, unit, function
_PREFIX: Final = 6  # octets of the header that its length field does not count
_SHORTEST: Final = 3  # unit, function, one octet
_LONGEST: Final = 254  # unit and 253 octets of protocol data unit
_READS: Final = {3: ReadHoldingRegistersRequest, 4: ReadInputRegistersRequest}


class MeterExceptionError(RefusedError):
    """The meter refused the request with a Modbus exception."""

    def __init__(self, code: int) -> None:
        text = f"exception {code} ({EXCEPTIONS.get(code, 'unknown code')})"
        super().__init__(code, text, silent=code in TARGET_ABSENT)


class _Asked(NamedTuple):
    unit: int
    function: int
    length: int  # of the reply's protocol data unit


class ModbusTcp:
    """One connection to a Modbus TCP server; one request at a time, by whoever owns the line."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self.counters = LineCounters()
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._client: AsyncModbusTcpClient | None = None
        self._asked: _Asked | None = None
        self._transaction = -1
        self._frame = b""
        self._partial = 0

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._client is not None and self._client.connected

    async def connect(self) -> None:
        """Open the connection; LineDownError when that fails within the time-out."""
        self.close()
        # A new client each time: the library's old one could take the end of its old connection for the new one's.
        client = AsyncModbusTcpClient(
            self._host,
            port=self._port,
            timeout=self._timeout_s,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._trace_packet,
            trace_connect=self._trace_connect,
        )
        self._client = client
        if not await client.connect():
            self._client = None
            self.counters.unreachable += 1
            raise LineDownError(f"no connection to {self._host}:{self._port}")
        self.counters.connects += 1

    def close(self) -> None:
        """Close the connection, if there is one."""
        client, self._client = self._client, None
        self._asked = None
        if client is not None:
            client.close()

    async def read(self, unit: Address, block: Block) -> bytes:
        """Return the octets of a block's registers, two a register; a LineError says why there are none."""
        assert isinstance(block, ReadBlock)
        assert isinstance(unit, int)
        request = _READS[block.function](address=block.address, count=block.count, dev_id=unit)
        await self._execute(request, _Asked(unit, block.function, 2 + 2 * block.count))
        return self._frame[_HEADER.size + 1 :]

    async def write(self, unit: Address, command: Command) -> None:
        """Write one register (function 6) or several (16); a LineError when the meter did not confirm."""
        assert isinstance(command, RegisterCommand)
        assert isinstance(unit, int)
        function, address, words = command.function, command.address, command.words
        request: ModbusPDU
        if function == WriteSingleRegisterRequest.function_code:
            request = WriteSingleRegisterRequest(address=address, registers=list(words), dev_id=unit)
        else:
            request = WriteMultipleRegistersRequest(address=address, registers=list(words), dev_id=unit)
        await self._execute(request, _Asked(unit, function, 5))

    async def _execute(self, request: ModbusPDU, asked: _Asked) -> None:
        client = self._client
        if client is None:
            raise LineDownError(f"no connection to {self._host}:{self._port}")
        self._asked = asked
        self._frame = b""
        self._partial = 0
        try:
            reply = await client.execute(no_response_expected=False, request=request)
        except ModbusIOException:
            self.counters.timeout += 1
            self.close()
            had = f", only {self._partial} octets of a frame" if self._partial else ""
            raise NoReplyError(f"no reply within {self._timeout_s:g} s{had}") from None
        except ConnectionException:
            self.counters.unreachable += 1
            self.close()
            raise LineDownError(f"no connection to {self._host}:{self._port}") from None
        except BadReplyError:
            self.counters.corrupt += 1
            self.close()
            raise
        except LineDownError:
            self.counters.unreachable += 1
            self.close()
            raise
        except BaseException:  # cancelled: what may still arrive must not meet a later request
            self.close()
            raise
        finally:
            self._asked = None
        if not self._frame:
            self.counters.foreign += 1
            self.close()
            raise BadReplyError("the reply carries no transaction id of ours")
        if reply.isError():
            self.counters.exception += 1
            raise MeterExceptionError(reply.exception_code)
        self.counters.ok += 1

    def _trace_connect(self, connected: bool) -> None:  # noqa: FBT001 - pymodbus calls it so
        if not connected:
            self._fail(LineDownError(f"{self._host}:{self._port} closed the connection"))

    def _fail(self, error: LineError) -> None:
        if self._client is None or self._asked is None:
            return
        future = self._client.ctx.response_future
        if not future.done():
            future.set_exception(error)

    def _trace_packet(self, sending: bool, data: bytes) -> bytes:  # noqa: FBT001 - pymodbus calls it so
        if sending:
            self._transaction = int.from_bytes(data[:2], "big")
            return data
        offset = 0
        while len(data) - offset >= _HEADER.size:
            transaction, protocol, length, unit, function = _HEADER.unpack_from(data, offset)
            if protocol != 0 or not _SHORTEST <= length <= _LONGEST:
                self._fail(BadReplyError(f"not a Modbus TCP header: {data[offset : offset + 8].hex(' ')}"))
                return b""
            end = offset + _PREFIX + length
            if end > len(data):
                break
            if self._asked is None or (transaction, unit) != (self._transaction, self._asked.unit):
                self.counters.foreign += 1
            elif problem := _mismatch(self._asked, function, data[offset + _HEADER.size : end]):
                self._fail(BadReplyError(problem))
                return b""
            else:
                self._frame = data[offset:end]
            offset = end
        self._partial = len(data) - offset
        return data


def _mismatch(asked: _Asked, function: int, body: bytes) -> str | None:
    """Return what is wrong with a reply whose transaction and unit match, or None; `body` follows the function code."""
    if function == asked.function | 0x80 and len(body) == 1:
        return None
    if function != asked.function:
        return f"reply has function {function}, asked was {asked.function}"
    if len(body) + 1 != asked.length:
        return f"reply has {len(body) + 1} octets, asked were {asked.length}"
    if function in _READS and body[0] != len(body) - 1:
        return f"reply says {body[0]} octets of registers and carries {len(body) - 1}"
    return None
