"""Runs of the metering items: in reverse, interrupted, estimated, and on other clocks."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from items_support import FEW, LIMITS, RATING, perform, with_gain

from clock import SimulatedClock, SystemClock
from firmware_sim.inspection.bench import Selection
from firmware_sim.inspection.defects.front_end import ReverseGain
from firmware_sim.inspection.metering.carbon import DynamicFactor, FixedFactor
from firmware_sim.inspection.metering.electricity import Electricity, Repeatability
from firmware_sim.inspection.metering.limits_of_load import NoLoad, Starting
from firmware_sim.inspection.metering.reverse import Reverse
from firmware_sim.inspection.parts.simulated import SimulatedBench, simulated_bench
from firmware_sim.inspection.result import PointResult, Verdict


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
