"""Means of power that are another meter's, or of another size, are told from those of a coarse or late register."""

import random
from collections.abc import Sequence
from decimal import Decimal
from math import nan
from zoneinfo import ZoneInfo

import pytest
from drops_support import DESIGN, QUARTERS, Wired, blocks_of, sent, wired
from estimation_support import DAY, LENGTH, Site
from receiver_support import SLOT_MS, station_model
from wired_faults_support import COUNT, ERRORS, ODD, SPLIT, Faulty, estimated, relabelled, renewed
from wired_faults_support import filled as faulty

from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.estimation.powers import mismatched
from cloud_receiver.estimation.registers import RegisterHistory, Registers
from cloud_receiver.estimation.text import report
from cloud_receiver.registry import Meter

DAYS = 10
GRID = range(DAY, DAY + DAYS * LENGTH, SLOT_MS)
KWH = 1_000_000
ZONE = ZoneInfo("Asia/Shanghai")


def meter(kw: float, step_kwh: str = "0.01", **changes: object) -> Meter:
    told = {"rated_kw": Decimal(str(kw)), "resolution_kwh": Decimal(step_kwh)} | changes
    return station_model(1).meter[0].model_copy(update=told)


def coarse(rows: Sequence[IntervalRow], step_mwh: int) -> list[IntervalRow]:
    """Return rows by a register that shows whole steps."""
    found = []
    for row in rows:
        last, first = (
            total // step_mwh * step_mwh for total in (row.forward_total_mwh, row.forward_total_mwh - row.forward_mwh)
        )
        found.append(row._replace(forward_mwh=last - first, forward_total_mwh=last))
    return found


def histories(
    plant: Wired, *, late_minutes: int = 0, step_mwh: int = 10_000, inverted: bool = False
) -> list[RegisterHistory]:
    """Return what is known of each charger's register, by a clock that is late."""
    count = len(plant.power)
    on_time = plant.power
    plant.power = [[0.0] * late_minutes + own[: len(own) - late_minutes] for own in on_time]
    rows = plant.rows(range(count + 1), [0.0] * count)
    plant.power = on_time
    registers = Registers(inverted=range(count) if inverted else ())
    registers.add(coarse(rows, step_mwh))
    return [registers.of(number) for number in range(count)]


def lossy(told: Sequence[float], share: float, seed: int) -> list[float]:
    dice = random.Random(seed)
    return [nan if dice.random() < share else kw for kw in told]


@pytest.mark.parametrize("missing", [0.02, 0.2])
@pytest.mark.parametrize("late_minutes", [0, 3])
@pytest.mark.parametrize("step", ["0.01", "1", "told finer than it is"])
@pytest.mark.parametrize("kw", [(3.0, 3.6), (6.2, 7.0), (25.0, 58.0)])
def test_another_meters_power_is_told_from_a_coarse_late_and_lossy_register(
    kw: tuple[float, float], step: str, late_minutes: int, missing: float
) -> None:
    plant = Wired([DESIGN] * 4, days=DAYS, kw=kw)
    step_mwh = 10_000 if step == "0.01" else KWH
    told = meter(kw[1], "1" if step == "1" else "0.01")
    for charger, own in enumerate(histories(plant, late_minutes=late_minutes, step_mwh=step_mwh)):
        for other in range(4):
            powers = lossy(plant.kilowatts(other), missing, 10 * charger + other)
            assert mismatched(powers, GRID, own, told) == (other != charger), (charger, other)


def test_a_wrong_size_is_found_and_a_meter_that_counts_the_other_way_is_right() -> None:
    plant = Wired([DESIGN], days=DAYS)
    [own], powers = histories(plant), plant.kilowatts(0)
    turned = [-kw for kw in powers]
    assert mismatched([1.15 * kw for kw in powers], GRID, own, meter(7))
    assert not mismatched([1.05 * kw for kw in powers], GRID, own, meter(7))
    assert mismatched(turned, GRID, own, meter(7))
    [own] = histories(plant, inverted=True)
    assert not mismatched(turned, GRID, own, meter(7))
    assert mismatched(powers, GRID, own, meter(7))


def test_of_next_to_nothing_nothing_is_concluded() -> None:
    plant = Wired([DESIGN, DESIGN], days=DAYS, kw=(0.01, 0.02))
    assert not mismatched(plant.kilowatts(1), GRID, histories(plant)[0], meter(7))
    assert not mismatched([nan] * len(GRID), GRID, histories(Wired([DESIGN], days=DAYS))[0], meter(7))
    assert not mismatched(plant.kilowatts(0), GRID, RegisterHistory(), meter(7))


def similar(plant: Wired) -> None:
    """Let C02 and C03 sell the same, at other times."""
    power = plant.power[1]
    plant.power[2] = power[700:] + power[:700]
    renewed(plant)


EXCHANGED = {
    "voltages": Faulty(plant=similar, blocks_of=(0, 2, 1, 3, 4, 5)),
    "labels half-way": Faulty(plant=similar, rows=relabelled(SPLIT)),
    "nothing": Faulty(plant=similar),
}


@pytest.mark.parametrize("what", EXCHANGED)
def test_both_whose_voltages_or_labels_are_exchanged_are_taken_by_design(site: Site, what: str) -> None:
    """Of one that was noticed alone, the other had the wrong loss: 3.37 % for an error of 4 %, by 3.7 u."""
    faulty(site, EXCHANGED[what], voltages=True)
    said = estimated(site)
    reasons = [one.branch and one.branch.reason for one in said.chargers]
    odd = None if what == "nothing" else "power_mismatch"
    assert reasons == [None, odd, odd, None, None]
    if what != "labels half-way":  # each is the other from then on
        for one, error in zip(said.chargers, ERRORS, strict=True):
            assert one.error == pytest.approx(100 * error, abs=2 * one.u)
        assert [one.decision for one in said.chargers] == ["clear", "flag", "clear", "clear", "clear"]
    assert ("power and energies don't match 功率与电量不符: C02, C03" in report(said, ZONE)) == (odd is not None)


def test_coarse_registers_and_lossy_means_name_nobody(site: Site) -> None:
    site.enter(wired(COUNT))
    plant = Wired([DESIGN * times for times in ODD], days=DAYS)
    numbers = site.numbers()
    dice = random.Random(5)
    for place, number in enumerate(numbers):
        # A block's first and last quarter are known.
        means = [
            None if dice.random() < 0.1 and quarter % QUARTERS not in (0, QUARTERS - 1) else mean
            for quarter, mean in enumerate(plant.means(place))
        ]
        sent(site, number, blocks_of(means), first=1_000_000 * (place + 1))
    site.store(coarse(plant.rows(numbers, ERRORS), KWH))
    assert [one.branch and one.branch.reason for one in estimated(site).chargers] == [None] * COUNT
