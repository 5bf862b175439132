"""The command line: what it prints, and how it ends."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from key_support import both_algorithms

from agent import cli
from agent.config_file import load_config
from agent.journal import Journal
from agent.journal_entry import Append, event, to_row
from agent.run_command import AlreadyRunningError, locked
from wire.records import (
    EventCode,
    FactorQuality,
    FreezeKind,
    FreezeRecord,
    FreezeSource,
    IntervalRecord,
    Quality,
)

START = 1_767_196_800_000


@pytest.fixture
def config(site: Any) -> Path:
    """Return a configuration whose journal has some records."""
    path: Path = site.configure(broker_port=1, meter_ports=[1, 1])
    file = load_config(path).config.journal_file
    file.parent.mkdir()
    journal = Journal.open(file, now_ms=START, entropy=lambda n: random.Random(1).randbytes(n))
    records = [
        event(START, EventCode.CONTEXT_OPENED),
        *(
            IntervalRecord(
                *("meter-1", START + 900_000 * n, 900_000, 15_000_000, 0, 10**9 + 15_000_000 * (n + 1), 0),
                *(500_000, FactorQuality.DISPATCHED, 7_500_000_000, 0, 7_500_000_000 * (n + 1), 0),
                *(15, Quality.MEASURED),
            )
            for n in range(3)
        ),
        FreezeRecord(
            *("meter-1", START + 2_700_000, FreezeKind.DAILY, 1_045_000_000, 0, 22_500_000_000, 0),
            FreezeSource.GATEWAY_MEASURED,
        ),
    ]
    journal.commit([Append([to_row(record) for record in records])], acknowledged=3, sent=4)
    journal.close()
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    """Run a command; return status, output and errors."""
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_check(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    """Well, or every problem and status 2."""
    status, out, _ = run(capsys, "check", "--config", config)
    assert (status, out) == (0, f"{config}: gateway gw-1, 2 lines, 2 meters: all well\n")
    config.write_text(config.read_text().replace("unit = 1", "unit = 900").replace("port = 1\n", "port = 0\n"))
    status, out, errors = run(capsys, "check", "--config", config)
    assert (status, out) == (2, "")
    assert len(errors.splitlines()) == 4
    assert all(line.startswith(f"{config}: ") for line in errors.splitlines())


def test_check_refuses_a_key_that_others_can_read(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    """The file is named, and the other key's mistake told at once."""
    key = config.with_name("gateway.key")
    key.chmod(0o644)
    config.with_name("centre.pub").write_text("no key")
    status, _, errors = run(capsys, "check", "--config", config)
    assert status == 2
    first, second = errors.splitlines()
    assert first.startswith(f"{config}: gateway.key_file: {key}: expected a key that only its owner can access")
    assert second.startswith(f"{config}: centre.key_file: ")


def test_journal_ls(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    """Cumulative values, sums of increments and delivery by meter."""
    status, out, _ = run(capsys, "journal", "ls", "--config", config, "--json")
    found = json.loads(out)
    assert status == 0
    assert (found["next_sequence"], found["acknowledged"], found["unacknowledged"]) == (6, 3, 2)
    (meter,) = found["meters"]
    assert meter["energy_forward_kwh"] == "1045.000000"
    assert meter["sum_energy_forward_kwh"] == "45.000000"
    assert meter["carbon_forward_kg"].rstrip("0") == "22.5"
    assert (meter["records"], meter["sent"], meter["acknowledged"], meter["daily_freezes"]) == (4, 3, 2, 1)
    status, out, _ = run(capsys, "journal", "ls", "--config", config)
    assert status == 0
    assert "1045.000000" in out


def test_journal_verify_and_export(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    """A whole journal has no problems; export gives every record."""
    status, out, _ = run(capsys, "journal", "verify", "--config", config, "--json")
    assert status == 0
    assert json.loads(out) == {"records": 5, "first": 1, "last": 5, "meters": 1, "problems": []}
    status, out, _ = run(capsys, "journal", "export", "--config", config)
    entries = [json.loads(line) for line in out.splitlines()]
    assert [entry["record"] for entry in entries] == ["event", *["interval"] * 3, "freeze"]
    assert entries[1]["forward_mwh"] == 15_000_000
    assert entries[1]["factor_quality"] == "dispatched"
    assert entries[0]["code"] == "context_opened"


def test_a_damaged_journal_is_set_aside_only_on_request(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    """`run` ends with an error that names the file and the command; after the command a new journal begins."""
    file = load_config(config).config.journal_file
    file.write_bytes(b"junk" * 1000)
    for command in (["run"], ["journal", "ls"], ["journal", "verify"], ["journal", "export"]):
        status, _, errors = run(capsys, *command, "--config", config)
        assert status == 1
        assert str(file) in errors
        assert "set-aside" in errors
    assert file.read_bytes() == b"junk" * 1000
    status, out, _ = run(capsys, "journal", "set-aside", "--config", config)
    assert status == 0
    assert not file.exists()
    (aside,) = [path for path in file.parent.iterdir() if ".aside-" in path.name]
    assert aside.read_bytes() == b"junk" * 1000
    assert str(aside) in out


def test_no_journal_yet(capsys: pytest.CaptureFixture[str], site: Any) -> None:
    """Named, not made."""
    config = site.configure(broker_port=1, meter_ports=[1])
    status, _, errors = run(capsys, "journal", "ls", "--config", config)
    assert status == 1
    assert "there is no journal" in errors
    assert not (site.directory / "data").exists()


def test_one_agent_for_a_data_directory(tmp_path: Path) -> None:
    """Two would repeat sequences."""
    with locked(tmp_path), pytest.raises(AlreadyRunningError, match="another diantan-agent"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


@both_algorithms
def test_keys(capsys: pytest.CaptureFixture[str], tmp_path: Path, algorithm: str) -> None:
    """The private key is the owner's alone, nothing is overwritten, both halves have the same id."""
    file = tmp_path / "gateway.key"
    status, out, _ = run(capsys, "key", "new", "--algorithm", algorithm, file)
    assert status == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert run(capsys, "key", "new", file)[0] == 1
    shown = [run(capsys, "key", "show", path)[1].split()[-1] for path in (file, tmp_path / "gateway.key.pub")]
    assert shown[0] == shown[1]
    assert shown[0] in out
    assert f" {algorithm} key " in run(capsys, "key", "show", file)[1]
    assert run(capsys, "key", "show", tmp_path / "none")[0] == 1


def read(site: Any, responder: Any, *points: str) -> tuple[int, Path]:
    """Run `read --json` beside the responder, in a thread since the command has its own event loop."""

    async def scenario() -> tuple[int, Path]:
        async with responder.listening():
            config = site.configure(broker_port=1, meter_ports=[responder.port])
            return await asyncio.to_thread(
                cli.main, ["read", "--config", str(config), "meter-1", *points, "--json"]
            ), config

    return asyncio.run(scenario())


def test_read(capsys: pytest.CaptureFixture[str], site: Any, responder: Any) -> None:
    """Named points, in their units."""
    status, _ = read(site, responder, "frequency", "voltage_a")
    entries = json.loads(capsys.readouterr().out)
    assert status == 0
    assert [(entry["point"], entry["value"], entry["unit"]) for entry in entries] == [
        ("frequency", 0x2B * 10, "mHz"),
        ("voltage_a", 0x1A << 16 | 0x1B, "mV"),
    ]


def test_read_names_what_is_wrong(capsys: pytest.CaptureFixture[str], site: Any, responder: Any) -> None:
    """Unknown point, unknown meter, exception reply, nobody there."""
    assert read(site, responder, "nothing")[0] == 2
    assert "has no point nothing" in capsys.readouterr().err

    async def refuse(request: Any, _: bytes) -> bytes:
        return bytes(responder.exception(request, 2))

    responder.fault = refuse
    status, config = read(site, responder, "frequency")
    assert status == 1
    assert (
        "line-1, meter meter-1: unit 1, registers 43 by function 4: exception 2 (illegal data address)"
        in capsys.readouterr().err
    )
    status, _, errors = run(capsys, "read", "--config", config, "meter-9")
    assert (status, "no meter 'meter-9'" in errors) == (2, True)
    status, _, errors = run(capsys, "read", "--config", config, "meter-1")
    assert (status, "no connection to 127.0.0.1" in errors) == (1, True)


def test_wrong_clock(capsys: pytest.CaptureFixture[str], config: Path) -> None:
    """An option's error is a usage error."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "--config", str(config), "--clock", "sundial"])
    assert ended.value.code == 2
    assert "sundial" in capsys.readouterr().err


def test_the_configuration_is_found_here_or_where_the_environment_says(
    capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    status, _, errors = run(capsys, "journal", "ls")
    assert status == 2
    assert "agent.toml" in errors
    monkeypatch.setenv(cli.CONFIG_VARIABLE, str(config))
    assert run(capsys, "journal", "ls")[0] == 0
    monkeypatch.delenv(cli.CONFIG_VARIABLE)
    monkeypatch.chdir(config.parent)
    config.rename(config.parent / "agent.toml")
    assert run(capsys, "journal", "ls")[0] == 0
