"""The metering items on a simulated bench: a good meter passes, each error shows where it is and as large as it is."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clock import SimulatedClock, SystemClock
from firmware_sim.inspection.bench import BenchError, DutError, Item, Selection, Standard, Truth
from firmware_sim.inspection.defects.front_end import ReverseGain
from firmware_sim.inspection.metering.carbon import DynamicFactor, FixedFactor
from firmware_sim.inspection.metering.clock import DailyClock
from firmware_sim.inspection.metering.electricity import Electricity, Repeatability
from firmware_sim.inspection.metering.limits import DEFAULT_FILE, FileLimits
from firmware_sim.inspection.metering.limits_of_load import Constant, NoLoad, Starting
from firmware_sim.inspection.metering.reverse import Reverse
from firmware_sim.inspection.parts.simulated import SimulatedBench, simulated_bench
from firmware_sim.inspection.points import LoadPoint, Rating
from firmware_sim.inspection.result import ItemResult, PointResult, Verdict
from firmware_sim.meter import MeterSettings

RATING = Rating("B", 220_000, 250, 500, 60_000, 20, constant=1000, carbon_constant=1000)
LIMITS = FileLimits.load()
FEW = Selection(factors=(100_000, 1_000_000), power_factors=("1.0", "0.5L"), currents=("Imax", "Itr", "Imin"))
QUICK = Selection(balances=("balanced",), dwell_ms=30, settle_ms=0)
ALL: list[Callable[[], Item]] = [
    Electricity,
    FixedFactor,
    DynamicFactor,
    Repeatability,
    Starting,
    NoLoad,
    Constant,
    DailyClock,
    Reverse,
]

Change = Callable[[SimulatedBench], None]


def perform(
    item: Item, *, selection: Selection = FEW, rating: Rating = RATING, change: Change | None = None, **more: Any
) -> ItemResult:
    async def run() -> ItemResult:
        async with simulated_bench(rating, LIMITS, **more) as bench:
            bench.selection = selection
            if change is not None:
                change(bench)
            await bench.standard.start()
            return await item.run(bench)

    return asyncio.run(run())


def with_gain(gain: Fraction) -> Callable[[MeterSettings], MeterSettings]:
    return lambda settings: replace(settings, gain_error=gain)


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


def test_finished_points_of_an_interrupted_run_are_not_measured_again() -> None:
    seen: dict[str, PointResult] = {}
    told: list[str] = []

    def first(bench: SimulatedBench) -> None:
        def done(point: PointResult) -> None:
            seen[point.key] = point
            if len(seen) == 9:
                raise asyncio.CancelledError

        bench.done = done

    for item in (FixedFactor(), DynamicFactor(), Electricity()):
        seen.clear()
        with pytest.raises(asyncio.CancelledError):
            perform(item, change=first)

        def second(bench: SimulatedBench) -> None:
            bench.known = dict(seen)
            bench.tell = told.append

        told.clear()
        went_on = perform(item, change=second)
        whole = perform(item)
        assert {point.key for point in went_on.points} == {point.key for point in whole.points}
        assert 0 < len(told) < len(whole.points) // 2


def test_an_estimate_is_about_what_it_takes() -> None:
    async def run() -> None:
        async with simulated_bench(RATING, LIMITS) as bench:
            bench.selection = FEW
            await bench.standard.start()
            for make in (Electricity, FixedFactor, DynamicFactor, Reverse, Repeatability, NoLoad, Starting):
                item = make()
                estimate = item.estimate_ms(bench)
                result = await item.run(bench)
                assert 0.8 < (result.ended_ms - result.started_ms) / estimate < 1.2, item.info.id

    asyncio.run(run())


@pytest.mark.parametrize("profile", ["sim-carbon-meter", "dlt698-carbon-meter"])
@pytest.mark.parametrize(("gain", "verdict"), [(Fraction(4, 1000), Verdict.PASSED), (Fraction(2, 100), Verdict.FAILED)])
def test_energy_and_carbon_are_measured_in_reverse_by_registers_and_pulses(
    profile: str, gain: Fraction, verdict: Verdict
) -> None:
    parameters = {"carbon_scale": Decimal("0.000001")} if profile.startswith("dlt698") else None
    result = perform(Reverse(), profile=profile, parameters=parameters, adjust=with_gain(gain))
    assert result.verdict is verdict
    found = {(r.quantity, r.by, r.current, r.factor) for point in result.points for r in point.readings}
    assert found == {
        (quantity, by, current, factor)
        for quantity, factor in (("energy", ""), ("carbon", "1"))
        for by in ("register", "pulse")
        for current in ("Imax", "Itr")
    }
    for point in result.points:
        assert "/reverse/" in f"{point.key}/"
        assert abs(Fraction(point.mean_percent) - 100 * gain) <= Fraction(point.limit_percent) / 10
    assert len({point.key for point in result.points}) == len(result.points) == 8


def test_what_is_wrong_in_one_direction_alone_is_found_in_that_one() -> None:
    assert perform(Reverse(), firmware=ReverseGain).verdict is Verdict.FAILED
    for item in (Electricity(), FixedFactor()):
        assert perform(item, firmware=ReverseGain).verdict is Verdict.PASSED


def test_an_interrupted_run_in_reverse_goes_on() -> None:
    whole = perform(Reverse()).points
    told: list[str] = []

    def go_on(bench: SimulatedBench) -> None:
        bench.known = {point.key: point for point in whole[:-1]}
        bench.tell = told.append

    assert perform(Reverse(), change=go_on).points == whole
    assert told == ["point 4 of 4: 220000/balanced/1.0/Itr/reverse, 1 kg/kWh"]


def test_a_meter_without_factors_is_measured_in_reverse_by_its_energy_alone() -> None:
    result = perform(Reverse(), profile="dlt645-three-phase")
    assert result.verdict is Verdict.PASSED
    assert {reading.quantity for point in result.points for reading in point.readings} == {"energy"}


def test_the_system_s_own_clock_gives_the_same_figures() -> None:
    rating = replace(RATING, constant=None, carbon_constant=None)  # a gate of pulses lasts a second at least
    selection = Selection(
        (100_000, 200_000), ("1.0", "0.5L"), ("Imax", "0.5Imax"), ("balanced",), dwell_ms=30, settle_ms=0
    )
    for item in (FixedFactor(), DynamicFactor(), Electricity()):
        at_once = perform(item, selection=selection, rating=rating, adjust=with_gain(Fraction(1, 300)))
        paced = perform(
            item, selection=selection, rating=rating, adjust=with_gain(Fraction(1, 300)), pace=SystemClock()
        )
        assert paced.points == at_once.points


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    gain=st.fractions(min_value=Fraction(-5, 100), max_value=Fraction(5, 100), max_denominator=1000),
    factor=st.integers(100_000, 1_000_000),
    current=st.sampled_from(["Imax", "0.5Imax"]),
    power_factor=st.sampled_from(["1.0", "0.5L", "0.8C"]),
    speed=st.sampled_from([40, 90]),
)
def test_paced_time_gives_the_same_figures(
    gain: Fraction, factor: int, current: str, power_factor: str, speed: int
) -> None:
    rating = replace(RATING, constant=10_000, carbon_constant=1_000_000)
    selection = Selection((factor, 2 * factor), (power_factor,), (current,), ("balanced",), dwell_ms=40, settle_ms=0)
    for item in (FixedFactor(), DynamicFactor()):
        at_once = perform(item, selection=selection, rating=rating, adjust=with_gain(gain))
        paced = perform(
            item, selection=selection, rating=rating, adjust=with_gain(gain), pace=SimulatedClock(0, speed, 0)
        )
        assert paced.points == at_once.points
