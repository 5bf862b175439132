"""`diantan-receiver levels` and `grid findings`, as an operator calls them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from receiver_support import DAY_MS

from cloud_receiver.cli import main

CONFIG = """
[centre]
name = "province"
key_file = "centre.key"
database = "sqlite:///province.sqlite"
[[child]]
centre = "city"
node = "N7"
load = "city"
key_file = "city.pub"
"""
REGISTRY = """
[[station]]
id = "S1"
node = "N7"
[[station.meter]]
id = "tie"
role = "flow"
gateway = "gw1"
rated_kw = 100000
accuracy_class = "0.2"
measures = "load city"
"""


@pytest.fixture
def config(boundary: Any, tmp_path: Path) -> str:
    """Let both centres talk about a slot in which they differ."""
    boundary.parent.measured(0, 1000)
    boundary.child.measured(0, 1100)
    boundary.parent.solved(0, 600_000)
    for slot in (1, 4):
        boundary.to(slot)
        asyncio.run(boundary.rounds())
    path = tmp_path / "receiver.toml"
    path.write_text(CONFIG)
    (tmp_path / "registry.toml").write_text(REGISTRY)
    return str(path)


def test_both_sides_of_a_day(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["levels", "--config", config, "--day", "2026-07-01", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["centre"], row["rank"], row["node"], row["element"]) == ("city", "child", "N7", "load city")
    assert row["slots"] == {"ours": 1, "theirs": 1, "compared": 1}
    assert row["compared"]["ours"]["forward_kwh"] == "1000.000000"
    assert row["compared"]["theirs"]["forward_kwh"] == "1100.000000"
    assert row["compared"]["ours"]["carbon_forward_kg"] == "600.000000000"
    assert row["not_confirmed"] == 0
    assert [item["kind"] for item in row["findings"]] == ["level_carbon", "level_day", "level_energy"]
    assert main(["levels", "--config", config, "--day", "2026-07-01"]) == 0
    text = capsys.readouterr().out
    assert "child city at node N7 (load city)" in text
    assert "theirs  forward_kwh 1100.000000" in text


def test_another_day_has_nothing(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    clock = f"simulated:{DAY_MS + 5 * 86_400_000}:1:0"
    assert main(["levels", "--config", config, "--clock", clock, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["slots"] == {"ours": 0, "theirs": 0, "compared": 0}
    assert row["findings"] == []


def test_findings_about_the_grid_are_listed_and_acknowledged(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grid", "findings", "--config", config, "--kind", "level_energy", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["subject"], found["state"]) == ("centre city", "open")
    assert found["evidence"]["details"][0]["ours_mwh"] == 1_000_000_000
    assert main(["grid", "findings", "--config", config, "--acknowledge", str(found["id"])]) == 0
    text = capsys.readouterr().out
    assert "acknowledged  level_energy  centre city" in text
    assert main(["grid", "findings", "--config", config, "--acknowledge", "99"]) == 1
    assert "no open finding 99 about the grid" in capsys.readouterr().err
