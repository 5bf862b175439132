"""A real standard meter, read through its profile: what it says, and how uncertain that is."""

import asyncio
import time
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from bench_support import RATING, NoLimits
from hypothesis import given, settings
from hypothesis import strategies as st

from clock import ManualClock, SimulatedClock
from firmware_sim.inspection.bench import Ability, BenchError, DutError
from firmware_sim.inspection.parts.simulated import simulated_bench
from firmware_sim.inspection.parts.standard import PowerStandard, ReadStandard, RegisterStandard
from firmware_sim.inspection.parts.time import ClockTime
from firmware_sim.inspection.points import LoadPoint
from firmware_sim.terminals import PARTS, SetCurve


class Meter:
    """A meter that answers after a while, with registers in steps."""

    abilities: frozenset[Ability] = frozenset()

    def __init__(self, clock: ManualClock, curve: SetCurve, *, step: int = 1_000, takes_ms: int = 40) -> None:
        self.clock, self.curve, self.step, self.takes_ms = clock, curve, step, takes_ms
        self.reads = True
        self.negative = False

    def resolution(self, point: str) -> int:
        return {"energy_forward": self.step, "energy_reverse": self.step, "power": 100}[point]

    async def read(self, *points: str) -> Mapping[str, int]:
        before = self.takes_ms // 3
        await self.clock.sleep_ms(before)
        if not self.reads:
            raise DutError("it is silent")
        now = self.clock.now_ms()
        forward, reverse = self.curve.flowed(Fraction(now))
        if self.negative:
            forward = -forward
        power = self.curve.power_at(now) // PARTS
        values = {
            "energy_forward": int(forward) // self.step * self.step,
            "energy_reverse": int(reverse) // self.step * self.step,
            "power": power - power % 100,
        }
        await self.clock.sleep_ms(self.takes_ms - before)
        return {point: values[point] for point in points}

    async def row(self, table: str, number: int) -> Mapping[str, int]:
        raise NotImplementedError

    async def write(self, name: str, fields: Mapping[str, int | None]) -> None:
        raise NotImplementedError

    async def raw(self, octets: bytes) -> None:
        raise NotImplementedError


async def asked(clock: ManualClock, answer: Any) -> Any:
    """Await something while the clock goes on."""
    task = asyncio.ensure_future(answer)
    for _ in range(1_000):
        if task.done():
            return task.result()
        await clock.advance(5)
    raise AssertionError("no end")


def bench(kind: type[ReadStandard], *, power_mw: int = 0, **keys: Any) -> tuple[ManualClock, SetCurve, Meter, Any]:
    clock = ManualClock(10**12)
    curve = SetCurve(clock.now_ms())
    curve.set_power(clock.now_ms(), power_mw * PARTS)
    meter = Meter(clock, curve)
    return clock, curve, meter, kind(meter, ClockTime(clock), **keys)


@pytest.mark.parametrize("kind", [RegisterStandard, PowerStandard])
@settings(deadline=None, max_examples=25)
@given(
    loads=st.lists(st.tuples(st.integers(-40_000_000, 40_000_000), st.integers(2_000, 30_000)), min_size=1, max_size=4),
    first=st.integers(100, 2_000),
)
def test_the_truth_lies_within_the_uncertainty(
    kind: type[ReadStandard], loads: list[tuple[int, int]], first: int
) -> None:
    async def main() -> None:
        clock, curve, _, standard = bench(kind, power_mw=loads[0][0])
        await asked(clock, standard.start())
        begin = Fraction(clock.now_ms() + first)
        for power, duration in loads:
            curve.set_power(clock.now_ms(), power * PARTS)
            await clock.advance(duration)
        end = Fraction(clock.now_ms())
        found = await asked(clock, standard.between(begin, end))
        before, after = curve.flowed(begin), curve.flowed(end)
        wrong = abs(after[0] - before[0] - found.forward_mwh), abs(after[1] - before[1] - found.reverse_mwh)
        assert max(wrong) <= 4 * found.uncertainty_mwh + Fraction(1, 100)
        await standard.stop()

    asyncio.run(main())


def test_with_a_steady_load_steps_and_latency_are_what_is_uncertain() -> None:
    async def main() -> None:
        clock, _, _, standard = bench(RegisterStandard, power_mw=36_000_000)
        await asked(clock, standard.start())
        begin = Fraction(clock.now_ms())
        await clock.advance(120_000)
        found = await asked(clock, standard.between(begin, begin + 120_000))
        assert abs(found.forward_mwh - 1_200_000) < 1_000
        # 1 Wh steps: 408 mWh; 20 ms at 36 kW: 200 mWh, twice.
        assert 408 <= found.uncertainty_mwh <= 800
        assert found.reverse_mwh == 0
        worse = RegisterStandard(Meter(clock, SetCurve(0)), ClockTime(clock))
        assert worse.points == ("energy_forward", "energy_reverse")
        await standard.stop()

    asyncio.run(main())


def test_its_class_counts() -> None:
    async def main(percent: Fraction) -> Fraction:
        clock, _, meter, standard = bench(RegisterStandard, power_mw=36_000_000, accuracy_percent=percent)
        meter.step, meter.takes_ms = 1, 0
        standard.resolutions = [1, 1]
        await asked(clock, standard.start())
        begin = Fraction(clock.now_ms())
        await clock.advance(100_000)
        found: Fraction = (await asked(clock, standard.between(begin, begin + 100_000))).uncertainty_mwh
        await standard.stop()
        return found

    assert asyncio.run(main(Fraction(0))) < 2
    # 0.05 % of 1 kWh, evenly spread
    assert abs(asyncio.run(main(Fraction(1, 20))) - 289) < 2


def test_silence_is_the_benchs_failure() -> None:
    async def main() -> None:
        clock, _, meter, standard = bench(RegisterStandard, power_mw=36_000_000)
        meter.reads = False
        with pytest.raises(BenchError, match="standard meter: it is silent"):
            await asked(clock, standard.start())
        meter.reads = True
        await asked(clock, standard.start())
        begin = Fraction(clock.now_ms())
        with pytest.raises(BenchError, match="was asked for"):
            await standard.between(begin - 10_000, begin)
        meter.reads = False
        await clock.advance(20_000)
        with pytest.raises(BenchError, match="not read closely enough: it is silent"):
            await asked(clock, standard.between(begin, Fraction(clock.now_ms())))
        meter.reads = True
        await clock.advance(10_000)
        with pytest.raises(BenchError, match="not read closely enough: it answers too slowly"):
            await asked(clock, standard.between(begin, Fraction(clock.now_ms())))
        nothing = await standard.between(begin, begin)
        assert nothing.forward_mwh == 0
        begin = Fraction(clock.now_ms())
        meter.negative = True
        await clock.advance(3_000)
        with pytest.raises(BenchError, match="energy_forward fell"):
            await asked(clock, standard.between(begin, Fraction(clock.now_ms())))
        await standard.stop()

    asyncio.run(main())


@pytest.mark.parametrize(("kind", "good"), [(RegisterStandard, True), (PowerStandard, False)])
def test_silence_in_the_middle_costs_a_register_nothing(kind: type[ReadStandard], good: bool) -> None:
    async def main() -> None:
        clock, curve, meter, standard = bench(kind, power_mw=36_000_000)
        await asked(clock, standard.start())
        await clock.advance(5_000)
        begin = Fraction(clock.now_ms())
        await clock.advance(10_000)
        meter.reads = False
        await clock.advance(20_000)
        meter.reads = True
        await clock.advance(10_000)
        end = Fraction(clock.now_ms())
        await clock.advance(5_000)
        if good:
            truth = await asked(clock, standard.between(begin, end))
            flowed = curve.flowed(end)[0] - curve.flowed(begin)[0]
            assert abs(truth.forward_mwh - flowed) <= 3 * truth.uncertainty_mwh
        else:
            with pytest.raises(BenchError, match="not read closely enough"):
                await asked(clock, standard.between(begin, end))
        await standard.stop()

    asyncio.run(main())


def test_a_meter_on_a_line_is_a_standard() -> None:
    async def main() -> None:
        started = time.monotonic_ns() // 1_000_000
        clock = SimulatedClock(1_781_049_600_000, 20, started)
        async with simulated_bench(RATING, NoLimits(), pace=clock) as meters:
            await meters.source.set(LoadPoint(220_000, 60_000))
            bench_time = ClockTime(clock)
            # The meter's own time is paced by the same clock.
            waiting = asyncio.ensure_future(meters.time.wait(60_000))
            standard = RegisterStandard(meters.dut, bench_time, period_ms=500)
            await standard.start()
            begin = bench_time.now()
            await bench_time.wait(10_000)
            found = await standard.between(begin, begin + 10_000)
            await standard.stop()
            waiting.cancel()
            # How late it reads is the machine's affair, and so is how exact that is.
            assert abs(found.forward_mwh - 110_000) < 55_000
            assert found.uncertainty_mwh > 0

    asyncio.run(main())
