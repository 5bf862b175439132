"""Real processes: three protocols on an RS-485 line (a pseudo-terminal), two on a serial server, a meter that calls."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clock import SimulatedClock
from demo.processes import Program, Programs, output_of

MIDNIGHT_MS = 1_767_196_800_000  # 2026-01-01T00:00:00+08:00
MINUTE_MS = 60_000
START_MS = MIDNIGHT_MS - 5 * MINUTE_MS
QUIET_MS = MIDNIGHT_MS + 5 * MINUTE_MS  # nobody charges from 00:02 on: then it does not matter how late a reply is
SPEED = 60

STATION = """
[station]
id = "S1"
start = 2025-12-31T23:30:00+08:00
[sessions]
model = "file"
file = "sessions.csv"
day = 2025-12-31
[[line]]
name = "bus"
transport = "pty"
path = "bus.tty"
[[line]]
name = "server"
transport = "tcp"
[[line]]
name = "mobile"
transport = "dial-out"
port = {dialled}
retry_seconds = 10
[grid]
id = "grid"
line = "bus"
profile = "dlt645-three-phase"
address = "112233445566"
[[charger]]
id = "c1"
rated_kw = 60
line = "bus"
profile = "dlt698-carbon-meter"
address = "2"
[[charger]]
id = "c2"
rated_kw = 60
line = "bus"
profile = "sim-carbon-meter"
unit = 3
[[charger]]
id = "c3"
rated_kw = 60
line = "server"
profile = "dlt645-three-phase"
address = "33"
[[charger]]
id = "c4"
rated_kw = 60
line = "server"
profile = "eastron-sdm630"
unit = 4
[[charger]]
id = "c5"
rated_kw = 60
line = "mobile"
profile = "dlt698-three-phase"
address = "555555555555"
"""

AGENT = """
[gateway]
id = "gw-1"
station = "S1"
data_dir = "data"
key_file = "gateway.key"
[centre]
key_file = "centre.key.pub"
[broker]
host = "127.0.0.1"
port = 1
[interval]
minutes = 1
[factor]
node = "node-1"
default = "0.5"
[freezes]
margin_seconds = 60
[[line]]
name = "bus"
transport = "serial"
device = "{device}"
[[line.meter]]
id = "grid"
profile = "dlt645-three-phase"
address = "112233445566"
role = "grid"
[[line.meter]]
id = "c1"
profile = "dlt698-carbon-meter"
address = "2"
[[line.meter]]
id = "c2"
profile = "sim-carbon-meter"
unit = 3
[[line]]
name = "server"
transport = "tcp"
host = "127.0.0.1"
port = {port}
[[line.meter]]
id = "c3"
profile = "dlt645-three-phase"
address = "33"
[[line.meter]]
id = "c4"
profile = "eastron-sdm630"
unit = 4
[[line]]
name = "mobile"
transport = "dial-in"
host = "127.0.0.1"
port = {dialled}
[[line.meter]]
id = "c5"
profile = "dlt698-three-phase"
address = "555555555555"
"""

STEP_MWH = {"grid": 10_000, "c1": 10_000, "c2": 1_000, "c3": 10_000, "c4": 10_000, "c5": 10_000}
FREEZING = ("grid", "c1", "c2", "c3", "c5")


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Return the runner of processes; what is left of them ends with the test."""
    with Programs(tmp_path) as running:
        yield running


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write(directory: Path, dialled: int) -> None:
    """Write the station, its sessions and the keys."""
    (directory / "station.toml").write_text(STATION.format(dialled=dialled))
    header = "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id\n"
    rows = [f"2025-12-31 23:3{n}:1{n}+08:00,2026-01-01 00:02:00+08:00,90,{60 + n},p{n},s{n}\n" for n in range(5)]
    (directory / "sessions.csv").write_text(header + "".join(rows))
    for name in ("gateway", "centre"):
        output_of("diantan-agent", "key", "new", str(directory / f"{name}.key"))


def start(programs: Programs, directory: Path, clock: SimulatedClock, dialled: int) -> Program:
    """Start the station and its gateway, and return the gateway's process."""
    time_of = ("--clock", clock.spec())
    station, ready = str(directory / "station.toml"), directory / "ready.json"
    programs.start("station", "diantan-sim", "station", station, "--ready-file", str(ready), *time_of)
    programs.wait_until("the station listens", ready.exists)
    served = json.loads(ready.read_text())["meters"]
    port = next(meter["port"] for meter in served if meter["line"] == "server")
    (directory / "agent.toml").write_text(AGENT.format(device=directory / "bus.tty", port=port, dialled=dialled))
    return programs.start(
        "agent", "diantan-agent", "run", "--log", "json", "--config", str(directory / "agent.toml"), *time_of
    )


def journal(directory: Path) -> list[dict[str, Any]]:
    """Return the records of the gateway."""
    if not (directory / "data" / "journal.db").exists():
        return []
    text = output_of("diantan-agent", "journal", "export", "--config", str(directory / "agent.toml"))
    return [json.loads(line) for line in text.splitlines()]


def registered(directory: Path, until: str) -> dict[str, int]:
    """Return what each meter's forward register has at a time, mWh, by the simulator's own account."""
    arguments = ("truth", str(directory / "station.toml"), "--from", "2025-12-31T23:30", "--to", until, "--json")
    return {
        row["id"]: row["registered_forward_mwh"] for row in json.loads(output_of("diantan-sim", *arguments))["meters"]
    }


def ending(records: list[dict[str, Any]], time_ms: int) -> dict[str, dict[str, Any]]:
    """Return the interval of each meter that ends at a time."""
    return {
        record["meter"]: record
        for record in records
        if record["record"] == "interval" and record["start_ms"] + record["duration_ms"] == time_ms
    }


def test_records_of_a_mixed_line_are_the_simulators_truth(programs: Programs, tmp_path: Path) -> None:
    """The meters' own freezes and the intervals after the load to the last digit, those under it between two minutes.

    A busy machine may let a reply be late or time out; it makes no frame bad.
    """
    dialled = free_port()
    write(tmp_path, dialled)
    clock = SimulatedClock(START_MS, SPEED, time.monotonic_ns() // 1_000_000 + 2_000)
    agent = start(programs, tmp_path, clock, dialled)

    def frozen() -> dict[tuple[str, str], dict[str, Any]]:
        return {
            (record["meter"], record["kind"]): record
            for record in journal(tmp_path)
            if record["record"] == "freeze" and record["source"] == "meter"
        }

    wanted = {(meter, kind) for meter in FREEZING for kind in ("daily", "monthly")}
    programs.wait_until("the load is gone", lambda: clock.now_ms() > QUIET_MS + 2 * MINUTE_MS)
    programs.wait_until("every freeze is read", lambda: set(frozen()) == wanted, 90)
    agent.stop()
    truth = registered(tmp_path, "2026-01-01T00:00")
    assert all(truth[meter] > 3_000_000 for meter in truth)
    assert sum(truth[meter] % 10_000 > 0 for meter in truth) >= 3  # so that truncated digits are seen to be
    for (meter, _), record in frozen().items():
        assert record["time_ms"] == MIDNIGHT_MS
        assert record["forward_total_mwh"] == truth[meter] // STEP_MWH[meter] * STEP_MWH[meter]
    records = journal(tmp_path)
    assert {record["code"] for record in records if record["record"] == "event"} <= {"context_opened", "factor_missing"}
    minute_before, quiet = registered(tmp_path, "2025-12-31T23:59"), registered(tmp_path, "2026-01-01T00:05")
    at_midnight, at_the_end = ending(records, MIDNIGHT_MS), ending(records, QUIET_MS)
    assert set(at_midnight) == set(at_the_end) == set(truth)
    for meter, record in at_midnight.items():
        assert minute_before[meter] - STEP_MWH[meter] <= record["forward_total_mwh"] <= truth[meter] + STEP_MWH[meter]
        assert record["carbon_forward_ug"] in {record["forward_mwh"] * 500 + extra for extra in (0, 1)}
    for meter, record in at_the_end.items():
        assert quiet[meter] - truth[meter] > 1_000_000
        assert record["forward_total_mwh"] == quiet[meter] // STEP_MWH[meter] * STEP_MWH[meter]
        assert record["forward_mwh"] == 0
    stopped = json.loads(agent.log.read_text().splitlines()[-1])
    assert stopped["message"] == "stopped"
    assert stopped["ok"] > 100
    spoilt = {name: stopped[name] for name in ("exception", "foreign", "corrupt", "silent_meters")}
    assert not any(spoilt.values()), spoilt
    assert (stopped["freezes_read"], stopped["freezes_awaited"]) == (len(wanted), 0)
