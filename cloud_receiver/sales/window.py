"""What the checks of orders look at: a span's orders and the records of its meters, read once."""

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Final

from sqlalchemy import Connection, func, select

from cloud_receiver.checks.model import Context
from cloud_receiver.registry import Meter, Role
from cloud_receiver.sales import store
from cloud_receiver.sales.config import Sales
from cloud_receiver.sales.curve import Curve, Row
from cloud_receiver.sales.order import END_MS, Order
from cloud_receiver.schema import charge_order, interval

DAY_MS: Final = store.DAY_MS
MOST_AGE_MS: Final = store.MOST_AGE_MS
BACK_MS: Final = 3 * DAY_MS
"""How far before and after a span the records of an order that reaches beyond it are read."""
MOST_A_DAY: Final = 1440
"""Orders of a charger, one a minute."""
MWH_PER_KWH: Final = 1_000_000


def mwh(kwh: Decimal) -> int:
    """Return an energy in mWh, rounded up: these are limits."""
    return -int(-kwh * MWH_PER_KWH // 1)


def milliseconds(seconds: Decimal) -> int:
    """Return a time in ms."""
    return int(seconds * 1000)


@dataclass
class Window:
    """Orders and records around the span [first_ms, end_ms)."""

    context: Context
    first_ms: int
    end_ms: int
    settings: Sales
    now_ms: int
    coverage_factor: float
    orders: dict[int, list[Order]] = field(default_factory=dict)
    """In force, by meter: all that overlap the span and three days before it."""
    crowds: dict[int, int] = field(default_factory=dict)
    """Chargers with more orders than any can have, and how many: these are not looked at."""
    curves: dict[int, Curve] = field(default_factory=dict)
    """Of meters that have records; the grid side's and the auxiliaries' energies are net."""

    @property
    def most_orders(self) -> int:
        """How many orders of one charger are looked at: bounds the time of a check."""
        return MOST_A_DAY * (BACK_MS + self.end_ms - self.first_ms) // DAY_MS

    @cached_property
    def clock_ms(self) -> int:
        """How far the clock of orders may be off."""
        return milliseconds(self.settings.clock_s) + milliseconds(self.context.station.time_uncertainty_s)

    @cached_property
    def resolution_mwh(self) -> int:
        """Step of the energies in orders."""
        return mwh(self.settings.energy_resolution_kwh)

    def chargers(self) -> list[int]:
        """Return the chargers that were in service in the span."""
        return [
            number
            for number in self.context.numbers(Role.CHARGER)
            if number not in self.crowds
            and (
                self.context.meters[number].in_service(self.first_ms)
                or self.context.meters[number].in_service(self.end_ms - 1)
            )
        ]

    def power_mw(self, number: int) -> int:
        """Return the most power that a charger may have, mW."""
        return power_mw(self.context.meters[number], self.settings)

    def most(self, number: int, duration_ms: int) -> int:
        """Return the most energy of a charger in a time, mWh."""
        return -(-self.power_mw(number) * max(duration_ms, 0) // 3_600_000)

    def read_records(self, connection: Connection) -> None:
        """Read the records of the span, and of the orders that reach beyond it."""
        self.curves = _curves(connection, self)

    def ended(self) -> list[tuple[int, Order]]:
        """Return the orders that belong to the span: that end in it."""
        return [
            (number, order)
            for number, orders in self.orders.items()
            for order in orders
            if self.first_ms < order.last_ms <= self.end_ms
        ]


def power_mw(meter: Meter, settings: Sales) -> int:
    """Return the most power that a meter may have, mW."""
    return int(meter.rated_kw * MWH_PER_KWH * (100 + settings.power_margin_percent) / 100)


def read(
    connection: Connection,
    context: Context,
    span: tuple[int, int],
    settings: Sales,
    *,
    now_ms: int,
    coverage_factor: float,
    records: bool = True,
) -> Window:
    """Read a span's orders, and the records of it and of the orders that reach beyond it."""
    first_ms, end_ms = span
    window = Window(context, first_ms, end_ms, settings, now_ms, coverage_factor)
    around = first_ms - BACK_MS, end_ms + window.clock_ms
    window.crowds = store.crowds(connection, context.number, *around, window.most_orders)
    window.orders = store.in_force(connection, context.number, *around, without=window.crowds)
    if records:
        window.read_records(connection)
    return window


def _curves(connection: Connection, window: Window) -> dict[int, Curve]:
    touching = [
        order
        for orders in window.orders.values()
        for order in orders
        if order.last_ms >= window.first_ms and order.first_ms < window.end_ms
    ]
    first_ms = min((order.first_ms for order in touching), default=window.first_ms)
    last_ms = max((order.last_ms for order in touching), default=window.end_ms)
    # An idle moment before the span may lie days back; records beyond these are gaps, which bounds allow for.
    first_ms = max(min(first_ms, window.first_ms - DAY_MS), window.first_ms - BACK_MS) - window.clock_ms
    last_ms = min(max(last_ms, window.end_ms), window.end_ms + BACK_MS) + window.clock_ms
    numbers = [
        number
        for number, meter in window.context.meters.items()
        if meter.role in (Role.CHARGER, Role.GRID, Role.AUXILIARY) and not meter.only_orders
    ]
    rows: dict[int, list[Row]] = {number: [] for number in numbers}
    net = {number for number in numbers if window.context.meters[number].role is not Role.CHARGER}
    columns = interval.c
    found = connection.execute(
        select(
            *(columns.meter, columns.start_ms, columns.duration_ms, columns.forward_mwh, columns.reverse_mwh),
            *(columns.forward_total_mwh, columns.reverse_total_mwh, columns.journal, columns.quality),
        ).where(
            columns.station == window.context.number,
            columns.start_ms >= first_ms - 3_600_000,
            columns.start_ms < last_ms,
        )
    )
    for meter, start, duration, forward, reverse, total, back, journal, quality in found:
        mine = rows.get(meter)
        if mine is None:
            continue
        if meter in net:
            forward, total = forward - reverse, total - back  # noqa: PLW2901 - the net of both directions
        mine.append(Row(start, start + duration, forward, total, journal, quality))
    return {
        number: Curve(found, power_mw(window.context.meters[number], window.settings)) for number, found in rows.items()
    }


def expected(connection: Connection, station: int, now_ms: int) -> tuple[int, int] | None:
    """Return the start of the station's first order and the end of its last; None where it has none.

    Before the first nothing is known of what was sold. An order of a gateway that is older than any log, as by a clock
    that stood still, begins nothing; one of the future isn't the last.
    """
    table = charge_order.c
    mine = (table.station == station, table.superseded_ms.is_(None))
    timely = table.journal.is_(None) | (table.start_ms >= table.received_ms - MOST_AGE_MS)
    first = connection.execute(select(func.min(table.start_ms)).where(*mine, timely)).scalar()
    if first is None:
        if connection.execute(select(table.id).where(*mine).limit(1)).scalar() is None:
            return None
        first = END_MS
    last = connection.execute(select(func.max(table.end_ms)).where(*mine, table.end_ms <= now_ms)).scalar()
    return int(first), int(last or first)
