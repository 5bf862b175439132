"""From a line's configuration to what carries its requests: channel, bus, and a driver for each protocol on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from clock import Clock
from fieldbus.bus import LineBus
from fieldbus.channels.base import Channel
from fieldbus.channels.listen import Dlt698Sorter, ListenChannel
from fieldbus.channels.serial import SerialChannel
from fieldbus.channels.tcp import TcpChannel
from fieldbus.drivers.base import Address, Driver
from fieldbus.drivers.dlt645 import PREAMBLE, Dlt645Driver
from fieldbus.drivers.dlt698 import Dlt698Driver
from fieldbus.drivers.modbus import ModbusDriver
from fieldbus.line_timing import LineTiming
from fieldbus.lines import DialInLine, Line, ModbusTcpLine, SerialLine, TcpLine
from fieldbus.socket_time import socket_seconds
from profiles import Profile

# Measured at 9600 Bd on a machine with all cores busy: with 0.05 s, one frame in 200 is cut in two by a stall; with
# 0.3 s none. A frame that is whole needs no silence to end it.
SERIAL_GAP_S: Final = 0.2

# A SYN that a bad link lost is sent again after 1 s, and after 3 s (RFC 6298, section 2): a connection has the time of
# both, however short a reply's may be.
CONNECT_MS: Final = 4000

Members = Mapping[str, Mapping[Address, Profile]]
"""The protocols spoken on a line, and the profiles of the meters that speak each, by address, as far as known."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A line that can be talked to, not yet connected."""

    bus: LineBus
    drivers: Mapping[str, Driver]  # by protocol


def connection(
    line: Line,
    members: Members,
    clock: Clock,
    *,
    timezone: str = "Asia/Shanghai",
    now_ms: Callable[[], int] | None = None,
    patient: bool = False,
) -> Connection:
    """Return a line's bus, and a driver for each protocol of `members`.

    `now_ms` (UTC; the clock's by default) and the time zone are what meters that ask for the time are told. A `patient`
    bus keeps its connection however long nobody answers, as in a search for meters. ValueError for a protocol that
    there is no driver of.
    """
    times = timing(line, clock)
    bus = LineBus(_channel(line, clock, members), replace(times, replace_after=0) if patient else times, clock)
    drivers: dict[str, Driver] = {}
    for protocol, profiles in members.items():
        match protocol:
            case "dlt645":
                drivers[protocol] = Dlt645Driver(bus, preamble=_preamble(line))
            case "dlt698":
                drivers[protocol] = Dlt698Driver(bus, now_ms or clock.now_ms, timezone=timezone, profiles=profiles)
            case "modbus":
                framing: Literal["tcp", "rtu"] = "tcp" if isinstance(line, ModbusTcpLine) else "rtu"
                drivers[protocol] = ModbusDriver(bus, framing=framing, profiles=profiles)
            case _:
                raise ValueError(f"expected dlt645, dlt698 or modbus, got {protocol!r}")
    return Connection(bus, drivers)


def _preamble(line: Line) -> int:
    return line.preamble if isinstance(line, (SerialLine, TcpLine)) else PREAMBLE


def timing(line: Line, clock: Clock) -> LineTiming:
    """Return a line's times, from its baud rate where one is known and nothing else is said."""
    timeout_s = socket_seconds(clock, line.timeout_ms)
    default_gap_s = SERIAL_GAP_S if isinstance(line, SerialLine) else LineTiming().gap_s
    gap_s = default_gap_s if line.gap_ms is None else line.gap_ms / 1000
    baud = line.baud if isinstance(line, (SerialLine, TcpLine)) else None
    pause_s = line.pause_between_requests_ms / 1000
    late_s = float(line.late_reply_seconds)
    if baud is not None:
        bits = _character_bits(line) if isinstance(line, SerialLine) else 11  # 8E1, 8N2 or 8O1 behind a serial server
        found = LineTiming.serial(
            baud, bits_per_character=bits, timeout_s=timeout_s, gap_s=gap_s, pause_s=pause_s, late_s=late_s
        )
        return found if isinstance(line, SerialLine) else replace(found, replace_after=LineTiming().replace_after)
    return LineTiming(timeout_s=timeout_s, gap_s=gap_s, pause_s=pause_s, late_s=late_s)


def _character_bits(line: SerialLine) -> int:
    """Return the bits of a character on the line: start, data, parity, stop."""
    return 1 + line.data_bits + (line.parity != "none") + line.stop_bits


def _channel(line: Line, clock: Clock, members: Members) -> Channel:
    wait_s = socket_seconds(clock, line.timeout_ms)
    match line:
        case ModbusTcpLine() | TcpLine():
            return TcpChannel(line.host, line.port, max(wait_s, socket_seconds(clock, CONNECT_MS)))
        case SerialLine():
            return SerialChannel(
                line.device,
                baud=line.baud,
                parity=line.parity,
                data_bits=line.data_bits,
                stop_bits=line.stop_bits,
            )
        case DialInLine():
            # Meters of DL/T 698.45 may share the port, each with a connection of its own; what speaks for others is
            # one transparent DTU, and only its newest connection counts.
            alone = set(members) == {"dlt698"}
            return ListenChannel(line.host, line.port, wait_s, Dlt698Sorter if alone else None)
