"""The Python face of the voltage drop: from means to a branch's loss, into the estimator, and hostile input."""

import math
import random
import sys
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from diantan_core import (
    CoreError,
    DropBranch,
    DropEstimation,
    DropMeter,
    ErrorCharger,
    ErrorEstimator,
    ErrorWindows,
    EstimationError,
    voltage_drop,
)

QUARTER = 900_000
START = 1_767_196_800_000
ROWS = 10 * 96
TIMES = [START + row * QUARTER for row in range(ROWS)]
RESISTANCES = [10.0, 16.0, 25.0, 40.0]
"""Of the branches, in V²/kW."""
TRUNK = 1.5


def _end(volts: float, resistance: float, kw: float) -> float:
    """Return the voltage at the end of a cable that takes `kw` there."""
    return (volts + math.sqrt(volts * volts - 4 * resistance * kw)) / 2


class _Station:
    """Ten days of exact means: the bus wanders, each charger takes what it takes, the master is before the trunk."""

    def __init__(self, seed: int = 1, phases: Sequence[int | None] = (None,) * 4) -> None:
        dice = random.Random(seed)
        self.powers = [[dice.uniform(10, 60) if dice.random() < 0.2 else 0.03 for _ in TIMES] for _ in RESISTANCES]
        other = [dice.uniform(2, 30) for _ in TIMES]
        self.total = [sum(row) + more for *row, more in zip(*self.powers, other, strict=True)]
        self.grid = [[400 * dice.uniform(0.96, 1.04) for _ in TIMES] for _ in range(3)]
        buses = [
            [volts - TRUNK * kw / volts for volts, kw in zip(column, self.total, strict=True)] for column in self.grid
        ]
        mean = [sum(row) / 3 for row in zip(*buses, strict=True)]
        self.voltages = []
        for phase, resistance, powers in zip(phases, RESISTANCES, self.powers, strict=True):
            bus = mean if phase is None else buses[phase]
            self.voltages.append([_end(volts, resistance, kw) for volts, kw in zip(bus, powers, strict=True)])

    def losses(self) -> list[float]:
        """Losses at the voltages while charging, 1/kW."""
        return [
            sum(resistance * (kw / volts) ** 2 for volts, kw in zip(voltages, powers, strict=True))
            / sum(kw * kw for kw in powers)
            for resistance, voltages, powers in zip(RESISTANCES, self.voltages, self.powers, strict=True)
        ]

    def chargers(self) -> list[DropMeter]:
        """Return the meters of the chargers."""
        return [DropMeter([volts], kw) for volts, kw in zip(self.voltages, self.powers, strict=True)]

    def master(self) -> DropMeter:
        """Return the meter of the grid side."""
        return DropMeter(self.grid, self.total)


def _array(values: Sequence[float]) -> Any:
    """Return an array: mypy does not know that it lends a buffer."""
    return np.array(values)


def _key(found: DropEstimation) -> list[tuple[float | None, float, str, int, str | None]]:
    return [(one.loss, one.u, one.reference, one.quarters, one.reason) for one in found.branches]


def test_losses_and_the_trunk_of_exact_means() -> None:
    station = _Station()
    for master in (None, station.master()):
        found = voltage_drop(TIMES, station.chargers(), master)
        for branch, loss in zip(found.branches, station.losses(), strict=True):
            assert branch.loss == pytest.approx(loss, rel=2e-3)
            assert 0 < branch.u < 5e-3 * loss
            assert (branch.reference, branch.quarters, branch.reason) == ("mean", ROWS, None)
    assert found.trunk is not None
    assert found.trunk[0] == pytest.approx(TRUNK / 400**2, rel=0.01)
    assert voltage_drop(TIMES, station.chargers()).trunk is None


def test_lists_buffers_and_arrays_are_the_same() -> None:
    station = _Station(2)
    plain = _key(voltage_drop(TIMES, station.chargers(), station.master()))
    chargers = [
        DropMeter((array("d", volts),), array("d", kw))
        for volts, kw in zip(station.voltages, station.powers, strict=True)
    ]
    assert _key(voltage_drop(array("q", TIMES), chargers, station.master())) == plain
    chargers = [
        DropMeter([_array(volts)], _array(kw)) for volts, kw in zip(station.voltages, station.powers, strict=True)
    ]
    master = DropMeter([_array(column) for column in station.grid], _array(station.total))
    assert _key(voltage_drop(_array(TIMES), chargers, master, utc_offset_minutes=480)) == plain
    gaps: list[list[float | None]] = [
        [None if row % 7 == 0 else volts for row, volts in enumerate(station.voltages[0])]
    ]
    nans = [[math.nan if row % 7 == 0 else volts for row, volts in enumerate(station.voltages[0])]]
    by_gaps = voltage_drop(TIMES, [DropMeter(gaps, station.powers[0]), *station.chargers()[1:]])
    by_nans = voltage_drop(TIMES, [DropMeter(nans, station.powers[0]), *station.chargers()[1:]])
    assert _key(by_gaps) == _key(by_nans)
    assert by_gaps.branches[0].quarters == ROWS - math.ceil(ROWS / 7)


def test_each_charger_names_the_phase_it_follows() -> None:
    station = _Station(3, (2, 0, None, 1))
    found = voltage_drop(TIMES, station.chargers(), station.master())
    assert [branch.reference for branch in found.branches] == ["c", "a", "mean", "b"]


def test_three_voltages_of_a_charger_are_their_mean() -> None:
    station = _Station(4)
    own = station.voltages[1]
    phases = [[volts * factor for volts in own] for factor in (0.5, 1.0, 2.0)]
    chargers = station.chargers()
    plain = voltage_drop(TIMES, chargers).branches[1]
    chargers[1] = DropMeter(phases, station.powers[1])
    found = voltage_drop(TIMES, chargers).branches[1]
    assert plain.loss is not None
    assert found.loss == pytest.approx(plain.loss, rel=1e-6)


def test_what_nothing_can_be_said_of_has_a_reason_and_no_bound() -> None:
    station = _Station(5)
    chargers = station.chargers()
    chargers[0] = DropMeter([[math.nan] * ROWS], station.powers[0])
    chargers[1] = DropMeter([[231.0] * ROWS], station.powers[1])
    chargers[2] = DropMeter([station.voltages[2]], [0.0] * ROWS)
    chargers[3] = DropMeter([station.voltages[3]], [1000 * kw for kw in station.powers[3]])
    found = voltage_drop(TIMES, [*chargers, *_Station(6).chargers()[:1]], station.master())
    assert [branch.reason for branch in found.branches[:4]] == ["few_quarters", "frozen", "constant_power", "power"]
    for branch in found.branches[:4]:
        assert branch.loss is None
        assert branch.u == math.inf
    alone = voltage_drop(TIMES, station.chargers()[:1])
    assert [branch.reason for branch in alone.branches] == ["no_bus"]
    assert repr(alone) == "<DropEstimation: 0 of 1 branches>"
    assert repr(alone.branches[0]) == "<DropBranch: no_bus>"
    assert repr(station.master()) == f"<DropMeter: {ROWS} quarters>"
    assert len(station.master()) == ROWS
    assert voltage_drop([], []).branches == []


def test_a_reversed_meter_is_negative_and_never_a_loss() -> None:
    station = _Station(7)
    chargers = station.chargers()
    chargers[2] = DropMeter([station.voltages[2]], [-kw for kw in station.powers[2]])
    found = voltage_drop(TIMES, chargers, station.master())
    assert [branch.reason for branch in found.branches] == [None, None, "negative", None]


@pytest.mark.parametrize(
    ("voltages", "power", "match"),
    [
        ([], [], "0 columns of voltages: expected 1 or 3"),
        ([[1.0], [1.0]], [1.0], "2 columns of voltages"),
        ([[1.0]] * 10_000, [1.0], "10000 columns"),
        ([[1.0, 2.0]], [1.0], "voltages 0: expected 1 values as of power_kw, got 2"),
        ([[0.0] * 40_001], [0.0] * 40_001, "40001 quarters: expected at most 40000"),
        ([np.zeros((2, 2))], [1.0, 2.0], "voltages 0: expected one dimension"),
        ([np.zeros(2, dtype=np.float32)], [1.0, 2.0], "voltages 0: expected one dimension of 64-bit"),
        ([[1.0, 2.0]], np.zeros(2, dtype=">f8" if sys.byteorder == "little" else "<f8"), "power_kw: expected"),
    ],
)
def test_meters_that_are_none_are_refused(voltages: Any, power: Any, match: str) -> None:
    with pytest.raises(EstimationError, match=match):
        DropMeter(voltages, power)


def test_what_does_not_fit_together_is_refused() -> None:
    one = DropMeter([[230.0]], [1.0])
    two = DropMeter([[230.0, 231.0]], [1.0, 2.0])
    with pytest.raises(EstimationError, match="charger 1: expected 1 quarters, got 2"):
        voltage_drop([0], [one, two])
    with pytest.raises(EstimationError, match="master: expected 1 quarters, got 2"):
        voltage_drop([0], [one], two)
    with pytest.raises(EstimationError, match="times_ms 1: 5 ms is not after 5 ms"):
        voltage_drop([5, 5], [two])
    with pytest.raises(EstimationError, match="utc_offset_minutes = 1441"):
        voltage_drop([0], [one], utc_offset_minutes=1441)
    with pytest.raises(EstimationError, match="513 chargers: expected at most 512"):
        voltage_drop([0], [one] * 513)
    assert issubclass(EstimationError, CoreError)


@pytest.mark.parametrize(
    "call",
    [
        lambda: DropMeter(None, [1.0]),  # type: ignore[arg-type]  # the point of the test
        lambda: DropMeter([["a"]], [1.0]),  # type: ignore[list-item]  # the point of the test
        lambda: DropMeter([[1.0]], [b""]),  # type: ignore[list-item]  # the point of the test
        lambda: voltage_drop([0], [None]),  # type: ignore[list-item]  # the point of the test
        lambda: voltage_drop(["0"], []),  # type: ignore[list-item]  # the point of the test
        lambda: voltage_drop([2**63], []),
        lambda: voltage_drop([0], [], utc_offset_minutes=2**40),
    ],
)
def test_other_types_are_refused_without_a_panic(call: Any) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        call()


@pytest.mark.parametrize("seed", range(20))
def test_wild_numbers_never_break_it(seed: int) -> None:
    dice = random.Random(seed)
    wild = [0.0, -0.0, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 1e-30, 230.0, -230.0, 2.0**63]

    def column() -> list[float]:
        few = dice.sample(wild, 3)
        return [dice.choice(few) if dice.random() < 0.3 else dice.uniform(200, 250) for _ in range(200)]

    times = (
        sorted({dice.randrange(-(2**62), 2**62) for _ in range(200)})
        if seed % 2
        else [row * QUARTER for row in range(200)]
    )
    chargers = [DropMeter([column()], column()) for _ in range(4)]
    master = DropMeter([column() for _ in range(dice.choice([1, 3]))], column())
    found = voltage_drop(times, chargers, master, utc_offset_minutes=dice.choice([-1440, 0, 1440]))
    for branch in found.branches:
        assert isinstance(branch, DropBranch)
        assert (branch.loss is None) == (branch.reason is not None) == (branch.u == math.inf)
        assert branch.loss is None or math.isfinite(branch.loss)


def _windows(losses: Sequence[float]) -> ErrorWindows:
    """Windows of the same station, whose chargers are right."""
    station = _Station(8)
    energies = [[kw / 4 for kw in powers] for powers in station.powers]
    master = [
        sum(kwh * (1 + loss * 4 * kwh) for kwh, loss in zip(row, losses, strict=True))
        for row in zip(*energies, strict=True)
    ]
    return ErrorWindows.from_energies([*TIMES, TIMES[-1] + QUARTER], master, energies)


def test_a_measured_branch_goes_into_the_estimator() -> None:
    station = _Station(8)
    drop = voltage_drop(TIMES, station.chargers(), station.master())
    losses = station.losses()
    measured = [(branch.loss or 0.0, 0.05 * (branch.loss or 0.0)) for branch in drop.branches]
    windows = _windows(losses)
    design = sorted(losses)[1]

    def estimator(known: Sequence[tuple[float, float] | None]) -> ErrorEstimator:
        chargers = [ErrorCharger(branch_loss=design, branch_measured=own) for own in known]
        return ErrorEstimator(chargers, trunk_loss=0.0)

    plain, found = estimator([None] * 4).estimate(windows), estimator(measured).estimate(windows)
    for one, before, loss in zip(found.chargers, plain.chargers, losses, strict=True):
        assert one.branch_loss[0] == pytest.approx(loss, rel=0.1)
        assert one.branch_loss[1] < before.branch_loss[1]
        assert one.u < before.u
    sums = estimator(measured).begin(found)
    sums.push(windows)
    assert estimator(measured).restore(sums.state).state == sums.state
    with pytest.raises(EstimationError, match="made with other settings"):
        estimator([None, *measured[1:]]).restore(sums.state)
    for value, u in [(-1e-9, 1e-6), (math.nan, 1e-6), (1e-4, 0.0), (1e-4, math.inf)]:
        with pytest.raises(EstimationError, match="charger 1: branch_measured"):
            estimator([None, (value, u), None, None]).estimate(windows)
