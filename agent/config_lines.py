"""Lines and meters in the configuration: which keys each transport has, and which of them go together."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field

from agent.config_values import KilowattHours, Kilowatts
from fieldbus.drivers.base import Address
from profiles import Profile
from settings.values import Exact, Host, PlainName, Port, Section, Whole

# DL/T 645-2007 names 600 to 19200; Modbus meters go further.
Baud = Literal[300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200]


class Meter(Section):
    """A meter on a line: a Modbus one by `unit`, a DL/T one by `address` (通信地址)."""

    id: PlainName
    unit: Whole = Field(default=1, ge=0, le=255)
    address: Annotated[str, Field(pattern="^[0-9A-Fa-f]{1,32}$")] | None = None
    profile: str = Field(min_length=1)
    role: Literal["charger", "grid", "auxiliary"] = "charger"
    poll_seconds: Whole = Field(default=60, ge=1, le=900)
    rated_kw: Kilowatts | None = None
    max_kw: Kilowatts | None = None
    resolution_kwh: KilowattHours = Decimal(1)
    rollover_kwh: KilowattHours | None = None
    parameters: dict[str, Exact] = Field(default_factory=dict)
    points: list[str] | None = None


Preamble = Annotated[Whole, Field(ge=0, le=32)]  # octets FEH that wake a DL/T 645 meter before a request (前导字节)


class _Line(Section):
    """What every line has, whatever carries it."""

    name: PlainName
    timeout_ms: Whole = Field(default=1000, ge=10, le=60_000)  # until the reply begins
    gap_ms: Whole | None = Field(default=None, ge=5, le=10_000)  # silence that ends a broken frame; None: by transport
    pause_between_requests_ms: Whole = Field(default=0, ge=0, le=10_000)
    late_reply_seconds: Whole = Field(default=60, ge=1, le=3600)
    longest_silence_seconds: Whole = Field(default=300, ge=1, le=3600)
    meter: list[Meter] = Field(min_length=1)


class ModbusTcpLine(_Line):
    """Modbus TCP (MBAP), as chargers and gateways with an Ethernet port speak it."""

    transport: Literal["modbus-tcp"]
    host: Host
    port: Port = 502
    pause_after_connect_ms: Whole = Field(default=0, ge=0, le=60_000)


class TcpLine(_Line):
    """A transparent connection (透明传输) to a serial server or DTU, with the frames of a serial line."""

    transport: Literal["tcp"]
    host: Host
    port: Port
    baud: Baud | None = None  # of the line behind it, for the timing; None: not known
    preamble: Preamble = 4
    pause_after_connect_ms: Whole = Field(default=0, ge=0, le=60_000)


class SerialLine(_Line):
    """A serial port (RS-485) of this machine."""

    transport: Literal["serial"]
    device: str = Field(min_length=1)
    baud: Baud = 9600
    parity: Literal["none", "even", "odd"] = "even"
    data_bits: Literal[8] = 8  # Modbus RTU and both DL/T protocols use every bit of an octet
    stop_bits: Literal[1, 2] = 1
    preamble: Preamble = 4


class DialInLine(_Line):
    """A port on which meters, or a DTU that stands for some, connect to us (DL/T 698.45: LINK, then CONNECT)."""

    transport: Literal["dial-in"]
    host: Host = "0.0.0.0"  # noqa: S104 - the meter comes from the mobile network; a narrower one can be configured
    port: Port
    timeout_ms: Whole = Field(default=5000, ge=10, le=60_000)  # a mobile network lies between


Line = ModbusTcpLine | TcpLine | SerialLine | DialInLine
AnyLine = Annotated[Line, Field(discriminator="transport")]
LINES: Final[dict[str, type[_Line]]] = {
    "modbus-tcp": ModbusTcpLine,
    "tcp": TcpLine,
    "serial": SerialLine,
    "dial-in": DialInLine,
}

_ADDRESS_DIGITS: Final = 12  # DL/T 645-2007: six octets BCD; a DL/T 698.45 server address has as many by default


def address_of(meter: Meter, protocol: str) -> Address:
    """Return where a driver finds the meter: a Modbus unit, or the digits of its communication address in full."""
    return meter.unit if protocol == "modbus" else (meter.address or "").lower().zfill(_ADDRESS_DIGITS)


def unaddressed(line: Line, meter: Meter, profile: Profile) -> list[str]:
    """Return what keeps a meter from being asked on this line, each as `key: why`."""
    protocol = profile.protocol
    problems = []
    if isinstance(line, ModbusTcpLine) and protocol != "modbus":
        problems.append(f"profile: {profile.name} is for {protocol}, transport 'modbus-tcp' carries modbus")
    if protocol == "modbus":
        if meter.address is not None:
            problems.append("address: a Modbus meter has a unit")
        return problems
    if "unit" in meter.model_fields_set:
        problems.append(f"unit: a meter on {protocol} has an address")
    if meter.address is None:
        problems.append(f"address: is missing; a meter on {protocol} has one of up to {_ADDRESS_DIGITS} digits")
    elif protocol == "dlt645" and not (meter.address.isdecimal() and len(meter.address) <= _ADDRESS_DIGITS):
        problems.append(f"address: expected 1 to {_ADDRESS_DIGITS} digits, got {meter.address!r}")
    elif len(meter.address) > _ADDRESS_DIGITS and len(meter.address) % 2:
        problems.append(f"address: expected whole octets, two hexadecimal digits each, got {meter.address!r}")
    return problems


def shared_ports(lines: Sequence[Line]) -> list[str]:
    """Return which lines would have to own the same port: of this machine, or of a serial server."""
    owners: dict[str, str] = {}
    problems = []
    for line in lines:
        if isinstance(line, SerialLine):
            port = line.device
        elif isinstance(line, DialInLine):
            port = f"port {line.port}"
        elif isinstance(line, TcpLine):
            port = f"{line.host}:{line.port}"
        else:
            continue
        if (other := owners.setdefault(port, line.name)) != line.name:
            problems.append(f"lines {other!r} and {line.name!r} both use {port}")
    return problems
