"""`diantan-sim`: simulated meters and stations on Modbus TCP, serial lines and their like."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from clock import from_spec
from firmware_sim.circuit import Circuit
from firmware_sim.config import MeterSection, StationConfig, load_station
from firmware_sim.curves import ConstantCurve
from firmware_sim.line_config import LineSection
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.options import parser
from firmware_sim.places import Served, address_of
from firmware_sim.serve import Service, Setup, run
from firmware_sim.station import Station, gain_error, multi_function, resolution_of, start_of
from firmware_sim.truth import as_json, as_table, truth
from profiles import load
from settings.errors import ConfigError
from settings.problems import problems_of
from settings.values import Section

_BAD_INPUT: Final = 2
_LONG_MS: Final = 86_400_000
_LINE: Final = "line"
_Options = TypeVar("_Options", bound=Section)
log = logging.getLogger("diantan-sim")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 after a message about wrong input."""
    options = parser(_station, _meter, _truth).parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        return int(options.command(options))
    except (OSError, ValueError) as error:
        for line in str(error).splitlines():
            print(f"diantan-sim: {line}", file=sys.stderr)  # noqa: T201 - the command's error output
        return _BAD_INPUT


def _config(options: argparse.Namespace) -> StationConfig:
    config = load_station(options.file)
    if options.day is None:
        return config
    if config.sessions.model != "file":
        raise ConfigError([f'{options.file}: --day is for sessions from a file, and model is "generated"'])
    return config.model_copy(update={"sessions": config.sessions.model_copy(update={"day": options.day})})


def _station(options: argparse.Namespace) -> int:
    config = _config(options)
    clock = from_spec(options.clock)
    start_ms = start_of(config, clock.now_ms())
    station = Station(config, start_ms, file=str(options.file))
    _announce(station)
    now_ms = clock.now_ms()
    if now_ms < start_ms:
        log.warning("the clock stands before the start of the station: nothing flows yet")
    elif now_ms - start_ms > _LONG_MS:
        log.info("working out the %d days since the start", (now_ms - start_ms) // _LONG_MS)
    setup = Setup(
        simulate=config.simulate,
        lines=config.line,
        faults=config.fault,
        timezone=config.station.timezone,
        seed=config.station.seed,
        control=options.control,
        file=str(options.file),
    )
    service = Service(station.served, clock, setup)
    service.set_faults(start_ms)
    service.catch_up(now_ms)
    run(service, options.ready_file, options.control)
    return 0


def _announce(station: Station) -> None:
    start = datetime.fromtimestamp(station.start_ms / 1000, station.zone)
    log.info("station %s starts at %s", station.config.station.id, start.isoformat())
    if station.replay is not None:
        log.info(
            "replaying %d sessions of %d plugs on %d days from %s; %d sessions at other plugs are left out",
            station.replay.count,
            len(station.replay.plugs),
            station.replay.days,
            station.replay.day,
            station.replay.left_out,
        )


def _meter(options: argparse.Namespace) -> int:
    section = _checked(
        MeterSection,
        {
            "id": options.id,
            "line": _LINE,
            "unit": options.unit,
            "address": options.address,
            "profile": options.profile,
            "parameters": dict(options.parameter),
            "gain_error": options.gain_error,
            "power_factor": options.power_factor,
            "phase_shares": (1,) if options.single_phase else (1, 1, 1),
        },
    )
    profile = load(section.profile, section.parameters)
    line = _line(options, profile.protocol)
    try:
        address = address_of(section, profile.protocol, 1)
    except ValueError as error:
        raise ConfigError([f"option: {error}"]) from None
    clock = from_spec(options.clock)
    circuit = Circuit(power_factor=int(section.power_factor * 10**6), shares=section.phase_shares)
    settings = MeterSettings(
        timezone=options.timezone,
        gain_error=gain_error(section, 0),
        resolution_mwh=resolution_of(section, profile),
        default_factor=options.factor,
        startup_current_ma=section.startup_current_ma,
        parameters=section.parameters,
        multi_function=multi_function(profile, address),
    )
    meter = Meter(ConstantCurve(clock.now_ms(), options.power_w), circuit, settings)
    setup = Setup(lines=[line], timezone=options.timezone, control=options.control, file="option")
    run(Service([Served(section, profile, meter, address)], clock, setup), options.ready_file, options.control)
    return 0


def _line(options: argparse.Namespace, protocol: str) -> LineSection:
    """Return the line that the options describe; ConfigError."""
    transport = options.transport or ("modbus-tcp" if protocol == "modbus" else "tcp")
    keys: dict[str, Any] = {
        "baud": options.baud,
        "parity": options.parity,
        "stop_bits": options.stop_bits,
        "timed": options.timed,
        "turnaround_ms": options.turnaround_ms,
    }
    if options.serial_pty is not None:
        if options.transport not in (None, "pty"):
            raise ConfigError([f"option: --serial-pty: expected transport pty, found {options.transport}"])
        transport = "pty"
        if options.serial_pty:
            keys["path"] = Path(options.serial_pty)
    if transport in ("modbus-tcp", "tcp", "dial-out"):
        keys |= {"host": options.host, "port": options.port}
    if options.device is not None:
        keys["device"] = options.device
    return _checked(LineSection, {"name": _LINE, "transport": transport, **keys})


def _checked(model: type[_Options], keys: dict[str, Any]) -> _Options:
    """Return what options say as a section; ConfigError."""
    try:
        return model.model_validate(keys)
    except ValidationError as error:
        raise ConfigError(problems_of("option", keys, error, model)) from None


def _truth(options: argparse.Namespace) -> int:
    config = _config(options)
    zone = ZoneInfo(config.station.timezone)
    from_ms, until_ms = (_local_ms(moment, zone) for moment in (options.from_time, options.to_time))
    if until_ms <= from_ms:
        raise ConfigError([f"--to: expected after --from {options.from_time}, found {options.to_time}"])
    start_ms = start_of(config, from_ms)
    if start_ms > from_ms:
        raise ConfigError([f"--from: expected not before the start of the station, found {options.from_time}"])
    result = truth(Station(config, start_ms, file=str(options.file)), from_ms, until_ms)
    text = json.dumps(as_json(result), indent=2) if options.json else as_table(result)
    print(text)  # noqa: T201 - the command's output
    return 0


def _local_ms(moment: datetime, zone: ZoneInfo) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return round(aware.timestamp() * 1000)


if __name__ == "__main__":
    sys.exit(main())
