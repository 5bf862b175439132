"""`diantan-agent journal`: a look at the journal, also while the agent runs."""

import argparse
import json
from datetime import UTC, datetime

from agent.commands.options import add_config, add_json
from agent.commands.output import FAILED, say, show


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to the parser."""
    journal = commands.add_parser("journal", help="look at the journal; also while the agent runs")
    actions = journal.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("ls", help="energy, carbon, freezes and delivery by meter")
    listing.set_defaults(command=_list)
    verify = actions.add_parser("verify", help="check that sequences and registers are continuous")
    verify.set_defaults(command=_verify)
    export = actions.add_parser("export", help="print every record as a JSON line")
    export.set_defaults(command=_export)
    aside = actions.add_parser("set-aside", help="rename a damaged journal, so that the next run opens a new context")
    aside.set_defaults(command=_set_aside)
    for one in (listing, verify, export, aside):
        add_config(one)
    for one in (listing, verify):
        add_json(one)


def _list(arguments: argparse.Namespace) -> int:
    from agent import journal_report  # noqa: PLC0415
    from agent.config_file import load_config  # noqa: PLC0415

    found = journal_report.figures(load_config(arguments.config).config.journal_file)
    show(json.dumps(found.as_json(), ensure_ascii=False) if arguments.json else journal_report.table(found))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from agent.config_file import load_config  # noqa: PLC0415
    from agent.journal_check import verify  # noqa: PLC0415

    verdict = verify(load_config(arguments.config).config.journal_file)
    if arguments.json:
        names = ("records", "first", "last", "meters", "problems")
        show(json.dumps({name: getattr(verdict, name) for name in names}, ensure_ascii=False))
    else:
        say(*verdict.problems)
        show(f"{verdict.records} records of {verdict.meters} meters: {len(verdict.problems) or 'no'} problems")
    return FAILED if verdict.problems else 0


def _export(arguments: argparse.Namespace) -> int:
    from agent.config_file import load_config  # noqa: PLC0415
    from agent.journal_report import export  # noqa: PLC0415

    for line in export(load_config(arguments.config).config.journal_file):
        show(line)
    return 0


def _set_aside(arguments: argparse.Namespace) -> int:
    from agent.config_file import load_config  # noqa: PLC0415
    from agent.journal_former import Former  # noqa: PLC0415
    from agent.journal_schema import JournalError  # noqa: PLC0415
    from agent.run_command import locked  # noqa: PLC0415
    from clock import from_spec  # noqa: PLC0415

    config = load_config(arguments.config).config
    path = config.journal_file
    with locked(config.gateway.data_dir):
        if not path.exists():
            raise JournalError(f"{path}: there is no journal")
        stamp = datetime.fromtimestamp(from_spec("system").now_ms() / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        target = path.with_name(f"{path.name}.aside-{stamp}")
        count = 1
        while target.exists():  # another within the same second must not be overwritten
            count += 1
            target = path.with_name(f"{path.name}.aside-{stamp}-{count}")
        former, earlier = Former.of_journal(path), Former.of_trace(path)
        # One without a record has not told the centre of the journal before it: that is still to be told.
        if earlier is not None and (former is None or not former.last_sequence):
            former = earlier
        elif former is not None:
            former.leave(path)
        # The write-ahead log belongs to the file: what it holds may be the newest records.
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(target.with_name(target.name + suffix))
    show(f"{path} is now {target}")
    if former is None:
        show("its context and last record can't be read: the centre will be told neither")
    else:
        show(f"context {former.context.hex()}, last record {former.last_sequence}: the next run tells the centre")
    return 0
