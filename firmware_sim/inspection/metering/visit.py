"""Visiting a load point: the readings that an item takes there, by registers and by pulses, until there are enough."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Final, TypeVar

from firmware_sim.inspection.bench import Bench, BenchError, DutError, DutRefusedError
from firmware_sim.inspection.metering import factor as factors
from firmware_sim.inspection.metering.grid import Place
from firmware_sim.inspection.metering.measure import (
    Compared,
    Quantity,
    UncertainError,
    by_pulses,
    flow,
    pulse_count,
    quantities,
)
from firmware_sim.inspection.metering.points import factor_text, key, limit_of, result
from firmware_sim.inspection.metering.registers import by_registers, register_ms
from firmware_sim.inspection.points import LoadPoint
from firmware_sim.inspection.result import PointResult

AHEAD_MS: Final = 21_600_000  # factors are sent for so long ahead, as a day ahead not every device takes them
_AT_ONCE_MS: Final = 900_000  # at least so far ahead, so that short waits one after the other need few writes
PAUSES_MS: Final = (5_000, 60_000)
"""How long the bench waits before it measures a point again at which line, source or standard meter failed."""


async def load(bench: Bench, point: LoadPoint) -> None:
    """Set a load point, and wait until the device has settled at it."""
    await bench.source.set(point)
    await bench.time.wait(bench.selection.settle_ms)


Found = TypeVar("Found")


@dataclass(slots=True)
class Attempts:
    """Measures what failed once more: a moment's fault of a line must not end an item of hours, nor fail a device."""

    bench: Bench
    again: int = 0  # how often something was measured once more

    async def __call__(self, work: Callable[[], Awaitable[Found]]) -> Found:
        """Return what the work returns, at the third attempt at the latest; its last error."""
        for pause_ms in PAUSES_MS:
            try:
                return await work()
            except (DutRefusedError, UncertainError):
                raise
            except (BenchError, DutError) as error:
                self.again += 1
                self.bench.tell(f"once more, as {error}")
                await self.bench.time.wait(pause_ms)
        return await work()


@dataclass(slots=True)
class Visit:
    """One load point with one factor (None: electricity), and what was compared there."""

    bench: Bench
    place: Place
    method: str
    factor_mg: int | None
    compared: dict[str, list[Compared]] = field(default_factory=dict)
    _held_until: Fraction | None = None  # up to then every slot has been given its factor

    @property
    def limit(self) -> Fraction:
        """Return the limit of the error, %."""
        return limit_of(self.bench, self.place, self.factor_mg)

    @property
    def ways(self) -> list[str]:
        """Return how the device can be compared here: by its register, by its pulses."""
        quantity, pulses = self._quantity()
        ways = []
        if self._has(quantity.register(self.place.point)):
            ways.append("register")
        if pulses:
            ways.append("pulse")
        return ways

    def known(self) -> list[PointResult] | None:
        """Return the results of an interrupted run, if they are all there."""
        found = [self.bench.known.get(self._key(by)) for by in self.ways]
        results = [point for point in found if point is not None]
        return results if len(results) == len(found) else None

    def estimate_ms(self, only: str | None = None) -> int:
        """Return how long all readings take here, about, each way or by one of them."""
        quantity, _ = self._quantity()
        point, once, ways = self.place.point, 0, self.ways if only is None else [only]
        if "register" in ways:
            once += register_ms(self.bench, quantity, point, self.limit)
        if "pulse" in ways:
            number = pulse_count(self.bench, quantity, point, self.limit, self.bench.jitter_ms)
            once += ceil((number + 1) * quantity.per_pulse / flow(quantity, point))
        return once * self.bench.selection.runs + self.bench.selection.settle_ms

    async def measure(self) -> list[PointResult]:
        """Set load point and factor, take all readings anew, and judge them."""
        self.compared.clear()
        await load(self.bench, self.place.point)
        if self.factor_mg is not None:
            await factors.give(self.bench, self.factor_mg)
            await factors.expect(self.bench, self.factor_mg)
        for _ in range(self.bench.selection.runs):
            await self.read()
        return self.results()

    async def read(self, only: str | None = None, *, counted_for: Fraction | None = None) -> None:
        """Take one reading each way, or by one of them; load point and factor are set already."""
        ways = self.ways if only is None else [only]
        quantity, _ = self._quantity()
        point = self.place.point
        self._held_until = None  # other factors may have been given since
        if "register" in ways:
            one = await by_registers(self.bench, quantity, point, self.limit, self.wait_until)
            self.compared.setdefault("register", []).append(one)
        if "pulse" in ways:
            if self.factor_mg is not None:
                number = pulse_count(self.bench, quantity, point, self.limit, self.bench.jitter_ms)
                lasting = ceil((number + 1) * quantity.per_pulse / flow(quantity, point))
                await factors.give(self.bench, self.factor_mg, holds_ms=min(lasting, AHEAD_MS))
            one = await by_pulses(
                self.bench, quantity, point, self.limit, self.bench.jitter_ms, counted_for=counted_for
            )
            self.compared.setdefault("pulse", []).append(one)

    def results(self) -> list[PointResult]:
        """Judge what was compared, and tell the bench that the point is finished."""
        found = [
            result(
                self.bench,
                self.place,
                compared,
                quantity=self._quantity()[0].name,
                method=self.method,
                factor=factor_text(self.factor_mg),
                limit=self.limit,
                name=self._key(by),
            )
            for by, compared in self.compared.items()
        ]
        for point in found:
            self.bench.done(point)
        return found

    def _key(self, by: str) -> str:
        return key(self.place, self.factor_mg, by)

    def _quantity(self) -> tuple[Quantity, bool]:
        return quantities(self.bench, self.factor_mg)

    def _has(self, register: str) -> bool:
        try:
            self.bench.dut.resolution(register)
        except KeyError:
            return False
        return True

    async def wait_until(self, time_ms: Fraction) -> None:
        """Wait, and let no slot begin without its factor meanwhile."""
        bench = self.bench
        if self.factor_mg is None:
            await bench.time.wait_until(time_ms)
            return
        while (left := time_ms - (now := bench.time.now())) > 0:
            if self._held_until is None or self._held_until <= now:
                ahead = min(max(ceil(left), _AT_ONCE_MS), AHEAD_MS)
                await factors.give(bench, self.factor_mg, holds_ms=ahead)
                self._held_until = now + ahead
            await bench.time.wait_until(min(time_ms, self._held_until))
