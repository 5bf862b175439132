"""A line on which every request takes time by the bench's clock, and may fail, before a simulated meter."""

from collections.abc import Callable, Mapping
from typing import Any

from firmware_sim.inspection.bench import Dut, DutError
from firmware_sim.inspection.parts.simulated import SimulatedBench


class SlowDut:
    """Asks the meter in the middle of a request that takes `taking_ms`."""

    def __init__(self, inner: Dut, bench: SimulatedBench, taking_ms: int) -> None:
        self._inner = inner
        self._bench = bench
        self._taking_ms = taking_ms
        self.broken: Callable[[], bool] = lambda: False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def _half(self) -> None:
        await self._bench.time.wait(self._taking_ms // 2)

    async def read(self, *points: str) -> Mapping[str, int]:
        await self._half()
        if self.broken():
            raise DutError("no reply")
        values = await self._inner.read(*points)
        await self._half()
        return values

    async def write(self, name: str, fields: Mapping[str, int | None]) -> None:
        await self._half()
        await self._inner.write(name, fields)
        await self._half()


def slow(bench: SimulatedBench, taking_ms: int) -> SlowDut:
    """Put a slow line before the bench's meter."""
    dut = SlowDut(bench.dut, bench, taking_ms)
    bench.dut = dut
    return dut
