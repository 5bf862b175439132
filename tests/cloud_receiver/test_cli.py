"""The command line: answers, exit status, and errors that name the thing."""

import contextlib
import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from key_support import both_algorithms

from cloud_receiver import database, gateway_status
from cloud_receiver.cli import main
from cloud_receiver.enrolment import GatewayRow
from cloud_receiver.gateway_status import Heard
from wire.keys import load_public, public_bytes
from wire.messages import Status, StatusState
from wire.records import ClockState
from wire.status_facts import Backlog, Overdue

REGISTRY = """
[[station]]
id = "S1"
node = "node1"
[[station.meter]]
id = "C01"
role = "charger"
gateway = "gw1"
rated_kw = 60
[[station]]
id = "S2"
node = "node1"
meter = []
"""


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Give the log back to pytest: `run` takes it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "registry.toml").write_text(REGISTRY)
    path = tmp_path / "receiver.toml"
    path.write_text('[centre]\nkey_file = "centre.key"\n')
    return str(path)


@pytest.fixture
def public_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["key", "new", str(tmp_path / "gw1.key")]) == 0
    capsys.readouterr()
    return str(tmp_path / "gw1.key.pub")


def test_a_gateway_is_enrolled_listed_and_revoked(
    config: str, public_key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = ["--clock", "simulated:1782835200000:1:99999999999999"]
    assert main(["gateway", "add", "--config", config, "gw1", public_key, "--station", "S1", *clock]) == 0
    kid = capsys.readouterr().out.split()[6]
    assert main(["gateway", "list", "--config", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "gateway": "gw1",
            "station": "S1",
            "key": kid,
            "added": "2026-06-30T16:00:00+00:00",
            "revoked": None,
            "status": None,
        }
    ]
    assert main(["gateway", "revoke", "--config", config, "gw1", "--key", kid, *clock]) == 0
    assert kid in capsys.readouterr().out
    assert main(["gateway", "list", "--config", config, *clock]) == 0
    shown = capsys.readouterr().out
    assert "revoked 2026-06-30T16:00:00+00:00" in shown
    assert "gw1  no status received" in shown


def test_the_state_of_a_gateway_is_listed(
    config: str, public_key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gateway", "add", "--config", config, "gw1", public_key, "--station", "S1"]) == 0
    store_status(tmp_path)
    capsys.readouterr()
    assert main(["gateway", "list", "--config", config]) == 0
    assert (
        "gw1  online  last seen 2026-06-30T16:00:01+00:00  5 unacknowledged  2 dropped  clock stepped  "
        "journal 6a6f75726e616c31\n"
    ) in capsys.readouterr().out
    assert main(["gateway", "list", "--config", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == {
        "state": "online",
        "last_seen": "2026-06-30T16:00:01+00:00",
        "unacknowledged": 5,
        "dropped": 2,
        "clock": "stepped",
        "journal": "6a6f75726e616c31",
        "next_sequence": 9,
        "facts": None,
    }


def test_the_facts_that_a_gateway_tells_are_listed(
    config: str, public_key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gateway", "add", "--config", config, "gw1", public_key, "--station", "S1"]) == 0
    store_status(tmp_path, Backlog(5, 400, 61_000), 3, {0: 2}, 0, Overdue(40, 1, 900_000, (("C01", 905_000),)))
    capsys.readouterr()
    assert main(["gateway", "list", "--config", config]) == 0
    assert (
        "gw1  backlog 5 records, 400 bytes, the oldest 61 s old  3 batches resent  dropped 2 storage  "
        "clock offset 0 ms, -1000 ms to the centre  1 of 40 meters overdue ('C01' 905 s)\n"
    ) in capsys.readouterr().out
    assert main(["gateway", "list", "--config", config, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)[0]["status"]["facts"]
    assert facts["overdue"]["worst"] == [{"meter": "C01", "age_ms": 905_000}]


def store_status(directory: Path, *facts: object) -> None:
    engine = database.open_store("sqlite:///receiver.sqlite", directory)
    status = Status("gw1", StatusState.HEALTH, 1_782_835_200_000, b"journal1", 9, 5, ClockState.STEPPED, 2, *facts)  # type: ignore[arg-type]  # as given
    with database.writing(engine) as connection:
        heard = Heard(GatewayRow(1, "gw1", 1), status, retained=False)
        gateway_status.store(connection, [heard], 1_782_835_201_000)
    engine.dispose()


def test_a_gateway_that_the_registry_gives_to_another_station_is_named(
    config: str, public_key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gateway", "add", "--config", config, "gw1", public_key, "--station", "S1"]) == 0
    swapped = REGISTRY.replace('"S1"', '"S9"').replace('"S2"', '"S1"').replace('"S9"', '"S2"')
    (tmp_path / "registry.toml").write_text(swapped)
    assert main(["report", "--config", config, "S1", "2026-07-01"]) == 1
    assert "gateway gw1 is enrolled for another station than S2" in capsys.readouterr().err


def test_a_key_is_enrolled_once(config: str, public_key: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gateway", "add", "--config", config, "gw1", public_key, "--station", "S1"]) == 0
    assert main(["gateway", "add", "--config", config, "gw2", public_key, "--station", "S1"]) == 1
    assert "is already enrolled for gateway gw1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gateway", "add", "--config", "{config}", "gw1", "{key}", "--station", "S9"], "station 'S9' is not in"),
        (["gateway", "add", "--config", "{config}", "gw1", "{key}", "--station", "S2"], "gives it to station S1"),
        (["gateway", "add", "--config", "{config}", "gw/1", "{key}", "--station", "S1"], "name 'gw/1': expected"),
        (
            ["gateway", "add", "--config", "{config}", "gw1", "{config}", "--station", "S1"],
            "receiver.toml: expected a PEM public key",
        ),
        (["gateway", "revoke", "--config", "{config}", "gw1"], "run `diantan-receiver database upgrade`"),
        (["gateway", "revoke", "--config", "{config}", "gw1", "--key", "xyz"], "expected 16 hexadecimal digits"),
        (["report", "--config", "{config}", "S1", "yesterday"], "day 'yesterday': expected YYYY-MM-DD"),
        (["report", "--config", "{config}", "S1", "0001-01-01"], "day '0001-01-01': expected YYYY-MM-DD, 1970 to 9998"),
        (["report", "--config", "{config}", "S1", "9999-12-31"], "day '9999-12-31': expected"),
        (["report", "--config", "{config}", "S9", "2026-07-01"], "station 'S9' is not in the registry (known: S1, S2)"),
        (["findings", "--config", "{config}", "--station", "S9"], "station 'S9' is not in"),
        (["findings", "--config", "{config}", "--acknowledge", "7"], "there is no open finding 7"),
        (["run", "--config", "{config}", "--clock", "moon"], "clock: expected 'system'"),
        (["run", "--config", "{config}"], "centre.key: can't be read"),
        (["report", "--config", "absent.toml", "S1", "2026-07-01"], "absent.toml: can't be read"),
    ],
)
def test_a_mistake_is_named_and_the_status_is_1(
    arguments: list[str], message: str, config: str, public_key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([item.format(config=config, key=public_key) for item in arguments]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "--config", "{config}", "S1", "2026-07-01"],
        ["gateway", "list", "--config", "{config}"],
        ["database", "upgrade", "--config", "{config}"],
    ],
)
def test_a_store_of_a_newer_program_is_left_alone(
    arguments: list[str], config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["database", "upgrade", "--config", config]) == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "receiver.sqlite")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    arguments = [item.format(config=config) for item in arguments]
    assert main(arguments) == 1
    assert "the store has schema 9999, made by a newer program" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["report", "--config", "{config}", "S1", "2026-07-01"], ["findings", "--config", "{config}"]]
)
def test_what_only_reads_does_not_wait_for_who_writes(
    arguments: list[str], config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 0)
    arguments = [item.format(config=config) for item in arguments]
    assert main(arguments) == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "receiver.sqlite", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert main(arguments) == 0


def test_an_edited_registry_is_entered_by_the_next_command(config: str, tmp_path: Path) -> None:
    for role in ("charger", "auxiliary"):
        (tmp_path / "registry.toml").write_text(REGISTRY.replace('"charger"', f'"{role}"'))
        assert main(["findings", "--config", config]) == 0
        with contextlib.closing(sqlite3.connect(tmp_path / "receiver.sqlite")) as connection:
            assert connection.execute("SELECT name, role FROM meter").fetchall() == [("C01", role)]
    (tmp_path / "registry.toml").write_text("station = []")
    assert main(["findings", "--config", config]) == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "receiver.sqlite")) as connection:
        assert connection.execute("SELECT name, role FROM meter").fetchall() == [("C01", "unknown")]


def test_a_data_directory_that_can_not_be_made(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    Path(config).write_text('[centre]\nkey_file = "centre.key"\ndata_dir = "file/below"\n')
    assert main(["report", "--config", config, "S1", "2026-07-01"]) == 1
    assert "centre.data_dir: " in capsys.readouterr().err


def test_a_number_that_no_finding_can_have(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["findings", "--config", config, "--acknowledge", "9" * 30])
    assert "invalid number value" in capsys.readouterr().err


def test_findings_of_an_empty_store(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", "--config", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_store_that_a_command_makes_or_brings_up_to_date_is_told(
    config: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a new one, as of a `data_dir` that was misspelt, it would say that nothing is wrong."""
    engine = database.open_store("sqlite:///receiver.sqlite", tmp_path)
    database.upgrade(engine, "0014")
    engine.dispose()
    assert main(["findings", "--config", config]) == 0
    assert caplog.messages == [f"store: schema brought from 0014 to {database.head()}"]
    caplog.clear()
    Path(config).write_text('[centre]\nkey_file = "centre.key"\ndata_dir = "elsewhere"\n')
    assert main(["findings", "--config", config]) == 0
    assert caplog.messages == [
        f"store: there was none, a new one is made: sqlite:///{tmp_path}/elsewhere/receiver.sqlite"
    ]
    caplog.clear()
    assert main(["findings", "--config", config]) == 0
    assert caplog.messages == []


def test_report_of_an_empty_store(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--config", config, "S1", "2026-07-01", "--lang", "zh"]) == 0
    assert "没有全部电能表均上报的时段" in capsys.readouterr().out


def test_database_upgrade(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["database", "upgrade", "--config", config]) == 0
    assert main(["database", "upgrade", "--config", config]) == 0
    head = database.head()
    assert capsys.readouterr().out.splitlines() == [f"schema {head}, was none", f"schema {head} is current"]


@both_algorithms
def test_a_key_is_shown_without_its_private_part(
    algorithm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "centre.key"
    assert main(["key", "new", "--algorithm", algorithm, str(path)]) == 0
    kid = capsys.readouterr().out.split()[1].rstrip(":")
    for name in (path, f"{path}.pub"):
        assert main(["key", "show", str(name)]) == 0
        shown = capsys.readouterr().out
        assert shown.split()[2] == kid
        assert shown.split()[4] == algorithm
        assert shown.split()[-1] == public_bytes(load_public(f"{path}.pub")).hex()
        assert "PRIVATE" not in shown
    assert main(["key", "new", str(path)]) == 1
    assert "never overwritten" in capsys.readouterr().err


def test_the_configuration_is_found_here_or_where_the_environment_says(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert main(["database", "upgrade"]) == 1
    assert "receiver.toml: can't be read" in capsys.readouterr().err
    monkeypatch.setenv("DIANTAN_RECEIVER_CONFIG", config)
    assert main(["database", "upgrade"]) == 0
    monkeypatch.delenv("DIANTAN_RECEIVER_CONFIG")
    monkeypatch.chdir(tmp_path)
    assert main(["database", "upgrade"]) == 0
