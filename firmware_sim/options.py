"""The options of `diantan-sim`, and how their values are read."""

import argparse
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, get_args

from clock import from_spec
from firmware_sim.fault_command import add_fault_command
from firmware_sim.grid_command import add_grid_commands
from firmware_sim.inspect_command import add_inspect_commands
from firmware_sim.line_config import Transport
from firmware_sim.serve_command import add_serve_commands
from profiles import names

_MOST_DIGITS: Final = 25

Command = Callable[[argparse.Namespace], int]


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


def _range(text: str) -> tuple[int, int]:
    least, dash, most = text.partition("-")
    try:
        return int(least), int(most if dash else least)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected ms, or least-most such as 20-500, got {text!r}") from None


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


def parser(station: Command, meter: Command, truth: Command) -> argparse.ArgumentParser:
    """Return the parser; each command's function is `command` of what it parses."""
    whole = argparse.ArgumentParser(
        prog="diantan-sim", description="Simulated electricity-carbon meters, and an inspection bench."
    )
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    all_meters = commands.add_parser("station", help="serve all meters of a station")
    all_meters.add_argument("file", type=Path, metavar="STATION.toml")
    all_meters.set_defaults(command=station)

    one_meter = commands.add_parser("meter", help="serve one meter with a constant load")
    _add_meter(one_meter)
    one_meter.set_defaults(command=meter)

    grid, grid_answer = add_grid_commands(commands)

    for command in (all_meters, one_meter, grid):
        command.add_argument(
            "--clock", type=_clock_spec, default="system", help="system, or simulated:ORIGIN_MS:SPEED:ANCHOR_MS"
        )
        command.add_argument("--ready-file", type=Path, help="write the addresses here when listening")
        command.add_argument("--control", type=Path, metavar="PATH", help="take faults at this Unix socket")

    answer = commands.add_parser("truth", help="print what really flowed at a station")
    answer.add_argument("file", type=Path, metavar="STATION.toml")
    answer.set_defaults(command=truth)
    for command in (answer, grid_answer):
        command.add_argument(
            "--from", dest="from_time", type=_time, required=True, help="local time, or with an offset"
        )
        command.add_argument("--to", dest="to_time", type=_time, required=True)
        command.add_argument("--json", action="store_true", help="exact integers instead of a table")

    for command in (all_meters, answer):
        command.add_argument(
            "--day", type=lambda text: _time(text).date(), help="which day of the session file (default: the busiest)"
        )
    add_fault_command(commands)
    add_inspect_commands(commands)
    add_serve_commands(commands)
    return whole


def _add_meter(meter: argparse.ArgumentParser) -> None:
    meter.add_argument("--id", default="meter")
    meter.add_argument("--profile", default="sim-carbon-meter", help=f"{', '.join(names())}, or a file")
    meter.add_argument("--parameter", action="append", type=_parameter, default=[], metavar="NAME=NUMBER")
    meter.add_argument("--unit", type=int, help="of a meter on Modbus (default 1)")
    meter.add_argument("--address", help="of a DL/T meter (default 000000000001)")

    line = meter.add_argument_group("line")
    line.add_argument("--transport", choices=get_args(Transport), help="default: modbus-tcp, tcp for DL/T meters")
    line.add_argument("--host", default="127.0.0.1", help="where to listen, or whom to call with dial-out")
    line.add_argument("--port", type=_steps(0, 65535, 1), default=5020)
    line.add_argument(
        "--serial-pty",
        nargs="?",
        const="",
        metavar="LINK",
        help="serve on a pseudo-terminal, and link it here; short for --transport pty",
    )
    line.add_argument("--device", help="serial device of --transport serial")
    line.add_argument("--baud", type=int, default=9_600)
    line.add_argument("--parity", choices=("even", "none", "odd"), default="even")
    line.add_argument("--stop-bits", type=int, choices=(1, 2), default=1)
    line.add_argument("--timed", action="store_true", help="replies take as long as their octets do at --baud")
    line.add_argument("--turnaround-ms", type=_range, default=(0, 0), metavar="MS[-MS]", help="before a reply begins")

    load = meter.add_argument_group("load")
    load.add_argument(
        "--power-w", type=_steps(-(10**9), 10**9, 1000), default="7000", help="negative: the load feeds back"
    )
    load.add_argument("--power-factor", type=_decimal, default=Decimal(1))
    load.add_argument("--single-phase", action="store_true")
    load.add_argument("--gain-error", type=_decimal, default=Decimal(0), help="0.03 over-registers by 3 %%")
    load.add_argument("--factor", type=_steps(0, 4_000, 10**6), help="carbon factor in kg/kWh before one is written")
    load.add_argument("--timezone", default="Asia/Shanghai")
