"""`diantan-sim` as a process: ready file, simulated clock, SIGTERM, and clear words about wrong input."""

import asyncio
import json
import signal
import socket
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pymodbus.client import AsyncModbusTcpClient
from sim_support import LIMIT_S, program

from firmware_sim.cli import main
from profiles import load
from profiles.modbus.codec import pack_words
from profiles.modbus.plan import plan_reads

EXAMPLE = Path(__file__).parents[2] / "firmware_sim" / "examples" / "station.toml"
START = int(datetime(2026, 6, 15, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)


def read_block(address: dict[str, object]) -> dict[str, int]:
    profile = load(str(address["profile"]))
    (block, *_) = plan_reads(profile.points.values(), profile.max_registers, profile.gap_cost)

    async def run() -> list[int]:
        client = AsyncModbusTcpClient(str(address["host"]), port=int(str(address["port"])), reconnect_delay=0)
        assert await client.connect()
        reply = await client.read_input_registers(block.address, count=block.count, device_id=int(str(address["unit"])))
        client.close()
        assert not reply.isError()
        return list(reply.registers)

    return block.decode(pack_words(asyncio.run(run()), block.count))


def test_a_station_is_served_in_simulated_time_until_sigterm(tmp_path: Path) -> None:
    # Speed 1 with the anchor at the present: within this test it stays noon of the station's first day.
    clock = f"simulated:{START + 43_200_000}:1:{time.monotonic_ns() // 1_000_000}"
    with program(tmp_path, "station", str(EXAMPLE), "--clock", clock) as (ready, process):
        meters = ready["meters"]
        assert [meter["id"] for meter in meters] == [f"c{n:02d}" for n in range(1, 13)] + ["grid"]
        assert [meter["unit"] for meter in meters] == [*range(1, 13), 100]
        assert len({meter["port"] for meter in meters}) == 1
        values = read_block(meters[-1])
        assert 0 <= values["device_time"] - START - 43_200_000 < LIMIT_S * 1000
        assert values["energy_forward"] > 350 * 12 * 1000  # at least the auxiliary load's Wh
        assert values["carbon_factor"] == 581_000
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert "serving 13 meters on 127.0.0.1" in errors
    assert "stopped after 1 requests" in errors
    assert "Traceback" not in errors


def test_one_meter_is_served_by_any_profile(tmp_path: Path) -> None:
    options = ["--profile", "eastron-sdm630", "--port", "0", "--unit", "9", "--power-w", "-3300"]
    with program(tmp_path, "meter", *options) as (ready, _):
        (address,) = ready["meters"]
        assert (address["id"], address["unit"], address["profile"]) == ("meter", 9, "eastron-sdm630")
        values = read_block(address)
    assert values["power"] == -3_300_000
    assert values["current_a"] == 5_000
    assert values["voltage_a"] == 220_000


def test_a_station_that_began_days_ago_is_worked_out_before_it_is_ready(tmp_path: Path) -> None:
    clock = f"simulated:{START + 3 * 86_400_000}:1:{time.monotonic_ns() // 1_000_000}"
    (tmp_path / "ready.json").write_text("left behind by an earlier run")
    with program(tmp_path, "station", str(EXAMPLE), "--clock", clock) as (ready, process):
        meters = ready["meters"]
        assert read_block(meters[-1])["energy_forward"] > 3 * 350 * 24 * 1000
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=LIMIT_S)
    assert "working out the 3 days since the start" in errors


def test_a_clock_before_the_start_is_said(tmp_path: Path) -> None:
    clock = f"simulated:{START - 60_000}:1:{time.monotonic_ns() // 1_000_000}"
    with program(tmp_path, "station", str(EXAMPLE), "--clock", clock) as (ready, process):
        meters = ready["meters"]
        assert read_block(meters[-1])["energy_forward"] == 0
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=LIMIT_S)
    assert "before the start of the station" in errors


def test_truth_answers_for_a_period(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["truth", str(EXAMPLE), "--from", "2026-06-15", "--to", "2026-06-16T00:00:00+08:00"]
    assert main([*arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["from_ms"], result["until_ms"]) == (START, START + 86_400_000)
    assert result["imbalance_uj"] == 0
    assert main(arguments) == 0
    assert "c07" in capsys.readouterr().out


def test_a_port_in_use_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["meter", "--port", str(port)]) == 2
    assert f"can't listen on 127.0.0.1:{port}: Address already in use" in capsys.readouterr().err


def test_truth_answers_for_the_day_that_the_station_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sessions.csv").write_text(
        "arrival,departure,delivered_energy (kWh),station_id\n"
        "2019-05-01T08:00:00+08:00,2019-05-01T12:00:00+08:00,1,a\n"
        "2019-05-01T13:00:00+08:00,2019-05-01T15:00:00+08:00,1,a\n"
        "2019-05-02T08:00:00+08:00,2019-05-02T12:00:00+08:00,5,a\n"
    )
    (tmp_path / "station.toml").write_text(
        '[station]\nid = "s"\nstart = 2026-06-15\n[[charger]]\nid = "c"\n'
        '[sessions]\nmodel = "file"\nfile = "sessions.csv"\nreplay_on = 2026-06-15\n'
    )
    arguments = ["truth", str(tmp_path / "station.toml"), "--from", "2026-06-15", "--to", "2026-06-16", "--json"]
    energies = []
    for day in ([], ["--day", "2019-05-02"]):
        assert main([*arguments, *day]) == 0
        energies.append(json.loads(capsys.readouterr().out)["chargers_forward_uj"])
    assert energies == [2 * 3_600_000 * 10**6, 5 * 3_600_000 * 10**6]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["truth", str(EXAMPLE), "--from", "2026-06-16", "--to", "2026-06-15"], "--to: expected after --from"),
        (
            ["truth", str(EXAMPLE), "--from", "2026-06-14", "--to", "2026-06-15"],
            "--from: expected not before the start",
        ),
        (["station", "nowhere.toml"], "nowhere.toml: can't be read"),
        (["station", str(EXAMPLE), "--day", "2026-06-15"], "--day is for sessions from a file"),
        (["meter", "--profile", "nonesuch"], "expected a path, or one of the profiles acrel-adl3000-e"),
        (["meter", "--transport", "serial"], "option: device: expected a serial device"),
        (["meter", "--transport", "tcp", "--serial-pty"], "option: --serial-pty: expected transport pty, found tcp"),
        (["meter", "--transport", "tcp", "--device", "x"], "device: expected with transport serial, found tcp"),
        (["meter", "--turnaround-ms", "9-1"], "turnaround_ms: expected 0 to 60000 ms"),
        (["meter", "--address", "7"], "option: address: expected unit for a meter on Modbus, found '7'"),
        (["meter", "--profile", "dlt645-three-phase", "--unit", "7"], "option: unit: expected address for a meter"),
        (["fault", "nowhere", "list"], "no simulator answers at nowhere: No such file or directory"),
        (["meter", "--unit", "300"], "option: unit: expected less than or equal to 247, got 300"),
        (["meter", "--power-factor", "2"], "option: power_factor: expected less than or equal to 1"),
        (["meter", "--power-factor", "0.0000001"], "option: power_factor: expected a multiple of 0.000001"),
        (["meter", "--port", "0", "--ready-file", "nowhere/ready.json"], "nowhere"),
    ],
)
def test_wrong_input_ends_with_2_and_a_reason(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    assert main(arguments) == 2
    errors = capsys.readouterr().err
    assert expected in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["meter", "--clock", "fast"], "clock: expected"),
        (["meter", "--port", "70000"], "--port: expected 0 to 65535 in steps of 1, got '70000'"),
        (["meter", "--port", "-1"], "--port: expected 0 to 65535"),
        (["meter", "--port", "502.5"], "--port: expected 0 to 65535"),
        (["meter", "--factor", "-1"], "--factor: expected 0 to 4000 in steps of 0.000001, got '-1'"),
        (["meter", "--factor", "0.12345678"], "--factor: expected 0 to 4000 in steps of 0.000001"),
        (["meter", "--power-w", "1e9999999"], "--power-w: expected at most 25 digits"),
        (["meter", "--power-w", "1e12"], "--power-w: expected -1000000000 to 1000000000 in steps of 0.001"),
        (["meter", "--power-w", "lots"], "expected a decimal number, got 'lots'"),
        (["meter", "--parameter", "ct"], "expected NAME=NUMBER"),
        (
            ["meter", "--turnaround-ms", "soon"],
            "--turnaround-ms: expected ms, or least-most such as 20-500, got 'soon'",
        ),
        (["fault", "x", "set", "late", "soon"], "expected KEY=VALUE, got 'soon'"),
        (["truth", "x", "--from", "noon", "--to", "night"], "expected a time such as"),
        ([], "COMMAND"),
    ],
)
def test_a_wrong_option_is_named(capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert expected in capsys.readouterr().err


def test_a_station_whose_faults_hit_nobody_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "station.toml"
    path.write_text(
        '[station]\nid = "s"\n[[charger]]\nid = "c"\n[[fault]]\nkind = "silent"\n'
        '[[fault]]\nkind = "bad-checksum"\nline = "modbus-tcp-1"\n[[fault]]\nkind = "silent"\nmeter = "d"\n'
    )
    assert main(["station", str(path)]) == 2
    errors = capsys.readouterr().err
    assert f"{path}: fault[#2].kind: expected a line whose frames have a check" in errors
    assert f"{path}: fault[#3].meter: expected one of c; found 'd'" in errors
