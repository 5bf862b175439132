"""`diantan-agent trace`, and the tap of a running gateway's lines."""

import json
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench_line import BenchLine, Pty, Shown

from agent import cli
from agent.config_lines import ModbusTcpLine
from agent.line_spec import parse_spec
from agent.trace import line_trace
from clock import SystemClock
from diantan_core import Dlt645Frame, dlt645_build
from fieldbus.exchange import Traced
from profiles import load

CLOCK = SystemClock()
ADDRESS = "112233445566"
READ = dlt645_build(ADDRESS, {"kind": "read", "di": 0x02010100}).encode()
ANSWER = Dlt645Frame(ADDRESS, 0x91, bytes.fromhex("00010102 0123")).encode(0)
NOON_MS = 1_767_240_000_123  # 2026-01-01T12:00:00.123+08:00


def test_what_the_bus_says_on_one_line_each() -> None:
    """Time, direction, protocol, address, meaning; and what is odd about a frame."""
    told: list[str] = []
    tap = line_trace(parse_spec("tcp:h:1"), {}, "Asia/Shanghai", told.append)
    tap(Traced(NOON_MS, sent=True, octets=READ, verdict="request", protocol="dlt645"))
    tap(Traced(NOON_MS + 70, sent=False, octets=ANSWER, verdict="answer", protocol="dlt645"))
    tap(Traced(NOON_MS + 90, sent=False, octets=ANSWER, verdict="late", protocol="dlt645"))
    tap(Traced(NOON_MS + 91, sent=False, octets=b"\x00\x01", verdict="corrupt", protocol="dlt645", reason="noise"))
    assert told == [
        "12:00:00.123 → dlt645     112233445566 read: request; 02010100 voltage phase A",
        "12:00:00.193 ← dlt645     112233445566 read: reply; voltage phase A = 230.1 V",
        "12:00:00.213 ← dlt645     112233445566 (late) read: reply; voltage phase A = 230.1 V",
        "12:00:00.214 ← ?          ?            (corrupt) 2 octets in which no frame begins: 00 01",
    ]
    assert tap.frames == 4


def test_registers_have_the_names_of_the_profile() -> None:
    told: list[str] = []
    meter: Any = {"id": "m", "profile": "eastron-sdm630", "unit": 3}
    line = ModbusTcpLine.model_validate({"transport": "modbus-tcp", "name": "line-1", "host": "h", "meter": [meter]})
    tap = line_trace(line, {"m": load("eastron-sdm630")}, "Asia/Shanghai", told.append, as_json=True)
    request, reply = bytes.fromhex("000100000006 03 04 0046 0002"), bytes.fromhex("000100000007 03 04 04 42480000")
    tap(Traced(NOON_MS, sent=True, octets=request, verdict="request", protocol="modbus"))
    tap(Traced(NOON_MS, sent=False, octets=reply, verdict="answer", protocol="modbus"))
    entry = json.loads(told[1])
    assert (entry["line"], entry["time"], entry["sent"]) == ("line-1", "2026-01-01T12:00:00.123+08:00", False)
    first = entry["values"][0]
    assert (first["name"], first["name_zh"], first["raw"]) == ("frequency", "电网频率", "42480000")
    assert (first["value"], first["unit"], first["register"]) == ("50.00", "Hz", 70)


def test_a_write_that_nobody_answers_is_a_request_again() -> None:
    """Request and reply of a write are the same octets: only what went before tells them apart, and when."""
    told: list[str] = []
    trace = line_trace(parse_spec("tcp:h:1"), {}, "Asia/Shanghai", told.append)
    write = bytes.fromhex("010600010003980B")
    for time_ms in (0, 300, 1_000, 9_000, 9_300):
        trace.heard(write, NOON_MS + time_ms)
    assert ["→" in line for line in told] == [True, False, True, True, False]


@pytest.fixture
def pty() -> Iterator[Pty]:
    line = Pty()
    yield line
    line.close()


def listening(pty: Pty, *arguments: str) -> "subprocess.Popen[str]":
    """Start a trace of a pty and wait until it listens: it has set the port to its own rate then."""
    command = [sys.executable, "-m", "agent.cli", "trace", f"serial:{pty.path}?gap_ms=20", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until_heard(process: "subprocess.Popen[str]", pty: Pty) -> str:
    """Repeat a frame until the trace tells it: opening a port drops what came before."""
    assert process.stdout is not None
    for _ in range(200):
        pty.say(ANSWER)
        if select.select([process.stdout], [], [], 0.1)[0]:
            return process.stdout.readline()
    raise AssertionError(process.stderr and process.stderr.read())


def test_listening_beside_another_master(pty: Pty) -> None:
    """Frames of several protocols, in pieces, with noise; Ctrl-C ends it well."""
    with listening(pty) as process:
        assert process.stdout is not None
        until_heard(process, pty)
        pty.say(READ[:9])
        pty.say(READ[9:] + bytes.fromhex("010300000002C40B") + b"\x99")
        wanted = ["read: request; 02010100", "read holding registers: request", "1 octet in which no frame begins: 99"]
        for text in wanted:
            line = process.stdout.readline()
            while "230.1 V" in line:  # what was repeated until it was heard
                line = process.stdout.readline()
            assert text in line
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_it_ends_after_so_many_frames(pty: Pty) -> None:
    with listening(pty, "--count", "1", "--json") as process:
        entry = json.loads(until_heard(process, pty))
        assert (entry["address"], entry["values"][0]["value"]) == (ADDRESS, "230.1")
        assert process.wait(10) == 0


def test_a_reader_that_goes_away(pty: Pty) -> None:
    """As with `trace … | head -1`: it ends, and says nothing of pipes."""
    with listening(pty) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        until_heard(process, pty)
        process.stdout.close()
        pty.say(READ)
        assert process.wait(10) == 1
        assert process.stderr.read() == ""


def test_a_tap_whose_output_is_gone_harms_nobody() -> None:
    def gone(_: str) -> None:
        raise BrokenPipeError

    tap = line_trace(parse_spec("tcp:h:1"), {}, "Asia/Shanghai", gone)
    for _ in range(2):
        tap(Traced(NOON_MS, sent=True, octets=READ, verdict="request", protocol="dlt645"))
    assert (tap.broken, tap.frames) == (True, 1)


def test_listening_on_a_serial_server() -> None:
    """What a serial server passes to all its clients; its end is the trace's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        spec = f"tcp:127.0.0.1:{server.getsockname()[1]}"
        command = [sys.executable, "-m", "agent.cli", "trace", spec]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            client, _ = server.accept()
            with client:
                client.sendall(READ + ANSWER)
                assert process.stdout is not None
                assert "→ dlt645     112233445566 read: request" in process.stdout.readline()
                assert "← dlt645     112233445566 read: reply; voltage phase A" in process.stdout.readline()
                client.sendall(READ[:5])
            assert process.wait(10) == 1
            assert "5 octets" in process.stdout.read()
            assert process.stderr is not None
            assert "closed the connection" in process.stderr.read()


def test_a_port_that_goes_away(capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main(["trace", "serial:/dev/does-not-exist"])
    assert status == 1
    assert "/dev/does-not-exist can't be opened" in capsys.readouterr().err


def configured(site: Any, line: BenchLine) -> Path:
    path: Path = site.configure(broker_port=1, meter_ports=[1])
    text = path.read_text()
    head = text[: text.index("[[line]]")]
    path.write_text(
        head + f'[[line]]\nname = "bus"\ntransport = "tcp"\nhost = "127.0.0.1"\nport = {line.port}\n\n'
        '[[line.meter]]\nid = "m-1"\nprofile = "dlt645-three-phase"\naddress = "112233445566"\n'
        'points = ["voltage_a"]\n\n'
        '[[line.meter]]\nid = "m-2"\nprofile = "eastron-sdm630"\nunit = 2\npoints = ["voltage_a"]\n'
    )
    return path


def test_polling_the_configured_meters(capsys: pytest.CaptureFixture[str], site: Any) -> None:
    meters: list[Any] = [("dlt645-three-phase", ADDRESS, Shown(CLOCK)), ("eastron-sdm630", 2, Shown(CLOCK))]
    with BenchLine(meters, CLOCK) as line:
        path = configured(site, line)
        status = cli.main(["trace", "bus", "--config", str(path), "--poll", "--count", "10", "--every", "0"])
    lines = capsys.readouterr().out.splitlines()
    assert (status, len(lines)) == (0, 10)
    assert any(
        "← dlt645     112233445566 read: reply; forward active energy total = 1234.56 kWh" in line for line in lines
    )
    assert any("→ modbus-rtu 2" in line for line in lines)
    assert any("← modbus-rtu 2" in line and "energy_forward = 1234.56 kWh" in line for line in lines)


def test_what_can_not_be_traced(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in ((["tcp:h:1", "--poll"], "has none"), (["dial-in:5000"], "use --poll")):
        assert cli.main(["trace", *arguments]) == 2
        assert said in capsys.readouterr().err
