"""Meters of DL/T 645-2007 for the tests of their driver: simulated ones at the far end of a line."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from line_support import FarEnd, MemoryChannel, over_pty, over_tcp, run_virtual

from clock import ManualClock
from diantan_core import Dlt645Frame, Dlt645Parser, dlt645_parse
from fieldbus.bus import LineBus
from fieldbus.channels.base import Channel
from fieldbus.drivers.dlt645 import Dlt645Driver
from fieldbus.line_timing import LineTiming
from firmware_sim.circuit import Circuit
from firmware_sim.curves import ConstantCurve
from firmware_sim.faces.dlt645 import Dlt645Face
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.multifunction import MultiFunctionSettings
from profiles import load

T = TypeVar("T")
ZONE = "Asia/Shanghai"
START = int(datetime(2026, 4, 28, 12, tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)
NOW = START + 35 * 86_400_000 + 4321  # 2026-06-02T12:00:04
ONE, TWO = "000000000001", "123456789012"
TIMING = LineTiming(timeout_s=0.3, gap_s=0.05, replace_after=0)
ENERGY, VOLTAGE, FREQUENCY = 0x00010000, 0x02010100, 0x02800002


def meter(**changes: Any) -> Meter:
    settings = MeterSettings(resolution_mwh=10_000, multi_function=MultiFunctionSettings(), **changes)
    return Meter(ConstantCurve(START, 6_600_000), Circuit(), settings)


def face(*addresses: str, profile: str = "dlt645-three-phase", **options: Any) -> Dlt645Face:
    model = load(profile)
    return Dlt645Face({address: (address, model, meter()) for address in addresses}, ZONE, **options)


def served(subject: Dlt645Face) -> Callable[[bytes], Sequence[bytes]]:
    return lambda data: [answer.octets for answer in subject.feed(data, NOW)]


@dataclass
class Site:
    """A line with a driver at one end and meters at the other."""

    far: FarEnd
    channel: Channel
    timing: LineTiming = TIMING
    preamble: int = 4
    bus: LineBus = field(init=False)
    driver: Dlt645Driver = field(init=False)

    def __post_init__(self) -> None:
        self.bus = LineBus(self.channel, self.timing, ManualClock(NOW))
        self.driver = Dlt645Driver(self.bus, preamble=self.preamble)


def run(
    answer: Callable[[bytes], Sequence[bytes]],
    scenario: Callable[[Site], Awaitable[T]],
    far: FarEnd | None = None,
    **options: Any,
) -> T:
    """Run a scenario in virtual time."""

    async def main() -> T:
        end = far or FarEnd(answer)
        site = Site(end, MemoryChannel(end), **options)
        await site.bus.connect()
        return await scenario(site)

    return run_virtual(main())


def requests(site: Site) -> list[dict[str, Any]]:
    parser = Dlt645Parser()
    frames = [frame for data in site.far.requests for frame in parser.feed(data)]
    return [dlt645_parse(frame) for frame in frames if isinstance(frame, Dlt645Frame)]


@asynccontextmanager
async def real(transport: str, far: FarEnd, timing: LineTiming) -> AsyncIterator[Site]:
    opened = over_tcp(far) if transport == "tcp" else over_pty(far, baud=9600, parity="even")
    async with opened as channel:
        site = Site(far, channel, timing)
        await site.bus.connect()
        yield site
