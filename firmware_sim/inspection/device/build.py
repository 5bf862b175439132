"""From a plan to the simulated firmware that it inspects: the meter by its rating, and the other end of its line."""

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from clock import Clock
from fieldbus.lines import DialInLine, ModbusTcpLine, SerialLine, TcpLine
from fieldbus.lines import Line as AskedLine
from firmware_sim.circuit import Circuit
from firmware_sim.config import MeterSection
from firmware_sim.curves import Curve
from firmware_sim.inspection.defects.defect import Defect
from firmware_sim.inspection.parts.simulated import settings_of
from firmware_sim.inspection.plan import DutSection, Plan, StandardSection
from firmware_sim.inspection.points import Rating
from firmware_sim.line_config import LineSection
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.places import Served, address_of
from firmware_sim.serve import Service, Setup
from profiles import load
from settings.errors import ConfigError

DUT: Final = "dut"
STANDARD: Final = "standard"
HEALTHY: Final = Defect("", "Healthy meter", "正常电表", "", "")
_RETRY_S: Final = Decimal("0.2")
_ANY: Final = ("0.0.0.0", "::")  # noqa: S104 - who listens on all addresses is called at one
_LOOPBACK: Final = "127.0.0.1"
_PTYS: Final = Path("/dev/pts")


@dataclass(frozen=True, slots=True)
class Where:
    """What a plan does not say: a serial device at the other end of the wire, the control socket, its file's name."""

    file: str
    device: str | None = None
    control: Path | None = None


def called(host: str) -> str:
    """Return where somebody is reached who listens at a host."""
    return _LOOPBACK if host in _ANY else host


def settings_by(plan: Plan, section: DutSection | StandardSection, defect: Defect = HEALTHY) -> MeterSettings:
    """Return the settings of a meter of a plan's rating; ProfileError, ConfigError."""
    assert section.profile is not None  # a standard meter on a line has one
    profile = load(section.profile, dict(section.parameters))
    meter_section = _section(DUT, section, profile.protocol)
    address = address_of(meter_section, profile.protocol, 1)
    return defect.adjust(
        settings_of(plan.rating.rating(), profile, meter_section.parameters, address, plan.inspection.timezone)
    )


def meter_of(rating: Rating, curve: Curve, settings: MeterSettings, defect: Defect = HEALTHY) -> Meter:
    """Return the meter on a load; what is too small to start it must not come through the load."""
    circuit = Circuit(voltage_mv=rating.voltage_mv, frequency_mhz=rating.frequency_mhz, shares=(1,) * rating.phases)
    return defect.firmware(curve, circuit, replace(settings, startup_current_ma=0))


def service_of(
    plan: Plan, clock: Clock, where: Where, meter: Meter, defect: Defect = HEALTHY, *, standard: Meter | None = None
) -> Service:
    """Return the meter on the other end of the plan's line, and with it a standard meter on its own; ConfigError."""
    assert plan.dut.line is not None
    served = [_served(DUT, plan.dut, meter)]
    lines = [_other_end(DUT, plan.dut.line, where)]
    if standard is not None:
        assert plan.standard.line is not None
        served.append(_served(STANDARD, plan.standard, standard))
        lines.append(_other_end(STANDARD, plan.standard.line, replace(where, device=None)))
    setup = Setup(lines=lines, timezone=plan.inspection.timezone, control=where.control, file=where.file)
    return Service(served, clock, setup, defect.faces)


def _served(name: str, section: DutSection | StandardSection, meter: Meter) -> Served:
    assert section.profile is not None
    profile = load(section.profile, dict(section.parameters))
    meter_section = _section(name, section, profile.protocol)
    return Served(meter_section, profile, meter, address_of(meter_section, profile.protocol, 1))


def _section(name: str, section: DutSection | StandardSection, protocol: str) -> MeterSection:
    keys: dict[str, Any] = {"id": name, "line": name, "profile": section.profile, "parameters": section.parameters}
    if protocol == "modbus":
        keys["unit"] = section.unit
    elif section.address is not None:
        keys["address"] = section.address
    return MeterSection.model_validate(keys)


def _other_end(name: str, line: AskedLine, where: Where) -> LineSection:
    """Return the line as a meter has it."""
    keys: dict[str, Any] = {"name": name}
    match line:
        case ModbusTcpLine():
            keys |= {"transport": "modbus-tcp", "host": line.host, "port": line.port}
        case TcpLine():
            keys |= {"transport": "tcp", "host": line.host, "port": line.port}
        case DialInLine():
            keys |= {"transport": "dial-out", "host": called(line.host), "port": line.port, "retry_seconds": _RETRY_S}
        case SerialLine():
            keys |= {"baud": line.baud, "parity": line.parity, "stop_bits": line.stop_bits}
            keys |= _serial(line, where)
    return LineSection.model_validate(keys)


def _serial(line: SerialLine, where: Where) -> dict[str, Any]:
    """Return a device where one was named, else a pseudo-terminal that stands where the plan has its device."""
    if where.device is not None:
        return {"transport": "serial", "device": where.device}
    path = Path(line.device)
    if path.exists() and not path.resolve().is_relative_to(_PTYS):
        wanted = "--device with the one at the other end of its wire, or a path where a pseudo-terminal can be put"
        raise ConfigError([f"{where.file}: line {line.name}: device: {line.device} is a device; expected {wanted}"])
    return {"transport": "pty", "path": path}
