"""A charger's meter is exchanged while somebody charges."""

from dataclasses import replace
from datetime import UTC, datetime

from sales_support import DAY_MS, HOUR_MS, order
from window_support import CHARGERS, GRID, context, rows, window

from cloud_receiver.checks.model import Context, Kind
from cloud_receiver.sales import order_rules, sums_rules, totals
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.window import Window

OLD, NEW = CHARGERS
AT = datetime.fromtimestamp((DAY_MS + 10.5 * HOUR_MS) / 1000, UTC)


def exchanged() -> Context:
    found = context()
    chargers = {
        OLD: found.meters[OLD].model_copy(update={"until": AT}),
        NEW: found.meters[NEW].model_copy(update={"since": AT}),
    }
    return replace(found, meters={**found.meters, **chargers})


def day(*orders: Order, days: int = 1) -> Window:
    before = rows({40: 5, 41: 5}, 42)
    after = rows({42: 5, 43: 5}, 96 * days - 42, first=42)
    grid = rows(dict.fromkeys(range(40, 44), 5), 96 * days)
    return window({OLD: orders}, {OLD: before, NEW: after, GRID: grid}, exchanged(), days=days)


def found(at: Window) -> set[tuple[Kind, int]]:
    items = [item for rule in (*order_rules.RULES, sums_rules.unsold) for item in rule(at)]
    items += [*sums_rules.chargers(at, Kind.SOLD_DAY), *sums_rules.station(at, Kind.SOLD_DAY)]
    return {(item.kind, item.meter) for item in items}


def test_an_order_during_an_exchange_is_of_both_meters() -> None:
    assert found(day(order("a", 10, 1, 20))) == set()
    assert found(day(order("a", 10, 1, 20), days=5)) == set()


def test_what_the_new_meter_has_without_an_order_is_found() -> None:
    assert found(day(order("a", 10, 0.4, 10))) == {
        (Kind.UNSOLD, NEW),
        (Kind.SOLD_DAY, NEW),
        (Kind.SOLD_DAY, 0),
    }


def test_what_the_old_meter_had_until_it_went_is_judged() -> None:
    at = day(order("a", 8, 1, 0), days=5)
    assert (Kind.SOLD_DAY, OLD) in found(at)
    total = totals.charger(at, OLD, at.first_ms, at.end_ms)
    assert total is not None
    assert (total.end_ms, total.determined) == (DAY_MS + 10.5 * HOUR_MS, True)


def test_orders_of_what_is_no_charger_have_no_total() -> None:
    at = day(order("a", 10, 1, 20))
    assert totals.charger(at, 77, at.first_ms, at.end_ms) is None
