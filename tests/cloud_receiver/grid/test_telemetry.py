"""Telemetry in the store: exact to the bit, in order of receipt, repetitions recognised, hostile bytes refused."""

import math
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects import postgresql

from cloud_receiver import database
from cloud_receiver.grid import telemetry
from cloud_receiver.grid.snapshot import Charge, Demand, EndPowers, EndRegisters, Generation, Snapshot
from cloud_receiver.grid.telemetry import SLOT_MS, TelemetryError, between, enter
from cloud_receiver.grid.telemetry_content import pack, unpack
from cloud_receiver.schema import grid_notice, grid_telemetry

START = 1_782_835_200_000
FULL = Snapshot(
    {"L.1": EndPowers(100.0, -98.0), "线路2": EndRegisters(1.0, None, 0.0, 2.0), "L3": EndPowers(None, 5e-324)},
    {"G1": Generation(100.0, 0.8), "G2": Generation(-0.0, None, 12.5)},
    {"town": Demand(60.1), "pv": Demand(-1.0, 0.0)},
    {"S1": Charge(1.0, None, 0.9, 0.95, 10.0, 3.0, 1.0)},
    open_branches=frozenset({"L3", "L9"}),
    start_ms=START,
)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = database.open_store("sqlite:///receiver.sqlite", tmp_path)
    database.upgrade(engine)
    with database.writing(engine) as opened:
        yield opened
    engine.dispose()


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    table = grid_telemetry.c
    found = connection.execute(select(table.start_ms, table.id, table.feed, table.received_ms))
    return [tuple(row) for row in found.all()]


def notices(connection: Connection) -> list[tuple[int, int]]:
    found = connection.execute(select(grid_notice.c.first_ms, grid_notice.c.last_ms).order_by(grid_notice.c.id))
    return [tuple(row) for row in found.all()]  # type: ignore[misc]  # two columns


def test_what_is_entered_comes_back_in_order_of_receipt(connection: Connection) -> None:
    part = Snapshot(loads={"town": Demand(61.0)})
    assert enter(connection, "ems", [(START, FULL), (START + SLOT_MS, part)], 5) == 2
    assert enter(connection, "省调", [(START, part)], 6) == 1
    found = between(connection, START, START + 2 * SLOT_MS)
    assert list(found) == [START, START + SLOT_MS]
    assert [(item.feed, item.received_ms) for item in found[START]] == [("ems", 5), ("省调", 6)]
    assert found[START][0].snapshot == FULL
    assert found[START][1].snapshot == replace(part, start_ms=START)
    assert between(connection, START + SLOT_MS, START + SLOT_MS) == {}
    assert list(between(connection, START + 1, START + SLOT_MS + 1)) == [START + SLOT_MS]
    assert notices(connection) == [(START, START + SLOT_MS), (START, START)]


def test_a_repetition_is_not_stored_again(connection: Connection) -> None:
    slots = [(START + place * SLOT_MS, replace(FULL, start_ms=None)) for place in range(3)]
    assert enter(connection, "ems", slots, 1) == 3
    told = len(notices(connection))
    assert enter(connection, "ems", slots, 2) == 0
    assert len(notices(connection)) == told
    longer = [*slots, (START + 3 * SLOT_MS, Snapshot(loads={"town": Demand(1.0)}))]
    assert enter(connection, "ems", longer, 3) == 1
    assert notices(connection)[told:] == [(START + 3 * SLOT_MS, START + 3 * SLOT_MS)]
    assert [row[1] for row in rows(connection)] == [1, 1, 1, 1]


def test_parts_of_a_slot_are_recognised_when_they_come_again(connection: Connection) -> None:
    parts = [Snapshot(loads={"a": Demand(1.0)}), Snapshot(loads={"b": Demand(2.0)}, open_branches=frozenset({"L"}))]
    for part in parts:
        assert enter(connection, "ems", [(START, part)], 1) == 1
    for part in (*parts, Snapshot(loads={"a": Demand(1.0), "b": Demand(2.0)})):
        assert enter(connection, "ems", [(START, part)], 2) == 0
    # The branch is closed again: its flow says nothing of a switch that is open.
    assert enter(connection, "ems", [(START, Snapshot({"L": EndPowers(0.0, 0.0)}))], 3) == 1


def test_a_value_that_returns_is_news(connection: Connection) -> None:
    first, second = Snapshot(loads={"a": Demand(1.0)}), Snapshot(loads={"a": Demand(2.0)})
    assert [enter(connection, "ems", [(START, part)], 1) for part in (first, second, first, first)] == [1, 1, 1, 0]
    assert enter(connection, "other", [(START, first)], 1) == 1
    assert [row[1:3] for row in rows(connection)] == [(1, "ems"), (2, "ems"), (3, "ems"), (4, "other")]


def test_one_slot_twice_in_a_call(connection: Connection) -> None:
    same = Snapshot(loads={"a": Demand(1.0)})
    assert enter(connection, "ems", [(START, same), (START, same), (START, Snapshot(loads={"a": Demand(2.0)}))], 1) == 2
    assert [item.snapshot.loads["a"].megawatts for item in between(connection, START, START + 1)[START]] == [1.0, 2.0]


def test_slots_far_apart_are_told_of_apart(connection: Connection) -> None:
    part = Snapshot(loads={"a": Demand(1.0)})
    places = (0, 96, 300, 301)
    enter(connection, "ems", [(START + place * SLOT_MS, part) for place in places], 1)
    assert notices(connection) == [(START + a * SLOT_MS, START + b * SLOT_MS) for a, b in ((0, 96), (300, 301))]


def test_more_slots_than_a_chunk(connection: Connection) -> None:
    slots = [(START + place * SLOT_MS, Snapshot(loads={"a": Demand(float(place))})) for place in range(1201)]
    assert enter(connection, "ems", iter(slots), 1) == 1201
    assert enter(connection, "ems", iter(slots), 1) == 0
    found = between(connection, START, START + 1201 * SLOT_MS)
    assert [item[0].snapshot.loads["a"].megawatts for item in found.values()] == [float(place) for place in range(1201)]


class Postgres:
    """Takes statements as PostgreSQL would, of an empty store."""

    def __init__(self) -> None:
        self.dialect = postgresql.dialect()
        self.statements: list[str] = []

    def execute(self, statement: Any, values: Any = None) -> list[Any]:
        self.statements.append(str(statement.compile(dialect=self.dialect)).split(" FROM")[0])
        if "pg_advisory" in self.statements[-1]:
            assert -(1 << 63) <= values["key"] < 1 << 63
        return []


def test_writers_of_postgresql_take_turns() -> None:
    connection = Postgres()
    assert enter(connection, "ems", [(START, Snapshot(loads={"a": Demand(1.0)}))], 1) == 1  # type: ignore[arg-type]
    assert "pg_advisory_xact_lock" in connection.statements[0]  # before the numbers that are taken are read
    assert connection.statements[1].startswith("SELECT grid_telemetry.start_ms, max(grid_telemetry.id)")
    assert [text.split(" (")[0] for text in connection.statements[2:]] == [
        "INSERT INTO grid_telemetry", "INSERT INTO grid_notice",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("feed", "start", "snapshot", "said"),
    [
        ("", START, FULL, "feed ''"),
        ("x" * 65, START, FULL, "feed"),
        ("a\nb", START, FULL, "feed"),
        ("ems", START + 1, Snapshot(), "quarter of an hour"),
        ("ems", -SLOT_MS, Snapshot(), "quarter of an hour"),
        ("ems", 2**53 + SLOT_MS, Snapshot(), "quarter of an hour"),
        ("ems", START + SLOT_MS, FULL, "they are of"),
        ("ems", START, Snapshot(hours=0.0), "hours"),
        ("ems", START, Snapshot(hours=math.nan), "hours"),
        ("ems", START, Snapshot(hours=24.1), "hours"),
        ("ems", START, Snapshot(loads={"a\nb": Demand(1.0)}), "id"),
        ("ems", START, Snapshot(loads={"": Demand(1.0)}), "id"),
        ("ems", START, Snapshot(loads={"a" * 65: Demand(1.0)}), "id"),
        ("ems", START, Snapshot(open_branches=frozenset({"a\x00"})), "id"),
        ("ems", START, Snapshot(loads={"a": Demand(math.nan)}), "finite"),
        ("ems", START, Snapshot(loads={"a": Demand(math.inf), "b": Demand(None)}), "finite"),
        ("ems", START, Snapshot(loads={"a": Demand("1")}), "numbers"),  # type: ignore[arg-type]  # what a caller may do
        ("ems", START, Snapshot(storages={"a": Charge(1.0, 1.0, None)}), "efficiencies"),  # type: ignore[arg-type]
    ],
)
def test_what_cant_be_kept_is_refused(
    feed: str, start: int, snapshot: Snapshot, said: str, connection: Connection
) -> None:
    with pytest.raises(TelemetryError, match=said):
        enter(connection, feed, [(start, snapshot)], 1)
    assert rows(connection) == []


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(pack(FULL))
    monkeypatch.setattr("cloud_receiver.grid.telemetry_content.MOST_BYTES", size)
    assert unpack(pack(FULL), START) == FULL
    monkeypatch.setattr("cloud_receiver.grid.telemetry_content.MOST_BYTES", size - 1)
    with pytest.raises(TelemetryError, match="at most"):
        pack(FULL)
    monkeypatch.setattr("cloud_receiver.grid.telemetry_content.MOST_ELEMENTS", 3)
    with pytest.raises(TelemetryError, match="elements of a kind"):
        pack(Snapshot(loads={name: Demand(1.0) for name in "wxyz"}))


_NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
_IDS = st.text(st.characters(categories=("L", "N", "P"), max_codepoint=0x9FFF), min_size=1, max_size=20)
_SNAPSHOTS = st.builds(
    Snapshot,
    st.dictionaries(
        _IDS,
        st.builds(EndPowers, _NUMBERS, _NUMBERS) | st.builds(EndRegisters, _NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS),
    ),
    st.dictionaries(_IDS, st.builds(Generation, _NUMBERS, _NUMBERS, _NUMBERS)),
    st.dictionaries(_IDS, st.builds(Demand, _NUMBERS, _NUMBERS)),
    st.dictionaries(_IDS, st.builds(Charge, _NUMBERS, _NUMBERS)),
    open_branches=st.frozensets(_IDS),
    hours=st.floats(0, 24, exclude_min=True),
    start_ms=st.just(START),
)


@given(_SNAPSHOTS)
def test_every_snapshot_comes_back_to_the_bit(snapshot: Snapshot) -> None:
    data = pack(snapshot)
    again = unpack(data, START)
    assert again == snapshot
    assert repr(sorted(again.flows.items())) == repr(sorted(snapshot.flows.items()))  # -0.0 is another number than 0.0
    assert pack(again) == data
    backwards = replace(snapshot, flows=dict(reversed(snapshot.flows.items())))
    assert pack(backwards) == data


@given(st.binary(max_size=300))
def test_random_bytes_are_a_typed_error(data: bytes) -> None:
    with pytest.raises(TelemetryError):
        unpack(data, START)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_is_another_snapshot_or_a_typed_error(place: int, value: int) -> None:
    data = bytearray(pack(FULL))
    data[place % len(data)] = value
    try:
        found = unpack(bytes(data), START)
    except TelemetryError:
        assert bytes(data) != pack(FULL)
    else:
        assert unpack(pack(found), START) == found


def _double(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}d", *numbers)


@pytest.mark.parametrize(
    "changes",
    [
        {0: 2},
        {0: None},
        {1: b""},
        {1: 1},
        {1: _double(math.inf)},
        {1: _double(-0.25)},
        {2: 7},
        {2: ""},
        {2: "b\na"},
        {2: "a\na"},
        {3: {}},
        {3: []},
        {3: ["a"]},
        {3: ["a", ""]},
        {3: [["a"], _double(1, 1)]},
        {3: ["a", _double(1)]},
        {3: ["a", _double(1, math.inf)]},
        {3: ["a" * 65, _double(1, 1)]},
        {3: ["a", _double(1, 1)], 4: ["a", _double(1, 1, 1, 1)]},
        {7: ["a", _double(1, 1, math.nan, 1, 0, 0, 0)]},
        {8: 0},
        {"a": 0},
    ],
)
def test_bytes_that_are_no_snapshot_are_a_typed_error(changes: dict[Any, Any]) -> None:
    content = {0: 1, 1: _double(0.25)} | changes
    with pytest.raises(TelemetryError):
        unpack(cbor2.dumps(content, canonical=True), START)
    assert unpack(cbor2.dumps({0: 1, 1: _double(0.25)}), START) == Snapshot(start_ms=START)


def test_a_bad_row_of_the_store_is_named(connection: Connection) -> None:
    values = {"start_ms": START, "id": 1, "feed": "ems", "received_ms": 0, "content": b"\xff"}
    connection.execute(insert(grid_telemetry).values(values))
    with pytest.raises(TelemetryError, match=f"row 1 of slot {START} ms"):
        between(connection, START, START + 1)
    connection.execute(update(grid_telemetry).values(content=pack(FULL)))
    assert between(connection, START, START + 1) == {START: [telemetry.Received("ems", 0, FULL)]}
