"""How orders and records come: again with a new journal, late, by two receivers, and what is checked again then."""

from pathlib import Path

import pytest
from day_support import CHARGE, Centre, intervals, told
from receiver_support import enrol, station_model
from sales_support import DAY_MS, HOUR_MS, MINUTE_MS, SLOT_MS, order, stored
from sqlalchemy import Engine, select

from cloud_receiver import database, findings, meters
from cloud_receiver.registry import Registry
from cloud_receiver.schema import dirty

DAY = 24 * HOUR_MS


@pytest.fixture
def centre(engine: Engine, registry: Registry) -> Centre:
    return Centre(engine, enrol(engine, "gw1"), registry)


def days_of(engine: Engine, kind: str, meter: str | None = None) -> list[int]:
    """Return the days, by number, on which a finding of a kind is open."""
    with database.reading(engine) as connection:
        found = findings.listed(connection)
    return sorted((item.day_ms - DAY_MS) // DAY for item in found if (item.kind, item.meter) == (kind, meter))


def waiting(engine: Engine) -> list[int]:
    """Return the instants of the first five days whose days are to be judged again later."""
    with database.reading(engine) as connection:
        return list(connection.execute(select(dirty.c.first_ms).where(dirty.c.first_ms < DAY_MS + 5 * DAY)).scalars())


def test_a_new_journal_sends_the_whole_log_again(centre: Centre) -> None:
    log = [told(order("z", -3, 1, 0)), told(order("a", 10, 1, 20, amount=100_000))]
    centre.take(*intervals(CHARGE), *log)
    centre.enter(order("a", 10, 1, 20, amount=120_000))
    before, kept = centre.check(), stored(centre.engine)
    assert set(before) == {("order_changed", "C01")}
    centre.begin_journal(b"journal2")
    centre.take(*log)
    assert stored(centre.engine) == kept
    assert centre.check() == before


def test_two_receivers_of_one_store_take_the_same_orders(centre: Centre, tmp_path: Path, registry: Registry) -> None:
    other = Centre(database.open_store("sqlite:///store.sqlite", tmp_path), centre.gateway, registry)
    log = [told(order(f"n{place}", place, 1, 0)) for place in range(5)]
    for item in log:
        centre.take(item)
        other.take(item)  # the same message, by a broker that tells both
    other.begin_journal(b"journal2")
    other.take(*log)
    assert [row[0] for row in stored(centre.engine)] == [f"n{place}" for place in range(5)]
    other.engine.dispose()


def test_an_order_that_comes_before_its_records_is_judged_when_they_come(centre: Centre) -> None:
    centre.take(told(order("z", -3, 1, 0)), told(order("a", 10, 1, 25)))
    assert centre.check() == {}
    centre.take(*intervals(CHARGE))
    assert ("order_energy", "C01") in centre.check()


def test_late_records_of_the_day_before_have_an_order_over_midnight_judged_again(centre: Centre) -> None:
    centre.clock.step_wall(2 * DAY)
    crossing = order("a", 22, 4, 60)
    records = intervals(dict.fromkeys(range(88, 104), 2.5), meters=(1, 4), days=2)
    early = [item for item in records if item.start_ms < DAY_MS + 23 * HOUR_MS]  # type: ignore[union-attr]  # intervals
    late = [item for item in records if item not in early]
    centre.take(told(order("z", -3, 1, 0)), told(crossing), told(order("n", 26, 1, 0)), *late)
    centre.check()
    centre.clock.step_wall(DAY)
    assert ("order_energy", "C01") not in centre.check()
    centre.clock.step_wall(DAY)
    assert ("order_energy", "C01") not in centre.check()
    centre.take(*early)
    assert ("order_energy", "C01") not in centre.check()
    centre.clock.step_wall(15 * MINUTE_MS)
    found = centre.check()["order_energy", "C01"]
    assert found.day_ms == DAY_MS + DAY


def test_a_late_order_of_the_day_before_closes_what_the_next_day_has_of_it(engine: Engine) -> None:
    # Somebody is plugged in over midnight: the next day's balance begins in the afternoon before.
    station = station_model(2)
    only = [meter.model_copy(update={"only_orders": meter.id != "G"}) for meter in station.meter]
    registry = Registry(station=(station.model_copy(update={"meter": tuple(only)}),))
    with database.writing(engine) as connection:
        meters.enter_registry(connection, registry)
    centre = Centre(engine, enrol(engine, "gw1"), registry, DAY_MS + 3 * DAY)
    centre.take(*intervals({84: 10.0, 85: 10.0, 120: 2.0}, meters=(4,), days=3))
    night, late = order("night", 17, 14, 2), order("late", 21, 1, 20)
    centre.enter(order("z", -3, 1, 0), night, order("n", 60, 1, 0))
    centre.check()
    assert days_of(engine, "sold_day") == [1]
    centre.enter(late, meter=2)
    centre.check()
    centre.clock.step_wall(15 * MINUTE_MS)  # when what came late has settled
    centre.check()
    assert days_of(engine, "sold_day") == []


def test_a_day_that_is_judged_again_for_another_tells_no_further_day(centre: Centre) -> None:
    centre.clock.step_wall(6 * DAY)
    nights = [order(f"n{day}", 24 * day + 20, 10, 1) for day in range(5)]
    centre.enter(order("z", -3, 1, 0), *nights)
    centre.take(*intervals({}, days=5))
    centre.check()
    centre.clock.step_wall(HOUR_MS)
    centre.check()
    centre.enter(order("n0", 20, 10, 2))
    centre.check()
    assert waiting(centre.engine) == [DAY_MS + day * DAY + SLOT_MS for day in (1, 2)]  # the order lies in two days
    centre.clock.step_wall(15 * MINUTE_MS)
    centre.check()
    assert waiting(centre.engine) == []
