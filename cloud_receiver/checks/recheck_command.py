"""`diantan-receiver recheck`: have past days checked anew (重新核查), as after a correction of the registry."""

import argparse
import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from cloud_receiver import database
from cloud_receiver.checks import again, load, notes
from cloud_receiver.checks.causes import digest_of_settings
from cloud_receiver.checks.model import Context
from cloud_receiver.checks.runner import Runner
from cloud_receiver.config import Settings
from cloud_receiver.local_days import days
from cloud_receiver.orders.command_line import login_name
from cloud_receiver.orders.waiting import Progress
from cloud_receiver.report import ReportError
from cloud_receiver.report_text import printable
from cloud_receiver.validation.command import Opened, opened
from diantan_core import next_day_start_ms

_MOST_DAYS: Final = 400
_FIRST: Final = date(1971, 1, 1)
_LONGEST_NAME: Final = 64


def add(
    sub: "argparse._SubParsersAction[argparse.ArgumentParser]", common: Callable[[argparse.ArgumentParser], None]
) -> None:
    """Add the command; `common` adds the options that every command of the program has."""
    parser = sub.add_parser(
        "recheck",
        help="have past days checked anew (重新核查), as after a correction of the registry",
        description="Have past days, and their months, checked anew: by the receiver that runs on this store, between "
        "two rounds of what is fresh, or here.",
    )
    common(parser)
    parser.add_argument("station", nargs="*", metavar="STATION", help="(default: all)")
    parser.add_argument(
        "--from",
        dest="first",
        type=days,
        metavar="DAY",
        help="a local day (2026-07-01) or month (2026-07) (default: checks.recheck_days ago)",
    )
    parser.add_argument("--to", dest="last", type=days, metavar="DAY", help="likewise, included (default: today)")
    parser.add_argument(
        "--changed",
        action="store_true",
        help="only days that were checked with another entry of the registry, or with other settings",
    )
    parser.add_argument("--here", action="store_true", help="check them in this process, as where no receiver runs")
    parser.add_argument("--by", metavar="NAME", help="who wants it (default: who has logged in)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Note the days, and with `--here` check them."""
    who = _person(options.by)
    with opened(options) as store:
        if not store.settings.checks.enabled:
            raise ReportError(f"checks.enabled is false in {options.config}: nothing is checked")
        known = {item.id for item in store.registry.station}
        if missing := [name for name in options.station if name not in known]:
            raise ReportError(f"station {printable(missing[0])!r} is not in {store.settings.registry}")
        progress = Progress(lambda: store.seconds.monotonic_ms() / 1000)
        noted = _note(store, set(options.station) or known, options, who, progress)
        count = sum(noted.values())
        _say(f"{count} days of {len(noted)} stations are to be checked anew")
        if options.here:
            done, failed = asyncio.run(_work(store, progress))
            _say(f"{done - failed} days checked anew")
            if failed:
                raise ReportError(f"{failed} days could not be checked anew, and stay noted: see why above")
        elif count:
            _say("the receiver that runs on this store does it; --here does it without one")
            _say("it does so by the registry and the settings that it began with: restart it where they were corrected")


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a command's answer


def _person(name: str | None) -> str:
    who = login_name() if name is None else name
    if not who.isprintable() or not 1 <= len(who) <= _LONGEST_NAME:
        raise ReportError(f"--by: expected 1 to {_LONGEST_NAME} printable characters")
    return who


def _note(
    store: Opened, wanted: set[str], options: argparse.Namespace, who: str, progress: Progress
) -> Mapping[str, int]:
    """Note the days to be checked; return how many of each station that has some."""
    settings, now_ms = store.settings, store.now_ms
    digest = digest_of_settings(settings.checks, settings.validation, settings.sales) if options.changed else None
    noted: dict[str, int] = {}
    with database.reading(store.engine) as connection:
        found = [item for item in load.contexts(connection, store.registry) if item.station.id in wanted]
        enrolled = load.enrolments(connection)
    spans = [_span(context, settings, options, now_ms) for context in found]
    for place, (context, span) in enumerate(zip(found, spans, strict=True), 1):
        with database.writing(store.engine) as connection:
            begin_ms = load.begin_ms(connection, context, enrolled.get(context.number, now_ms), now_ms)
            chosen = _chosen(connection, context, span, begin_ms, digest)
            notes.ask(connection, context.number, chosen, who, now_ms)
        if chosen:
            noted[context.station.id] = len(chosen)
        progress(f"looked at {place} of {len(found)} stations")
    progress.clear()
    return noted


def _chosen(
    connection: Connection, context: Context, span: tuple[int, int], begin_ms: int | None, digest: str | None
) -> set[int]:
    each = set(again.days_of(context, *span))
    if digest is None:
        return again.known(connection, context, each, begin_ms)
    return again.changed(connection, context, each, begin_ms, digest)


def _span(context: Context, settings: Settings, options: argparse.Namespace, now_ms: int) -> tuple[int, int]:
    """Return the time [first, end) that is meant, in ms UTC; nothing of it lies ahead."""
    zone = ZoneInfo(context.station.timezone)
    today = datetime.fromtimestamp(now_ms // 1000, UTC).astimezone(zone).date()
    last: date = today if options.last is None else options.last.last
    if options.first is None:
        if options.last is not None:
            raise ReportError("--to goes with --from")
        first_ms = now_ms - settings.checks.recheck_days * again.DAY_MS
    else:
        first: date = options.first.first
        if not _FIRST <= first <= today:
            raise ReportError(f"--from {first}: expected a day of 1971 to today, {today}")
        if not first <= last or (min(last, today) - first).days >= _MOST_DAYS:
            raise ReportError(f"--from {first} --to {last}: expected at most {_MOST_DAYS} days, the first one first")
        first_ms = _midnight_ms(first, zone)
    end_ms = next_day_start_ms(_midnight_ms(min(last, today), zone), context.station.timezone)
    return first_ms, min(end_ms, now_ms)


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000


async def _work(store: Opened, progress: Progress) -> tuple[int, int]:
    """Check what is fresh, as a receiver would first, then the days that wait; return how many, and failed of these."""
    settings = store.settings
    runner = Runner(
        *(store.engine, store.registry, store.seconds, settings.checks.model_copy(update={"recheck_days": 0})),
        validation=settings.validation,
        sales=settings.sales,
    )
    while await runner.round() or runner.behind:
        progress("checking what came, or fell due, since a receiver last ran")
    with database.reading(store.engine) as connection:
        total = notes.waiting(connection)
    done = 0
    while count := await runner.again():
        done += count
        progress(f"checked {done} of {total} days anew")
    progress.clear()
    return done, runner.unchecked
