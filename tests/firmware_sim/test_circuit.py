"""The circuit: phases add up, currents and losses follow from power exactly."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.circuit import Circuit


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(1, 100), min_size=1, max_size=3))
def test_phase_powers_add_up(power_mw: int, shares: list[int]) -> None:
    phases = Circuit(shares=tuple(shares)).phase_powers(power_mw)
    assert sum(phases) == power_mw
    for share, phase in zip(shares, phases, strict=True):
        assert abs(phase - Fraction(power_mw * share, sum(shares))) <= 1


def test_current_of_a_balanced_load() -> None:
    circuit = Circuit(voltage_mv=220_000, power_factor=800_000)
    assert [circuit.current_ma(phase) for phase in circuit.phase_powers(6_600_000)] == [12_500] * 3
    assert circuit.apparent_mva(6_600_000) == 8_250_000
    assert circuit.reactive_mvar(6_600_000) == 4_950_000


@given(st.integers(-(10**8), 10**8), st.integers(0, 500), st.integers(500_000, 1_000_000))
def test_loss_is_current_squared_times_resistance(power_mw: int, milliohm: int, power_factor: int) -> None:
    circuit = Circuit(power_factor=power_factor, shares=(1, 2, 1))
    currents = [Fraction(p * 10**6, 220_000 * power_factor) for p in circuit.phase_powers(power_mw)]  # A
    exact = sum(i * i for i in currents) * milliohm  # mW
    assert abs(circuit.loss_mw(power_mw, Fraction(milliohm)) - exact) <= Fraction(1, 2)


def test_each_phase_may_have_its_own_voltage() -> None:
    circuit = Circuit(voltage_mv=220_000, voltages_mv=(200_000, 220_000, 250_000))
    shown = circuit.shown(6_600_000, is_reverse=False)
    assert [shown[f"voltage_{phase}"] for phase in "abc"] == [200_000, 220_000, 250_000]
    assert [shown[f"current_{phase}"] for phase in "abc"] == [11_000, 10_000, 8_800]


def test_loss_of_a_known_cable() -> None:
    # 10 A through 15 mOhm in three conductors: 4.5 W.
    assert Circuit().loss_mw(6_600_000, Fraction(15)) == 4_500


@pytest.mark.parametrize(("power_mw", "registers"), [(13_200, True), (13_199, False), (-13_200, True), (0, False)])
def test_the_startup_threshold_is_exact(power_mw: int, *, registers: bool) -> None:
    assert Circuit().above_current(power_mw, 20) is registers
