"""[[line]] of a station file: the transport of a line, and how fast it and its meters are."""

from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, model_validator

from firmware_sim.faces.dlt698 import HEARTBEAT_S
from firmware_sim.sections import Milliseconds
from settings.values import Exact, Flag, FreePort, Host, Name, Section, Whole

Transport = Literal["modbus-tcp", "tcp", "pty", "serial", "dial-out"]

_LONGEST_TURNAROUND_MS: Final = 60_000
_TCP: Final = ("modbus-tcp", "tcp", "dial-out")
_OWN_KEYS: Final = {
    "host": _TCP,
    "port": _TCP,
    "path": ("pty",),
    "device": ("serial",),
    "retry_seconds": ("dial-out",),
    "heartbeat_seconds": ("dial-out",),
    "absent": ("modbus-tcp",),
}


class LineSection(Section):
    """One line."""

    name: Name
    transport: Transport
    host: Host = "127.0.0.1"
    port: FreePort = 0
    path: Path | None = None
    device: str | None = None
    baud: Whole = Field(default=9_600, ge=50, le=4_000_000)
    parity: Literal["even", "none", "odd"] = "even"
    data_bits: Literal[7, 8] = 8
    stop_bits: Literal[1, 2] = 1
    timed: Flag = False
    turnaround_ms: Milliseconds = (0, 0)
    absent: Literal["silent", "exception"] | None = None
    retry_seconds: Exact = Field(default=Decimal(10), gt=0, le=86_400)
    heartbeat_seconds: Whole = Field(default=HEARTBEAT_S, ge=1, le=65535)

    @model_validator(mode="after")
    def _keys_belong_to_the_transport(self) -> "LineSection":
        for key, transports in _OWN_KEYS.items():
            if key in self.model_fields_set and self.transport not in transports:
                raise ValueError(f"{key}: expected with transport {' or '.join(transports)}, found {self.transport}")
        if self.transport == "serial" and self.device is None:
            raise ValueError("device: expected a serial device, such as /dev/ttyUSB0, found nothing")
        if self.transport == "serial" and self.timed:
            raise ValueError("timed: expected no simulated speed on a serial device, it has its own")
        if self.transport == "dial-out" and self.port == 0:
            raise ValueError("port: expected the port that the meters call, found nothing")
        return self

    @model_validator(mode="after")
    def _turnaround_is_possible(self) -> "LineSection":
        check_turnaround(self.turnaround_ms)
        return self

    @property
    def place(self) -> tuple[object, ...] | None:
        """What no other line may have too: the port it listens at, its link or its device; None: it takes any."""
        if self.transport in ("modbus-tcp", "tcp"):
            return (self.host, self.port) if self.port else None
        place = self.path if self.transport == "pty" else self.device
        return None if place is None else (place,)

    @property
    def answers_for_absent(self) -> bool:
        """Whether requests to units that do not exist are answered with exception 11."""
        return self.transport == "modbus-tcp" and self.absent != "silent"


def check_turnaround(value: Milliseconds) -> None:
    """Raise ValueError unless it is a range of ms."""
    if not 0 <= value[0] <= value[1] <= _LONGEST_TURNAROUND_MS:
        raise ValueError(f"turnaround_ms: expected 0 to {_LONGEST_TURNAROUND_MS} ms, or [least, most]")
