"""The whole way: gateways' records and orders, files, the checks' run, and findings that open and close."""

import pytest
from day_support import CHARGE, Centre, intervals, told
from receiver_support import enrol, station_model
from sales_support import DAY_MS, HOUR_MS, KWH, MINUTE_MS, order
from sqlalchemy import Engine, select

from cloud_receiver import database, findings, meters
from cloud_receiver.checks.load import RETENTION_MS
from cloud_receiver.registry import Registry
from cloud_receiver.sales import store
from cloud_receiver.schema import charge_order, dirty, event
from wire.records import EventRecord


@pytest.fixture
def centre(engine: Engine, registry: Registry) -> Centre:
    return Centre(engine, enrol(engine, "gw1"), registry)


def test_orders_of_a_gateway_agree_with_its_records(centre: Centre) -> None:
    centre.take(*intervals(CHARGE), told(order("z", -3, 1, 0)), told(order("a", 10, 1, 20)))
    assert centre.check() == {}
    with database.reading(centre.engine) as connection:
        rows = connection.execute(select(charge_order).order_by(charge_order.c.number)).all()
    assert [(row.number, row.source, row.made_by, row.journal, row.sequence) for row in rows] == [
        ("a", "gateway", "gw1", 1, 386),
        ("z", "gateway", "gw1", 1, 385),
    ]


def test_a_station_without_orders_has_no_findings_about_them(centre: Centre) -> None:
    centre.take(*intervals(CHARGE))
    assert centre.check() == {}


def test_a_missing_order_is_found_and_closed_when_it_comes(centre: Centre) -> None:
    centre.take(*intervals(CHARGE), told(order("z", -3, 1, 0)))
    found = centre.check()
    assert set(found) == {("unsold_energy", "C01"), ("sold_day", "C01"), ("sold_day", None)}
    unsold = found["unsold_energy", "C01"]
    assert unsold.first_ms == DAY_MS + 10 * HOUR_MS
    assert found["sold_day", None].severity == "alarm"
    centre.take(told(order("a", 10, 1, 20)))
    assert centre.check() == {}


def test_late_records_open_and_close_a_finding(centre: Centre) -> None:
    centre.take(told(order("z", -3, 1, 0)), told(order("a", 10, 1, 25)))
    centre.take(*intervals(CHARGE, meters=(2, 3, 4)))
    assert ("order_energy", "C01") not in centre.check()
    centre.take(*intervals(CHARGE, meters=(1,)))
    found = centre.check()
    detail = found["order_energy", "C01"].evidence["details"]
    assert isinstance(detail, list)
    assert detail[0]["metered_mwh"][1] == 20 * KWH
    centre.enter(order("a", 10, 1, 20))
    assert set(centre.check()) == {("order_changed", "C01")}


def test_a_changed_order_says_what_changed_by_whom_and_when(centre: Centre) -> None:
    centre.take(*intervals(CHARGE), told(order("z", -3, 1, 0)), told(order("a", 10, 1, 20, amount=100_000)))
    centre.enter(order("a", 10, 1, 20, amount=120_000))
    (found,) = centre.check().values()
    assert (found.kind, found.severity) == ("order_changed", "info")
    details = found.evidence["details"]
    assert isinstance(details, list)
    assert details[0]["changes"] == {"amount": [100_000, 120_000]}
    assert (details[0]["source"], details[0]["by"], details[0]["version"]) == ("csv", "Li", 2)


def test_a_number_that_is_used_again_takes_no_charge_away(centre: Centre) -> None:
    centre.take(*intervals(CHARGE), told(order("z", -3, 1, 0)), told(order("1", 10, 1, 20)), told(order("2", 30, 1, 0)))
    assert centre.check() == {}
    centre.take(told(order("1", 40, 1, 3)))
    (found,) = centre.check().values()
    assert (found.kind, found.day_ms) == ("order_changed", DAY_MS + 24 * HOUR_MS)
    details = found.evidence["details"]
    assert isinstance(details, list)
    assert details[0]["what"] == "the number of another charge is used again"
    assert details[0]["other_from"] == "2026-07-01T02:00:00+00:00"


@pytest.mark.parametrize(
    ("details", "text"),
    [
        ({19: 5}, "order"),
        ({22: -1}, "energy"),
        ({28: "0,60,x,,,,"}, "period"),
        ({20: 5}, "start"),
    ],
)
def test_a_malformed_event_is_a_finding_and_stops_nothing(
    centre: Centre, details: dict[int, int | str], text: str
) -> None:
    item = told(order("bad", 10, 1, 20))
    bad = EventRecord(item.meter, item.time_ms, item.code, dict(item.details) | details)
    centre.take(bad, told(order("good", 12, 0, 0)))
    found = centre.check()["order_malformed", "C01"]
    problems = found.evidence["details"]
    assert isinstance(problems, list)
    assert text in problems[0]["problem"]
    with database.reading(centre.engine) as connection:
        assert connection.execute(select(charge_order.c.number)).scalars().all() == ["good"]
        assert len(connection.execute(select(event)).all()) == 2


@pytest.mark.parametrize("end_ms", [HOUR_MS, 4_200_000_000_000])
def test_an_order_by_a_clock_that_was_never_set_is_told_on_the_day_it_came(centre: Centre, end_ms: int) -> None:
    item = told(order("bad", 10, 1, 20))
    details = dict(item.details) | {20: end_ms - MINUTE_MS, 21: end_ms}
    bad = EventRecord(item.meter, end_ms, item.code, details)
    centre.take(bad)
    centre.take(told(order("good", 12, 0, 0)))
    found = centre.check()["order_malformed", "C01"]
    assert found.first_ms <= centre.clock.now_ms() < found.last_ms
    problems = found.evidence["details"]
    assert isinstance(problems, list)
    assert [problem["sequence"] for problem in problems] == [1]
    assert "start: expected" in problems[0]["problem"]


def test_an_event_of_the_gateway_itself_is_no_order(centre: Centre) -> None:
    centre.take(told(order("a", 10, 1, 20), meter=None))
    assert [kind for kind, _ in centre.check()] == ["order_malformed"]


def test_an_order_of_a_charger_nobody_registered_is_kept_and_told(centre: Centre) -> None:
    centre.take(told(order("a", 10, 1, 20), meter="C77"))
    assert ("order_unknown_charger", "C77") in centre.check()


def test_the_same_order_sent_twice_is_one(centre: Centre) -> None:
    centre.take(*[told(order("a", 10, 1, 20))] * 3)
    with database.reading(centre.engine) as connection:
        assert len(connection.execute(select(charge_order)).all()) == 1


def test_an_order_that_ends_after_it_came_is_told_on_the_day_it_came(centre: Centre) -> None:
    centre.enter(order("z", -3, 1, 0), order("a", 24 * 300, 1, 20))
    found = centre.check()["order_times", "C01"]
    assert found.day_ms == DAY_MS + 48 * HOUR_MS
    assert found.first_ms <= centre.clock.now_ms() < found.last_ms


def test_an_order_that_ends_weeks_before_it_begins_is_told(centre: Centre) -> None:
    centre.enter(order("z", -3, 1, 0), order("a", 10, -24 * 30, 20))
    details = centre.check()["order_times", "C01"].evidence["details"]
    assert isinstance(details, list)
    assert (details[0]["order"], details[0]["what"]) == ("a", "ends before it begins")
    centre.enter(order("a", 10, 1, 20))
    assert set(centre.check()) == {("order_changed", "C01")}


def test_sums_wait_for_orders_that_may_still_come(centre: Centre) -> None:
    early = Centre(centre.engine, centre.gateway, centre.registry, DAY_MS + 25 * HOUR_MS)
    early.take(*intervals(CHARGE), told(order("z", -3, 1, 0)))
    assert early.check() == {}
    with database.reading(centre.engine) as connection:
        due = connection.execute(select(dirty.c.due_ms)).scalars().all()
    assert due == [DAY_MS + 48 * HOUR_MS]
    assert ("unsold_energy", "C01") in centre.check()


def test_half_of_a_months_orders_missing_are_a_finding_of_the_month(engine: Engine) -> None:
    registry = Registry(station=(station_model(1),))
    with database.writing(engine) as connection:
        meters.enter_registry(connection, registry)
    centre = Centre(engine, enrol(engine, "gw1"), registry, DAY_MS + 33 * 24 * HOUR_MS)
    energies = {day * 96 + slot: kwh for day in range(31) for slot, kwh in CHARGE.items()}
    centre.take(*intervals(energies, meters=(1, 4), days=31))
    orders = [order(f"n{day}", day * 24 + 10, 1, 20) for day in range(31)]
    centre.enter(order("first", -14, 1, 0), *orders[::2], order("next", 31 * 24 + 1, 1, 0))
    found = centre.check()
    assert ("sold_month", None) in found
    with database.reading(engine) as connection:
        everything = findings.listed(connection)
    assert sum(item.kind == "sold_day" and item.meter is None for item in everything) == 15
    assert sum(item.kind == "unsold_energy" for item in everything) == 15
    centre.enter(*orders[1::2])
    assert {kind for kind, _ in centre.check()} == {"sold_month"}
    centre.clock.step_wall(15 * MINUTE_MS)  # a month is added up again when what came late has settled
    assert centre.check() == {}


OLD = -24 * 401
"""Hours: a day that isn't checked any more."""


def test_days_that_are_checked_again_are_those_of_the_runner() -> None:
    assert store.MOST_AGE_MS == RETENTION_MS


def test_an_order_by_a_clock_that_stood_still_is_told_on_the_day_it_came_and_begins_nothing(centre: Centre) -> None:
    centre.take(*intervals(CHARGE), told(order("dead", OLD - 72, 1, 20)))
    found = centre.check()
    assert set(found) == {("order_times", "C01")}
    assert found["order_times", "C01"].day_ms == DAY_MS + 48 * HOUR_MS
    centre.take(told(order("next", 24, 1, 0)))  # only from here on something is known of what was sold
    assert set(centre.check()) == {("order_times", "C01")}


def test_old_orders_of_a_file_are_nothing_and_what_changes_them_is_told_when_it_comes(centre: Centre) -> None:
    centre.enter(order("old", OLD - 72, 1, 20))
    assert centre.check() == {}
    centre.enter(order("old", OLD - 72, 1, 21))
    (found,) = centre.check().values()
    assert (found.kind, found.day_ms) == ("order_changed", DAY_MS + 48 * HOUR_MS)


def test_an_order_of_the_future_is_not_the_last_that_may_come(centre: Centre) -> None:
    early = Centre(centre.engine, centre.gateway, centre.registry, DAY_MS + 25 * HOUR_MS)
    early.take(*intervals(CHARGE), told(order("z", -3, 1, 0)), told(order("far", 30, 1, 0)))
    assert {kind for kind, _ in early.check()} == {"order_times"}


def test_more_orders_than_a_charger_can_have_are_counted_and_not_looked_at(centre: Centre) -> None:
    centre.take(*intervals(CHARGE))
    crowd = [order(f"n{place}", 10 + place / 6000, 1, 20, amount=-1) for place in range(4 * 1440 + 1)]
    centre.enter(order("z", -3, 1, 0), order("other", 12, 1, 5), meter=2)
    centre.enter(*crowd)
    found = centre.check()
    # The other charger is looked at as ever.
    assert set(found) == {("order_overlap", "C01"), ("sold_unmetered", "C02"), ("sold_day", "C02")}
    details = found["order_overlap", "C01"].evidence["details"]
    assert isinstance(details, list)
    assert (details[0]["orders"], details[0]["most"]) == (5761, 5760)


def test_one_order_split_into_two_of_the_same_number(centre: Centre) -> None:
    centre.take(*intervals(CHARGE), told(order("z", -3, 1, 0)))
    centre.take(told(order("a", 10, 0.5, 10)), told(order("a", 10.5, 0.5, 10)))
    found = centre.check()
    # The second half is a version of the first, which is told, and so is what it left without an order.
    missing = {("unsold_energy", "C01"), ("sold_day", "C01"), ("sold_day", None)}
    assert set(found) == {("order_changed", "C01"), *missing}


def test_an_order_corrected_after_its_month_opens_the_month_again(engine: Engine) -> None:
    registry = Registry(station=(station_model(1),))
    with database.writing(engine) as connection:
        meters.enter_registry(connection, registry)
    centre = Centre(engine, enrol(engine, "gw1"), registry, DAY_MS + 60 * 24 * HOUR_MS)
    energies = {day * 96 + slot: kwh for day in range(31) for slot, kwh in CHARGE.items()}
    centre.take(*intervals(energies, meters=(1, 4), days=31))
    centre.enter(order("first", -14, 1, 0), *[order(f"n{day}", day * 24 + 10, 1, 20) for day in range(31)])
    assert centre.check() == {}
    centre.enter(*[order(f"n{day}", day * 24 + 10, 1, 19) for day in range(31)])
    centre.check()
    centre.clock.step_wall(15 * MINUTE_MS)
    assert {kind for kind, _ in centre.check()} == {"order_changed", "sold_day", "sold_month"}
