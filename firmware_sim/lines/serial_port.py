"""A line on a real serial device, an RS-485 adapter, say: meters for a master at the other end of the wire."""

import logging
import termios
from dataclasses import dataclass
from typing import Any, Final, Literal

import serial

from firmware_sim.lines.descriptor import Descriptor
from firmware_sim.lines.line import Line, Session
from firmware_sim.lines.port import PortError

log = logging.getLogger(__name__)

Parity = Literal["even", "none", "odd"]
_PARITIES: Final = {"even": serial.PARITY_EVEN, "none": serial.PARITY_NONE, "odd": serial.PARITY_ODD}


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """Speed and form of an octet; the defaults are the usual ones of DL/T meters, 9600 8E1."""

    baud: int = 9_600
    parity: Parity = "even"
    data_bits: int = 8
    stop_bits: int = 1

    @property
    def octet_ms(self) -> float:
        """How long an octet takes: start, data, parity and stop bits."""
        bits = 1 + self.data_bits + (self.parity != "none") + self.stop_bits
        return bits * 1000 / self.baud


class SerialPort:
    """A serial device."""

    def __init__(self, line: Line, device: str, settings: SerialSettings) -> None:
        self._line = line
        self._device = device
        self._settings = settings
        self._serial: serial.Serial | None = None
        self._descriptor: Descriptor | None = None
        self._session: Session | None = None

    async def start(self) -> None:
        """Open and set up the device; PortError."""
        settings = self._settings
        try:
            self._serial = serial.Serial(
                self._device,
                baudrate=settings.baud,
                bytesize=settings.data_bits,
                parity=_PARITIES[settings.parity],
                stopbits=settings.stop_bits,
                timeout=0,
                exclusive=True,
            )
        except (OSError, ValueError, termios.error) as error:
            raise PortError(f"can't open the serial device {self._device}: {error}") from None
        self._descriptor = Descriptor(self._serial.fileno(), self._receive, self._lost)
        self._session = self._line.open(self._descriptor.send)

    async def stop(self) -> None:
        """Close the device."""
        if self._session is not None:
            self._session.close()
        if self._descriptor is not None:
            self._descriptor.close()
        if self._serial is not None:
            self._serial.close()
        self._serial = self._descriptor = self._session = None

    def where(self) -> dict[str, Any]:
        """Return transport and path."""
        return {"transport": "serial", "path": self._device}

    def _receive(self, data: bytes) -> None:
        if self._session is not None:
            self._session.receive(data)

    def _lost(self, error: OSError) -> None:
        log.error("line %s: %s is gone: %s", self._line.name, self._device, error.strerror or error)
