"""Meters that come or go within a slot (`since`, `until`): what is expected of them, and what is balanced."""

from dataclasses import replace
from operator import attrgetter

import pytest
from checks_support import SLOTS, Centre, day, shown
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, station_model
from sqlalchemy import Engine

from cloud_receiver import database
from cloud_receiver.checks import load
from cloud_receiver.checks.model import Context, IntervalRow, Slot
from cloud_receiver.checks.readings import completeness, unknown_meters
from cloud_receiver.registry import Meter, Registry
from wire.records import IntervalRecord, Quality

MINUTE_MS = 60_000
NOON_MS = DAY_MS + 48 * SLOT_MS
SEVEN_PAST = "2026-07-01T12:07:00+08:00"


def charger(**changes: str) -> Meter:
    found = station_model(1).meter[0]
    return Meter.model_validate(found.model_dump() | changes)


def context(meter: Meter) -> Context:
    return Context(1, station_model(1), {1: meter}, {})


def row(start_ms: int, duration_ms: int) -> IntervalRow:
    return IntervalRow(start_ms, 1, 1, 1, duration_ms, 0, 0, 0, 0, None, 0, 0, 0, 0, 0, 1, 0)


def missing_s(rows: list[IntervalRow], meter: Meter, start_ms: int = NOON_MS) -> int:
    slot = Slot(start_ms, rows, past_deadline=True)
    found = [int(str(each["detail"]["missing_s"])) for each in completeness(slot, context(meter))]
    assert len(found) <= 1
    return sum(found)


@pytest.mark.parametrize(
    ("changes", "begin", "end", "missing"),
    [
        ({"until": SEVEN_PAST}, 0, 7, 0),
        ({"until": SEVEN_PAST}, 0, 15, 0),
        ({"until": SEVEN_PAST}, 0, 6, 60),
        ({"until": SEVEN_PAST}, 7, 15, 420),
        ({"since": SEVEN_PAST}, 7, 15, 0),
        ({"since": SEVEN_PAST}, 0, 15, 0),
        ({"since": SEVEN_PAST}, 8, 15, 60),
        ({"since": SEVEN_PAST}, 0, 7, 480),
        ({"since": SEVEN_PAST, "until": "2026-07-01T12:09:00+08:00"}, 7, 9, 0),
        ({}, 0, 7, 480),
    ],
)
def test_a_slot_is_expected_for_as_long_as_the_meter_served(
    changes: dict[str, str], begin: int, end: int, missing: int
) -> None:
    rows = [row(NOON_MS + begin * MINUTE_MS, (end - begin) * MINUTE_MS)]
    assert missing_s(rows, charger(**changes)) == missing


@pytest.mark.parametrize(("changes", "missing"), [({"until": SEVEN_PAST}, 420), ({"since": SEVEN_PAST}, 480)])
def test_nothing_at_all_is_missing_for_as_long(changes: dict[str, str], missing: int) -> None:
    assert missing_s([], charger(**changes)) == missing


def test_the_slots_before_and_after_are_none_of_its() -> None:
    assert missing_s([], charger(until=SEVEN_PAST), NOON_MS + SLOT_MS) == 0
    assert missing_s([], charger(since=SEVEN_PAST), NOON_MS - SLOT_MS) == 0


@pytest.mark.parametrize(
    ("changes", "begin", "unknown"),
    [
        ({"since": SEVEN_PAST}, 0, False),
        ({"since": SEVEN_PAST}, 7, False),
        ({"until": SEVEN_PAST}, 0, False),
        ({"until": SEVEN_PAST}, 7, True),
        ({"since": "2026-07-01T12:15:00+08:00"}, 0, True),
    ],
)
def test_a_meter_is_unknown_when_it_sends_of_a_time_without_it(
    changes: dict[str, str], begin: int, unknown: bool
) -> None:
    slot = Slot(NOON_MS, [row(NOON_MS + begin * MINUTE_MS, (15 - begin) * MINUTE_MS)])
    assert bool(list(unknown_meters(slot, context(charger(**changes))))) is unknown


def part(record: IntervalRecord, begin: int, end: int) -> IntervalRecord:
    """Return an interval of which only some minutes were the meter's."""
    start = record.start_ms + begin * MINUTE_MS
    return replace(record, start_ms=start, duration_ms=(end - begin) * MINUTE_MS, quality=Quality.PARTIAL)


@pytest.mark.parametrize(("key", "begin", "end"), [("since", 7, 15), ("until", 0, 7)])
def test_a_charger_that_comes_or_goes_within_a_slot_is_no_finding(
    key: str, begin: int, end: int, engine: Engine, gateway: FakeGateway
) -> None:
    """It charges on both sides of the slot's edge: balanced without it, the slot would be far beyond tolerance."""
    station = station_model()
    # Of C01 the slot in which it comes or goes has energy.
    noon = next(each for each in day() if each.meter == "C01" and each.start_ms >= NOON_MS and each.forward_mwh > 0)
    at = (noon.start_ms - DAY_MS) // MINUTE_MS + 7
    moment = f"2026-07-01T{at // 60:02}:{at % 60:02}:00+08:00"
    meters = tuple(
        Meter.model_validate(meter.model_dump() | {key: moment, "rated_kw": 150}) if meter.id == "C01" else meter
        for meter in station.meter
    )
    centre = Centre(engine, gateway, Registry(station=(station.model_copy(update={"meter": meters}),)))
    centre.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    before = [each for each in day() if each.meter != "C01"]
    there = [
        part(each, begin, end) if each.start_ms == noon.start_ms else each
        for each in day()
        if each.meter == "C01"
        and (each.start_ms >= noon.start_ms if key == "since" else each.start_ms <= noon.start_ms)
    ]
    absent = {
        each.start_ms: each.forward_mwh
        for each in day()
        if each.meter == "C01" and each.start_ms not in {one.start_ms - one.start_ms % SLOT_MS for one in there}
    }
    centre.store(sorted([*there, *without_its(before, absent)], key=attrgetter("start_ms")))
    assert shown(centre.check()) == []
    with database.reading(engine) as connection:
        results = load.results_of_day(connection, 1, DAY_MS, DAY_MS + SLOTS * SLOT_MS)
    assert [start for start, result in results.items() if result["energy"] is None] == [noon.start_ms]


def without_its(records: list[IntervalRecord], absent: dict[int, int]) -> list[IntervalRecord]:
    """Return the records with the grid side's less what a charger that was not there would have taken."""
    result, less, total = [], 0, 0
    for each in records:
        if each.meter != "G":
            result.append(each)
            continue
        amount = absent.get(each.start_ms, 0)
        less += amount
        total = each.forward_total_mwh - less
        carbon = [value * FACTOR // 1000 for value in (total - each.forward_mwh + amount, total)]
        result.append(
            replace(
                each,
                forward_mwh=each.forward_mwh - amount,
                forward_total_mwh=total,
                carbon_forward_ug=carbon[1] - carbon[0],
                carbon_forward_total_ug=carbon[1],
            )
        )
    return result
