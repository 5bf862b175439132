"""All rules together: a healthy station never fails, and nothing is altered."""

import json
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from validation_support import DAY_MS, GRID, SLOT_MS, Bench

from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.validation.catalogue import BY_NAME, RULES, judge
from cloud_receiver.validation.config import NAMES, Validation
from cloud_receiver.validation.model import EventRow, Verdict
from wire.records import EventCode

PLAIN = Validation()


def test_every_rule_is_there_once_with_both_titles() -> None:
    assert tuple(BY_NAME) == NAMES
    assert len({rule.kind for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert len(rule.kind) <= 32  # the column
        assert rule.english.isascii()
        assert not rule.chinese.isascii()


def test_an_unknown_rule_can_not_be_switched_off() -> None:
    assert Validation(off=("spike",)).off == ("spike",)
    with pytest.raises(ValueError, match="expected names of rules"):
        Validation(off=("spikes",))


@given(seed=st.integers(0, 10**6), errors=st.lists(st.integers(-5, 5), min_size=3, max_size=3), grid=st.integers(-2, 2))
@settings(max_examples=60, deadline=None)
def test_a_healthy_station_never_fails(seed: int, errors: list[int], grid: int) -> None:
    """Meters err by half their classes, in thousandths: chargers of class 1, the grid side of 0.5.

    Errors near the limits that all point the same way exceed the sum check's tolerance (k = 2), as they should.
    """
    bench = Bench(seed)
    for number, error in [*enumerate(errors, 1), (GRID, grid)]:
        bench.recount(number, [row.forward_mwh * (1000 + error) // 1000 for row in bench.rows[number]])
    found = [item for item in judge(bench.window(), PLAIN) if item.outcome.verdict is Verdict.FAILED]
    assert [(item.rule.name, item.meter, item.outcome.numbers) for item in found] == []


_NUMBERS = st.integers(-(10**6), 2**61)


@given(
    seed=st.integers(0, 100),
    changes=st.lists(
        st.tuples(
            st.integers(1, 4),
            st.integers(0, 95),
            st.sampled_from(IntervalRow._fields[3:]),
            _NUMBERS,
        ),
        max_size=12,
    ),
    gone=st.sets(st.tuples(st.integers(1, 4), st.integers(0, 95)), max_size=40),
    lengths=st.lists(st.sampled_from([60, 300, 600, 900, 1200, 1800, 3600]), min_size=4, max_size=4),
    events=st.lists(st.tuples(st.integers(0, 4), st.integers(-96, 95), st.sampled_from(list(EventCode)), _NUMBERS)),
)
@settings(max_examples=40, deadline=None)
def test_no_reading_is_altered_and_no_rule_raises(
    seed: int,
    changes: list[tuple[int, int, str, int]],
    gone: set[tuple[int, int]],
    lengths: list[int],
    events: list[tuple[int, int, EventCode, int]],
) -> None:
    bench = Bench(seed)
    for meter, length in enumerate(lengths, 1):
        bench.register(meter, interval_s=length)
    bench.events = [
        EventRow(DAY_MS + place * SLOT_MS, meter, 1, int(code), dict.fromkeys((1, 2, 12, 13), value))
        for meter, place, code, value in events
    ]
    for meter, place, name, value in changes:
        number = value % 4 if name in {"quality", "factor_quality"} else value
        number = abs(number) % SLOT_MS + 1 if name == "duration_ms" else number
        row = bench.rows[meter][place]
        bench.rows[meter][place] = row._replace(**{name: number})
    for meter, found in bench.rows.items():
        bench.rows[meter] = [row for place, row in enumerate(found) if (meter, place) not in gone]
    window = bench.window()
    before = deepcopy([(slot.rows, slot.previous) for slot in window.slots])
    outcomes = [item.outcome for item in judge(window, PLAIN)]
    assert [(slot.rows, slot.previous) for slot in window.slots] == before
    # Every outcome is evidence that can be stored, with the slots within the span.
    for outcome in outcomes:
        json.dumps([dict(outcome.numbers), [dict(detail) for detail in outcome.details]])
        assert all(window.first_ms <= start < window.end_ms for start in outcome.starts)
        assert bool(outcome.details) == (outcome.verdict in {Verdict.SUSPECT, Verdict.FAILED})
