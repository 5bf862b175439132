"""Plans for firmware that is served on loopback."""

import socket
from pathlib import Path

HEAD = """
[inspection]
number = "T-1"

[rating]
class = "B"
voltage_v = 220
imin_a = 0.25
itr_a = 0.5
imax_a = 60
starting_a = 0.02
constant = 1000
carbon_constant = 1000

[points]
factors = ["1"]
power_factors = ["1.0"]
currents = ["Imax"]
balances = ["balanced"]
dwell_seconds = 10
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def tcp_line(name: str = "dut", transport: str = "modbus-tcp") -> str:
    return f'name = "{name}"\ntransport = "{transport}"\nhost = "127.0.0.1"\nport = {free_port()}\n'


def stream_plan(
    folder: Path, *, form: str = "phasors", line: str | None = None, dut: str = "", head: str = HEAD
) -> Path:
    path = folder / "plan.toml"
    path.write_text(
        f'{head}\n[dut]\n{dut}\n[dut.line]\n{line or tcp_line()}\n[source]\nkind = "stream"\nport = {free_port()}\n'
        f'form = "{form}"\nconnect_seconds = 30\n',
        encoding="utf-8",
    )
    return path


def driven_plan(folder: Path, source: str) -> Path:
    """Return a plan with a source that others drive, and a standard meter by power."""
    path = folder / "plan.toml"
    path.write_text(
        f"{HEAD}\n[dut.line]\n{tcp_line()}\n[source]\n{source}\n"
        f'[standard]\nkind = "registers"\nprofile = "sim-carbon-meter"\nperiod_ms = 100\n[standard.line]\n'
        f"{tcp_line('standard')}",
        encoding="utf-8",
    )
    return path
