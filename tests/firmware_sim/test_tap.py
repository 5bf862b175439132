"""Where a meter is connected: what it shows is the true voltage with its own error, and powers that fit to it."""

from fractions import Fraction

import pytest

from firmware_sim.circuit import Circuit
from firmware_sim.curves import ConstantCurve, RepeatedCurve
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.tap import Tap

START = 1_781_452_800_000


def test_a_meter_shows_each_voltage_with_its_error() -> None:
    tap = Tap(lambda _: (219_876_543, 230_000_000, 221_000_499), Fraction(1, 1000))
    seen = tap.seen(Circuit(), START)
    assert seen.voltages_mv == (220_096, 230_230, 221_221)
    assert seen.voltage_mv == 223_849  # of 223 625 680.67 µV, and 0.1 %
    assert [seen.voltage_of(phase) for phase in range(3)] == list(seen.voltages_mv)


def test_the_power_spreads_as_it_does_at_the_moment() -> None:
    powers = [(1_000, -2_000, 5_000), (0, 0, -5_000), (3_000, -2_000, 0)]
    loads = tuple(RepeatedCurve(START, [(1, power) for power in phase]) for phase in powers)
    tap = Tap(lambda _: (220_000_000,) * 3, phase_loads=loads)
    assert tap.seen(Circuit(), START).phase_powers(4_000) == (1_000, 0, 3_000)
    assert tap.seen(Circuit(), START + 1).phase_powers(-4_004) == (-2_002, 0, -2_002)
    assert tap.seen(Circuit(), START + 2).phase_powers(0) == (0, 0, 0)


@pytest.mark.parametrize("reverse", [False, True])
def test_what_is_shown_fits_together(*, reverse: bool) -> None:
    """P = U·I·λ in each phase, to the mA."""
    tap = Tap(lambda _: (215_000_000, 220_000_000, 225_000_000), Fraction(-3, 1000))
    sign = -1 if reverse else 1
    circuit = Circuit(power_factor=900_000, shares=(1, 2, 3))
    meter = Meter(ConstantCurve(START, sign * 12_000_000), circuit, MeterSettings(gain_error=Fraction(1, 100), tap=tap))
    values = meter.values(START)
    shown = {name: values[name] or 0 for name in values}
    assert shown["power"] == sign * 12_120_000
    for phase, power, voltage in (("a", 2_020, 214_355), ("b", 4_040, 219_340), ("c", 6_060, 224_325)):
        assert shown[f"voltage_{phase}"] == voltage
        assert shown[f"power_{phase}"] == sign * power * 1000
        product = Fraction(voltage * shown[f"current_{phase}"] * 900, 10**9)
        assert abs(product - power) < Fraction(voltage, 10**6)


def test_energies_do_not_depend_on_the_voltage() -> None:
    load = ConstantCurve(START, 7_000_000)
    low = Tap(lambda _: (100_000_000,) * 3)
    meters = [Meter(load, Circuit(), MeterSettings(tap=tap, startup_current_ma=20)) for tap in (None, low)]
    assert len({meter.energy(START + 3_600_000) for meter in meters}) == 1
