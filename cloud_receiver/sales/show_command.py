"""`diantan-receiver sales show`: what was sold against what was metered, and the orders themselves."""

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from cloud_receiver import database
from cloud_receiver.checks.day import local_time
from cloud_receiver.checks.model import Context
from cloud_receiver.grid.analysis.periods import By, Span, instant, period_of
from cloud_receiver.orders.waiting import Progress
from cloud_receiver.report import ReportError
from cloud_receiver.report_text import aligned, printable
from cloud_receiver.report_words import Language
from cloud_receiver.sales import listing, shown
from cloud_receiver.sales.curve import Bounds
from cloud_receiver.sales.listing import Kept
from cloud_receiver.sales.shown import Line, Question, kwh, money
from cloud_receiver.sales.totals import Total
from cloud_receiver.validation.command import Opened, opened

LONGEST_DAYS: Final = 400
MOST_ORDERS: Final = 100_000
_DAY_MS: Final = 86_400_000
_HEADINGS: Final = (
    ("period", "时段"),
    ("charger", "充电桩"),
    ("orders", "订单数"),
    ("sold kWh", "售电量 kWh"),
    ("amount", "金额"),
    ("sold in it kWh", "期内售电 kWh"),
    ("metered kWh", "计量 kWh"),
    ("loss, aux. kWh", "损耗与自用 kWh"),
    ("difference kWh", "差值 kWh"),
    ("tolerance kWh", "允差 kWh"),
    ("verdict", "结论"),
)
_ORDER_HEADINGS: Final = (
    ("number", "订单号"),
    ("version", "版本"),
    ("charger", "充电桩"),
    ("connector", "枪"),
    ("start", "开始"),
    ("end", "结束"),
    ("energy kWh", "电量 kWh"),
    ("amount", "金额"),
    ("source", "来源"),
    ("by", "提供者"),
)
_VERDICTS: Final = {
    "within": ("within tolerance", "合格"),
    "beyond": ("BEYOND", "超差"),
    "undetermined": ("undetermined", "无法判定"),
}
_STATION: Final = ("station, grid side", "全站与关口表")


def run(options: argparse.Namespace) -> int:
    """Show a span; return 1 where a line is beyond its tolerance."""
    with opened(options) as at:
        context = at.context(options.station)
        span = _span(options, context, at.now_ms)
        if options.orders:
            return _orders(options, at, context, span)
        by = By(options.by) if options.by else By.DAY
        question = Question(span, by, at.settings.sales, at.now_ms, at.settings.checks.coverage_factor)
        progress = Progress(lambda: at.seconds.monotonic_ms() / 1000)
        with database.reading(at.engine) as connection:
            found = list(shown.lines(connection, context, question, progress))
        progress.clear()
    if options.json:
        _say(json.dumps([_object(line, context) for line in found], ensure_ascii=False, indent=2))
    else:
        _say("\n".join(_table(found, context, by, Language(options.lang))))
    return int(any(line.verdict == "beyond" for line in found))


def _span(options: argparse.Namespace, context: Context, now_ms: int) -> Span:
    zone = context.station.timezone
    if options.first is None:
        today = period_of(now_ms, By.DAY, zone)
        first_ms = period_of(today.start_ms - 1, By.DAY, zone).start_ms
        end_ms = today.start_ms if options.end is None else instant(options.end, zone, end=True)
    else:
        first_ms = instant(options.first, zone)
        end_ms = instant(options.first if options.end is None else options.end, zone, end=True)
        if options.end is None:
            end_ms = max(end_ms, first_ms + 1)  # a time alone
    if end_ms - first_ms > LONGEST_DAYS * _DAY_MS:
        raise ReportError(f"expected at most {LONGEST_DAYS} days at once")
    return Span(first_ms, end_ms)


def _orders(options: argparse.Namespace, at: Opened, context: Context, span: Span) -> int:
    with database.reading(at.engine) as connection:
        found = listing.kept(connection, context, span.first_ms, span.end_ms, limit=MOST_ORDERS + 1, old=options.all)
    if len(found) > MOST_ORDERS:
        raise ReportError(f"expected at most {MOST_ORDERS} orders, found more: ask for a shorter time")
    if options.json:
        _say(json.dumps([listing.document(item, context) for item in found], ensure_ascii=False, indent=2))
    else:
        _say("\n".join(_listing(found, context, Language(options.lang))))
    return 0


def _object(line: Line, context: Context) -> dict[str, Any]:
    zone = ZoneInfo(context.station.timezone)
    content: dict[str, Any] = {
        "from": local_time(line.start_ms, zone),
        "to": local_time(line.end_ms, zone),
        "charger": line.charger,
        "orders": line.orders,
        "energy_kwh": kwh(line.energy_mwh),
        "amount": None if line.amount is None else money(line.amount),
        "verdict": line.verdict,
    }
    total = line.total
    if total is None:
        return content | {"balance": None}
    return content | {
        "balance": {
            "from": local_time(total.first_ms, zone),
            "to": local_time(total.end_ms, zone),
            "between_idle_moments": line.between_idle,
            "sold_kwh": _bounds(total.sold),
            "metered_kwh": _bounds(total.metered),
            "besides_kwh": _bounds(total.more),
            "difference_kwh": _bounds(total.difference_mwh),
            "tolerance_kwh": kwh(total.tolerance_mwh),
            "standard_uncertainty_kwh": {name: kwh(value) for name, value in total.terms_mwh.items()},
            "unknown_s": total.metered.unknown_ms // 1000,
        }
    }


def _bounds(found: Bounds) -> str | list[str]:
    return kwh(found.low) if found.low == found.high else [kwh(found.low), kwh(found.high)]


def _table(found: Sequence[Line], context: Context, by: By, language: Language) -> list[str]:
    zone = ZoneInfo(context.station.timezone)
    rows = _headings(_HEADINGS, language)
    for line in found:
        period = local_time(line.start_ms, zone)[: 10 if by is By.DAY else 7]
        name = _word(_STATION, language) if line.charger is None else printable(line.charger)
        amount = "-" if line.amount is None else money(line.amount)
        cells = [period, name, str(line.orders), _short(line.energy_mwh), amount]
        rows.append([*cells, *_cells(line.total), _word(_VERDICTS[line.verdict], language)])
    return aligned(rows, right=range(2, 10))


def _cells(total: Total | None) -> Iterator[str]:
    if total is None:
        yield from "-----"
        return
    for bounds in (total.sold, total.metered, total.more, total.difference_mwh):
        low, high = _short(bounds.low), _short(bounds.high)
        yield low if low == high else f"{low}..{high}"
    yield _short(total.tolerance_mwh)


def _listing(found: Sequence[Kept], context: Context, language: Language) -> list[str]:
    zone = ZoneInfo(context.station.timezone)
    rows = _headings(_ORDER_HEADINGS, language)
    for item in found:
        order = item.order
        version = f"{item.version}{'' if item.in_force else ' (superseded 已被取代)'}"
        rows.append(
            [
                *(
                    printable(order.number),
                    version,
                    printable(context.name(item.meter)),
                    printable(order.connector or ""),
                ),
                *(local_time(order.start_ms, zone), local_time(order.end_ms, zone), _short(order.energy_mwh)),
                *("-" if order.amount is None else money(order.amount), item.source, printable(item.made_by)),
            ]
        )
    return aligned(rows, right={6, 7})


def _headings(words: Sequence[tuple[str, str]], language: Language) -> list[list[str]]:
    english, chinese = ([pair[place] for pair in words] for place in (0, 1))
    if language is Language.BOTH:
        return [english, chinese]
    return [chinese if language is Language.CHINESE else english]


def _word(words: tuple[str, str], language: Language) -> str:
    if language is Language.BOTH:
        return " ".join(words)
    return words[language is Language.CHINESE]


def _short(mwh: int) -> str:
    return f"{mwh / 1_000_000:.3f}"  # shown only; exact values are in the JSON


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a command's answer
