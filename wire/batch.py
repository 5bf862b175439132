"""Writing a batch of records: columnar, difference-coded (docs/wire.md); `diantan_core.decode_batch` reads it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from wire import strict
from wire.columns import column, difference_column, put
from wire.domain import (
    MAX_AMOUNT,
    MAX_NAME_BYTES,
    MAX_SEQUENCE,
    MAX_TIME_MS,
    RecordError,
    check_record,
    octets,
    text,
    whole,
)
from wire.records import AdjustmentRecord, ClockState, EventRecord, FreezeRecord, IntervalRecord, Record

SCHEMA_VERSION = 1
MAX_RECORDS = 4096
CONTEXT_BYTES = 8


@dataclass(frozen=True, slots=True)
class RecordBatchMessage:
    """A contiguous run of a journal's records: record i has the sequence number `first` + i."""

    gateway: str
    context: bytes
    first: int
    created_ms: int
    clock_state: ClockState
    records: Sequence[Record]


def encode_batch(message: RecordBatchMessage) -> bytes:
    """Return the batch as deterministic CBOR (docs/wire.cddl, `records`).

    Raises RecordError, naming the sequence number, when a record or the batch is outside the limits of docs/wire.md.
    """
    count = whole(len(message.records), "batch: number of records", 1, MAX_RECORDS)
    first = whole(message.first, "batch: first sequence", 1, MAX_SEQUENCE - count + 1)
    meters: dict[str, int] = {}
    groups: dict[type[Record], list[tuple[int, Record]]] = {}
    for offset, record in enumerate(message.records):
        try:
            check_record(record)
        except RecordError as error:
            raise RecordError(f"record {first + offset}: {error}") from error
        groups.setdefault(type(record), []).append((offset, record))
        if record.meter is not None:
            meters.setdefault(record.meter, len(meters))
    value: dict[int, object] = {
        0: SCHEMA_VERSION,
        1: text(message.gateway, "batch: gateway", MAX_NAME_BYTES),
        2: octets(message.context, "batch: context", CONTEXT_BYTES, CONTEXT_BYTES),
        3: first,
        4: count,
        5: whole(message.created_ms, "batch: created_ms", 0, MAX_TIME_MS),
        6: whole(message.clock_state, "batch: clock_state", 0, max(ClockState)),
    }
    _put_names(value, list(meters))
    for key, kind, write in _GROUPS:
        rows = groups.get(kind)
        if rows:
            group = _head(rows, meters)
            write(group, [record for _, record in rows])
            value[key] = dict(sorted(group.items()))
    data = strict.dump(value)
    if len(data) > strict.MAX_MESSAGE_BYTES:
        raise RecordError(f"batch from {first}: expected at most {strict.MAX_MESSAGE_BYTES} bytes, got {len(data)}")
    return data


def _put_names(value: dict[int, object], names: list[str]) -> None:
    """Front coding: each name without the characters it shares with the name before."""
    shared, rests, before = [], [], ""
    for name in names:
        same = 0
        # The last character always stays: an empty rest would be a repeated or empty name.
        while same < min(len(before), len(name) - 1) and before[same] == name[same]:
            same += 1
        shared.append(same)
        rests.append(name[same:])
        before = name
    value[7] = rests
    if names:
        put(value, 8, column(shared))


def _head(rows: list[tuple[int, Record]], meters: dict[str, int]) -> dict[int, object]:
    """Return a group with its number of rows, sequences and meters."""
    group: dict[int, object] = {0: len(rows)}
    skipped, expected = [], 0
    steps: list[int | None] = []
    index = -1
    for offset, record in rows:
        skipped.append(offset - expected)
        expected = offset + 1
        if record.meter is None:
            steps.append(None)
        else:
            # Records come meter after meter, slot after slot: the step from the meter expected next is mostly 0.
            here = meters[record.meter]
            steps.append((here - index - 1) % len(meters))
            index = here
    put(group, 1, column(skipped))
    put(group, 2, column(steps))
    return group


@dataclass(slots=True)
class _Meter:
    """What a reader knows of a meter from the rows before."""

    end_ms: int
    totals: list[int]


def carbon_of(energy_mwh: int, factor: int | None) -> int:
    """Return the carbon in µg a reader expects of an energy: floor(mWh x mg/kWh / 1000), within the limit."""
    return min(energy_mwh * (factor or 0) // 1000, MAX_AMOUNT)


def _intervals(group: dict[int, object], records: list[IntervalRecord]) -> None:
    base = records[0].start_ms
    known: dict[str, _Meter] = {}
    starts: list[int] = []
    before: list[list[int]] = [[] for _ in range(4)]
    corrections: list[list[int]] = [[] for _ in range(4)]
    carbon: list[list[int]] = [[], []]
    for record in records:
        amounts = (record.forward_mwh, record.reverse_mwh, record.carbon_forward_ug, record.carbon_reverse_ug)
        totals = [
            record.forward_total_mwh,
            record.reverse_total_mwh,
            record.carbon_forward_total_ug,
            record.carbon_reverse_total_ug,
        ]
        meter = known.get(record.meter)
        if meter is None:
            meter = _Meter(base, [total - amount for total, amount in zip(totals, amounts, strict=True)])
            known[record.meter] = meter
            for each, total in zip(before, meter.totals, strict=True):
                each.append(total)
        starts.append(record.start_ms - meter.end_ms)
        for each, total, last, amount in zip(corrections, totals, meter.totals, amounts, strict=True):
            each.append(total - last - amount)
        carbon[0].append(record.carbon_forward_ug - carbon_of(record.forward_mwh, record.factor))
        carbon[1].append(record.carbon_reverse_ug - carbon_of(record.reverse_mwh, record.factor))
        meter.end_ms = record.start_ms + record.duration_ms
        meter.totals = totals
    group[3] = base
    put(group, 4, column(starts))
    put(group, 5, column([record.duration_ms for record in records]))
    put(group, 6, column([record.forward_mwh for record in records]))
    put(group, 7, column([record.reverse_mwh for record in records]))
    for key, values in zip((8, 9, 10, 11), before, strict=True):
        put(group, key, column(values))
    for key, values in zip((12, 13, 14, 15), corrections, strict=True):
        put(group, key, column(values))
    put(group, 16, difference_column([record.factor for record in records]))
    put(group, 17, column([int(record.factor_quality) for record in records]))
    put(group, 18, column(carbon[0]))
    put(group, 19, column(carbon[1]))
    put(group, 20, column([record.readings for record in records]))
    put(group, 21, column([int(record.quality) for record in records]))


def _freezes(group: dict[int, object], records: list[FreezeRecord]) -> None:
    put(group, 3, difference_column([record.time_ms for record in records]))
    put(group, 4, column([int(record.kind) for record in records]))
    put(group, 5, column([record.forward_total_mwh for record in records]))
    put(group, 6, column([record.reverse_total_mwh for record in records]))
    put(group, 7, column([record.carbon_forward_total_ug for record in records]))
    put(group, 8, column([record.carbon_reverse_total_ug for record in records]))
    put(group, 9, column([int(record.source) for record in records]))


def _adjustments(group: dict[int, object], records: list[AdjustmentRecord]) -> None:
    put(group, 3, difference_column([record.start_ms for record in records]))
    put(group, 4, column([record.duration_ms for record in records]))
    put(group, 5, column([record.forward_mwh for record in records]))
    put(group, 6, column([record.reverse_mwh for record in records]))
    put(group, 7, difference_column([record.factor_used for record in records]))
    put(group, 8, difference_column([record.factor_now for record in records]))
    put(group, 9, column([record.carbon_forward_ug for record in records]))
    put(group, 10, column([record.carbon_reverse_ug for record in records]))
    group[11] = column([record.solve_id for record in records])


def _events(group: dict[int, object], records: list[EventRecord]) -> None:
    put(group, 3, difference_column([record.time_ms for record in records]))
    put(group, 4, column([int(record.code) for record in records]))
    if any(record.details for record in records):
        group[5] = [
            {int(key): value if isinstance(value, str) else int(value) for key, value in record.details.items()}
            for record in records
        ]


_GROUPS: tuple[tuple[int, type[Record], Callable[[dict[int, object], list[Any]], None]], ...] = (
    (9, IntervalRecord, _intervals),
    (10, FreezeRecord, _freezes),
    (11, AdjustmentRecord, _adjustments),
    (12, EventRecord, _events),
)
