"""Orders in the store: versions, and what is known already."""

from dataclasses import replace
from typing import Any

import pytest
from sales_support import DAY_MS, HOUR_MS, KWH, context_of, order, stored
from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql

from cloud_receiver import database
from cloud_receiver.sales import history, store, window
from cloud_receiver.sales.config import Sales
from cloud_receiver.sales.order import CSV, GATEWAY, Order, Period
from cloud_receiver.sales.store import Entered, Told


def enter(engine: Engine, *told: Told | Order, source: str = CSV, now_ms: int = 5) -> Entered:
    items = [Told(1, item) if isinstance(item, Order) else item for item in told]
    with database.writing(engine) as connection:
        return store.enter(connection, 1, items, source=source, made_by="x", now_ms=now_ms)


def read(engine: Engine, first: float, end: float) -> list[str]:
    with database.reading(engine) as connection:
        found = store.in_force(connection, 1, DAY_MS + round(first * HOUR_MS), DAY_MS + round(end * HOUR_MS))
    return [item.number for orders in found.values() for item in orders]


def test_what_comes_back_is_what_was_told(engine: Engine) -> None:
    period = Period(DAY_MS, DAY_MS + HOUR_MS, 5, 1, None, None, 7)
    told = order(
        amount=-5,
        electricity_amount=1,
        service_amount=2,
        start_total_mwh=3,
        end_total_mwh=4,
        stop_reason=2,
        connector="枪1",
        periods=(period, replace(period, energy_mwh=6)),
    )
    enter(engine, told)
    with database.reading(engine) as connection:
        assert store.in_force(connection, 1, DAY_MS, DAY_MS + 24 * HOUR_MS) == {1: [told]}


def test_orders_that_touch_a_span_are_those_that_overlap_it(engine: Engine) -> None:
    enter(engine, order("a", 1, 1), order("b", 2, 1), order("c", 3, 0), order("d", 3, 1), order("e", 0, 9))
    assert read(engine, 2, 3) == ["e", "b"]
    assert read(engine, 3, 4) == ["e", "c", "d"]


@pytest.mark.parametrize("days_later", [0, 300])
def test_orders_that_end_before_they_begin_are_open_between_the_two(engine: Engine, days_later: int) -> None:
    enter(engine, order("a", 10, -500), order("b", 10, -8), order("c", 1, -1), order("d", 30, -1), order("e", 30, -27))
    enter(engine, order("z", 24 * days_later), now_ms=DAY_MS + days_later * 24 * HOUR_MS)
    assert set(read(engine, 2, 4)) == {"a", "b", "e"}


def test_one_number_many_times_in_one_call(engine: Engine) -> None:
    result = enter(engine, order(kwh=1), order(kwh=1), order(kwh=2), order(kwh=3), Told(2, order(kwh=9)))
    assert (result.new, result.known, result.changed) == (2, 1, 2)
    assert [(row[1], row[2], row[4]) for row in stored(engine)] == [
        (1, KWH, False),
        (2, 2 * KWH, False),
        (3, 3 * KWH, True),
        (1, 9 * KWH, True),
    ]
    assert read(engine, 0, 24) == ["1", "1"]


def test_what_leaves_something_out_denies_nothing(engine: Engine) -> None:
    enter(engine, order(amount=7, periods=(Period(DAY_MS, DAY_MS, 1),)))
    assert enter(engine, order()).known == 1
    assert enter(engine, order(amount=8)).changed == 1
    assert enter(engine, order(amount=8, service_amount=1)).changed == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_record_that_comes_after_a_later_one_is_superseded_at_once(engine: Engine, *, together: bool) -> None:
    told = [Told(1, order(kwh=2), 1, 20), Told(1, order(kwh=1), 1, 10), Told(1, order(kwh=3), 1, 30)]
    for part in [told] if together else [[item] for item in told]:
        enter(engine, *part, source=GATEWAY)
    assert [(row[1], row[2], row[4]) for row in stored(engine)] == [
        (1, 2 * KWH, False),
        (2, KWH, False),
        (3, 3 * KWH, True),
    ]


def test_more_than_one_statement_takes(engine: Engine) -> None:
    told = [order(f"n{place}", place / 100) for place in range(1203)]
    assert enter(engine, *told).new == 1203
    assert enter(engine, *told).known == 1203


def test_a_correction_keeps_what_it_leaves_out(engine: Engine) -> None:
    period = Period(DAY_MS, DAY_MS + HOUR_MS, 20 * KWH)
    told = order(amount=7, start_total_mwh=0, end_total_mwh=20 * KWH, connector="A", periods=(period,))
    enter(engine, told)
    for change, left in (
        ({"amount": 8}, {"amount": 8}),
        ({"kwh": 25}, {"amount": 8, "energy_mwh": 25 * KWH, "periods": ()}),
    ):
        assert enter(engine, order(**change)).changed == 1  # type: ignore[arg-type]  # one field each
        with database.reading(engine) as connection:
            assert store.in_force(connection, 1, DAY_MS, DAY_MS + 24 * HOUR_MS) == {1: [replace(told, **left)]}  # type: ignore[arg-type]  # likewise


@pytest.mark.parametrize("together", [True, False])
def test_a_log_that_is_read_again_with_a_new_journal_is_known(engine: Engine, *, together: bool) -> None:
    log = [Told(1, order("a", kwh=1), 1, 1), Told(1, order("a", kwh=2), 1, 2), Told(1, order("b", amount=5), 1, 3)]
    enter(engine, *log, source=GATEWAY)
    enter(engine, order("b", amount=6))
    before = stored(engine)
    again = [replace(item, journal=2, sequence=9 - place) for place, item in enumerate(log)]
    for part in [again] if together else [[item] for item in again]:
        assert enter(engine, *part, source=GATEWAY).known == len(part)
    assert stored(engine) == before
    # Of its own journal it is a further word, and so is what it never said.
    assert enter(engine, Told(1, order("a", kwh=1), 1, 50), source=GATEWAY).changed == 1
    assert enter(engine, Told(1, order("b", amount=7), 2, 50), source=GATEWAY).changed == 1


def test_a_log_told_twice_in_one_call_with_a_correction_between(engine: Engine) -> None:
    log = [Told(1, order(kwh=1), 1, 1), Told(1, order(kwh=2), 1, 2)]
    again = [Told(1, item.order, 2, 1 + place) for place, item in enumerate(log)]
    result = enter(engine, *log, *again, source=GATEWAY)
    assert (result.new, result.changed, result.known) == (1, 1, 2)


def test_a_number_that_a_charger_uses_again_is_another_charge(engine: Engine) -> None:
    first, second = order("1", 10, 1, 20), order("1", 400, 1, 30)
    log = [Told(1, first, 1, 1), Told(1, second, 1, 2)]
    assert enter(engine, *log, source=GATEWAY).new == 2
    assert read(engine, 0, 500) == ["1", "1"]
    # The whole log again, and of each charge a correction.
    again = [replace(item, journal=2, sequence=9) for item in log]
    assert enter(engine, *again, source=GATEWAY).known == 2
    assert enter(engine, order("1", 10, 1, 21)).changed == 1
    assert enter(engine, order("1", 400, 1, 31)).changed == 1
    assert [(row[1], row[2], row[4]) for row in stored(engine)] == [
        (1, 20 * KWH, False),
        (2, 30 * KWH, False),
        (3, 21 * KWH, True),
        (4, 31 * KWH, True),
    ]
    assert enter(engine, *again, source=GATEWAY).known == 2
    # What a file has at another time corrects the last.
    assert enter(engine, order("1", 402, 1, 32)).changed == 1
    assert [row[2] for row in stored(engine) if row[4]] == [21 * KWH, 32 * KWH]


def changed(engine: Engine, first: float, end: float) -> list[dict[str, Any]]:
    """Return what is told of versions in a time, in hours of the day."""
    context = context_of(engine)
    span = DAY_MS + round(first * HOUR_MS), DAY_MS + round(end * HOUR_MS)
    with database.reading(engine) as connection:
        day = window.read(connection, context, span, Sales(), now_ms=span[1], coverage_factor=2.0, records=False)
        return [dict(item.detail) for item in history.changed(connection, day)]


def test_what_is_told_of_a_correction_is_what_it_has_changed(engine: Engine) -> None:
    log = [Told(1, order("1", 10, 1, 20), 1, 1), Told(1, order("1", 40, 1, 30), 1, 2)]
    assert enter(engine, *log, source=GATEWAY).new == 2
    # The first is corrected, and is the newest word then: a file that has yet another charge corrects that.
    assert enter(engine, order("1", 10, 1, 21)).changed == 1
    assert enter(engine, order("1", 44, 1, 3)).changed == 1
    assert [row[2] for row in stored(engine) if row[4]] == [30 * KWH, 3 * KWH]
    first, last = (item for item in changed(engine, 0, 48) if "changes" in item)
    assert first["changes"] == {"energy_mwh": [20 * KWH, 21 * KWH]}
    assert last["changes"]["energy_mwh"] == [21 * KWH, 3 * KWH]


def test_versions_that_come_together_are_not_late(engine: Engine) -> None:
    log = [Told(1, order(kwh=20 + place), 1, place) for place in range(4)]
    enter(engine, *log[:3], source=GATEWAY)
    enter(engine, log[3], source=GATEWAY)
    enter(engine, Told(1, order(kwh=9), 1, 0), source=GATEWAY)
    found = changed(engine, 0, 24)
    kwh = [tuple(value // KWH for value in item["changes"]["energy_mwh"]) for item in found]
    assert kwh == [(20, 21), (21, 22), (22, 23), (23, 9)]
    assert ["late" in item for item in found] == [False, False, False, True]


def test_a_charger_that_gives_all_orders_one_number_has_all_of_them(engine: Engine) -> None:
    log = [Told(1, order("0", 2 * place, 1, 1 + place), 1, place) for place in range(250)]
    assert [enter(engine, *part, source=GATEWAY).new for part in (log[:150], log[150:])] == [150, 100]
    assert len(read(engine, 0, 500)) == 250
    # The whole log again, in small parts and in one call, and a file that was made of it.
    again = [replace(item, journal=2) for item in log]
    assert [enter(engine, *part, source=GATEWAY).known for part in (again[:32], again[32:])] == [32, 218]
    assert enter(engine, *(item.order for item in log)).known == 250
    assert len(read(engine, 0, 500)) == 250
    found = changed(engine, 480, 504)
    assert [item["other_to"][:13] for item in found[:2]] == ["2026-07-20T15", "2026-07-20T17"]
    assert len(found) == 10


def test_a_long_log_of_one_number_that_is_told_twice_in_one_call_is_there_once(engine: Engine) -> None:
    log = [Told(1, order("0", 2 * place, 1, 1 + place), 1, place) for place in range(150)]
    result = enter(engine, *log, *(replace(item, journal=2) for item in log), source=GATEWAY)
    assert (result.new, result.known, result.changed) == (150, 150, 0)


@pytest.mark.parametrize(
    ("changes", "another"),
    [
        ({}, True),
        ({"kwh": 20}, False),  # a clock that was put right
        ({"kwh": 20, "hours": 1.5}, True),
        ({"start": 11}, False),
        ({"start_total_mwh": 7, "end_total_mwh": 9}, False),
        ({"kwh": 20, "start_total_mwh": 9, "end_total_mwh": 11}, True),
    ],
)
def test_what_has_anything_in_common_is_a_further_word(
    engine: Engine, changes: dict[str, Any], *, another: bool
) -> None:
    totals = {"start_total_mwh": 7, "end_total_mwh": 9} if "end_total_mwh" in changes else {}
    enter(engine, Told(1, order("1", 10, 1, 20, **totals), 1, 1), source=GATEWAY)
    told = Told(1, order(**({"number": "1", "start": 90, "hours": 1, "kwh": 30} | changes)), 1, 2)
    result = enter(engine, told, source=GATEWAY)
    assert (result.new, result.changed) == ((1, 0) if another else (0, 1))


class Postgres:
    """Takes statements as PostgreSQL would, of an empty store."""

    def __init__(self) -> None:
        self.dialect = postgresql.dialect()
        self.statements: list[str] = []

    def execute(self, statement: Any, values: Any = None) -> list[Any]:
        self.statements.append(" ".join(str(statement.compile(dialect=self.dialect)).split()))
        return []

    def exec_driver_sql(self, statement: str, _values: Any) -> None:
        self.statements.append(statement)


def test_receivers_of_one_postgresql_take_turns_at_a_station() -> None:
    connection = Postgres()
    store.enter(connection, 1, [Told(1, order())], source=GATEWAY, made_by="x", now_ms=5)  # type: ignore[arg-type]
    assert connection.statements[0].startswith("SELECT station.id FROM station")
    assert connection.statements[0].endswith("FOR NO KEY UPDATE")
    assert connection.statements[-3].startswith("INSERT INTO charge_order")
    assert connection.statements[-2].startswith("INSERT INTO station_rows")
