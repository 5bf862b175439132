"""`diantan-agent check` and `run`: the gateway and its configuration."""

import argparse

from agent.commands.options import add_config
from agent.commands.output import show
from clock import from_spec


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to the parser."""
    check = commands.add_parser("check", help="check a configuration, its profiles and key files")
    check.set_defaults(command=_check)
    add_config(check)

    run = commands.add_parser("run", help="run the gateway until SIGTERM")
    run.set_defaults(command=_run)
    add_config(run)
    run.add_argument(
        "--clock", type=_clock_spec, default="system", metavar="SPEC", help="system (default) or simulated:…"
    )
    run.add_argument("--log", choices=("human", "json"), default="human", help="style of the log on standard error")
    run.add_argument(
        "--trace",
        action="append",
        default=[],
        metavar="LINE",
        help="show this line's frames (报文监视)",
    )


def _clock_spec(text: str) -> str:
    try:
        from_spec(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _check(arguments: argparse.Namespace) -> int:
    from agent.config_file import load_config  # noqa: PLC0415
    from agent.configuration.shown import in_force  # noqa: PLC0415
    from settings.errors import ConfigError  # noqa: PLC0415
    from wire.keys import KeyFileError, load_private, load_public  # noqa: PLC0415

    loaded = load_config(arguments.config)
    problems = []
    for key, load, file in (
        ("gateway.key_file", load_private, loaded.config.gateway.key_file),
        ("centre.key_file", load_public, loaded.config.centre.key_file),
    ):
        try:
            load(file)
        except KeyFileError as error:
            problems.append(f"{arguments.config}: {key}: {error}")
    if problems:
        raise ConfigError(problems)
    lines = loaded.config.line
    meters = sum(len(line.meter) for line in lines)
    show(f"{arguments.config}: gateway {loaded.config.gateway.id}, {len(lines)} lines, {meters} meters: all well")
    found = in_force(arguments.config)
    if found.is_sent:
        show("\n".join(["but it is not in force:", *found.lines(), "`diantan-agent config reset` lets it count again"]))
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from agent import logs, run_command  # noqa: PLC0415

    clock = from_spec(arguments.clock)
    logs.configure(arguments.log, clock)
    run_command.run(arguments.config, clock, arguments.trace)
    return 0
