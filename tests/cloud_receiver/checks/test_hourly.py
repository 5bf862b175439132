"""A utility's meter whose intervals are hours, and chargers of which only orders are known."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from checks_support import CHARGERS, DAY_END_MS, GRACE_MS, SLOTS, Centre, day, first, shown, slots_of
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, station_model
from sqlalchemy import Engine, select

from cloud_receiver import database, report, report_text, schema
from cloud_receiver.checks.model import Context, IntervalRow, Slot, covered_ms, usable
from cloud_receiver.checks.readings import completeness, overlaps, spans
from cloud_receiver.config import Checks
from cloud_receiver.registry import Registry, Station
from cloud_receiver.report_words import Language
from wire.records import IntervalRecord

HOUR_MS = 3_600_000


def station_with(meter: str, **changes: object) -> Station:
    station = station_model()
    meters = tuple(item.model_copy(update=changes) if item.id == meter else item for item in station.meter)
    return station.model_copy(update={"meter": meters})


def hourly(records: list[IntervalRecord], meter: str = "G") -> list[IntervalRecord]:
    """Return the records with those of one meter joined to hours, each at its end."""
    found = [(record.start_ms + SLOT_MS, record) for record in records if record.meter != meter]
    own = [record for record in records if record.meter == meter]
    for place in range(0, len(own), 4):
        four = own[place : place + 4]
        whole = replace(
            four[-1],
            start_ms=four[0].start_ms,
            duration_ms=HOUR_MS,
            forward_mwh=sum(each.forward_mwh for each in four),
            carbon_forward_ug=sum(each.carbon_forward_ug for each in four),
        )
        found.append((four[-1].start_ms + SLOT_MS, whole))
    return [record for _, record in sorted(found, key=lambda pair: pair[0])]


@pytest.fixture
def centre(engine: Engine, gateway: FakeGateway) -> Centre:
    result = Centre(engine, gateway, Registry(station=(station_with("G", interval_s=3600),)))
    result.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    return result


def balanced(centre: Centre) -> list[dict[str, Any]]:
    with database.reading(centre.engine) as connection:
        rows = connection.execute(select(schema.slot_check).order_by(schema.slot_check.c.start_ms))
        found = [json.loads(row.result) | {"start_ms": row.start_ms} for row in rows]
    return [result for result in found if result["energy"] is not None]


def test_a_clean_day_with_an_hourly_meter_has_no_finding_and_a_balance_each_hour(centre: Centre) -> None:
    centre.store(hourly(day({"C01": 5, "G": -2})))
    assert centre.check() == []
    found = balanced(centre)
    assert [result["start_ms"] for result in found] == list(range(DAY_MS, DAY_END_MS, HOUR_MS))
    assert {result["duration_ms"] for result in found} == {HOUR_MS}


def test_an_imbalance_is_found_by_the_hour(centre: Centre) -> None:
    centre.store(hourly(day(dict.fromkeys(CHARGERS, 30))))
    found = {item.kind: item for item in centre.check()}
    assert {"balance_slot", "balance_day"} <= set(found)
    assert first(found["balance_slot"])["slots"] == 4
    assert first(found["balance_day"])["slots"] == SLOTS
    assert all(":00:00" in start for start in slots_of(found["balance_slot"]))


def test_the_hour_of_a_meter_is_due_when_it_is_over(centre: Centre) -> None:
    records = hourly(day())
    centre.clock.wall_ms = DAY_MS + 2 * HOUR_MS + GRACE_MS - 1
    centre.store([record for record in records if record.start_ms < DAY_MS + HOUR_MS])
    assert centre.check() == []
    centre.clock.wall_ms += 1
    found = centre.check()
    assert {(item.kind, item.meter, len(slots_of(item))) for item in found} == {
        ("missing_intervals", name, 4) for name in (*CHARGERS, "G")
    }


def test_an_hour_that_comes_late_settles_all_its_slots(centre: Centre) -> None:
    records = hourly(day())
    late = [record for record in records if record.meter == "G" and record.start_ms == DAY_MS + 5 * HOUR_MS]
    centre.store([record for record in records if record not in late])
    (item,) = centre.check()
    assert shown([item]) == [("missing_intervals", "G")]
    assert len(slots_of(item)) == 4
    assert len(balanced(centre)) == 23
    centre.store(late)
    assert centre.check() == []
    assert len(balanced(centre)) == 24


def test_what_is_checked_is_not_checked_again_after_a_restart(centre: Centre) -> None:
    centre.store(hourly(day()))
    assert centre.check() == []
    with database.reading(centre.engine) as connection:
        before = connection.execute(select(schema.slot_check.c.checked_ms)).scalars().all()
    centre.clock.wall_ms += 60_000
    centre.restart()
    assert centre.check() == []
    with database.reading(centre.engine) as connection:
        assert connection.execute(select(schema.slot_check.c.checked_ms)).scalars().all() == before


def test_an_hour_in_which_a_charger_came_has_no_balance(engine: Engine, gateway: FakeGateway) -> None:
    since = "2026-07-01T02:30:00+08:00"
    changed = station_with("G", interval_s=3600)
    meters = tuple(
        type(item).model_validate(item.model_dump() | {"since": since}) if item.id == "C01" else item
        for item in changed.meter
    )
    centre = Centre(engine, gateway, Registry(station=(changed.model_copy(update={"meter": meters}),)))
    centre.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    centre.store(hourly(day()))
    assert DAY_MS + 2 * HOUR_MS not in [result["start_ms"] for result in balanced(centre)]


def row(start_ms: int, duration_ms: int, meter: int = 1, sequence: int = 1) -> IntervalRow:
    return IntervalRow(start_ms, meter, 1, sequence, duration_ms, 0, 0, 0, 0, None, 0, 0, 0, 0, 0, 1, 0)


def context(interval_s: int) -> Context:
    station = station_with("C01", interval_s=interval_s)
    return Context(1, station, {1: station.meter[0]}, {})


@pytest.mark.parametrize(("interval_s", "block_s"), [(60, 900), (900, 900), (1800, 1800), (1200, 3600), (3600, 3600)])
def test_what_is_balanced_together_cuts_no_interval(interval_s: int, block_s: int) -> None:
    assert context(interval_s).block_ms == block_s * 1000
    assert context(interval_s).span_ms(1) == max(900, interval_s) * 1000
    assert context(interval_s).span_ms(7) == SLOT_MS


def test_an_interval_may_be_as_long_as_the_meter_s_and_no_longer() -> None:
    long = context(3600)
    assert not list(spans(Slot(DAY_MS, [row(DAY_MS, HOUR_MS)]), long))
    assert list(spans(Slot(DAY_MS, [row(DAY_MS, HOUR_MS + 1)]), long))
    assert list(spans(Slot(DAY_MS + SLOT_MS, [row(DAY_MS + SLOT_MS, HOUR_MS)]), long))
    assert list(spans(Slot(DAY_MS, [row(DAY_MS, HOUR_MS, meter=2)]), long))


def test_an_hour_covers_each_of_its_slots() -> None:
    hour = row(DAY_MS, HOUR_MS)
    assert usable([hour], HOUR_MS, HOUR_MS)
    assert not usable([hour])
    for number in range(4):
        slot = (DAY_MS + number * SLOT_MS, DAY_MS + (number + 1) * SLOT_MS)
        assert covered_ms([hour], HOUR_MS, slot) == SLOT_MS
    assert covered_ms([hour], HOUR_MS, (DAY_MS + HOUR_MS, DAY_MS + HOUR_MS + SLOT_MS)) == 0
    later = Slot(DAY_MS + 2 * SLOT_MS, [], [hour], past_deadline=True)
    assert not list(completeness(later, context(3600)))
    assert list(completeness(later, context(900)))


def test_an_interval_within_an_hour_told_already_is_told_twice() -> None:
    twice = Slot(DAY_MS + 2 * SLOT_MS, [row(DAY_MS + 2 * SLOT_MS, SLOT_MS, sequence=2)], [row(DAY_MS, HOUR_MS)])
    assert len(list(overlaps(twice, context(3600)))) == 1


@pytest.fixture
def ordered(engine: Engine, gateway: FakeGateway) -> Centre:
    result = Centre(engine, gateway, Registry(station=(station_with("C02", only_orders=True),)))
    result.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    result.store([record for record in day() if record.meter != "C02"])
    return result


def test_a_charger_known_by_orders_only_is_not_missed_and_makes_no_balance(ordered: Centre) -> None:
    assert ordered.check() == []
    assert balanced(ordered) == []


def test_the_report_says_why_there_is_no_balance(ordered: Centre) -> None:
    ordered.check()
    with database.reading(ordered.engine) as connection:
        found = report.make(connection, ordered.registry, Checks(), "S1", date(2026, 7, 1))
    assert found.only_orders == ("C02",)
    assert [(meter.meter, meter.expected) for meter in found.meters if meter.meter == "C02"] == [("C02", 0)]
    table = report_text.table_text(found, Language.ENGLISH)
    assert "none by readings, chargers known by their orders only: C02" in table
    assert json.loads(report_text.json_text(found))["only_orders"] == ["C02"]
