"""Charge orders as details of an event."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.charge_order import ChargeOrder, ChargeOrderError, Period, PeriodsTooLongError
from wire.domain import MAX_AMOUNT, MAX_DETAIL_BYTES, MAX_TIME_MS, check_record
from wire.records import EventCode, EventRecord
from wire.row import from_body, to_body

START = 1_790_000_000_000
PERIODS = (
    Period(START, START + 600_000, 10_000_000, 1_200_000, 400_000, 120_000, 40_000),
    Period(START + 600_000, START + 1_200_000, 2_345_678, None, None, None, 9_383),
)
FULL = ChargeOrder(
    number="32010600019-20260921-0001",
    start_ms=START,
    end_ms=START + 1_200_000,
    energy_mwh=12_345_678,
    amount=197_531,
    electricity_amount=148_148,
    service_amount=49_383,
    start_total_mwh=1_000_000_000,
    end_total_mwh=1_012_345_678,
    stop_reason=2,
    connector="A",
    periods=PERIODS,
)
DETAILS: dict[int, int | str] = {
    1: 1_000_000_000,
    2: 1_012_345_678,
    19: "32010600019-20260921-0001",
    20: START,
    21: START + 1_200_000,
    22: 12_345_678,
    23: 197_531,
    24: 148_148,
    25: 49_383,
    26: 2,
    27: "A",
    28: "0,600,10000000,1200000,400000,120000,40000;600,1200,2345678,,,,9383",
}
LEAST = ChargeOrder("1", 0, 0, 0)


def test_an_order_has_the_details_of_the_specification() -> None:
    assert FULL.to_details() == DETAILS
    assert ChargeOrder.from_details(DETAILS) == FULL


def test_what_is_not_known_is_not_told() -> None:
    assert LEAST.to_details() == {19: "1", 20: 0, 21: 0, 22: 0}
    assert ChargeOrder.from_details({19: "1", 20: 0, 21: 0, 22: 0}) == LEAST


amounts = st.none() | st.integers(-MAX_AMOUNT, MAX_AMOUNT)
words = st.text(st.characters(exclude_categories=["C"]), min_size=1)


@st.composite
def orders(draw: st.DrawFn) -> ChargeOrder:
    start_ms = draw(st.integers(0, MAX_TIME_MS))
    seconds = (MAX_TIME_MS - start_ms) // 1000
    periods = []
    for _ in range(draw(st.integers(0, 6))):
        first = draw(st.integers(0, seconds))
        last = draw(st.integers(first, seconds))
        energy = draw(st.integers(0, MAX_AMOUNT // 6))
        told = [draw(amounts) for _ in range(4)]
        periods.append(Period(start_ms + first * 1000, start_ms + last * 1000, energy, *told))
    return ChargeOrder(
        number=draw(words.filter(lambda word: len(word.encode()) <= 64)),
        start_ms=start_ms,
        end_ms=draw(st.integers(start_ms, MAX_TIME_MS)),
        energy_mwh=draw(st.integers(0, MAX_AMOUNT)),
        amount=draw(amounts),
        electricity_amount=draw(amounts),
        service_amount=draw(amounts),
        start_total_mwh=draw(amounts),
        end_total_mwh=draw(amounts),
        stop_reason=draw(st.none() | st.integers(0, 2**15 - 1)),
        connector=draw(st.none() | words.filter(lambda word: len(word.encode()) <= 32)),
        periods=tuple(periods),
    )


@given(orders())
def test_every_order_comes_back_from_a_journal(order: ChargeOrder) -> None:
    record = EventRecord("桩-1", order.end_ms, EventCode.CHARGE_ORDER, order.to_details())
    check_record(record)
    again = from_body(to_body(record))
    assert isinstance(again, EventRecord)
    assert ChargeOrder.from_details(again.details) == order


@given(st.dictionaries(st.integers(0, 40), st.integers() | st.text(max_size=300) | st.booleans()))
def test_any_details_are_an_order_or_a_typed_error(details: dict[int, Any]) -> None:
    try:
        order = ChargeOrder.from_details(details)
    except ChargeOrderError:
        return
    assert ChargeOrder.from_details(order.to_details()) == order


@given(st.text("0123456789,;-+ ٣x", max_size=60))
def test_any_text_of_periods_is_read_or_refused_and_read_in_one_way_only(told: str) -> None:
    try:
        order = ChargeOrder.from_details(DETAILS | {28: told})
    except ChargeOrderError:
        return
    assert order.to_details()[28] == told


def test_keys_of_a_later_writer_are_passed_over() -> None:
    assert ChargeOrder.from_details(DETAILS | {7: "why", 200: 1}) == FULL


def test_what_contradicts_itself_still_travels() -> None:
    wrong = replace(FULL, amount=1, energy_mwh=5, end_total_mwh=0)
    assert ChargeOrder.from_details(wrong.to_details()) == wrong


def long_periods(count: int) -> ChargeOrder:
    """Return an order whose periods take 61 bytes each."""
    told = (10**15, 10**12 * 9, 10**6 * 4, 10**5 * 2, 10**5 * 3)
    periods = tuple(Period(START + 100_000, START + 2_000_000, *told) for _ in range(count))
    return replace(FULL, periods=periods)


def test_periods_go_on_in_the_next_text_and_are_never_cut() -> None:
    details = long_periods(16).to_details()
    assert len(details) == 15
    assert [len(str(details[key]).split(";")) for key in (28, 29, 30, 31)] == [4, 4, 4, 4]
    assert ChargeOrder.from_details(details) == long_periods(16)


@pytest.mark.parametrize(("more", "texts"), [(0, 1), (1, 2)])
def test_a_text_of_periods_is_filled_to_the_last_byte(more: int, texts: int) -> None:
    order = long_periods(4)
    spare = MAX_DETAIL_BYTES - len(str(order.to_details()[28])) + more
    first, last = order.periods[0], order.periods[-1]
    digits = min(spare, 5)
    longer = replace(last, price=10 ** (12 + digits), amount=10 ** (5 + spare - digits))
    order = replace(order, periods=(first, *order.periods[1:-1], longer))
    assert sum(key in order.to_details() for key in (28, 29, 30, 31)) == texts
    assert ChargeOrder.from_details(order.to_details()) == order


def test_periods_that_do_not_fit_are_refused_and_the_order_travels_without() -> None:
    with pytest.raises(PeriodsTooLongError, match=r"periods \(detail 28\).*got 17 periods that need 5"):
        long_periods(17).to_details()
    assert 28 not in replace(long_periods(17), periods=()).to_details()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"number": ""}, r"order \(detail 19\): expected 1 to 64 bytes of UTF-8, got 0"),
        ({"number": "单" * 22}, r"order \(detail 19\): expected 1 to 64 bytes of UTF-8, got 66"),
        ({"number": "A\x00"}, r"order \(detail 19\): expected no control characters"),
        ({"number": "A\x9f"}, r"order \(detail 19\): expected no control characters"),
        ({"number": None}, r"order \(detail 19\): expected text, got NoneType"),
        ({"number": "\ud800"}, r"order \(detail 19\): .*has no UTF-8 form"),
        ({"start_ms": -1}, r"start \(detail 20\): expected 0 to \d+, got -1"),
        ({"start_ms": True}, r"start \(detail 20\): expected an integer, got bool"),
        ({"end_ms": MAX_TIME_MS + 1}, r"end \(detail 21\): expected 0 to \d+"),
        ({"end_ms": START - 1}, rf"end \(detail 21\): expected at least its start {START}, got {START - 1}"),
        ({"energy_mwh": -1}, r"energy \(detail 22\): expected 0 to 2305843009213693952, got -1"),
        ({"energy_mwh": MAX_AMOUNT + 1}, r"energy \(detail 22\): expected 0 to"),
        ({"amount": MAX_AMOUNT + 1}, r"amount \(detail 23\)"),
        ({"electricity_amount": 1.5}, r"electricity_amount \(detail 24\): expected an integer, got float"),
        ({"service_amount": -MAX_AMOUNT - 1}, r"service_amount \(detail 25\)"),
        ({"stop_reason": -1}, r"stop_reason \(detail 26\): expected 0 to 32767, got -1"),
        ({"stop_reason": 2**15}, r"stop_reason \(detail 26\)"),
        ({"connector": ""}, r"connector \(detail 27\): expected 1 to 32 bytes"),
        ({"start_total_mwh": MAX_AMOUNT + 1}, r"before \(detail 1\)"),
        ({"end_total_mwh": "1"}, r"after \(detail 2\): expected an integer, got str"),
        ({"periods": (replace(PERIODS[0], start_ms=START - 1000),)}, r"period 1: start: expected at least"),
        ({"periods": (PERIODS[0], replace(PERIODS[1], end_ms=START))}, r"period 2: end: expected at least"),
        ({"periods": (replace(PERIODS[0], end_ms=START + 1),)}, r"period 1: end: expected whole seconds"),
        ({"periods": (replace(PERIODS[0], energy_mwh=-1),)}, r"period 1: energy: expected 0 to"),
        ({"periods": (replace(PERIODS[0], price=MAX_AMOUNT + 1),)}, r"period 1: price"),
        ({"periods": (replace(PERIODS[0], energy_mwh=MAX_AMOUNT),) * 2}, r"periods \(detail 28\): expected at most"),
    ],
)
def test_an_order_out_of_bounds_can_not_travel(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ChargeOrderError, match=said):
        replace(FULL, **changes).to_details()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({19: None}, r"order \(detail 19\): expected the order's number, found none"),
        ({20: None}, r"start \(detail 20\): expected the start of the charge, ms UTC, found none"),
        ({21: None}, r"end \(detail 21\): .*found none"),
        ({22: None}, r"energy \(detail 22\): .*found none"),
        ({22: "1"}, r"energy \(detail 22\): expected an integer, got str '1'"),
        ({22: True}, r"energy \(detail 22\): expected an integer, got bool"),
        ({19: 5}, r"order \(detail 19\): expected text, got int"),
        ({21: START - 1}, r"end \(detail 21\): expected at least its start"),
        ({28: None, 29: "0,1,2,,,,"}, r"periods_2 \(detail 29\): expected none without .*detail 28"),
        ({30: "0,1,2,,,,"}, r"periods_3 \(detail 30\): expected none without .*detail 29"),
        ({28: ""}, r"periods \(detail 28\): expected 1 to 256 bytes"),
        ({28: 5}, r"periods \(detail 28\): expected text"),
        ({28: "0,1,2,,,,;"}, r"periods \(detail 28\): period 2: expected 7 numbers, found 1 in ''"),
        ({28: "0,1,2,,,"}, r"period 1: expected 7 numbers, found 6"),
        ({28: "0,1,,,,,"}, r"period 1: energy_mwh: expected an integer of 64 bits in decimal digits, found ''"),
        ({28: "0,1,02,,,,"}, r"period 1: energy_mwh: expected an integer .*found '02'"),
        ({28: "0,1,2,+3,,,"}, r"period 1: price: expected an integer .*found '\+3'"),
        ({28: "0,1,2,3_0,,,"}, r"period 1: price: .*found '3_0'"),
        ({28: "0,1,2,9223372036854775808,,,"}, r"period 1: price: expected an integer of 64 bits"),
        ({28: "-1,1,2,,,,"}, r"period 1: start: expected at least"),
        ({28: "2,1,2,,,,"}, r"period 1: end: expected at least"),
        ({28: f"0,{MAX_TIME_MS},2,,,,"}, r"period 1: end: expected 0 to"),
    ],
)
def test_details_that_are_no_order_are_refused(changes: dict[int, Any], said: str) -> None:
    details = {key: value for key, value in (DETAILS | changes).items() if value is not None}
    with pytest.raises(ChargeOrderError, match=said):
        ChargeOrder.from_details(details)
