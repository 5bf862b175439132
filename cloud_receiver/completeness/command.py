"""`diantan-receiver completeness`: how much of what was expected is there, and how soon it came."""

import argparse
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import clock
from cloud_receiver import config, database, registry, service
from cloud_receiver.checks import load
from cloud_receiver.checks.model import Context
from cloud_receiver.completeness.figures import Figures, slots
from cloud_receiver.completeness.stored import Query, days, local_day
from cloud_receiver.orders.waiting import Progress
from cloud_receiver.report import ReportError
from cloud_receiver.report_text import aligned, printable

GROUPS: Final = ("gateway", "station", "operator", "all")
PERIODS: Final = ("day", "month", "all")
_DEFAULT_DAYS: Final = 31
_AMOUNTS: Final = ("present", "in_15_min", "in_60_min", "by_day_end")
_HEADINGS: Final = (
    *("of", "time", "expected", "present", "missing", "complete %", "in 15 min %", "in 1 h %", "by day end %"),
    *("interpolated %", "estimated %", "partial %", "substituted"),
)


def run(options: argparse.Namespace) -> None:
    """Show completeness and timeliness of days that are over."""
    settings = config.load(Path(options.config))
    stations = registry.load(settings.registry)
    program_clock = clock.from_spec(options.clock)
    now_ms = program_clock.now_ms()
    progress = Progress(lambda: program_clock.monotonic_ms() / 1000)

    def tell(done: int, of: int) -> None:
        progress(f"worked out {done} of {of} days of stations that are not stored")

    engine = service.prepare(settings, stations)
    with database.reading(engine) as connection:
        query = _query(_chosen(load.contexts(connection, stations), options), options, now_ms)
        found: dict[tuple[str, str], Figures] = {}
        grace_ms = settings.checks.grace_minutes * 60_000
        for context, day_ms, gateway, item in days(connection, query, now_ms, grace_ms, tell):
            local = local_day(context, day_ms)
            key = _group(options.by, context, gateway), _period(options.per, local)
            found.setdefault(key, Figures()).add(item)
    engine.dispose()
    progress.clear()
    span = {"from": query.first.isoformat(), "to": query.last.isoformat()}
    if options.json:
        lines = [_object(of, time, figures) for (of, time), figures in sorted(found.items())]
        _say(json.dumps({**span, "by": options.by, "lines": lines}, ensure_ascii=False, indent=2))
        return
    rows = [list(_HEADINGS), *(_row(of, time, figures) for (of, time), figures in sorted(found.items()))]
    _say(f"{span['from']} to {span['to']}, in slots of 15 minutes of a meter")
    for line in aligned(rows, right=range(2, len(_HEADINGS))):
        _say(line)


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a command's answer


def _chosen(contexts: list[Context], options: argparse.Namespace) -> list[Context]:
    found = [
        context
        for context in contexts
        if options.station in {None, context.station.id}
        and options.operator in {None, context.station.operator}
        and (options.gateway is None or any(meter.gateway == options.gateway for meter in context.meters.values()))
    ]
    if not found:
        asked = [(name, getattr(options, name)) for name in ("station", "operator", "gateway")]
        named = ", ".join(f"{name} {value!r}" for name, value in asked if value is not None)
        raise ReportError(f"no station of the registry has {named}" if named else "the registry has no stations")
    return found


def _query(contexts: list[Context], options: argparse.Namespace, now_ms: int) -> Query:
    today = max((local_day(context, now_ms) for context in contexts), default=date(1970, 1, 1))
    last = options.last.last if options.last else today - timedelta(days=1)
    if options.first and not options.last and options.first.last != options.first.first:
        last = min(last, options.first.last)  # a month alone is that month
    first = options.first.first if options.first else last - timedelta(days=_DEFAULT_DAYS - 1)
    for name, value in (("--from", first), ("--to", last)):
        if not date(1970, 1, 2) <= value <= date(9998, 12, 30):
            raise ReportError(f"{name} {value}: expected a day of 1970 to 9998")
    if first > last:
        raise ReportError(f"--from {first} is after --to {last}")
    if first > today:
        raise ReportError(f"--from {first}: expected no day after today, {today}")
    return Query(contexts, options.gateway, first, min(last, today))


def _group(by: str, context: Context, gateway: str) -> str:
    if by == "gateway":
        return gateway
    if by == "station":
        return context.station.id
    return context.station.operator if by == "operator" else "all"


def _period(per: str, local: date) -> str:
    if per == "day":
        return local.isoformat()
    return local.isoformat()[:7] if per == "month" else "all"


def _object(of: str, time: str, item: Figures) -> dict[str, Any]:
    def text(value: object) -> str | None:
        return None if value is None else str(value)

    counts = {
        f"{name}_slots": slots(getattr(item, f"{name}_ms"))
        for name in ("expected", *_AMOUNTS, "missing", "interpolated", "estimated", "partial", "substituted")
    }
    shares = {f"{name}_percent": text(item.percent(getattr(item, f"{name}_ms"))) for name in _AMOUNTS}
    doubtful = {
        f"{name}_percent": text(item.of_present(getattr(item, f"{name}_ms")))
        for name in ("interpolated", "estimated", "partial")
    }
    return {"of": of, "time": time, **counts, **shares, **doubtful}


def _row(of: str, time: str, item: Figures) -> list[str]:
    def text(value: object) -> str:
        return "-" if value is None else str(value)

    return [
        *(printable(of) or "-", time, slots(item.expected_ms), slots(item.present_ms), slots(item.missing_ms)),
        *(text(item.percent(getattr(item, f"{name}_ms"))) for name in _AMOUNTS),
        *(text(item.of_present(each)) for each in (item.interpolated_ms, item.estimated_ms, item.partial_ms)),
        slots(item.substituted_ms),
    ]
