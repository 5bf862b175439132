"""`diantan-receiver fleet`: makes with their u, and what to verify."""

import json
from pathlib import Path

import pytest
from fleet_support import MAKE
from sqlalchemy import Engine

from cloud_receiver import cli, database
from cloud_receiver.estimation.fleet import store
from cloud_receiver.estimation.fleet.store import MakeResult, Night

REGISTRY = """
[[station]]
id = "S1"
node = "node1"
[[station.meter]]
id = "C01"
role = "charger"
gateway = "gw1"
rated_kw = 60
make = "华充 AC7"
[[station.meter]]
id = "G"
role = "grid"
gateway = "gw1"
rated_kw = 400
"""
VERIFY = [{"station": "S1", "meter": "C01", "station_number": 1, "meter_number": 1}]


@pytest.fixture
def options(tmp_path: Path, engine: Engine) -> list[str]:
    """Return the options of a centre with the engine's store."""
    assert engine.url.database == str(tmp_path / "store.sqlite")
    (tmp_path / "registry.toml").write_text(REGISTRY, encoding="utf-8")
    path = tmp_path / "receiver.toml"
    path.write_text('[centre]\nkey_file = "centre.key"\ndatabase = "sqlite:///store.sqlite"\n')
    return ["fleet", "--config", str(path)]


def keep(engine: Engine, *makes: MakeResult, made_ms: int = 1_767_225_600_000) -> None:
    content = {"stations": 40, "makes": len(makes), "left_out": [], "rounds": 3, "told": 40}
    content |= {"cohort_sd_percent": 0.2, "operator_sd_percent": 0.05, "master_bias_percent": 0.05}
    with database.writing(engine) as connection:
        store.keep_night(connection, Night(made_ms, content), makes)


def test_makes_are_listed_with_what_to_verify(
    options: list[str], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    off = MakeResult(MAKE, 0.00452, 0.0006, 40, 2, 236, 240, 6, {"at_stations": ["S1"], "verify": VERIFY})
    right = MakeResult("Acme X1", -0.0021, 0.0007, 10, 1, 40, 40, 0, {"at_stations": ["S1"], "verify": VERIFY})
    keep(engine, off, right)
    assert cli.main(options) == 0
    shown = capsys.readouterr().out
    lines = {line.split()[0]: line for line in shown.splitlines() if "%" not in line and ":" not in line and line}
    assert "+0.452" in lines["华充"]
    assert "2.5" in lines["华充"]
    assert "整体偏差" in lines["华充"]
    assert "-0.210" in lines["Acme"]
    assert "整体偏差" not in lines["Acme"]
    assert f"{MAKE}: verify three chargers 请检定三台: S1/C01" in shown
    assert "Acme X1: verify" not in shown
    assert cli.main([*options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(item["make"], item["biased"]) for item in found["makes"]] == [("Acme X1", False), (MAKE, True)]
    assert found["makes"][1]["error_percent"] == pytest.approx(0.452)
    assert found["makes"][1]["verify"] == [{"station": "S1", "meter": "C01"}]
    assert found["night"]["stations"] == 40


def test_a_night_of_a_clock_that_was_ahead_is_not_the_last(
    options: list[str], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(engine, MakeResult(MAKE, 0.00452, 0.0006, 40, 2, 236, 240, 6, {"at_stations": [], "verify": []}))
    keep(engine, made_ms=1_767_225_600_000 + 30 * 86_400_000)
    assert cli.main([*options, "--json", "--clock", "simulated:1767225600000:1:0"]) == 0
    assert [one["make"] for one in json.loads(capsys.readouterr().out)["makes"]] == [MAKE]


def test_before_the_first_night_it_says_what_is_missing(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(options) == 0
    assert "chargers need a `make`" in capsys.readouterr().out
    assert cli.main([*options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["makes"] == []
