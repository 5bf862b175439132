"""Lines in a configuration: which keys each transport has, whoever asks meters there."""

from typing import Annotated, Literal

from pydantic import Field

from settings.values import Host, PlainName, Port, Section, Whole

# DL/T 645-2007 names 600 to 19200; Modbus meters go further.
Baud = Literal[300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200]

Preamble = Annotated[Whole, Field(ge=0, le=32)]  # octets FEH that wake a DL/T 645 meter before a request (前导字节)


class LineSection(Section):
    """What every line has, whatever carries it."""

    name: PlainName
    timeout_ms: Whole = Field(default=1000, ge=10, le=60_000)  # until the reply begins
    gap_ms: Whole | None = Field(default=None, ge=5, le=10_000)  # silence that ends a broken frame; None: by transport
    pause_between_requests_ms: Whole = Field(default=0, ge=0, le=10_000)
    late_reply_seconds: Whole = Field(default=60, ge=1, le=3600)
    longest_silence_seconds: Whole = Field(default=300, ge=1, le=3600)


class ModbusTcpLine(LineSection):
    """Modbus TCP (MBAP), as chargers and gateways with an Ethernet port speak it."""

    transport: Literal["modbus-tcp"]
    host: Host
    port: Port = 502
    pause_after_connect_ms: Whole = Field(default=0, ge=0, le=60_000)


class TcpLine(LineSection):
    """A transparent connection (透明传输) to a serial server or DTU, with the frames of a serial line."""

    transport: Literal["tcp"]
    host: Host
    port: Port
    baud: Baud | None = None  # of the line behind it, for the timing; None: not known
    preamble: Preamble = 4
    pause_after_connect_ms: Whole = Field(default=0, ge=0, le=60_000)


class SerialLine(LineSection):
    """A serial port (RS-485) of this machine."""

    transport: Literal["serial"]
    device: str = Field(min_length=1)
    baud: Baud = 9600
    parity: Literal["none", "even", "odd"] = "even"
    data_bits: Literal[8] = 8  # Modbus RTU and both DL/T protocols use every bit of an octet
    stop_bits: Literal[1, 2] = 1
    preamble: Preamble = 4


class DialInLine(LineSection):
    """A port on which meters, or a DTU that stands for some, connect to us (DL/T 698.45: LINK, then CONNECT)."""

    transport: Literal["dial-in"]
    host: Host = "0.0.0.0"  # noqa: S104 - the meter comes from the mobile network; a narrower one can be configured
    port: Port
    timeout_ms: Whole = Field(default=5000, ge=10, le=60_000)  # a mobile network lies between


Line = ModbusTcpLine | TcpLine | SerialLine | DialInLine
AnyLine = Annotated[Line, Field(discriminator="transport")]
