"""Hostile batches: each is refused with the byte at which the fault shows, and nothing else is raised."""

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import CoreError, DecodeError, check_cbor, decode_batch

INTERVALS = {0: 2, 3: 1_790_000_000_000, 5: 900_000, 6: [1, 2], 16: [500_000, 1]}
FREEZES = {0: 1, 3: 1_790_000_000_000}
ADJUSTMENTS = {0: 1, 3: 1_790_000_000_000, 4: 900_000, 11: b"s"}
EVENTS = {0: 1, 2: None, 4: 200, 5: [{1: 2, 7: "x"}]}
BATCH = {
    0: 1,
    1: "gw",
    2: bytes(8),
    3: 7,
    4: 5,
    5: 1_790_000_000_000,
    6: 1,
    7: ["m1", "2"],
    8: [0, 1],
    9: INTERVALS,
    10: {**FREEZES, 1: 2},
    11: {**ADJUSTMENTS, 1: 3},
    12: {**EVENTS, 1: 4},
}


def ordered(value: Any) -> Any:
    """Return the value with the keys of its maps in the order of their bytes, which changing a map may have upset."""
    if not isinstance(value, dict):
        return value
    return {key: ordered(value[key]) for key in sorted(value, key=cbor2.dumps)}


def encoded(value: Any) -> bytes:
    return cbor2.dumps(ordered(value))


def with_group(key: int, **changes: Any) -> bytes:
    """Return the batch with columns of a group changed; a column that is ... is left out."""
    group = {**BATCH[key], **{int(name[1:]): value for name, value in changes.items()}}
    return encoded({**BATCH, key: {name: value for name, value in group.items() if value is not ...}})


def refused(data: bytes, match: str) -> DecodeError:
    with pytest.raises(DecodeError, match=match) as caught:
        decode_batch(data)
    assert 0 <= caught.value.offset <= len(data)
    assert str(caught.value).startswith(f"byte {caught.value.offset}: ")
    return caught.value


def test_the_batch_that_is_changed_below_is_good() -> None:
    batch = decode_batch(encoded(BATCH))
    assert batch.meters == ["m1", "m2"]
    assert [row[0] for row in batch.interval_rows([0, 1])] == [7, 8]
    assert [row[0] for row in batch.freeze_rows([0, 1])] == [9]
    assert [row[0] for row in batch.adjustment_rows([0, 1])] == [10]
    assert batch.event_rows([0, 1]) == [(11, None, 0, 200, {1: 2, 7: "x"})]


def test_an_error_is_a_core_error_and_a_value_error() -> None:
    assert issubclass(DecodeError, CoreError)
    assert issubclass(DecodeError, ValueError)


def test_truncated_at_every_byte() -> None:
    data = encoded(BATCH)
    for end in range(len(data)):
        assert refused(data[:end], ".").offset <= end
    assert refused(data + b"\x00", "1 bytes behind the end").offset == len(data)


@pytest.mark.parametrize("version", [0, 2, 2**64 - 1])
def test_another_schema_version_is_named(version: int) -> None:
    assert (
        refused(encoded({**BATCH, 0: version}), f"schema version {version}: this decoder reads version 1").offset == 2
    )


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        (0, -1, "expected an unsigned integer, got a negative"),
        (0, True, "expected an unsigned integer, got a boolean"),
        (1, "", "gateway's name: expected 1 to 64, got 0"),
        (1, "g" * 65, "expected 1 to 64, got 65"),
        (1, b"gw", "expected a text, got a byte string"),
        (2, bytes(7), "context: expected 8 to 8, got 7"),
        (2, "12345678", "expected a byte string, got a text"),
        (3, 0, "first sequence: expected 1 to"),
        (3, 2**63 - 4, "leaves 63 bits"),
        (3, 2**64, "tag"),
        (3, 1.0, "no float"),
        (3, True, "expected an integer, got a boolean"),
        (4, 0, "number of records: expected 1 to 4096"),
        (4, 4097, "number of records: expected 1 to 4096"),
        (4, 6, "fewer records than the batch says"),
        (4, 4, "number of rows|behind the batch's last"),
        (5, -1, "time of creation: expected 0 to 9007199254740992"),
        (5, None, "expected an integer, got null"),
        (6, 3, "clock state: expected 0 to 2"),
        (7, "m", "expected an array, got a text"),
        (7, {}, "expected an array, got a map"),
        (7, ["m", ""], "meter's name: expected 1 to 64, got 0"),
        (7, ["m", 1], "expected a text"),
        (7, ["m"] * 4097, "number of meters: expected 0 to 4096"),
        (8, [0, 3], "shares more characters"),
        (8, [1, 0], "shares more characters"),
        (8, [0], "length of a column: expected 2 to 2, got 1"),
        (8, [0, 65], "shared characters"),
        (9, [], "expected a map, got an array"),
        (9, {}, "number of rows .* is missing"),
        (10, 1, "expected a map"),
    ],
)
def test_bad_header_fields(key: int, value: Any, match: str) -> None:
    refused(encoded({**BATCH, key: value}), match)


@pytest.mark.parametrize("key", range(8))
def test_a_missing_header_field_is_named(key: int) -> None:
    refused(encoded({k: v for k, v in BATCH.items() if k != key}), rf"\(key {key}\) is missing")


def test_names_are_distinct_and_bounded() -> None:
    refused(encoded({**BATCH, 7: ["m1", "1"]}), "two meters have the same name")
    refused(encoded({**BATCH, 7: ["m" * 64, "m"], 8: [0, 64]}), "more than 64 bytes")


@pytest.mark.parametrize(
    ("group", "changes", "match"),
    [
        (9, {"k0": 0}, "number of rows: expected 1 to 5"),
        (9, {"k0": 6}, "number of rows: expected 1 to 5"),
        (9, {"k0": 3}, "length of a column: expected 3 to 3, got 2"),
        (9, {"k1": 4}, "behind the batch's last one"),
        (9, {"k1": [0, 4096]}, "behind the batch's last one"),
        (9, {"k1": [0, 2**63]}, "skipped sequences"),
        (10, {"k1": 1}, "two records have the same sequence"),
        (9, {"k2": 2}, "step to the meter: expected 0 to 1, got 2"),
        (9, {"k2": None}, "needs a meter"),
        (9, {"k2": [0, None]}, "needs a meter"),
        (9, {"k3": ...}, r"\(key 3\) is missing"),
        (9, {"k4": [0, 2**53]}, "start: expected 0 to"),
        (9, {"k4": [-(2**62), 0]}, "start: expected 0 to"),
        (9, {"k5": ...}, r"duration \(key 5\) is missing"),
        (9, {"k5": 0}, "duration .*: expected 1 to"),
        (9, {"k6": [1, -1]}, "energy forward: expected 0 to"),
        (9, {"k6": [1, 2**61 + 1]}, "energy forward"),
        (9, {"k6": [1, 2, 3]}, "length of a column: expected 2 to 2, got 3"),
        (9, {"k6": []}, "length of a column: expected 2 to 2, got 0"),
        (9, {"k6": [1, True]}, "expected an integer, got a boolean"),
        (9, {"k6": [1, "2"]}, "expected an integer, got a text"),
        (9, {"k6": [1, None]}, "expected an integer, got null"),
        (9, {"k6": b""}, "length of a column|energy forward: expected 2 to 16, got 0"),
        (9, {"k6": b"123"}, "no multiple of the number of rows"),
        (9, {"k6": bytes(18)}, "energy forward: expected 2 to 16, got 18"),
        (9, {"k6": b"\x01\xff"}, "energy forward: expected 0 to .* got -1"),
        (9, {"k16": b"\x01\xfe"}, "factor: expected 0 to 4294967295, got -1"),
        (9, {"k2": b"\x00\x02"}, "step to the meter: expected 0 to 1, got 2"),
        (9, {"k6": {}}, "a column without a value"),
        (9, {"k6": {1: 5}}, "does not begin with row 0"),
        (9, {"k6": {0: 5, 2: 6}}, "behind the last row"),
        (9, {"k6": {0: 5, 2**64 - 1: 6}}, "behind the last row"),
        (9, {"k6": {0: 5, -1: 6}}, "expected an unsigned integer, got a negative"),
        (9, {"k6": {"0": 5}}, "expected an integer key, got a text"),
        (9, {"k8": 2**63 - 1}, "cumulative energy forward: expected .* got 9223372036854775808"),
        (9, {"k8": [1]}, "length of a column: expected 2 to 2, got 1"),
        (9, {"k10": -(2**63)}, "cumulative carbon forward"),
        (9, {"k12": [0, 2**61]}, "cumulative energy forward"),
        (9, {"k16": None}, "null exactly when its quality is 3"),
        (9, {"k16": [1, None]}, "null exactly when its quality is 3"),
        (9, {"k17": 3}, "null exactly when its quality is 3"),
        (9, {"k17": 4}, "factor quality: expected 0 to 3"),
        (9, {"k16": 2**32}, "factor: expected 0 to 4294967295, got 4294967296"),
        (9, {"k16": [5, -6]}, "factor: expected 0 to 4294967295, got -1"),
        (9, {"k16": [2**32 - 1, 1]}, "factor: expected 0 to"),
        (9, {"k18": [2**63 - 1, 0]}, "carbon forward"),
        (9, {"k20": 2**32}, "number of readings"),
        (9, {"k21": 4}, "quality: expected 0 to 3"),
        (10, {"k3": -1}, "time of the freeze"),
        (10, {"k4": 2}, "kind of the freeze: expected 0 to 1"),
        (10, {"k9": 4}, "source of the freeze: expected 0 to 3"),
        (10, {"k5": 2**62}, "cumulative energy forward"),
        (11, {"k4": ...}, r"duration \(key 4\) is missing"),
        (11, {"k7": -1}, "factor used"),
        (11, {"k11": ...}, r"solve id \(key 11\) is missing"),
        (11, {"k11": b""}, "solve id: expected 1 to 32, got 0"),
        (11, {"k11": bytes(33)}, "solve id: expected 1 to 32, got 33"),
        (11, {"k11": 5}, "expected a byte string, got an unsigned"),
        (12, {"k4": 0}, "code of the event"),
        (12, {"k4": ...}, r"code of the event \(key 4\) is missing"),
        (12, {"k4": 65_536}, "code of the event"),
        (12, {"k5": {}}, "expected an array, got a map"),
        (12, {"k5": [1]}, "expected a map, got an unsigned"),
        (12, {"k5": [{256: 1}]}, "key of a detail: expected 0 to 255, got 256"),
        (12, {"k5": [{-1: 1}]}, "expected an unsigned integer, got a negative"),
        (12, {"k5": [{1: b"x"}]}, "expected an integer, got a byte string"),
        (12, {"k5": [{1: 2**63}]}, "detail: expected"),
        (12, {"k5": [{1: "x" * 257}]}, "detail: expected 0 to 256, got 257"),
        (12, {"k5": [dict.fromkeys(range(17), 0)]}, "number of details: expected 0 to 16, got 17"),
    ],
)
def test_bad_columns(group: int, changes: dict[str, Any], match: str) -> None:
    refused(with_group(group, **changes), match)


def test_rows_without_meters_are_refused() -> None:
    only = {key: value for key, value in BATCH.items() if key not in (8, 10, 11, 12)}
    refused(encoded({**only, 4: 2, 7: []}), "refers to a meter, and the batch has none")
    refused(encoded({**only, 4: 2, 7: [], 9: {**INTERVALS, 2: 0}}), "step to the meter")


def test_keys_must_ascend_and_be_integers() -> None:
    refused(cbor2.dumps({1: "gw", 0: 1}), "schema version .* is missing")
    refused(cbor2.dumps(dict(reversed(BATCH.items()))), "missing|ascending")
    good = encoded(BATCH)
    twice = bytes([good[0] + 1]) + good[1:3] + good[1:]
    refused(twice, "ascending order, or one comes twice")
    refused(encoded({**BATCH, "x": 1}), "expected an integer key, got a text")
    refused(encoded(BATCH).replace(b"\x00\x01", b"\xf5\x01", 1), "expected an integer key, got a boolean")


def test_unknown_keys_are_read_over() -> None:
    extra = {99: [1, {"a": None}, b"x", [True], -5], 2**64 - 1: "later", -1: {}}
    batch = decode_batch(encoded({**BATCH, 9: {**INTERVALS, **extra}, **extra}))
    assert batch.count == 5
    between = {**{key: value for key, value in BATCH.items() if key < 9}}
    assert decode_batch(encoded({**between, 4: 1, 11: ADJUSTMENTS, 13: "new"})).count == 1


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (b"\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00", "no float"),  # NaN
        (b"\xf9\x7e\x00", "no float"),
        (b"\xc2\x41\x01", "no tag"),
        (b"\xf7", "no simple value"),  # undefined
        (b"\xf8\xff", "no simple value"),
        (b"\xe0", "no simple value"),
        (b"\xff", "reserved head"),
        (b"\x1c", "reserved head"),
        (b"\x9f\x01\xff", "indefinite"),
        (b"\xbf\xff", "indefinite"),
        (b"\x5f\x41\x00\xff", "indefinite"),
        (b"\x7f\x61\x61\xff", "indefinite"),
        (b"\x18\x17", "shortest"),
        (b"\x19\x00\xff", "shortest"),
        (b"\x1a\x00\x00\xff\xff", "shortest"),
        (b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff", "shortest"),
        (b"\x38\x00", "shortest"),
        (b"\x58\x01\x00", "shortest"),
        (b"\x98\x01\x00", "shortest"),
        (b"\x61\xff", "UTF-8"),
        (b"\xa2\x02\x00\x01\x00", "ascending"),
        (b"\xa2\x01\x00\x01\x00", "ascending"),
        (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "ends inside an item"),
        (b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", "ends inside an item"),
        (b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", "length: expected 0 to"),
        (b"\x7b\x00\x00\x00\x01\x00\x00\x00\x00", "length: expected 0 to"),
        (b"\x81" * 17 + b"\x00", "16 deep"),
        (b"\xa1\x00" * 17 + b"\x00", "16 deep"),
        (b"\xa1" * 17 + b"\x00" * 18, "16 deep"),  # maps as keys
        (b"\x81" * 500_000, "16 deep"),
    ],
)
def test_what_an_unknown_key_may_not_hold(value: bytes, match: str) -> None:
    data = encoded(BATCH)
    extended = bytes([data[0] + 1]) + data[1:] + b"\x18\x63" + value
    refused(extended, match)
    with pytest.raises(DecodeError, match=match):
        check_cbor(value)


def test_as_deep_as_allowed_passes() -> None:
    check_cbor(b"\x81" * 16 + b"\x00")


def test_size_is_bounded() -> None:
    refused(bytes((1 << 20) + 1), "at most 1048576 bytes, got 1048577")


def test_claimed_counts_cost_nothing() -> None:
    head = encoded({key: value for key, value in BATCH.items() if key < 9})
    huge = bytes([head[0] + 1]) + head[1:] + b"\x09\xa3\x00\x05\x01\x9b\xff\xff\xff\xff\xff\xff\xff\xff"
    refused(huge, "length of a column: expected 5 to 5, got 18446744073709551615")


@given(st.binary(max_size=500))
def test_garbage(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_batch(data)


@given(st.data())
def test_any_change_decodes_or_is_refused(data: st.DataObject) -> None:
    changed = bytearray(encoded(BATCH))
    for _ in range(data.draw(st.integers(1, 8))):
        index = data.draw(st.integers(0, len(changed) - 1))
        match data.draw(st.integers(0, 2)):
            case 0:
                changed[index] = data.draw(st.integers(0, 255))
            case 1:
                changed.insert(index, data.draw(st.integers(0, 255)))
            case _:
                del changed[index]
    try:
        batch = decode_batch(bytes(changed))
    except DecodeError:
        return
    keys = list(range(len(batch.meters)))
    rows = [*batch.interval_rows(keys), *batch.freeze_rows(keys), *batch.adjustment_rows(keys), *batch.event_rows(keys)]
    assert sorted(row[0] for row in rows) == list(range(batch.first, batch.first + batch.count))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 2**64 - 1), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_the_checker_agrees_with_cbor2(value: Any) -> None:
    data = cbor2.dumps(value, canonical=True)
    check_cbor(data)
    for end in range(len(data)):
        with pytest.raises(DecodeError):
            check_cbor(data[:end])


@given(st.binary(max_size=40))
def test_what_the_checker_takes_has_no_other_encoding(data: bytes) -> None:
    try:
        check_cbor(data)
    except DecodeError:
        return
    value = cbor2.loads(data)
    if not isinstance(value, dict):
        assert cbor2.dumps(value) == data
