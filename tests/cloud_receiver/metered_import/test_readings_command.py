"""`readings import`, `settle` and `enrol` as commands, and what an import is good for: report, proof, verification."""

import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from cloud_receiver import database, enrolment
from cloud_receiver.cli import main
from wire import keys

REGISTRY = """
[[station]]
id = "bl2"
timezone = "Europe/Oslo"
node = "node1"
since = 2019-01-01T00:00:00+01:00
[[station.meter]]
id = "AMS"
role = "grid"
gateway = "utility"
rated_kw = 60
interval_s = 3600
[[station.meter]]
id = "C01"
role = "charger"
gateway = "gw1"
rated_kw = 22
"""
TEXT = """date_from;date_to;month;AMS_kWh
27.10.2019 00:00;27.10.2019 01:00;Oct;6,8
27.10.2019 01:00;27.10.2019 02:00;Oct;2,5
27.10.2019 02:00;27.10.2019 02:00;Oct;0,05
27.10.2019 02:00;27.10.2019 03:00;Oct;0,15
27.10.2019 03:00;;Oct;NA
27.10.2019 04:00;27.10.2019 05:00;Oct;1
"""
COLUMNS = ("--time", "date_from", "--until", "date_to", "--forward", "AMS_kWh")


@pytest.fixture
def shared(shared_data: Path) -> Path:
    return shared_data.resolve()  # before a test goes elsewhere


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("DIANTAN_CENTRE_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "registry.toml").write_text(REGISTRY)
    path = tmp_path / "receiver.toml"
    path.write_text('[centre]\nkey_file = "centre.key"\ndata_dir = "data"\n')
    assert main(["key", "new", "centre.key"]) == 0
    return str(path)


def command(config: str, verb: str, *arguments: str) -> int:
    return main(["readings", verb, *arguments, "--config", config])


def entered(config: str, text: str = TEXT, *arguments: str) -> int:
    Path("bl2.csv.gz").write_bytes(gzip.compress(text.encode()))
    which = ("--station", "bl2", "--meter", "AMS", "--enrol", "--by", "Li Lei")
    return command(config, "import", "bl2.csv.gz", *which, *COLUMNS, *arguments)


def test_an_import_is_reported_proved_and_verified(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert entered(config) == 0
    said = capsys.readouterr().out
    assert "AMS of bl2: 6 lines, 5 intervals of 3600 s, 2019-10-26T22:00Z to 2019-10-27T04:00Z" in said
    assert "entered: 10.5 kWh forward (正向), 0 kWh reverse (反向)" in said
    assert "1 lines without a value (缺数)" in said
    assert main(["report", "bl2", "2019-10-27", "--format", "json", "--config", config]) == 0
    (meter,) = [item for item in json.loads(capsys.readouterr().out)["meters"] if item["meter"] == "AMS"]
    assert meter["energy_forward_kwh"] == "10.500000"
    assert main(["prove", "AMS", "2019-10-27T02:00+01:00", "-o", "ams.proof", "--config", config]) == 0
    assert main(["verify", "ams.proof", "--key", "centre.key.pub", "--json"]) == 0
    verdict = capsys.readouterr().out
    found = json.loads(verdict[verdict.index("{") :])
    (interval,) = found["intervals"]
    assert interval["duration_ms"] == 3_600_000
    assert interval["forward_kwh"] == "0.150000"


def test_a_proof_of_an_import_that_was_altered_fails(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    entered(config)
    assert main(["prove", "AMS", "2019-10-27T00:00", "--to", "2019-10-28", "-o", "ams.proof", "--config", config]) == 0
    content = bytearray(Path("ams.proof").read_bytes())
    content[len(content) // 2] ^= 1
    Path("ams.proof").write_bytes(content)
    assert main(["verify", "ams.proof", "--key", "centre.key.pub"]) == 1


def test_the_answer_as_a_document(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    entered(config)
    capsys.readouterr()
    assert entered(config, TEXT.replace("6,8", "6,9"), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["intervals"], found["known"], found["refused"], found["new"]) == (5, 4, 1, 0)
    (mistake,) = found["mistakes"]
    assert (mistake["file"], mistake["place"]) == ("bl2.csv.gz", "line 2")
    assert entered(config, TEXT.replace("6,8", "6,9"), "--json", "--correct") == 0
    assert json.loads(capsys.readouterr().out)["corrected"] == 1


def test_mistakes_are_told_by_line_and_nothing_is_entered(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert entered(config, TEXT.replace("2,5", "2.5").replace("0,05", "x")) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("diantan-receiver: bl2.csv.gz: line 3 column 4: AMS_kWh: expected a number with the dec")
    assert told[1].startswith("bl2.csv.gz: line 4 column 4: AMS_kWh: expected a number")
    assert main(["report", "bl2", date(2019, 10, 27).isoformat(), "--config", config]) == 0
    assert "0/100" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--station", "S9", "--meter", "AMS"), "station 'S9' is not in the registry"),
        (("--station", "bl2", "--meter", "X"), "station bl2: the registry has no meter 'X'"),
        (
            ("--station", "bl2", "--meter", "AMS", "--zone", "Mars/Base"),
            "zone: expected a time zone such as Asia/Shanghai",
        ),
        (
            ("--station", "bl2", "--meter", "AMS", "--base", "0.0000001"),
            "base '0.0000001': expected kWh",
        ),
        (("--station", "bl2", "--meter", "AMS", "--rollover", "0"), "rollover '0': expected the value"),
        (("--station", "bl2", "--meter", "AMS", *COLUMNS), "gateway utility is not enrolled: --enrol makes its key"),
        (("--station", "bl2", "--meter", "AMS", "--time", "when"), "--time 'when': expected a heading or a number"),
    ],
)
def test_what_is_asked_wrongly_is_named(
    config: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], expected: str
) -> None:
    Path("bl2.csv").write_text(TEXT)
    assert command(config, "import", "bl2.csv", *arguments) == 1
    assert expected in capsys.readouterr().err


def test_columns_by_the_option_that_every_import_has(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bl2.csv").write_text(TEXT)
    which = ("bl2.csv", "--station", "bl2", "--meter", "AMS", "--enrol", "--json")
    columns = [f"--column={item}" for item in ("time=date_from", "until=date_to", "forward=AMS_kWh")]
    form = ("--separator", ";", "--decimal", "comma", "--time-format", "%d.%m.%Y %H:%M")
    capsys.readouterr()
    assert command(config, "import", *which, *columns, *form) == 0
    assert json.loads(capsys.readouterr().out)["forward_kwh"] == "10.5"
    assert command(config, "import", *which, *columns, "--time-format", "%Y") == 1
    assert "line 2 column 1: expected a time in the form '%Y', found '27.10.2019 00:00'" in capsys.readouterr().err
    assert command(config, "import", *which, *columns, "--time", "month") == 1
    assert "--column time: expected it once, found --time too" in capsys.readouterr().err


def test_a_file_that_is_not_there(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(config, "import", "none.csv", "--station", "bl2", "--meter", "AMS") == 1
    assert "none.csv: can't be read" in capsys.readouterr().err


def test_a_gateway_is_enrolled_once_and_its_key_is_its_owners_alone(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    for state in ("made and enrolled", "enrolled already"):
        assert command(config, "enrol", "--station", "bl2", "--meter", "AMS") == 0
        assert capsys.readouterr().out.endswith(f"{state}\n")
    path = Path("data/import-keys/utility.key")
    assert path.stat().st_mode & 0o777 == 0o600
    engine = database.open_store("sqlite:///receiver.sqlite", Path("data"))
    with database.reading(engine) as connection:
        (key,) = enrolment.keys(connection)
    engine.dispose()
    assert (key.gateway, key.kid) == ("utility", keys.key_id(keys.load_private(path).public_key()))


def test_settling_what_was_never_imported(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(config, "settle") == 0
    assert capsys.readouterr().out.endswith("no imported meter to settle\n")
    entered(config)
    capsys.readouterr()
    assert command(config, "settle", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["meter"], found["adjusted"]) == ("AMS", 0)


@pytest.mark.shared
def test_a_year_of_a_real_garage(shared: Path, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """9,466 lines with both changes of the clock, eight hours without a value (the registers of its README)."""
    file = str(shared / "data" / "garage" / "ams_garage_bl2.csv.gz")
    capsys.readouterr()
    assert command(config, "import", file, "--station", "bl2", "--meter", "AMS", *COLUMNS, "--enrol", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["lines"], found["intervals"], found["lines_without_value"]) == (9466, 9458, 8)
    assert found["forward_kwh"] == "28275.25"
    assert found["first_interval_start_utc"] == "2019-01-02T18:00Z"
    assert found["last_interval_end_utc"] == "2020-02-01T04:00Z"
