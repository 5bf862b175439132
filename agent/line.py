"""A line (线路): one connection, the meters behind it, and the one task that may use it."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from agent.logs import log
from agent.modbus import BadReplyError, LineCounters, LineDownError, LineError, MeterExceptionError
from agent.reading import Reading
from agent.schedule import next_poll, silence_delay
from agent.timing import at_least_real
from clock import Clock
from profiles import Block, Command, Profile
from profiles.model import CodecError, NoValueError

SILENT_AFTER: Final = 3  # failures in a row, before it is said that a meter is silent
LONGEST_SLEEP_MS: Final = 10_000  # how late a step of the wall clock may be noticed by a waiting line
RECONNECT_MS: Final = 1_000
LONGEST_RECONNECT_MS: Final = 30_000
LATENESS_MS: Final = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 1000, 5000, 60_000)


class Driver(Protocol):
    """What a line needs of a transport (agent.modbus.ModbusTcp)."""

    counters: LineCounters

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""

    async def connect(self) -> None:
        """Open it."""

    def close(self) -> None:
        """Close it."""

    async def read(self, unit: int, block: Block) -> bytes:
        """Ask for a block; return what its `decode` takes."""

    async def write(self, unit: int, command: Command) -> None:
        """Write."""


@dataclass(slots=True)
class LineMeter:
    """A meter as its line sees it."""

    id: str
    unit: int
    period_ms: int
    blocks: Sequence[Block]
    energy_points: frozenset[str]
    identity: Block | None = None  # where the serial number stands
    profile: Profile | None = None  # set where the factor is written to the meter
    serial_number: int | None = None
    failures: int = 0  # polls without an answer, in a row
    unreachable: bool = False  # the last poll found no connection, which says nothing of the meter
    silent_since: int | None = None
    identity_due: bool = True  # the meter may be another one: at the start and after every silence
    factor_written: tuple[int, int | None] | None = None  # slot start, factor


@dataclass(slots=True)
class Lateness:
    """How late polls begin, as counts by upper bound."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENESS_MS) + 1))

    def add(self, late_ms: int) -> None:
        """Count a poll."""
        for index, bound in enumerate(LATENESS_MS):
            if late_ms <= bound:
                self.counts[index] += 1
                return
        self.counts[-1] += 1

    def bound_ms(self, share: float) -> int:
        """Return the bound within which this share of the polls began; the largest bound if it is beyond all."""
        wanted = share * sum(self.counts)
        seen = 0
        for bound, count in zip(LATENESS_MS, self.counts, strict=False):
            seen += count
            if seen >= wanted:
                return bound
        return LATENESS_MS[-1]


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How a line is used; durations in ms of the clock."""

    name: str
    interval_ms: int
    phase_ms: int
    longest_silence_ms: int
    timezone: str  # of the meters' clocks
    pause_after_connect_ms: int = 0
    pause_between_requests_ms: int = 0


class Line:
    """Polls its meters in turn, each on its grid; a silent one is left alone for longer and longer."""

    def __init__(
        self,
        settings: LineSettings,
        driver: Driver,
        meters: Sequence[LineMeter],
        clock: Clock,
        *,
        now_ms: Callable[[], int],
        on_reading: Callable[[Reading], None],
        on_silent: Callable[[str, int, str], None],
        on_back: Callable[[str, int, int], None],
        factor_at: Callable[[int], tuple[int, int | None] | None] = lambda _: None,
    ) -> None:
        """`on_silent` is called with (meter, time, reason), `on_back` with (meter, time, how long it was silent)."""
        self.name = settings.name
        self.driver = driver
        self.meters = meters
        self.lateness = Lateness()
        self._settings = settings
        self._clock = clock
        self._now_ms = now_ms
        self._on_reading = on_reading
        self._on_silent = on_silent
        self._on_back = on_back
        self._factor_at = factor_at
        self._connect_failures = 0
        self._connect_not_before = 0

    async def run(self) -> None:
        """Poll until cancelled."""
        queue = self._all_due()
        try:
            while True:
                due, index = queue[0]
                if not await self._sleep_until(due):
                    queue = self._all_due()
                    continue
                meter = self.meters[index]
                started = self._now_ms()
                self.lateness.add(started - due)
                await self._poll(meter)
                heapq.heapreplace(queue, (self._following(meter, started), index))
        finally:
            self.driver.close()

    def _all_due(self) -> list[tuple[int, int]]:
        first = self._now_ms() + self._settings.phase_ms
        return [(first, index) for index in range(len(self.meters))]

    def _following(self, meter: LineMeter, started: int) -> int:
        """Return when a meter is due after a poll that began at `started`."""
        # Counted from the beginning of the poll: an instant that fell into it, such as a boundary, is made up for at
        # once.
        after = started
        longest = self._settings.longest_silence_ms
        if meter.unreachable:
            longest = min(longest, LONGEST_RECONNECT_MS)  # a poll costs nothing until the line is back
        if wait := silence_delay(meter.failures, meter.period_ms, longest):
            after = self._now_ms() + wait - 1
        return next_poll(after, meter.period_ms, self._settings.interval_ms, self._settings.phase_ms)

    async def _sleep_until(self, due: int) -> bool:
        """Wait; return False when the time has gone back, so that `due` is further away than any poll can be."""
        longest = at_least_real(self._clock, LONGEST_SLEEP_MS, 1.0)
        furthest = self._settings.longest_silence_ms + 2 * max(meter.period_ms for meter in self.meters)
        while (wait := due - self._now_ms()) > 0:
            if wait > furthest + self._settings.phase_ms:
                return False
            await self._clock.sleep_ms(min(wait, longest))
        return True

    async def _poll(self, meter: LineMeter) -> None:
        try:
            await self._connect()
        except LineDownError as error:
            self._failed(meter, error, silent=True)
            meter.unreachable = True
            return
        meter.unreachable = False
        try:
            reading = await self._read(meter)
        except MeterExceptionError as error:
            self._failed(meter, error, silent=error.silent)
        except LineError as error:
            self._failed(meter, error, silent=True)
        except CodecError as error:
            self._failed(meter, error, silent=False)
        else:
            self._good(meter, reading)
            await self._forward_factor(meter)

    async def _connect(self) -> None:
        if self.driver.connected:
            return
        now = self._clock.monotonic_ms()
        if now < self._connect_not_before:
            raise LineDownError("no connection; the next attempt is pending")
        try:
            await self.driver.connect()
        except LineDownError:
            pause = min(RECONNECT_MS << min(self._connect_failures, 10), LONGEST_RECONNECT_MS)
            self._connect_failures += 1
            self._connect_not_before = self._clock.monotonic_ms() + int(at_least_real(self._clock, pause, 0.1))
            raise
        self._connect_failures = 0
        if self._settings.pause_after_connect_ms:
            await self._clock.sleep_ms(self._settings.pause_after_connect_ms)

    async def _request(self, meter: LineMeter, block: Block) -> bytes:
        if self._settings.pause_between_requests_ms:
            await self._clock.sleep_ms(self._settings.pause_between_requests_ms)
        return await self.driver.read(meter.unit, block)

    async def _read(self, meter: LineMeter) -> Reading:
        serial = await self._identify(meter) if meter.identity_due else None
        exchanged = serial is not None and meter.serial_number not in (None, serial)
        energy: dict[str, int] = {}
        blocks: list[tuple[Block, bytes]] = []
        time_ms = 0
        for block in meter.blocks:
            wanted = any(point.name in meter.energy_points for point in block.points)
            try:
                data = await self._request(meter, block)
            except MeterExceptionError as error:
                if wanted:
                    raise
                self._warn(meter, error)
                continue
            if wanted:
                time_ms = self._now_ms()
                energy |= _only(block, meter.energy_points, data)
            blocks.append((block, data))
        reading = Reading(
            meter.id,
            time_ms,
            energy["energy_forward"],
            energy.get("energy_reverse", 0),
            blocks,
            exchanged=exchanged,
            serial_number=serial,
        )
        if serial is not None:
            meter.serial_number = serial
        meter.identity_due = False
        return reading

    async def _identify(self, meter: LineMeter) -> int | None:
        if meter.identity is None:
            return None
        try:
            return meter.identity.decode(await self._request(meter, meter.identity)).get("serial_number")
        except MeterExceptionError as error:
            if error.silent:
                raise
            self._warn(meter, error)
            return None

    async def _forward_factor(self, meter: LineMeter) -> None:
        """Give the meter the factor of the running slot, so that its own carbon registers count with it."""
        if meter.profile is None:
            return
        now = self._now_ms()
        applies = self._factor_at(now)
        if applies is None or applies == meter.factor_written:
            return
        try:
            slot_ms, factor = applies
            fields = {"time": slot_ms, "carbon_factor": factor}
            await self.driver.write(meter.unit, meter.profile.command("factor", fields, self._settings.timezone))
        except (LineError, CodecError) as error:
            log.warning("the carbon factor was not taken: %s", error, extra=_about(meter, error))
            if isinstance(error, (MeterExceptionError, CodecError)):
                meter.factor_written = applies  # it refused; the next factor may please it
            return
        meter.factor_written = applies

    def _good(self, meter: LineMeter, reading: Reading) -> None:
        meter.failures = 0
        if meter.silent_since is not None:
            log.info("answers again", extra={"about": meter.id})
            self._on_back(meter.id, reading.time_ms, max(reading.time_ms - meter.silent_since, 0))
            meter.silent_since = None
        self._on_reading(reading)

    def _failed(self, meter: LineMeter, error: Exception, *, silent: bool) -> None:
        self._warn(meter, error)
        meter.identity_due = True
        meter.factor_written = None
        if not silent or (isinstance(error, BadReplyError) and meter.silent_since is None):
            return
        meter.failures += 1
        if meter.failures == SILENT_AFTER and meter.silent_since is None:
            meter.silent_since = self._now_ms()
            self._on_silent(meter.id, meter.silent_since, str(error))

    def _warn(self, meter: LineMeter, error: Exception) -> None:
        log.warning("line %s, unit %d: %s", self.name, meter.unit, error, extra=_about(meter, error))


def _only(block: Block, names: frozenset[str], data: bytes) -> dict[str, int]:
    """Return the named points of a block; NoValueError when the meter has none for one of them."""
    values = block.decode(data)
    wanted = [point.name for point in block.points if point.name in names]
    for name in wanted:
        if name not in values:
            raise NoValueError(f"{name}: the meter has no value")
    return {name: values[name] for name in wanted}


def _about(meter: LineMeter, error: Exception) -> dict[str, str]:
    return {"about": meter.id, "kind": type(error).__name__}
