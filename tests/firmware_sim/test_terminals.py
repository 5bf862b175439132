"""What a source puts on a meter's terminals."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.inspection.points import Balance, Character, LoadPoint
from firmware_sim.terminals import PARTS, SetCurve, Terminals, circuit_of, parts_of

POINTS = st.builds(
    LoadPoint,
    voltage_mv=st.integers(1, 400_000),
    current_ma=st.integers(0, 100_000),
    power_factor_ppm=st.integers(1, 1_000_000),
    balance=st.sampled_from(list(Balance)),
    phases=st.sampled_from([1, 3]),
    reverse=st.booleans(),
)


@given(POINTS)
def test_no_load_point_is_rounded(point: LoadPoint) -> None:
    assert Fraction(parts_of(point), PARTS) == point.power_mw


@given(
    st.lists(st.tuples(st.integers(1, 10_000), st.integers(-(10**16), 10**16)), min_size=1, max_size=6),
    st.fractions(min_value=0, max_value=1, max_denominator=1_000),
)
def test_what_flowed_is_the_sum_of_power_times_time(steps: list[tuple[int, int]], share: Fraction) -> None:
    curve = SetCurve(0)
    now = 0
    for duration, power in steps:
        curve.set_power(now, power)
        assert curve.power_at(now) == power  # looking does not fix it
        now += duration
    instant = now * share
    forward = reverse = Fraction(0)
    begin = Fraction(0)
    for duration, power in steps:
        end = min(begin + duration, instant)
        energy = Fraction(power, 3_600_000 * PARTS) * max(end - begin, Fraction(0))
        forward, reverse = forward + max(energy, Fraction(0)), reverse - min(energy, Fraction(0))
        begin += duration
    assert curve.flowed(instant) == (forward, reverse)


def test_the_past_stays() -> None:
    curve = SetCurve(0)
    curve.set_power(100, 5)
    curve.set_power(100, 6)
    assert curve.power_at(100) == 6
    with pytest.raises(ValueError, match="was set at 100 ms, it can't change at 99 ms"):
        curve.set_power(99, 7)


@pytest.mark.parametrize(
    ("current", "balance", "registers"),
    [(20, Balance.BALANCED, True), (19, Balance.BALANCED, False), (60, Balance.B, True), (59, Balance.B, False)],
)
def test_the_mean_current_of_the_phases_starts_the_meter(current: int, balance: Balance, *, registers: bool) -> None:
    terminals = Terminals(0, startup_current_ma=20)
    terminals.set(10, LoadPoint(220_000, current, balance=balance))
    assert terminals.flow.power_at(10) > 0
    assert (terminals.load.power_at(10) > 0) is registers
    terminals.set(20, None)
    assert terminals.flow.power_at(20) == terminals.load.power_at(20) == 0


def test_the_circuit_shows_the_load_point() -> None:
    circuit = circuit_of(LoadPoint(57_700, 1, 500_000, Character.CAPACITIVE, Balance.C, frequency_mhz=49_900))
    assert (circuit.voltage_mv, circuit.frequency_mhz, circuit.power_factor) == (57_700, 49_900, 500_000)
    assert circuit.shares == (0, 0, 1)
    assert circuit.capacitive
    assert circuit_of(LoadPoint(57_700, 1, phases=1)).shares == (1,)
