"""`diantan-agent scan`: finds simulated meters, suggests their profiles and prints a configuration that loads."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from bench_line import BenchLine, Shown

from agent import cli, scan_command
from agent.config_lines import LINES
from agent.scan_command import USUAL
from clock import SystemClock

CLOCK = SystemClock()


def scan(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = cli.main(["scan", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("pty", [False, True])
def test_every_protocol_on_one_line(capsys: pytest.CaptureFixture[str], pty: bool) -> None:
    """Each meter with its own profile, most surely, in a [[line]] that the configuration takes."""
    meters: list[Any] = [
        ("dlt645-three-phase", "202011120003", Shown(CLOCK)),
        ("dlt698-three-phase", "000000000042", Shown(CLOCK)),
        ("eastron-sdm630", 3, Shown(CLOCK)),
    ]
    with BenchLine(meters, CLOCK, pty=pty) as line:
        status, out, _ = scan(capsys, f"{line.spec}?timeout_ms=400&gap_ms=50", "--units", "2-4")
        assert status == 0
        (found,) = tomllib.loads(out)["line"]
        LINES[found["transport"]].model_validate(found)
        where = ("serial", line.path, 9600) if pty else ("tcp", "127.0.0.1", line.port)
        assert (found["transport"], found.get("device", found.get("host")), found.get("baud", line.port)) == where
    by_profile = {meter["profile"]: meter for meter in found["meter"]}
    assert by_profile["dlt645-three-phase"]["address"] == "202011120003"
    assert by_profile["dlt698-three-phase"]["address"] == "000000000042"
    assert by_profile["eastron-sdm630"]["unit"] == 3
    assert out.count("confidence") >= 3


def test_modbus_tcp_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    with BenchLine([("sim-carbon-meter", 9, Shown(CLOCK))], CLOCK, tcp="modbus-tcp") as line:
        status, out, _ = scan(capsys, line.spec, "--units", "9", "--json")
    assert status == 0
    (meter,) = json.loads(out)["meters"]
    best = meter["suggestions"][0]
    assert (meter["address"], best["profile"]) == (9, "sim-carbon-meter")
    assert best["sure"] in ("high", "medium")
    assert "read plausibly" in best["why"]


def test_registers_of_another_meter_are_no_high_confidence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A meter without mains: nothing proves any profile."""
    dead = dict.fromkeys(("voltage_a", "voltage_b", "voltage_c", "frequency", "power", "current_a"), 0)
    with BenchLine([("eastron-sdm630", 1, Shown(CLOCK, **dead))], CLOCK) as line:
        status, out, _ = scan(capsys, f"{line.spec}?timeout_ms=1000", "--protocol", "modbus", "--units", "1", "--json")
    assert status == 0
    (meter,) = json.loads(out)["meters"]
    said = [each for each in meter["suggestions"] if "calls itself" in each["why"]]
    assert all(each["sure"] != "high" for each in meter["suggestions"] if each not in said)


def test_a_serial_line_with_the_usual_rates(capsys: pytest.CaptureFixture[str]) -> None:
    """A pty takes any rate: the first one finds the meter and stands in the configuration."""
    with BenchLine([("dlt645-three-phase", "5", Shown(CLOCK))], CLOCK, pty=True) as line:
        arguments = ["--baud", "auto", "--protocol", "dlt645", "--timeout-ms", "1000"]
        status, out, _ = scan(capsys, line.spec, *arguments)
    assert status == 0
    (found,) = tomllib.loads(out)["line"]
    assert (found["baud"], found["parity"]) == USUAL[0]
    assert found["device"] == line.path
    assert "timeout_ms" not in found
    LINES["serial"].model_validate(found)


def test_every_usual_rate_is_tried(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, until a meter answers."""
    tried: list[tuple[int, str]] = []
    real = scan_command.scan_line

    async def noted(line: Any, *rest: Any) -> Any:
        tried.append((line.baud, line.parity))
        return await real(line, *rest) if line.baud == 2400 else []

    monkeypatch.setattr(scan_command, "scan_line", noted)
    with BenchLine([("eastron-sdm630", 2, Shown(CLOCK))], CLOCK, pty=True) as line:
        arguments = ["--baud", "auto", "--protocol", "modbus", "--timeout-ms", "200"]
        status, out, _ = scan(capsys, line.spec, *arguments, "--units", "2")
        assert (status, tried) == (0, list(USUAL[:3]))
        (found,) = tomllib.loads(out)["line"]
        assert (found["baud"], found["parity"]) == (2400, "even")
        tried.clear()
        assert scan(capsys, line.spec, *arguments, "--units", "9")[0] == 1
    assert tried == list(USUAL)


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with BenchLine([], CLOCK) as line:
        status, out, errors = scan(capsys, f"{line.spec}?timeout_ms=150", "--units", "1-2")
    assert (status, out) == (1, "")
    assert "no meter answered" in errors


def test_a_line_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with BenchLine([], CLOCK) as line:
        gone = line.spec
    status, _, errors = scan(capsys, gone)
    assert status == 1
    assert "no connection to 127.0.0.1" in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tcp:h:1", "--baud", "9600"], "--baud is for serial lines"),
        (["modbus-tcp:h", "--protocol", "dlt645"], "carries modbus only"),
        (["nowhere"], "agent.toml"),
    ],
)
def test_wrong_arguments(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, errors = scan(capsys, *arguments)
    assert status == 2
    assert said in errors


@pytest.mark.parametrize("units", ["0", "1-248", "5-3", "x", "1,,2"])
def test_wrong_units(units: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["scan", "tcp:h:1", "--units", units])
    assert ended.value.code == 2


def test_a_meter_that_dials_in(capsys: pytest.CaptureFixture[str], spare_port: int) -> None:
    with BenchLine([("dlt698-three-phase", "000000000042", Shown(CLOCK))], CLOCK, calls=spare_port) as line:
        status, out, _ = scan(capsys, f"{line.spec}?timeout_ms=2000")
    assert status == 0
    (found,) = tomllib.loads(out)["line"]
    assert (found["transport"], found["port"]) == ("dial-in", spare_port)
    assert [meter["address"] for meter in found["meter"]] == ["000000000042"]
    LINES["dial-in"].model_validate(found)
