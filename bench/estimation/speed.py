"""How long it takes: a station of 20 chargers and 90 days, and the daily update of very many."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import numpy as np

from bench.estimation import branches, least_squares, nights, voltages
from bench.estimation.readings import Conditions, Shown, Truth, drawn_errors, read
from bench.estimation.scenarios import SCENARIOS, SEED, tell, windows_of
from bench.estimation.sites import DC, station
from diantan_core import DropMeter, ErrorWindows, voltage_drop

ROUNDS = 15
TARGET_MS, TARGET_S, STATIONS = 50.0, 600.0, 50_000
HISTORY_DAYS, SAMPLE_DAYS = 30, 60
_DAY_ROWS = 96
T = TypeVar("T")


def measure(processes: int) -> list[str]:
    """Measure and return the lines to print."""
    shown, truth = _station(0, 90)
    meters, master, times_ms = _meters(shown, truth)
    drops, _ = _timed(lambda: voltage_drop(times_ms, meters, master))
    estimator = tell(SCENARIOS["B90"], shown, truth, np.random.default_rng(SEED))
    windows = windows_of(shown)
    ours, found = _timed(lambda: estimator.estimate(windows))
    behind = _behind_conversions()
    building, _ = _timed(lambda: windows_of(shown))
    peer, theirs = _timed(lambda: least_squares.generalised(shown))
    error = np.array([one.error for one in found.chargers])
    off = [100 * float(np.abs(each - truth.errors).mean()) for each in (error, theirs)]
    with ProcessPoolExecutor(processes) as pool:
        samples = list(pool.map(_daily, range(processes)))
    days = sum(count for count, _, _ in samples)
    cpu = 1000 * sum(used for _, used, _ in samples) / days
    wall = 1000 * max(took for _, _, took in samples) / days
    by_cpu, by_wall = (each * STATIONS / 1000 for each in (cpu / processes, wall))
    best = min(ours)
    return [
        f"speed, 20 chargers, 90 d, {len(windows)} windows, one core, CPU time of {ROUNDS} runs:",
        f"  estimate: {_text(ours)}, mean error {off[0]:.3f} %; target {TARGET_MS:.0f} ms: {_verdict(best, TARGET_MS)}",
        (
            f"  estimate where chargers meter their output: {_text(behind)}; target {TARGET_MS:.0f} ms: "
            f"{_verdict(min(behind), TARGET_MS)}"
        ),
        f"  windows from registers and orders: {_text(building)}",
        f"  branches from voltages of chargers and master: {_text(drops)}",
        f"  numpy and scipy, one build and solution of the same equations: {_text(peer)}, mean error {off[1]:.3f} %",
        f"daily update after {HISTORY_DAYS} d: state in, push of {_DAY_ROWS} windows, estimate, state out:",
        f"  {days} of them in {processes} processes: {cpu:.1f} ms CPU each; one in {wall:.1f} ms by the wall clock",
        (
            f"  extrapolated to {STATIONS} stations on {processes} cores: {by_cpu:.0f} s by CPU time, {by_wall:.0f} s "
            f"by the wall clock of this machine, which does other work; target {TARGET_S:.0f} s: "
            f"{_verdict(by_cpu, TARGET_S)}"
        ),
        *nights.measure(),
    ]


def _station(number: int, days: int, spread: float | None = None) -> tuple[Shown, Truth]:
    """Return what a station shows, and its truth; `spread`: of conversions, where chargers meter their output."""
    dice = np.random.default_rng([SEED, number])
    errors = drawn_errors(DC.chargers, dice)
    return read(station(DC, days, dice), errors, Conditions(days=days, conversion_spread=spread), dice)


def _behind_conversions() -> list[float]:
    row = SCENARIOS["dc-output-0.4"]
    shown, truth = _station(0, row.conditions.days, row.conditions.conversion_spread)
    estimator = tell(row, shown, truth, np.random.default_rng(SEED))
    windows = windows_of(shown)
    taken, _ = _timed(lambda: estimator.estimate(windows))
    return taken


def _meters(shown: Shown, truth: Truth) -> tuple[list[DropMeter], DropMeter, list[int]]:
    dice = np.random.default_rng([SEED, 0])
    drawn_errors(DC.chargers, dice)
    mains = voltages.mains(station(DC, shown.conditions.days, dice), dice)
    means = voltages.show(mains, shown, truth, dice)
    return [branches.meter(each) for each in means.chargers], branches.meter(means.master), means.times_ms


def _daily(number: int) -> tuple[int, float, float]:
    """Return how many updates were done, and the seconds they took by CPU and by wall clock."""
    shown, truth = _station(number, HISTORY_DAYS + SAMPLE_DAYS)
    estimator = tell(SCENARIOS["B90"], shown, truth, np.random.default_rng(SEED))
    history = HISTORY_DAYS * _DAY_ROWS
    whole = _cut(shown, 0, history)
    daily = estimator.begin(estimator.estimate(whole))
    daily.push(whole)
    state = daily.state
    days = [_cut(shown, first, first + _DAY_ROWS) for first in range(history, len(shown.times_ms) - 1, _DAY_ROWS)]
    cpu, wall = time.process_time(), time.perf_counter()
    for day in days:
        daily = estimator.restore(state)
        daily.push(day)
        daily.estimate()
        state = daily.state
    return len(days), time.process_time() - cpu, time.perf_counter() - wall


def _cut(shown: Shown, first: int, last: int) -> ErrorWindows:
    rows = slice(first, last + 1)
    from_ms, until_ms = shown.times_ms[first], shown.times_ms[last]
    sessions = [
        [each for each in spans if each[0] < until_ms and each[1] > from_ms] for spans in shown.sessions_ms or []
    ]
    return ErrorWindows.from_registers(
        shown.times_ms[rows],
        shown.master[rows].data,
        [column[rows].data for column in shown.chargers],
        sessions_ms=sessions,
    )


def _timed(run: Callable[[], T]) -> tuple[list[float], T]:
    taken, found = [], run()
    for _ in range(ROUNDS):
        began = time.process_time()
        found = run()
        taken.append(1000 * (time.process_time() - began))
    return taken, found


def _text(taken: list[float]) -> str:
    return f"{min(taken):.1f} ms at best, {statistics.median(taken):.1f} ms in the middle"


def _verdict(value: float, target: float) -> str:
    return "met" if value <= target else f"missed by a factor of {value / target:.2g}"
