"""What `sales show` says of a span: sold, metered and the difference of each charger and period."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from cloud_receiver.checks.model import Context
from cloud_receiver.grid.analysis.periods import By, Period, Span, periods
from cloud_receiver.sales import idle, totals, window
from cloud_receiver.sales.config import Sales
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.totals import Total
from cloud_receiver.sales.window import Window, mwh
from diantan_core import Energy


@dataclass(frozen=True, slots=True)
class Line:
    """A charger, or the station (`charger` None), in a period. Amounts in 10^-4 of the currency's unit."""

    start_ms: int
    end_ms: int
    charger: str | None
    orders: int
    """That end in the period."""
    energy_mwh: int
    """Of these."""
    amount: int | None
    total: Total | None
    """Against the charger's meter or the grid side; None where it has no records."""
    between_idle: bool = False
    smallest_mwh: int = 0
    """Less beyond the tolerance is nothing."""
    told: bool = True
    """Whether orders of the whole period can be there: they began before it, and what is late had time to come."""

    @property
    def verdict(self) -> str:
        """Return `within`, `beyond`, or `undetermined` where records or orders are missing."""
        if self.total is None or not self.told:
            return "undetermined"
        if abs(self.total.beyond_mwh) > self.smallest_mwh:
            return "beyond"
        return "within" if self.total.determined else "undetermined"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: a span, day by day or month by month."""

    span: Span
    by: By
    settings: Sales
    now_ms: int
    coverage_factor: float


def lines(
    connection: Connection, context: Context, question: Question, progress: Callable[[str], None] = lambda _: None
) -> Iterator[Line]:
    """Yield the lines of each period: its chargers, and the station."""
    known = window.expected(connection, context.number, question.now_ms)
    for period in periods(question.span, question.by, context.station.timezone):
        at = _window(connection, context, question, period)
        told = at.is_told(known)
        yield from (replace(line, told=told) for line in of_window(at))
        progress(f"added up to {period.end_ms}")


def _window(connection: Connection, context: Context, question: Question, period: Period) -> Window:
    return window.read(
        connection,
        context,
        (period.start_ms, period.end_ms),
        question.settings,
        now_ms=question.now_ms,
        coverage_factor=question.coverage_factor,
    )


def of_window(at: Window) -> Iterator[Line]:
    """Yield the lines of one period."""
    ended: dict[int, list[Order]] = {}
    for number, order in at.ended():
        ended.setdefault(number, []).append(order)
    numbers = [*at.chargers(), *sorted(number for number in ended if number not in at.chargers())]
    for number in numbers:
        total = totals.charger(at, number, at.first_ms, at.end_ms)
        yield _line(at, at.context.name(number), ended.get(number, []), total)
    # With more orders than any charger can have it isn't known what was sold.
    closed = None if at.crowds else idle.closed(at, parts=False)
    everything = [order for orders in ended.values() for order in orders]
    if closed is None:
        yield _line(at, None, everything, None)
    else:
        yield _line(at, None, everything, closed.total, between_idle=closed.between_idle)


def _line(
    at: Window, name: str | None, orders: list[Order], total: Total | None, *, between_idle: bool = False
) -> Line:
    told = [order.amount for order in orders if order.amount is not None]
    amount = sum(told) if told else None
    energy = sum(order.energy_mwh for order in orders)
    smallest = mwh(at.settings.smallest_kwh)
    return Line(at.first_ms, at.end_ms, name, len(orders), energy, amount, total, between_idle, smallest)


def kwh(energy_mwh: int) -> str:
    """Return an energy exactly, in kWh."""
    return f"{Energy(energy_mwh).kwh:f}"


def money(units: int) -> str:
    """Return an amount exactly, in the currency's unit."""
    sign = "-" if units < 0 else ""
    whole, rest = divmod(abs(units), 10_000)
    return f"{sign}{whole}.{rest:04}"
