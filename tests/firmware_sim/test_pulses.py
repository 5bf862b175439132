"""The pulses of a simulated meter, beside those of a meter that is looked at every microsecond and reckoned anew."""

from collections.abc import Iterator
from fractions import Fraction
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.circuit import Circuit
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.pulses import CARBON, ENERGY, PulseOutputs
from firmware_sim.terminals import PARTS, SetCurve

START = 1_781_049_600_000
SLOT_MS = 900_000


class Bench:
    """A meter whose load and factor are set as time goes on, and a record of what it was given."""

    def __init__(self, gain: Fraction, constants: tuple[int, int | None], drift: Fraction = Fraction(0)) -> None:
        self.curve = SetCurve(START)
        made = MeterSettings(
            gain_error=gain,
            meter_constant=constants[0],
            carbon_constant=constants[1],
            load_parts=PARTS,
            clock_drift_ppm=drift,
        )
        self.meter = Meter(self.curve, Circuit(), made)
        self.outputs = PulseOutputs(self.meter, self.curve)
        self.now = START

    def all(self, kind: str, until: int) -> Iterator[Fraction]:
        """Yield the pulses up to an instant, letting time pass as the bench does."""
        while (instant := self.outputs.next(kind, self.now, Fraction(until))) is not None:
            self.now = max(ceil(instant), self.now)
            yield instant
        self.now = until


def brute(rates: list[tuple[int, int, Fraction]], step: Fraction) -> list[Fraction]:
    """Return when the integral of rates (from, until, per ms) passes each multiple of a step."""
    found, total = [], Fraction(0)
    for begin, end, rate in rates:
        after = total + rate * (end - begin)
        number = total // step + 1
        while rate and number * step <= after:
            found.append(begin + (number * step - total) / rate)
            number += 1
        total = after
    return found


STEPS = st.lists(
    st.tuples(
        st.integers(-60_000_000, 60_000_000),
        st.one_of(st.none(), st.integers(0, 1_000_000)),
        st.integers(1, 5_000),
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=150)
@given(
    STEPS,
    st.fractions(min_value=Fraction(-1, 20), max_value=Fraction(1, 20), max_denominator=10**6),
    st.sampled_from([400, 1_000, 20_000]),
    st.sampled_from([10_000, 100_000]),
)
def test_pulses_come_exactly_when_another_step_is_full(
    steps: list[tuple[int, int | None, int]], gain: Fraction, constant: int, carbon_constant: int
) -> None:
    for kind in (ENERGY, CARBON):
        bench = Bench(gain, (constant, carbon_constant))
        rates, found = [], []
        for power, factor, duration in steps:
            bench.curve.set_power(bench.now, power * PARTS)
            bench.meter.receive_factor(bench.now, START, factor)
            per_ms = abs(power) * (1 + gain) / 3_600_000  # mWh
            rates.append((bench.now, bench.now + duration, per_ms if kind == ENERGY else per_ms * (factor or 0)))
            found += list(bench.all(kind, bench.now + duration))
        step = Fraction(10**6, constant) if kind == ENERGY else Fraction(10**12, carbon_constant)
        assert found == brute(rates, step)


def test_carbon_pulses_follow_the_factors_that_were_sent_ahead() -> None:
    bench = Bench(Fraction(0), (1_000, 1_000), drift=Fraction(100))
    bench.curve.set_power(START, 3_600_000 * PARTS)
    for number, factor in enumerate((1_000_000, 500_000, None, 250_000)):
        bench.meter.receive_factor(START, START + number * SLOT_MS, factor)
    found = list(bench.all(CARBON, START + 4 * SLOT_MS))
    # 1 Wh a second; the meter's clock runs fast, so its slots end early: at the first whole ms that shows them.
    ends = [START + ceil(Fraction(number * SLOT_MS * 10_000, 10_001)) for number in range(4)] + [START + 4 * SLOT_MS]
    rates = [
        (begin, end, Fraction(factor))
        for begin, end, factor in zip(ends, ends[1:], (1_000_000, 500_000, 0, 250_000), strict=False)
    ]
    assert len(found) > 1_000
    assert found == brute(rates, Fraction(10**9))


def test_a_pulse_that_nobody_waited_for_is_over() -> None:
    bench = Bench(Fraction(0), (1_000, None))
    bench.curve.set_power(START, 3_600_000 * PARTS)  # a pulse a second
    assert bench.outputs.kinds == {ENERGY}
    assert bench.outputs.next(ENERGY, START, Fraction(START + 999)) is None
    assert bench.outputs.next(ENERGY, START, Fraction(START + 1_000)) == START + 1_000
    assert bench.outputs.next(ENERGY, START + 5_000, Fraction(START + 9_000)) == START + 6_000
    assert bench.outputs.next(ENERGY, START + 5_500, Fraction(START + 9_000)) == START + 6_000
    bench.meter.cut(START + 5_500)
    assert bench.outputs.next(ENERGY, START + 5_500, Fraction(START + 9_000)) is None


def test_pulses_within_a_millisecond_come_one_by_one() -> None:
    bench = Bench(Fraction(0), (10_000_000, None))
    bench.curve.set_power(START, 3_600_000 * PARTS)  # ten pulses a ms
    found = []
    while len(found) < 25:
        instant = bench.outputs.next(ENERGY, bench.now, Fraction(START + 10))
        assert instant is not None
        bench.now = ceil(instant)
        found.append(instant)
    assert found == [START + Fraction(number, 10) for number in range(1, 26)]


def test_a_wrong_pulse_constant_is_not_the_one_on_the_plate() -> None:
    curve = SetCurve(START)
    meter = Meter(curve, Circuit(), MeterSettings(meter_constant=1_000, pulse_constant=2_000, load_parts=PARTS))
    curve.set_power(START, 3_600_000 * PARTS)
    assert PulseOutputs(meter, curve).next(ENERGY, START, Fraction(START + 1_000)) == START + 500
    assert meter.values(START)["meter_constant"] == 1_000
    assert not PulseOutputs(meter, curve, energy=False).kinds
