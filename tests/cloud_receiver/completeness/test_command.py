"""`diantan-receiver completeness`: by gateway, station and operator, by day and month, stored or worked out."""

import json
from pathlib import Path
from typing import Any

import pytest
from checks_support import DAY_END_MS, GRACE_MS, SLOTS, Centre, day
from key_support import new_key
from receiver_support import DAY_MS, FACTOR, FakeGateway
from sqlalchemy import Engine, delete

from cloud_receiver import database, schema
from cloud_receiver.cli import main
from cloud_receiver.registry import Registry
from wire.keys import save_private

REGISTRY = """
[[station]]
id = "S1"
operator = "North"
node = "node1"
""" + "".join(
    f"""
[[station.meter]]
id = "{name}"
role = "{"grid" if name == "G" else "charger"}"
gateway = "gw1"
rated_kw = 60
"""
    for name in ("C01", "C02", "C03", "G")
)
OTHER = """
[[station]]
id = "S2"
operator = "South"
node = "node1"
since = 2026-07-01T00:00:00+08:00
[[station.meter]]
id = "C01"
role = "charger"
gateway = "gw2"
rated_kw = 60
"""


@pytest.fixture
def store(tmp_path: Path, engine: Engine, gateway: FakeGateway, registry: Registry) -> tuple[str, Engine]:
    centre = Centre(engine, gateway, registry)
    centre.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    centre.clock.wall_ms = DAY_MS
    centre.store([each for each in day() if each.meter != "C02"])
    centre.clock.wall_ms = DAY_END_MS + GRACE_MS
    centre.check()
    save_private(new_key(), tmp_path / "centre.key")
    (tmp_path / "registry.toml").write_text(REGISTRY + OTHER)
    path = tmp_path / "receiver.toml"
    path.write_text('[centre]\nkey_file = "centre.key"\ndatabase = "sqlite:///store.sqlite"\n')
    return str(path), engine


CLOCK = ["--clock", f"simulated:{DAY_END_MS + GRACE_MS}:1:{DAY_END_MS + GRACE_MS}"]
DAYS = ["--from", "2026-07-01", "--to", "2026-07-01"]


def lines(store: tuple[str, Engine], capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["completeness", "--config", store[0], "--json", *DAYS, *arguments]) == 0
    return list(json.loads(capsys.readouterr().out)["lines"])


def test_figures_of_each_station(store: tuple[str, Engine], capsys: pytest.CaptureFixture[str]) -> None:
    one, two = lines(store, capsys)
    assert one == {
        "of": "S1",
        "time": "2026-07",
        "expected_slots": "384",
        "present_slots": "288",
        "in_15_min_slots": "288",
        "in_60_min_slots": "288",
        "by_day_end_slots": "288",
        "missing_slots": "96",
        "interpolated_slots": "0",
        "estimated_slots": "0",
        "partial_slots": "0",
        "substituted_slots": "0",
        "present_percent": "75.00",
        "in_15_min_percent": "75.00",
        "in_60_min_percent": "75.00",
        "by_day_end_percent": "75.00",
        "interpolated_percent": "0.00",
        "estimated_percent": "0.00",
        "partial_percent": "0.00",
    }
    assert (two["of"], two["expected_slots"], two["present_slots"], two["partial_percent"]) == ("S2", "96", "0", None)


def test_what_is_not_stored_is_worked_out_alike(store: tuple[str, Engine], capsys: pytest.CaptureFixture[str]) -> None:
    before = lines(store, capsys)
    with database.writing(store[1]) as connection:
        connection.execute(delete(schema.completeness_day))
    assert lines(store, capsys) == before


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--by", "gateway"], [("gw1", "384"), ("gw2", "96")]),
        (["--by", "operator"], [("North", "384"), ("South", "96")]),
        (["--by", "all"], [("all", "480")]),
        (["--operator", "South"], [("S2", "96")]),
        (["--station", "S1"], [("S1", "384")]),
        (["--gateway", "gw2"], [("S2", "96")]),
    ],
)
def test_groups_and_choices(
    store: tuple[str, Engine],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    found: list[tuple[str, str]],
) -> None:
    assert [(item["of"], item["expected_slots"]) for item in lines(store, capsys, *arguments)] == found


def test_a_table_by_day(store: tuple[str, Engine], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--from", "2026-06-01", "--to", "2026-07-01", "--per", "day", "--by", "operator"]
    assert main(["completeness", "--config", store[0], *arguments]) == 0
    title, heading, *rows = capsys.readouterr().out.splitlines()
    assert title == "2026-06-01 to 2026-07-01, in slots of 15 minutes of a meter"
    assert heading.split()[:4] == ["of", "time", "expected", "present"]
    assert [row.split()[:6] for row in rows] == [
        ["North", "2026-07-01", "384", "288", "96", "75.00"],
        ["South", "2026-07-01", "96", "0", "96", "0.00"],
    ]


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        (["--from", "2026-06"], "2026-06-01 to 2026-06-30"),
        (["--from", "2026-07"], "2026-07-01 to 2026-07-01"),
        (["--from", "2026-06", "--to", "2026-07-01"], "2026-06-01 to 2026-07-01"),
    ],
)
def test_a_month_is_its_days_that_are_over(
    store: tuple[str, Engine], capsys: pytest.CaptureFixture[str], asked: list[str], title: str
) -> None:
    assert main(["completeness", "--config", store[0], *CLOCK, *asked]) == 0
    assert capsys.readouterr().out.startswith(f"{title}, in slots")


def test_the_day_that_runs_is_left_out(store: tuple[str, Engine], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completeness", "--config", store[0], "--json", *CLOCK, "--per", "day", "--station", "S1"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["to"] == "2026-07-01"
    assert [item["time"] for item in content["lines"]] == ["2026-07-01"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--station", "S9"], "no station of the registry has station 'S9'"),
        (["--operator", "East", "--gateway", "gw1"], "has operator 'East', gateway 'gw1'"),
        (["--from", "2026-07-02", "--to", "2026-07-01"], "--from 2026-07-02 is after --to 2026-07-01"),
        (["--from", "0001-01-01"], "expected a day of 1970 to 9998"),
        (["--from", "9000-01-01", "--to", "9000-01-02"], "--from 9000-01-01: expected no day after today, "),
    ],
)
def test_a_mistake_is_told(
    store: tuple[str, Engine], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["completeness", "--config", store[0], *arguments]) == 1
    assert message in capsys.readouterr().err
