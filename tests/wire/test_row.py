"""Record bodies: what the journal keeps of a record."""

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.records import (
    AdjustmentRecord,
    EventCode,
    EventRecord,
    FactorQuality,
    FreezeKind,
    FreezeRecord,
    FreezeSource,
    IntervalRecord,
    Quality,
    Record,
)
from wire.row import RecordError, from_body, to_body

INTERVAL = IntervalRecord("m", 1, 2, 3, 4, 5, 6, 7, FactorQuality.HELD, 8, 9, 10, 11, 12, Quality.ESTIMATED)
RECORDS: list[Record] = [
    INTERVAL,
    IntervalRecord("电表", 1, 2, 3, 4, -5, 6, None, FactorQuality.UNDEFINED, 0, 0, -10, 11, 12, Quality.PARTIAL),
    FreezeRecord("m", 1, FreezeKind.MONTHLY, 2, 3, 4, -5, FreezeSource.METER),
    AdjustmentRecord("m", 1, 2, 3, 4, None, 6, -7, 8, b"solve"),
    EventRecord(None, 1, EventCode.CLOCK_STEPPED, {1: -5, 7: "why"}),
    EventRecord("m", 1, EventCode.RESET),
]
# Part of every journal in the field: these bytes must be readable for ever.
BODIES = [
    "90 00 61 6d 01 02 03 04 05 06 07 01 08 09 0a 0b 0c 02",
    "90 00 66 e7 94 b5 e8 a1 a8 01 02 03 04 24 06 f6 03 00 00 29 0b 0c 03",
    "89 01 61 6d 01 01 02 03 04 24 03",
    "8b 02 61 6d 01 02 03 04 f6 06 26 08 45 73 6f 6c 76 65",
    "85 03 f6 01 18 c9 a2 01 24 07 63 77 68 79",
    "85 03 61 6d 01 02 a0",
]


@pytest.mark.parametrize(("record", "body"), list(zip(RECORDS, BODIES, strict=True)))
def test_a_record_comes_back_with_its_types(record: Record, body: str) -> None:
    assert to_body(record) == bytes.fromhex(body)
    again = from_body(bytes.fromhex(body))
    assert again == record
    assert repr(again) == repr(record)  # enumerations, not bare integers


@pytest.mark.parametrize("record", RECORDS)
def test_a_truncated_body_is_refused(record: Record) -> None:
    body = to_body(record)
    for end in range(len(body)):
        with pytest.raises(RecordError):
            from_body(body[:end])
    with pytest.raises(RecordError, match="behind the end"):
        from_body(body + b"\x00")


@given(st.sampled_from(RECORDS), st.data())
def test_a_changed_body_is_another_record_or_none(record: Record, data: st.DataObject) -> None:
    changed = bytearray(to_body(record))
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        again = from_body(bytes(changed))
    except RecordError:
        return
    assert to_body(again) == bytes(changed)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({}, "expected an array"),
        ([], "expected an array"),
        ([True], "expected an array"),
        ([4, 1], "expected a kind of 0 to 3, got 4"),
        ([0, "m"], "IntervalRecord has 15 fields, got 1"),
        ([1, "m", 1, 2, 2, 3, 4, 5, 3], "freeze: kind: expected 0 to 1, got 2"),
        ([1, "m", 1, 0, 2, 3, 4, None, 3], "freeze: carbon_reverse_total_ug"),
        ([2, "m", 1, 2, 3, 4, None, 6, -7, 8, b""], "adjustment: solve_id"),
        ([2, "m", 1, 2, 3, 4, -1, 6, -7, 8, b"s"], "adjustment: factor_used"),
        ([3, None, 1, 7, {}], "event: code: expected one of"),
        ([3, None, 1, 1, []], "event: details: expected a mapping"),
        ([3, None, 1, 1, {"a": 1}], "event: key of details"),
        ([3, None, 1, 1, {1: None}], r"event: details\[1\]"),
        ([3, None, 1, 1, dict.fromkeys(range(17), 0)], "at most 16, got 17"),
        ([3, 5, 1, 1, {}], "event: meter"),
    ],
)
def test_what_is_no_record_is_refused_by_name(value: Any, named: str) -> None:
    with pytest.raises(RecordError, match=named):
        from_body(cbor2.dumps(value, canonical=True))


def test_a_record_that_cant_travel_is_not_journalled() -> None:
    for name, value in (("meter", ""), ("start_ms", -1), ("duration_ms", 0), ("forward_mwh", 1.0), ("factor", True)):
        fields = {field: getattr(INTERVAL, field) for field in INTERVAL.__slots__}
        with pytest.raises(RecordError, match=name):
            to_body(IntervalRecord(**{**fields, name: value}))
