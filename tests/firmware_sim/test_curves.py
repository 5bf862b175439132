"""Load curves: exact energy, whatever the windows in which time is asked for."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.curves import ConstantCurve, Curve, ManualCurve, MappedCurve, RepeatedCurve, SumCurve

CYCLES = st.lists(st.tuples(st.integers(1, 5_000), st.integers(-(10**8), 10**8)), min_size=1, max_size=8)
TIMES = st.lists(st.integers(1_000, 60_000), min_size=1, max_size=20)


def slow_power(cycle: list[tuple[int, int]], start_ms: int, time_ms: int) -> int:
    """Return the power of a repeated cycle without any of the code under test."""
    into = (time_ms - start_ms) % sum(duration for duration, _ in cycle)
    for duration, power in cycle:
        if into < duration:
            return power
        into -= duration
    raise AssertionError


def slow_energy(power_of: list[int]) -> tuple[int, int]:
    return sum(power for power in power_of if power > 0), -sum(power for power in power_of if power < 0)


@given(CYCLES, TIMES)
def test_energy_is_the_sum_of_the_power_of_every_millisecond(cycle: list[tuple[int, int]], times: list[int]) -> None:
    curve = RepeatedCurve(1_000, cycle)
    for time_ms in [time % 8_000 + 1_000 for time in times]:
        powers = [slow_power(cycle, 1_000, moment) for moment in range(1_000, time_ms)]
        assert curve.energy_at(time_ms) == slow_energy(powers)
        assert curve.power_at(time_ms) == slow_power(cycle, 1_000, time_ms)


@given(CYCLES, CYCLES, TIMES, st.randoms())
def test_the_order_of_questions_changes_no_answer(
    one: list[tuple[int, int]], other: list[tuple[int, int]], times: list[int], shuffler: random.Random
) -> None:
    def build(ahead_ms: int) -> Curve:
        parts: list[Curve] = [RepeatedCurve(1_000, one), RepeatedCurve(1_000, other)]
        mapped = MappedCurve(parts[0], lambda power: abs(power) // 7)
        return SumCurve(1_000, [*parts, mapped], ahead_ms=ahead_ms)

    asked_in_order = build(0)
    answers = {time: (asked_in_order.energy_at(time), asked_in_order.power_at(time)) for time in sorted(times)}
    shuffler.shuffle(times)
    asked_at_random = build(7_777)
    assert {time: (asked_at_random.energy_at(time), asked_at_random.power_at(time)) for time in times} == answers


@given(CYCLES, CYCLES, st.integers(1_000, 50_000))
def test_a_sum_nets_power_at_every_instant_and_keeps_net_energy(
    one: list[tuple[int, int]], other: list[tuple[int, int]], time_ms: int
) -> None:
    parts: list[Curve] = [RepeatedCurve(1_000, one), RepeatedCurve(1_000, other)]
    total = SumCurve(1_000, parts)
    forward, reverse = total.energy_at(time_ms)
    energies = [part.energy_at(time_ms) for part in parts]
    assert forward - reverse == sum(f - r for f, r in energies)
    assert forward <= sum(f for f, _ in energies)
    assert total.power_at(time_ms) == sum(part.power_at(time_ms) for part in parts)


def test_opposite_flows_at_a_node_cancel() -> None:
    total = SumCurve(0, [ConstantCurve(0, 5_000), ConstantCurve(0, -3_000)])
    assert total.energy_at(1_000) == (2_000_000, 0)


@given(CYCLES, st.integers(1_000, 30_000), st.integers(1_000, 30_000))
def test_steps_tile_their_window(cycle: list[tuple[int, int]], one: int, other: int) -> None:
    first, last = min(one, other), max(one, other) + 1
    curve = RepeatedCurve(1_000, cycle)
    steps = list(curve.steps(first, last))
    ends = [start for start, _ in steps[1:]] + [last]
    energies = [power * (end - start) for (start, power), end in zip(steps, ends, strict=True)]
    before, after = curve.energy_at(first), curve.energy_at(last)
    assert sum(energies) == (after[0] - before[0]) - (after[1] - before[1])
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(steps))


def test_before_its_start_a_curve_is_zero() -> None:
    curve = ConstantCurve(1_000, 5)
    assert (curve.power_at(999), curve.energy_at(500), curve.energy_at(1_000)) == (0, (0, 0), (0, 0))


def test_a_load_can_not_change_in_the_past() -> None:
    curve = ManualCurve(0)
    curve.set_power(1_000, 7)
    assert curve.energy_at(2_000) == (7_000, 0)
    with pytest.raises(ValueError, match="already known until 2000 ms"):
        curve.set_power(1_999, 0)
    curve.set_power(2_000, 0)
    assert curve.energy_at(9_000) == (7_000, 0)


def test_a_cycle_needs_time() -> None:
    with pytest.raises(ValueError, match="positive duration"):
        RepeatedCurve(0, [(0, 5)])
