"""The checks on the store: exactly the right findings, none on clean data, and late data that change them."""

import json
from dataclasses import replace

import pytest
from checks_support import CHARGERS, SLOTS, Centre, day, first, shown, slots_of
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, station_model
from sqlalchemy import Engine, select

from cloud_receiver import database, findings, schema
from cloud_receiver.checks.runner import Runner
from cloud_receiver.config import Checks
from cloud_receiver.registry import Registry
from wire.records import AdjustmentRecord, FactorQuality, IntervalRecord


@pytest.fixture
def centre(engine: Engine, gateway: FakeGateway, registry: Registry) -> Centre:
    result = Centre(engine, gateway, registry)
    result.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    return result


@pytest.mark.parametrize("seed", range(5))
def test_a_clean_day_has_no_finding(seed: int, centre: Centre) -> None:
    # Errors within the classes, register steps and all.
    centre.store(list(day({"C01": 5, "C02": -5, "C03": 3, "G": -2}, seed)))
    assert centre.check() == []
    with database.reading(centre.engine) as connection:
        done = connection.execute(select(schema.slot_check)).all()
        assert connection.execute(select(schema.dirty)).all() == []
    assert len(done) == SLOTS
    assert all(row.complete for row in done)


def test_a_charger_that_shows_3_percent_too_much(centre: Centre) -> None:
    centre.store(list(day({"C02": 30})))
    item, judged = centre.check()
    assert shown([item, judged]) == [("balance_slot", None), ("charger_error", "C02")]
    assert first(judged)["apparent_error_percent"] == pytest.approx(
        3, abs=3 * first(judged)["standard_uncertainty_percent"]
    )
    suspect = item.evidence["suspects"]
    assert isinstance(suspect, list)
    assert suspect[0]["meter"] == "C02"
    assert suspect[0]["apparent_error_percent"] == pytest.approx(3, abs=0.5)
    evidence = first(item)
    assert evidence["imbalance_mwh"] > evidence["tolerance_mwh"]
    assert evidence["imbalance_mwh"] == evidence["chargers_mwh"] - evidence["grid_mwh"]
    assert set(evidence["standard_uncertainty_mwh"]) == {
        *("accuracy_class", "register_step", "time", "loss", "auxiliary", "conversion")
    }
    assert "C02" in evidence["active"]


def test_a_tampered_carbon_value(centre: Centre) -> None:
    records = day()
    place = next(place for place, record in enumerate(records) if record.meter == "C01" and record.forward_mwh)
    records[place] = replace(records[place], carbon_forward_ug=records[place].carbon_forward_ug + 2)
    centre.store(list(records))
    found = centre.check()
    # The register no longer fits either: carbon before + carbon of the interval is not carbon after.
    assert shown(found) == [("carbon_arithmetic", "C01"), ("register_discontinuity", "C01")]
    assert first(found[0])["difference_ng"] == pytest.approx(2000, abs=999)
    assert found[0].severity == "alarm"


def test_a_factor_that_was_not_dispatched(centre: Centre) -> None:
    records = day()
    place = next(
        place
        for place, record in enumerate(records)
        if record.meter == "C03" and record.start_ms == DAY_MS + SLOT_MS * 40
    )
    old = records[place]
    records[place] = replace(old, factor=FACTOR + 1, carbon_forward_ug=old.forward_mwh * (FACTOR + 1) // 1000)
    centre.store(list(records))
    found = [item for item in centre.check() if item.kind != "register_discontinuity"]
    assert shown(found) == [("factor_mismatch", "C03")]
    assert (first(found[0])["factor_used"], first(found[0])["dispatched"]) == (FACTOR + 1, FACTOR)
    assert slots_of(found[0]) == ["2026-07-01T10:00:00+08:00"]


def test_a_missing_meter_is_one_finding_until_it_comes(centre: Centre) -> None:
    records = day()
    late = [record for record in records if record.meter == "C02"]
    centre.store([record for record in records if record.meter != "C02"])
    (item,) = centre.check()
    assert shown([item]) == [("missing_intervals", "C02")]
    assert len(slots_of(item)) == SLOTS
    assert item.evidence["count"] == SLOTS
    centre.store(list(late))
    assert centre.check() == []
    (closed,) = centre.check(closed=True)
    assert closed.state == "closed"


def test_nothing_is_missing_before_the_deadline(centre: Centre) -> None:
    centre.clock.wall_ms = DAY_MS + 10 * SLOT_MS
    centre.store([record for record in day() if record.start_ms < DAY_MS + 5 * SLOT_MS and record.meter != "C01"])
    # Slot 7's end plus 30 minutes is now: slots 0 to 7 are due, the others may still come.
    (item,) = [item for item in centre.check() if item.meter == "C01"]
    assert len(slots_of(item)) == 8


def test_a_station_that_falls_silent(centre: Centre) -> None:
    centre.store([record for record in day() if record.start_ms < DAY_MS + 90 * SLOT_MS])
    found = centre.check()
    assert {item.kind for item in found} == {"missing_intervals"}
    assert {item.meter for item in found} == {"C01", "C02", "C03", "G"}
    assert all(len(slots_of(item)) == 6 for item in found)


def test_checking_goes_on_after_a_restart(centre: Centre, registry: Registry) -> None:
    centre.clock.wall_ms = DAY_MS + 10 * SLOT_MS
    centre.store([record for record in day() if record.start_ms < DAY_MS + 20 * SLOT_MS])
    assert centre.check() == []
    centre.clock.wall_ms = DAY_MS + 24 * SLOT_MS
    centre.runner = Runner(centre.engine, registry, centre.clock, Checks())
    found = centre.check()
    assert {(item.kind, len(slots_of(item))) for item in found} == {("missing_intervals", 2)}


def test_a_register_that_jumps(centre: Centre) -> None:
    records = [
        replace(record, forward_total_mwh=record.forward_total_mwh + 7)
        if record.meter == "C01" and record.start_ms >= DAY_MS + 50 * SLOT_MS
        else record
        for record in day()
    ]
    centre.store(list(records))
    (item,) = centre.check()
    assert shown([item]) == [("register_discontinuity", "C01")]
    assert first(item)["register"] == "energy_forward_mwh"
    assert first(item)["found"] - first(item)["expected"] == 7


def held(records: list[IntervalRecord], factor: int) -> IntervalRecord:
    """Have the first charge of C01 counted by a held factor, and its carbon register go on from there."""
    place = next(place for place, record in enumerate(records) if record.meter == "C01" and record.forward_mwh)
    old = records[place]
    carbon = old.forward_mwh * factor // 1000
    off = carbon - old.carbon_forward_ug
    for number, record in enumerate(records):
        if record.meter == old.meter and record.start_ms >= old.start_ms:
            records[number] = replace(record, carbon_forward_total_ug=record.carbon_forward_total_ug + off)
    changed = replace(records[place], factor=factor, factor_quality=FactorQuality.HELD, carbon_forward_ug=carbon)
    records[place] = changed
    return changed


def test_a_held_factor_is_named_until_an_adjustment_settles_it(centre: Centre) -> None:
    records = day()
    old = held(records, 500_000)
    centre.store(list(records))
    # The grid side had the factor that was dispatched: the carbon of the two doesn't balance either.
    of_station, item = centre.check()
    assert shown([of_station, item]) == [("carbon_balance_slot", None), ("factor_unsettled", "C01")]
    assert first(of_station)["not_of_energy_ug"] == first(of_station)["imbalance_ug"]
    assert first(item)["quality"] == "held"
    centre.store(
        [
            AdjustmentRecord(
                *("C01", old.start_ms, SLOT_MS, old.forward_mwh, 0, 500_000, FACTOR),
                *(old.forward_mwh * (FACTOR - 500_000) // 1000, 0, b"solve"),
            )
        ]
    )
    assert centre.check() == []


def test_a_false_adjustment(centre: Centre) -> None:
    records = day()
    old = held(records, 500_000)
    change = AdjustmentRecord("C01", old.start_ms, SLOT_MS, old.forward_mwh, 0, 500_000, FACTOR, 1, 0, b"solve")
    centre.store([*records, change])
    item, of_station = centre.check()
    assert shown([item, of_station]) == [("carbon_arithmetic", "C01"), ("carbon_balance_slot", None)]
    assert first(item)["adjustment"] is True


def test_a_meter_nobody_registered(centre: Centre) -> None:
    extra = [replace(record, meter="X1") for record in day() if record.meter == "C01"][:3]
    centre.store([*day(), *extra])
    (item,) = centre.check()
    assert shown([item]) == [("unknown_meter", "X1")]


def test_the_same_time_twice(centre: Centre) -> None:
    twice = [record for record in day() if record.meter == "C01"][:2]
    centre.store([*day(), *twice])
    (item,) = centre.check()
    assert shown([item]) == [("overlapping_intervals", "C01")]
    assert len(slots_of(item)) == 2


def test_a_station_total_beyond_its_classes_is_a_finding_of_the_day(centre: Centre) -> None:
    centre.store(list(day(dict.fromkeys(CHARGERS, 20))))
    found = {item.kind: item for item in centre.check()}
    assert set(found) == {"balance_slot", "balance_day"}
    evidence = first(found["balance_day"])
    assert evidence["slots"] == SLOTS
    assert evidence["imbalance_mwh"] / evidence["grid_mwh"] == pytest.approx(0.02, abs=0.001)


def test_an_acknowledged_finding_stays_acknowledged_until_it_is_gone(centre: Centre) -> None:
    records = day()
    centre.store([record for record in records if record.meter != "C02"])
    (item,) = centre.check()
    with database.writing(centre.engine) as connection:
        assert findings.acknowledge(connection, item.id, 5)
        assert not findings.acknowledge(connection, item.id, 6)
    centre.store([record for record in records if record.meter == "C02"][:10])
    (again,) = centre.check()
    assert (again.id, again.state, len(slots_of(again))) == (item.id, "acknowledged", SLOTS - 10)


def test_evidence_is_json_with_local_times(centre: Centre) -> None:
    centre.store([record for record in day() if record.meter != "C02"])
    (item,) = centre.check()
    assert json.loads(json.dumps(item.evidence)) == item.evidence
    assert slots_of(item)[0] == "2026-07-01T00:00:00+08:00"


def test_a_station_without_a_loss_model_that_has_losses(centre: Centre) -> None:
    # 2 % of loss that nobody told the centre of shows as an imbalance on the grid's side.
    centre.store(list(day({"G": 20})))
    found = centre.check()
    assert "balance_slot" in {item.kind for item in found}
    assert first(found[-1])["imbalance_mwh"] < 0


def test_a_registry_without_a_grid_meter_has_no_balance_finding(engine: Engine, gateway: FakeGateway) -> None:
    station = station_model()
    station = station.model_copy(update={"meter": station.meter[:-1]})
    centre = Centre(engine, gateway, Registry(station=(station,)))
    centre.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    centre.store([record for record in day({"C01": 100}) if record.meter != "G"])
    assert centre.check() == []
