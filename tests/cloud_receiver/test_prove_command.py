"""`prove` and `verify` as commands: files, keys, answers, exit status; `verify` needs nothing of the centre."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from intake_support import Bench, Message
from proof_support import SOLVE_ID, batches, records
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway
from sqlalchemy import Connection

from cloud_receiver import database, enrolment, factor_messages
from cloud_receiver.cli import main
from wire import keys
from wire.envelope import Signer
from wire.messages import Factors
from wire.proof import form
from wire.proof.statement import TOPIC, Statement

ROOT = Path(__file__).parents[2]
REGISTRY = """
[[station]]
id = "S1"
node = "node1"
[[station.meter]]
id = "C01"
role = "charger"
gateway = "gw1"
rated_kw = 60
"""
CLOCK = ("--clock", "simulated:1782921600000:1:99999999999999")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a centre with eight slots of a gateway whose keys lie beside it."""
    monkeypatch.delenv("DIANTAN_CENTRE_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "registry.toml").write_text(REGISTRY)
    path = tmp_path / "receiver.toml"
    path.write_text('[centre]\nkey_file = "centre.key"\n')
    assert main(["key", "new", "centre.key"]) == 0
    assert main(["key", "new", "gw1.key"]) == 0
    assert main(["database", "upgrade", "--config", str(path)]) == 0
    gateway = FakeGateway("gw1", keys.load_private("gw1.key"))
    engine = database.open_store("sqlite:///receiver.sqlite", tmp_path)
    with database.writing(engine) as connection:
        enrolment.add(connection, "gw1", gateway.key.public_key(), "S1", 0)
        dispatch(connection, "centre.key", DAY_MS, FACTOR, 8)
    Bench(engine).take(*(Message(gateway.topic, gateway.envelope(first, own)) for first, own in batches(records(8))))
    engine.dispose()
    return str(path)


def dispatch(connection: Connection, key_file: str, issued_ms: int, value: int, slots: int = 1) -> None:
    message = Factors("node1", SOLVE_ID, issued_ms, SLOT_MS, DAY_MS, (value,) * slots)
    factor_messages.enter(connection, Signer(keys.load_private(key_file)), message)


def prove(config: str, *arguments: str) -> int:
    return main(["prove", "--config", config, *arguments, *CLOCK])


def test_a_time_of_the_station_is_proved_and_verified(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert prove(config, "C01", "2026-07-01T00:35") == 0
    said = capsys.readouterr().out
    assert said.startswith("C01-20260630T163500Z.proof: ")
    assert "meter C01 of gateway gw1" in said
    file = "C01-20260630T163500Z.proof"
    assert main(["verify", file, "--key", "centre.key.pub"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok    file: ")
    assert (
        "      2026-06-30T16:30:00+00:00  900 s  +1.000000 -0.000000 kWh  register 3.000000 kWh  "
        "0.570300000 kgCO2  factor 0.570300  measured"
    ) in lines
    assert lines[-1] == "PROVED"
    # The same instant with a zone, and never over the file that is there.
    assert prove(config, "C01", "2026-06-30T16:35Z") == 1
    assert f"{file}: exists" in capsys.readouterr().err


def test_a_range_in_json(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert prove(config, "C01", "2026-07-01", "--to", "2026-07-01T02:00+08:00", "--output", "day.proof") == 0
    capsys.readouterr()
    assert main(["verify", "day.proof", "--key", "centre.key.pub", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["proved"] is True
    assert shown["claim"]["from"] == "2026-06-30T16:00:00+00:00"
    assert shown["claim"]["exported"] == "2026-07-01T16:00:00+00:00"
    assert {check["verdict"] for check in shown["checks"]} == {"passed"}
    assert [item["sequence"] for item in shown["intervals"]] == [1, 3, 5, 7, 9, 11, 13, 15]
    assert shown["intervals"][7]["forward_total_kwh"] == "8.000000"
    assert shown["intervals"][7]["carbon_forward_total_kg"] == "4.562400000"


def test_a_changed_file_is_told_and_ends_with_1(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert prove(config, "C01", "2026-07-01T00:35", "-o", "one.proof") == 0
    changed = bytearray(Path("one.proof").read_bytes())
    changed[200] ^= 1
    Path("one.proof").write_bytes(changed)
    capsys.readouterr()
    assert main(["verify", "one.proof", "--key", "centre.key.pub"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("FAIL  file: ")
    assert shown.endswith("NOT PROVED\n")
    assert "kWh" not in shown


def test_the_pinned_key_is_taken_where_none_is_given(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prove(config, "C01", "2026-07-01T00:35", "-o", "one.proof") == 0
    assert main(["verify", "one.proof"]) == 1
    assert "no key to verify with: give --key" in capsys.readouterr().err
    monkeypatch.setenv("DIANTAN_CENTRE_KEY", "centre.key.pub")
    assert main(["verify", "one.proof"]) == 0
    assert capsys.readouterr().out.endswith("\nPROVED\n")
    assert main(["verify", "one.proof", "--gateway-key", "gw1.key.pub"]) == 0
    assert "PROVED, except for what was not checked: centre's statement, " in capsys.readouterr().out
    assert main(["verify", "one.proof", "--key", "gw1.key.pub"]) == 1


def test_a_proof_of_after_a_change_of_the_centres_key(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prove(config, "C01", "2026-07-01T00:05", "-o", "before.proof") == 0
    assert "--former-key" not in capsys.readouterr().out
    assert main(["key", "new", "new.key"]) == 0
    Path(config).write_text('[centre]\nkey_file = "new.key"\n')
    engine = database.open_store("sqlite:///receiver.sqlite", tmp_path)
    with database.writing(engine) as connection:
        dispatch(connection, "new.key", DAY_MS + 3_600_000, FACTOR + 1)
    engine.dispose()
    former = keys.key_id(keys.load_public("centre.key.pub")).hex()
    assert prove(config, "C01", "2026-07-01T00:05", "-o", "after.proof") == 0
    assert (
        f"after.proof: factors were dispatched under the former key {former} of the centre: "
        "`verify` needs its public key as --former-key\n"
    ) in capsys.readouterr().out
    for arguments in (
        ("--key", "new.key.pub", "--former-key", "centre.key.pub"),
        ("--key", "new.key.pub", "--key", "centre.key.pub"),
    ):
        assert main(["verify", "after.proof", *arguments]) == 0
        assert capsys.readouterr().out.endswith("\nPROVED\n")
    assert main(["verify", "after.proof", "--key", "new.key.pub"]) == 0
    shown = capsys.readouterr().out
    assert "PROVED, except for what was not checked: factors' signature, factors as dispatched\n" in shown
    assert f"no trusted key has the id {former}" in shown
    # A former key vouches for what it dispatched, not for a proof.
    assert main(["verify", "before.proof", "--key", "new.key.pub", "--former-key", "centre.key.pub"]) == 1
    assert "FAIL  centre's statement" in capsys.readouterr().out
    assert main(["verify", "after.proof", "--former-key", "centre.key.pub"]) == 1
    assert "--former-key needs the centre's present key" in capsys.readouterr().err
    # Both may be pinned.
    monkeypatch.setenv("DIANTAN_CENTRE_KEY", os.pathsep.join(["new.key.pub", "centre.key.pub"]))
    for file in ("before.proof", "after.proof"):
        assert main(["verify", file]) == 0
        assert capsys.readouterr().out.endswith("\nPROVED\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("C01", "yesterday"), "TIME 'yesterday': expected a time such as"),
        (("C01", "1969-01-01"), "expected a time since 1970"),
        (("C01", "2026-07-01T01:00", "--to", "2026-07-01T01:00"), "--to 2026-07-01T01:00: expected a time after"),
        (("C01", "2026-07-02"), "the store has no interval of meter 'C01'"),
        (("C09", "2026-07-01"), "the store has no records of a meter 'C09'"),
    ],
)
def test_what_cannot_be_proved_is_said(
    config: str, arguments: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prove(config, *arguments) == 1
    assert problem in capsys.readouterr().err
    assert not list(Path().glob("*.proof"))


def test_a_file_that_is_not_there_is_said(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "none.proof", "--key", "centre.key.pub"]) == 1
    assert "none.proof" in capsys.readouterr().err


HEAVY = ["sqlalchemy", "alembic", "paho", "serial", "pymodbus", "pydantic", "cloud_receiver.cli"]


@pytest.mark.parametrize(
    "entry",
    [
        "from cloud_receiver.entry import main",
        "sys.argv[1:2] = []; from wire.proof.command import main",
    ],
)
def test_verify_needs_nothing_of_the_centre(config: str, entry: str) -> None:
    assert prove(config, "C01", "2026-07-01T00:35", "-o", "one.proof") == 0
    script = f"import sys; sys.modules |= dict.fromkeys({HEAVY!r}); {entry}; sys.exit(main())"
    command = [sys.executable, "-c", script, "verify", str(Path("one.proof").resolve())]
    key = str(Path("centre.key.pub").resolve())
    done = subprocess.run([*command, "--key", key], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.endswith("\nPROVED\n")
    done = subprocess.run(
        [*command, "--key", key.replace("centre", "gw1")], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 1
    assert "FAIL  centre's statement" in done.stdout


def test_a_forged_name_adds_no_line(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the gateway's key is trusted: the statement may say anything, but not print lines of its own."""
    assert prove(config, "C01", "2026-07-01T00:35", "-o", "one.proof") == 0
    file = form.decode(Path("one.proof").read_bytes())
    statement = Statement.decode(form.unverified_payload(file.statement))
    lie = replace(statement, meter="x\nPROVED\n\x1b[2J")
    forged = replace(file, statement=Signer(keys.generate()).sign(lie.encode(), TOPIC))
    Path("two.proof").write_bytes(forged.encode())
    capsys.readouterr()
    assert main(["verify", "two.proof", "--gateway-key", "gw1.key.pub"]) == 1
    shown = capsys.readouterr().out
    assert "PROVED" not in shown.splitlines()
    assert "\x1b" not in shown
