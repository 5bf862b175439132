"""Estimates of chargers that are known by their orders only, or partly."""

import random
from collections.abc import Sequence

import pytest
from estimation_support import DAY, ERRORS, LENGTH, Site, rows_of
from known_orders_support import Sold, hourly, only_orders, orders_of, prepared, store_orders
from sqlalchemy import delete, update

from cloud_receiver import database, row_counts
from cloud_receiver.estimation import store
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.orders import ChargerOrders, Orders, charger_orders, read
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import estimate, nightly
from cloud_receiver.schema import charge_order, interval

DAYS = 30
SETTINGS = Estimation(days=DAYS)
END = DAY + DAYS * LENGTH


def said(site: Site, first_ms: int = DAY, end_ms: int = END) -> StationResult:
    return estimate(site.engine, site.context(), SETTINGS, first_ms, end_ms).result


def decisions(found: StationResult) -> dict[str, str]:
    return {one.meter: one.decision for one in found.chargers}


def test_a_charger_is_known_where_no_order_is_open() -> None:
    found = charger_orders([(7_001, 9_001, 5), (1_001, 4_001, 2)], 500)
    times = (0, 501, 502, 4_500, 4_501, 6_501, 6_502, 9_501)
    totals = [0, 0, None, None, 2, 2, None, 7]
    assert found.totals_at(times) == totals
    assert [found.total_mwh(time) for time in times] == totals
    assert found.sessions == [(1_001, 4_001), (7_001, 9_001)]


def test_orders_that_overlap_are_one() -> None:
    found = charger_orders([(1_000, 4_001, 2), (3_000, 6_000, 3), (8_000, 8_000, 4)], 0)
    assert found == ChargerOrders([(1_000, 6_000), (8_000, 8_000)], [5, 9], [(1_000, 6_000)])


def test_seconds_that_were_cut_off_are_allowed_for() -> None:
    cut = charger_orders([(60_000, 120_000, 2)], 0)
    assert [cut.total_mwh(time) for time in (60_000, 120_000, 179_999, 180_000)] == [0, None, None, 2]
    exact = charger_orders([(60_000, 120_001, 2)], 0)
    assert exact.total_mwh(120_001) == 2


def test_orders_over_a_midnight_tell_no_session_but_what_was_sold() -> None:
    orders = [(10, 100, 1), (90, 101, 2), (101, 120, 3), (150, 250, 4)]
    found = charger_orders(orders, 0, midnights=[100, 200])
    assert found.sessions == [(10, 100), (101, 120)]
    assert found.totals_mwh == charger_orders(orders, 0).totals_mwh


def test_orders_of_another_tell_no_sessions() -> None:
    one = charger_orders([(DAY, DAY + 3_600_000, 1)], 0)
    orders = Orders({3: one}, {1: one, 2: one}, (0, DAY))
    rest = orders.without({1, 3})
    assert (rest.beside, rest.alone, rest.known) == ({2: one}, {3: one}, (0, DAY))
    assert rest.sessions((1, 2), (DAY, DAY + LENGTH)) == (
        [None, [(DAY, DAY + 3_600_000)]],
        [None, []],
    )


def test_nothing_is_known_before_the_first_order_and_after_the_last() -> None:
    orders = Orders({1: charger_orders([(10, 20, 5)], 0)}, known=(10, 30))
    assert orders.column(1, [5, 10, 15, 20, 30, 31]) == [None, 0, None, 5, 5, None]


@pytest.mark.parametrize(
    "wrong",
    [
        Sold(0, END + 300 * LENGTH, END + 300 * LENGTH + 1000, 1_000_000, received_ms=DAY + LENGTH),
        Sold(0, DAY - 5000 * LENGTH, DAY - 5000 * LENGTH + 1000, 1_000_000, received_ms=DAY + LENGTH, journal=1),
    ],
    ids=["future", "long ago"],
)
def test_a_clock_that_is_wrong_makes_no_time_known(site: Site, wrong: Sold) -> None:
    """Orders of the first days and of the last ones have not come; nobody may say that they are missing."""
    orders = prepared(site, 0, 1, 2, days=DAYS)
    came = [one for one in orders if DAY + 3 * LENGTH < one.start_ms < one.end_ms < END - 3 * LENGTH]
    store_orders(site, [*came, wrong])
    with database.reading(site.engine) as connection:
        assert read(connection, site.context(), DAY, END).known == (came[0].start_ms, max(one.end_ms for one in came))
    found = said(site)
    assert found.left_out == ()
    assert decisions(found) == {"C01": "clear", "C02": "flag", "C03": "clear"}


def test_an_order_that_ends_after_it_came_hides_no_charger(site: Site) -> None:
    """It would be open for a year, in which nobody knew what its charger sold."""
    orders = prepared(site, 0, 1, 2, days=DAYS)
    one = next(item for item in orders if item.start_ms > DAY + DAYS // 2 * LENGTH)
    wrong = one._replace(end_ms=one.start_ms + 365 * LENGTH, received_ms=one.end_ms)
    store_orders(site, [*(item for item in orders if item != one), wrong])
    found = said(site)
    assert found.end_ms > END - LENGTH
    assert decisions(found) == {"C01": "clear", "C02": "flag", "C03": "clear"}
    # What it told of is a missing order.
    assert any(item.start_ms <= one.start_ms < item.end_ms for item in found.left_out)


@pytest.mark.parametrize("by_hour", [False, True])
def test_the_altered_charger_is_found_from_orders_alone(site: Site, *, by_hour: bool) -> None:
    store_orders(site, prepared(site, 0, 1, 2, days=DAYS, by_hour=by_hour))
    found = said(site)
    assert decisions(found) == {"C01": "clear", "C02": "flag", "C03": "clear"}
    for one, error in zip(found.chargers, ERRORS, strict=True):
        assert abs(one.error - 100 * error) < 3 * one.u
    assert found.left_out == ()
    assert found.spread is not None
    assert found.spread < 0.5
    assert found.completeness is not None
    assert (found.completeness.meters, {share for row in found.completeness.shares for share in row}) == (
        ("G",),
        {1.0},
    )


def test_intervals_from_orders_alone_cover_what_is_true(site: Site) -> None:
    site.enter(only_orders(0, 1, 2, by_hour=True))
    numbers, dice = site.numbers(), random.Random(5)
    sizes, flagged = [], []
    for seed in range(8):
        errors = [dice.gauss(0, 0.0035), dice.choice([-1, 1]) * dice.uniform(0.025, 0.05), dice.gauss(0, 0.0035)]
        rows = rows_of(numbers, DAYS, share=0.03, errors=errors, seed=seed)
        with database.writing(site.engine) as connection:
            for table in (interval, charge_order):
                connection.execute(delete(table))
        site.store(hourly(rows, numbers[-1]))
        store_orders(site, orders_of(rows, numbers[:-1], seed=seed))
        found = said(site)
        assert found.left_out == ()
        flagged += [one.meter for one in found.chargers if one.decision == "flag"]
        sizes += [abs(one.error - 100 * error) / one.u for one, error in zip(found.chargers, errors, strict=True)]
    assert flagged == ["C02"] * 8
    assert sum(size <= 1.96 for size in sizes) >= 22  # of 24; 23 is what 95 % are


def test_a_window_has_what_the_orders_in_it_came_to(site: Site) -> None:
    orders = prepared(site, 0, 1, 2, days=DAYS)
    store_orders(site, orders)
    found = said(site)
    assert found.energy_kwh == pytest.approx(
        sum(one.energy_mwh for one in orders if found.first_ms <= one.start_ms and one.end_ms <= found.end_ms) / 1e6
    )
    assert 0.9 < found.energy_kwh / (sum(one.energy_mwh for one in orders) / 1e6) <= 1


def test_registers_and_orders_go_together(site: Site) -> None:
    orders = prepared(site, 1, days=DAYS)
    store_orders(site, [one for one in orders if one.charger == 1])
    found = said(site)
    assert decisions(found) == {"C01": "clear", "C02": "flag", "C03": "clear"}
    assert abs(found.chargers[1].error - 100 * ERRORS[1]) < 3 * found.chargers[1].u
    assert found.windows > 1000


def test_orders_tell_the_sessions_of_chargers_with_registers(site: Site) -> None:
    orders = prepared(site, days=DAYS)
    # One that says how long a vehicle stood there, not how long it charged: a tenth of the power.
    parked = orders[7]._replace(energy_mwh=orders[7].energy_mwh // 10)
    store_orders(site, [*orders[:7], parked, *orders[8:]])
    with database.reading(site.engine) as connection:
        sold = read(connection, site.context(), DAY, END)
    given, told = sold.sessions(site.numbers()[:-1], (DAY, END))
    days = [one for one in orders if (one.start_ms - DAY) // LENGTH == (one.end_ms - DAY) // LENGTH]
    assert len(days) < len(orders)  # none is told of that is open at a midnight
    assert given == [
        [(one.start_ms, one.end_ms) for one in days if one.charger == place and one.start_ms != parked.start_ms]
        for place in range(3)
    ]
    assert told == [[], [], []]
    assert decisions(said(site)) == {"C01": "clear", "C02": "flag", "C03": "clear"}


def test_without_any_order_nobody_is_judged(site: Site) -> None:
    prepared(site, 0, 1, 2, days=DAYS)
    found = said(site)
    assert (found.findings[0].name, found.findings[0].meters) == ("silent", ("C01", "C02", "C03"))
    assert set(decisions(found).values()) == {"undetermined"}


def nights(site: Site, *through: int) -> list[StationResult]:
    done = []
    for through_ms in through:
        for item in nightly(site.engine, site.context(), SETTINGS, through_ms):
            if item is not None:
                done.append(item.result)
                assert item.state is not None
                with database.writing(site.engine) as connection:
                    store.keep_state(connection, site.context().number, item.state)
                    store.keep(connection, site.context().number, item.result, through_ms)
    return done


def test_every_night_of_orders_takes_all_windows(site: Site) -> None:
    store_orders(site, prepared(site, 0, 1, 2, days=DAYS))
    found = nights(site, END - LENGTH, END, END)
    assert [item.full for item in found] == [True, True]


def changed(orders: Sequence[Sold]) -> Sold:
    return next(one for one in orders if one.start_ms > DAY + 3 * LENGTH)


@pytest.mark.parametrize("late", ["none", "order", "withdrawal"])
def test_a_late_order_makes_the_night_take_all_windows(site: Site, late: str) -> None:
    orders = prepared(site, days=DAYS)
    one = changed(orders)
    store_orders(site, [item for item in orders if item != one or late != "order"])
    nights(site, END - LENGTH)
    if late == "order":
        store_orders(site, [one], first=len(orders))
    elif late == "withdrawal":
        with database.writing(site.engine) as connection:
            connection.execute(
                update(charge_order).where(charge_order.c.start_ms == one.start_ms).values(superseded_ms=1)
            )
            row_counts.add(connection, orders={site.context().number: 1})
    [last] = nights(site, END)
    assert last.full == (late != "none")
    assert (last.windows, decisions(last)["C02"]) == (DAYS * 96, "flag")
