"""The estimate of each charger's error from a day's balanced slots, against stations whose errors are known."""

import random
from decimal import Decimal

import pytest
from receiver_support import DAY_MS, SLOT_MS, station_model

from cloud_receiver.checks.model import Context
from cloud_receiver.checks.suspect import estimates, suspects
from cloud_receiver.checks.tolerance import SlotEnergy
from cloud_receiver.registry import Auxiliary, Station

CHARGERS = 8
STEP = 10_000  # 0.01 kWh


def context(station: Station) -> Context:
    return Context(1, station, dict(enumerate(station.meter, 1)), {})


def day(seed: int, gains: dict[int, float], *, common: float = 0.0, auxiliary_mwh: int = 0) -> list[SlotEnergy]:
    """Return a day of energies cut to register steps; meters err within their class, and by `gains` where given."""
    draw = random.Random(seed)
    error = {number: gains.get(number, draw.gauss(0, 0.0035)) + common for number in range(1, CHARGERS + 1)}
    grid_error = draw.gauss(0, 0.001)
    left = dict.fromkeys(error, 0)
    power = dict.fromkeys(error, 0)
    registers = dict.fromkeys([*error, CHARGERS + 1], 0.0)
    slots = []
    for slot in range(96):
        energy: dict[int, tuple[int, int]] = {}
        true = {}
        for number in error:
            if left[number] == 0 and draw.random() < 0.12:
                left[number], power[number] = draw.randrange(2, 7), draw.randrange(4, 15) * 1_000_000
            true[number] = power[number] if left[number] else 0
            left[number] = max(left[number] - 1, 0)
        total = sum(true.values()) + auxiliary_mwh
        shown = {number: value * (1 + error[number]) for number, value in true.items()}
        for number, value in (shown | {CHARGERS + 1: total * (1 + grid_error)}).items():
            before = registers[number] // STEP
            registers[number] += value
            energy[number] = (int(registers[number] // STEP - before) * STEP, 0)
        slots.append(SlotEnergy(DAY_MS + slot * SLOT_MS, energy))
    return slots


@pytest.mark.parametrize("seed", range(20))
def test_chargers_within_their_class_are_not_suspected(seed: int) -> None:
    assert suspects(context(station_model(CHARGERS)), day(seed, {}), 2.0, 5) == {}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("gain", [0.04, -0.04])
def test_the_one_that_is_beyond_is_found_and_no_other(seed: int, gain: float) -> None:
    found = suspects(context(station_model(CHARGERS)), day(seed, {3: gain}), 2.0, 5)
    assert list(found) == [3]
    assert found[3]["meter"] == "C03"
    assert found[3]["apparent_error_percent"] == pytest.approx(
        100 * gain, abs=3 * found[3]["standard_uncertainty_percent"]
    )


def test_the_stated_uncertainty_covers_the_truth() -> None:
    station = context(station_model(CHARGERS))
    hits = total = 0
    for seed in range(30):
        for item in estimates(station, day(seed, dict.fromkeys(range(1, CHARGERS + 1), 0.005))):
            total += 1
            hits += abs(item.error - 0.5) <= 2 * item.uncertainty
    assert hits / total >= 0.95


def test_an_error_of_all_chargers_alike_accuses_none() -> None:
    assert suspects(context(station_model(CHARGERS)), day(1, {}, common=0.05), 2.0, 5) == {}


def test_an_auxiliary_load_other_than_modelled_accuses_none() -> None:
    station = context(station_model(CHARGERS, auxiliary=Auxiliary(load_w=Decimal(1000))))
    assert suspects(station, day(2, {}, auxiliary_mwh=290_000), 2.0, 5) == {}


def test_a_charger_that_hardly_charged_is_not_judged() -> None:
    assert suspects(context(station_model(CHARGERS)), day(3, {3: 0.1}), 2.0, 97) == {}
    assert suspects(context(station_model(CHARGERS)), [], 2.0, 5) == {}
