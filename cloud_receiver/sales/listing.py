"""Stored orders as they are listed: by `sales show --orders` and by the HTTP interface."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from cloud_receiver.checks.model import Context
from cloud_receiver.sales import store
from cloud_receiver.sales.finding import iso
from cloud_receiver.sales.moved import told_once
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.shown import kwh, money
from cloud_receiver.schema import charge_order


@dataclass(frozen=True, slots=True)
class Kept:
    """An order with where it came from."""

    id: int
    meter: int
    version: int
    order: Order
    source: str
    made_by: str
    journal: int | None
    sequence: int | None
    received_ms: int
    in_force: bool


@dataclass(frozen=True, slots=True)
class Sold:
    """What a charger's orders that end in a time came to; the amount in 10^-4 of the currency's unit."""

    orders: int
    energy_mwh: int
    amount: int | None


def sold(connection: Connection, context: Context, first_ms: int, end_ms: int) -> dict[int, Sold]:
    """Return what was sold by the orders in force that end in (first_ms, end_ms], by meter.

    What two meters of a charger tell that was moved is the one's that was in service.
    """
    table = charge_order
    ended = (
        table.c.station == context.number,
        table.c.end_ms > first_ms,
        table.c.end_ms <= end_ms,
        table.c.superseded_ms.is_(None),
    )
    rows = connection.execute(
        select(
            table.c.meter,
            func.count().label("orders"),
            func.sum(table.c.energy_mwh).label("energy"),
            func.sum(table.c.amount).label("amount"),
        )
        .where(*ended)
        .group_by(table.c.meter)
    )
    found = {
        row.meter: Sold(row.orders, int(row.energy), None if row.amount is None else int(row.amount)) for row in rows
    }
    meters = context.meters
    moved = [number for number in found if number in meters and (meters[number].since or meters[number].until)]
    if len(moved) > 1:
        orders: dict[int, list[Order]] = {number: [] for number in moved}
        for row in connection.execute(select(table).where(*ended, table.c.meter.in_(moved))):
            orders[row.meter].append(store.order_of(row))
        found |= {number: _sum(mine) for number, mine in told_once(orders, meters).items()}
    return {number: one for number, one in found.items() if one.orders}


def _sum(orders: Sequence[Order]) -> Sold:
    amounts = [order.amount for order in orders if order.amount is not None]
    return Sold(len(orders), sum(order.energy_mwh for order in orders), sum(amounts) if amounts else None)


def kept(
    connection: Connection,
    context: Context,
    first_ms: int,
    end_ms: int,
    *,
    limit: int,
    old: bool = False,
    after: tuple[int, int] | None = None,
) -> list[Kept]:
    """Return the orders that end in (first_ms, end_ms], by their end; `old`: superseded versions too.

    One that ends at midnight is of the day that is over then, as in the sums.
    `after`: from the one on that follows this end and id.
    """
    table = charge_order
    wanted = [table.c.station == context.number, table.c.end_ms > first_ms, table.c.end_ms <= end_ms]
    if not old:
        wanted.append(table.c.superseded_ms.is_(None))
    if after is not None:
        wanted.append(or_(table.c.end_ms > after[0], and_(table.c.end_ms == after[0], table.c.id > after[1])))
    rows = connection.execute(select(table).where(*wanted).order_by(table.c.end_ms, table.c.id).limit(limit))
    return [
        Kept(
            *(row.id, row.meter, row.version, store.order_of(row), row.source, row.made_by),
            *(row.journal, row.sequence, row.received_ms, row.superseded_ms is None),
        )
        for row in rows
    ]


def document(item: Kept, context: Context) -> dict[str, Any]:
    """Return an order as JSON has it: by the names of docs/sales.md, numbers exact in text, times in UTC."""
    order = item.order
    return {
        "number": order.number,
        "version": item.version,
        "in_force": item.in_force,
        "charger": context.name(item.meter),
        "connector": order.connector,
        "start": iso(order.start_ms),
        "end": iso(order.end_ms),
        "energy_kwh": kwh(order.energy_mwh),
        "amount": _money(order.amount),
        "electricity_amount": _money(order.electricity_amount),
        "service_amount": _money(order.service_amount),
        "start_total_kwh": None if order.start_total_mwh is None else kwh(order.start_total_mwh),
        "end_total_kwh": None if order.end_total_mwh is None else kwh(order.end_total_mwh),
        "stop_reason": order.stop_reason,
        "periods": [
            {
                "start": iso(period.start_ms),
                "end": iso(period.end_ms),
                "energy_kwh": kwh(period.energy_mwh),
                "price": _price(period.price),
                "service_price": _price(period.service_price),
                "amount": _money(period.amount),
                "service_amount": _money(period.service_amount),
            }
            for period in order.periods
        ],
        "source": item.source,
        "by": item.made_by,
        "signed": None if item.journal is None else {"journal": item.journal, "sequence": item.sequence},
        "received": iso(item.received_ms),
    }


def _money(units: int | None) -> str | None:
    return None if units is None else money(units)


def _price(units: int | None) -> str | None:
    if units is None:
        return None
    whole, rest = divmod(abs(units), 1_000_000)
    return f"{'-' if units < 0 else ''}{whole}.{rest:06}"
