"""Registers on a real line: slow requests, lost replies, registers that wrap, devices that renew them now and then."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from slow import slow

from firmware_sim.inspection.bench import BenchError, Dut, DutError, Item, Selection, Standard, Truth
from firmware_sim.inspection.metering.carbon import DynamicFactor, FixedFactor
from firmware_sim.inspection.metering.electricity import Electricity
from firmware_sim.inspection.metering.limits import FileLimits
from firmware_sim.inspection.metering.measure import UncertainError
from firmware_sim.inspection.parts.simulated import SimulatedBench, simulated_bench
from firmware_sim.inspection.points import Rating
from firmware_sim.inspection.result import ItemResult, Verdict

RATING = Rating("B", 220_000, 250, 500, 60_000, 20)  # without pulses
ONE = Selection(power_factors=("1.0",), currents=("10Itr",), balances=("balanced",), factors=(100_000, 1_000_000))
COARSE = "dlt645-three-phase"
Change = Callable[[SimulatedBench], None]


def perform(
    item: Item, change: Change, *, selection: Selection = ONE, rating: Rating = RATING, **more: Any
) -> ItemResult:
    async def run() -> ItemResult:
        async with simulated_bench(rating, FileLimits.load(), **more) as bench:
            bench.selection = selection
            change(bench)
            await bench.standard.start()
            return await item.run(bench)

    return asyncio.run(run())


def by(taking_ms: int) -> Change:
    def change(bench: SimulatedBench) -> None:
        slow(bench, taking_ms)

    return change


@pytest.mark.parametrize("taking_ms", [40, 300, 2_000])
@pytest.mark.parametrize("profile", [COARSE, "sim-carbon-meter"])
def test_a_slow_line_costs_time_but_no_exactness(profile: str, taking_ms: int) -> None:
    gain = Fraction(3, 1000)
    result = perform(Electricity(), by(taking_ms), profile=profile, adjust=lambda s: replace(s, gain_error=gain))
    (point,) = result.points
    assert abs(Fraction(point.mean_percent) - 100 * gain) <= Fraction(1, 10)
    for reading in point.readings:
        assert Fraction(reading.count_error_percent) <= Fraction(1, 10)
        assert Fraction(reading.duration_ms) <= max(3 * 120_000, 2_600 * taking_ms)


@pytest.mark.parametrize("taking_ms", [40, 300])
def test_a_slow_line_passes_a_good_meter_by_both_methods(taking_ms: int) -> None:
    for item in (FixedFactor(), DynamicFactor()):
        result = perform(item, by(taking_ms))
        assert result.verdict is Verdict.PASSED
        assert all(abs(Fraction(point.mean_percent)) <= Fraction(1, 10) for point in result.points)


class Renewing:
    """A device whose register shows what it was at the last full period."""

    def __init__(self, inner: Dut, bench: SimulatedBench, period_ms: int) -> None:
        self._inner = inner
        self._bench = bench
        self._period_ms = period_ms
        self._kept: tuple[int, dict[str, int]] = (-1, {})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def read(self, *points: str) -> Mapping[str, int]:
        period = int(self._bench.time.now()) // self._period_ms
        if self._kept[0] != period:
            self._kept = (period, dict(await self._inner.read("energy_forward")))
        return self._kept[1]


def test_what_a_register_shows_late_is_counted() -> None:
    def renewing(bench: SimulatedBench) -> None:
        bench.dut = Renewing(bench.dut, bench, 1_700)
        bench.renewed_ms = 1_700

    for currents in (("Imax",), ("Itr",)):
        (point,) = perform(Electricity(), renewing, selection=replace(ONE, currents=currents)).points
        assert abs(Fraction(point.mean_percent)) <= Fraction(1, 10)
        assert all(Fraction(reading.count_error_percent) <= Fraction(1, 10) for reading in point.readings)


def test_carbon_that_comes_in_larger_steps_than_the_register_has() -> None:
    tiny = Rating("D", 57_700, imin_ma=3, itr_ma=15, imax_ma=1_200, starting_ma=1)
    selection = Selection(
        balances=("a",), power_factors=("0.5L",), currents=("Itr", "Imin"), factors=(100_000, 200_000)
    )
    for item in (FixedFactor(), DynamicFactor()):
        result = perform(item, lambda _: None, selection=selection, rating=tiny)
        assert result.verdict is Verdict.PASSED
        for point in result.points:
            assert abs(Fraction(point.mean_percent)) <= Fraction(point.limit_percent) / 10


def test_a_register_that_wraps_in_the_middle_of_a_reading_is_followed() -> None:
    def near_its_end(bench: SimulatedBench) -> None:
        end = bench.registers.end("energy_forward") if bench.registers else 0
        bench.ends = {"energy_forward": end}
        bench.meter.preset(bench.clock.now_ms(), {"energy_forward": end - 60_000})  # half a reading

    result = perform(Electricity(), near_its_end)
    assert result.verdict is Verdict.PASSED
    assert abs(Fraction(result.points[0].mean_percent)) <= Fraction(1, 100)


def test_a_register_that_falls_is_told() -> None:
    def falling(bench: SimulatedBench) -> None:
        bench.meter.preset(bench.clock.now_ms(), {"energy_forward": 10**9})
        dut = slow(bench, 20)

        def reset() -> bool:
            bench.meter.preset(bench.clock.now_ms(), {"energy_forward": 10**9 - int(bench.time.now()) % 10**9})
            return False

        dut.broken = reset

    with pytest.raises(DutError, match=r"energy_forward fell from \d+ to \d+ at a steady load"):
        perform(Electricity(), falling)


def test_a_lost_reply_costs_one_point_more_and_no_verdict() -> None:
    told: list[str] = []

    def failing(bench: SimulatedBench) -> None:
        bench.tell = told.append
        dut, left = slow(bench, 20), [3]

        def broken() -> bool:
            left[0] -= 1
            return left[0] == 0

        dut.broken = broken

    for item in (Electricity(), FixedFactor(), DynamicFactor()):
        result = perform(item, failing)
        assert result.verdict is Verdict.PASSED
        assert result.figures["measured once more"] == "1"
    assert any("once more, as no reply" in text for text in told)


def test_a_device_that_never_answers_fails_after_the_third_attempt() -> None:
    def dead(bench: SimulatedBench) -> None:
        slow(bench, 20).broken = lambda: True

    with pytest.raises(DutError, match="no reply"):
        perform(Electricity(), dead)


class Vague:
    """A standard meter of some uncertainty that no longer reading makes smaller."""

    def __init__(self, inner: Standard, share: Fraction) -> None:
        self._inner = inner
        self._share = share

    async def start(self) -> None:
        await self._inner.start()

    async def between(self, first_ms: Fraction, last_ms: Fraction) -> Truth:
        truth = await self._inner.between(first_ms, last_ms)
        return replace(truth, uncertainty_mwh=truth.forward_mwh * self._share)


@pytest.mark.parametrize("make", [Electricity, FixedFactor, DynamicFactor])
def test_a_standard_that_is_too_poor_is_told_at_once(make: Callable[[], Item]) -> None:
    def poor(bench: SimulatedBench) -> None:
        bench.standard = Vague(bench.standard, Fraction(3, 1000))
        began = bench.time.now()
        late = bench.tell

        def tell(text: str) -> None:
            assert bench.time.now() - began < 3_600_000
            late(text)

        bench.tell = tell

    with pytest.raises(UncertainError, match=r"tells the error to 0\.600 % only \(k = 2\)"):
        perform(make(), poor)
    assert issubclass(UncertainError, BenchError)

    def good_enough(bench: SimulatedBench) -> None:
        bench.standard = Vague(bench.standard, Fraction(1, 1000))

    result = perform(make(), good_enough)
    assert result.verdict is Verdict.PASSED
    assert {reading.uncertainty_percent for point in result.points for reading in point.readings} == {"0.100000"}
    assert all(Fraction(r.duration_ms) < 1_200_000 for point in result.points for r in point.readings)
