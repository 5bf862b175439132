"""Load points as samples: the truth is the sum of the samples that are sent, and close to the load point."""

from array import array
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.inspection.bench import BenchError
from firmware_sim.inspection.parts.waveform import OCTETS, PJ_PER_MWH, PhasorFlow, Waveform, waveform
from firmware_sim.inspection.points import Balance, Character, LoadPoint

RATE = 6_400
POINTS = st.builds(
    LoadPoint,
    voltage_mv=st.integers(1_000, 400_000),
    current_ma=st.integers(1, 100_000),
    power_factor_ppm=st.sampled_from([1_000_000, 800_000, 500_000, 123_456]),
    character=st.sampled_from([Character.INDUCTIVE, Character.CAPACITIVE]),
    balance=st.sampled_from(list(Balance)),
    phases=st.sampled_from([1, 3]),
    frequency_mhz=st.sampled_from([50_000, 60_000, 49_850, 50_150]),
    reverse=st.booleans(),
)


def summed(made: Waveform, phases: int, first: int, last: int) -> Fraction:
    """Return the energy of whole samples, from the octets that are sent."""
    values = array("i", bytes(made.samples(first, last - first)))
    assert len(values) == 2 * phases * (last - first)
    products = sum(values[place] * values[place + 1] for place in range(0, len(values), 2))
    return Fraction(products, RATE * PJ_PER_MWH)


@settings(deadline=None, max_examples=40)
@given(POINTS, st.integers(0, 10**7), st.integers(0, 400), st.fractions(0, 1, max_denominator=50))
def test_the_energy_is_that_of_the_samples(point: LoadPoint, first: int, count: int, part: Fraction) -> None:
    made = waveform(point, RATE)
    last = first + count
    assert made.energy_mwh(Fraction(first), Fraction(last)) == summed(made, point.phases, first, last)
    # A sample stands until the next one.
    assert made.energy_mwh(Fraction(last), last + part) == part * summed(made, point.phases, last, last + 1)


@settings(deadline=None, max_examples=40)
@given(POINTS)
def test_over_a_period_it_is_nearly_that_of_the_load_point(point: LoadPoint) -> None:
    made = waveform(point, RATE)
    period = Fraction(made.period)
    wanted = point.power_mw * period * 1000 / RATE / 3_600_000
    found = made.energy_mwh(Fraction(0), period)
    assert made.reverse is point.reverse
    # Half a microampere and microvolt of rounding at most
    assert abs(found - wanted) <= abs(wanted) / 1_000 + Fraction(1, 1_000)
    assert PhasorFlow(point, RATE).energy_mwh(Fraction(0), period) == wanted


def test_current_lags_or_leads_and_unloaded_phases_have_their_voltage() -> None:
    inductive = waveform(LoadPoint(220_000, 1_000, 500_000, Character.INDUCTIVE, Balance.B), RATE)
    rows = array("i", inductive.octets)
    assert not any(rows[1::6]) and not any(rows[5::6])  # noqa: PT018 - currents of a and c
    for voltage in (rows[0::6], rows[2::6], rows[4::6]):
        assert max(voltage) > 311_000_000
    voltage, current = list(rows[2::6]), list(rows[3::6])
    # 60 degrees of 128 samples
    assert (current.index(max(current)) - voltage.index(max(voltage))) % 128 in (21, 22)
    capacitive = array("i", waveform(LoadPoint(220_000, 1_000, 500_000, Character.CAPACITIVE), RATE).octets)
    voltage, current = list(capacitive[0::6]), list(capacitive[1::6])
    assert (voltage.index(max(voltage)) - current.index(max(current))) % 128 in (21, 22)
    assert len(capacitive) * 4 == 128 * 3 * OCTETS


def test_what_samples_cannot_hold_is_refused() -> None:
    with pytest.raises(BenchError, match="hold up to 2147483647"):
        Waveform(LoadPoint(2_000_000, 1), RATE)
    with pytest.raises(BenchError, match="repeat only after"):
        Waveform(LoadPoint(220_000, 1, frequency_mhz=50_001), RATE)
