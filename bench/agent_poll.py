"""The agent's poll loop: 200 meters of 60 registers, each read every second, beside plain pymodbus at the same rate.

The agent does all its work meanwhile: it integrates, writes its journal and looks for its broker; its bus and driver
are measured alone as well. Run alone with
`python -m bench.agent_poll [SECONDS]`.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

import profiles
from profiles.modbus.profile import ModbusProfile
from wire import keys

METERS = 200
REGISTERS = 60
PERIOD_S = 1
INTERVAL_S = 60
WARM_UP_S = 5
MEASURE_S = 20
TARGET_CPU_PERCENT = 15
TARGET_RSS_MB = 80

PROFILE = "sim-carbon-meter"  # its first 60 registers are what a gateway polls, in one request


@dataclass(frozen=True)
class Usage:
    """What a process took over the measurement."""

    cpu_percent: float
    rss_mb: float


def _measure(command: Sequence[str], seconds: float, **options: object) -> tuple[Usage, str]:
    """Run a program, measure it once it has settled, end it, and return what it wrote to standard error."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            watched = psutil.Process(process.pid)
            # With the end of an interval, when every meter closes records and the journal is written, in the middle.
            ready = time.time() + WARM_UP_S + seconds / 2
            time.sleep(WARM_UP_S + -ready % INTERVAL_S)
            before, start = watched.cpu_times(), time.monotonic()
            time.sleep(seconds)
            after, elapsed = watched.cpu_times(), time.monotonic() - start
            used = after.user + after.system - before.user - before.system
            usage = Usage(100 * used / elapsed, watched.memory_info().rss / 1e6)
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=30)
    return usage, errors


def _configuration(directory: Path, ports: Sequence[int]) -> Path:
    keys.save_private(keys.generate(), directory / "gateway.key")
    keys.save_public(keys.generate().public_key(), directory / "centre.pub")
    profile = profiles.load(PROFILE)
    assert isinstance(profile, ModbusProfile)
    points = [name for name, point in profile.points.items() if point.end <= REGISTERS]
    lines = "".join(
        f'[[line]]\nname = "line-{i}"\ntransport = "modbus-tcp"\nhost = "127.0.0.1"\nport = {port}\n'
        f'[[line.meter]]\nid = "meter-{i}"\nprofile = "{PROFILE}"\npoll_seconds = {PERIOD_S}\n'
        f"points = {json.dumps(points)}\n"
        for i, port in enumerate(ports, 1)
    )
    path = directory / "agent.toml"
    path.write_text(
        '[gateway]\nid = "bench"\nstation = "bench"\ndata_dir = "data"\nkey_file = "gateway.key"\n'
        '[centre]\nkey_file = "centre.pub"\n[broker]\nhost = "127.0.0.1"\nport = 1\n'
        '[factor]\nnode = "bench"\ndefault = "0.5"\nforward_to_meters = false\n'
        f"[interval]\nminutes = {INTERVAL_S // 60}\n{lines}",
        "utf-8",
    )
    return path


def run(seconds: float = MEASURE_S) -> list[str]:
    """Return the result as lines of text."""
    with (
        tempfile.TemporaryDirectory() as name,
        subprocess.Popen(
            [sys.executable, "-m", "bench.modbus_server", str(METERS)], stdout=subprocess.PIPE, text=True
        ) as server,
    ):
        try:
            assert server.stdout is not None
            ports = json.loads(server.stdout.readline())
            config = _configuration(Path(name), ports)
            command = [sys.executable, "-m", "agent.cli", "run", "--config", str(config), "--log", "json"]
            agent, log = _measure(command, seconds)
            reads_of = [json.dumps(ports), str(REGISTERS), str(PERIOD_S)]
            driver, _ = _measure([sys.executable, "-m", "bench.modbus_lines", *reads_of], seconds)
            peer, _ = _measure([sys.executable, "-m", "bench.modbus_peer", *reads_of], seconds)
        finally:
            server.terminate()
    stopped = next(entry for line in log.splitlines() if (entry := json.loads(line))["message"] == "stopped")
    failed = sum(stopped[name] for name in ("timeout", "exception", "late", "foreign", "corrupt", "unreachable"))
    reads = METERS / PERIOD_S
    cost = 1e4 * agent.cpu_percent / reads
    return [
        f"agent poll: {METERS} meters of {REGISTERS} registers every {PERIOD_S} s, {seconds:g} s measured",
        f"  agent     {agent.cpu_percent:.1f} % of a core (target {TARGET_CPU_PERCENT}), {cost:.0f} µs a read",
        f"            {agent.rss_mb:.1f} MB resident (target {TARGET_RSS_MB})",
        f"            99 % of polls begin at most {stopped['late_p99_ms']} ms late",
        f"            {stopped['ok']} reads, {failed} failed, {stopped['records']} records written",
        f"  driver    {driver.cpu_percent:.1f} % of a core, {driver.rss_mb:.1f} MB: the agent's bus and driver alone",
        f"  pymodbus  {peer.cpu_percent:.1f} % of a core, {peer.rss_mb:.1f} MB: the same reads and nothing else",
        f"  ratio     {agent.cpu_percent / peer.cpu_percent:.2f} times the CPU of plain pymodbus",
        f"            {driver.cpu_percent / peer.cpu_percent:.2f} times for the driver alone",
    ]


if __name__ == "__main__":
    print("\n".join(run(float(sys.argv[1]) if len(sys.argv) > 1 else MEASURE_S)))
