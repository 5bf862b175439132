"""Days that are checked anew after a correction: of the registry, of the settings, or because somebody asked for it."""

import asyncio

import pytest
from again_support import (
    WHOLE_MS,
    anew,
    ask,
    corrected,
    dispatched,
    instant,
    last_cause,
    missing,
    registered,
    silenced,
    turned,
)
from checks_support import DAY_END_MS, SLOTS, Centre, day, shown, slots_of
from receiver_support import DAY_MS, SLOT_MS, FakeGateway
from sqlalchemy import Engine, insert, select, update

from cloud_receiver import database, schema
from cloud_receiver.checks import again, notes
from cloud_receiver.checks import runner as runner_module
from cloud_receiver.checks.judging import Judge
from cloud_receiver.config import Checks
from cloud_receiver.registry import Registry


@pytest.fixture
def centre(engine: Engine, gateway: FakeGateway, registry: Registry) -> Centre:
    return dispatched(engine, gateway, registry)


@pytest.fixture
def silent(centre: Centre) -> Centre:
    return silenced(centre)


def test_a_correction_of_the_registry_has_its_days_checked_anew_without_new_records(centre: Centre) -> None:
    centre.store(turned(day(), "C01"))
    assert ("balance_day", None) in shown(centre.check())
    corrected(centre, registered("C01"))
    assert ("balance_day", None) in shown(centre.check())
    assert anew(centre) == [2]  # the day before was judged as well: its last freeze is that of the first midnight
    assert centre.check() == []
    assert last_cause(centre, "balance_day") == {"registry": True}
    assert anew(centre) == []


def test_what_is_as_it_was_is_not_checked_anew(silent: Centre) -> None:
    corrected(silent, silent.registry)
    silent.check()
    assert anew(silent) == []


def test_a_late_record_has_the_whole_day_judged_by_the_present_registry(centre: Centre) -> None:
    records = turned(day(), "C01")
    centre.store([each for each in records if each.meter != "C03" or each.start_ms != DAY_MS + 40 * SLOT_MS])
    assert ("balance_slot", None) in shown(centre.check())
    corrected(centre, registered("C01"))
    centre.store([each for each in records if each.meter == "C03" and each.start_ms == DAY_MS + 40 * SLOT_MS])
    assert centre.check() == []
    with database.reading(centre.engine) as connection:
        rows = connection.execute(select(schema.slot_check.c.result)).scalars().all()
    assert sum('"inverted"' in text for text in rows) == SLOTS


def test_the_newest_days_come_first_in_small_portions(silent: Centre) -> None:
    assert missing(silent.check()) == list(range(1, 11))
    corrected(silent, registered(C02=DAY_END_MS))
    assert missing(silent.check()) == list(range(1, 11))
    assert asyncio.run(silent.runner.again()) == again.DAYS_AT_ONCE
    assert missing(silent.check()) == list(range(1, 7))
    # The day before the first was judged as well.
    assert anew(silent) == [4, 4]
    assert missing(silent.check()) == []


@pytest.mark.parametrize(("days", "left"), [(0, 10), (3, 7), (400, 0)])
def test_the_days_that_are_checked_anew_by_themselves_are_bounded(days: int, left: int, silent: Centre) -> None:
    corrected(silent, registered(C02=DAY_END_MS), Checks(recheck_days=days))
    silent.check()
    anew(silent)
    assert len(missing(silent.check())) == left


def test_a_correction_of_the_settings_does_so_too(centre: Centre) -> None:
    centre.store(list(day({"C02": 30})))
    assert ("charger_error", "C02") in shown(centre.check())
    corrected(centre, centre.registry, Checks(coverage_factor=5, minimum_slots=96, gross_ratio=50))
    centre.check()
    assert anew(centre) == [2]
    assert centre.check() == []
    assert last_cause(centre, "charger_error") == {"settings": True}


def test_what_an_earlier_version_checked_is_checked_anew_and_nobody_is_said_to_have_corrected_anything(
    centre: Centre,
) -> None:
    centre.store(turned(day(), "C01"))
    centre.check()
    with database.writing(centre.engine) as connection:
        connection.execute(update(schema.day_check).values(registry="a" * 64, settings="b" * 64))
    corrected(centre, registered("C01"))
    centre.check()
    assert anew(centre) == [2]
    assert centre.check() == []
    assert last_cause(centre, "balance_day") == {"program": True}
    centre.restart()
    centre.check()
    assert anew(centre) == []


def test_a_station_that_should_have_reported_earlier(centre: Centre) -> None:
    centre.store(list(day()))
    assert centre.check() == []
    station = centre.registry.station[0].model_copy(update={"since": instant(DAY_MS - 2 * WHOLE_MS)})
    corrected(centre, Registry(station=(station,)))
    centre.check()
    anew(centre)
    found = [item for item in centre.check() if item.meter == "C01"]
    assert [(item.kind, item.day_ms, len(slots_of(item))) for item in found] == [
        ("missing_intervals", DAY_MS - number * WHOLE_MS, SLOTS) for number in (2, 1)
    ]
    later = centre.registry.station[0].model_copy(update={"since": instant(DAY_MS)})
    corrected(centre, Registry(station=(later,)))
    centre.check()
    anew(centre)
    assert centre.check() == []


def test_what_a_person_asked_for_is_checked_and_the_findings_say_so(centre: Centre) -> None:
    centre.store(turned(day(), "C01"))
    centre.check()
    centre.settings = Checks(recheck_days=0)
    corrected(centre, registered("C01"))
    centre.check()
    assert anew(centre) == []
    assert ask(centre, DAY_MS) == 1
    assert ask(centre, DAY_MS) == 0
    assert anew(centre) == [1]
    assert centre.check() == []
    assert last_cause(centre, "balance_day") == {"registry": True, "asked": "Li Na"}
    with database.reading(centre.engine) as connection:
        assert notes.waiting(connection) == 0


def test_a_month_is_judged_with_the_last_of_its_days(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    centre.store(list(day()))
    centre.clock.wall_ms = DAY_MS + 32 * WHOLE_MS
    while centre.check() and centre.runner.behind:
        pass
    judged: list[int] = []
    monkeypatch.setattr(
        Judge, "month", lambda _self, _connection, _context, month_ms, *_, **__: judged.append(month_ms)
    )
    ask(centre, *(DAY_MS + number * WHOLE_MS for number in range(10)))
    assert anew(centre) == [4, 4, 2]
    assert judged == [DAY_MS]


def test_what_is_fresh_goes_first(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    centre.store(list(day()))
    centre.check()
    ask(centre, DAY_MS)
    monkeypatch.setattr(runner_module, "DIRTY_ROWS", 1)
    with database.writing(centre.engine) as connection:
        row = {"station": 1, "first_ms": DAY_MS, "last_ms": DAY_MS}
        connection.execute(insert(schema.dirty), [row, row])
    waits = []
    for _ in range(3):
        asyncio.run(centre.runner._turn())
        with database.reading(centre.engine) as connection:
            waits.append(notes.waiting(connection))
    assert waits == [1, 1, 0]


def test_slots_that_are_due_go_first(centre: Centre) -> None:
    centre.store(list(day()))
    centre.check()
    ask(centre, DAY_MS)
    centre.clock.wall_ms += 11 * WHOLE_MS
    portions = []
    for _ in range(3):
        centre.check()
        portions.append(asyncio.run(centre.runner.again()))
    assert portions == [0, 0, 1]
