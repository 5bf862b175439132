"""`diantan-agent read` of meters of every protocol, over TCP and a serial line."""

import json
import socket
import threading
from typing import Any

import pytest
from bench_line import BenchLine, Shown

from agent import cli
from clock import SystemClock
from diantan_core import dlt645_build

CLOCK = SystemClock()
ADDRESS = "112233445566"
WHERE = {"dlt645-three-phase": ADDRESS, "dlt698-three-phase": ADDRESS, "eastron-sdm630": 7}


def read(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = cli.main(["read", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def of(line: BenchLine, profile: str, *more: str) -> list[str]:
    return ["--line", line.spec, "--profile", profile, "--address", str(WHERE[profile]), *more]


@pytest.mark.parametrize("pty", [False, True])
@pytest.mark.parametrize("profile", WHERE)
def test_without_a_configuration(capsys: pytest.CaptureFixture[str], profile: str, pty: bool) -> None:
    """Named points as canonical integers and as text in the unit of the field."""
    with BenchLine([(profile, WHERE[profile], Shown(CLOCK))], CLOCK, pty=pty) as line:
        status, out, _ = read(capsys, *of(line, profile, "energy_forward", "voltage_a", "frequency", "--json"))
    assert status == 0
    entries: list[dict[str, Any]] = json.loads(out)
    assert [(entry["point"], entry["value"], entry["unit"]) for entry in entries] == [
        ("energy_forward", 1_234_560_000, "mWh"),
        ("voltage_a", 230_100, "mV"),
        ("frequency", 50_000, "mHz"),
    ]
    assert [entry["text_unit"] for entry in entries] == ["kWh", "V", "Hz"]
    assert [float(entry["text"]) for entry in entries] == [1234.56, 230.1, 50.0]
    assert entries[0]["text"] == "1234.56"


def test_a_meter_that_dials_in(capsys: pytest.CaptureFixture[str], spare_port: int) -> None:
    """DL/T 698.45 over TCP: the meter connects, says LINK, and is then asked."""
    with BenchLine([("dlt698-three-phase", ADDRESS, Shown(CLOCK))], CLOCK, calls=spare_port) as line:
        status, out, errors = read(capsys, *of(line, "dlt698-three-phase", "energy_forward", "--json", "--trace"))
    assert status == 0
    assert json.loads(out)[0]["value"] == 1_234_560_000
    assert f"waiting for a meter to dial in to port {spare_port}" in errors
    assert "link request, login" in errors
    assert "link response" in errors


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    with BenchLine([("dlt645-three-phase", ADDRESS, Shown(CLOCK))], CLOCK) as line:
        status, out, _ = read(capsys, *of(line, "dlt645-three-phase", "energy_forward", "voltage_b"))
    assert status == 0
    assert [row.split() for row in out.splitlines()] == [
        ["energy_forward", "1234.56", "kWh", "(1234560000", "mWh)"],
        ["voltage_b", "230.1", "V", "(230100", "mV)"],
    ]


def test_transformer_ratios_are_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    with BenchLine([("dlt645-three-phase", ADDRESS, Shown(CLOCK))], CLOCK) as line:
        arguments = of(line, "dlt645-three-phase", "energy_forward", "--json", "--parameter", "ct=40")
        status, out, _ = read(capsys, *arguments)
    assert status == 0
    assert json.loads(out)[0]["text"] == "49382.4"


def test_a_direct_current_meter_shows_voltage_and_current_without_being_told_to(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with BenchLine([("dlt645-dc-charger", ADDRESS, Shown(CLOCK, voltage=750_000, current=80_000))], CLOCK) as line:
        status, out, _ = read(capsys, "--line", line.spec, "--profile", "dlt645-dc-charger", "--address", ADDRESS)
    assert status == 0
    assert [row.split()[:2] for row in out.splitlines()] == [
        ["energy_forward", "1234.56"],
        ["voltage", "750.000"],
        ["current", "80.000"],
    ]


def test_the_frames_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with BenchLine([("eastron-sdm630", 7, Shown(CLOCK))], CLOCK) as line:
        status, _, errors = read(capsys, *of(line, "eastron-sdm630", "frequency", "--trace"))
    assert status == 0
    request, reply = errors.splitlines()
    assert "→ modbus-rtu 7" in request
    assert "read input registers: request; input register 70..71" in request
    assert "← modbus-rtu 7" in reply
    assert "frequency = 50" in reply


def test_a_point_that_the_meter_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    """The others have their values; the status says that something is missing."""
    with BenchLine([("dlt645-dc-charger", ADDRESS, Shown(CLOCK))], CLOCK) as line:
        arguments = ["--line", line.spec, "--profile", "dlt645-three-phase", "--address", ADDRESS]
        status, out, _ = read(capsys, *arguments, "energy_forward", "frequency", "--json")
        assert status == 1
        energy, frequency = json.loads(out)
        assert (energy["text"], frequency["value"]) == ("1234.56", None)
        assert "no such data" in frequency["error"]
        status, out, errors = read(capsys, *arguments, "frequency")
    assert (status, out) == (1, "")
    assert "no such data" in errors


def test_each_refusal_of_one_reply(capsys: pytest.CaptureFixture[str]) -> None:
    """A DL/T 698.45 meter gives a reason for every object that it does not read out."""
    with BenchLine([("dlt698-three-phase", ADDRESS, Shown(CLOCK))], CLOCK) as line:
        arguments = ["--line", line.spec, "--profile", "dlt698-carbon-meter", "--address", ADDRESS]
        arguments += ["--parameter", "connect=0", "energy_forward", "carbon_forward", "--json"]
        status, out, _ = read(capsys, *arguments)
    assert status == 1
    energy, carbon = json.loads(out)
    assert (energy["text"], carbon["value"]) == ("1234.56", None)
    assert carbon["error"] == "DAR 4, object_undefined"


def test_digits_that_are_none_in_one_field_of_a_block(capsys: pytest.CaptureFixture[str]) -> None:
    """A DL/T 645 field that is no number is told as such, one filled with FFH as no value."""
    answer = {"kind": "read", "reply": True, "di": 0x0201FF00, "data": bytes.fromhex("01230A23FFFF"), "more": False}
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(dlt645_build(ADDRESS, answer).encode())
                connection.recv(100)

        meter = threading.Thread(target=serve)
        meter.start()
        where = f"tcp:127.0.0.1:{server.getsockname()[1]}"
        arguments = ["--line", where, "--profile", "dlt645-three-phase", "--address", ADDRESS, "--json"]
        status, out, _ = read(capsys, *arguments, "voltage_a", "voltage_b", "voltage_c")
        meter.join()
    assert status == 1
    found = {entry["point"]: (entry["text"], "error" in entry) for entry in json.loads(out)}
    assert found == {"voltage_a": ("230.1", False), "voltage_b": (None, True), "voltage_c": (None, False)}


def test_a_meter_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with BenchLine([("dlt645-three-phase", ADDRESS, Shown(CLOCK))], CLOCK) as line:
        spec = f"{line.spec}?timeout_ms=300"
        arguments = ["--line", spec, "--profile", "dlt645-three-phase", "--address", "1", "energy_forward"]
        status, out, errors = read(capsys, *arguments)
    assert (status, out) == (1, "")
    assert "no reply within 0.3 s" in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected a METER"),
        (["--line", "tcp:h:1"], "--line needs --profile and --address"),
        (["m", "--address", "3"], "--address goes with --line"),
        (["--line", "tcp:h", "--profile", "eastron-sdm630", "--address", "1"], "tcp:h"),
        (["--line", "tcp:h:x", "--profile", "eastron-sdm630", "--address", "1"], "'x'"),
        (["--line", "serial:/dev/x?speed=1", "--profile", "eastron-sdm630", "--address", "1"], "speed"),
        (["--line", "serial:/dev/x?baud=9601", "--profile", "eastron-sdm630", "--address", "1"], "baud"),
        (["--line", "tcp:h:1", "--profile", "eastron-sdm630", "--address", "1A"], "expected its unit"),
        (["--line", "tcp:h:1", "--profile", "eastron-sdm630", "--address", "300"], "--address: Input should be less"),
        (["--line", "tcp:h:1", "--profile", "dlt645-three-phase", "--address", "1A"], "1 to 12 digits"),
        (["--line", "modbus-tcp:h", "--profile", "dlt645-three-phase", "--address", "1"], "carries modbus"),
        (["--line", "tcp:h:1", "--profile", "nothing", "--address", "1"], "nothing"),
        (["--line", "tcp:h:1", "--profile", "acrel-adl3000-e", "--address", "1"], "parameters.ct"),
    ],
)
def test_a_wrong_command_line(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    status, out, errors = read(capsys, *arguments)
    assert (status, out) == (2, "")
    assert said in errors
