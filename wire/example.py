"""The worked example of docs/wire.md: `python -m wire.example` prints a small batch, byte by byte with its meaning."""

import sys

import cbor2

from wire import strict
from wire.batch import RecordBatchMessage, encode_batch
from wire.records import ClockState, EventCode, EventRecord, FactorQuality, IntervalRecord, Quality

_TEXTS = {
    0: "schema version",
    1: "gateway",
    2: "journal context",
    3: "first sequence",
    4: "number of records",
    5: "created, ms UTC",
    6: "clock state: synchronised",
    7: "meters, without what is shared with the name before",
    8: "characters shared with the name before",
}
_INTERVALS = {
    0: "two rows",
    3: "start of the first, ms UTC",
    5: "duration of both, ms",
    6: "energy forward, mWh",
    8: "cumulative energy forward before, mWh, one entry a meter",
    10: "cumulative carbon forward before, µg",
    16: "factor of both, mg/kWh",
    18: "carbon forward: 1 µg more in row 1 than its energy times the factor",
    20: "readings in both",
}
_EVENTS = {
    0: "one row",
    1: "two sequences skipped: those of the intervals",
    2: "meter: none, the gateway itself",
    3: "time, ms UTC",
    4: "code: context opened",
    5: "details: {5: 1}, first sequence 1",
}

EXAMPLE = RecordBatchMessage(
    gateway="gw-1",
    context=bytes.fromhex("0123456789abcdef"),
    first=1,
    created_ms=1_790_001_005_000,
    clock_state=ClockState.SYNCHRONISED,
    records=[
        IntervalRecord(
            meter="charger-1",
            start_ms=1_790_000_100_000,
            duration_ms=900_000,
            forward_mwh=1_750_000,
            reverse_mwh=0,
            forward_total_mwh=98_766_750_000,
            reverse_total_mwh=0,
            factor=581_000,
            factor_quality=FactorQuality.DISPATCHED,
            carbon_forward_ug=1_016_750_000,
            carbon_reverse_ug=0,
            carbon_forward_total_ug=57_383_481_750_000,
            carbon_reverse_total_ug=0,
            readings=15,
            quality=Quality.MEASURED,
        ),
        IntervalRecord(
            meter="charger-2",
            start_ms=1_790_000_100_000,
            duration_ms=900_000,
            forward_mwh=12_345_678,
            reverse_mwh=0,
            forward_total_mwh=5_012_345_678,
            reverse_total_mwh=0,
            factor=581_000,
            factor_quality=FactorQuality.DISPATCHED,
            carbon_forward_ug=7_172_838_919,
            carbon_reverse_ug=0,
            carbon_forward_total_ug=2_912_172_838_919,
            carbon_reverse_total_ug=0,
            readings=15,
            quality=Quality.MEASURED,
        ),
        EventRecord(None, 1_790_000_060_000, EventCode.CONTEXT_OPENED, {5: 1}),
    ],
)


def lines() -> list[str]:
    """Return the example's bytes, a key and its value a line, each with what it says."""
    value = cbor2.loads(encode_batch(EXAMPLE))
    result = [_line(bytes((0xA0 | len(value),)), f"a batch: map of {len(value)}")]
    for key, item in value.items():
        group = {9: ("intervals", _INTERVALS), 12: ("events", _EVENTS)}.get(key)
        if group is None:
            result.append(_line(strict.dump(key) + strict.dump(item), _TEXTS[key], depth=1))
            continue
        name, texts = group
        result.append(_line(strict.dump(key) + bytes((0xA0 | len(item),)), f"{name}: map of {len(item)}", depth=1))
        result += [_line(strict.dump(k) + strict.dump(v), texts[k], depth=2) for k, v in item.items()]
    return result


def _line(data: bytes, text: str, depth: int = 0) -> str:
    return f"{'  ' * depth}{data.hex(' ')}".ljust(62) + f"; {text}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
