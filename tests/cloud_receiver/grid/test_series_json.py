"""Measurements as JSON: a list of slots, or a network with its start; every mistake with its key and element."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from series_support import DAY, GRIDS, SLOT, mistakes, skipping, slots, time

from cloud_receiver.grid import series, series_json
from cloud_receiver.grid.series_told import Check, Told
from cloud_receiver.grid.snapshot import Charge, Demand, EndPowers, EndRegisters, Generation, Snapshot
from cloud_receiver.mistakes import InputError

NETWORK = {
    "start": time(1),
    "bus": ["P1", "S1", "U1"],
    "branch": [["L.1", "P1", "S1", 100.0, -98.0]],
    "gen": [["G1", "P1", 100.0, 0.8]],
    "load": [["town", "S1", 98.0]],
}


def file(directory: Path, document: object) -> Path:
    path = directory / "slots.json"
    path.write_text(json.dumps(document), "utf-8")
    return path


def test_a_list_of_slots(tmp_path: Path) -> None:
    first = {
        "time": time(0),
        "branch": {
            "L.1": {"from": 100, "to": -98.5, "open": False},
            "线2": {"p_from_in_mw": 1, "p_from_out_mw": None, "to_in": 0, "to_out": 2},
        },
        "gen": {"G1": {"p": 100, "emission": 80}, "PV": {"p_mw": 13, "factor": 0}},
        "load": {"town": {"p": 60}, "park": {"p": None}},
        "storage": {"B1": {"charge": 1, "discharge": 0, "stored_mw_h": 4}},
    }
    second = {"time": "2026-06-30T16:15Z", "branch": {"L.1": {"open": True}}, "gen": None}
    expected = {
        0: Snapshot(
            {"L.1": EndPowers(100.0, -98.5), "线2": EndRegisters(1.0, None, 0.0, 2.0)},
            {"G1": Generation(100.0, None, 80.0), "PV": Generation(13.0, 0.0)},
            {"town": Demand(60.0)},
            {"B1": Charge(1.0, 0.0, stored_megawatt_hours=4.0)},
            start_ms=DAY,
        ),
        1: Snapshot(open_branches=frozenset({"L.1"}), start_ms=DAY + SLOT),
    }
    assert slots(file(tmp_path, [second, first])) == expected
    assert slots(file(tmp_path, first)) == {0: expected[0]}
    assert slots(file(tmp_path, [])) == {}


def test_a_document_without_a_file() -> None:
    item = {"time": time(0), "load": {"town": {"p": 1}}}
    assert series.of_document([item], GRIDS) == [(DAY, Snapshot(loads={"town": Demand(1.0)}, start_ms=DAY))]
    with pytest.raises(InputError, match=r"^body: \[0\].load: load town: factor: expected 0 to 5 "):
        series.of_document([{"time": time(0), "load": {"town": {"factor": 6}}}], GRIDS, name="body", max_factor=5)


def test_a_network_with_its_start(tmp_path: Path) -> None:
    assert slots(file(tmp_path, NETWORK)) == {
        1: Snapshot(
            {"L.1": EndPowers(100.0, -98.0)}, {"G1": Generation(100.0, 0.8)}, {"town": Demand(98.0)},
            start_ms=DAY + SLOT,
        )
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"start": "x"}, ["start: expected a time such as"]),
        ({"start": None}, ["start: expected a time such as"]),
        ({"start": "2026-01-01T00:00Z"}, ["start: there is no grid for the slot 2026-01-01T00:00Z"]),
        ({"hours": 1}, ["hours: expected a slot of 0.25 hours, found 1"]),
        ({"gen": [["G1", "P1", 1, 875]]}, ["gen[0]: generator G1: factor: expected 0 to 10 kgCO2/kWh"]),
        ({"load": [["x", "S1", 1.0]]}, ["load x: is measured and is not in the grid"]),
        ({"load": [["town", "U1", 1.0]]}, ["load town: is at other nodes, or of another kind"]),
        ({"branch": [["L.1", "S1", "P1", 1.0, -1.0]]}, ["branch L.1: is at other nodes"]),
    ],
)
def test_a_network_that_is_not_of_the_grid(changes: dict[str, Any], expected: list[str], tmp_path: Path) -> None:
    found = mistakes(file(tmp_path, NETWORK | changes))
    assert [text[: len(start)] for text, start in zip(found, expected, strict=True)] == expected


def test_what_is_wrong_with_a_network_can_be_left_out(tmp_path: Path) -> None:
    found, told = skipping(file(tmp_path, NETWORK | {"load": [["town", "U1", 1.0], ["park", "U1", 2.0]]}))
    assert found[1].loads == {"park": Demand(2.0)}
    assert found[1].flows == {"L.1": EndPowers(100.0, -98.0)}
    assert len(told) == 1


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (1, ["expected a list of slots, or a network with its start, found 1"]),
        ([1], ["[0]: expected an object, found 1"]),
        ([{}], ["[0].time: expected a time such as"]),
        ([{"time": 5}], ["[0].time: expected a time such as"]),
        ({"time": "2026-07-01T00:00"}, ["time: expected a time with its zone"]),
        ([{"time": "2026-07-01T00:01Z"}], ["[0].time: expected the start of a slot"]),
        ([{"time": time(1)}, {"time": time(1)}], ["[1].time: the slot is there twice, first in [0]"]),
        ([{"time": "2020-01-01T00:00Z"}], ["[0].time: there is no grid for the slot"]),
        ([{"time": time(0), "loads": {}}], ["[0]: expected time, branch, gen, load, storage, found 'loads'"]),
        ([{"time": time(0), "load": []}], ["[0].load: expected an object of elements by id"]),
        ([{"time": time(0), "load": {"town": 1}}], ["[0].load: load town: expected an object of values, found 1"]),
        ([{"time": time(0), "load": {"x": {"p": 1}}}], ["[0].load: load x: is measured and is not in the grid"]),
        ([{"time": time(0), "load": {"town": {"q": 1}}}], ["[0].load: load town: expected some of p, factor, found"]),
        ([{"time": time(0), "load": {"town": {"p": 1, "p_mw": 1}}}], ["[0].load: load town: p_mw: is there twice"]),
        ([{"time": time(0), "load": {"town": {"p": "1"}}}], ["[0].load: load town: p: expected a number, found '1'"]),
        ([{"time": time(0), "load": {"town": {"p": True}}}], ["[0].load: load town: p: expected a number"]),
        ([{"time": time(0), "load": {"town": {"p": 10**400}}}], ["[0].load: load town: p: expected a number"]),
        ([{"time": time(0), "load": {"town": {"p": float("nan")}}}], ["[0].load: load town: p: expected a number"]),
        ([{"time": time(0), "load": {"town": {"p_mw": 2e9}}}], ["[0].load: load town: p_mw: expected -1e+09"]),
        ([{"time": time(0), "branch": {"L.1": {"open": 1}}}], ["[0].branch: branch L.1: open: expected true or"]),
        ([{"time": time(0), "branch": {"L.1": {"from": 1, "to_in": 1}}}], ["[0].branch: branch L.1: expected from"]),
        ([{"time": time(0), "gen": {"G1": {"p": 1, "factor": 1, "emission": 1}}}], ["[0].gen: generator G1: emission"]),
    ],
)
def test_mistakes_are_told_where_they_are(document: object, expected: list[str], tmp_path: Path) -> None:
    found = mistakes(file(tmp_path, document))
    assert [text[: len(start)] for text, start in zip(found, expected, strict=True)] == expected


def test_text_that_is_no_json_and_too_much_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "slots.json"
    for text, said in (("[", "not JSON"), ("[" * 100_000, "not JSON"), ('{"time": 1, "time": 2}', "there twice")):
        path.write_text(text)
        assert said in mistakes(path)[0]
    path.write_bytes(b"\xff")
    assert "UTF-8" in mistakes(path)[0]
    file(tmp_path, [])
    monkeypatch.setattr("cloud_receiver.grid.series.LARGEST", 1)
    assert mistakes(path)[0].startswith("expected at most 1 bytes of JSON")
    monkeypatch.setattr("cloud_receiver.grid.series_json.MOST_SLOTS", 1)
    told = Told()
    assert list(series_json.slots_of([{}, {}], "", Check(GRIDS, told))) == []
    with pytest.raises(InputError, match="at most 1 slots, found 2"):
        told.raise_any()


def test_others_get_their_turn_after_each_slot() -> None:
    document = [{"time": time(number), "load": {"town": {"p": 1}}} for number in (1, 0)]
    found = list(series_json.slots_of(document, "", Check(GRIDS, Told())))
    assert [None if slot is None else slot[0] for slot in found] == [None, None, DAY, DAY + SLOT]


def test_a_network_much_larger_than_the_grid_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(tmp_path, {"case": "x", "start": time(0), "bus": [f"n{number}" for number in range(2000)]})
    monkeypatch.delattr("cloud_receiver.grid.series_json.reference.convert")
    (told,) = mistakes(path)
    assert told.startswith("expected at most 10")
    assert told.endswith("found 2000")


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(["L.1", "town", time(0)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["time", "start", "bus", "branch", "gen", "load", "storage", "L.1", "G1", "town", "p", "from"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_any_json_is_slots_or_mistakes(document: object) -> None:
    told = Told()
    found = [slot for slot in series_json.slots_of(document, "f", Check(GRIDS, told)) if slot is not None]
    assert told.problems or all(start == snapshot.start_ms for start, snapshot in found)
