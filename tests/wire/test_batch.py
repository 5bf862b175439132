"""Batches: what is encoded is what Rust decodes, what an independent reader decodes, and what the CDDL allows."""

from dataclasses import astuple, replace
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diantan_core
from wire.batch import RecordBatchMessage, encode_batch
from wire.domain import MAX_AMOUNT, MAX_TIME_MS
from wire.records import (
    AdjustmentRecord,
    ClockState,
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

NAMES = st.sampled_from(["m1", "m2", "m10", "x", "电表-1", "电表-12", "a" * 64]) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=16
)
AMOUNT = st.integers(-MAX_AMOUNT, MAX_AMOUNT) | st.integers(-3, 3)
INCREMENT = st.integers(0, MAX_AMOUNT) | st.integers(0, 10**8)
TIME = st.integers(0, MAX_TIME_MS) | st.integers(1_790_000_000, 1_790_000_010).map(lambda s: s * 1000)
DURATION = st.integers(1, MAX_TIME_MS) | st.just(900_000)
FACTOR = st.none() | st.integers(0, 2**32 - 1) | st.just(581_000)


@st.composite
def intervals(draw: st.DrawFn) -> IntervalRecord:
    factor = draw(FACTOR)
    quality = FactorQuality.UNDEFINED if factor is None else draw(st.sampled_from(list(FactorQuality)[:3]))
    energies = [draw(INCREMENT), draw(INCREMENT)]
    totals = [draw(AMOUNT) for _ in range(6)]
    return IntervalRecord(
        draw(NAMES),
        draw(TIME),
        draw(DURATION),
        *energies,
        *totals[:2],
        factor,
        quality,
        *totals[2:],
        draw(st.integers(0, 2**32 - 1)),
        draw(st.sampled_from(Quality)),
    )


FREEZES = st.builds(
    FreezeRecord,
    NAMES,
    TIME,
    st.sampled_from(FreezeKind),
    AMOUNT,
    AMOUNT,
    AMOUNT,
    AMOUNT,
    st.sampled_from(FreezeSource),
)
ADJUSTMENTS = st.builds(
    AdjustmentRecord,
    NAMES,
    TIME,
    DURATION,
    INCREMENT,
    INCREMENT,
    FACTOR,
    FACTOR,
    AMOUNT,
    AMOUNT,
    st.binary(min_size=1, max_size=32),
)
EVENTS = st.builds(
    EventRecord,
    st.none() | NAMES,
    TIME,
    st.sampled_from(EventCode),
    st.dictionaries(st.integers(0, 255), st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20), max_size=4),
)
RECORDS = intervals() | FREEZES | ADJUSTMENTS | EVENTS
KINDS = (IntervalRecord, FreezeRecord, AdjustmentRecord, EventRecord)


def message(records: list[Record], **more: Any) -> RecordBatchMessage:
    return replace(
        RecordBatchMessage("gw-1", b"\x01" * 8, 1000, 1_790_000_000_000, ClockState.SYNCHRONISED, records), **more
    )


def rows_of(records: list[Record], first: int, kind: type) -> list[tuple[Any, ...]]:
    """Return the rows the receiver must get, the meter's key being its name."""
    return [
        (first + offset, record.meter, *astuple(record)[1:])
        for offset, record in enumerate(records)
        if isinstance(record, kind)
    ]


def decoded(data: bytes) -> list[list[tuple[Any, ...]]]:
    batch = diantan_core.decode_batch(data)
    keys: Any = batch.meters
    return [batch.interval_rows(keys), batch.freeze_rows(keys), batch.adjustment_rows(keys), batch.event_rows(keys)]


def unpacked(column: Any, rows: int) -> Any:
    """Return a column without its packing, if it is packed."""
    if not isinstance(column, bytes):
        return column
    width = len(column) // rows
    assert width * rows == len(column)
    return [int.from_bytes(column[at : at + width], "big", signed=True) for at in range(0, len(column), width)]


def expand(column: Any, rows: int) -> list[Any]:
    column = unpacked(column, rows)
    if column is None:
        return [0] * rows
    if isinstance(column, list):
        assert len(column) == rows
        return column
    if isinstance(column, dict):
        starts = list(column)
        assert starts[0] == 0
        assert starts == sorted(starts)
        ends = [*starts[1:], rows]
        return [value for (start, value), end in zip(column.items(), ends, strict=True) for _ in range(start, end)]
    return [column] * rows


def absolute(column: Any, rows: int) -> list[Any]:
    """Undo the differences between a column's entries, then expand it."""
    last = 0

    def add(entry: Any) -> Any:
        nonlocal last
        if entry is None:
            return None
        last += entry
        return last

    column = unpacked(column, rows)
    if isinstance(column, list):
        return [add(entry) for entry in column]
    if isinstance(column, dict):
        return expand({row: add(entry) for row, entry in column.items()}, rows)
    return expand(column, rows)


class Oracle:
    """A second reader, written from docs/wire.md in plain Python and without regard to speed."""

    def __init__(self, data: bytes) -> None:
        self.value = cbor2.loads(data)
        self.names = []
        shared = expand(self.value.get(8), len(self.value[7])) if self.value[7] else []
        for rest, same in zip(self.value[7], shared, strict=True):
            self.names.append((self.names[-1] if self.names else "")[:same] + rest)

    def head(self, group: dict[int, Any]) -> tuple[int, list[int], list[str | None]]:
        rows = group[0]
        sequences, meters = [], []
        next_sequence, index = self.value[3], -1
        # An absent column is 0 in every row; one that is null is null in every row.
        steps = (
            expand(group[2], rows) if 2 in group and group[2] is not None else [0 if 2 not in group else None] * rows
        )
        for skipped, step in zip(expand(group.get(1), rows), steps, strict=True):
            sequences.append(next_sequence + skipped)
            next_sequence = sequences[-1] + 1
            if step is None:
                meters.append(None)
            else:
                index = (index + 1 + step) % len(self.names)
                meters.append(self.names[index])
        return rows, sequences, meters

    def nullable(self, group: dict[int, Any], key: int) -> list[Any]:
        rows = group[0]
        return [None] * rows if key in group and group[key] is None else absolute(group.get(key), rows)

    def intervals(self) -> list[tuple[Any, ...]]:
        group = self.value.get(9)
        if group is None:
            return []
        rows, sequences, meters = self.head(group)
        distinct = list(dict.fromkeys(meters))
        before = {key: dict(zip(distinct, expand(group.get(key), len(distinct)), strict=True)) for key in range(8, 12)}
        ends = dict.fromkeys(distinct, group[3])
        columns = {key: expand(group.get(key), rows) for key in (4, 5, 6, 7, 12, 13, 14, 15, 17, 18, 19, 20, 21)}
        factors = self.nullable(group, 16)
        result = []
        for row, (sequence, meter) in enumerate(zip(sequences, meters, strict=True)):
            start = ends[meter] + columns[4][row]
            ends[meter] = start + columns[5][row]
            forward, reverse = columns[6][row], columns[7][row]
            factor = factors[row]
            expected = [min(energy * (factor or 0) // 1000, 2**61) for energy in (forward, reverse)]
            carbon = [expected[0] + columns[18][row], expected[1] + columns[19][row]]
            for key, amount, correction in zip(range(8, 12), (forward, reverse, *carbon), range(12, 16), strict=True):
                before[key][meter] += amount + columns[correction][row]
            energy_totals = (before[8][meter], before[9][meter])
            carbon_totals = (before[10][meter], before[11][meter])
            head = (sequence, meter, start, columns[5][row], forward, reverse, *energy_totals, factor, columns[17][row])
            result.append((*head, *carbon, *carbon_totals, columns[20][row], columns[21][row]))
        return result

    def plain(self, key: int, readers: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        group = self.value.get(key)
        if group is None:
            return []
        rows, *places = self.head(group)
        columns = [read(group, rows) for read in readers]
        return list(zip(*places, *columns, strict=True))

    def rows(self) -> list[list[tuple[Any, ...]]]:
        def column(key: int) -> Any:
            return lambda group, rows: expand(group.get(key), rows)

        def times(group: dict[int, Any], rows: int) -> list[int]:
            return absolute(group.get(3), rows)

        def solve_ids(group: dict[int, Any], rows: int) -> list[Any]:
            return [group[11]] * rows if isinstance(group[11], bytes) else expand(group[11], rows)

        def details(group: dict[int, Any], rows: int) -> list[Any]:
            return group.get(5) or [{}] * rows

        factors = [lambda group, _, key=key: self.nullable(group, key) for key in (7, 8)]
        return [
            self.intervals(),
            self.plain(10, (times, *map(column, range(4, 10)))),
            self.plain(11, (times, *map(column, (4, 5, 6)), *factors, *map(column, (9, 10)), solve_ids)),
            self.plain(12, (times, column(4), details)),
        ]


@settings(max_examples=300)
@given(st.lists(RECORDS, min_size=1, max_size=30), st.integers(1, 2**62))
def test_two_readers_get_what_was_written(records: list[Record], first: int) -> None:
    data = encode_batch(message(records, first=first))
    expected = [rows_of(records, first, kind) for kind in KINDS]
    assert decoded(data) == expected
    assert Oracle(data).rows() == expected
    assert cbor2.dumps(cbor2.loads(data), canonical=True) == data


@given(st.lists(RECORDS, min_size=1, max_size=10))
def test_a_truncated_batch_is_refused_wherever_it_ends(records: list[Record]) -> None:
    data = encode_batch(message(records))
    for end in range(len(data)):
        with pytest.raises(diantan_core.DecodeError) as caught:
            diantan_core.decode_batch(data[:end])
        assert 0 <= caught.value.offset <= end
    with pytest.raises(diantan_core.DecodeError, match="1 bytes behind the end"):
        diantan_core.decode_batch(data + b"\x00")


@given(st.lists(RECORDS, min_size=1, max_size=6), st.data())
def test_a_changed_batch_decodes_or_is_refused(records: list[Record], data: st.DataObject) -> None:
    changed = bytearray(encode_batch(message(records)))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        batch = diantan_core.decode_batch(bytes(changed))
    except diantan_core.DecodeError:
        return
    keys = list(range(len(batch.meters)))
    rows = [*batch.interval_rows(keys), *batch.freeze_rows(keys), *batch.adjustment_rows(keys), *batch.event_rows(keys)]
    assert sorted(row[0] for row in rows) == list(range(batch.first, batch.first + batch.count))


def honest(meter: str, slot: int, **more: Any) -> IntervalRecord:
    return replace(
        IntervalRecord(
            meter,
            1_790_000_100_000 + slot * 900_000,
            900_000,
            1_750_000,
            0,
            10**11 + (slot + 1) * 1_750_000,
            0,
            581_000,
            FactorQuality.DISPATCHED,
            1_016_750_000,
            0,
            10**13 + (slot + 1) * 1_016_750_000,
            0,
            15,
            Quality.MEASURED,
        ),
        **more,
    )


def test_what_is_expected_is_not_sent() -> None:
    data = encode_batch(message([honest(f"m-{m}", slot) for slot in range(4) for m in range(3)]))
    value = cbor2.loads(data)
    assert value[7] == ["m-0", "1", "2"]
    assert value[8] == [0, 2, 2]
    assert value[9] == {
        0: 12,
        3: 1_790_000_100_000,
        5: 900_000,
        6: 1_750_000,
        8: 10**11,
        10: 10**13,
        16: 581_000,
        20: 15,
    }


def test_few_runs_are_sent_as_runs() -> None:
    records = [honest("m", slot, factor=581_000 if slot < 20 else 600_000) for slot in range(40)]
    group = cbor2.loads(encode_batch(message(list(records))))[9]
    assert group[16] == {0: 581_000, 20: 19_000}


def test_large_numbers_are_packed() -> None:
    records = [honest("m", slot, forward_mwh=2**20 + slot * 3, forward_total_mwh=0) for slot in range(4)]
    group = cbor2.loads(encode_batch(message(list(records))))[9]
    assert group[6] == bytes.fromhex("100000 100003 100006 100009")


def test_a_gap_a_jump_and_an_undefined_factor_are_sent_as_exceptions() -> None:
    records: list[Record] = [
        honest("m", 0),
        honest("m", 2, forward_total_mwh=5, factor=None, factor_quality=FactorQuality.UNDEFINED, carbon_forward_ug=0),
        honest("m", 3, quality=Quality.PARTIAL),
    ]
    assert decoded(encode_batch(message(records)))[0] == rows_of(records, 1000, IntervalRecord)


def test_the_greatest_energy_at_the_greatest_factor_passes() -> None:
    records: list[Record] = [
        honest("m", 0, forward_mwh=MAX_AMOUNT, factor=2**32 - 1, carbon_forward_ug=value, forward_total_mwh=total)
        for value in (MAX_AMOUNT, -MAX_AMOUNT, 0)
        for total in (MAX_AMOUNT, -MAX_AMOUNT)
    ]
    assert decoded(encode_batch(message(records)))[0] == rows_of(records, 1000, IntervalRecord)


def test_constants_end_each_row_and_keys_replace_meters() -> None:
    batch = diantan_core.decode_batch(encode_batch(message([honest("a", 0), honest("b", 0)])))
    rows = batch.interval_rows([70, 80], (1, 2))
    assert [row[:2] for row in rows] == [(1000, 70), (1001, 80)]
    assert {row[-2:] for row in rows} == {(1, 2)}
    with pytest.raises(ValueError, match="expected 2 meter keys"):
        batch.interval_rows([70])
    assert (batch.gateway, batch.context, batch.first, batch.count) == ("gw-1", b"\x01" * 8, 1000, 2)
    assert (batch.created_ms, batch.clock_state, batch.schema) == (1_790_000_000_000, 1, 1)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"records": []}, "number of records"),
        ({"records": [honest("m", 0)] * 4097}, "number of records: expected 1 to 4096, got 4097"),
        ({"first": 0}, "first sequence"),
        ({"first": 2**63}, "first sequence"),
        ({"gateway": ""}, "gateway"),
        ({"context": b"1234567"}, "context: expected 8 to 8 bytes, got 7"),
        ({"created_ms": -1}, "created_ms"),
        ({"clock_state": 3}, "clock_state"),
        ({"clock_state": True}, "clock_state: expected an integer, got bool"),
        ({"records": [honest("m", 0), honest("m", 1, forward_mwh=-1)]}, "record 1001: interval: forward_mwh"),
        ({"records": [honest("m", 0, factor=None)]}, "factor_quality"),
        ({"records": [honest("m\ud800", 0)]}, "no UTF-8 form"),
        ({"records": [honest("电" * 22, 0)]}, "1 to 64 bytes of UTF-8, got 66"),
        ({"records": [EventRecord("m", 0, EventCode.GAP, {1: 2**63})]}, r"details\[1\]"),
        ({"records": [EventRecord("m", 0, EventCode.GAP, {1: 1.5})]}, "expected an integer, got float"),
        ({"records": ["m"]}, "expected a record, got str 'm'"),
    ],
)
def test_what_cant_travel_is_refused_by_name(more: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        encode_batch(replace(message([honest("m", 0)]), **more))
