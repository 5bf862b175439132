"""From a line's configuration to what carries its requests: channel, bus, and a driver for each protocol on it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from agent.bus import LineBus
from agent.channels.base import Channel
from agent.channels.tcp import TcpChannel
from agent.config_lines import Line, ModbusTcpLine, SerialLine, TcpLine, address_of
from agent.drivers.base import Driver
from agent.drivers.modbus import ModbusDriver
from agent.line_timing import LineTiming
from agent.timing import socket_seconds
from clock import Clock
from profiles import Profile


@dataclass(frozen=True, slots=True)
class Connection:
    """A line that can be talked to, not yet connected."""

    bus: LineBus
    drivers: Mapping[str, Driver]  # by protocol


def connection(
    line: Line, profiles: Mapping[str, Profile], clock: Clock, protocols: Collection[str] | None = None
) -> Connection:
    """Return a line's bus and drivers; `profiles` are by meter id.

    There is a driver for each of `protocols`; by default for those that the line's meters speak.
    """
    own = {meter.id: profiles[meter.id] for meter in line.meter if meter.id in profiles}
    bus = LineBus(_channel(line, clock), timing(line, clock), clock)
    wanted = dict.fromkeys(profile.protocol for profile in own.values()) if protocols is None else protocols
    return Connection(bus, {protocol: _driver(protocol, line, bus, own) for protocol in wanted})


def timing(line: Line, clock: Clock) -> LineTiming:
    """Return a line's times, from its baud rate where one is known and nothing else is said."""
    timeout_s = socket_seconds(clock, line.timeout_ms)
    gap_s = None if line.gap_ms is None else line.gap_ms / 1000
    baud = line.baud if isinstance(line, (SerialLine, TcpLine)) else None
    pause_s = line.pause_between_requests_ms / 1000
    late_s = float(line.late_reply_seconds)
    if baud is not None:
        bits = _character_bits(line) if isinstance(line, SerialLine) else 11  # 8E1, 8N2 or 8O1 behind a serial server
        found = LineTiming.serial(
            baud, bits_per_character=bits, timeout_s=timeout_s, gap_s=gap_s, pause_s=pause_s, late_s=late_s
        )
        if isinstance(line, SerialLine):
            return found
        network = LineTiming()
        return replace(found, gap_s=gap_s or network.gap_s, replace_after=network.replace_after)
    return LineTiming(timeout_s=timeout_s, gap_s=gap_s or LineTiming().gap_s, pause_s=pause_s, late_s=late_s)


def _character_bits(line: SerialLine) -> int:
    """Return the bits of a character on the line: start, data, parity, stop."""
    return 1 + line.data_bits + (line.parity != "none") + line.stop_bits


def _channel(line: Line, clock: Clock) -> Channel:
    match line:
        case ModbusTcpLine() | TcpLine():
            return TcpChannel(line.host, line.port, socket_seconds(clock, line.timeout_ms))
    raise NotImplementedError(line.transport)


def _driver(protocol: str, line: Line, bus: LineBus, profiles: Mapping[str, Profile]) -> Driver:
    if protocol == "modbus":
        units = {
            address_of(meter, protocol): profiles[meter.id]
            for meter in line.meter
            if meter.id in profiles and profiles[meter.id].protocol == protocol
        }
        return ModbusDriver(bus, framing="tcp" if isinstance(line, ModbusTcpLine) else "rtu", profiles=units)
    raise NotImplementedError(protocol)
