"""Integration: register steps a second on one core, beside the same sums in numpy float64 in the same run.

Both sides get the same integer columns and factors and give energy, cumulative energy, carbon and cumulative carbon
of both directions per 15-minute slot, after checking every step for a fall or a rollover. The core also counts
readings, judges quality, checks midnights for freezes and is exact to the ng; numpy is given that for nothing.
Its totals must agree with the core's to float precision.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

import diantan_core

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
T = TypeVar("T")

SLOT_MS = 900_000
ORIGIN_MS = 1_767_196_800_000  # 2026-01-01T00:00+08:00
ROLLOVER_MWH = 10**11  # five digits of kWh
YEAR_MS = 365 * 86_400_000
ROUNDS = 25
LARGE_STEPS = 1_000_000  # in one call: every output is new memory, which costs more than the arithmetic
LARGE_ROUNDS = 5
TARGET_PER_S = 20e6


@dataclass(frozen=True)
class Load:
    """Readings of one meter and the factors of its node."""

    times_ms: Ints
    forward_mwh: Ints
    reverse_mwh: Ints
    factor_starts_ms: Ints
    factors: Ints


@dataclass(frozen=True)
class Sums:
    """What both sides compute, per closed slot."""

    forward: Ints | Floats
    reverse: Ints | Floats
    forward_total: Ints | Floats
    reverse_total: Ints | Floats
    carbon_forward: Ints | Floats
    carbon_reverse: Ints | Floats
    carbon_forward_total: Ints | Floats
    carbon_reverse_total: Ints | Floats


def make_load(step_ms: int, offset_ms: int, steps: int) -> Load:
    """Make a charger's registers: forward up to 120 kW, a little reverse, rolling over at 10⁵ kWh."""
    generator = np.random.default_rng(20260101)
    times = ORIGIN_MS + offset_ms + step_ms * np.arange(steps + 1, dtype=np.int64)
    hourly = step_ms / 3_600_000
    rises = generator.integers(0, max(2, int(120e6 * hourly)), steps + 1)
    backs = generator.integers(0, max(2, int(5e6 * hourly)), steps + 1)
    forward = np.cumsum(rises) % ROLLOVER_MWH
    reverse = np.cumsum(backs) % ROLLOVER_MWH
    starts = np.arange(ORIGIN_MS, int(times[-1]) + SLOT_MS, SLOT_MS, dtype=np.int64)
    factors = generator.integers(100_000, 900_000, starts.size)
    return Load(times, forward, reverse, starts, factors)


def integrate_core(load: Load, schedule: diantan_core.FactorSchedule) -> Sums:
    """Integrate in the core: exact integers."""
    integrator = diantan_core.RegisterIntegrator(rollover_mwh=ROLLOVER_MWH)
    closed = integrator.feed(load.times_ms.data, load.forward_mwh.data, load.reverse_mwh.data, schedule).columns()

    def column(values: memoryview) -> Ints:
        return np.frombuffer(values, dtype=np.int64)

    return Sums(
        column(closed.forward_mwh),
        column(closed.reverse_mwh),
        column(closed.forward_total_mwh),
        column(closed.reverse_total_mwh),
        column(closed.carbon_forward_ug),
        column(closed.carbon_reverse_ug),
        column(closed.carbon_forward_total_ug),
        column(closed.carbon_reverse_total_ug),
    )


def _unroll(register: Ints) -> Floats:
    """Return the cumulative energy of a register, with rollovers undone and any other fall refused."""
    rises = np.diff(register)
    fallen = rises < 0
    if fallen.any():
        rises[fallen] += ROLLOVER_MWH
        if (rises[fallen] >= ROLLOVER_MWH // 2).any():
            raise ValueError("the benchmark's registers don't reset")
    total = np.empty(register.size)
    total[0] = register[0]
    np.cumsum(rises, out=total[1:])
    total[1:] += register[0]
    return total


def integrate_numpy(load: Load) -> Sums:
    """Integrate in numpy float64: interpolate the cumulative energy at the slot boundaries."""
    times = load.times_ms
    if (np.diff(times) <= 0).any():
        raise ValueError("the benchmark's times rise")
    first = int(times[0]) // SLOT_MS * SLOT_MS
    edges = np.arange(first, int(times[-1]) + 1, SLOT_MS, dtype=np.int64)
    factors = load.factors[np.searchsorted(load.factor_starts_ms, edges[:-1], side="right") - 1].astype(np.float64)

    def direction(register: Ints) -> tuple[Floats, Floats, Floats, Floats]:
        total = np.interp(edges, times, _unroll(register))
        energy = np.diff(total)
        carbon = energy * factors / 1000
        return energy, total[1:], carbon, np.cumsum(carbon)

    forward, forward_total, carbon_forward, carbon_forward_total = direction(load.forward_mwh)
    reverse, reverse_total, carbon_reverse, carbon_reverse_total = direction(load.reverse_mwh)
    return Sums(
        forward,
        reverse,
        forward_total,
        reverse_total,
        carbon_forward,
        carbon_reverse,
        carbon_forward_total,
        carbon_reverse_total,
    )


def check_agreement(exact: Sums, floating: Sums) -> None:
    """Raise AssertionError unless both agree to float precision (the core floors to 1 mWh at boundaries, to 1 µg)."""
    for name in ("forward", "reverse", "forward_total", "reverse_total"):
        assert np.allclose(getattr(exact, name), getattr(floating, name), rtol=1e-12, atol=1.01), name
    for name in ("carbon_forward_total", "carbon_reverse_total"):
        ours, theirs = getattr(exact, name), getattr(floating, name)
        # A floored mWh moves between neighbouring slots, at most at the highest factor (0.9 kg/kWh = 900 µg/mWh).
        assert np.allclose(ours, theirs, rtol=1e-9, atol=900.0 * ours.size**0.5 + 901), name


def _interleaved(first: Callable[[], T], second: Callable[[], T], rounds: int) -> tuple[float, float]:
    """Return the best times of two functions run in turn, so that both see the same machine."""
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for index, function in enumerate((first, second)):
            started = time.perf_counter()
            function()
            best[index] = min(best[index], time.perf_counter() - started)
    return best[0], best[1]


def _measure(title: str, step_ms: int, offset_ms: int, steps: int, rounds: int) -> str:
    load = make_load(step_ms, offset_ms, steps)
    schedule = diantan_core.FactorSchedule()
    schedule.extend(load.factor_starts_ms.tolist(), load.factors.tolist())
    check_agreement(integrate_core(load, schedule), integrate_numpy(load))
    core_s, numpy_s = _interleaved(lambda: integrate_core(load, schedule), lambda: integrate_numpy(load), rounds)
    rate = steps / core_s
    verdict = "meets" if rate >= TARGET_PER_S and core_s <= numpy_s else "MISSES"
    return (
        f"integration, {title}: core {rate / 1e6:.1f} M steps/s, numpy float64 {steps / numpy_s / 1e6:.1f} M steps/s, "
        f"ratio {numpy_s / core_s:.2f} ({verdict} the target of {TARGET_PER_S / 1e6:.0f} M/s and of numpy)"
    )


def run() -> list[str]:
    """Measure and return the lines to print."""
    every = (SLOT_MS, SLOT_MS // 2)  # 7.5 min off the slots: every step is split
    return [
        _measure("a meter's year a call, 60 s steps, 15 min slots", 60_000, 0, YEAR_MS // 60_000, ROUNDS),
        _measure("a meter's year a call, every step split", *every, YEAR_MS // SLOT_MS, ROUNDS),
        _measure("a million steps a call, every step split", *every, LARGE_STEPS, LARGE_ROUNDS),
    ]


if __name__ == "__main__":
    print("\n".join(run()))
