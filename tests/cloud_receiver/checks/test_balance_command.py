"""`diantan-receiver balance`: by slot, day and month."""

import json
from pathlib import Path
from typing import Any

import pytest
from checks_support import SLOTS, Centre, day
from key_support import new_key
from receiver_support import FACTOR, FakeGateway
from sqlalchemy import Engine

from cloud_receiver.cli import main
from cloud_receiver.registry import Registry
from wire.keys import save_private

METER = """
[[station.meter]]
id = "{name}"
role = "{role}"
gateway = "gw1"
rated_kw = 400
"""
REGISTRY = '[[station]]\nid = "S1"\nnode = "node1"\n' + "".join(
    METER.format(name=name, role="grid" if name == "G" else "charger") for name in ("C01", "C02", "C03", "G")
)


@pytest.fixture
def config(tmp_path: Path, engine: Engine, gateway: FakeGateway, registry: Registry) -> str:
    centre = Centre(engine, gateway, registry)
    centre.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    records = day({"C02": 40})
    centre.store([each for each in records if each.meter != "C01" or each.start_ms != records[80].start_ms])
    centre.check()
    save_private(new_key(), tmp_path / "centre.key")
    (tmp_path / "registry.toml").write_text(REGISTRY)
    path = tmp_path / "receiver.toml"
    path.write_text('[centre]\nkey_file = "centre.key"\ndatabase = "sqlite:///store.sqlite"\n')
    return str(path)


def told(config: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["balance", "--config", config, "S1", "--from", "2026-07-01", "--json", *arguments]) == 0
    return list(json.loads(capsys.readouterr().out))


def test_slots_days_and_months_have_the_same_sums(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    slots = told(config, capsys, "--per", "slot")
    (whole,) = told(config, capsys)
    (month,) = told(config, capsys, "--per", "month")
    assert len(slots) == whole["energy"]["slots"] == SLOTS - 1
    assert whole["missing_slots"] == 1
    for name in ("chargers_mwh", "grid_mwh"):
        assert sum(each["energy"][name] for each in slots) == whole["energy"][name]
    assert sum(each["carbon"]["chargers_ug"] for each in slots) == whole["carbon"]["chargers_ug"]
    assert (month["energy"]["slots"], month["bridged_slots"]) == (SLOTS, 1)
    assert month["missing_slots"] == 30 * SLOTS
    assert month["bridged"] == [["2026-07-01T05:00:00+08:00", "2026-07-01T05:15:00+08:00"]]
    assert month["energy"]["grid_mwh"] == sum(each.forward_mwh for each in day({"C02": 40}) if each.meter == "G")
    assert whole["energy"]["within"] == (whole["energy"]["imbalance_mwh"] <= whole["energy"]["tolerance_mwh"])


def test_a_month_is_all_its_days(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["balance", "--config", config, "S1", "--from", "2026-07"]) == 0
    _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == [f"2026-07-{day:02}" for day in range(1, 32)]


def test_a_table(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["balance", "--config", config, "S1", "--from", "2026-07-01", "--to", "2026-07-02"]) == 0
    heading, first, second = capsys.readouterr().out.splitlines()
    assert heading.split()[0] == "time"
    assert first.split()[:2] == ["2026-07-01", "95"]
    assert first.split()[-2:] == ["within", "within"]
    assert second.split()[0] == "2026-07-02"
    assert second.split()[-2:] == ["none", "none"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["S9", "--from", "2026-07-01"], "station 'S9' is not in"),
        (["S1", "--from", "2026-07-02", "--to", "2026-07-01"], "--from 2026-07-02 is after --to 2026-07-01"),
        (["S1", "--from", "2020-01-01", "--to", "2026-07-01"], "expected at most 400 days"),
    ],
)
def test_a_mistake_is_told(config: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["balance", "--config", config, *arguments]) == 1
    assert message in capsys.readouterr().err


def test_chargers_known_by_orders_only_are_named(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = REGISTRY.replace('id = "C03"\n', 'id = "C03"\nonly_orders = true\n')
    (tmp_path / "registry.toml").write_text(text)
    assert main(["balance", "--config", config, "S1", "--from", "2026-07-01"]) == 0
    assert "no balance by readings while chargers are known by their orders only: C03" in capsys.readouterr().out
