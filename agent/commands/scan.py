"""`diantan-agent scan`: which meters are on a line."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from agent.commands.options import add_config, add_json, whole
from agent.commands.output import FAILED, CommandError, UsageError, say, show
from agent.commands.progress import Progress
from clock import Clock, from_spec

if TYPE_CHECKING:
    from agent.config_lines import Line
    from agent.line_spec import Target
    from agent.scan_command import Meter, Scan

_PROTOCOLS: Final = ("dlt645", "dlt698", "modbus")
_LAST_UNIT: Final = 247
_AUTO_UNITS: Final = range(1, 17)  # ten rates times 247 units would take an hour
_TIMEOUT_MS: Final = 600  # DL/T 645-2007, 5.3.3: a meter answers within 500 ms
_DESCRIPTION: Final = """
Finds the meters of LINE: a configured line's name, or serial:/dev/ttyUSB0?baud=9600&parity=even, tcp:HOST:PORT,
modbus-tcp:HOST:PORT. DL/T 645 by address read, wildcard and shortened addresses (缩位寻址), DL/T 698.45 by wildcard
address, Modbus by asking one unit after the other. Only reads. Then tries which profile brings plausible values, and
prints the [[line]] for the configuration, with how sure each profile is. Not beside a running gateway on that line.
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    scan = commands.add_parser("scan", help="find the meters of a line and suggest profiles", description=_DESCRIPTION)
    scan.set_defaults(command=_scan)
    add_config(scan)
    add_json(scan)
    scan.add_argument("line", metavar="LINE")
    scan.add_argument("--baud", type=_baud, help="serial: a rate, or auto for the usual ones and parities")
    scan.add_argument("--parity", choices=("none", "even", "odd"), help="serial: parity")
    scan.add_argument("--units", type=_units, metavar="1-247", help="Modbus units, such as 1-16,100")
    scan.add_argument("--protocol", action="append", choices=_PROTOCOLS, help="look for this one only; may be repeated")
    scan.add_argument(
        "--timeout-ms", type=whole(10, 60_000), metavar="MS", help=f"until a reply begins (serial: {_TIMEOUT_MS})"
    )
    scan.add_argument("--profile", action="append", default=[], metavar="FILE", help="try this profile too")
    scan.add_argument(
        "--thorough", action="store_true", help="search by shortened addresses even if one meter answered"
    )


def _baud(text: str) -> str:
    from agent.config_lines import Baud  # noqa: PLC0415

    known = [str(rate) for rate in get_args(Baud)]
    if text not in ("auto", *known):
        raise argparse.ArgumentTypeError(f"expected auto or one of {', '.join(known)}, found {text[:40]!r}")
    return text


def _units(text: str) -> list[int]:
    unit = whole(1, _LAST_UNIT)
    units: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            numbers = range(unit(first), unit(last if dash else first) + 1)
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentTypeError(f"expected units such as 1-16,100: {error}") from None
        if not numbers:
            raise argparse.ArgumentTypeError(f"expected the lower unit first, found {part!r}")
        units |= dict.fromkeys(numbers)
    return list(units)


def _scan(arguments: argparse.Namespace) -> int:
    from agent import logs  # noqa: PLC0415
    from agent.line_spec import find_line, is_spec  # noqa: PLC0415
    from agent.scan_command import as_json, rates  # noqa: PLC0415
    from agent.scan_config import configuration  # noqa: PLC0415

    logs.silence_driver()
    clock = from_spec("system")
    target = find_line(arguments.line, arguments.config)
    lines = rates(_line(target.line, arguments), arguments.baud)
    line, meters = asyncio.run(_work(lines, _wanted(arguments, target), clock))
    if not meters:
        say(f"{arguments.line}: no meter answered")
        return FAILED
    name = _name(arguments.line) if is_spec(arguments.line) else target.line.name
    # What was enough for the search is not what the gateway is to wait.
    line = line.model_copy(update={"timeout_ms": target.line.timeout_ms})
    show(as_json(line, meters) if arguments.json else configuration(line, name, meters))
    return 0


def _line(line: "Line", arguments: argparse.Namespace) -> "Line":
    # Behind a network a reply takes as long as the line says; on a wire only the meter takes time.
    said = line.transport != "serial" or "timeout_ms" in line.model_fields_set
    default = line.timeout_ms if said else _TIMEOUT_MS
    update = {"timeout_ms": arguments.timeout_ms or default}
    for key in ("baud", "parity"):
        value = getattr(arguments, key)
        if value is None:
            continue
        if line.transport != "serial":
            raise UsageError(f"--{key} is for serial lines, {arguments.line} is {line.transport}")
        if value == "auto":
            continue
        update[key] = int(value) if key == "baud" else value
    return line.model_copy(update=update)


def _wanted(arguments: argparse.Namespace, target: "Target") -> "Scan":
    from agent.scan_command import Scan, protocols_of  # noqa: PLC0415
    from agent.suggest import candidates  # noqa: PLC0415
    from profiles import ProfileError  # noqa: PLC0415

    possible = protocols_of(target.line)
    protocols = tuple(name for name in possible if not arguments.protocol or name in arguments.protocol)
    if not protocols:
        raise UsageError(f"{arguments.line}: {target.line.transport} carries {', '.join(possible)} only")
    default = _AUTO_UNITS if arguments.baud == "auto" else range(1, _LAST_UNIT + 1)
    paths = [str(Path(path).absolute()) for path in arguments.profile]
    try:
        known = {protocol: candidates(protocol, paths) for protocol in protocols}
    except ProfileError as error:
        raise UsageError("\n".join(str(problem) for problem in error.problems)) from None
    return Scan(protocols, arguments.units or default, known, target.timezone, arguments.thorough)


async def _work(lines: list["Line"], scan: "Scan", clock: Clock) -> tuple["Line", list["Meter"]]:
    from agent.scan_command import scan_line  # noqa: PLC0415
    from fieldbus.exchange import LineDownError  # noqa: PLC0415

    progress = Progress(clock)
    if not sys.stderr.isatty():
        say("looking for " + ", ".join(scan.protocols))
    try:
        for line in lines:
            how = f"{getattr(line, 'baud', '')} {getattr(line, 'parity', '')}".strip()
            try:
                progress.prefix = f"{how}: " if len(lines) > 1 else ""
                meters = await scan_line(line, scan, clock, progress)
            except LineDownError as error:
                raise CommandError(f"line {line.name}: {error}") from error
            if meters:
                return line, meters
        return lines[0], []
    finally:
        progress.clear()


def _name(spec: str) -> str:
    """Return a name for a line that has none: what it is on."""
    where = spec.partition(":")[2].partition("?")[0]
    return where.rsplit("/", 1)[-1] or "line-1"
