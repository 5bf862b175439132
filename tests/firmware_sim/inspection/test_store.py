"""The record of a run: what was finished is there after any interruption, and nothing of another plan."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.inspection.result import ItemResult, PointResult, Reading, Step, Verdict
from firmware_sim.inspection.store import Record, StoreError, set_aside

READING = Reading(
    *("carbon", "fixed", "register", 1, "0.5", "0.5L", "10Itr", 5000, "balanced", 220_000, "120000"),
    *(None, "27500", "27501", "0.003636", "1", "0.01"),
)
POINT = PointResult(
    "220000/balanced/0.5L/10Itr/0.5", (READING, replace(READING, run=2)), "0.003636", "+0.0", "0.1", "1", True
)
ITEM = ItemResult(
    "metering.carbon.fixed", Verdict.PASSED, 1, 2, (Step("a", "b", "c", good=True),), (POINT,), "注", {"limit": "1"}
)


def test_everything_comes_back(tmp_path: Path) -> None:
    record = Record(tmp_path / "new" / "record.jsonl", "plan")
    record.point(ITEM.id, POINT)
    record.item(ITEM)
    record.close()
    again = Record(tmp_path / "new" / "record.jsonl", "plan")
    assert again.items == {ITEM.id: ITEM}
    assert again.known(ITEM.id) == {POINT.key: POINT}
    assert again.known("other") == {}
    again.close()


def test_the_last_word_on_an_item_counts(tmp_path: Path) -> None:
    record = Record(tmp_path / "record.jsonl", "plan")
    record.item(replace(ITEM, verdict=Verdict.ERROR))
    record.item(ITEM)
    record.close()
    again = Record(tmp_path / "record.jsonl", "plan")
    assert again.items[ITEM.id].verdict is Verdict.PASSED
    again.close()


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_line_that_was_being_written_is_dropped_and_written_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "record.jsonl"
    record = Record(path, "plan")
    record.point(ITEM.id, POINT)
    before = path.stat().st_size
    record.item(ITEM)
    record.close()
    path.write_bytes(path.read_bytes()[: before + cut])
    torn = Record(path, "plan")
    assert (torn.items, torn.known(ITEM.id)) == ({}, {POINT.key: POINT})
    torn.item(ITEM)
    torn.close()
    again = Record(path, "plan")
    assert again.items == {ITEM.id: ITEM}
    again.close()


def test_a_record_knows_when_it_was_begun(tmp_path: Path) -> None:
    Record(tmp_path / "record.jsonl", "plan", 5).close()
    again = Record(tmp_path / "record.jsonl", "plan", 9)
    assert again.begun_ms == 5
    again.close()


def test_records_are_set_aside_under_numbers_and_not_under_the_pen(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    set_aside(path)
    for plan in ("first", "second"):
        Record(path, plan).close()
        set_aside(path)
    writing = Record(path, "third")
    with pytest.raises(StoreError, match="another inspection"):
        set_aside(path)
    writing.close()
    heads = {name: (tmp_path / name).read_text() for name in ("record-1.jsonl", "record-2.jsonl", "record.jsonl")}
    assert [plan in head for plan, head in zip(("first", "second", "third"), heads.values(), strict=True)] == [True] * 3


def test_two_inspections_do_not_write_to_one_record(tmp_path: Path) -> None:
    first = Record(tmp_path / "record.jsonl", "plan")
    with pytest.raises(StoreError, match="another inspection is writing to it"):
        Record(tmp_path / "record.jsonl", "plan")
    first.item(ITEM)
    first.close()
    second = Record(tmp_path / "record.jsonl", "plan")
    assert second.items == {ITEM.id: ITEM}
    second.close()


@pytest.mark.parametrize("measured", [POINT, ITEM, replace(ITEM, verdict=Verdict.SKIPPED)])
def test_a_record_of_another_plan_is_refused_and_left_alone(tmp_path: Path, measured: PointResult | ItemResult) -> None:
    path = tmp_path / "record.jsonl"
    record = Record(path, "plan")
    if isinstance(measured, PointResult):
        record.point(ITEM.id, measured)
    else:
        record.item(measured)
    record.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"^\S*record.jsonl: is the record of another plan.*--anew"):
        Record(path, "other")
    assert path.read_bytes() == before


def test_another_plan_with_which_nothing_was_measured_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    Record(path, "with a wrong port", 1).close()
    record = Record(path, "with a wrong command", 2)
    record.item(replace(ITEM, verdict=Verdict.ERROR))
    record.close()
    record = Record(path, "right", 3)
    assert (record.items, record.begun_ms) == ({}, 3)
    record.point(ITEM.id, POINT)
    record.close()
    again = Record(path, "right", 4)
    assert (again.items, again.known(ITEM.id), again.begun_ms) == ({}, {POINT.key: POINT}, 3)
    again.close()


@given(st.binary(max_size=60))
def test_what_is_no_record_is_refused_by_line(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("record") / "record.jsonl"
    path.write_bytes(data + b"\n")
    with pytest.raises(StoreError, match="line 1"):
        Record(path, "plan")
