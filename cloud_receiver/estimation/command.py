"""`diantan-receiver estimate` and `diantan-receiver verification`."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from cloud_receiver.checks.day import local_time
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.database import reading, writing
from cloud_receiver.estimation import store, suspects, text, verification
from cloud_receiver.estimation.figure import picture
from cloud_receiver.estimation.load import DAY_MS
from cloud_receiver.estimation.model import Facts
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import Work, days_of, facts_of
from cloud_receiver.figures import errors as figure
from cloud_receiver.figures.style import form_of
from cloud_receiver.grid.analysis.periods import instant
from cloud_receiver.orders.command_line import login_name
from cloud_receiver.orders.waiting import Progress
from cloud_receiver.registry import Role
from cloud_receiver.report import ReportError
from cloud_receiver.validation.command import Opened, opened

LONGEST_DAYS: Final = 400


def _span(options: argparse.Namespace, context: Context, now_ms: int, days: int) -> tuple[int, int]:
    zone = context.station.timezone
    end_ms = now_ms if options.end is None else min(instant(options.end, zone, end=True), now_ms)
    end_ms -= end_ms % SLOT_MS
    first_ms = end_ms - days * DAY_MS if options.first is None else instant(options.first, zone)
    if not 0 <= first_ms < end_ms or end_ms - first_ms > (LONGEST_DAYS + 1) * DAY_MS:
        found = " .. ".join(local_time(time_ms, ZoneInfo(zone)) for time_ms in (first_ms, end_ms))
        expected = f"a span that has begun, with --from before --to, of at most {LONGEST_DAYS} days"
        raise ReportError(f"expected {expected}; found {found}")
    return first_ms, end_ms


def _number(context: Context, name: str, roles: tuple[Role, ...]) -> int:
    """Return the meter with a name; of two, the one in service last."""
    found = [number for number, meter in context.meters.items() if meter.id == name and meter.role in roles]
    if not found:
        known = ", ".join(meter.id for meter in context.meters.values() if meter.role in roles)
        raise ReportError(f"meter {name!r} of station {context.station.id}: expected one of {known or 'none'}")
    return max(found, key=lambda number: (context.meters[number].until is None, number))


def _supposed(
    context: Context, facts: Facts, given: list[str], span: tuple[int, int]
) -> tuple[Facts, tuple[tuple[str, int], ...]]:
    """Return the facts with exchanges that are only supposed (what-if), and these.

    Outside the span they would change nothing.
    """
    exchanges = {number: list(times) for number, times in facts.exchanges.items()}
    supposed = []
    for item in given:
        name, separator, time = item.rpartition("=")
        if not separator:
            raise ReportError(f"--exchanged {item!r}: expected METER=TIME")
        number = _number(context, name, (Role.CHARGER, Role.GRID))
        at_ms = instant(time, context.station.timezone)
        if not span[0] < at_ms < span[1]:
            raise ReportError(f"--exchanged {item!r}: expected a time within the span that is estimated")
        exchanges.setdefault(number, []).append(at_ms)
        supposed.append((name, at_ms))
    return Facts({number: sorted(times) for number, times in exchanges.items()}, facts.verifications), tuple(supposed)


def estimate(options: argparse.Namespace) -> None:
    """Estimate a station's errors now, from all windows of a span; nothing of it is stored."""
    if options.history and (options.exchanged or options.figure):
        raise ReportError("--history: expected neither --exchanged nor --figure with it")
    if options.figure is not None:
        form_of(options.figure)  # before half a minute of work
    with opened(options) as at:
        context = at.context(options.station)
        if options.history:
            _history(options, at, context)
            return
        settings = at.settings.estimation
        first_ms, end_ms = _span(options, context, at.now_ms, days_of(context, settings))
        if not (context.numbers(Role.CHARGER) and context.numbers(Role.GRID)):
            raise ReportError(f"station {context.station.id}: expected chargers and a grid-side meter")
        facts, supposed = _supposed(
            context, facts_of(at.engine, context, first_ms, end_ms), options.exchanged, (first_ms, end_ms)
        )
        with reading(at.engine) as connection:
            before = store.branches_of(connection, context.number)
        work = Work(at.engine, context, settings, first_ms, end_ms, facts=facts, before=before)
        progress = Progress(lambda: at.seconds.monotonic_ms() / 1000)
        for day in work.full():
            progress(f"read {day} of {work.days} days" if day < work.days else f"estimating from {day} days")
        progress.clear()
        assert work.done is not None
        found = replace(work.done.result, supposed=supposed)
        if options.figure is not None:
            figure.draw(picture(found, context.station.timezone), options.figure)
        _show(found, ZoneInfo(context.station.timezone), as_json=options.json)


def _show(found: StationResult, zone: ZoneInfo, *, as_json: bool) -> None:
    if as_json:
        _say(json.dumps(found.content(), ensure_ascii=False, indent=2, allow_nan=False))
    else:
        _say(text.report(found, zone))


def _history(options: argparse.Namespace, at: Opened, context: Context) -> None:
    first_ms, end_ms = _span(options, context, at.now_ms, LONGEST_DAYS)
    with reading(at.engine) as connection:
        found = store.history(connection, context.number, first_ms, end_ms)
    drifts = store.drifts(found)
    if options.json:
        content = {
            "station": context.station.id,
            "estimates": [asdict(item) | {"meter": context.name(item.meter)} for item in found],
            "drift": [asdict(item) | {"meter": context.name(item.meter)} for item in drifts],
        }
        _say(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False))
        return
    names = {item.meter: context.name(item.meter) for item in found}
    _say(text.past(found, drifts, names, ZoneInfo(context.station.timezone)))


def enter(options: argparse.Namespace) -> None:
    """Enter the result of an on-site verification, and settle the charger's candidate with it."""
    error, u = verification.error_of(options.error), verification.u_of(options.u)
    left = None if options.left_error is None else verification.error_of(options.left_error, "--left-error")
    by, document = _author(options), verification.text_of(options.document, "--document")
    with opened(options) as at:
        context = at.context(options.station)
        number = _number(context, options.meter, (Role.CHARGER, Role.GRID))
        at_ms = verification.time_of(options.at, context.station.timezone, adjusted=left is not None)
        with writing(at.engine) as connection:
            item = verification.enter(
                connection,
                context.number,
                number,
                at_ms=at_ms,
                error_percent=error,
                u_percent=u,
                left_percent=left,
                made_by=by,
                document=document,
                now_ms=at.now_ms,
            )
            outcome = suspects.settle(connection, context, item, at.now_ms)
    _say(f"verification {item.id} of {options.meter}: entered; candidate for re-verification: {outcome or 'none'}")


def _author(options: argparse.Namespace) -> str:
    return login_name() if options.by is None else verification.words_of(options.by, "--by")


def withdraw(options: argparse.Namespace) -> None:
    """Take a result out of use; it stays in the store."""
    by, reason = _author(options), verification.words_of(options.reason, "--reason")
    with opened(options) as at:
        context = at.context(options.station)
        with writing(at.engine) as connection:
            verification.withdraw(connection, context.number, options.id, by=by, reason=reason, now_ms=at.now_ms)
            suspects.unsettle(connection, context, options.id, at.now_ms)
    _say(f"verification {options.id}: withdrawn")


def listed(options: argparse.Namespace) -> None:
    """List results."""
    with opened(options) as at:
        context = at.context(options.station)
        zone = ZoneInfo(context.station.timezone)
        with reading(at.engine) as connection:
            found = verification.listed(connection, context.number, withdrawn=options.all)
    if options.json:
        content = [asdict(item) | {"meter": context.name(item.meter)} for item in found]
        _say(json.dumps(content, ensure_ascii=False, indent=2, default=str))
        return
    for item in found:
        left = "" if item.left_percent is None else f"  left {item.left_percent} %"
        gone = "" if item.withdrawn_ms is None else f"  withdrawn: {item.withdrawn_reason}"
        _say(
            f"{item.id}  {context.name(item.meter)}  {local_time(item.at_ms, zone)}  {item.error_percent} %  "
            f"u {item.u_percent} %{left}  {item.made_by}  {item.document}{gone}"
        )


def _say(words: str) -> None:
    print(words)  # noqa: T201  # a command's answer


def add_estimate(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `estimate`."""
    parser.add_argument("station", metavar="STATION")
    when = "month, day or time in the station's zone"
    parser.add_argument("--from", dest="first", metavar="TIME", help=f"{when} (default: as many days as a night takes)")
    parser.add_argument("--to", dest="end", metavar="TIME", help=f"{when} (default: now)")
    parser.add_argument("--json", action="store_true", help="everything, residuals and completeness included")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw it: .svg or .png")
    parser.add_argument("--history", action="store_true", help="what was said night after night, and drift (误差漂移)")
    parser.add_argument(
        "--exchanged",
        action="append",
        default=[],
        metavar="METER=TIME",
        help="suppose that this charger or master was exchanged then (may be repeated)",
    )
    parser.set_defaults(run=estimate)


def add_verification(parser: argparse.ArgumentParser, common: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add the actions of `verification`."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    new = actions.add_parser("enter", help="enter a result: from then on it is what estimates rest on")
    new.add_argument("station", metavar="STATION")
    new.add_argument("meter", metavar="METER", help="a charger, or the master")
    new.add_argument("--error", required=True, metavar="PERCENT", help="as found, (indicated - true)/true")
    new.add_argument("--u", required=True, metavar="PERCENT", help="its standard uncertainty (k = 1)")
    new.add_argument("--left-error", metavar="PERCENT", help="as left, where it was adjusted: a new beginning")
    new.add_argument("--at", required=True, metavar="TIME", help="when")
    new.add_argument("--by", metavar="NAME", help="who (default: who has logged in)")
    new.add_argument("--document", default="", metavar="TEXT", help="such as the certificate's number")
    new.set_defaults(run=enter)
    out = actions.add_parser("withdraw", help="take a result out of use; it stays in the store")
    out.add_argument("station", metavar="STATION")
    out.add_argument("id", type=int, metavar="ID")
    out.add_argument("--by", metavar="NAME", help="who (default: who has logged in)")
    out.add_argument("--reason", required=True, metavar="TEXT")
    out.set_defaults(run=withdraw)
    ls = actions.add_parser("list", help="list results")
    ls.add_argument("station", metavar="STATION")
    ls.add_argument("--all", action="store_true", help="withdrawn ones too")
    ls.add_argument("--json", action="store_true")
    ls.set_defaults(run=listed)
    for action in (new, out, ls):
        common(action)
