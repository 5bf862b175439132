"""What is expected of a day, what is there, and when it came."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from checks_support import DAY_END_MS, GRACE_MS, SLOTS, Centre, day
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, station_model
from sqlalchemy import Engine, insert, select

from cloud_receiver import database, schema
from cloud_receiver.checks import load
from cloud_receiver.completeness.day import expected_ms, figures
from cloud_receiver.completeness.figures import Figures, slots
from cloud_receiver.config import Checks
from cloud_receiver.registry import Registry
from wire.records import Quality

ALL = 4 * SLOTS * SLOT_MS


@pytest.fixture
def centre(engine: Engine, gateway: FakeGateway, registry: Registry) -> Centre:
    result = Centre(engine, gateway, registry)
    result.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    return result


def of(centre: Centre, begin_ms: int = DAY_MS) -> Figures:
    with database.reading(centre.engine) as connection:
        context = load.contexts(connection, centre.registry)[0]
        return figures(connection, context, (DAY_MS, DAY_END_MS), begin_ms=begin_ms, grace_ms=GRACE_MS)["gw1"]


def test_what_comes_at_once_is_complete_and_in_time(centre: Centre) -> None:
    centre.clock.wall_ms = DAY_MS
    centre.store(day())
    assert of(centre) == Figures(ALL, ALL, ALL, ALL, ALL)


@pytest.mark.parametrize(
    ("delay_min", "in_15", "in_60", "by_day_end"),
    [(15, 4, 4, 4), (16, 0, 4, 4), (60, 0, 4, 4), (61, 0, 0, 4), (60 * 24, 0, 0, 0)],
)
def test_each_interval_has_its_own_delay(
    centre: Centre, delay_min: int, in_15: int, in_60: int, by_day_end: int
) -> None:
    noon = DAY_MS + 48 * SLOT_MS
    centre.clock.wall_ms = noon + SLOT_MS + delay_min * 60_000
    centre.store([each for each in day() if each.start_ms == noon])
    found = of(centre)
    assert (found.present_ms, found.missing_ms) == (4 * SLOT_MS, ALL - 4 * SLOT_MS)
    assert (found.in_15_min_ms, found.in_60_min_ms) == (in_15 * SLOT_MS, in_60 * SLOT_MS)
    assert found.by_day_end_ms == by_day_end * SLOT_MS


def test_what_came_twice_counts_when_it_came_first(centre: Centre) -> None:
    centre.clock.wall_ms = DAY_MS
    records = [each for each in day() if each.meter == "C01"]
    centre.store(records[:10])
    centre.clock.wall_ms = DAY_END_MS + 10 * SLOT_MS
    centre.store(records[:10])
    found = of(centre)
    assert (found.present_ms, found.in_15_min_ms) == (10 * SLOT_MS, 10 * SLOT_MS)


def test_a_message_that_repeats_records_brought_only_what_is_new(centre: Centre, gateway: FakeGateway) -> None:
    records = [each for each in day() if each.meter == "C01"][:8]
    centre.clock.wall_ms = DAY_MS
    centre.store(records[:4])
    centre.clock.wall_ms = DAY_END_MS + 10 * SLOT_MS
    centre.next = 1
    centre.store(records)
    found = of(centre)
    assert (found.present_ms, found.by_day_end_ms) == (8 * SLOT_MS, 4 * SLOT_MS)


def test_shares_of_what_is_not_measured(centre: Centre) -> None:
    kinds = [Quality.INTERPOLATED] * 2 + [Quality.ESTIMATED] * 3 + [Quality.PARTIAL] * 4
    records = [each for each in day() if each.meter == "C01"][:20]
    centre.store([replace(each, quality=kind) for each, kind in zip(records, kinds, strict=False)] + records[9:])
    found = of(centre)
    assert (found.interpolated_ms, found.estimated_ms, found.partial_ms) == (2 * SLOT_MS, 3 * SLOT_MS, 4 * SLOT_MS)
    assert found.of_present(found.partial_ms) == Decimal("20.00")


def test_minutes_count_by_their_length(centre: Centre) -> None:
    record = day()[0]
    minutes = [replace(record, start_ms=DAY_MS + number * 60_000, duration_ms=60_000) for number in range(20)]
    centre.store(minutes)
    assert of(centre).present_ms == 20 * 60_000


def test_estimates_of_the_centre_are_told_apart(centre: Centre) -> None:
    centre.store(day()[:4])
    row = {
        "station": 1,
        "start_ms": DAY_MS + SLOT_MS,
        "meter": 1,
        "version": 1,
        "edit": "e",
        "duration_ms": SLOT_MS,
        "forward_mwh": 1,
        "reverse_mwh": 0,
        "method": "m",
        "replaces": 0,
        "basis": "{}",
        "made_by": "x",
        "made_ms": 1,
        "reason": "",
    }
    others = [row | {"version": 2, "replaces": 1}, row | {"version": 3, "ended": "withdrawn"}]
    with database.writing(centre.engine) as connection:
        for each in (row, *others):
            connection.execute(insert(schema.estimate).values(**each))
    found = of(centre)
    assert (found.substituted_ms, found.present_ms) == (SLOT_MS, 4 * SLOT_MS)


def test_nothing_is_expected_before_the_station_began(centre: Centre) -> None:
    assert of(centre, begin_ms=DAY_MS + 90 * SLOT_MS).expected_ms == 4 * 6 * SLOT_MS


def test_a_meter_is_expected_while_it_is_in_service() -> None:
    meter = station_model(1).meter[0]
    since, until = (datetime.fromisoformat(f"2026-07-01T{hour}:00:00+08:00") for hour in ("06", "18"))
    some = meter.model_copy(update={"since": since, "until": until})
    assert expected_ms(meter, DAY_MS, DAY_END_MS) == SLOTS * SLOT_MS
    assert expected_ms(some, DAY_MS, DAY_END_MS) == 48 * SLOT_MS
    assert expected_ms(meter.model_copy(update={"only_orders": True}), DAY_MS, DAY_END_MS) == 0


def stored(centre: Centre) -> list[tuple[int, int, int]]:
    table = schema.completeness_day.c
    with database.reading(centre.engine) as connection:
        rows = connection.execute(select(table.day_ms, table.expected_ms, table.present_ms).order_by(table.day_ms))
        return [tuple(row) for row in rows]


def test_the_checks_keep_the_figures_of_a_day_that_is_over(centre: Centre) -> None:
    centre.clock.wall_ms = DAY_END_MS + GRACE_MS - 1
    records = day()
    centre.store([each for each in records if each.meter != "C02"])
    centre.check()
    assert stored(centre) == []
    centre.clock.wall_ms += 1
    centre.check()
    assert stored(centre) == [(DAY_MS, ALL, ALL * 3 // 4)]
    centre.store([each for each in records if each.meter == "C02"])
    centre.check()
    assert stored(centre) == [(DAY_MS, ALL, ALL)]


def limited(centre: Centre, **limits: Decimal) -> dict[str, list[dict[str, object]]]:
    centre.settings = Checks(**limits)
    centre.restart()
    centre.notice()
    return {item.kind: item.evidence["details"] for item in centre.check() if item.kind.startswith("completeness")}


def test_a_day_below_a_limit_is_a_finding(centre: Centre) -> None:
    centre.store([each for each in day() if each.meter != "C02"])
    assert limited(centre) == {}
    assert limited(centre, complete_percent=Decimal(75)) == {}
    assert limited(centre, complete_percent=Decimal("75.01")) == {
        "completeness_day": [
            {
                "gateway": "gw1",
                "below": ["complete_percent"],
                "complete_percent": "75.00",
                "timely_percent": "2.34",
                "expected_slots": "384",
                "present_slots": "288",
                "in_60_min_slots": "9",
            }
        ]
    }
    assert list(limited(centre, timely_percent=Decimal(90))["completeness_day"][0]["below"]) == ["timely_percent"]


def test_a_month_below_a_limit_is_a_finding(engine: Engine, gateway: FakeGateway) -> None:
    station = station_model(since="2026-07-01T00:00:00+08:00")
    centre = Centre(engine, gateway, Registry(station=(station,)))
    centre.clock.wall_ms = DAY_MS + 31 * SLOTS * SLOT_MS + GRACE_MS
    centre.store(day())
    assert "completeness_month" not in limited(centre, complete_percent=Decimal(50))
    for _ in range(6):
        found = limited(centre, complete_percent=Decimal(50))
    assert found["completeness_month"][0]["complete_percent"] == "3.22"


@pytest.mark.parametrize(("amount", "text"), [(SLOT_MS * 3, "3"), (SLOT_MS // 3, "0.3"), (0, "0")])
def test_slots_in_words(amount: int, text: str) -> None:
    assert slots(amount) == text


def test_what_is_not_complete_never_shows_as_a_hundred() -> None:
    assert Figures(10**9, 10**9 - 1).percent(10**9 - 1) == Decimal("99.99")
    assert Figures(10**9, 10**9).percent(10**9) == Decimal("100.00")
    assert Figures().percent(0) is None
    assert Figures().of_present(0) is None


@pytest.mark.parametrize(
    ("key", "moment", "expected_min"),
    [("until", "2026-07-01T00:07:00+08:00", 7), ("since", "2026-07-01T23:53:00+08:00", 7)],
)
def test_a_meter_that_served_for_a_part_of_a_slot_is_complete_and_no_more(
    key: str, moment: str, expected_min: int, engine: Engine, gateway: FakeGateway
) -> None:
    station = station_model(1)
    meters = tuple(
        type(meter).model_validate(meter.model_dump(exclude_unset=True) | {key: moment}) for meter in station.meter
    )
    registry = Registry(station=(station.model_copy(update={"meter": meters}),))
    centre = Centre(engine, gateway, registry)
    centre.store([each for each in day() if each.meter in {"C01", "G"}])
    found = of(centre)
    assert found.expected_ms == found.present_ms == 2 * expected_min * 60_000
