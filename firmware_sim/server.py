"""Modbus TCP servers for simulated meters: one per port, any number of units behind each."""

import asyncio
import logging
import socket
from collections.abc import Mapping

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from pymodbus.simulator.simcore import SimCore

from clock import Clock
from firmware_sim.layout import AddressError
from firmware_sim.registers import RefusedError, RegisterMap

log = logging.getLogger(__name__)
_READ_FUNCTIONS = (3, 4)
_WRITE_FUNCTIONS = (6, 16)


class ServerError(OSError):
    """A port on which no server can listen."""


class _Units(SimCore):
    """The datastore that pymodbus asks: it keeps no registers, so that a request is answered of one instant."""

    def __init__(self, units: Mapping[int, RegisterMap], clock: Clock) -> None:
        super().__init__(SimDevice(0, [SimData(0, datatype=DataType.REGISTERS)]))
        self.units = units
        self.clock = clock
        self.requests = 0
        self._written: tuple[int, int, list[int]] | None = None

    def device_ids(self) -> list[int]:
        """Return the units that answer."""
        return sorted(self.units)

    async def async_getValues(  # noqa: N802 - pymodbus's name
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        """Read registers."""
        self.requests += 1
        written, self._written = self._written, None
        if func_code in _WRITE_FUNCTIONS and written is not None and written[:2] == (device_id, address):
            return written[2]  # pymodbus reads a single register back for the echo that its reply has to be
        if func_code not in _READ_FUNCTIONS:
            return ExcCodes.ILLEGAL_FUNCTION
        try:
            return self._unit(device_id).read(func_code, address, count, self.clock.now_ms())
        except AddressError as error:
            log.debug("unit %d: %s", device_id, error)
            return ExcCodes.ILLEGAL_ADDRESS

    async def async_setValues(  # noqa: N802 - pymodbus's name
        self, device_id: int, func_code: int, address: int, values: list[int] | list[bool]
    ) -> ExcCodes | None:
        """Write registers."""
        self.requests += 1
        if func_code not in _WRITE_FUNCTIONS:
            return ExcCodes.ILLEGAL_FUNCTION
        words = [int(value) for value in values]
        try:
            self._unit(device_id).write(address, words, self.clock.now_ms())
        except AddressError as error:
            log.debug("unit %d: %s", device_id, error)
            return ExcCodes.ILLEGAL_ADDRESS
        except RefusedError as error:
            log.info("unit %d refuses a write: %s", device_id, error)
            return ExcCodes.ILLEGAL_VALUE
        self._written = (device_id, address, words)
        return None

    def _unit(self, device_id: int) -> RegisterMap:
        try:
            return self.units[device_id]
        except KeyError:
            raise NoSuchIdException(f"no meter has unit {device_id}") from None


def _why_not(host: str, port: int) -> str | None:
    """Return the system's reason that nobody can listen there, which pymodbus keeps to itself."""
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(address[0], address[1]) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address[4])
            trial.listen()
    except OSError as error:
        return error.strerror or str(error)
    return None


class MeterServer:
    """A listening port with the meters behind it.

    A unit that does not exist is answered as a gateway does, with exception code 11; `silent` leaves it without an
    answer, as an RS-485 bus does.
    """

    def __init__(
        self, host: str, port: int, units: Mapping[int, RegisterMap], clock: Clock, *, silent: bool = False
    ) -> None:
        self.host = host
        self.port = port
        self.units = units
        self._context = _Units(units, clock)
        self._silent = silent
        self._server: ModbusTcpServer | None = None

    @property
    def requests(self) -> int:
        """Return how many requests have been served."""
        return self._context.requests

    async def start(self) -> None:
        """Listen; port 0 becomes a free one. ServerError when the port is not to be had."""
        device = SimDevice(0, [SimData(0, datatype=DataType.REGISTERS)])
        server = ModbusTcpServer(device, address=(self.host, self.port), ignore_missing_devices=self._silent)
        server.context = self._context
        try:
            await server.serve_forever(background=True)
        except (OSError, RuntimeError) as error:
            reason = await asyncio.to_thread(_why_not, self.host, self.port)
            raise ServerError(f"can't listen on {self.host}:{self.port}: {reason or error}") from None
        self._server = server
        listener = server.transport
        assert isinstance(listener, asyncio.Server)
        self.port = int(listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and drop the connections."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus left it unannotated
            self._server = None
