"""The small messages: round trips, and each deviation refused by the name of its field."""

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.messages import Acknowledgement, Factors, Live, MessageError, Origin, Status, StatusState
from wire.records import ClockState
from wire.status_facts import Backlog, Overdue

NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=16)
TIME = st.integers(0, 2**53)
COUNT = st.integers(0, 2**63 - 1)
CONTEXT = st.binary(min_size=8, max_size=8)


@st.composite
def missing(draw: st.DrawFn) -> tuple[int, tuple[tuple[int, int], ...]]:
    edges = sorted(draw(st.sets(st.integers(1, 2**40), max_size=20)))
    edges = [edge * 3 for edge in edges[: len(edges) // 2 * 2]]  # ranges neither adjoin nor touch "up to"
    return 1, tuple(zip(edges[::2], edges[1::2], strict=True))


MESSAGES = st.one_of(
    st.builds(
        lambda gateway, context, stored, time: Acknowledgement(gateway, context, *stored, time),
        NAME,
        CONTEXT,
        missing(),
        TIME,
    ),
    st.builds(
        Factors,
        NAME,
        st.binary(min_size=1, max_size=32),
        TIME,
        st.integers(1, 86_400_000),
        TIME,
        st.lists(st.none() | st.integers(0, 2**32 - 1), min_size=1, max_size=100).map(tuple),
    ),
    st.builds(
        Status,
        NAME,
        st.sampled_from(StatusState),
        TIME,
        CONTEXT,
        COUNT,
        COUNT,
        st.sampled_from(ClockState),
        COUNT,
        st.none() | st.builds(Backlog, COUNT, COUNT, TIME),
        st.none() | COUNT,
        st.none() | st.dictionaries(st.integers(0, 255), COUNT, max_size=4),
        st.none() | st.integers(-(2**53), 2**53),
        st.none()
        | st.builds(
            Overdue,
            st.just(2**63 - 1),
            COUNT,
            TIME,
            st.lists(st.tuples(NAME, st.none() | TIME), max_size=4).map(tuple),
        ),
    ),
    st.builds(
        Live,
        NAME,
        TIME,
        st.lists(
            st.tuples(NAME, TIME, st.dictionaries(NAME, st.integers(-(2**63), 2**63 - 1), max_size=4)), max_size=4
        ).map(tuple),
    ),
)


@given(MESSAGES)
def test_a_message_comes_back_equal(message: Any) -> None:
    data = message.encode()
    assert type(message).decode(data) == message
    assert cbor2.dumps(cbor2.loads(data), canonical=True) == data


@given(MESSAGES, st.data())
def test_a_changed_message_is_read_or_refused(message: Any, data: st.DataObject) -> None:
    changed = bytearray(message.encode())
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        again = type(message).decode(bytes(changed))
    except MessageError:
        return
    assert again.encode() == bytes(changed) or set(cbor2.loads(bytes(changed))) != set(cbor2.loads(message.encode()))


@given(st.sampled_from([Acknowledgement, Factors, Status, Live]), st.binary(max_size=200))
def test_garbage_is_refused(kind: Any, data: bytes) -> None:
    with pytest.raises(MessageError):
        kind.decode(data)


ACKNOWLEDGEMENT = Acknowledgement("gw", bytes(8), 4, ((6, 7),), 5)
FACTORS = Factors("node", b"s", 1, 900_000, 0, (1, None))
FACTS = (Backlog(3, 300, 9), 4, {0: 2, 200: 1}, -5, Overdue(7, 2, 9, (("m", None), ("n", 10))))
STATUS = Status("gw", StatusState.BIRTH, 1, bytes(8), 1, 0, ClockState.UNKNOWN, 2, *FACTS)
LIVE = Live("gw", 1, (("m", 1, {"power": -5}),))


def test_each_slot_names_its_solution_and_origin() -> None:
    message = replace(FACTORS, solve_ids=(b"a", b"b"), origins=(Origin.HELD, Origin.SOLVED))
    again = Factors.decode(message.encode())
    assert again == message
    assert [again.solve_id_of(index) for index in (0, 1)] == [b"a", b"b"]
    assert [again.origin_of(index) for index in (0, 1)] == [Origin.HELD, Origin.SOLVED]
    assert cbor2.loads(message.encode())[8] == [1, 0]
    assert [FACTORS.solve_id_of(1), FACTORS.origin_of(1)] == [b"s", Origin.SOLVED]
    assert {7, 8}.isdisjoint(cbor2.loads(FACTORS.encode()))


def test_a_truncated_message_is_refused() -> None:
    for message in (ACKNOWLEDGEMENT, FACTORS, STATUS, LIVE):
        data = message.encode()
        for end in range(len(data)):
            with pytest.raises(MessageError):
                type(message).decode(data[:end])
        with pytest.raises(MessageError, match="behind the end"):
            type(message).decode(data + b"\x00")


@pytest.mark.parametrize(
    ("message", "changes", "named"),
    [
        (ACKNOWLEDGEMENT, {0: 2}, "Acknowledgement: expected schema version 1 at key 0, got 2"),
        (ACKNOWLEDGEMENT, {0: True}, "schema version"),
        (ACKNOWLEDGEMENT, {1: ""}, "gateway"),
        (ACKNOWLEDGEMENT, {1: b"gw"}, "gateway"),
        (ACKNOWLEDGEMENT, {2: bytes(7)}, "context"),
        (ACKNOWLEDGEMENT, {3: -1}, "up_to"),
        (ACKNOWLEDGEMENT, {3: True}, r"up_to \(key 3\): expected an integer, got bool"),
        (ACKNOWLEDGEMENT, {3: 2**63}, "up_to"),
        (ACKNOWLEDGEMENT, {3: 6}, "missing begins with 6"),
        (ACKNOWLEDGEMENT, {4: [[7, 6]]}, r"missing.*\[0\] end"),
        (ACKNOWLEDGEMENT, {4: [[6, 7], [8, 9]]}, r"missing.*\[1\] start"),
        (ACKNOWLEDGEMENT, {4: [[6]]}, r"missing.*\[0\]"),
        (ACKNOWLEDGEMENT, {4: [6]}, r"missing.*\[0\]"),
        (ACKNOWLEDGEMENT, {4: [[i * 3 + 6, i * 3 + 7] for i in range(65)]}, "0 to 64 items, got 65"),
        (FACTORS, {6: []}, "factors"),
        (FACTORS, {7: [b"a"]}, "solve_ids: expected one for each of 2 slots, got 1"),
        (FACTORS, {7: [b"a", 1]}, r"solve_ids.*\[1\]"),
        (FACTORS, {7: [b"a", bytes(33)]}, r"solve_ids.*\[1\]"),
        (FACTORS, {8: [0, 1, 2]}, "origins: expected one for each of 2 slots, got 3"),
        (FACTORS, {8: [0, 3]}, r"origins.*\[1\]"),
        (FACTORS, {8: [0, True]}, r"origins.*\[1\]"),
        (FACTORS, {6: [2**32]}, r"factors.*\[0\]"),
        (FACTORS, {6: [1.5]}, "no float"),
        (FACTORS, {6: [float("nan")]}, "no float"),
        (FACTORS, {4: 0}, "slot_ms"),
        (FACTORS, {2: b""}, "solve_id"),
        (STATUS, {2: 3}, "state"),
        (STATUS, {7: 3}, "clock_state"),
        (STATUS, {8: None}, "dropped"),
        (STATUS, {9: None}, r"backlog \(key 9\): expected an array, got NoneType"),
        (STATUS, {9: [1, 2]}, "3 to 3 items, got 2"),
        (STATUS, {9: [1, 2, -1]}, "oldest_age_ms"),
        (STATUS, {10: "1"}, "resent"),
        (STATUS, {11: []}, "expected a map, got list"),
        (STATUS, {11: {256: 1}}, "dropped_by.*reason"),
        (STATUS, {11: {"0": 1}}, "dropped_by.*reason"),
        (STATUS, {11: {0: -1}}, "dropped_by.* 0"),
        (STATUS, {12: 2**53 + 1}, "clock_offset_ms"),
        (STATUS, {13: [1, 2, 0, []]}, "overdue"),
        (STATUS, {13: [17, 17, 0, [["m", 1]] * 17]}, "worst: expected 0 to 16 items, got 17"),
        (STATUS, {13: [1, 1, 0, [["m", True]]]}, r"worst\[0\] age"),
        (STATUS, {13: [1, 1, 0, [["", 1]]]}, r"worst\[0\] meter"),
        (LIVE, {3: [["m", 1, {1: 2}]]}, "point"),
        (LIVE, {3: [["m", 1, {"power": "5"}]]}, "power"),
        (LIVE, {3: [["m", 1]]}, r"meters.*\[0\]"),
        (LIVE, {3: {}}, "meters"),
        (LIVE, {"x": 1}, "expected integer keys, got str 'x'"),
        (LIVE, {99: cbor2.CBORTag(35, "(a+)+$")}, "no tag"),
    ],
)
def test_deviations_are_refused_by_name(message: Any, changes: dict[Any, Any], named: str) -> None:
    data = cbor2.dumps({**cbor2.loads(message.encode()), **changes}, canonical=True)
    with pytest.raises(MessageError, match=named):
        type(message).decode(data)


@pytest.mark.parametrize("message", [ACKNOWLEDGEMENT, FACTORS, STATUS, LIVE])
def test_a_missing_field_is_named(message: Any) -> None:
    value = cbor2.loads(message.encode())
    optional = {Acknowledgement: {6}, Status: set(range(8, 14))}.get(type(message), set())
    for key in set(value) - optional:
        with pytest.raises(MessageError, match=rf"key {key}\b"):
            type(message).decode(cbor2.dumps({k: v for k, v in value.items() if k != key}))


@pytest.mark.parametrize("message", [ACKNOWLEDGEMENT, FACTORS, STATUS, LIVE])
def test_unknown_keys_are_ignored(message: Any) -> None:
    # Written as they stand: `canonical` sorts by length first (RFC 7049), which is another order for these two.
    value = {**cbor2.loads(message.encode()), 99: [{"a": [None, True, b"x"]}], -1: 0}
    assert type(message).decode(cbor2.dumps(value)) == message


def test_an_absent_count_of_dropped_records_is_none_dropped() -> None:
    value = cbor2.loads(STATUS.encode())
    del value[8]
    assert Status.decode(cbor2.dumps(value)).dropped == 0


def test_a_gateway_that_does_not_tell_its_facts_yet_is_understood() -> None:
    value = cbor2.loads(STATUS.encode())
    for key in range(9, 14):
        del value[key]
    told = Status.decode(cbor2.dumps(value))
    assert told == Status("gw", StatusState.BIRTH, 1, bytes(8), 1, 0, ClockState.UNKNOWN, 2)
    assert (told.backlog, told.resent, told.dropped_by, told.clock_offset_ms, told.overdue) == (None,) * 5
    assert told.encode() == cbor2.dumps(value)


def test_bool_keys_dont_pass_for_integers() -> None:
    value = cbor2.loads(STATUS.encode())
    data = cbor2.dumps({key: entry for key, entry in value.items() if key != 1} | {True: "gw"})
    with pytest.raises(MessageError, match="expected integer keys, got bool"):
        Status.decode(data)


def test_other_encodings_of_the_same_value_are_refused() -> None:
    data = STATUS.encode()
    for changed in (b"\xbf" + data[1:] + b"\xff", data.replace(b"\x00\x01", b"\x00\x18\x01", 1)):
        with pytest.raises(MessageError, match=r"reserved head|shortest"):
            Status.decode(changed)


def test_size_and_depth_are_bounded() -> None:
    value = cbor2.loads(LIVE.encode())
    with pytest.raises(MessageError, match="at most 1048576 bytes"):
        Live.decode(cbor2.dumps({**value, 99: bytes(1 << 20)}))
    deep: Any = []
    for _ in range(17):
        deep = [deep]
    with pytest.raises(MessageError, match="deep"):
        Live.decode(cbor2.dumps({**value, 99: deep}))
    with pytest.raises(MessageError, match="at most 1048576 bytes"):
        Live("gw", 1, tuple((f"meter-{i}", 1, {f"point-{j:03}": j for j in range(100)}) for i in range(4000))).encode()


def test_a_field_that_cant_travel_is_refused_when_written() -> None:
    for message, named in (
        (Acknowledgement("gw", b"", 0, (), 0), "Acknowledgement: context"),
        (Acknowledgement("gw", bytes(8), 9, ((6, 7),), 0), "missing begins with 6"),
        (Acknowledgement("gw", bytes(8), 4, ((6, 7),), 0, 7), "highest sequence above the missing 7, got 7"),
        (Factors("node", b"s", 1, 900_000, 0, ()), "Factors: factors"),
        (Live("gw", True, ()), "Live: time_ms: expected an integer, got bool"),
    ):
        with pytest.raises(MessageError, match=named):
            message.encode()
