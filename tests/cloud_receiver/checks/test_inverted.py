"""A meter that counts the other way round (`inverted`): what flowed is what is balanced, of energy and of carbon."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from checks_support import CHARGERS, DAY_END_MS, SLOTS, Centre, day, shown
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, station_model
from sqlalchemy import Engine

from cloud_receiver import database
from cloud_receiver.checks import bridging, causes, load, month
from cloud_receiver.checks.day import day_balance
from cloud_receiver.registry import Registry
from wire.records import IntervalRecord


def registered(*names: str) -> Registry:
    station = station_model()
    meters = tuple(meter.model_copy(update={"inverted": meter.id in names}) for meter in station.meter)
    return Registry(station=(station.model_copy(update={"meter": meters}),))


def turned(records: Iterable[IntervalRecord], *names: str) -> list[IntervalRecord]:
    """Return the records as meters count that are wired the other way round."""
    return [
        replace(
            each,
            forward_mwh=each.reverse_mwh,
            reverse_mwh=each.forward_mwh,
            forward_total_mwh=each.reverse_total_mwh,
            reverse_total_mwh=each.forward_total_mwh,
            carbon_forward_ug=each.carbon_reverse_ug,
            carbon_reverse_ug=each.carbon_forward_ug,
            carbon_forward_total_ug=each.carbon_reverse_total_ug,
            carbon_reverse_total_ug=each.carbon_forward_total_ug,
        )
        if each.meter in names
        else each
        for each in records
    ]


def centre_of(engine: Engine, gateway: FakeGateway, registry: Registry) -> Centre:
    result = Centre(engine, gateway, registry)
    result.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    return result


@pytest.mark.parametrize("names", [("C01",), ("G",), (*CHARGERS, "G")], ids="-".join)
def test_an_honest_station_has_no_finding(names: tuple[str, ...], engine: Engine, gateway: FakeGateway) -> None:
    centre = centre_of(engine, gateway, registered(*names))
    centre.store(turned(day(), *names))
    assert centre.check() == []


def test_a_wrong_one_is_found_as_if_it_counted_forward(engine: Engine, gateway: FakeGateway) -> None:
    centre = centre_of(engine, gateway, registered("C02"))
    centre.store(turned(day({"C02": 30}), "C02"))
    assert set(shown(centre.check())) == {("balance_slot", None), ("charger_error", "C02")}


def test_its_carbon_is_turned_too(engine: Engine, gateway: FakeGateway) -> None:
    centre = centre_of(engine, gateway, registered("C01"))
    centre.store(turned(day(), "C01"))
    centre.check()
    with database.reading(engine) as connection:
        context = load.contexts(connection, centre.registry)[0]
        results = load.results_of_day(connection, context.number, DAY_MS, DAY_END_MS)
        carbon = [result["carbon"] for result in results.values()]
    # Registers are cut to 0.01 kWh, each at its own time.
    assert abs(sum(each["chargers_ug"] - each["grid_ug"] for each in carbon)) <= 3 * FACTOR * 10
    assert sum(each["grid_ug"] for each in carbon) > 10**9


def test_a_gap_is_bridged_by_what_flowed(engine: Engine, gateway: FakeGateway) -> None:
    centre = centre_of(engine, gateway, registered("C01"))
    starts = (each.start_ms for each in day() if each.meter == "C01" and each.forward_mwh)
    start = next(start for start in starts if start > DAY_MS + 40 * SLOT_MS)
    gap = range(start, start + 4 * SLOT_MS, SLOT_MS)
    centre.store([each for each in turned(day(), "C01") if each.start_ms not in gap])
    with database.reading(engine) as connection:
        context = load.contexts(connection, centre.registry)[0]
        found = bridging.bridge(connection, context, gap.start, gap.stop)
        assert found is not None
        assert found.carbon_ug is not None
        c01 = next(number for number, meter in context.meters.items() if meter.id == "C01")
        grid = next(number for number, meter in context.meters.items() if meter.id == "G")
    counted = sum(each.forward_mwh for each in day() if each.meter == "C01" and each.start_ms in gap)
    assert counted > 0
    assert found.slot.of(c01) == (counted, 0)
    assert found.carbon_ug[c01] > 0
    assert abs(sum(found.carbon_ug.values()) - 2 * found.carbon_ug[grid]) <= 4 * FACTOR * 10


def test_what_was_checked_before_the_registry_knew_is_left_out(engine: Engine, gateway: FakeGateway) -> None:
    centre = centre_of(engine, gateway, registered())
    centre.store(turned(day(), "C01"))
    assert ("balance_day", None) in shown(centre.check())
    centre.registry = registered("C01")
    with database.reading(engine) as connection:
        context = load.contexts(connection, centre.registry)[0]
        results = load.results_of_day(connection, context.number, DAY_MS, DAY_END_MS)
        assert day_balance(results, context, centre.settings) is None
        begin = causes.digest(context.station)
        made = month.make(connection, context, DAY_MS, centre.settings, begin_ms=DAY_MS, registry=begin)
        assert made.energy is None
    centre.restart()
    centre.notice()
    assert centre.check() == []
