"""A charger is moved to another gateway, or renamed: its log is read again, and an order goes on meanwhile."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from day_support import CHARGE, Centre, intervals, told
from receiver_support import enrol, station_model
from sales_support import DAY_MS, HOUR_MS, KWH, order
from sqlalchemy import Engine
from window_support import context

from cloud_receiver import database, meters
from cloud_receiver.checks import load
from cloud_receiver.registry import Registry
from cloud_receiver.sales import listing
from cloud_receiver.sales.listing import Sold
from cloud_receiver.sales.moved import told_once
from cloud_receiver.sales.order import Order
from wire.records import IntervalRecord, Record

FIRST, BETWEEN = order("z", -3, 1, 0), order("n", 25, 1, 0)


def centre_of(engine: Engine, hour: float, name: str = "C01") -> Centre:
    """Return a centre whose charger C01 goes on with the gateway gw2 and this name at an hour of the day."""
    station = station_model(1)
    at = datetime.fromtimestamp((DAY_MS + hour * HOUR_MS) / 1000, UTC)
    charger, grid = station.meter
    after = charger.model_copy(update={"since": at, "gateway": "gw2", "id": name})
    both = (charger.model_copy(update={"until": at}), after, grid)
    registry = Registry(station=(station.model_copy(update={"meter": both}),))
    with database.writing(engine) as connection:
        meters.enter_registry(connection, registry)
    return Centre(engine, enrol(engine, "gw1"), registry)


def records(until: float | None = None, since: float | None = None) -> Iterable[Record]:
    """Return what a gateway has of the charger, and the first one of the grid side."""
    for item in intervals(CHARGE, meters=(1, 4)):
        assert isinstance(item, IntervalRecord)
        hour = (item.start_ms - DAY_MS) / HOUR_MS
        mine = (until is None or hour < until) and (since is None or hour >= since)
        if since is None if item.meter == "G" else mine:
            yield item


def go_on(centre: Centre, *items: Record) -> None:
    """Let the other gateway tell."""
    centre.gateway = enrol(centre.engine, "gw2")
    centre.begin_journal(b"journal2")
    centre.take(*items)


@pytest.mark.parametrize("name", ["C01", "C09"])
def test_a_log_that_is_read_again_after_a_move_counts_once(engine: Engine, name: str) -> None:
    centre = centre_of(engine, 36, name)
    log = [FIRST, order("a", 10, 1, 20), BETWEEN]
    centre.take(*records(), *map(told, log))
    assert centre.check() == {}
    go_on(centre, *(told(item, name) for item in log))
    assert centre.check() == {}


def test_on_the_day_of_a_move_each_meter_has_sold_what_was_its_own(engine: Engine) -> None:
    centre = centre_of(engine, 12)
    early, late = order("a", 10, 1, 20, amount=7), order("b", 13, 1, 5)
    centre.take(told(early))
    go_on(centre, told(early), told(late))
    day = DAY_MS, DAY_MS + 24 * HOUR_MS
    with database.reading(engine) as connection:
        (there,) = load.contexts(connection, centre.registry)
        found = listing.sold(connection, there, *day)
        assert listing.sold(connection, there, day[1], day[1] + 1) == {}
    assert sorted(found.values(), key=lambda one: one.energy_mwh) == [Sold(1, 5 * KWH, None), Sold(1, 20 * KWH, 7)]


def test_what_the_gateway_before_did_not_read_any_more(engine: Engine) -> None:
    centre = centre_of(engine, 36)
    centre.take(*records(), told(FIRST))
    assert ("unsold_energy", "C01") in centre.check()
    go_on(centre, told(order("a", 10, 1, 20)), told(BETWEEN))
    assert centre.check() == {}


def test_an_order_during_a_move_is_told_by_the_gateway_that_comes(engine: Engine) -> None:
    centre = centre_of(engine, 10.5)
    centre.take(*records(until=10.5), told(FIRST))
    go_on(centre, *records(since=10.5), told(order("a", 10, 1, 20)), told(BETWEEN))
    assert centre.check() == {}


def test_what_nobody_tells_is_found_all_the_same(engine: Engine) -> None:
    centre = centre_of(engine, 10.5)
    centre.take(*records(until=10.5), told(FIRST))
    go_on(centre, *records(since=10.5), told(order("a", 9, 0.5, 0)), told(BETWEEN))
    assert ("unsold_energy", "C01") in centre.check()


def test_two_gateways_that_read_one_charger_tell_it_once(engine: Engine) -> None:
    centre = centre_of(engine, 9)
    log = [FIRST, order("a", 10, 1, 20), BETWEEN]
    centre.take(*records(until=9), *map(told, log))
    go_on(centre, *records(since=9), *map(told, log))
    assert centre.check() == {}


def test_only_what_one_charger_can_have_told_is_left_out() -> None:
    at = datetime.fromtimestamp((DAY_MS + 12 * HOUR_MS) / 1000, UTC)
    one, two = (context().meters[number] for number in (1, 2))
    alike, other = order("a", 10, 1, 20), order("a", 13, 1, 30)

    def kept(first: Order, second: Order, *, apart: bool, same_id: bool = False) -> list[int]:
        changes = ({"until": at}, {"since": at}) if apart else ({}, {"since": at})
        known = {1: one.model_copy(update=changes[0]), 2: two.model_copy(update=changes[1])}
        if same_id:
            known[2] = known[2].model_copy(update={"id": one.id})
        return [number for number, left in told_once({1: [first], 2: [second]}, known).items() if left]

    assert kept(alike, alike, apart=True) == [1]
    assert kept(order("a", 13), order("a", 13), apart=True) == [2]
    assert kept(alike, alike, apart=False) == [1, 2]
    assert kept(alike, other, apart=True) == [1, 2]
    # A correction of what the meter before has told.
    assert kept(alike, order("a", 10, 1, 21), apart=True, same_id=True) == [1]
    # A number that the charger which came uses again.
    assert kept(alike, other, apart=True, same_id=True) == [1, 2]
