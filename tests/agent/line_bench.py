"""A line with its meters on a clock moved by hand, for the tests of lines."""

import asyncio
import struct
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

from agent.build import line_meter
from agent.config import Meter
from agent.line import Line
from agent.line_meter import LineSettings
from agent.reading import Reading
from agent.spare import Errand
from clock import ManualClock
from fieldbus.exchange import LineCounters, LineDownError, LineError, NoReplyError
from profiles import Block, Command, load
from profiles.modbus.model import RegisterCommand
from profiles.modbus.plan import ReadBlock
from profiles.modbus.profile import ModbusProfile

START = 1_767_196_800_000
SLOT = 900_000
MINUTE = 60_000
ZONE = "Asia/Shanghai"
PROFILE = load("sim-carbon-meter")
assert isinstance(PROFILE, ModbusProfile)


class Wire:
    """Bus and driver without a wire: answers take `answer_ms` of the clock, silence `timeout_ms`."""

    protocol = "modbus"

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.counters = LineCounters()
        self.connected = False
        self.reads: list[tuple[int, int, int]] = []  # time, unit, address
        self.writes: list[tuple[int, int, tuple[int, ...]]] = []
        self.errors: dict[int, LineError] = {}  # by unit
        self.down = False
        self.connects = 0
        self.answer_ms = 0
        self.timeout_ms = 0
        self.energy = 10**9
        self.serial = 1234
        self.constant_error: LineError | None = None  # when the meter constant is asked for
        self.emission = 7 * 10**9  # µg
        self.emission_error: LineError | None = None  # when the emission is asked for by itself
        self.row_error: LineError | None = None  # when a row of a table is
        self.write_error: LineError | None = None

    async def connect(self) -> None:
        """Connect unless told otherwise."""
        self.connects += 1
        if self.down:
            raise LineDownError("no connection")
        self.connected = True

    def close(self) -> None:
        """Disconnect."""
        self.connected = False

    async def read(self, unit: int, block: Block) -> bytes:
        """Answer from the registers of the profile."""
        assert isinstance(block, ReadBlock)
        address, count = block.address, block.count
        assert block.function == PROFILE.points["energy_forward"].function
        self.reads.append((self.clock.now_ms(), unit, address))
        error = self.errors.get(unit)
        if address == PROFILE.points["meter_constant"].address:
            error = error or self.constant_error
        elif address == PROFILE.points["carbon_forward"].address:
            error = error or self.emission_error
        elif address >= PROFILE.tables["daily_freezes"].address:
            error = error or self.row_error
        if took := self.timeout_ms if isinstance(error, NoReplyError) else self.answer_ms:
            await self.clock.sleep_ms(took)
        if error is not None:
            raise error
        image = bytearray(2 * 0x2000)
        struct.pack_into(">Q", image, 2 * PROFILE.points["energy_forward"].address, self.energy)
        struct.pack_into(">Q", image, 2 * PROFILE.points["carbon_forward"].address, self.emission)
        serial = PROFILE.points["serial_number"]
        image[2 * serial.address : 2 * serial.end] = self.serial.to_bytes(2 * serial.count, "big")
        return bytes(image[2 * address : 2 * (address + count)])

    async def write(self, unit: int, command: Command) -> None:
        """Remember."""
        assert isinstance(command, RegisterCommand)
        self.writes.append((unit, command.address, command.words))
        if self.write_error is not None:
            await self.clock.sleep_ms(self.timeout_ms)
            raise self.write_error
        await self.clock.sleep_ms(self.answer_ms)


class Bench:
    """A line on a bench."""

    def __init__(self, meters: int = 1, poll_seconds: int = 60, start_ms: int = START + 1, **settings: Any) -> None:
        more = {key: settings.pop(key) for key in ("points", "role", "emission_factor") if key in settings}
        self.clock = ManualClock(start_ms)
        self.wire = Wire(self.clock)
        self.readings: list[Reading] = []
        self.silences: list[tuple[str, int, bool]] = []
        self.factor: Callable[[int], tuple[int, int | None] | None] = lambda _: None
        self.errand_for: Callable[[str], Errand | None] = lambda _: None
        values = {"interval_ms": SLOT, "phase_ms": 0, "longest_silence_ms": 300_000, "timezone": ZONE, **settings}
        self.line = Line(
            LineSettings("bus", **values),
            self.wire,  # type: ignore[arg-type]  # likewise
            [
                line_meter(
                    Meter(id=f"m{unit}", unit=unit, profile=PROFILE.name, poll_seconds=poll_seconds, **more),
                    PROFILE,
                    self.wire,  # type: ignore[arg-type]  # a stand-in for driver and bus
                    ZONE,
                    forward_factor=True,
                )
                for unit in range(1, meters + 1)
            ],
            self.clock,
            now_ms=self.clock.now_ms,
            on_reading=self.readings.append,
            on_silent=lambda meter, time_ms, _: self.silences.append((meter, time_ms, True)),
            on_back=lambda meter, time_ms, silent_ms: self.silences.append((meter, time_ms - silent_ms, False)),
            factor_at=self.factor_at,
            errand_for=lambda meter: self.errand_for(meter),  # noqa: PLW0108 - a test may replace it
        )

    def factor_at(self, time_ms: int) -> tuple[int, int | None] | None:
        """Return what the test says now."""
        return self.factor(time_ms)

    @asynccontextmanager
    async def running(self) -> Any:
        """Run the line."""
        task = asyncio.create_task(self.line.run())
        await asyncio.sleep(0)
        await self.clock.advance(0)
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def run(self, for_ms: int) -> "Bench":
        """Let the line run for a time."""

        async def scenario() -> None:
            async with self.running():
                await self.clock.advance(for_ms)

        asyncio.run(scenario())
        return self
