"""Charge orders where the log misbehaves: counters that fall, rows that are no orders, chargers that don't answer."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from order_log_support import CHECK_MS, NOW, ROWS, Desk, Log

from agent.orders import ATTEMPTS, LONGEST_RETRY_MS, MOST_ROUND
from fieldbus.exchange import NoReplyError, RefusedError
from profiles.model import CodecError, LoggedOrder
from wire.charge_order import ChargeOrder
from wire.records import EventCode
from wire.row import to_body

MOST_STEPS = 120
WRAPS_AT = 1024  # more than 8 times as many: a counter that is lower after all of them went round


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_counter_that_goes_round_is_followed(desk: Desk) -> None:
    desk.log.count = 253
    desk.log.kept = {253: Log.order_of(253)}
    desk.orders.seen = 252
    for _ in range(4):
        desk.log.settle()
        desk.look()
    assert desk.take() == ["N253", "N254", "N255", "N0", "N1"]
    assert desk.orders.missed == 0


def test_of_a_counter_that_went_round_in_an_outage_what_the_log_has_lost_is_counted(desk: Desk) -> None:
    desk.log.count = desk.orders.seen = 251
    for _ in range(ROWS + 1):
        desk.log.settle()
    desk.look()
    assert desk.take() == []  # not yet believed
    desk.look()
    assert desk.take() == ["-1", "N253", "N254", "N255", "N0"]
    assert desk.orders.missed == 1


@pytest.mark.parametrize(
    ("wraps_at", "away", "missed"),
    [
        (256, 32, 32 - ROWS),
        (256, 33, 0),
        (65536, MOST_ROUND, MOST_ROUND - ROWS),
        (65536, MOST_ROUND + 1, 0),
        (2**32, MOST_ROUND, MOST_ROUND - ROWS),
        (2**32, MOST_ROUND + 1, 0),
    ],
)
def test_a_counter_that_is_lower_went_round_if_few_orders_explain_it_and_was_reset_otherwise(
    wraps_at: int, away: int, missed: int
) -> None:
    desk = Desk(wraps_at)
    desk.orders.seen = wraps_at - 10
    desk.log.count = away - ROWS - 10
    for _ in range(ROWS):
        desk.log.settle()
    desk.look()
    desk.look()
    assert desk.take() == [*([f"-{missed}"] if missed else []), *(f"N{away - 10 - back}" for back in (3, 2, 1, 0))]
    assert desk.orders.missed == missed


def test_a_counter_that_began_anew_brings_the_new_orders_and_none_of_the_old(desk: Desk) -> None:
    for _ in range(200):
        desk.log.settle()
    desk.look()
    assert desk.take() == ["N197", "N198", "N199", "N200"]
    desk.log.count = 0
    desk.log.settle("fresh-1")
    # The rows behind the new ones still hold old orders in some chargers: their content is known.
    desk.log.count = 3
    for number in (2, 3):
        old = Log.order_of(197 + number)
        desk.log.kept[number] = LoggedOrder(number, old.texts, old.numbers)
    desk.look()
    assert desk.take() == []  # not yet believed
    desk.look()
    assert desk.take() == ["fresh-1"]
    assert desk.orders.missed == 0
    assert desk.orders.repeated == 2


@pytest.mark.parametrize("glitch", [0, 100])
def test_a_counter_that_is_wrong_once_changes_nothing(desk: Desk, glitch: int) -> None:
    for _ in range(20):
        desk.log.settle()
    desk.look()
    desk.take()
    count, desk.log.count = desk.log.count, glitch
    desk.look()
    desk.log.count = count
    desk.log.settle()
    desk.look()
    assert desk.take() == ["N21"]
    assert desk.orders.missed == 0


@pytest.mark.parametrize(
    "period",
    [
        {"start": NOW - 1000},
        {"start": NOW - 2000, "end": NOW - 1000, "energy": 3},
        {"start": NOW - 1000, "end": NOW - 2000, "energy": 3},
        {"start": NOW - 999, "end": NOW - 500, "energy": 3},
        {"start": NOW - 1000, "end": NOW, "energy": -1},
    ],
)
def test_periods_that_are_none_cost_the_order_nothing_else(desk: Desk, period: dict[str, int]) -> None:
    desk.log.settle()
    good = desk.log.kept[1]
    assert isinstance(good, LoggedOrder)
    desk.log.kept[1] = LoggedOrder(1, good.texts, good.numbers, (period,))
    for _ in range(ATTEMPTS - 1):  # they may still be written
        desk.look()
        assert desk.told == []
    desk.look()
    (event,) = desk.told
    assert ChargeOrder.from_details(event.details).periods == ()
    assert desk.take() == ["N1"]
    assert desk.orders.missed == 0


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (CodecError("number: expected ascii"), "number: expected ascii"),
        (LoggedOrder(1, {"number": "X"}, {"start": 1, "end": 2}), "its row has no energy"),
        (LoggedOrder(1, {}, {"start": 1, "end": 2, "energy": 3}), "its row has no number"),
        (LoggedOrder(2, {"number": "X"}, {"start": 1, "end": 2, "energy": 3}), "its row is of order 2"),
        (LoggedOrder(1, {"number": "X"}, {"start": 3, "end": 2, "energy": 3}), "end (detail 21): expected at least"),
    ],
)
def test_a_row_that_is_no_order_is_tried_again_and_then_missed(
    desk: Desk, row: LoggedOrder | Exception, reason: str
) -> None:
    desk.log.settle()
    good = desk.log.kept[1]
    desk.log.kept[1] = row
    for _ in range(ATTEMPTS - 1):
        desk.look()
        assert desk.told == []
    second = Desk()
    second.log.settle()
    second.log.kept[1] = row
    second.look()
    second.log.kept[1] = good
    second.look()
    assert second.take() == ["N1"]
    desk.log.settle()
    desk.look()
    (event, _) = desk.told
    assert reason in str(event.details[7])
    assert desk.take() == ["-1", "N2"]
    assert desk.orders.missed == 1


def test_of_a_log_for_several_connectors_each_meter_has_its_own_orders(desk: Desk) -> None:
    other = Desk()
    for one, connector in ((desk, "A"), (other, "B")):
        one.log = desk.log
        one.start(connector)
    for number in range(1, 9):
        desk.log.settle()
        row = desk.log.kept[number]
        assert isinstance(row, LoggedOrder)
        named = {0: {"connector": "A"}, 1: {"connector": "B"}, 2: {}}[number % 3]
        texts = {**row.texts, **named}
        desk.log.kept[number] = LoggedOrder(number, texts, row.numbers)
        desk.look()
        other.look()
        other.start("B")
    assert desk.take() == ["N3", "N6"]
    assert other.take() == ["N1", "N4", "N7"]
    assert desk.orders.seen == 8
    assert json.loads(desk.stored)["seen"] == 8


def test_the_reason_of_a_missed_order_travels_whatever_the_charger_wrote(desk: Desk) -> None:
    desk.log.settle()
    desk.log.kept[1] = CodecError("\U0001f50c" * 90)
    for _ in range(ATTEMPTS):
        desk.look()
    (event,) = desk.told
    assert len(str(event.details[7]).encode()) <= 256
    to_body(event)


def test_periods_that_can_not_travel_cost_the_order_nothing_else(desk: Desk) -> None:
    desk.log.settle()
    row = desk.log.kept[1]
    assert isinstance(row, LoggedOrder)
    period = {"start": NOW - 1000, "end": NOW, "energy": 10**15, "price": 10**17, "amount": 10**17}
    desk.log.kept[1] = LoggedOrder(1, row.texts, row.numbers, (period,) * 40)
    desk.look()
    (event,) = desk.told
    assert ChargeOrder.from_details(event.details) == ChargeOrder("N1", NOW - 1000, NOW - 500, 10**6, 5)


def test_periods_travel_with_their_order(desk: Desk) -> None:
    desk.log.settle()
    row = desk.log.kept[1]
    assert isinstance(row, LoggedOrder)
    period = {"start": NOW - 1000, "end": NOW, "energy": 4, "price": 5, "service_price": 6, "amount": 7}
    desk.log.kept[1] = LoggedOrder(1, row.texts, row.numbers, (period,))
    desk.look()
    assert desk.told[0].details[28] == "0,1,4,5,6,7,"


def test_a_charger_that_does_not_answer_is_asked_less_and_less_and_nothing_is_lost(desk: Desk) -> None:
    desk.look()
    pauses = []
    for _ in range(12):
        asked_ms = desk.now_ms
        while (errand := desk.orders.errand()) is None:
            desk.now_ms += 1000
        pauses.append(desk.now_ms - asked_ms)
        errand.failed(NoReplyError("no reply"))
    assert pauses[:5] == [CHECK_MS, CHECK_MS, 2 * CHECK_MS, 4 * CHECK_MS, 8 * CHECK_MS]
    assert pauses[-1] == LONGEST_RETRY_MS
    desk.log.settle()
    desk.now_ms += LONGEST_RETRY_MS
    desk.look()
    assert desk.take() == ["N1"]


def test_a_failure_between_two_orders_costs_neither(desk: Desk) -> None:
    desk.log.settle()
    desk.log.settle()
    desk.now_ms += CHECK_MS
    desk.answer(desk.orders.errand())
    desk.answer(desk.orders.errand())
    errand = desk.orders.errand()
    assert errand is not None
    assert list[Any](errand.blocks)[0] == 2
    errand.failed(NoReplyError("no reply"))
    desk.look()
    assert desk.take() == ["N1", "N2"]


def test_a_charger_that_refuses_is_left_alone_for_long(desk: Desk) -> None:
    errand = desk.orders.errand()
    assert errand is not None
    errand.failed(RefusedError(2, "illegal address"))
    desk.now_ms += LONGEST_RETRY_MS - 1
    assert desk.orders.errand() is None
    desk.now_ms += 1
    assert desk.orders.errand() is not None


def test_of_another_charger_in_its_place_what_it_keeps_is_told(desk: Desk) -> None:
    for _ in range(20):
        desk.log.settle()
    desk.look()
    desk.take()
    desk.orders.exchanged()
    desk.log.count, desk.log.kept = 59, {}
    desk.log.settle("new")
    desk.log.kept |= {number: Log.order_of(number, f"other-{number}") for number in (57, 58, 59)}
    desk.look()
    assert desk.take() == ["other-57", "other-58", "other-59", "new"]
    assert desk.orders.missed == 0


def test_an_answer_that_was_under_way_when_the_charger_was_exchanged_is_of_no_use(desk: Desk) -> None:
    desk.log.settle()
    desk.now_ms += CHECK_MS
    desk.answer(desk.orders.errand())
    errand = desk.orders.errand()
    desk.orders.exchanged()
    desk.answer(errand)
    assert desk.told == []


def test_a_clock_that_went_back_does_not_stop_the_looking(desk: Desk) -> None:
    desk.look()
    desk.now_ms -= 10**9
    assert desk.orders.errand() is not None


def test_what_is_kept_of_told_orders_is_bounded(desk: Desk) -> None:
    for _ in range(300):
        desk.log.settle(f"N-{len(desk.told)}")
        desk.look()
    assert len(desk.told) == 300
    assert len(desk.stored) < 64 * 20 + 100


@pytest.mark.parametrize(
    "stored", [{}, {"seen": 1}, {"seen": "1", "digests": []}, {"seen": 256, "digests": []}, {"seen": 1, "digests": 5}]
)
def test_what_is_stored_and_can_not_be_used_is_refused(desk: Desk, stored: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        desk.orders.restore(stored)


@given(
    st.lists(st.sampled_from(["settle", "ask", "ask", "ask", "fail", "restart", "move", "crash"]), max_size=MOST_STEPS),
    st.integers(0, WRAPS_AT - 1) | st.integers(WRAPS_AT - 2 * MOST_STEPS, WRAPS_AT - 1),
)
@example(["settle"] * 5, WRAPS_AT - 5)  # it goes round while more orders end than the log keeps
@example(["settle"] * MOST_STEPS, WRAPS_AT - 1)
def test_whatever_happens_each_order_is_told_once_or_counted_as_missed(steps: list[str], before: int) -> None:
    """The charger settles, restarts and outages come at any instant, and the counter goes round."""
    desk = Desk(WRAPS_AT)
    desk.log.count = desk.orders.seen = before
    desk.tell(None)
    settled: list[str] = []

    def settle() -> None:
        settled.append(f"order-{len(settled)}")
        desk.log.settle(settled[-1])

    def ask(step: str, errand: Any) -> None:
        kept, stored = len(desk.told), desk.stored
        if step == "fail":
            errand.failed(NoReplyError("no reply"))
            return
        if step == "move":
            settle()
        desk.answer(errand)
        if step == "crash":  # before the transaction is on the disk
            del desk.told[kept:]
            desk.stored = stored
            desk.start()

    for step in [*steps, *["ask"] * 12]:
        desk.now_ms += LONGEST_RETRY_MS
        if step == "settle":
            settle()
        elif step == "restart":
            desk.start()
        elif (errand := desk.orders.errand()) is not None:
            ask(step, errand)
    missed = sum(record.details[4] for record in desk.told if record.code == EventCode.CHARGE_ORDERS_MISSED)
    told = [str(record.details[19]) for record in desk.told if record.code == EventCode.CHARGE_ORDER]
    assert told == [number for number in settled if number in set(told)]  # once each, in their order
    assert len(told) + missed == len(settled)
    assert settled[-ROWS:] == told[-ROWS:] or len(settled) < ROWS
