"""A bench in which everything is simulated: our firmware behind a real socket, in virtual time."""

import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

from clock import Clock
from clock.virtual import VirtualClock
from fieldbus.lines import DialInLine, Line, ModbusTcpLine, SerialLine, TcpLine
from firmware_sim.circuit import Circuit
from firmware_sim.config import MeterSection
from firmware_sim.curves import Curve
from firmware_sim.faces.build import FaceBuilder, Faces
from firmware_sim.faults.model import FaultSpec
from firmware_sim.inspection.bench import Ability, Bench, Limits
from firmware_sim.inspection.parts.dut import LineDut
from firmware_sim.inspection.parts.fast import JumpForward
from firmware_sim.inspection.parts.simulated_parts import (
    SimulatedPulses,
    SimulatedRegisters,
    SimulatedSource,
    SimulatedStandard,
    Simulation,
)
from firmware_sim.inspection.parts.time import VirtualTime
from firmware_sim.inspection.points import Rating
from firmware_sim.line_config import LineSection
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.places import Served, address_of
from firmware_sim.pulses import CARBON, ENERGY, PulseOutputs
from firmware_sim.serve import Service, Setup
from firmware_sim.station import multi_function
from firmware_sim.terminals import PARTS, Terminals
from profiles import Profile, load

START: Final = datetime(2026, 6, 10, 8, tzinfo=ZoneInfo("Asia/Shanghai"))
ROLLOVER_MWH: Final = 10**12  # 10^6 kWh: six digits before the point
CARBON_ROLLOVER_NG: Final = 10**18  # 10^6 kg

_ID: Final = "dut"
_HOST: Final = "127.0.0.1"
_RETRY_S: Final = Decimal("0.05")
_PTY_BAUD: Final = 115_200

Transport = Literal["modbus-tcp", "tcp", "pty", "dial-out"]
Firmware = Callable[[Curve, Circuit, MeterSettings], Meter]
Adjust = Callable[[MeterSettings], MeterSettings]


@dataclass(slots=True)
class SimulatedBench(Bench):
    """A bench that lets tests look behind its parts."""

    meter: Meter = field(kw_only=True)
    terminals: Terminals = field(kw_only=True)
    service: Service = field(kw_only=True)
    clock: VirtualClock = field(kw_only=True)


@asynccontextmanager
async def simulated_bench(
    rating: Rating,
    limits: Limits,
    *,
    profile: str = "sim-carbon-meter",
    parameters: Mapping[str, Decimal] | None = None,
    transport: Transport | None = None,
    timezone: str = "Asia/Shanghai",
    start_ms: int = int(START.timestamp() * 1000),
    pace: Clock | None = None,
    firmware: Firmware = Meter,
    faces: Faces = FaceBuilder,
    adjust: Adjust = lambda settings: settings,
    faults: Sequence[FaultSpec] = (),
    timeout_ms: int = 1000,
) -> AsyncIterator[SimulatedBench]:
    """Serve a simulated meter of this rating and give a bench around it.

    `profile` may be of any protocol; `transport` None: Modbus TCP, for the DL/T protocols TCP. `firmware` makes the
    meter (a class with a defect in it, say) and `faces` what it says on the line; `adjust` changes the settings that
    follow from rating and profile, such as the gain error. With `pace` the bench waits as long as on that clock, with
    the same figures. `timeout_ms` is how long an answer may take, in real time. ProfileError, ConfigError, DutError
    when the bench can't be made.
    """
    model = load(profile, parameters)
    section = MeterSection(id=_ID, line=_ID, profile=profile, parameters=dict(parameters or {}))
    address = address_of(section, model.protocol, 1)
    settings = adjust(settings_of(rating, model, section.parameters, address, timezone))
    terminals = Terminals(start_ms, settings.startup_current_ma)
    circuit = Circuit(voltage_mv=rating.voltage_mv, frequency_mhz=rating.frequency_mhz, shares=(1,) * rating.phases)
    # What is too small to start the meter does not come through the terminals.
    meter = firmware(terminals.load, circuit, replace(settings, startup_current_ma=0))
    clock = VirtualClock(start_ms)
    time = VirtualTime(clock, pace)
    line = _served_line(transport or ("modbus-tcp" if model.protocol == "modbus" else "tcp"))
    served = Served(section, model, meter, address)
    service = Service([served], clock, Setup(lines=[line], faults=faults, timezone=timezone), faces)
    service.set_faults(start_ms)
    simulation = Simulation(meter, time, service.meters[_ID].advance)
    outputs = PulseOutputs(meter, meter.measured, energy=rating.constant is not None)
    await service.start()
    try:
        dut = LineDut(
            _asked_line(line, service, timeout_ms),
            1 if address is None else address.lower(),
            model,
            clock,
            timezone=timezone,
            more=_abilities(model, outputs, settings),
        )
        try:
            await dut.open()
            yield SimulatedBench(
                rating=rating,
                timezone=timezone,
                time=time,
                source=SimulatedSource(terminals, simulation),
                standard=SimulatedStandard(terminals.flow, time),
                dut=dut,
                limits=limits,
                pulses=SimulatedPulses(outputs, simulation) if outputs.kinds else None,
                fast=JumpForward(time, dut) if Ability.FAST in dut.abilities else None,
                registers=SimulatedRegisters(simulation),
                meter=meter,
                terminals=terminals,
                service=service,
                clock=clock,
            )
        finally:
            dut.close()
    finally:
        await service.stop()


def settings_of(
    rating: Rating, profile: Profile, parameters: Mapping[str, Decimal], address: str | None, timezone: str
) -> MeterSettings:
    """Return the settings of a simulated meter: its rating's, with registers as its profile has them."""
    energy, carbon = profile.points.get("energy_forward"), profile.points.get("carbon_forward")
    defaults = MeterSettings()
    return MeterSettings(
        timezone=timezone,
        resolution_mwh=defaults.resolution_mwh if energy is None else energy.resolution,
        carbon_resolution_ng=defaults.carbon_resolution_ng if carbon is None else carbon.resolution,
        startup_current_ma=rating.starting_ma,
        serial_number=1,
        meter_constant=defaults.meter_constant if rating.constant is None else rating.constant,
        carbon_constant=rating.carbon_constant,
        rollover_mwh=ROLLOVER_MWH if energy is None or energy.rollover is None else energy.rollover,
        carbon_rollover_ng=CARBON_ROLLOVER_NG if carbon is None or carbon.rollover is None else carbon.rollover,
        load_parts=PARTS,
        parameters={"pt": Decimal(1), "ct": Decimal(1), **parameters},
        multi_function=multi_function(profile, address),
    )


def _abilities(profile: Profile, outputs: PulseOutputs, settings: MeterSettings) -> frozenset[Ability]:
    found = {Ability.POWER_CUT}
    if "device_time" in profile.points:
        found.add(Ability.FAST)
    if ENERGY in outputs.kinds:
        found.add(Ability.PULSES)
    if CARBON in outputs.kinds:
        found.add(Ability.CARBON_PULSES)
    if settings.rollover_mwh is not None:
        found.add(Ability.ROLLOVER)
    return frozenset(found)


def _served_line(transport: Transport) -> LineSection:
    if transport != "dial-out":
        return LineSection(name=_ID, transport=transport)
    with socket.socket() as found:
        found.bind((_HOST, 0))
        port = int(found.getsockname()[1])
    return LineSection(name=_ID, transport=transport, port=port, retry_seconds=_RETRY_S)


def _asked_line(section: LineSection, service: Service, timeout_ms: int) -> Line:
    """Return the line as the bench asks on it what the service serves on it."""
    where = service.ports[0].where()
    common = {"name": section.name, "timeout_ms": timeout_ms}
    match section.transport:
        case "pty":
            keys = {**common, "transport": "serial", "device": where["path"], "baud": _PTY_BAUD}
            return SerialLine.model_validate(keys)
        case "dial-out":
            keys = {**common, "transport": "dial-in", "host": _HOST, "port": section.port}
            return DialInLine.model_validate(keys)
        case "modbus-tcp":
            return ModbusTcpLine.model_validate({**common, **where})
        case _:
            return TcpLine.model_validate({**common, **where})
