"""Voltage means as details of an event."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.domain import MAX_DETAIL_BYTES, MAX_DETAILS, MAX_TIME_MS, check_record
from wire.records import DetailKey, EventCode, EventRecord
from wire.row import from_body, to_body
from wire.voltage_means import (
    MAX_POWER_MW,
    MAX_QUARTERS,
    MAX_VOLTAGE_MV,
    QUARTER_MS,
    SURE_QUARTERS,
    TEXT_KEYS,
    MeansTooLongError,
    VoltageBlock,
    VoltageMean,
    VoltageMeansError,
)

START = 1_790_000_100_000
ONE = VoltageBlock(
    START,
    (
        VoltageMean((230_120,), 7_000),
        None,
        VoltageMean((230_090,), 3_000),
        VoltageMean((230_090,), 703_000),
    ),
)
ONE_DETAILS: dict[int, int | str] = {32: START, 33: 1, 34: 10, 35: 1000, 36: "+23012+7?-3-4=+700"}
THREE = VoltageBlock(
    START,
    (
        VoltageMean((230_120, 229_000, 231_500), -45_000_000),
        VoltageMean((230_130, 229_010, 231_500), -45_000_000),
        VoltageMean((230_130, 229_010, 231_510), 0),
    ),
)
THREE_DETAILS: dict[int, int | str] = {32: START, 33: 3, 34: 10, 35: 45_000_000, 36: "+23012-112+138-1+1=-1===+1+1"}


@pytest.mark.parametrize(("block", "details"), [(ONE, ONE_DETAILS), (THREE, THREE_DETAILS)])
def test_the_form_is_the_documented_one(block: VoltageBlock, details: dict[int, int | str]) -> None:
    assert block.to_details() == details
    assert VoltageBlock.from_details(details) == block


def test_a_block_ends_with_its_last_quarter() -> None:
    assert ONE.end_ms == START + 4 * QUARTER_MS


def test_what_a_later_writer_adds_is_passed_over() -> None:
    assert VoltageBlock.from_details(ONE_DETAILS | {7: "calibrated", 200: 5}) == ONE


def test_powers_that_are_all_zero_have_a_step_of_one() -> None:
    block = VoltageBlock(START, (VoltageMean((230_000,), 0),))
    assert block.to_details() == {32: START, 33: 1, 34: 230_000, 35: 1, 36: "+1="}
    assert VoltageBlock.from_details(block.to_details()) == block


def changing(quarters: int) -> VoltageBlock:
    """Return a block that is as long as any: each quarter goes from one end of what may be to the other."""
    means = (
        VoltageMean((1, MAX_VOLTAGE_MV, MAX_VOLTAGE_MV), -MAX_POWER_MW),
        VoltageMean((MAX_VOLTAGE_MV, 1, 2), MAX_POWER_MW - 1),
    )
    return VoltageBlock(START, tuple(means[index % 2] for index in range(quarters)))


def test_means_that_do_not_fit_are_told_and_the_sure_ones_fit() -> None:
    block = changing(SURE_QUARTERS)
    details = block.to_details()
    assert len(details) <= MAX_DETAILS
    assert list(details)[4:] == list(TEXT_KEYS)
    assert all(len(str(details[key])) <= MAX_DETAIL_BYTES for key in TEXT_KEYS)
    assert VoltageBlock.from_details(details) == block
    with pytest.raises(MeansTooLongError, match="fit 8 texts of 256 bytes, got 96 quarters that need 20"):
        changing(MAX_QUARTERS).to_details()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start_ms": START + 1}, r"means_start \(detail 32\): expected the start of a quarter of an hour"),
        ({"start_ms": -QUARTER_MS}, "expected 0 to"),
        ({"start_ms": MAX_TIME_MS // QUARTER_MS * QUARTER_MS}, "means .detail 36.: end: expected 0 to"),
        ({"start_ms": True}, "expected an integer"),
        ({"means": ()}, "expected 1 to 96 quarters, got 0"),
        ({"means": (ONE.means[0],) * 97}, "expected 1 to 96 quarters, got 97"),
        ({"means": (None, ONE.means[0])}, "expected a first and a last quarter that are known"),
        ({"means": (ONE.means[0], None)}, "expected a first and a last quarter that are known"),
        ({"means": (VoltageMean((1, 2), 0),)}, "expected 1 or 3 voltages, got 2"),
        ({"means": (VoltageMean((), 0),)}, "expected 1 or 3 voltages, got 0"),
        ({"means": (THREE.means[0], ONE.means[0])}, "quarter 2: expected 3 voltages like the first, got 1"),
        ({"means": (VoltageMean((0,), 0),)}, "quarter 1: voltage: expected 1 to"),
        ({"means": (VoltageMean((MAX_VOLTAGE_MV + 1,), 0),)}, "quarter 1: voltage: expected 1 to"),
        ({"means": (VoltageMean((1,), MAX_POWER_MW + 1),)}, "quarter 1: power: expected"),
        ({"means": (VoltageMean((1,), -MAX_POWER_MW - 1),)}, "quarter 1: power: expected"),
        ({"means": (VoltageMean((230.5,), 0),)}, "quarter 1: voltage: expected an integer"),  # type: ignore[arg-type]  # what a careless caller may give
    ],
)
def test_what_is_no_block_cannot_be_told(change: dict[str, Any], message: str) -> None:
    with pytest.raises(VoltageMeansError, match=message):
        replace(ONE, **change).to_details()


@pytest.mark.parametrize("missing", [32, 33, 34, 35, 36])
def test_details_that_lack_something_are_no_block(missing: int) -> None:
    name = DetailKey(missing).name.lower()
    with pytest.raises(VoltageMeansError, match=rf"{name} \(detail {missing}\): expected"):
        VoltageBlock.from_details({key: value for key, value in ONE_DETAILS.items() if key != missing})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({32: START + 1}, "expected the start of a quarter of an hour"),
        ({32: "1790000100000"}, "expected an integer"),
        ({33: 2}, r"voltages \(detail 33\): expected 1 or 3, got 2"),
        ({33: True}, "expected an integer"),
        ({33: 3}, "expected 4 numbers in each quarter"),
        ({34: 0}, "expected 1 to"),
        ({34: 2**62}, "expected 1 to"),
        ({35: -1000}, "expected 1 to"),
        ({34: 1, 36: "+230120+7?-30-4=+700"}, r"voltage_step \(detail 34\): these means have one form, with 10 here"),
        ({35: 500, 36: "+23012+14?-3-8=+1400"}, r"power_step \(detail 35\): these means have one form, with 1000"),
        ({36: 5}, "expected text, got int 5"),
        ({36: ""}, "expected 1 to 256 bytes of UTF-8, got 0"),
        ({36: "=" * 257}, "expected 1 to 256 bytes of UTF-8, got 257"),
        ({36: "+23012+07"}, "expected differences of at most 16 digits"),
        ({36: "+23012+0"}, "expected differences of at most 16 digits"),
        ({36: "+23012,+7"}, "expected differences of at most 16 digits"),
        ({36: "23012+7"}, "expected differences of at most 16 digits"),
        ({36: "+23012+7\n"}, "expected differences of at most 16 digits"),
        ({36: "+٢٣٠١٢+7"}, "expected differences of at most 16 digits"),
        ({36: "+12345678901234567="}, "expected differences of at most 16 digits"),
        ({36: "+23012"}, r"expected 2 numbers in each quarter, found '\+23012'"),
        ({36: "+23012?+7"}, r"expected 2 numbers in each quarter, found '\+23012\?'"),
        ({36: "?"}, "a first and a last quarter that are known"),
        ({36: "?+23012+7"}, "a first and a last quarter that are known"),
        ({36: "+23012+7?"}, "a first and a last quarter that are known"),
        ({36: "-23012+7"}, "voltage: expected 1 to"),
        ({36: "+23012+7" + "==" * 96}, "expected 1 to 96 quarters, got 97"),
        ({36: "+23012+7", 37: "-3-4=+700"}, r"means \(detail 36\): these means have one form"),
        ({38: "=="}, r"means_3 \(detail 38\): these means have one form, with None here"),
    ],
)
def test_hostile_details_are_no_block(change: dict[int, int | str], message: str) -> None:
    with pytest.raises(VoltageMeansError, match=message):
        VoltageBlock.from_details(ONE_DETAILS | change)


steps = st.sampled_from([1, 10, 1000, 37])


@st.composite
def blocks(draw: st.DrawFn, most: int = SURE_QUARTERS) -> VoltageBlock:
    voltages, voltage_step, power_step = draw(st.sampled_from([1, 3])), draw(steps), draw(steps)
    known = st.builds(
        VoltageMean,
        st.tuples(*[st.integers(1, MAX_VOLTAGE_MV // voltage_step).map(lambda n: n * voltage_step)] * voltages),
        st.integers(-MAX_POWER_MW // power_step + 1, MAX_POWER_MW // power_step).map(lambda n: n * power_step),
    )
    first, last = draw(known), draw(st.none() | known)
    means = (first,) if last is None else (first, *draw(st.lists(st.none() | known, max_size=most - 2)), last)
    return VoltageBlock(draw(st.integers(0, MAX_TIME_MS // QUARTER_MS - MAX_QUARTERS)) * QUARTER_MS, means)


@given(blocks())
def test_every_block_comes_back_from_a_journal(block: VoltageBlock) -> None:
    record = EventRecord("桩-1", block.end_ms, EventCode.VOLTAGE_MEANS, block.to_details())
    check_record(record)
    again = from_body(to_body(record))
    assert isinstance(again, EventRecord)
    assert VoltageBlock.from_details(again.details) == block


@given(blocks(MAX_QUARTERS))
def test_a_long_block_comes_back_or_does_not_fit(block: VoltageBlock) -> None:
    try:
        details = block.to_details()
    except MeansTooLongError:
        assert len(block.means) > SURE_QUARTERS
        return
    assert VoltageBlock.from_details(details) == block


@given(st.dictionaries(st.integers(30, 45), st.integers() | st.text(max_size=300) | st.booleans()))
def test_any_details_are_a_block_or_a_typed_error(details: dict[int, Any]) -> None:
    with pytest.raises(VoltageMeansError):
        VoltageBlock.from_details(details)


@given(
    st.lists(st.lists(st.sampled_from(["+1", "+2", "+30", "-1", "-30", "=", "?"]), max_size=9), min_size=1, max_size=2),
    st.sampled_from([1, 3]),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_one_block_has_one_form(signs: list[list[str]], voltages: int, voltage_step: int, power_step: int) -> None:
    texts = enumerate(("".join(found) for found in signs), 36)
    details = {32: START, 33: voltages, 34: voltage_step, 35: power_step} | dict(texts)
    try:
        block = VoltageBlock.from_details(details)
    except VoltageMeansError:
        return
    assert block.to_details() == details


def idle(_: random.Random, quarter: int) -> int:
    """Return the power of a charger that nobody uses, W: its own electronics."""
    return 5 + quarter % 2


def busy(chance: random.Random, _: int) -> int:
    """Return the power of a charger with cars of all kinds, W."""
    return chance.choice([5, 3_300 + chance.randint(-50, 50), 7_000 + chance.randint(-50, 50)])


def station(chance: random.Random, quarter: int) -> int:
    """Return the power at a station's own meter, in steps of 100 W."""
    return 100 * round(1500 + 1000 * math.sin(quarter / 15) + chance.gauss(0, 200))


@pytest.mark.parametrize(
    ("phases", "power", "most"),
    [(1, idle, 700), (1, busy, 950), (3, idle, 1_300), (3, busy, 1_450), (3, station, 1_450)],
)
def test_a_day_takes_about_a_kilobyte(phases: int, power: Callable[[random.Random, int], int], most: int) -> None:
    """Four blocks, with a supply that moves by 0.6 V from quarter to quarter, and each phase by another 0.25 V."""
    sizes = []
    for seed in range(20):
        chance = random.Random(seed)
        bus, own = 230_000.0, [0.0] * phases
        means = []
        for quarter in range(96):
            bus += 0.045 * (230_000 - bus) + chance.gauss(0, 600)
            own = [0.95 * value + chance.gauss(0, 250) for value in own]
            voltages = tuple(10 * round((bus + value) / 10) for value in own)
            means.append(VoltageMean(voltages, 1000 * power(chance, quarter)))
        blocks = [VoltageBlock(START + 24 * part * QUARTER_MS, tuple(means[24 * part :][:24])) for part in range(4)]
        events = [EventRecord("c17", block.end_ms, EventCode.VOLTAGE_MEANS, block.to_details()) for block in blocks]
        sizes.append(sum(len(to_body(event)) for event in events))
    assert 0.9 * most < sum(sizes) / len(sizes) <= most
