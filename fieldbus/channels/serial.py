"""A serial port (串口): RS-485 through a UART or a USB adapter, or a pseudo-terminal.

pyserial opens and configures the port; the event loop reads and writes it, without a thread.
"""

import asyncio
import errno
import os
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import serial

from fieldbus.channels.base import Channel, reason
from fieldbus.exchange import LineDownError

Parity = Literal["even", "odd", "none"]

_PARITIES: Final[dict[Parity, str]] = {
    "even": serial.PARITY_EVEN,
    "odd": serial.PARITY_ODD,
    "none": serial.PARITY_NONE,
}
_STOP_BITS: Final[dict[float, float]] = {
    1: serial.STOPBITS_ONE,
    1.5: serial.STOPBITS_ONE_POINT_FIVE,
    2: serial.STOPBITS_TWO,
}
_READ_OCTETS: Final = 4096
_PSEUDO_TERMINALS: Final = range(136, 144)  # major numbers: admin-guide/devices.txt of the Linux kernel
_IN_USE: Final = (errno.EAGAIN, errno.EBUSY)  # by a lock, or by TIOCEXCL
_LONGEST_QUEUE: Final = 65536  # octets that wait for a port that takes none; no request is near as long


class SerialChannel(Channel):
    """One port, held exclusively. Defaults are those of Modbus and DL/T 645: even parity, one stop bit."""

    def __init__(
        self,
        device: str,
        *,
        baud: int = 9600,
        parity: Parity = "even",
        data_bits: int = 8,
        stop_bits: float = 1,
    ) -> None:
        super().__init__(device)
        self._baud = baud
        self._parity: Parity = parity
        self._data_bits = data_bits
        self._stop_bits = stop_bits
        self._port: serial.Serial | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue = bytearray()

    @property
    def bits_per_character(self) -> int:
        """How many bit times a character takes on the line, start bit included."""
        return 1 + self._data_bits + (self._parity != "none") + round(self._stop_bits)

    @property
    def baud(self) -> int:
        """The rate in use."""
        return self._baud

    @property
    def connected(self) -> bool:
        """Whether the port is open."""
        return self._port is not None

    async def open(self) -> None:
        """Open and configure the port; LineDownError when it is not there, in use, or does not take the settings."""
        if self._port is not None:
            return
        try:
            plain = _is_pseudo_terminal(self.name)
            port = serial.Serial(
                self.name,
                self._baud,
                serial.EIGHTBITS if plain else self._data_bits,
                serial.PARITY_NONE if plain else _PARITIES[self._parity],
                _STOP_BITS[self._stop_bits],
                timeout=0,
                write_timeout=0,
                exclusive=True,
            )
            with suppress(OSError, ValueError, NotImplementedError):
                port.set_low_latency_mode(
                    True
                )  # a USB adapter may hold octets back for 16 ms; not every driver knows it
            port.reset_input_buffer()  # what came while nobody listened answers nothing of ours
        except (serial.SerialException, OSError, termios.error, ValueError) as error:
            in_use = isinstance(error, OSError) and error.errno in _IN_USE
            why = "another program uses it" if in_use else reason(error)
            raise LineDownError(f"{self.name} can't be opened: {why}") from None
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(port.fileno(), self._readable)

    def hang_up(self) -> None:
        """Close the port, with whatever is still to be sent."""
        port, self._port = self._port, None
        self._queue.clear()
        if port is None:
            return
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(port.fileno())
            self._loop.remove_writer(port.fileno())
        try:
            port.reset_output_buffer()
        except (OSError, termios.error):
            pass  # the adapter was pulled out
        finally:
            port.close()

    def write(self, data: bytes) -> None:
        """Send octets, as fast as the port takes them."""
        if self._port is None or self._loop is None:
            raise LineDownError(f"{self.name} is not open")
        waiting = bool(self._queue)
        if len(self._queue) + len(data) > _LONGEST_QUEUE:
            raise LineDownError(f"{self.name} takes no octets")
        self._queue += data
        if not waiting:
            self._loop.add_writer(self._port.fileno(), self._writable)
            self._writable()

    async def change_baud(self, baud: int) -> None:
        """Go on at another rate once everything written is out on the line, as after DL/T 645's function 17H."""
        self._baud = baud
        if self._port is None:
            return
        character_s = self.bits_per_character / int(self._port.baudrate)
        while self._queue or self._port.out_waiting:  # noqa: ASYNC110 - the driver tells nobody when it is done
            await asyncio.sleep(character_s)
        try:
            self._port.baudrate = baud
        except (serial.SerialException, OSError, termios.error, ValueError) as error:
            raise LineDownError(f"{self.name} does not take {baud} Bd: {reason(error)}") from None

    def _readable(self) -> None:
        port = self._port
        if port is None:
            return
        try:
            data = os.read(port.fileno(), _READ_OCTETS)
        except BlockingIOError:
            return
        except OSError as error:
            self._gone(error)
            return
        if data:
            self._on_data(data)
        else:
            self._gone(OSError(errno.ENODEV, "the port has gone"))

    def _writable(self) -> None:
        port, loop = self._port, self._loop
        if port is None or loop is None:
            return
        try:
            sent = os.write(port.fileno(), self._queue)
        except BlockingIOError:
            return
        except OSError as error:
            # Not from inside `write`: its caller must not be called back by it.
            loop.remove_writer(port.fileno())
            loop.call_soon(self._gone_unless_reopened, port, error)
            return
        del self._queue[:sent]
        if not self._queue:
            loop.remove_writer(port.fileno())

    def _gone_unless_reopened(self, port: serial.Serial, error: OSError) -> None:
        if self._port is port:
            self._gone(error)

    def _gone(self, error: OSError) -> None:
        self.hang_up()
        self._on_lost(f"{self.name} failed: {reason(error)}")


def _is_pseudo_terminal(device: str) -> bool:
    """Say whether it has no line at its other end: Linux keeps no parity for it, and glibc calls that an error."""
    return sys.platform == "linux" and os.major(Path(device).stat().st_rdev) in _PSEUDO_TERMINALS
