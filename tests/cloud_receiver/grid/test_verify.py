"""`grid verify`: what is stored comes out again to the bit, and any change of it is found."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from analysis_support import DAY_MS, small
from stored_support import enter, filled, opened, solve

from cloud_receiver.cli import main
from cloud_receiver.grid.analysis.periods import SLOT_MS
from cloud_receiver.grid.kept import NodeQuality, NodeResults, Powers
from cloud_receiver.grid.snapshot import Snapshot
from wire.messages import Origin

Verify = Callable[..., tuple[int, str]]
Row = dict[str, Any]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    filled(tmp_path).dispose()
    return tmp_path


@pytest.fixture
def verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Verify:
    def command(*arguments: str) -> tuple[int, str]:
        status = main(["grid", "verify", *arguments, "--config", str(tmp_path / "receiver.toml")])
        said = capsys.readouterr()
        return status, said.out or said.err

    return command


def change(directory: Path, column: str, change: Callable[[bytes], bytes]) -> None:
    """Change a column of the second version of the second slot, behind the program's back."""
    with sqlite3.connect(directory / "receiver.sqlite") as base:
        key = (DAY_MS + SLOT_MS, 2)
        (content,) = base.execute(f"SELECT {column} FROM grid_slot WHERE start_ms = ? AND version = ?", key).fetchone()
        base.execute(f"UPDATE grid_slot SET {column} = ? WHERE start_ms = ? AND version = ?", (change(content), *key))
    base.close()


def ulp(data: bytes, place: int) -> bytes:
    """Change the last bit of a number."""
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def records(said: str) -> list[Row]:
    return [json.loads(line) for line in said.splitlines()]


def test_what_the_service_solved_agrees_to_the_bit(directory: Path, verify: Verify) -> None:
    status, said = verify()
    assert status == 0
    again = "of which the reconciliation of 1 can't be repeated"
    assert said == f"5 versions of slots verified 复算: 5 agree to the bit, {again}, 0 differ\n"
    status, said = verify("--json")
    found = records(said)
    assert status == 0
    assert [item["agrees"] for item in found] == [True] * 5
    # The first version was weighed without the value that came late.
    assert [item["reconciliation_not_repeated"] is None for item in found] == [True, False, True, True, True]


@pytest.mark.parametrize(
    ("column", "place", "said"),
    [
        ("measured", 40, "solve_id: stored"),  # a power of the first branch
        ("measured", 40, "branches come out otherwise"),
        ("used", 58, "node S1: factor: stored"),  # of what arrives over it
        ("used", 40, "branches come out otherwise"),
        ("nodes", 5, "node P1: factor: stored"),
        ("nodes", 5 + 3 * 8, "node P1: through-flow: stored"),
        ("nodes", 5 + 6 * 8, "node P1: solved: dispatched 680001, again 680000 mg/kWh"),
        ("nodes", 5 + 9 * 8, "node P1: quality: stored dead, again defined"),
        ("solve_id", 0, "solve_id: stored"),
    ],
)
def test_a_changed_bit_is_found(directory: Path, verify: Verify, column: str, place: int, said: str) -> None:
    change(directory, column, lambda data: ulp(data, place))
    status, text = verify("--json")
    found = records(text)
    assert status == 1
    assert [item["agrees"] for item in found] == [True, True, False, True, True]
    assert any(said in difference for difference in found[2]["differences"]), found[2]["differences"]
    status, text = verify()
    assert status == 1
    assert "2026-06-30T16:15:00Z version 2: " in text
    assert text.endswith("1 differ\n")


def test_settings_belong_to_the_hash(directory: Path, verify: Verify) -> None:
    change(directory, "summary", lambda text: str(text).replace('"form":', '"FORM":'))  # type: ignore[arg-type,return-value]  # a column of text
    assert "solve_id: stored" in verify()[1]
    change(directory, "summary", lambda text: str(text).replace('"settings":', '"SETTINGS":'))  # type: ignore[arg-type,return-value]  # the same
    assert "the settings it was solved with are not stored" in verify()[1]


def test_what_stood_in_is_verified_too(tmp_path: Path, verify: Verify) -> None:
    engine = opened(tmp_path)
    network = small()
    enter(engine, network)
    nothing = Snapshot(loads=network.snapshot.loads)
    solve(engine, {DAY_MS: network.snapshot, DAY_MS + SLOT_MS: nothing}, DAY_MS + 5 * SLOT_MS)
    engine.dispose()
    assert verify()[0] == 0
    with sqlite3.connect(tmp_path / "receiver.sqlite") as base:
        key = (DAY_MS + SLOT_MS, 1)
        (content,) = base.execute("SELECT nodes FROM grid_slot WHERE start_ms = ? AND version = ?", key).fetchone()
        nodes = NodeResults.unpack(content)
        assert set(nodes.origins) == {Origin.HELD}
        assert NodeQuality.DEFINED not in nodes.qualities
        sent = (*nodes.dispatched[:2], 1)
        other = NodeResults(nodes.factors, nodes.flux, nodes.qualities, sent, nodes.origins)
        base.execute("UPDATE grid_slot SET nodes = ? WHERE start_ms = ? AND version = ?", (other.pack(), *key))
    base.close()
    status, said = verify()
    assert status == 1
    assert "node U1: held: dispatched 1, again" in said


def test_a_slot_of_another_grid_is_told(directory: Path, verify: Verify) -> None:
    change(directory, "used", lambda _: Powers.missing(small(load=[]).grid).pack())
    status, said = verify()
    assert status == 1
    assert "expected" in said


def test_other_weights_are_told_and_are_no_difference(directory: Path, verify: Verify) -> None:
    (directory / "receiver.toml").write_text('[centre]\nkey_file = "centre.key"\n[grid]\nsigma_percent = 2\n')
    status, said = verify("--json")
    assert status == 0
    assert all("registry, configuration or records" in str(item) or item["version"] == 1 for item in records(said))
    assert all(item["reconciliation_not_repeated"] for item in records(said))


def test_telemetry_that_cannot_be_read_is_told(directory: Path, verify: Verify) -> None:
    with sqlite3.connect(directory / "receiver.sqlite") as base:
        base.execute("UPDATE grid_telemetry SET content = x'ff'")
    base.close()
    status, said = verify("--json")
    assert status == 0
    assert all("telemetry can't be read" in item["reconciliation_not_repeated"] for item in records(said))


def test_nothing_to_verify_is_no_agreement(directory: Path, verify: Verify) -> None:
    status, said = verify("--from", "2020-01")
    assert (status, said) == (1, "0 versions of slots verified 复算: 0 agree to the bit, 0 differ\n")
