"""Rules about single orders: each finds its fault and nothing else."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sales_support import KWH, order
from window_support import context, rows, window

from cloud_receiver.checks.model import Kind
from cloud_receiver.sales import order_rules
from cloud_receiver.sales.finding import Found
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.window import Window

HEALTHY = {40: 5, 41: 5, 42: 5, 43: 5}


def every(at: Window) -> list[tuple[Kind, int, object]]:
    """Return kind, charger and order of all that all rules find."""
    return [(item.kind, item.meter, item.detail["order"]) for rule in order_rules.RULES for item in rule(at)]


def only(rule: Callable[[Window], Iterator[Found]], at: Window) -> Found:
    (found,) = rule(at)
    return found


def test_a_healthy_day_has_no_findings() -> None:
    orders = [order("a", 10, 1, 20), order("b", 12, 0.5, 0), order("c", 23.5, 1, 5)]
    assert every(window({1: orders}, {1: rows({**HEALTHY, 94: 2.5, 95: 2.5})})) == []


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (order("x", 14, -0.5, 0), Kind.ORDER_TIMES),
        (order("x", -70, 80, 0), Kind.ORDER_TIMES),
        (order("x", 10.5, 1, 5), Kind.ORDER_OVERLAP),
        (order("x", 10, 1, 20), Kind.ORDER_DUPLICATE),
        (order("x", 14, 0.5, 40), Kind.ORDER_POWER),
        (order("x", 14, 1, 20), Kind.SOLD_UNMETERED),
    ],
)
def test_each_fault_is_found(told: Order, kind: Kind) -> None:
    others = [order("a", 10, 1, 20)] if told.start_ms > order(start=0).start_ms else []
    found = every(window({1: [*others, told]}, {1: rows(HEALTHY)}))
    assert (kind, 1, "x") in found


def test_orders_of_two_connectors_may_be_open_together() -> None:
    orders = [order("a", 10, 1, 10, connector="A"), order("b", 10, 1, 10, connector="B")]
    assert every(window({1: orders}, {1: rows(HEALTHY)})) == []


def test_orders_that_follow_within_the_step_of_their_times_do_not_overlap() -> None:
    orders = [order("a", 10, 0.5, 10), order("b", 10.49, 0.51, 10)]
    assert list(order_rules.overlaps(window({1: orders}))) == []
    assert len(list(order_rules.overlaps(window({1: [orders[0], order("b", 10.4, 0.6, 10)]})))) == 1


def test_an_overlap_is_told_on_the_day_of_the_later_order_alone() -> None:
    before, after = order("a", -2, 3, 1), order("b", 0.5, 25, 1)
    assert list(order_rules.overlaps(window({1: [before, after]}))) == []
    assert only(order_rules.overlaps, window({1: [before, order("b", 0.5, 2, 1)]})).detail["order"] == "b"


def test_one_number_at_two_chargers_is_told_once() -> None:
    found = only(order_rules.duplicates, window({1: [order()], 2: [order()]}))
    assert (found.kind, found.meter, found.detail["charger"]) == (Kind.ORDER_DUPLICATE, 2, "C01")


def test_the_energy_of_registers_within_two_steps() -> None:
    def told(kwh: float) -> Window:
        return window({1: [order(kwh=20, start_total_mwh=0, end_total_mwh=round(kwh * KWH))]})

    assert list(order_rules.energy(told(20.02))) == []
    found = only(order_rules.energy, told(20.03))
    assert (found.kind, found.detail["against"], found.detail["registers_mwh"]) == (
        Kind.ORDER_ENERGY,
        "registers",
        20_030_000,
    )


@pytest.mark.parametrize(
    ("kwh", "wrong"), [(20.0, False), (20.02, False), (20.03, True), (19.92, False), (19.91, True)]
)
def test_the_energy_of_records_within_steps_and_own_consumption(kwh: float, *, wrong: bool) -> None:
    # An hour of 20 kWh and nothing beside it: its clock doesn't matter.
    found = list(order_rules.energy(window({1: [order("a", 9.9, 1.2, kwh)]}, {1: rows(HEALTHY)})))
    assert bool(found) is wrong


def test_slots_that_the_order_cuts_are_bounded_and_not_interpolated() -> None:
    # The charge of 10:10 to 10:50 may have had all of the first slot, or five minutes less than it.
    energies = {40: 2, 41: 5, 42: 5, 43: 2}
    for kwh, wrong in ((10.0, False), (14.0, False), (9.0, True), (14.5, True)):
        found = list(order_rules.energy(window({1: [order("a", 10 + 1 / 6, 2 / 3, kwh)]}, {1: rows(energies)})))
        assert bool(found) is wrong, kwh


def test_missing_records_accuse_nobody() -> None:
    records = [row for row in rows(HEALTHY) if not 40 <= (row.start_ms // 900_000) % 96 - 64 < 44]
    kept = [row._replace(journal=place) for place, row in enumerate(records)]  # registers that don't go on
    holes = [row for row in kept if not order().start_ms <= row.start_ms < order().end_ms]
    assert list(order_rules.energy(window({1: [order(kwh=20)]}, {1: holes}))) == []


def test_another_connector_may_have_had_the_energy() -> None:
    orders = [order("a", 10, 1, 12, connector="A"), order("b", 10, 1, 8, connector="B")]
    assert list(order_rules.energy(window({1: orders}, {1: rows(HEALTHY)}))) == []


def test_orders_counted_by_another_meter_have_its_class() -> None:
    station = context()
    other = station.meters[1].model_copy(update={"order_class_percent": station.meters[1].accuracy_class})
    station.meters[1] = other
    assert list(order_rules.energy(window({1: [order("a", 9.9, 1.2, 20.3)]}, {1: rows(HEALTHY)}, station))) == []
    assert list(order_rules.energy(window({1: [order("a", 9.9, 1.2, 20.5)]}, {1: rows(HEALTHY)}, station)))


def test_an_order_of_what_is_no_charger_is_told() -> None:
    found = only(order_rules.unknown_charger, window({9: [order()]}))
    assert (found.kind, found.detail["name"]) == (Kind.ORDER_UNKNOWN_CHARGER, "#9")


def test_an_order_belongs_to_the_day_in_which_it_ends() -> None:
    assert [
        item.number for _, item in window({1: [order("a", -1, 1), order("b", 23, 1), order("c", 23, 2)]}).ended()
    ] == ["b"]


def test_a_crowd_of_orders_at_once_ends_in_time_and_is_told() -> None:
    crowd = [order(f"n{place}", 10, 1, 20, connector=str(place)) for place in range(3000)]
    found = list(order_rules.energy(window({1: crowd}, {1: rows(HEALTHY)})))
    assert found == []  # any of them may have had the energy: the sum of the day tells


def test_orders_that_leave_out_their_connector_may_be_as_many_at_once_as_there_are() -> None:
    station = context()
    two = station.meters[1].model_copy(update={"connectors": ("K1", "K2")})
    station = replace(station, meters={**station.meters, 1: two})
    both = [order("a", 10, 2, 10), order("b", 10.5, 2, 11)]
    assert list(order_rules.overlaps(window({1: both}, station=station))) == []
    (found,) = order_rules.overlaps(window({1: [*both, order("c", 11, 3, 12)]}, station=station))
    assert (found.kind, found.detail["order"], found.detail["other"]) == (Kind.ORDER_OVERLAP, "c", "a")
    assert len(list(order_rules.overlaps(window({1: both})))) == 1
    # The same charge is there twice, however many connectors there are, and whatever lies around it.
    again = [*both, order("d", 10.5, 2, 11), order("long", 9, 6, 30, connector="K1"), order("e", 9.5, 4, 1)]
    kinds = [(item.kind, item.detail["order"]) for item in order_rules.overlaps(window({1: again}, station=station))]
    assert (Kind.ORDER_DUPLICATE, "d") in kinds


def test_two_connectors_with_one_register() -> None:
    first = order("a", 10, 2, 20, connector="K1", start_total_mwh=0, end_total_mwh=30 * KWH)
    other = order("b", 11, 2, 30, connector="K2", start_total_mwh=10 * KWH, end_total_mwh=50 * KWH)
    assert list(order_rules.energy(window({1: [first, other]}))) == []
    (found,) = order_rules.energy(window({1: [first]}))
    assert found.detail["registers_mwh"] == 30 * KWH
    more = replace(first, energy_mwh=31 * KWH)
    assert [item.detail["order"] for item in order_rules.energy(window({1: [more, other]}))] == ["a"]
