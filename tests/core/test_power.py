"""The power integrator against an oracle on fractions.Fraction that cuts each step at its zero crossing."""

from array import array
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import diantan_core as core

QUARTER = 900_000
MIDNIGHT = 1_772_121_600_000 + 16 * 3_600_000
MAX_GAP = 300_000
QUANTA_PER_MWH = 7_200_000
Sample = tuple[int, int]


def quanta(first: Sample, last: Sample, until: int) -> tuple[int, int]:
    """Return half mW·ms forward and reverse between the first sample and `until`, each floored."""
    slope = Fraction(last[1] - first[1], last[0] - first[0])

    def power(time: Fraction) -> Fraction:
        return first[1] + slope * (time - first[0])

    cuts = {Fraction(first[0]), Fraction(until)}
    if first[1] * last[1] < 0:
        zero = first[0] - first[1] / slope
        if zero < until:
            cuts.add(zero)
    areas = [(power(a) + power(b)) * (b - a) for a, b in pairwise(sorted(cuts))]
    return floor(sum(area for area in areas if area > 0)), floor(-sum(area for area in areas if area < 0))


def oracle(samples: Sequence[Sample]) -> tuple[list[tuple[int, int, int, int]], tuple[int, int], int]:
    """Return (start, forward, reverse, readings) per interval, the totals in mWh, and the number of gaps."""
    used = samples[:1]
    for sample in samples[1:]:
        if sample[0] > used[-1][0]:
            used = [*used, sample]
    if not used:
        return [], (0, 0), 0
    steps = [step for step in pairwise(used) if step[1][0] - step[0][0] <= MAX_GAP]

    def total(time: int) -> tuple[int, int]:
        parts = [quanta(first, last, min(time, last[0])) for first, last in steps if first[0] < time]
        return sum(f for f, _ in parts) // QUANTA_PER_MWH, sum(r for _, r in parts) // QUANTA_PER_MWH

    rows = []
    for start in range(used[0][0] // QUARTER * QUARTER, used[-1][0] // QUARTER * QUARTER, QUARTER):
        end = start + QUARTER
        readings = sum(start < time <= end for time, _ in used)
        if readings or any(first[0] < end and last[0] > start for first, last in steps):
            before, after = total(start), total(end)
            rows.append((start, after[0] - before[0], after[1] - before[1], readings))
    return rows, total(used[-1][0]), len(used) - 1 - len(steps)


@st.composite
def sample_runs(draw: st.DrawFn) -> list[Sample]:
    span = st.one_of(st.integers(1, 60_000), st.integers(1, MAX_GAP), st.integers(-5, 2 * QUARTER), st.just(MAX_GAP))
    power = st.one_of(st.integers(-(10**8), 10**8), st.integers(-5, 5), st.just(0))
    time = MIDNIGHT + draw(st.integers(0, QUARTER) | st.just(0))
    samples = []
    for step, value in draw(st.lists(st.tuples(span, power), max_size=25)):
        samples.append((time, value))
        time += step
    return samples


def columns(samples: Sequence[Sample]) -> tuple["array[int]", "array[int]"]:
    return array("q", [time for time, _ in samples]), array("q", [power for _, power in samples])


@settings(max_examples=200, deadline=None)
@given(sample_runs())
def test_oracle(samples: list[Sample]) -> None:
    integrator = core.PowerIntegrator(max_gap_ms=MAX_GAP)
    closed = integrator.feed(*columns(samples), core.FactorSchedule(default=500_000))
    rows, totals, gaps = oracle(samples)
    assert [(row[0], row[2], row[3], row[12]) for row in closed.intervals] == rows
    assert (integrator.forward_mwh, integrator.reverse_mwh) == totals
    assert sum(event[1] == core.EVENT_GAP for event in closed.events) == gaps
    assert integrator.carbon_forward_ng == sum(row[1] for row in rows) * 500_000
    assert integrator.carbon_reverse_ng == sum(row[2] for row in rows) * 500_000


@settings(max_examples=100, deadline=None)
@given(sample_runs(), st.integers(0, 25))
def test_partition_and_restart_change_nothing(samples: list[Sample], cut: int) -> None:
    schedule = core.FactorSchedule()
    whole, first, second = core.PowerIntegrator(), core.PowerIntegrator(), core.PowerIntegrator()
    expected = whole.feed(*columns(samples), schedule)
    rows = first.feed(*columns(samples[:cut]), schedule).intervals
    second.restore(first.state())
    rows += second.feed(*columns(samples[cut:]), schedule).intervals
    assert rows == expected.intervals
    assert second.state() == whole.state()
    assert second.last_time_ms == whole.last_time_ms
    assert second.pending_forward_mwh == sum(row[2] for row in rows)
    assert second.pending_reverse_mwh == sum(row[3] for row in rows)


def test_a_gap_makes_the_interval_partial() -> None:
    integrator = core.PowerIntegrator(max_gap_ms=60_000)
    times = array("q", [MIDNIGHT, MIDNIGHT + 60_000, MIDNIGHT + 120_001, MIDNIGHT + QUARTER])
    closed = integrator.feed(times, array("q", [3_600_000] * 4), core.FactorSchedule())
    assert [event[1:] for event in closed.events] == [
        (core.EVENT_GAP, 2, MIDNIGHT + 60_000, MIDNIGHT + 120_001),
        (core.EVENT_GAP, 2, MIDNIGHT + 120_001, MIDNIGHT + QUARTER),
    ]
    (row,) = closed.intervals
    assert (row[2], row[13]) == (60_000, core.QUALITY_PARTIAL)


def test_refusals_leave_the_integrator_as_it_was() -> None:
    integrator = core.PowerIntegrator()
    schedule = core.FactorSchedule()
    integrator.feed(array("q", [MIDNIGHT]), array("q", [5]), schedule)
    state = integrator.state()
    with pytest.raises(core.IntegrationError, match=r"reading 1 of the call: power .*1 GW"):
        integrator.feed(array("q", [MIDNIGHT + 1, MIDNIGHT + 2]), array("q", [5, 10**12 + 1]), schedule)
    with pytest.raises(core.IntegrationError, match="different lengths"):
        integrator.feed(array("q", [MIDNIGHT + 1]), array("q"), schedule)
    with pytest.raises(core.IntegrationError, match="other integrator"):
        integrator.restore(core.RegisterIntegrator().state())
    assert integrator.state() == state
    for setting in ({"max_gap_ms": 0}, {"max_gap_ms": 3_600_001}, {"interval_ms": 7}, {"measured_gap_ms": -1}):
        with pytest.raises(core.IntegrationError, match=next(iter(setting))):
            core.PowerIntegrator(**setting)
