"""Registers of two chargers that go on where the other's stood; orders under each other's names are bad input."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from estimation_support import DAY
from receiver_support import SLOT_MS
from whole_span_support import context, windows_of

from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.estimation.noticed import Noticed
from cloud_receiver.estimation.registers import Registers
from cloud_receiver.estimation.swaps import exchanged
from wire.records import FactorQuality, Quality

FIRST, SECOND, THIRD = 11, 12, 13
KWH = 1_000_000
DAYS = 4
HALF = DAYS * 96 // 2


def rows(number: int, stands: Sequence[tuple[int, int, int]], journal: int = 1) -> list[IntervalRow]:
    """Return intervals of a meter; `stands`: from a slot to a slot, and the register where it begins, kWh.

    It counts 1 kWh in each interval.
    """
    return [
        IntervalRow(
            DAY + slot * SLOT_MS,
            *(number, journal, slot + 1, SLOT_MS, KWH, 0, (begin + slot - first + 1) * KWH, 0),
            *(None, int(FactorQuality.UNDEFINED), 0, 0, 0, 0, 15, int(Quality.MEASURED)),
        )
        for first, last, begin in stands
        for slot in range(first, last)
    ]


def found(*meters: Sequence[tuple[int, int, int]]) -> list[Noticed]:
    registers = Registers()
    registers.add(sorted(row for place, stands in enumerate(meters) for row in rows(FIRST + place, stands)))
    columns = [[1.0] * 4 for _ in meters]
    return exchanged(context(3), windows_of([3.0] * 4, columns), registers)


def whole(begin: int) -> list[tuple[int, int, int]]:
    return [(0, DAYS * 96, begin)]


def crossed(gap: int, low: int = 1000, high: int = 5000, counted: int = 0) -> list[list[tuple[int, int, int]]]:
    """Return two registers that are exchanged half-way, not read for some slots, in which they count so much."""
    later = HALF + gap
    to_high, to_low = high + HALF + counted, low + HALF + counted
    return [
        [(0, HALF, low), (later, DAYS * 96, to_high)],
        [(0, HALF, high), (later, DAYS * 96, to_low)],
    ]


@pytest.mark.parametrize(("gap", "counted", "high"), [(0, 0, 5000), (1, 20, 5000), (8, 8, 5000), (95, 500, 9000)])
def test_each_goes_on_where_the_other_stood(gap: int, counted: int, high: int) -> None:
    """After a gap the lower one looks as if it had counted a lot meanwhile."""
    [item] = found(*crossed(gap, counted=counted, high=high), whole(2000))
    assert (item.name, item.meters, item.blocks, item.withdrawn) == (
        "registers_exchanged",
        (FIRST, SECOND),
        False,
        (),
    )
    since = datetime.fromisoformat(str(item.numbers["since"]))
    assert since.timestamp() * 1000 == DAY + (HALF + gap) * SLOT_MS
    assert since.utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize(
    "meters",
    [
        crossed(97, high=9000),  # too long ago
        crossed(0, low=1000, high=1009),  # too near to each other
        crossed(4, counted=200),  # more than its power allows
        [[(0, HALF, 1000), (HALF, DAYS * 96, 0)], whole(5000)],  # began anew
        [[(0, HALF, 1000), (HALF, DAYS * 96, 0)], [(0, HALF, 5000), (HALF, DAYS * 96, 0)]],  # both did
        [[(0, HALF, 1000), (HALF, DAYS * 96, 5000 + HALF)], whole(5000)],  # only one
        [whole(1000), whole(5000)],
        [[(0, HALF, 1000), (HALF + 8, DAYS * 96, 1000 + HALF + 8)], [(0, HALF, 5000), (HALF + 8, DAYS * 96, 5200)]],
    ],
)
def test_what_is_no_exchange(meters: list[list[tuple[int, int, int]]]) -> None:
    assert found(*meters) == []


@pytest.mark.parametrize(("jumps", "named"), [(31, True), (32, False)])
def test_one_that_begins_anew_again_and_again_is_left_out(jumps: int, named: bool) -> None:
    """Comparing all with all of another would take a station's night."""
    first, second = crossed(0)
    slots = list(range(HALF + 10, HALF + 10 + jumps + 1))
    anew = [(slot, slot + 1, 7) for slot in slots[:-1]]
    first = [first[0], (HALF, slots[0], first[1][2]), *anew, (slots[-1], DAYS * 96, 7)][: 2 + jumps]
    assert bool(found(first, second)) == named


def test_readings_that_were_missed_before_are_no_beginnings() -> None:
    meters = crossed(0)
    for place, ((_, last, begin), later) in enumerate(meters):
        meters[place] = [
            *((slot, slot + 2, begin + slot) for slot in range(0, last - 1, 4)),
            (HALF - 1, HALF, begin + HALF - 1),
            later,
        ]
    assert [item.meters for item in found(*meters)] == [(FIRST, SECOND)]


def test_a_pair_is_named_once() -> None:
    low, high = 1000, 5000
    quarter = HALF // 2
    first = [(0, quarter, low), (quarter, HALF, high + quarter), (HALF, DAYS * 96, low + HALF)]
    second = [(0, quarter, high), (quarter, HALF, low + quarter), (HALF, DAYS * 96, high + HALF)]
    assert [item.meters for item in found(first, second)] == [(FIRST, SECOND)]
