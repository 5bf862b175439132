"""Orders that two meters of the registry tell, which followed each other at one charger.

A gateway that a charger is moved to, or one whose charger got another name, reads the whole log again: what the other
meter told before is there a second time.
"""

from collections.abc import Mapping

from cloud_receiver.registry import Meter
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.versions import is_another


def told_once(orders: Mapping[int, list[Order]], meters: Mapping[int, Meter]) -> dict[int, list[Order]]:
    """Return orders by meter; one that is there twice is left to the meter that was in service when it began."""
    alike: dict[str, list[tuple[int, Order]]] = {}
    for number, mine in orders.items():
        if number in meters and (meters[number].since is not None or meters[number].until is not None):
            for order in mine:
                alike.setdefault(order.number, []).append((number, order))
    again: set[tuple[int, int]] = set()
    for group in alike.values():
        kept: list[tuple[int, Order]] = []
        for number, order in sorted(group, key=lambda item: not meters[item[0]].in_service(item[1].first_ms)):
            if any(_is_again(meters[number], order, meters[other], item) for other, item in kept):
                again.add((number, id(order)))
            else:
                kept.append((number, order))
    if not again:
        return dict(orders)
    return {number: [order for order in mine if (number, id(order)) not in again] for number, mine in orders.items()}


def _is_again(meter: Meter, order: Order, other: Meter, item: Order) -> bool:
    if meter.meets(other):
        return False
    same = (order.start_ms, order.end_ms, order.energy_mwh) == (item.start_ms, item.end_ms, item.energy_mwh)
    # Under one name it may be a correction; but a charger that was exchanged or reset uses numbers again.
    return same or (meter.id == other.id and not is_another(order, item))
