"""Factor schedules: CSV and JSON, every mistake with its line."""

from pathlib import Path

import pytest

from cloud_receiver import factor_schedule
from settings.errors import ConfigError

SLOT_MS = 900_000
START_MS = 1_782_835_200_000  # 2026-07-01T00:00:00+08:00


def write(directory: Path, text: str, name: str = "factors.csv") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def test_csv(tmp_path: Path) -> None:
    text = (
        "node,start,factor\n"
        "n1,2026-07-01T00:00:00+08:00,0.5703\n"
        "n1,2026-06-30T16:15:00Z,0.581\n"
        "n2,2026-07-01T00:00:00+08:00,\n"
    )
    schedule = factor_schedule.load(write(tmp_path, text), SLOT_MS)
    assert schedule.nodes == {"n1": {START_MS: 570_300, START_MS + SLOT_MS: 581_000}, "n2": {START_MS: None}}
    assert len(schedule.solve_id) == 16


def test_json_gives_the_same(tmp_path: Path) -> None:
    rows = '[{"node": "n1", "start": "2026-07-01T00:00:00+08:00", "factor": "0.5703"},'
    rows += '{"node": "n2", "start": "2026-07-01T00:00:00+08:00", "factor": null}]'
    schedule = factor_schedule.load(write(tmp_path, rows, "factors.json"), SLOT_MS)
    assert schedule.nodes == {"n1": {START_MS: 570_300}, "n2": {START_MS: None}}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("n1,2026-07-01T00:05:00+08:00,0.5", "not the start of a slot of 15 min"),
        ("n1,2026-07-01T00:00:00,0.5", "has no zone"),
        ("n1,tomorrow,0.5", "expected a time"),
        ("n1,2026-07-01T00:00:00+08:00,-0.5", "factor: expected kgCO2/kWh"),
        ("n1,2026-07-01T00:00:00+08:00,0.12345678", "factor: expected kgCO2/kWh"),
        ("n1,2026-07-01T00:00:00+08:00,nan", "factor: expected kgCO2/kWh"),
        ("n/1,2026-07-01T00:00:00+08:00,0.5", "node: "),
        ("n1,2026-07-01T00:00:00+08:00", "expected 3 columns, found 2"),
        ("n0,2026-07-01T00:00:00+08:00,0.6", "already in line 2"),
    ],
)
def test_a_mistake_is_named_with_its_line(line: str, message: str, tmp_path: Path) -> None:
    text = f"node,start,factor\nn0,2026-07-01T00:00:00+08:00,0.5\n{line}\n"
    with pytest.raises(ConfigError) as caught:
        factor_schedule.load(write(tmp_path, text), SLOT_MS)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{tmp_path / 'factors.csv'}: line 3: ")
    assert message in problem


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("f.csv", "node,when,factor\n", "expected the header node,start,factor"),
        ("f.csv", "node,start,factor\n", "holds no factor"),
        ("f.csv", "", "expected the header"),
        ("f.csv", 'node,start,factor\n"n1,x', "line 2"),
        ("f.json", "{}", "expected a list"),
        ("f.json", "[", "is not JSON"),
        ("f.json", '[{"node": "n1", "start": "2026-07-01T00:00:00Z", "factor": 0.5}]', "item 1: expected strings"),
        ("f.json", '[{"node": "n1"}]', "item 1: expected an object"),
    ],
)
def test_a_file_of_another_form(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        factor_schedule.load(write(tmp_path, text, name), SLOT_MS)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        factor_schedule.load(tmp_path / "absent.csv", SLOT_MS)


def test_a_run_ends_with_the_newest_slot_and_never_spans_a_hole() -> None:
    entries: dict[int, int | None] = {slot * SLOT_MS: slot for slot in (0, 1, 3, 4, 5)}
    schedule = factor_schedule.Schedule(b"x", SLOT_MS, {"n1": entries})
    assert schedule.run_to("n1", 5 * SLOT_MS, 96) == (3 * SLOT_MS, (3, 4, 5))
    assert schedule.run_to("n1", 5 * SLOT_MS, 2) == (4 * SLOT_MS, (4, 5))
    assert schedule.run_to("n1", 2 * SLOT_MS, 96) == (0, (0, 1))
    assert schedule.run_to("n1", 9 * SLOT_MS, 96) == (3 * SLOT_MS, (3, 4, 5))
    assert schedule.run_to("n1", -SLOT_MS, 96) is None
