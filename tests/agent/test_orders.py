"""Charge orders of a charger's log: each told once, none that is old told as new, and what is gone counted."""

from typing import Any

import pytest
from order_log_support import CHECK_MS, NOW, Desk

from agent.orders import OVERDUE_MS
from wire.charge_order import ChargeOrder
from wire.records import EventCode


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_an_order_is_an_event_of_its_charger_at_the_end_of_the_charge(desk: Desk) -> None:
    desk.log.settle()
    desk.look()
    (event,) = desk.told
    assert (event.meter, event.time_ms, event.code) == ("桩-1", NOW - 500, EventCode.CHARGE_ORDER)
    assert ChargeOrder.from_details(event.details) == ChargeOrder("N1", NOW - 1000, NOW - 500, 10**6, 5)


def test_the_counter_is_asked_once_in_its_period_and_orders_only_when_there_are_new_ones(desk: Desk) -> None:
    desk.look()
    assert desk.asked == ["count"]
    desk.now_ms += CHECK_MS - 1
    assert desk.orders.errand() is None
    desk.now_ms += 1
    assert desk.orders.errand() is not None
    assert desk.orders.errand() is None  # it is under way
    desk.now_ms += OVERDUE_MS
    assert desk.orders.errand() is not None  # it was lost


def test_each_order_is_told_once_in_their_order(desk: Desk) -> None:
    for _ in range(10):
        desk.log.settle()
        desk.log.settle()
        desk.look()
        desk.look()
    assert desk.take() == [f"N{number}" for number in range(1, 21)]
    assert desk.orders.read == 20


def test_a_charger_that_is_new_to_the_gateway_tells_what_it_keeps_and_nothing_is_called_missed(desk: Desk) -> None:
    for _ in range(9):
        desk.log.settle()
    desk.look()
    assert desk.take() == ["N6", "N7", "N8", "N9"]
    assert desk.orders.missed == 0


@pytest.mark.parametrize(("away", "told"), [(3, ["N3", "N4", "N5"]), (4, ["N3", "N4", "N5", "N6"])])
def test_a_gateway_that_was_away_catches_up(desk: Desk, away: int, told: list[str]) -> None:
    desk.log.settle()
    desk.log.settle()
    desk.look()
    desk.take()
    for _ in range(away):
        desk.log.settle()
    desk.start()
    desk.look()
    assert desk.take() == told


def test_what_the_charger_keeps_no_more_is_counted_and_told(desk: Desk) -> None:
    desk.log.settle()
    desk.look()
    desk.take()
    for _ in range(7):
        desk.log.settle()
    desk.start()
    desk.look()  # a counter that went further than the log is believed when it stays so
    assert desk.take() == []
    desk.look()
    (event, *_) = desk.told
    assert event.time_ms == desk.now_ms
    assert desk.take() == ["-3", "N5", "N6", "N7", "N8"]
    assert event.code == EventCode.CHARGE_ORDERS_MISSED
    assert event.details == {4: 3, 7: "the charger keeps the last 4 orders only"}
    desk.start()
    desk.look()
    assert desk.take() == []


def test_a_restart_after_every_answer_repeats_nothing_and_loses_nothing(desk: Desk) -> None:
    desk.look()
    for _ in range(20):
        desk.log.settle()
        for _ in range(3):
            desk.now_ms += CHECK_MS
            errand = desk.orders.errand()
            if errand is not None:
                desk.answer(errand)
        desk.start()
    for _ in range(3):
        desk.look()
    assert desk.take() == [f"N{number}" for number in range(1, 21)]


def test_an_order_that_was_told_but_not_stored_is_told_again(desk: Desk) -> None:
    """The record and what is stored are one transaction: neither is on the disk."""
    desk.look()
    before = desk.stored
    desk.log.settle()
    desk.look()
    assert desk.take() == ["N1"]
    desk.stored = before
    desk.start()
    desk.look()
    assert desk.take() == ["N1"]


def test_a_row_read_while_the_counter_moved_is_read_again(desk: Desk) -> None:
    desk.log.settle()
    desk.now_ms += CHECK_MS
    desk.answer(desk.orders.errand())
    errand = desk.orders.errand()
    desk.log.settle()
    desk.answer(errand)
    assert desk.told == []
    assert desk.orders.torn == 1
    errand = desk.orders.errand()
    assert errand is not None  # at once
    assert list[Any](errand.blocks)[0] == 1
    desk.answer(errand)
    desk.look()
    assert desk.take() == ["N1", "N2"]


def test_an_order_that_is_twice_in_the_log_is_told_once_also_after_a_restart(desk: Desk) -> None:
    desk.log.settle("A", energy=7)
    desk.look()
    desk.start()
    desk.log.settle("A", energy=7)
    desk.look()
    desk.log.settle("B")
    desk.look()
    assert desk.take() == ["A", "B"]
    assert desk.orders.repeated == 1


def test_another_content_under_the_same_number_is_told(desk: Desk) -> None:
    desk.log.settle("A", energy=7)
    desk.log.settle("A", energy=8)
    desk.look()
    assert desk.take() == ["A", "A"]
