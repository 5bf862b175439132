"""`diantan-receiver sales import`: orders of a file of CSV; nothing is stored of one that has a mistake."""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from cloud_receiver import database
from cloud_receiver.checks.model import Context
from cloud_receiver.delimited.columns import columns_of
from cloud_receiver.delimited.form import decimal, encoding, separator
from cloud_receiver.delimited.times import Dates
from cloud_receiver.delimited.zone import zone_of
from cloud_receiver.mistakes import MOST_SHOWN, InputError, Mistake, Problem, Problems
from cloud_receiver.orders.command_line import login_name
from cloud_receiver.orders.waiting import Progress
from cloud_receiver.sales import csv_file, store
from cloud_receiver.sales.chargers import Chargers
from cloud_receiver.sales.csv_file import File, Form
from cloud_receiver.sales.order import CSV
from cloud_receiver.sales.record import NAMES, Reading
from cloud_receiver.sales.store import Entered
from cloud_receiver.sales.times import Times
from cloud_receiver.validation.command import Opened, opened

_ONE_TRANSACTION: Final = 2000
"""Orders: the intake waits no longer than for some of its own groups."""
_LONGEST_NAME: Final = 64
_MOST_KEPT: Final = 1000


class SalesError(ValueError):
    """Orders can't be taken in or shown as asked."""


class Counted(Problems):
    """Keeps the first mistakes of a file and counts all."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.kept: list[Problem] = []
        self.count = 0

    def __bool__(self) -> bool:
        return bool(self.count)

    def add(self, mistake: Mistake, text: str, *, place: str = "", element: str = "") -> None:
        """Note a mistake."""
        self.count += 1
        if len(self.kept) < _MOST_KEPT:
            self.kept.append(Problem(mistake, text, self.file, place, element))

    def raise_any(self) -> None:
        """InputError with the first mistakes when there is any."""
        if self.kept:
            raise InputError(self.kept)


def run(options: argparse.Namespace) -> int:
    """Import a file; return 1 where nothing or not all of it was stored."""
    by = person(options.by)
    with opened(options) as at:
        context = at.context(options.station)
        progress = Progress(lambda: at.seconds.monotonic_ms() / 1000)
        problems = Counted(options.file)
        times = Times(zone_of(options.zone or context.station.timezone), Dates(options.dates), options.time_format)
        reading = Reading(Chargers(context), times, problems)
        form = Form(
            separator(options.separator),
            decimal(options.decimal),
            columns_of(options.column, NAMES),
            encoding(options.encoding),
        )
        found = csv_file.read(Path(options.file), reading, form, progress)
        stored = not problems or options.skip_bad
        entered = _enter(at, context, found, by, progress) if stored else Entered()
        progress.clear()
    _answer(options, found, problems, entered, times.repeated, stored=stored)
    return int(bool(problems))


def _enter(at: Opened, context: Context, found: File, by: str, progress: Progress) -> Entered:
    total = Entered()
    for place in range(0, len(found.told), _ONE_TRANSACTION):
        part = found.told[place : place + _ONE_TRANSACTION]
        with database.writing(at.engine) as connection:
            entered = store.enter(connection, context.number, part, source=CSV, made_by=by, now_ms=at.now_ms)
        total.new += entered.new
        total.known += entered.known
        total.changed += entered.changed
        progress(f"stored {place + len(part)} of {len(found.told)} orders")
    return total


def _answer(
    options: argparse.Namespace, found: File, problems: Counted, entered: Entered, repeated: int, *, stored: bool
) -> None:
    content = {
        "file": options.file,
        "station": options.station,
        "lines": found.lines,
        "new": entered.new,
        "known": entered.known + found.repeated,
        "changed": entered.changed,
        "wrong": found.wrong,
        "stored": stored,
        "repeated_hour": repeated,
        "ignored_columns": list(found.ignored),
    }
    if options.json:
        mistakes = [{"place": item.place, "column": item.element, "text": item.text} for item in problems.kept]
        _say(
            json.dumps(content | {"mistakes": mistakes, "mistake_count": problems.count}, ensure_ascii=False, indent=2)
        )
        return
    for item in problems.kept[:MOST_SHOWN]:
        _hint(str(item))
    if problems.count > MOST_SHOWN:
        _hint(f"and {problems.count - MOST_SHOWN} more mistakes")
    if found.ignored:
        _hint(f"{options.file}: columns that are none of an order's are left out: {', '.join(found.ignored)[:1000]}")
    if repeated:
        _hint(
            f"{options.file}: {repeated} times were there twice (clocks were put back): the first is meant if it fits"
        )
    if not stored:
        _say(f"{options.station}: nothing is stored: {found.wrong} of {found.lines} lines are wrong")
        return
    _say(
        f"{options.station}: {found.lines} lines: {entered.new} orders new, {content['known']} known, "
        f"{entered.changed} changed, {found.wrong} wrong"
    )


def person(name: str | None) -> str:
    """Return who it is; SalesError for a name that is none."""
    if name is None:
        return login_name()[:_LONGEST_NAME]
    if not name.isprintable() or not 1 <= len(name) <= _LONGEST_NAME:
        raise SalesError(f"--by: expected 1 to {_LONGEST_NAME} printable characters")
    return name


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a command's answer


def _hint(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201  # what is said beside the answer
