"""Which method an estimate gets, from what is stored; the day-end run makes and keeps them."""

import pytest
from receiver_support import FakeGateway
from sqlalchemy import Engine
from store_support import Centre, day_of, records
from validation_support import DAY_MS, GRID, KWH, SLOT_MS, SLOTS, Bench, energies, rows

from cloud_receiver import database
from cloud_receiver.checks import load
from cloud_receiver.registry import Registry
from cloud_receiver.validation import estimates
from cloud_receiver.validation.config import Estimation, Validation
from cloud_receiver.validation.estimates import Edit, EstimateError, Part, State
from cloud_receiver.validation.methods import Method
from cloud_receiver.validation.proposal import Proposer
from wire.records import EventCode, EventRecord, Quality

GAP = range(40, 52)


def send(centre: Centre, bench: Bench) -> None:
    centre.store(records(row for found in bench.rows.values() for row in found))


def hole(bench: Bench, *meters: int) -> None:
    for meter in meters:
        bench.change(meter, lambda place, row: None if place in GAP else row)


def truth(meter: int, bench: Bench) -> list[int]:
    return energies(1, bench.station)[meter][GAP.start : GAP.stop]


def made(centre: Centre) -> list[estimates.Estimate]:
    return [item for item in centre.estimates() if item.state is State.IN_FORCE]


def test_a_gap_gets_the_registers_difference_in_the_balances_shape(centre: Centre, bench: Bench) -> None:
    before, after = bench.rows[1][39], bench.rows[1][52]
    hole(bench, 1)
    send(centre, bench)
    centre.check()
    found = made(centre)
    assert [item.part.start_ms for item in found] == [DAY_MS + place * SLOT_MS for place in GAP]
    assert {(item.method, item.basis["shape"], item.basis["total_measured"]) for item in found} == {
        ("register", "balance", True)
    }
    # The total is measured, to the mWh.
    total = after.forward_total_mwh - after.forward_mwh - before.forward_total_mwh
    assert sum(item.part.forward_mwh for item in found) == total
    # The profile is estimated, and the balance knows it to the registers' steps.
    for item, value in zip(found, truth(1, bench), strict=True):
        assert abs(item.part.forward_mwh - value) <= 50_000
    assert {(item.made_by.split()[0], item.reason) for item in found} == {("diantan", "intervals are missing")}


def test_a_second_run_makes_no_second_version(centre: Centre, bench: Bench) -> None:
    hole(bench, 1)
    send(centre, bench)
    centre.check()
    first = centre.estimates()
    centre.store([EventRecord("C02", DAY_MS, EventCode.METER_BACK, {})])
    centre.check()
    assert centre.estimates() == first


@pytest.mark.parametrize("missing", [1, 2])
def test_the_balance_knows_which_meter_counts_the_other_way_round(
    missing: int, engine: Engine, gateway: FakeGateway, registry: Registry, bench: Bench
) -> None:
    (station,) = registry.station
    meters = tuple(meter.model_copy(update={"inverted": meter.id == "C01"}) for meter in station.meter)
    centre = Centre(engine, gateway, Registry(station=(station.model_copy(update={"meter": meters}),)))
    bench.change(
        1,
        lambda _, row: row._replace(
            forward_mwh=0,
            forward_total_mwh=0,
            reverse_mwh=row.forward_mwh,
            reverse_total_mwh=row.forward_total_mwh,
        ),
    )
    bench.change(missing, lambda place, row: row if place < GAP.start else None)
    send(centre, bench)
    centre.check()
    found = [item for item in made(centre) if item.part.start_ms < DAY_MS + GAP.stop * SLOT_MS]
    assert {(item.meter, item.method) for item in found} == {(missing, "balance")}
    counted = [(item.part.reverse_mwh if missing == 1 else item.part.forward_mwh) for item in found]
    other = [(item.part.forward_mwh if missing == 1 else item.part.reverse_mwh) for item in found]
    assert sum(truth(missing, bench)) > KWH
    assert not any(other)
    for energy, value in zip(counted, truth(missing, bench), strict=True):
        assert abs(energy - value) <= 50_000


def test_when_all_are_missing_the_register_is_shared_evenly(centre: Centre, bench: Bench) -> None:
    hole(bench, 1, 2, 3, GRID)
    send(centre, bench)
    centre.check()
    found = [item for item in made(centre) if item.meter == 1]
    assert {item.basis["shape"] for item in found} == {"even"}
    parts = [item.part.forward_mwh for item in found]
    assert max(parts) - min(parts) <= 1


def test_a_gap_without_an_end_rests_on_the_balance(centre: Centre, bench: Bench) -> None:
    bench.rows[1] = bench.rows[1][:60]
    send(centre, bench)
    centre.check()
    found = made(centre)
    assert len(found) == 36
    assert {(item.method, item.basis["total_measured"]) for item in found} == {("balance", False)}
    for item, value in zip(found, energies(1, bench.station)[1][60:], strict=True):
        assert abs(item.part.forward_mwh - value) <= 50_000


def test_what_others_had_spread_over_a_silence_is_no_balance(centre: Centre, bench: Bench) -> None:
    bench.rows[1] = bench.rows[1][:60]
    poor = int(Quality.ESTIMATED)
    bench.change(2, lambda place, row: row._replace(quality=poor) if place >= 70 else row)
    send(centre, bench)
    centre.check()
    # Slots from 17:30 on would rest on energies of another time.
    assert [item for item in made(centre) if item.meter == 1] == []


def test_a_gap_over_midnight_is_estimated_as_one_when_it_has_ended(centre: Centre, bench: Bench) -> None:
    next_day = DAY_MS + SLOTS * SLOT_MS
    tomorrow = {
        meter: rows(meter, values, start_ms=next_day, total=bench.rows[meter][-1].forward_total_mwh)
        for meter, values in energies(9, bench.station).items()
    }
    last, after = bench.rows[1][89], tomorrow[1][10]
    bench.rows[1] = bench.rows[1][:90]
    send(centre, bench)
    centre.check()
    first = made(centre)
    assert [(item.version, item.method) for item in first] == [(1, "balance")] * 6

    tomorrow[1] = tomorrow[1][10:]
    centre.clock.wall_ms += SLOTS * SLOT_MS
    centre.store(records(row for found in tomorrow.values() for row in found))
    centre.check()
    found = [item for item in centre.estimates(end_ms=next_day + SLOTS * SLOT_MS) if item.state is State.IN_FORCE]
    assert [(item.version, item.method) for item in found] == [(2, "register")] * 6 + [(1, "register")] * 10
    total = after.forward_total_mwh - after.forward_mwh - last.forward_total_mwh
    assert sum(item.part.forward_mwh for item in found) == total
    assert {item.state for item in centre.estimates() if item.version == 1} == {State.SUPERSEDED}


def test_a_register_that_began_anew_is_not_believed(centre: Centre, bench: Bench) -> None:
    hole(bench, 1)
    send(centre, bench)
    centre.store([EventRecord("C01", DAY_MS + 45 * SLOT_MS, EventCode.RESET, {})])
    centre.check()
    assert {item.method for item in made(centre)} == {"balance"}


def test_like_days_help_where_nothing_else_does(centre: Centre, bench: Bench) -> None:
    bench.rows[1] = []
    bench.rows[GRID] = []
    for weeks in (1, 2, 3):
        centre.store(records(day_of(bench, -7 * weeks, 1)))
    send(centre, bench)
    centre.check()
    found = [item for item in made(centre) if item.meter == 1]
    assert len(found) == SLOTS
    assert {item.method for item in found} == {"like_day"}
    # The weeks before were alike.
    for item, value in zip(found, energies(1, bench.station)[1], strict=True):
        assert abs(item.part.forward_mwh - value) <= 10_000


def test_what_can_not_have_been_is_like_nothing(centre: Centre, bench: Bench) -> None:
    bench.rows[1] = []
    bench.rows[GRID] = []
    for weeks in (1, 2, 3):
        found = day_of(bench, -7 * weeks, 1)
        if weeks == 2:
            found = [row._replace(forward_mwh=2**61) for row in found]
        centre.store(records(found))
    send(centre, bench)
    centre.check()
    found_now = [item for item in made(centre) if item.meter == 1]
    assert len(found_now) == SLOTS
    for item, value in zip(found_now, energies(1, bench.station)[1], strict=True):
        assert abs(item.part.forward_mwh - value) <= 10_000


def test_a_failed_slot_is_estimated_beside_its_reading(centre: Centre, bench: Bench) -> None:
    bench.rows[1][20] = bench.rows[1][20]._replace(forward_mwh=40 * KWH)
    send(centre, bench)
    before = centre.intervals()
    centre.check()
    (item,) = made(centre)
    assert (item.part.start_ms, item.method, item.replaces) == (DAY_MS + 20 * SLOT_MS, "balance", True)
    assert abs(item.part.forward_mwh - energies(1, bench.station)[1][20]) <= 50_000
    assert item.reason == "validation failed: high"
    assert centre.intervals() == before


def test_late_readings_end_the_estimates_of_their_slots(centre: Centre, bench: Bench) -> None:
    late = bench.rows[1][GAP.start : GAP.stop]
    hole(bench, 1)
    send(centre, bench)
    centre.check()
    centre.store(records(late[:5]))
    centre.check()
    found = centre.estimates()
    assert [item.part.start_ms for item in found if item.state is State.MEASURED] == [row.start_ms for row in late[:5]]
    # The rest of the gap is another gap, and its total is the register's again.
    rest = [item for item in found if item.state is State.IN_FORCE]
    assert sum(item.part.forward_mwh for item in rest) == sum(row.forward_mwh for row in late[5:])
    centre.store(records(late[5:]))
    centre.check()
    assert made(centre) == []


def test_what_a_person_estimated_stays(centre: Centre, bench: Bench) -> None:
    hole(bench, 1)
    send(centre, bench)
    with database.writing(centre.engine) as connection:
        parts = tuple(Part(DAY_MS + place * SLOT_MS, SLOT_MS, 7, 0) for place in GAP)
        edit = Edit(1, "value", parts, {})
        estimates.enter(connection, 1, edit, made_by="Li Ming", reason="read on site", now_ms=1)
    centre.check()
    assert {(item.made_by, item.part.forward_mwh) for item in made(centre)} == {("Li Ming", 7)}


def test_nothing_is_estimated_where_that_is_switched_off(
    engine: Engine, gateway: FakeGateway, registry: Registry, bench: Bench
) -> None:
    centre = Centre(engine, gateway, registry, Validation(estimation=Estimation(automatic=False)))
    hole(bench, 1)
    send(centre, bench)
    centre.check()
    assert centre.estimates() == []


@pytest.mark.parametrize("method", [Method.BALANCE, Method.LIKE_DAY, Method.REGISTER])
def test_why_there_is_no_estimate(method: Method, centre: Centre, bench: Bench) -> None:
    bench.rows[1] = []
    bench.rows[GRID] = []
    send(centre, bench)
    with database.reading(centre.engine) as connection:
        (context,) = load.contexts(connection, centre.registry)
        proposer = Proposer(connection, context, Validation(), 2.0)
        with pytest.raises(EstimateError, match=f"C01: no estimate .*{method.value}: "):
            proposer.gap(1, DAY_MS, DAY_MS + SLOT_MS, method)
        with pytest.raises(EstimateError, match="expected at most 31"):
            proposer.gap(1, DAY_MS, DAY_MS + 32 * SLOTS * SLOT_MS)
