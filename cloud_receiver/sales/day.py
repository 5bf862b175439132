"""A day's findings about what was sold, and on a month's last day those of the month."""

from collections.abc import Iterator
from itertools import chain

from sqlalchemy import Connection

from cloud_receiver.checks.day import Draft
from cloud_receiver.checks.model import Context, Kind
from cloud_receiver.grid.analysis.periods import By, Period, period_of
from cloud_receiver.sales import again, amounts, history, order_rules, rounding, sums_rules, window
from cloud_receiver.sales.config import Sales
from cloud_receiver.sales.finding import Found, drafts
from cloud_receiver.sales.window import HOUR_MS, Window


def findings(
    connection: Connection,
    context: Context,
    span: tuple[int, int],
    settings: Sales,
    *,
    coverage_factor: float,
    now_ms: int,
    over: bool,
) -> list[Draft]:
    """Return the findings of a local day [first, end) about orders; sums are judged once it is `over`.

    Without orders there are none: a station may have nobody who tells them.
    """
    if not settings.enabled:
        return []
    known = window.expected(connection, context.number, now_ms)
    day = window.read(
        connection, context, span, settings, now_ms=now_ms, coverage_factor=coverage_factor, records=False
    )
    found = list(history.malformed(connection, day))
    if known is not None:
        again.following_days(connection, day)
        if over or day.ended():
            day.read_records(connection)
        found += _of_orders(connection, day)
        if over:
            found += _of_sums(connection, day, known)
    return drafts(found, day)


def _of_orders(connection: Connection, day: Window) -> Iterator[Found]:
    yield from chain.from_iterable(rule(day) for rule in order_rules.RULES)
    yield from amounts.amounts(day)
    yield from history.changed(connection, day)
    yield from history.untimely(connection, day)


def _of_sums(connection: Connection, day: Window, known: tuple[int, int]) -> Iterator[Found]:
    """Judge sums of a day and of its month, once their orders should be there; else see to it that they will be."""
    first_ms, _ = known
    if first_ms > day.first_ms:  # orders were not told yet when it began
        return
    if not day.is_told(known):
        wait_ms = day.settings.wait_hours * HOUR_MS
        again.later(connection, day, day.first_ms + again.SLOT_MS, day.end_ms + wait_ms)
        return
    yield from sums_rules.unsold(day)
    yield from sums_rules.chargers(day, Kind.SOLD_DAY)
    yield from sums_rules.station(day, Kind.SOLD_DAY)
    month = period_of(day.first_ms, By.MONTH, day.context.station.timezone)
    if day.end_ms < month.end_ms:
        if month.end_ms <= day.now_ms:
            # A slot after that day's first: what ends the day before is not of the notice.
            last_day = period_of(month.end_ms - 1, By.DAY, day.context.station.timezone)
            again.later(connection, day, last_day.start_ms + again.SLOT_MS, day.now_ms + again.AFTER_MS)
        return
    yield from _of_month(connection, day, month, first_ms)


def _of_month(connection: Connection, day: Window, month: Period, first_ms: int) -> Iterator[Found]:
    if first_ms >= month.end_ms:
        return
    # In the month in which orders began, from the first day that has them whole.
    begin = month.start_ms
    if first_ms > begin:
        begin = period_of(first_ms, By.DAY, day.context.station.timezone).end_ms
    if begin >= month.end_ms:
        return
    whole = window.read(
        connection,
        day.context,
        (begin, month.end_ms),
        day.settings,
        now_ms=day.now_ms,
        coverage_factor=day.coverage_factor,
    )
    yield from rounding.rounding(whole)
    yield from sums_rules.chargers(whole, Kind.SOLD_MONTH)
    yield from sums_rules.station(whole, Kind.SOLD_MONTH)
