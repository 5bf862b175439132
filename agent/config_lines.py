"""Lines and meters in the gateway's configuration: the meters of each line, and which of their keys go together."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field

from agent.config_values import FactorValue, Kilograms, KilowattHours, Kilowatts
from fieldbus import lines
from fieldbus.addressing import address_of, unaddressed
from fieldbus.lines import Baud
from settings.values import Exact, PlainName, Section, Whole

__all__ = [
    "EMISSION",
    "LINES",
    "AnyLine",
    "Baud",
    "DialInLine",
    "Line",
    "Meter",
    "ModbusTcpLine",
    "SerialLine",
    "TcpLine",
    "address_of",
    "shared_ports",
    "unaddressed",
]


EMISSION: Final = "carbon_forward"
"""The point at which a generating unit's meter has its cumulative emission (排放量)."""


class Meter(Section):
    """A meter on a line: a Modbus one by `unit`, a DL/T one by `address` (通信地址)."""

    id: PlainName
    unit: Whole = Field(default=1, ge=0, le=255)
    address: Annotated[str, Field(pattern="^[0-9A-Fa-f]{1,32}$")] | None = None
    profile: str = Field(min_length=1)
    role: Literal["charger", "grid", "auxiliary", "generation", "flow"] = "charger"
    poll_seconds: Whole = Field(default=60, ge=1, le=900)
    rated_kw: Kilowatts | None = None
    max_kw: Kilowatts | None = None
    resolution_kwh: KilowattHours = Decimal(1)
    rollover_kwh: KilowattHours | None = None
    emission_factor: FactorValue | None = None  # kgCO2/kWh, of a generating unit without an emission register
    emission_rollover_kg: Kilograms | None = None
    connector: Annotated[str, Field(min_length=1, max_length=32)] | None = None  # 枪: whose orders are this meter's
    parameters: dict[str, Exact] = Field(default_factory=dict)
    points: list[str] | None = None

    @property
    def has_emission_register(self) -> bool:
        """Whether it is a generating unit's (发电侧) with a register of its emission."""
        return self.role == "generation" and self.emission_factor is None


Meters = Annotated[list[Meter], Field(min_length=1)]


class ModbusTcpLine(lines.ModbusTcpLine):
    """Modbus TCP with its meters."""

    meter: Meters


class TcpLine(lines.TcpLine):
    """A transparent connection with the meters behind it."""

    meter: Meters


class SerialLine(lines.SerialLine):
    """A serial port with its meters."""

    meter: Meters


class DialInLine(lines.DialInLine):
    """A port on which meters dial in, and which of them."""

    meter: Meters


Line = ModbusTcpLine | TcpLine | SerialLine | DialInLine
AnyLine = Annotated[Line, Field(discriminator="transport")]
LINES: Final[dict[str, type[Line]]] = {
    "modbus-tcp": ModbusTcpLine,
    "tcp": TcpLine,
    "serial": SerialLine,
    "dial-in": DialInLine,
}


def shared_ports(all_lines: Sequence[Line]) -> list[str]:
    """Return which lines would have to own the same port: of this machine, or of a serial server."""
    owners: dict[str, str] = {}
    problems = []
    for line in all_lines:
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
