"""The command `inspect` on the command line of `diantan-sim`."""

import argparse
from pathlib import Path
from typing import Final

_FORMATS: Final = ("json", "junit", "html", "docx")
_EXAMPLE: Final = Path(__file__).with_name("examples") / "inspection.toml"


def add_inspect_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to the parser."""
    inspect = commands.add_parser(
        "inspect",
        help="inspect a meter (检验) after T/CIMA 0079.4",
        description="Inspects a device as a plan says and writes the reports. An interrupted run goes on where it was. "
        "Exit status: 0 everything performed conforms, 1 something does not, 2 wrong input, 3 no conclusion.",
    )
    inspect.add_argument("plan", nargs="?", type=Path, metavar="PLAN.toml", help="with --self: default an example")
    inspect.add_argument(
        "--self", dest="itself", action="store_true", help="inspect the simulated firmware instead of the device"
    )
    inspect.add_argument(
        "--items", action="append", default=[], metavar="PATTERN", help="only these items, such as 'metering.*'"
    )
    inspect.add_argument("--fast", action="store_true", help="few load points: a look for CI, not an inspection")
    inspect.add_argument("--anew", action="store_true", help="set the record of a former run aside and begin anew")
    inspect.add_argument("--list", action="store_true", help="list the items and end")
    inspect.add_argument("--output", type=Path, metavar="DIR", help="where record and reports go")
    inspect.add_argument(
        "--format", action="append", choices=_FORMATS, help="only these reports (default: all of them)"
    )
    inspect.set_defaults(command=_inspect)


def _inspect(options: argparse.Namespace) -> int:
    # Only here: the other commands of the simulator need neither the bench nor what writes Word documents.
    from firmware_sim.inspection.command import Options, inspect, listed, self_plan  # noqa: PLC0415
    from firmware_sim.inspection.plan import load_plan  # noqa: PLC0415

    if options.plan is None and not (options.itself or options.list):
        raise ValueError("inspect: expected PLAN.toml, or --self")
    plan = load_plan(options.plan or _EXAMPLE)
    if options.plan is None:
        output = Path(f"inspection-{plan.inspection.number}")
        plan = plan.model_copy(update={"inspection": plan.inspection.model_copy(update={"output": output})})
    if options.itself:
        plan = self_plan(plan)
    if options.list:
        print(listed(plan))  # noqa: T201 - the command's answer
        return 0
    formats = options.format or _FORMATS
    return inspect(plan, Options(options.items, options.fast, options.anew, formats, options.output))
