"""Carbon balance: its tolerance term by term, and what it finds beyond the balance of energy."""

from dataclasses import replace
from decimal import Decimal
from math import sqrt

import pytest
from checks_support import SLOTS, Centre, day, first, slots_of
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, station_model
from sqlalchemy import Engine

from cloud_receiver.checks.carbon_balance import SlotCarbon, judge, of, of_slot, total
from cloud_receiver.checks.model import AdjustmentRow, Context, IntervalRow, Slot
from cloud_receiver.checks.tolerance import SlotEnergy
from cloud_receiver.registry import Auxiliary, Loss, Registry, Station
from wire.records import FactorQuality, IntervalRecord

KWH = 1_000_000
CHARGER, GRID = 1, 2


def context(station: Station) -> Context:
    return Context(1, station, dict(enumerate(station.meter, 1)), {})


def pair(number: int, factor: int, charger: int = 10 * KWH, grid: int = 10 * KWH) -> tuple[SlotEnergy, SlotCarbon]:
    carbon: SlotCarbon = {
        "factor": factor,
        "chargers_ug": charger * factor // 1000,
        "auxiliary_ug": 0,
        "grid_ug": grid * factor // 1000,
        "records": 2,
    }
    return SlotEnergy(DAY_MS + number * SLOT_MS, {CHARGER: (charger, 0), GRID: (grid, 0)}), carbon


def test_each_term_of_one_slot_is_that_of_energy_times_the_factor() -> None:
    station = context(station_model(1))
    result = judge(station, of(station, [pair(0, 500_000)]), 2.0)
    assert result is not None
    kg = 500_000_000  # of one kWh, in µg
    assert result.terms_ug == {
        "accuracy_class": round(10 * kg * sqrt(0.01**2 + 0.005**2) / sqrt(3)),
        "register_step": round(0.01 * kg * sqrt(2) / sqrt(3)),
        "time": round(60 * kg * 2 / 3600 * sqrt(2) / sqrt(3)),
        "loss": 0,
        "auxiliary": 0,
        "conversion": 0,
    }
    assert result.tolerance_ug == pytest.approx(2 * sqrt(sum(each**2 for each in result.terms_ug.values())) + 2, abs=3)
    assert (result.imbalance_ug, result.rest_ug, result.within, result.by_energy) == (0, 0, True, True)


def test_a_factor_that_changes_lets_registers_act_at_the_change() -> None:
    station = context(station_model(1))

    def step(*factors: int) -> int:
        result = judge(station, of(station, [pair(number, factor) for number, factor in enumerate(factors)]), 2.0)
        assert result is not None
        return result.terms_ug["register_step"]

    assert step(500_000, 500_000, 500_000) == step(500_000)
    edges = 500_000**2 + 300_000**2 + 200_000**2
    # Two registers of 0.01 kWh, each reading with half the variance of a difference, in µg.
    expected = sqrt(2) * 0.01 * KWH / sqrt(3) * sqrt(edges / 2) / 1000
    assert step(500_000, 300_000) == pytest.approx(expected, abs=1)


def test_days_add_up_as_if_they_were_one_run() -> None:
    station = context(station_model(1))
    factors = [500_000, 480_000, 530_000, 530_000, 610_000, 300_000]
    pairs = [pair(number, factor, 10 * KWH + number, 10 * KWH) for number, factor in enumerate(factors)]
    whole = judge(station, of(station, pairs), 2.0)
    parts = judge(station, total([of(station, pairs[:2]), of(station, pairs[2:5]), of(station, pairs[5:])]), 2.0)
    assert whole == parts


def test_loss_and_auxiliary_have_the_factor_of_their_slot() -> None:
    station = context(station_model(1, loss=Loss(fixed_w=Decimal(40)), auxiliary=Auxiliary(load_w=Decimal(400))))
    result = judge(station, of(station, [pair(0, 500_000), pair(1, 300_000)]), 2.0)
    assert result is not None
    assert result.loss_ug == 10_000 * 800_000 // 1000
    assert result.auxiliary_ug == 100_000 * 800_000 // 1000
    assert result.terms_ug["loss"] == round(result.loss_ug * 0.30 / sqrt(3))
    assert result.terms_ug["auxiliary"] == round(result.auxiliary_ug * 0.20 / sqrt(3))


def test_conversion_has_the_factor_of_its_slot() -> None:
    known = {"dc_output": True, "dc_efficiency_percent": "96", "dc_efficiency_uncertainty_percent": "1"}
    charger, grid = station_model(1).meter
    charger = type(charger).model_validate(charger.model_dump(exclude_unset=True) | known)
    station = context(station_model(1).model_copy(update={"meter": (charger, grid)}))
    pairs = [pair(0, 500_000, 9_600_000), pair(1, 400_000, 4_800_000, 5 * KWH)]
    result = judge(station, of(station, pairs), 2.0)
    assert result is not None
    assert (result.conversion_ug, result.imbalance_ug, result.by_energy) == (280_000_000, 0, True)
    assert result.terms_ug["conversion"] == round((10 * 500_000 + 5 * 400_000) * 1000 / 96 / sqrt(3))


def test_what_energy_explains_is_told_apart() -> None:
    station = context(station_model(1))
    energy_too = judge(station, of(station, [pair(0, 500_000, 12 * KWH)]), 2.0)
    assert energy_too is not None
    assert (energy_too.within, energy_too.by_energy, energy_too.rest_ug) == (False, True, 0)
    slot, carbon = pair(0, 500_000)
    carbon["chargers_ug"] += 10**9
    only_carbon = judge(station, of(station, [(slot, carbon)]), 2.0)
    assert only_carbon is not None
    assert (only_carbon.within, only_carbon.by_energy, only_carbon.rest_ug) == (False, False, 10**9)


def test_a_station_without_a_grid_side_has_no_carbon_balance() -> None:
    station = station_model(1)
    assert (
        judge(context(station.model_copy(update={"meter": station.meter[:1]})), of(context(station), []), 2.0) is None
    )


def row(meter: int, factor: int | None, energy: int = KWH) -> IntervalRow:
    carbon = energy * (factor or 0) // 1000
    return IntervalRow(DAY_MS, meter, 1, meter, SLOT_MS, energy, 0, 0, 0, factor, 0, carbon, 0, 0, 0, 15, 0)


def slot(rows: list[IntervalRow], dispatched: int | str | None = "none", *, late: bool = True) -> Slot:
    known: dict[int, int | None] = {} if isinstance(dispatched, str) else {DAY_MS: dispatched}
    return Slot(DAY_MS, rows, [], [], known, {}, {DAY_MS} if late else set(), past_deadline=True)


def carbon_of(item: Slot) -> SlotCarbon | None:
    station = context(station_model(1))
    return of_slot(item, station, {each.meter: [each] for each in item.rows}, SLOT_MS)


def test_the_factor_is_the_one_dispatched_else_that_of_the_grid_side() -> None:
    rows = [row(CHARGER, 400_000), row(GRID, 500_000)]
    for dispatched, factor in ((600_000, 600_000), ("none", 500_000)):
        found = carbon_of(slot(rows, dispatched))
        assert found is not None
        assert (found["factor"], found["chargers_ug"], found["grid_ug"]) == (factor, 400_000_000, 500_000_000)
    assert carbon_of(slot(rows, None)) is None
    assert carbon_of(slot([row(CHARGER, None), row(GRID, None)])) is None


def test_there_is_no_balance_while_a_factor_may_still_be_settled() -> None:
    rows = [row(CHARGER, 400_000), row(GRID, 500_000)]
    assert carbon_of(slot(rows, 500_000, late=False)) is None
    assert carbon_of(slot([row(CHARGER, 500_000), rows[1]], 500_000, late=False)) is not None
    changed = slot(rows, 500_000, late=False)
    changed.adjustments = [AdjustmentRow(DAY_MS, CHARGER, 1, 9, SLOT_MS, KWH, 0, 400_000, 500_000, 100_000_000, 0)]
    found = carbon_of(changed)
    assert found is not None
    assert (found["chargers_ug"], found["records"]) == (500_000_000, 3)


@pytest.fixture
def centre(engine: Engine, gateway: FakeGateway, registry: Registry) -> Centre:
    result = Centre(engine, gateway, registry)
    result.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    return result


def with_factor(record: IntervalRecord, factor: int) -> IntervalRecord:
    carbon = record.forward_mwh * factor // 1000
    return replace(record, factor=factor, factor_quality=FactorQuality.HELD, carbon_forward_ug=carbon)


def test_a_charger_that_goes_on_with_another_factor_is_found_by_carbon_alone(centre: Centre) -> None:
    centre.store([with_factor(each, 700_000) if each.meter == "C02" else each for each in day()])
    found = {item.kind: item for item in centre.check() if "balance" in item.kind}
    assert set(found) == {"carbon_balance_slot", "carbon_balance_day"}
    whole = first(found["carbon_balance_day"])
    energy = sum(each.forward_mwh for each in day() if each.meter == "C02")
    assert whole["not_of_energy_ug"] == pytest.approx(energy * (700_000 - FACTOR) / 1000, rel=1e-6)
    assert whole["imbalance_ug"] > whole["tolerance_ug"]
    assert found["carbon_balance_day"].severity == "alarm"
    assert all(each["factor"] == FACTOR for each in found["carbon_balance_slot"].evidence["details"])
    assert len(slots_of(found["carbon_balance_slot"])) >= 5


def test_an_imbalance_of_energy_is_not_told_twice(centre: Centre) -> None:
    centre.store(list(day(dict.fromkeys(("C01", "C02", "C03"), 30))))
    assert {item.kind for item in centre.check() if "balance" in item.kind} == {"balance_slot", "balance_day"}


def test_one_slot_a_little_beyond_is_no_finding(centre: Centre) -> None:
    busy = next(each for each in day() if each.meter == "C01" and each.forward_mwh)
    centre.store([with_factor(each, FACTOR + 15_000) if each is busy else each for each in _same(day(), busy)])
    found = [item for item in centre.check() if "carbon_balance" in item.kind]
    assert found == []


def _same(records: list[IntervalRecord], busy: IntervalRecord) -> list[IntervalRecord]:
    return [busy if each == busy else each for each in records]
