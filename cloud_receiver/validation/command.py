"""`diantan-receiver validate`: what the rules say of a station's days."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

import clock
from cloud_receiver import config, database, registry, service
from cloud_receiver.checks import load as checks_load
from cloud_receiver.checks.day import local_time
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.config import Settings
from cloud_receiver.grid.analysis.periods import By, Span, instant, period_of, periods
from cloud_receiver.orders.waiting import Progress
from cloud_receiver.registry import Registry
from cloud_receiver.report import ReportError
from cloud_receiver.report_text import printable
from cloud_receiver.validation import load
from cloud_receiver.validation.catalogue import BY_NAME, Judgement, judge
from cloud_receiver.validation.model import Rule, Verdict

LONGEST_DAYS: Final = 400
_MINUTE_MS: Final = 60_000
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Opened:
    """What a command about a station works with."""

    settings: Settings
    registry: Registry
    engine: Engine
    now_ms: int
    seconds: clock.Clock

    def context(self, station: str) -> Context:
        """Return the station with the numbers of its meters; ReportError for one nobody registered."""
        if self.registry.find(station) is None:
            known = ", ".join(item.id for item in self.registry.station) or "none"
            raise ReportError(f"station {station!r} is not in the registry (known: {known})")
        with database.reading(self.engine) as connection:
            found = checks_load.contexts(connection, self.registry)
        return next(item for item in found if item.station.id == station)


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[Opened]:
    """Open the store of a command's configuration."""
    settings = config.load(Path(options.config))
    stations = registry.load(settings.registry)
    engine = service.prepare(settings, stations)
    program_clock = clock.from_spec(options.clock)
    try:
        yield Opened(settings, stations, engine, program_clock.now_ms(), program_clock)
    finally:
        engine.dispose()


def slots_between(first: str, end: str | None, zone: str) -> Span:
    """Return whole slots from a month, day or time to another, which is in it if it is a month or day."""
    first_ms = instant(first, zone)
    end_ms = instant(first if end is None else end, zone, end=True)
    if end is None and end_ms == first_ms:
        end_ms += 1  # a time alone is that of its slot
    return Span(first_ms - first_ms % SLOT_MS, -(-end_ms // SLOT_MS) * SLOT_MS)


def known_meter(context: Context, name: str, *more: str) -> None:
    """Refuse the name of a meter that the station doesn't have: nothing is wrong with none. ReportError."""
    names = dict.fromkeys((*(meter.id for meter in context.meters.values()), *more))
    if name not in names:
        raise ReportError(
            f"meter {printable(name[:80])!r} is not one of station {context.station.id} (known: {', '.join(names)})"
        )


def validate(options: argparse.Namespace) -> int:
    """Judge each day; return 1 where a rule failed."""
    with opened(options) as store:
        context = store.context(options.station)
        zone = context.station.timezone
        if options.meter is not None:
            known_meter(context, options.meter)
        if options.first is None:
            if options.end is not None:
                raise ReportError("--to goes with --from")
            today = period_of(store.now_ms, By.DAY, zone)
            yesterday = period_of(today.start_ms - 1, By.DAY, zone)
            span = Span(yesterday.start_ms, yesterday.end_ms)
        else:
            span = slots_between(options.first, options.end, zone)
        if span.end_ms - span.first_ms > LONGEST_DAYS * load.DAY_MS:
            raise ReportError(f"expected at most {LONGEST_DAYS} days at once")
        rules = [BY_NAME[name] for name in options.rule] if options.rule else list(BY_NAME.values())
        progress = Progress(lambda: store.seconds.monotonic_ms() / 1000)
        found: list[tuple[int, Judgement]] = []
        for period in periods(span, By.DAY, zone):
            day = max(period.start_ms, span.first_ms), min(period.end_ms, span.end_ms)
            found += [(day[0], item) for item in _day(store, context, day, rules)]
            progress(f"validated up to {local_time(day[1], ZoneInfo(zone))}")
        progress.clear()
    items = [(day_ms, item) for day_ms, item in found if options.meter in {None, context.name(item.meter)}]
    lines = _json(items, context) if options.json else _table(items, context)
    print(lines)  # noqa: T201  # the answer
    return int(any(item.outcome.verdict is Verdict.FAILED for _, item in items))


def _day(store: Opened, context: Context, day: tuple[int, int], rules: list[Rule]) -> list[Judgement]:
    checks, settings = store.settings.checks, store.settings.validation
    with database.reading(store.engine) as connection:
        begin = context.station.since_ms
        if begin is None:
            # As for the runner's checks, but of what was imported records are expected however long ago they are of.
            floor = min(store.now_ms, day[0]) - LONGEST_DAYS * load.DAY_MS
            begin = checks_load.first_record_ms(connection, context.number, floor)
        window = load.window(
            connection,
            context,
            day,
            begin_ms=day[1] if begin is None else begin - begin % SLOT_MS,
            deadline_ms=store.now_ms - SLOT_MS - checks.grace_minutes * _MINUTE_MS,
            history_days=settings.history_days,
            coverage_factor=checks.coverage_factor,
            now_ms=store.now_ms,
        )
        return judge(window, settings, rules)


def _json(found: list[tuple[int, Judgement]], context: Context) -> str:
    zone = ZoneInfo(context.station.timezone)
    content = [
        {
            "day": local_time(day_ms, zone),
            "rule": item.rule.name,
            "title": item.rule.english,
            "title_zh": item.rule.chinese,
            "meter": context.name(item.meter) if item.meter else None,
            "verdict": item.outcome.verdict.value,
            "slots": [local_time(start, zone) for start in item.outcome.starts],
            "details": [dict(detail) for detail in item.outcome.details],
            "numbers": dict(item.outcome.numbers),
        }
        for day_ms, item in found
    ]
    return json.dumps(content, ensure_ascii=False, indent=2)


def _table(found: list[tuple[int, Judgement]], context: Context) -> str:
    zone = ZoneInfo(context.station.timezone)
    lines = []
    for day_ms, item in found:
        outcome = item.outcome
        if outcome.verdict not in {Verdict.SUSPECT, Verdict.FAILED}:
            continue
        slots = ", ".join(local_time(start, zone)[11:16] for start in outcome.starts[:_SHOWN])
        more = f" and {len(outcome.starts) - _SHOWN} more" if len(outcome.starts) > _SHOWN else ""
        first = {name: value for name, value in outcome.details[0].items() if name != "start_ms"}
        evidence = first or dict(outcome.numbers)  # of a rule that judges sums, whose slots are known by their times
        lines.append(
            f"{local_time(day_ms, zone)[:10]}  {outcome.verdict.value:<7}  {item.rule.name:<20}  "
            f"{printable(context.name(item.meter))}  {len(outcome.starts)} slots: {slots}{more}  "
            f"{printable(json.dumps(evidence, ensure_ascii=False))}"
        )
    counts = Counter((item.rule.name, item.outcome.verdict) for _, item in found)
    for name in dict.fromkeys(item.rule.name for _, item in found):
        told = "  ".join(f"{verdict.value} {counts[name, verdict]}" for verdict in Verdict if counts[name, verdict])
        lines.append(f"{name:<20}  {told}")
    return "\n".join(lines)
