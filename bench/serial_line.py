"""Requests a second on a simulated 9600-baud line beside what the line itself allows, for each protocol.

Plain pymodbus reads the same registers from the same line.

Run alone with `python -m bench.serial_line [SECONDS]`.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pymodbus.client import AsyncModbusSerialClient

from bench.line_meters import ADDRESS, TIMEZONE
from bench.slow_line import BITS
from clock import SystemClock
from fieldbus.bus import LineBus
from fieldbus.channels.serial import SerialChannel
from fieldbus.drivers.base import Driver
from fieldbus.drivers.dlt645 import Dlt645Driver
from fieldbus.drivers.dlt698 import Dlt698Driver
from fieldbus.drivers.modbus import ModbusDriver
from fieldbus.line_timing import FRAME_PAUSE_CHARACTERS, LineTiming
from profiles import load

BAUD = 9600
MEASURE_S = 5.0
TARGET_PERCENT = 90

_AT_ONCE_MS = 1000 * FRAME_PAUSE_CHARACTERS * BITS / BAUD  # the silence by which a meter knows a request's end

# name, registers, the meter's turnaround in ms: short reads of a quick meter are the hardest to keep up with.
MODBUS = (
    ("2 registers, turnaround 3.5 characters", 2, _AT_ONCE_MS),
    ("60 registers, turnaround 3.5 characters", 60, _AT_ONCE_MS),
    ("60 registers, turnaround 20 ms", 60, 20.0),
)

DLT_TURNAROUND_MS = 20.0  # DL/T 645-2007 5.3.3: the shortest that a meter may take
_ENERGIES = ("energy_forward", "energy_forward_t1", "energy_forward_t2", "energy_forward_t3", "energy_forward_t4")
DLT = (
    ("dlt645", "DL/T 645, one energy", _ENERGIES[:1]),
    ("dlt645", "DL/T 645, energies by tariff", _ENERGIES),
    ("dlt698", "DL/T 698.45, one energy", _ENERGIES[:1]),
    ("dlt698", "DL/T 698.45, energies by tariff", _ENERGIES),
)


@dataclass
class Run:
    """What was measured of one reader on one line."""

    reads: int = 0
    elapsed_s: float = 0.0
    cpu_s: float = 0.0
    line: dict[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """How much of the line's limit was used: the time that the exchanges take at best, by the time they took."""
        return self.line["at_best_s"] / self.elapsed_s

    def text(self, who: str) -> str:
        """Return the result as a line of text."""
        limit = self.line["exchanges"] / self.line["at_best_s"]
        return (
            f"  {who:<9} {self.line['exchanges'] / self.elapsed_s:6.2f} requests a second of at most {limit:.2f}: "
            f"{100 * self.share:.1f} %, {1e6 * self.cpu_s / self.line['exchanges']:.0f} µs CPU a request"
        )


@contextmanager
def slow_line(run: Run, turnaround_ms: float, pause_characters: float, meters: str) -> Iterator[str]:
    """Yield the device of a line with these meters; afterwards `run.line` holds its account."""
    command = [sys.executable, "-m", "bench.slow_line", str(BAUD), str(turnaround_ms), str(pause_characters), meters]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            run.line = json.loads(process.stdout.readline())


async def measure(run: Run, seconds: float, read: Callable[[], Awaitable[object]]) -> None:
    """Read again and again for so long."""
    cpu, started = time.process_time(), time.monotonic()
    while time.monotonic() - started < seconds:
        await read()
        run.reads += 1
    run.elapsed_s = time.monotonic() - started
    run.cpu_s = time.process_time() - cpu


def bus_on(device: str) -> LineBus:
    """Return the agent's bus on a line of this speed, as it configures it for meters that nothing else is said of."""
    return LineBus(SerialChannel(device, baud=BAUD), LineTiming.serial(BAUD, bits_per_character=BITS), SystemClock())


def agent_run(registers: int, turnaround_ms: float, seconds: float) -> Run:
    """Measure the agent's driver."""
    run = Run()

    async def main(device: str) -> None:
        bus = bus_on(device)
        driver = ModbusDriver(bus)
        await bus.connect()
        await measure(run, seconds, lambda: driver.read_registers(1, 4, 0, registers))
        bus.close()

    with slow_line(run, turnaround_ms, FRAME_PAUSE_CHARACTERS, "bench.line_meters:modbus") as device:
        asyncio.run(main(device))
    return run


def peer_run(registers: int, turnaround_ms: float, seconds: float) -> Run:
    """Measure plain pymodbus."""
    run = Run()

    async def main(device: str) -> None:
        client = AsyncModbusSerialClient(device, baudrate=BAUD, parity="N")  # a pseudo-terminal keeps no parity
        await client.connect()
        await measure(run, seconds, lambda: client.read_input_registers(0, count=registers, device_id=1))
        client.close()

    with slow_line(run, turnaround_ms, FRAME_PAUSE_CHARACTERS, "bench.line_meters:modbus") as device:
        asyncio.run(main(device))
    return run


def dlt_run(protocol: str, points: Sequence[str], seconds: float) -> Run:
    """Measure a DL/T driver on the simulator's meter."""
    run = Run()
    profile = load(f"{protocol}-three-phase")
    blocks = profile.plan([profile.points[name] for name in points], TIMEZONE)

    async def main(device: str) -> None:
        bus = bus_on(device)
        driver: Driver = Dlt645Driver(bus) if protocol == "dlt645" else Dlt698Driver(bus, SystemClock().now_ms)
        await bus.connect()

        async def read() -> None:
            for block in blocks:
                await driver.read(ADDRESS, block)

        await measure(run, seconds, read)
        bus.close()

    with slow_line(run, DLT_TURNAROUND_MS, 0, f"bench.line_meters:{protocol}") as device:
        asyncio.run(main(device))
    return run


def run(seconds: float = MEASURE_S) -> list[str]:
    """Return the result as lines of text."""
    lines = [f"serial line: {BAUD} Bd, {BITS} bits a character, {seconds:g} s each (target {TARGET_PERCENT} %)"]
    for name, registers, turnaround_ms in MODBUS:
        agent, peer = agent_run(registers, turnaround_ms, seconds), peer_run(registers, turnaround_ms, seconds)
        lines += [f"Modbus RTU, {name}", agent.text("agent"), peer.text("pymodbus")]
        lines.append(f"  ratio     {agent.share / peer.share:.2f}")
    lines.append("  (pymodbus leaves no pause of 3.5 characters between frames, so it can pass the line's limit)")
    for protocol, title, points in DLT:
        name = f"{title}, turnaround {DLT_TURNAROUND_MS:g} ms"
        lines += [name, dlt_run(protocol, points, seconds).text("agent")]
    return lines


if __name__ == "__main__":
    print("\n".join(run(float(sys.argv[1]) if len(sys.argv) > 1 else MEASURE_S)))
