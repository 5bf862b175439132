"""Orders that gateways tell: events 105, entered in the transaction that stores them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from cloud_receiver.sales import store
from cloud_receiver.sales.order import END_MS, FIRST_MS, GATEWAY, Order, beyond
from cloud_receiver.sales.store import Told
from wire.charge_order import ChargeOrderError


class MalformedError(ValueError):
    """An event that says it is an order, and is none."""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """An event 105 as the intake has it; `details` as the store keeps them."""

    station: int
    gateway: str
    meter: int
    journal: int
    sequence: int
    time_ms: int
    details: str


def parse(meter: int, details: str) -> Order:
    """Return the order of an event; MalformedError says what it lacks."""
    if not meter:
        raise MalformedError("expected an event of a charger, found one of its gateway")
    try:
        order = Order.from_details({int(key): value for key, value in json.loads(details).items()})
    except ChargeOrderError as error:
        raise MalformedError(str(error)) from error
    if (found := beyond(order)) is not None:
        raise MalformedError(found)
    return order


def take(connection: Connection, events: Iterable[OrderEvent], now_ms: int) -> None:
    """Enter the orders of events; one that is malformed is left to the check of its day, which finds it."""
    told: dict[tuple[int, str], list[Told]] = {}
    for event in events:
        try:
            order = parse(event.meter, event.details)
        except MalformedError:
            timeless = not FIRST_MS <= event.time_ms < END_MS  # told on the day on which it came
            store.tell(connection, event.station, [now_ms if timeless else event.time_ms])
            continue
        item = Told(event.meter, order, event.journal, event.sequence)
        told.setdefault((event.station, event.gateway), []).append(item)
    for (station, gateway), items in sorted(told.items(), key=lambda item: item[0]):  # receivers wait in this order
        store.enter(connection, station, items, source=GATEWAY, made_by=gateway, now_ms=now_ms)
