"""A line with simulated meters in a thread of its own, since a command has its own event loop."""

import asyncio
import os
import threading
import tty
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from clock import Clock
from firmware_sim.faces.base import Face
from firmware_sim.faces.dlt645 import Dlt645Face
from firmware_sim.faces.dlt698 import Dlt698Face
from firmware_sim.faces.modbus import ModbusFace, ModbusMeter
from firmware_sim.faults.book import FaultBook
from firmware_sim.layout import Layout
from firmware_sim.lines.dial import DialPort
from firmware_sim.lines.line import Line
from firmware_sim.lines.pty import PtyPort
from firmware_sim.lines.tcp import TcpPort
from firmware_sim.registers import RegisterMap
from profiles import Profile, load

ZONE = "Asia/Shanghai"
ENERGY_MWH = 1_234_560_000

SHOWN: Mapping[str, int] = {
    "energy_forward": ENERGY_MWH,
    "energy_reverse": 10_000_000,
    "energy_total": ENERGY_MWH + 10_000_000,
    **{f"voltage_{phase}": 230_100 for phase in "abc"},
    **{f"current_{phase}": 5_000 for phase in "abc"},
    "power": 3_450_000,
    "power_factor": 990_000,
    "frequency": 50_000,
    "serial_number": 123_456,
}


class Shown:
    """What one meter shows, and how far its clock is from the clock's."""

    def __init__(self, clock: Clock, offset_ms: int = 0, **values: int) -> None:
        self._clock = clock
        self.offset_ms = offset_ms
        self._values = {**SHOWN, **values}
        self.applied: list[tuple[str, dict[str, Any]]] = []

    def values(self, now_ms: int) -> dict[str, int]:
        return {**self._values, "device_time": now_ms // 1000 * 1000 + self.offset_ms}

    def row(self, table: str, number: int, now_ms: int) -> dict[str, int]:
        return {}

    def apply(self, write: str, fields: Any, now_ms: int) -> None:
        self.applied.append((write, dict(fields)))
        if write == "clock":
            self.offset_ms = int(fields["time"]) - now_ms


Meter = tuple[str, str | int, Shown]
"""Profile, address or unit, and what it shows."""


class BenchLine:
    """Serves meters on a TCP port or a pty until it is closed."""

    def __init__(
        self, meters: Sequence[Meter], clock: Clock, *, pty: bool = False, tcp: str = "tcp", calls: int = 0
    ) -> None:
        """Serve `meters`; `calls` is the port that they dial in to, instead of being called."""
        self._meters = meters
        self._clock = clock
        self._pty = pty
        self._tcp: Any = tcp
        self._calls = calls
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0
        self.path = ""
        self.requests: Callable[[], int] = lambda: 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def spec(self) -> str:
        if self._calls:
            return f"dial-in:127.0.0.1:{self._calls}"
        return f"serial:{self.path}" if self._pty else f"{self._tcp}:127.0.0.1:{self.port}"

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        line = Line("bench", self._faces, FaultBook({}, ZONE), self._clock)
        self.requests = lambda: line.requests
        port: Any = PtyPort(line) if self._pty else TcpPort(line, "127.0.0.1", 0, self._tcp)
        if self._calls:
            port = DialPort(line, "127.0.0.1", self._calls, 20)
        await port.start()
        self.port, self.path = getattr(port, "port", 0), getattr(port, "path", "")
        self._ready.set()
        await self._stop.wait()
        line.close()
        await port.stop()

    def _faces(self) -> list[Face]:
        by_protocol: dict[str, dict[str, tuple[Any, Profile, Shown]]] = {}
        for profile, address, shown in self._meters:
            loaded = load(profile)
            by_protocol.setdefault(loaded.protocol, {})[f"{profile} {address}"] = (address, loaded, shown)
        faces: list[Face] = []
        for protocol, meters in by_protocol.items():
            if protocol == "modbus":
                units = {
                    name: ModbusMeter(unit, RegisterMap(shown, Layout(profile)))
                    for name, (unit, profile, shown) in meters.items()
                }
                framing: Any = "tcp" if self._tcp == "modbus-tcp" else "rtu"
                faces.append(ModbusFace(units, framing=framing))
            elif protocol == "dlt645":
                faces.append(Dlt645Face(meters, ZONE))
            else:
                faces.append(Dlt698Face(meters, ZONE))
        return faces


class Pty:
    """The two ends of a serial line on which a test says what is to be heard."""

    def __init__(self) -> None:
        self._ours, self._theirs = os.openpty()
        for end in (self._ours, self._theirs):
            tty.setraw(end)
        self.path = os.ttyname(self._theirs)

    def say(self, octets: bytes) -> None:
        os.write(self._ours, octets)

    def close(self) -> None:
        for end in (self._ours, self._theirs):
            os.close(end)
