"""What the checks of orders look at: a span's orders and the records of its meters, read once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from math import ceil
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from cloud_receiver.checks.model import Context
from cloud_receiver.registry import Meter, Role
from cloud_receiver.registry.values import ms
from cloud_receiver.sales import store
from cloud_receiver.sales.config import Sales
from cloud_receiver.sales.curve import Curve, Row
from cloud_receiver.sales.moved import told_once
from cloud_receiver.sales.order import END_MS, Order
from cloud_receiver.sales.spans import open_spans
from cloud_receiver.schema import charge_order, interval

DAY_MS: Final = store.DAY_MS
MOST_AGE_MS: Final = store.MOST_AGE_MS
BACK_MS: Final = 3 * DAY_MS
"""How far before and after a span the records of an order that reaches beyond it are read."""
HOUR_MS: Final = 3_600_000
MOST_A_DAY: Final = 1440
"""Orders of a charger, one a minute."""
MWH_PER_KWH: Final = 1_000_000


def mwh(kwh: Decimal) -> int:
    """Return an energy in mWh, rounded up: these are limits."""
    return ceil(kwh * MWH_PER_KWH)


def milliseconds(seconds: Decimal) -> int:
    """Return a time in ms."""
    return int(seconds * 1000)


class _Both(NamedTuple):
    """A record with both directions."""

    start_ms: int
    end_ms: int
    taken: int
    back: int
    taken_total: int
    back_total: int
    journal: int
    quality: int

    def turned(self) -> "_Both":
        """Return it of a meter that counts the other way round."""
        return self._replace(taken=self.back, back=self.taken, taken_total=self.back_total, back_total=self.taken_total)

    def forward(self) -> Row:
        """Return what was taken."""
        return Row(self.start_ms, self.end_ms, self.taken, self.taken_total, self.journal, self.quality)

    def reverse(self) -> Row:
        """Return what was given back."""
        return Row(self.start_ms, self.end_ms, self.back, self.back_total, self.journal, self.quality)

    def net(self) -> Row:
        """Return what was taken less what was given back."""
        energy, total = self.taken - self.back, self.taken_total - self.back_total
        return Row(self.start_ms, self.end_ms, energy, total, self.journal, self.quality)


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
    given: dict[int, Curve] = field(default_factory=dict)
    """What vehicles gave back (V2G), of chargers that have any."""

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
        """Return the chargers that were in service at some time of the span."""
        meters = self.context.meters
        spans = {
            number: meters[number].service(self.first_ms, self.end_ms) for number in self.context.numbers(Role.CHARGER)
        }
        return [number for number, (first, end) in spans.items() if first < end and number not in self.crowds]

    def power_mw(self, number: int) -> int:
        """Return the most power that a charger may have, mW."""
        return power_mw(self.context.meters[number], self.settings)

    @cached_property
    def handed_on(self) -> dict[int, list[Order]]:
        """Orders during which a charger's meter was exchanged, by the other meter: it has the rest of them.

        Also those that only the meter that came tells, of a time before it: as the log has them that a gateway reads
        to which the charger was moved.
        """
        found: dict[int, list[Order]] = {}
        meters = self.context.meters
        chargers = self.context.numbers(Role.CHARGER)
        left = {number: ms(gone) for number in chargers if (gone := meters[number].until) is not None}
        for number in chargers:
            since = meters[number].since
            if since is None:
                continue
            since_ms = ms(since)
            early = [item for item in self.orders.get(number, ()) if item.first_ms - self.clock_ms < since_ms]
            for before, gone_ms in left.items():
                if before == number or gone_ms > since_ms:
                    continue
                crossing = [
                    item
                    for item in self.orders.get(before, ())
                    if item.first_ms < since_ms < item.last_ms + self.clock_ms
                ]
                found.setdefault(number, []).extend(crossing)
                found.setdefault(before, []).extend(item for item in early if item.first_ms - self.clock_ms < gone_ms)
        return found

    def given_back(self, number: int, first_ms: int, end_ms: int) -> int:
        """Return the most that a charger's vehicles may have given back in a time, mWh."""
        curve = self.given.get(number)
        return 0 if curve is None else curve.bounds(first_ms, end_ms).high

    def most(self, number: int, duration_ms: int) -> int:
        """Return the most energy of a charger in a time, mWh."""
        return -(-self.power_mw(number) * max(duration_ms, 0) // 3_600_000)

    def read_records(self, connection: Connection) -> None:
        """Read the records of the span, and of the orders that reach beyond it."""
        rows = _rows(connection, self)
        powers = {number: power_mw(self.context.meters[number], self.settings) for number in rows}
        self.curves = {number: Curve(_forward(self, number, found), powers[number]) for number, found in rows.items()}
        back = [
            number for number in self.context.numbers(Role.CHARGER) if any(row.back for row in rows.get(number, ()))
        ]
        self.given = {number: Curve((row.reverse() for row in rows[number]), powers[number]) for number in back}

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
    orders = store.in_force(connection, context.number, *around, without=window.crowds)
    window.orders = told_once(orders, context.meters)
    if records:
        window.read_records(connection)
    return window


def _rows(connection: Connection, window: Window) -> dict[int, list[_Both]]:
    """Return the records of chargers, grid side and auxiliaries, as the energy flowed."""
    touching = [
        order
        for orders in window.orders.values()
        for order in orders
        if order.last_ms >= window.first_ms and order.first_ms < window.end_ms
    ]
    first_ms = min((order.first_ms for order in touching), default=window.first_ms)
    last_ms = max((order.last_ms for order in touching), default=window.end_ms)
    # An idle moment before the span may lie days back; records beyond these are gaps, which bounds allow for.
    spans = open_spans(window.orders, window.clock_ms)
    since_ms = next((first for first, last in spans if first < window.first_ms < last), window.first_ms)
    first_ms = min(first_ms, since_ms - HOUR_MS, window.first_ms - DAY_MS)
    first_ms = max(first_ms, window.first_ms - BACK_MS) - window.clock_ms
    last_ms = min(max(last_ms, window.end_ms), window.end_ms + BACK_MS) + window.clock_ms
    numbers = [
        number
        for number, meter in window.context.meters.items()
        if meter.role in (Role.CHARGER, Role.GRID, Role.AUXILIARY) and not meter.only_orders
    ]
    rows: dict[int, list[_Both]] = {number: [] for number in numbers}
    columns = interval.c
    found = connection.execute(
        select(
            *(columns.meter, columns.start_ms, columns.duration_ms, columns.forward_mwh, columns.reverse_mwh),
            *(columns.forward_total_mwh, columns.reverse_total_mwh, columns.journal, columns.quality),
        ).where(
            columns.station == window.context.number,
            columns.start_ms >= first_ms - HOUR_MS,
            columns.start_ms < last_ms,
        )
    )
    for meter, start, duration, forward, reverse, total, back, journal, quality in found:
        mine = rows.get(meter)
        if mine is None:
            continue
        both = _Both(start, start + duration, forward, reverse, total, back, journal, quality)
        mine.append(both.turned() if window.context.meters[meter].inverted else both)
    return rows


def _forward(window: Window, number: int, rows: list[_Both]) -> Iterator[Row]:
    charger = window.context.meters[number].role is Role.CHARGER
    return (row.forward() if charger else row.net() for row in rows)


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
