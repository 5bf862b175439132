"""`diantan-sim`: simulated meters and stations on Modbus TCP."""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from clock import from_spec
from firmware_sim.circuit import Circuit
from firmware_sim.config import ConfigError, MeterSection, StationConfig, load_station, problems_of
from firmware_sim.curves import ConstantCurve
from firmware_sim.layout import Layout
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.registers import RegisterMap
from firmware_sim.serve import Service, run
from firmware_sim.station import Station, gain_error, start_of
from firmware_sim.truth import as_json, as_table, truth
from profiles import load, names

_BAD_INPUT = 2
_LONG_MS = 86_400_000
_MOST_DIGITS = 25
log = logging.getLogger("diantan-sim")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 after a message about wrong input."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
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
    station.catch_up(now_ms)
    service = Service(
        [(item.section, item.registers) for item in station.meters],
        clock,
        host=config.simulate.host,
        port=config.simulate.port,
        ports=config.simulate.ports,
        silent_units=config.simulate.silent_units,
        file=str(options.file),
    )
    run(service, options.ready_file)
    return 0


def _announce(station: Station) -> None:
    start = datetime.fromtimestamp(station.start_ms / 1000, station.zone)
    log.info("station %s starts at %s", station.config.station.id, start.isoformat())
    if station.replay is not None:
        count = sum(len(group) for group in station.replay.sessions)
        log.info(
            "replaying %d sessions of %d plugs on %s; %d sessions at other plugs are left out",
            count,
            len(station.replay.plugs),
            station.replay.day,
            station.replay.left_out,
        )


def _meter(options: argparse.Namespace) -> int:
    try:
        section = MeterSection(
            id=options.id,
            unit=options.unit,
            profile=options.profile,
            parameters=dict(options.parameter),
            gain_error=options.gain_error,
            power_factor=options.power_factor,
            phase_shares=(1,) if options.single_phase else (1, 1, 1),
        )
    except ValidationError as error:
        raise ConfigError(problems_of("option", error)) from None
    clock = from_spec(options.clock)
    profile = load(section.profile, section.parameters)
    circuit = Circuit(power_factor=int(section.power_factor * 10**6), shares=section.phase_shares)
    settings = MeterSettings(
        timezone=options.timezone,
        gain_error=gain_error(section, 0),
        default_factor=options.factor,
        startup_current_ma=section.startup_current_ma,
        parameters=section.parameters,
    )
    meter = Meter(ConstantCurve(clock.now_ms(), options.power_w), circuit, settings)
    service = Service([(section, RegisterMap(meter, Layout(profile)))], clock, host=options.host, port=options.port)
    run(service, options.ready_file)
    return 0


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


def _decimal(text: str) -> Decimal:
    """Read a finite decimal number of a size that can be computed with."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"expected a decimal number, got {text!r}") from None
    if not value.is_finite():
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text!r}")
    if value.adjusted() > _MOST_DIGITS or int(value.as_tuple().exponent) < -_MOST_DIGITS:
        raise argparse.ArgumentTypeError(f"expected at most {_MOST_DIGITS} digits around the point, got {text!r}")
    return value


def _steps(low: int, high: int, per_unit: int) -> Callable[[str], int]:
    """Return a reader of decimals from `low` to `high` that gives whole steps of 1/`per_unit`."""

    def read(text: str) -> int:
        value = _decimal(text)
        steps = value * per_unit
        if not low <= value <= high or steps != int(steps):
            expected = f"{low} to {high} in steps of {1 / Decimal(per_unit):f}"
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
        return int(steps)

    return read


def _parameter(text: str) -> tuple[str, Decimal]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected NAME=NUMBER, got {text!r}")
    return name, _decimal(value)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a time such as 2026-06-15T00:00, got {text!r}") from None


def _clock_spec(text: str) -> str:
    try:
        from_spec(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="diantan-sim", description="Simulated electricity-carbon meters.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    station = commands.add_parser("station", help="serve all meters of a station over Modbus TCP")
    station.add_argument("file", type=Path, metavar="STATION.toml")
    station.set_defaults(command=_station)

    meter = commands.add_parser("meter", help="serve one meter with a constant load")
    meter.add_argument("--id", default="meter")
    meter.add_argument("--profile", default="sim-carbon-meter", help=f"{', '.join(names())}, or a file")
    meter.add_argument("--parameter", action="append", type=_parameter, default=[], metavar="NAME=NUMBER")
    meter.add_argument("--host", default="127.0.0.1")
    meter.add_argument("--port", type=_steps(0, 65535, 1), default=5020)
    meter.add_argument("--unit", type=int, default=1)
    meter.add_argument(
        "--power-w", type=_steps(-(10**9), 10**9, 1000), default="7000", help="negative: the load feeds back"
    )
    meter.add_argument("--power-factor", type=_decimal, default=Decimal(1))
    meter.add_argument("--single-phase", action="store_true")
    meter.add_argument("--gain-error", type=_decimal, default=Decimal(0), help="0.03 over-registers by 3 %%")
    meter.add_argument("--factor", type=_steps(0, 4_000, 10**6), help="carbon factor in kg/kWh before one is written")
    meter.add_argument("--timezone", default="Asia/Shanghai")
    meter.set_defaults(command=_meter)

    for command in (station, meter):
        command.add_argument(
            "--clock", type=_clock_spec, default="system", help="system, or simulated:ORIGIN_MS:SPEED:ANCHOR_MS"
        )
        command.add_argument("--ready-file", type=Path, help="write the addresses here when listening")

    answer = commands.add_parser("truth", help="print what really flowed at a station")
    answer.add_argument("file", type=Path, metavar="STATION.toml")
    answer.add_argument("--from", dest="from_time", type=_time, required=True, help="local time, or with an offset")
    answer.add_argument("--to", dest="to_time", type=_time, required=True)
    answer.add_argument("--json", action="store_true", help="exact integers instead of a table")
    answer.set_defaults(command=_truth)

    for command in (station, answer):
        command.add_argument(
            "--day", type=lambda text: _time(text).date(), help="which day of the session file (default: the busiest)"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
