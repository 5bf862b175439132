"""A charge over the end of a month, on its whole way: it accuses nobody, and what is wrong of it is found."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from day_support import NAMES, Centre, intervals, told
from receiver_support import FakeGateway
from sales_support import DAY_MS, HOUR_MS, order
from sqlalchemy import Engine

from cloud_receiver.registry import Registry
from cloud_receiver.sales.order import Order
from wire.records import IntervalRecord, Quality, Record

JULY_31 = 30
NIGHT = dict.fromkeys(range(92, 100), 5.0)
"""40 kWh from 23:00 to 01:00."""


def last_days(quality: Quality = Quality.MEASURED) -> list[Record]:
    """Return the records of the last of July and of two days of August."""
    shift_ms = JULY_31 * 24 * HOUR_MS
    noon = dict.fromkeys(range(48, 52), 5.0)
    found: list[Record] = []
    for item in intervals(NIGHT | noon, days=3):
        assert isinstance(item, IntervalRecord)
        spread = item.meter == NAMES[1] and 92 <= (item.start_ms - DAY_MS) // 900_000 < 100
        found.append(replace(item, start_ms=item.start_ms + shift_ms, quality=quality if spread else Quality.MEASURED))
    return found


def orders(**changes: object) -> list[Order]:
    night = order("night", 24 * JULY_31 + 23, 2, 40)
    return [order("noon", 24 * JULY_31 + 12, 1, 20), replace(night, **changes)]  # type: ignore[arg-type]  # a test's own


def found(engine: Engine, gateway: FakeGateway, registry: Registry, items: Sequence[Order], *more: Record) -> set[str]:
    centre = Centre(engine, gateway, registry, DAY_MS + (JULY_31 + 3) * 24 * HOUR_MS + HOUR_MS)
    centre.take(*(more or last_days()))
    centre.take(*map(told, items), told(order("last", 24 * (JULY_31 + 2) + 23, 0.5, 0)))
    return {kind for kind, _ in centre.check()}


@pytest.mark.parametrize("quality", [Quality.MEASURED, Quality.ESTIMATED])
def test_an_honest_charge(quality: Quality, engine: Engine, gateway: FakeGateway, registry: Registry) -> None:
    assert found(engine, gateway, registry, orders(), *last_days(quality)) == set()


def test_one_that_sold_a_quarter_more(engine: Engine, gateway: FakeGateway, registry: Registry) -> None:
    assert "order_energy" in found(engine, gateway, registry, orders(energy_mwh=50_000_000))


def test_one_that_is_missing(engine: Engine, gateway: FakeGateway, registry: Registry) -> None:
    assert "unsold_energy" in found(engine, gateway, registry, orders()[:1])
