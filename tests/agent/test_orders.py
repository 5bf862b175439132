"""Charge orders of a charger's log: each told once, none that is old told as new, and what is gone counted."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.orders import ATTEMPTS, LONGEST_RETRY_MS, OVERDUE_MS, MeterOrders
from fieldbus.exchange import NoReplyError, RefusedError
from profiles.model import CodecError, LoggedOrder
from wire.charge_order import ChargeOrder
from wire.records import EventCode
from wire.row import to_body

NOW = 1_767_196_800_000
CHECK_MS = 30_000
ROWS = 4


class Log:
    """A charger's log of the last orders; its counter has 256 numbers."""

    rows = ROWS
    wraps_at = 256

    def __init__(self) -> None:
        self.count = 0
        self.kept: dict[int, LoggedOrder | Exception] = {}

    def settle(self, name: str = "", **changes: Any) -> None:
        """Let a charge end."""
        self.count = (self.count + 1) % self.wraps_at
        self.kept[self.count] = self.order_of(self.count, name, **changes)
        self.kept = dict(list(self.kept.items())[-self.rows :])

    @staticmethod
    def order_of(number: int, name: str = "", **changes: Any) -> LoggedOrder:
        numbers = {"start": NOW - 1000, "end": NOW - 500, "energy": 10**6 * number, "amount": 5} | changes
        return LoggedOrder(number, {"number": name or f"N{number}"}, numbers)

    def count_block(self) -> Any:
        return "count"

    def order_blocks(self, order: int, count: int, timezone: str) -> list[Any]:
        assert timezone == "Asia/Shanghai"
        if (count - order) % self.wraps_at >= self.rows:
            raise IndexError(order)
        return [order, "count"]

    def order(self, values: Mapping[str, int], timezone: str) -> LoggedOrder:
        found = self.kept[values["asked"]]
        if isinstance(found, Exception):
            raise found
        return found


class Desk:
    """A charger and the gateway beside it; what is stored is stored with what is told."""

    def __init__(self) -> None:
        self.now_ms = NOW
        self.log = Log()
        self.told: list[Any] = []
        self.stored: bytes = b""
        self.asked: list[Any] = []
        self.start()

    def start(self, connector: str | None = None) -> None:
        """Start the gateway (again), with what the journal has."""
        self.orders = MeterOrders(
            "桩-1",
            self.log,
            "Asia/Shanghai",
            check_ms=CHECK_MS,
            now_ms=lambda: self.now_ms,
            tell=self.tell,
            connector=connector,
        )
        if self.stored:
            self.orders.restore(json.loads(self.stored))

    def tell(self, record: Any) -> None:
        self.stored = json.dumps(self.orders.stored()).encode()
        if record is not None:
            self.told.append(record)

    def answer(self, errand: Any, count: int | None = None) -> None:
        self.asked.append(errand.blocks[0])
        values = {"count": self.log.count if count is None else count}
        if errand.blocks[0] != "count":
            values["asked"] = errand.blocks[0]
        errand.done(values, self.now_ms)

    def look(self) -> None:
        """Let a period pass and the charger answer all that it is asked."""
        self.now_ms += CHECK_MS
        while (errand := self.orders.errand()) is not None:
            self.answer(errand)

    def take(self) -> list[str]:
        """Return the numbers of the orders told since the last time, and how many were missed as `-n`."""
        told, self.told = self.told, []
        return [
            str(record.details[19]) if record.code == EventCode.CHARGE_ORDER else str(-record.details[4])
            for record in told
        ]


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


def test_a_counter_that_goes_round_is_followed(desk: Desk) -> None:
    desk.log.count = 253
    desk.log.kept = {253: Log.order_of(253)}
    desk.orders.seen = 252
    for _ in range(4):
        desk.log.settle()
        desk.look()
    assert desk.take() == ["N253", "N254", "N255", "N0", "N1"]
    assert desk.orders.missed == 0


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
    ("row", "reason"),
    [
        (CodecError("number: expected ascii"), "number: expected ascii"),
        (LoggedOrder(1, {"number": "X"}, {"start": 1, "end": 2}), "its row has no energy"),
        (LoggedOrder(1, {}, {"start": 1, "end": 2, "energy": 3}), "its row has no number"),
        (LoggedOrder(2, {"number": "X"}, {"start": 1, "end": 2, "energy": 3}), "its row is of order 2"),
        (LoggedOrder(1, {"number": "X"}, {"start": 3, "end": 2, "energy": 3}), "end (detail 21): expected at least"),
        (LoggedOrder(1, {"number": "X"}, {"start": 1, "end": 2, "energy": 3}, ({"start": 1},)), "no end, energy"),
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
    st.lists(st.sampled_from(["settle", "ask", "ask", "ask", "fail", "restart", "move", "crash"]), max_size=120),
    st.integers(0, 255),
)
def test_whatever_happens_each_order_is_told_once_or_counted_as_missed(steps: list[str], before: int) -> None:
    """The charger settles, restarts and outages come at any instant, and the counter goes round."""
    desk = Desk()
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
