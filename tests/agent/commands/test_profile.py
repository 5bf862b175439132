"""`diantan-agent profile check`."""

import json
from pathlib import Path

import pytest

from agent import cli
from profiles import names

GOOD = """
[meter]
model = "T-1"
manufacturer = "Test"
protocol = "modbus"
source = "made up"

[parameters]
ct = { description = "current transformer ratio" }

[modbus]
function = 4

[points]
energy_forward = { address = 0, type = "uint32", unit = "kWh", scale = "0.01", multiply = ["ct"] }
voltage_a = { address = 2, type = "uint16", unit = "V", scale = "0.1" }
"""


def check(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = cli.main(["profile", "check", *(str(argument) for argument in arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_good_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Points with place, type, unit and resolution; the plan with octets and the time it takes."""
    file = tmp_path / "meter.toml"
    file.write_text(GOOD)
    status, out, _ = check(capsys, file, "--parameter", "ct=40")
    assert status == 0
    rows = [row.split() for row in out.splitlines()]
    assert ["energy_forward", "function", "4", "address", "0", "uint32", "kWh", "0.4", "正向有功电能"] in rows
    assert ["voltage_a", "function", "4", "address", "2", "uint16", "V", "0.1", "A相电压"] in rows
    # 8 octets there and 5 + 6 back, 11 bits each: 21.8 ms at 9600 Bd, rounded up, besides the meter's 20 to 500 ms.
    assert "a poll: 1 requests, 19 octets; at 9600 Bd 42 ms if the meter answers after 20 ms, 522 ms" in out
    assert any(row.startswith("function 4, registers 0..2") and "8 + 11" in row for row in out.splitlines())
    status, out, _ = check(capsys, file, "--parameter", "ct=40", "--baud", "2400", "--json")
    (step,) = json.loads(out)["plan"]
    assert (step["octets_sent"], step["octets_received"], step["fastest_ms"]) == (8, 11, 88 + 20)


def test_every_mistake_with_file_and_key(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "meter.toml"
    file.write_text(
        GOOD.replace('"uint32"', '"uint33"').replace('unit = "V"', 'unit = "K"').replace("[modbus]", "[mod]")
    )
    status, out, errors = check(capsys, file)
    assert (status, out) == (2, "")
    assert all(line.startswith(f"{file}: ") for line in errors.splitlines())
    for key in ("points.energy_forward.type", "points.voltage_a.unit", "parameters.ct", "modbus"):
        assert any(line.startswith(f"{file}: {key}: expected") for line in errors.splitlines())


def test_parameters_are_checked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "meter.toml"
    file.write_text(GOOD)
    status, _, errors = check(capsys, file, "--parameter", "ct=many", "--parameter", "pt=1")
    assert status == 2
    assert "parameters.ct: expected an exact number" in errors
    assert "parameters.pt" in errors
    with pytest.raises(SystemExit) as ended:
        check(capsys, file, "--parameter", "ct")
    assert ended.value.code == 2


def test_a_file_of_any_name_and_one_that_is_not_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("meter.txt").write_text(GOOD)
    assert check(capsys, "meter.txt", "--parameter", "ct=1")[0] == 0
    status, _, errors = check(capsys, "none.toml")
    assert status == 2
    assert "none.toml" in errors


@pytest.mark.parametrize("name", names())
def test_the_ones_that_come_with_the_package(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Each has a plan that brings every polled point once, and reads at least the energy."""
    parameters = ["--parameter", "ct=1", "--parameter", "pt=1"] if name in ("acrel-adl3000-e", "acrel-dtsd1352") else []
    status, out, _ = check(capsys, name, *parameters, "--json")
    assert status == 0
    found = json.loads(out)
    read = [point for step in found["plan"] for point in step["points"]]
    assert "energy_forward" in read
    assert len(read) == len(set(read))
    assert all(step["octets_sent"] > 0 < step["octets_received"] for step in found["plan"])


@pytest.mark.parametrize(
    ("name", "told", "rows"), [("sim-charger", "the last 32", 32), ("sim-carbon-meter", "none", 0)]
)
def test_how_many_orders_a_charger_keeps(capsys: pytest.CaptureFixture[str], name: str, told: str, rows: int) -> None:
    """Beside its tables and writes."""
    status, out, _ = check(capsys, name)
    assert status == 0
    assert f"; charge orders: {told}\n" in out
    status, out, _ = check(capsys, name, "--json")
    assert json.loads(out)["orders"] == rows


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["profile", "ls"]) == 0
    assert capsys.readouterr().out.split() == names()
