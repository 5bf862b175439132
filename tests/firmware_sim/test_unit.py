"""A generating unit's meter: its emission is exact, whatever was read when, and no factor touches it."""

import math
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.circuit import Circuit
from firmware_sim.curves import ConstantCurve, RepeatedCurve
from firmware_sim.meter import MeterSettings
from firmware_sim.unit import Fuel, GridMeter, UnitMeter

START = int(datetime(2026, 6, 15, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
HOUR = 3_600_000
MW = 10**9  # mW
KG = 10**12  # ng
COAL = Fuel(780_000, 30_000 * KG)
CIRCUIT = Circuit(voltage_mv=63_500_000)


def unit(power_mw: int = 600 * MW, settings: MeterSettings | None = None) -> UnitMeter:
    return UnitMeter(ConstantCurve(START, power_mw), CIRCUIT, settings or MeterSettings(), COAL)


def test_emission_has_a_part_for_energy_and_one_for_running() -> None:
    meter = unit()
    values = meter.values(START + HOUR)
    assert values["energy_forward"] == 600 * 10**9
    assert values["carbon_forward"] == (600_000 * 780 // 1000 + 30_000) * KG
    assert values["carbon_reverse"] == 0


def test_a_unit_that_takes_power_emits_nothing() -> None:
    assert unit(-5 * MW).values(START + HOUR)["carbon_forward"] == 0
    assert unit(0).values(START + HOUR)["carbon_forward"] == 0


def test_the_factor_rises_as_the_load_falls() -> None:
    factors = []
    for power_mw in (300 * MW, 600 * MW):
        values = unit(power_mw).values(START + HOUR)
        emitted, energy = values["carbon_forward"], values["energy_forward"]
        assert emitted is not None
        assert energy is not None
        factors.append(Fraction(emitted, energy))
    assert factors == [880_000, 830_000]


def test_an_error_of_the_energy_meter_is_none_of_the_emission() -> None:
    meter = UnitMeter(ConstantCurve(START, MW), CIRCUIT, MeterSettings(gain_error=Fraction(1, 10)), Fuel(10**6))
    values = meter.values(START + HOUR)
    assert values["energy_forward"] == 1_100_000_000
    assert values["carbon_forward"] == 1_000 * KG


def test_the_emission_register_starts_somewhere_freezes_and_starts_again() -> None:
    meter = unit(settings=MeterSettings(initial_carbon_forward_ng=90_000_000 * KG, carbon_rollover_ng=100_000_000 * KG))
    midnight = meter.row("daily_freezes", 1, START + 24 * HOUR)
    assert midnight["carbon_forward"] == (90_000_000 + 24 * 498_000 - 100_000_000) * KG
    assert midnight["energy_forward"] == 24 * 600 * 10**9


def test_a_factor_that_is_written_changes_nothing() -> None:
    meter = unit()
    meter.apply("factor", {"time": START, "carbon_factor": 4_000_000}, START)
    assert meter.values(START + HOUR)["carbon_forward"] == 498_000 * KG


@given(st.lists(st.integers(1, HOUR), max_size=20))
def test_the_register_does_not_depend_on_who_read_it_before(waits: list[int]) -> None:
    cycle = [(700_001, 333 * MW + 7), (13_337, 0), (1_000_003, -11 * MW), (50_000, 600 * MW)]
    meters = [
        UnitMeter(RepeatedCurve(START, cycle), CIRCUIT, MeterSettings(carbon_resolution_ng=1), COAL) for _ in range(2)
    ]
    now_ms = START
    for wait in waits:
        now_ms += wait
        meters[0].advance(now_ms)
    end_ms = START + 30 * HOUR
    assert meters[0].values(end_ms)["carbon_forward"] == meters[1].values(end_ms)["carbon_forward"]
    exact = sum(
        Fraction(COAL.rate(power) * (until - start), HOUR)
        for start, until, power in _steps(RepeatedCurve(START, cycle), end_ms)
    )
    assert meters[1].values(end_ms)["carbon_forward"] == math.floor(exact)


def _steps(curve: RepeatedCurve, end_ms: int) -> list[tuple[int, int, int]]:
    steps = list(curve.steps(START, end_ms))
    ends = [start for start, _ in steps[1:]] + [end_ms]
    return [(start, until, power) for (start, power), until in zip(steps, ends, strict=True)]


def test_a_meter_without_an_emission_register_shows_none() -> None:
    meter = GridMeter(ConstantCurve(START, MW), CIRCUIT, MeterSettings(default_factor=10**6))
    assert meter.values(START + HOUR)["carbon_forward"] is None
    assert meter.row("daily_freezes", 1, START + 25 * HOUR)["carbon_forward"] is None
    assert meter.carbon(START + 26 * HOUR) == (0, 0)
