"""The metering items on a simulated bench: a good meter passes, each error shows where it is and as large as it is."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from items_support import ALL, FEW, RATING, perform, with_gain

from firmware_sim.inspection.bench import BenchError, DutError, Item, Selection, Standard, Truth
from firmware_sim.inspection.metering.carbon import DynamicFactor, FixedFactor
from firmware_sim.inspection.metering.clock import DailyClock
from firmware_sim.inspection.metering.electricity import Electricity, Repeatability
from firmware_sim.inspection.metering.limits import DEFAULT_FILE, FileLimits
from firmware_sim.inspection.metering.limits_of_load import Constant, NoLoad, Starting
from firmware_sim.inspection.parts.simulated import SimulatedBench
from firmware_sim.inspection.points import LoadPoint
from firmware_sim.inspection.result import Verdict
from firmware_sim.meter import MeterSettings


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_a_good_meter_passes(make: Callable[[], Item]) -> None:
    assert perform(make()).verdict is Verdict.PASSED


@pytest.mark.parametrize("profile", ["dlt698-carbon-meter", "sim-carbon-meter"])
def test_a_good_meter_of_either_protocol_passes_both_methods(profile: str) -> None:
    parameters = {"carbon_scale": Decimal("0.000001")} if profile.startswith("dlt698") else None
    for item in (FixedFactor(), DynamicFactor()):
        result = perform(item, profile=profile, parameters=parameters)
        assert result.verdict is Verdict.PASSED, result


def test_all_120_load_points_are_there_by_each_method_and_way() -> None:
    for item in (FixedFactor(), DynamicFactor()):
        points = perform(item, selection=Selection()).points
        for by in ("register", "pulse"):
            there = {(r.factor, r.balance, r.power_factor, r.current) for p in points for r in p.readings if r.by == by}
            assert len({place for place in there if place[0] != "all"}) == 120
    assert all(len(point.readings) >= 2 for point in points)


@pytest.mark.parametrize("gain", [Fraction(3, 100), Fraction(-2, 100)])
@pytest.mark.parametrize("make", [Electricity, FixedFactor, DynamicFactor], ids=lambda make: make.__name__)
def test_an_error_of_the_meter_is_measured_everywhere(make: Callable[[], Item], gain: Fraction) -> None:
    result = perform(make(), adjust=with_gain(gain))
    assert result.verdict is Verdict.FAILED
    for point in result.points:
        assert not point.good
        # The simulated meter forms its carbon from whole mWh, which at small loads adds a little of its own.
        assert abs(Fraction(point.mean_percent) - 100 * gain) <= Fraction(point.limit_percent) / 10


def test_an_error_within_the_limit_is_measured_and_passes() -> None:
    result = perform(FixedFactor(), adjust=with_gain(Fraction(1, 250)))
    assert result.verdict is Verdict.PASSED
    pulses = [point for point in result.points if point.readings[0].by == "pulse"]
    assert {point.mean_percent for point in pulses} == {"0.400000"}
    assert {point.rounded_percent for point in pulses} == {"+0.4"}


def test_counting_never_adds_more_than_a_tenth_of_the_limit() -> None:
    for item in (Electricity(), FixedFactor(), DynamicFactor()):
        for point in perform(item, selection=Selection()).points:
            for reading in point.readings:
                assert Fraction(reading.count_error_percent) * 10 <= Fraction(reading.limit_percent)


def test_currents_fall_and_stand_for_two_minutes() -> None:
    result = perform(FixedFactor())
    registers = [p.readings for p in result.points if p.readings[0].by == "register"]
    for three in zip(*[iter(registers)] * 3, strict=True):
        currents = [readings[0].current_ma for readings in three]
        assert currents == [60_000, 500, 250]
    assert all(Fraction(reading.duration_ms) >= 120_000 for readings in registers for reading in readings)


def test_a_coarse_register_is_compared_from_step_to_step() -> None:
    for make, carbon in ((Electricity, False), (FixedFactor, True), (DynamicFactor, True)):
        selection = replace(
            FEW,
            factors=(500_000, 1_000_000),
            currents=("10Itr", "Imin"),
            power_factors=("1.0",),
            balances=("balanced",),
        )
        result = perform(
            make(),
            selection=selection,
            profile="dlt698-carbon-meter",
            parameters={"carbon_scale": Decimal("0.01")} if carbon else None,
            rating=replace(RATING, constant=None, carbon_constant=None),
            adjust=with_gain(Fraction(1, 250)),
        )
        assert result.verdict is Verdict.PASSED
        for point in result.points:
            assert abs(Fraction(point.mean_percent) - Fraction("0.4")) <= Fraction(point.limit_percent) / 10
            for reading in point.readings:
                assert Fraction(reading.count_error_percent) * 10 <= Fraction(reading.limit_percent)
                assert Fraction(reading.duration_ms) >= 120_000
                assert Fraction(reading.duration_ms) < 8 * 3_600_000


class Deaf:
    """Pulse outputs that give nothing."""

    def __init__(self, time: Any) -> None:
        self._time = time

    async def next(self, kind: str, longest_ms: Fraction) -> Fraction | None:
        await self._time.wait(longest_ms)
        return None


def test_a_dead_pulse_output_is_told() -> None:
    def deafen(bench: SimulatedBench) -> None:
        bench.pulses = Deaf(bench.time)

    with pytest.raises(DutError, match="a pulse of energy every"):
        perform(Electricity(), change=deafen)
    assert perform(Starting(), change=deafen).verdict is Verdict.FAILED


def test_without_pulses_registers_alone_are_compared() -> None:
    rating = replace(RATING, constant=None, carbon_constant=None)
    for make in (Electricity, FixedFactor, DynamicFactor, Starting, NoLoad):
        result = perform(make(), rating=rating)
        assert result.verdict is Verdict.PASSED
        assert {reading.by for point in result.points for reading in point.readings} <= {"register"}


def test_a_wrong_meter_constant_is_found() -> None:
    assert perform(Constant(), adjust=lambda s: replace(s, meter_constant=1010)).verdict is Verdict.FAILED
    assert (
        perform(Constant(), adjust=with_gain(Fraction(5, 100))).verdict is Verdict.PASSED
    )  # it is no error of the gain


def test_a_meter_that_does_not_start_or_creeps_is_found() -> None:
    def dull(settings: MeterSettings) -> MeterSettings:
        return replace(settings, startup_current_ma=21)

    assert perform(Starting(), adjust=dull).verdict is Verdict.FAILED
    rating = replace(RATING, constant=None, carbon_constant=None)
    assert perform(Starting(), adjust=dull, rating=rating).verdict is Verdict.FAILED


@pytest.mark.parametrize(("ppm", "verdict"), [(5, Verdict.PASSED), (-7, Verdict.FAILED), (7, Verdict.FAILED)])
def test_a_clock_that_is_off_by_more_than_half_a_second_a_day_fails(ppm: int, verdict: Verdict) -> None:
    result = perform(DailyClock(), adjust=lambda s: replace(s, clock_drift_ppm=Fraction(ppm)))
    assert result.verdict is verdict
    told = Fraction(result.steps[0].found.split()[0])
    assert abs(told - ppm * Fraction(864, 10_000)) <= Fraction(1, 10)


def test_a_bench_whose_clock_nobody_knows_judges_no_clock() -> None:
    def unknown(bench: SimulatedBench) -> None:
        bench.clock_ppm = None

    result = perform(DailyClock(), change=unknown, adjust=lambda s: replace(s, clock_drift_ppm=Fraction(90)))
    assert result.verdict is Verdict.SKIPPED
    assert "clock_ppm" in result.note

    def poor(bench: SimulatedBench) -> None:
        bench.clock_ppm = Fraction(2)

    with pytest.raises(BenchError, match=r"to 0\.27 s/d only"):
        perform(DailyClock(), change=poor)


def test_readings_that_spread_fail_and_are_told() -> None:
    class Wavering:
        """A standard meter that measures each time less, so that the device's error grows."""

        def __init__(self, inner: Standard) -> None:
            self._inner = inner
            self._times = 0

        async def start(self) -> None:
            await self._inner.start()

        async def between(self, first_ms: Fraction, last_ms: Fraction) -> Truth:
            self._times += 1
            truth = await self._inner.between(first_ms, last_ms)
            return replace(truth, forward_mwh=truth.forward_mwh * (1 - Fraction(self._times % 5, 2500)))

    def waver(bench: SimulatedBench) -> None:
        bench.standard = Wavering(bench.standard)

    result = perform(Repeatability(), change=waver)
    assert result.verdict is Verdict.FAILED
    assert not any(step.good for step in result.steps if " Imin" not in step.what)  # 0.16 beside a limit of 0.1 or 0.15
    assert len(result.steps[0].found.partition("of ")[2].split(", ")) == 5


def test_without_a_limit_of_repeatability_none_is_judged(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(DEFAULT_FILE.read_text(encoding="utf-8").partition("[repeatability]")[0], encoding="utf-8")

    def judge_by_own(bench: SimulatedBench) -> None:
        bench.limits = FileLimits.load(own)

    result = perform(Repeatability(), change=judge_by_own)
    assert (result.verdict, result.started_ms) == (Verdict.SKIPPED, result.ended_ms)
    assert "no repeatability for class B" in result.note


def test_no_device_is_left_at_more_than_its_voltage() -> None:
    voltages: list[int] = []

    def watch(bench: SimulatedBench) -> None:
        inner = bench.source

        class Watched:
            async def set(self, point: LoadPoint | None) -> None:
                voltages.append(0 if point is None else point.voltage_mv)
                await inner.set(point)

            async def cut(self) -> None:
                await inner.cut()

            async def restore(self) -> None:
                await inner.restore()

        bench.source = Watched()

    assert perform(NoLoad(), change=watch).verdict is Verdict.PASSED
    assert voltages == [253_000, 220_000]


@pytest.mark.parametrize(("name", "hours"), [("A", 8), ("B", 10), ("D", 15)])
def test_the_finer_the_class_the_longer_nothing_may_happen(name: str, hours: int) -> None:
    result = perform(NoLoad(), rating=replace(RATING, accuracy_class=name))
    lasted_ms = result.ended_ms - result.started_ms - Selection().settle_ms
    assert abs(lasted_ms - hours * 1000 * 3_600_000_000 // 39_600_000) <= 1
