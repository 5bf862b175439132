"""`diantan-receiver findings` on a store with findings that late records changed."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "checks"))

from checks_support import SLOTS, Centre, day  # needs the path above
from key_support import new_key
from receiver_support import FACTOR, FakeGateway
from sqlalchemy import Engine, update

from cloud_receiver import database
from cloud_receiver.cli import main
from cloud_receiver.findings_command import words
from cloud_receiver.registry import Registry
from cloud_receiver.schema import finding
from wire.keys import save_private

REGISTRY = """
[[station]]
id = "S1"
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


@pytest.fixture
def config(tmp_path: Path, engine: Engine, gateway: FakeGateway, registry: Registry) -> str:
    centre = Centre(engine, gateway, registry)
    centre.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    centre.store([record for record in day() if record.meter not in {"C01", "C02"}])
    assert len(centre.check()) == 2
    centre.clock.wall_ms += 600_000
    centre.store([record for record in day() if record.meter == "C02"])
    assert len(centre.check()) == 1
    save_private(new_key(), tmp_path / "centre.key")
    (tmp_path / "registry.toml").write_text(REGISTRY)
    path = tmp_path / "receiver.toml"
    path.write_text('[centre]\nkey_file = "centre.key"\ndatabase = "sqlite:///store.sqlite"\n')
    return str(path)


def test_a_closed_finding_is_listed_with_what_closed_it(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", "--config", config, "--all"]) == 0
    text = capsys.readouterr().out
    assert "closed by 96 intervals of gateway gw1 (1 meters, 2026-07-01T00:00:00+08:00 .. " in text
    assert "received 2026-07-02T00:40:00+08:00" in text
    assert main(["findings", "--config", config, "--all", "--json"]) == 0
    items = {item["meter"]: item for item in json.loads(capsys.readouterr().out)}
    assert items["C01"]["last_change"] == {"change": "opened", "cause": {"first_check": True}}
    assert items["C02"]["last_change"]["change"] == "closed"
    assert items["C02"]["last_change"]["cause"]["records"][0]["count"] == SLOTS


def test_the_history_of_a_finding(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["findings", "--config", config, "--all", "--json"])
    number = next(item["id"] for item in json.loads(capsys.readouterr().out) if item["meter"] == "C02")
    assert main(["findings", "--config", config, "--history", str(number)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "missing_intervals  C02" in lines[0]
    assert lines[1] == "2026-07-02T00:30:00+08:00  opened: the first check"
    assert lines[2].startswith("2026-07-02T00:40:00+08:00  closed: 96 intervals of gateway gw1")
    assert lines[3].strip().startswith("before: open, warning, 96 slots 2026-07-01T00:00:00+08:00")
    assert main(["findings", "--config", config, "--history", str(number), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["finding"]["id"] == number
    assert [change["change"] for change in content["changes"]] == ["opened", "closed"]
    assert content["changes"][0]["before"] is None
    assert len(content["changes"][1]["before"]["evidence"]["slots"]) == SLOTS


def test_what_a_finding_says_in_words_stands_below_it_while_it_is_open(
    config: str, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    said = json.dumps({"slots": [], "words": {"en": "inspect it", "zh": "请检查"}})
    with database.writing(engine) as connection:
        changed = update(finding).where(finding.c.state == "open").values(evidence=said)
        assert connection.execute(changed).rowcount == 1
    assert main(["findings", "--config", config, "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    [place] = [place for place, line in enumerate(lines) if "C01" in line]
    assert lines[place + 1 : place + 3] == ["    inspect it", "    请检查"]
    assert sum(line.endswith("inspect it") for line in lines) == 1


def test_there_is_no_history_of_what_is_not_there(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", "--config", config, "--history", "77"]) == 1
    assert "there is no finding 77" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        ({"registry": True, "settings": True}, "the registry changed; the settings of the checks changed"),
        ({"time_passed": True}, "a deadline passed"),
        ({"program": True}, "another version of the program"),
        ({"fleet": True}, "what stations together say of its make"),
        ({"person": True}, "a person"),
        ({}, "nothing that is known"),
        (
            {"factors": {"count": 2, "first": "a", "last": "b", "issued_first": "c", "issued_last": "d"}},
            "2 factors of a .. b, issued c .. d",
        ),
        (
            {"orders": {"count": 1, "received_first": "c", "received_last": "d"}},
            "1 charge orders, received c .. d",
        ),
        ({"registry": True, "asked": "Li\x1b Na"}, "the registry changed; checked anew for Li\\x1b Na"),
    ],
)
def test_a_cause_in_words(cause: dict[str, object], text: str) -> None:
    assert words(cause) == text
