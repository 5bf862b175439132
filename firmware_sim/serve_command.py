"""The commands `serve` and `load` of `diantan-sim`: a device under test of its own, and what flows through it."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from firmware_sim.fault_command import ask, setting
from firmware_sim.faults.control import LONGEST_LINE
from settings.errors import ConfigError


def add_serve_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to the parser."""
    serve = commands.add_parser(
        "serve",
        help="run the simulated firmware as the device of a plan",
        description="Runs the simulated firmware on the line of a plan until it is interrupted, for `diantan-sim "
        "inspect` with the same plan in another process. Exit status: 0, 1 when the two did not understand each other, "
        "2 wrong input.",
    )
    serve.add_argument("plan", type=Path, metavar="PLAN.toml")
    serve.add_argument(
        "--defect", metavar="ID", help="with a seeded defect (list: python -m firmware_sim.inspection.defects --list)"
    )
    serve.add_argument("--once", action="store_true", help="end when the bench hangs up (sample stream)")
    serve.add_argument(
        "--standard", action="store_true", help="be the plan's standard meter too (source by command or manual)"
    )
    serve.add_argument("--device", metavar="PATH", help="serial device at the other end of the wire of the plan's")
    serve.add_argument("--control", type=Path, metavar="PATH", help="take faults, and loads, at this Unix socket")
    serve.add_argument("--ready-file", type=Path, help="write the addresses here when the meter answers")
    serve.set_defaults(command=_serve)

    load = commands.add_parser(
        "load",
        help="set what flows through a meter that `serve` runs",
        description="Sets the load of a meter that `diantan-sim serve PLAN --control PATH` runs. Without KEY=VALUE it "
        "reads them as JSON from standard input, as a plan's source by command writes them.",
    )
    load.add_argument("control", type=Path, metavar="PATH", help="its --control socket")
    load.add_argument(
        "setting", nargs="*", type=setting, metavar="KEY=VALUE", help="such as current_a=5 power_factor=0.5 character=L"
    )
    load.set_defaults(command=_load)


def _serve(options: argparse.Namespace) -> int:
    # Only here: the other commands of the simulator don't need the bench.
    from firmware_sim.inspection.plan import load_plan  # noqa: PLC0415
    from firmware_sim.inspection.serving import ServeOptions, serve  # noqa: PLC0415

    return serve(
        load_plan(options.plan),
        ServeOptions(
            str(options.plan),
            options.defect,
            options.once,
            options.standard,
            options.device,
            options.control,
            options.ready_file,
        ),
    )


def _load(options: argparse.Namespace) -> int:
    document: dict[str, Any] = {}
    for key, value in options.setting:
        if key in document:
            raise ConfigError([f"{key}: expected it once, found it twice"])
        document[key] = value
    ask(options.control, {"do": "load", "load": document or _from_input()})
    return 0


def _from_input() -> dict[str, Any]:

    text = sys.stdin.buffer.read(LONGEST_LINE)
    try:
        document = json.loads(text, parse_float=str)
    except ValueError as error:
        raise ConfigError([f"standard input: expected a load as JSON: {error}"]) from None
    if not isinstance(document, dict):
        raise ConfigError(["standard input: expected a load as a JSON object"])
    return document
