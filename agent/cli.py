"""The command line of the gateway: `diantan-agent --help`.

Ends with 0 when all is well, 1 when the work failed, 2 when the command or the configuration is wrong.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from agent.config_file import ConfigError, load_config
from agent.journal_schema import JournalError
from clock import from_spec

CONFIG_VARIABLE: Final = "DIANTAN_AGENT_CONFIG"
DEFAULT_CONFIG: Final = "agent.toml"
_FAILED: Final = 1
_WRONG: Final = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except ConfigError as error:
        _say(*error.problems)
        return _WRONG
    except BrokenPipeError:
        return _FAILED
    except Exception as error:
        if not _is_expected(error):
            raise
        _say(f"diantan-agent: {error}")
        return _FAILED


def _is_expected(error: Exception) -> bool:
    """Return whether an error speaks for itself; loaded only now, so that simple commands start quickly."""
    from agent.metering import MeteringError  # noqa: PLC0415
    from agent.read_command import ReadError  # noqa: PLC0415
    from agent.run_command import AlreadyRunningError  # noqa: PLC0415
    from wire.connection import LinkError  # noqa: PLC0415
    from wire.keys import KeyFileError  # noqa: PLC0415

    known = (JournalError, KeyFileError, ReadError, MeteringError, AlreadyRunningError, LinkError, OSError)
    return isinstance(error, known)


def _say(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201 - the command's own output


def _print(text: str) -> None:
    print(text)  # noqa: T201 - the command's own output


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="diantan-agent", description="Electricity-carbon gateway (电碳网关): reads meters, loses nothing."
    )
    parser.add_argument("--version", action="version", version=f"diantan {version('diantan')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="check a configuration, its profiles and key files")
    check.set_defaults(command=_check)

    run = commands.add_parser("run", help="run the gateway until SIGTERM")
    run.set_defaults(command=_run)
    run.add_argument(
        "--clock", type=_clock_spec, default="system", metavar="SPEC", help="system (default) or simulated:…"
    )
    run.add_argument("--log", choices=("human", "json"), default="human", help="style of the log on standard error")

    read = commands.add_parser("read", help="read one meter once (抄读)")
    read.set_defaults(command=_read)

    journal = commands.add_parser("journal", help="look at the journal; also while the agent runs")
    actions = journal.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("ls", help="energy, carbon, freezes and delivery by meter")
    listing.set_defaults(command=_journal_list)
    verify = actions.add_parser("verify", help="check that sequences and registers are continuous")
    verify.set_defaults(command=_journal_verify)
    export = actions.add_parser("export", help="print every record as a JSON line")
    export.set_defaults(command=_journal_export)
    aside = actions.add_parser("set-aside", help="rename a damaged journal, so that the next run opens a new context")
    aside.set_defaults(command=_journal_set_aside)

    for one in (check, run, read, listing, verify, export, aside):
        one.add_argument(
            "-c",
            "--config",
            type=Path,
            default=Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG)),
            metavar="FILE",
            help=f"the gateway's TOML file (default: ${CONFIG_VARIABLE}, else {DEFAULT_CONFIG} here)",
        )
    read.add_argument("meter", metavar="METER")
    read.add_argument("points", nargs="*", metavar="POINT", help="standard point names; default: what a poll reads")
    for one in (read, listing, verify):
        one.add_argument("--json", action="store_true", help="print JSON")

    key = commands.add_parser("key", help="the gateway's signing key")
    actions = key.add_subparsers(required=True, metavar="ACTION")
    new = actions.add_parser("new", help="write a new private key, and its public half beside it as FILE.pub")
    new.set_defaults(command=_key_new)
    show = actions.add_parser("show", help="print the id of a private or public key")
    show.set_defaults(command=_key_show)
    for one in (new, show):
        one.add_argument("file", type=Path, metavar="FILE")
    return parser


def _clock_spec(text: str) -> str:
    try:
        from_spec(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _check(arguments: argparse.Namespace) -> int:
    loaded = load_config(arguments.config)
    from wire.keys import KeyFileError, load_private, load_public  # noqa: PLC0415

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
    _print(f"{arguments.config}: gateway {loaded.config.gateway.id}, {len(lines)} lines, {meters} meters: all well")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from agent import logs, run_command  # noqa: PLC0415

    clock = from_spec(arguments.clock)
    logs.configure(arguments.log, clock)
    run_command.run(arguments.config, clock)
    return 0


def _read(arguments: argparse.Namespace) -> int:
    from agent import logs, read_command  # noqa: PLC0415

    logs.silence_driver()
    entries = read_command.read_meter(arguments.config, arguments.meter, arguments.points, from_spec("system"))
    _print(read_command.shown(entries, as_json=arguments.json))
    return 0


def _journal_list(arguments: argparse.Namespace) -> int:
    from agent import journal_report  # noqa: PLC0415

    found = journal_report.figures(load_config(arguments.config).config.journal_file)
    _print(json.dumps(found.as_json(), ensure_ascii=False) if arguments.json else journal_report.table(found))
    return 0


def _journal_verify(arguments: argparse.Namespace) -> int:
    from agent.journal_check import verify  # noqa: PLC0415

    verdict = verify(load_config(arguments.config).config.journal_file)
    if arguments.json:
        names = ("records", "first", "last", "meters", "problems")
        _print(json.dumps({name: getattr(verdict, name) for name in names}, ensure_ascii=False))
    else:
        _say(*verdict.problems)
        _print(f"{verdict.records} records of {verdict.meters} meters: {len(verdict.problems) or 'no'} problems")
    return _FAILED if verdict.problems else 0


def _journal_export(arguments: argparse.Namespace) -> int:
    from agent.journal_report import export  # noqa: PLC0415

    for line in export(load_config(arguments.config).config.journal_file):
        _print(line)
    return 0


def _journal_set_aside(arguments: argparse.Namespace) -> int:
    from agent.run_command import locked  # noqa: PLC0415

    config = load_config(arguments.config).config
    path = config.journal_file
    with locked(config.gateway.data_dir):
        if not path.exists():
            raise JournalError(f"{path}: there is no journal")
        stamp = datetime.fromtimestamp(from_spec("system").now_ms() / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        target = path.with_name(f"{path.name}.aside-{stamp}")
        # The write-ahead log belongs to the file: what it holds may be the newest records.
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(target.with_name(target.name + suffix))
    _print(f"{path} is now {target}")
    return 0


def _key_new(arguments: argparse.Namespace) -> int:
    from wire import keys  # noqa: PLC0415

    public = arguments.file.with_name(arguments.file.name + ".pub")
    if public.exists():
        raise keys.KeyFileError(f"{public}: exists, and a key is never overwritten")
    key = keys.generate()
    keys.save_private(key, arguments.file)
    keys.save_public(key.public_key(), public)
    _print(f"{arguments.file}: key {keys.key_id(key.public_key()).hex()}; enrol {public} at the centre")
    return 0


def _key_show(arguments: argparse.Namespace) -> int:
    from wire import keys  # noqa: PLC0415

    try:
        public = keys.load_public(arguments.file)
    except keys.KeyFileError:
        public = keys.load_private(arguments.file).public_key()
    _print(f"{arguments.file}: key {keys.key_id(public).hex()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
