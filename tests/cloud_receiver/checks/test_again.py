"""Days that are checked anew after a correction: of the registry, of the settings, or because somebody asked for it."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from checks_support import DAY_END_MS, GRACE_MS, SLOTS, Centre, day, shown, slots_of
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, station_model
from sqlalchemy import Engine, event, insert, select, update

from cloud_receiver import database, finding_history, findings, schema
from cloud_receiver.checks import again, causes, notes
from cloud_receiver.checks import runner as runner_module
from cloud_receiver.checks.judging import Judge
from cloud_receiver.config import Checks
from cloud_receiver.registry import Meter, Registry, Role, Side, Station
from cloud_receiver.sales.config import Sales
from cloud_receiver.validation.config import Validation
from wire.records import IntervalRecord

WHOLE_MS = 86_400_000
BEIJING = timezone(timedelta(hours=8))


def instant(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, BEIJING)


def registered(inverted: str = "", **until: int) -> Registry:
    """Return the station with a meter that counts the other way round, and meters that were taken out of service."""
    station = station_model()
    meters = tuple(
        meter.model_copy(
            update={
                "inverted": meter.id == inverted,
                "until": instant(until[meter.id]) if meter.id in until else None,
            }
        )
        for meter in station.meter
    )
    return Registry(station=(station.model_copy(update={"meter": meters}),))


def turned(records: list[IntervalRecord], name: str) -> list[IntervalRecord]:
    return [
        replace(
            each,
            forward_mwh=0,
            reverse_mwh=each.forward_mwh,
            forward_total_mwh=0,
            reverse_total_mwh=each.forward_total_mwh,
            carbon_forward_ug=0,
            carbon_reverse_ug=each.carbon_forward_ug,
            carbon_forward_total_ug=0,
            carbon_reverse_total_ug=each.carbon_forward_total_ug,
        )
        if each.meter == name
        else each
        for each in records
    ]


def corrected(centre: Centre, registry: Registry, settings: Checks | None = None) -> None:
    """Start the receiver again, with another registry or other settings."""
    centre.registry, centre.settings = registry, settings or centre.settings
    centre.restart()


def anew(centre: Centre) -> list[int]:
    """Check what waits; return how many days each portion had."""

    async def portions() -> list[int]:
        counts = []
        while count := await centre.runner.again():
            counts.append(count)
        return counts

    return asyncio.run(portions())


def last_cause(centre: Centre, kind: str) -> dict[str, object]:
    with database.reading(centre.engine) as connection:
        item = next(item for item in findings.listed(connection, closed=True) if item.kind == kind)
        return dict(finding_history.of(connection, item.id)[-1].cause)


def ask(centre: Centre, *days: int, station: int = 1) -> int:
    with database.writing(centre.engine) as connection:
        return notes.ask(connection, station, days, "Li Na", centre.clock.now_ms())


@pytest.fixture
def centre(engine: Engine, gateway: FakeGateway, registry: Registry) -> Centre:
    result = Centre(engine, gateway, registry)
    result.dispatch(dict.fromkeys(range(SLOTS), FACTOR))
    return result


@pytest.fixture
def silent(centre: Centre) -> Centre:
    """Return a centre whose charger C02 was taken out after its first day, and ten days of findings that it is gone."""
    centre.store(list(day()))
    for number in range(1, 11):
        centre.clock.wall_ms = DAY_END_MS + GRACE_MS + number * WHOLE_MS
        shown(centre.check())
    return centre


def missing(items: list[findings.Finding]) -> list[int]:
    """Return the days on which C02 is said to be missing, from the first."""
    found = [item for item in items if item.kind == "missing_intervals" and item.meter == "C02"]
    return [(item.day_ms - DAY_MS) // WHOLE_MS for item in found]


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


class Fault:
    """Makes the check of a day fail, of all days or of some."""

    def __init__(self, patch: pytest.MonkeyPatch, *days: int) -> None:
        self.days = days
        self.tried: list[int] = []
        judge = Judge.day

        def day(own: Judge, connection: object, context: object, day_ms: int, *more: object, **named: object) -> object:
            if not self.days or day_ms in self.days:
                self.tried.append(day_ms)
                raise RuntimeError("of the test")
            return judge(own, connection, context, day_ms, *more, **named)  # type: ignore[arg-type]  # as it came

        patch.setattr(Judge, "day", day)


def test_a_day_whose_check_fails_is_tried_again_a_few_times_and_told_each_time(
    centre: Centre, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    centre.store(list(day()))
    centre.check()
    ask(centre, DAY_MS)
    fault = Fault(monkeypatch)
    caplog.set_level("INFO")
    for number, pause_ms in enumerate(notes.PAUSES_MS, 1):
        assert (anew(centre), len(fault.tried)) == ([1], number)
        told = (
            f"day 2026-07-01 could not be checked anew (try {number} of 5), the next try is in {pause_ms // 60_000} min"
        )
        assert told in caplog.text
        centre.clock.wall_ms += pause_ms - 1
        assert anew(centre) == []
        centre.clock.wall_ms += 1
    assert notes.MOST_TRIES == 5
    assert (anew(centre), len(fault.tried)) == ([1], 5)
    assert "day 2026-07-01 could not be checked anew 5 times, and is tried no more" in caplog.text
    centre.clock.wall_ms += WHOLE_MS
    while centre.check() and centre.runner.behind:
        pass
    assert anew(centre) == []
    assert "days checked anew" not in caplog.text
    with database.reading(centre.engine) as connection:
        assert notes.waiting(connection) == 0


def test_one_that_fails_is_tried_anew_when_it_is_asked_for_or_after_a_start(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.store(list(day()))
    centre.check()
    ask(centre, DAY_MS)
    with monkeypatch.context() as patch:
        fault = Fault(patch)
        assert anew(centre) == [1]
        assert ask(centre, DAY_MS) == 1
        assert anew(centre) == [1]
        assert len(fault.tried) == 2
    assert anew(centre) == []
    centre.restart()
    centre.check()
    assert anew(centre) == [1]
    assert centre.runner.unchecked == 0
    with database.reading(centre.engine) as connection:
        assert connection.execute(select(schema.recheck)).all() == []


def test_one_day_that_fails_holds_up_no_other(
    silent: Centre, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    corrected(silent, registered(C02=DAY_END_MS))
    silent.check()
    bad = DAY_MS + 9 * WHOLE_MS
    caplog.set_level("INFO")
    with monkeypatch.context() as patch:
        fault = Fault(patch, bad)
        assert anew(silent) == [4, 4, 4]
        assert fault.tried == [bad, bad]
    assert missing(silent.check()) == [9]
    assert caplog.text.count("could not be checked anew") == 1
    assert "station S1: 3 days checked anew" in caplog.text
    assert silent.runner.unchecked == 1
    silent.clock.wall_ms += notes.PAUSES_MS[0]
    silent.check()
    assert anew(silent) == [1]
    assert (missing(silent.check()), silent.runner.unchecked) == ([], 0)


def test_what_one_process_has_taken_no_other_takes_unless_that_one_ends(centre: Centre) -> None:
    centre.store(list(day()))
    centre.check()
    ask(centre, DAY_MS, DAY_MS + WHOLE_MS)
    now_ms = centre.clock.now_ms()
    days = {DAY_MS: "Li Na", DAY_MS + WHOLE_MS: "Li Na", DAY_MS - WHOLE_MS: None}
    with database.writing(centre.engine) as connection:
        assert notes.take(connection, 1, {DAY_MS: "Li Na", DAY_MS - WHOLE_MS: None}, now_ms) == {
            *(DAY_MS, DAY_MS - WHOLE_MS)
        }
        assert notes.take(connection, 1, days, now_ms) == {DAY_MS + WHOLE_MS}
        assert notes.take(connection, 1, days, now_ms + notes.TAKEN_MS - 1) == set()
        assert notes.due(connection, 1, now_ms + notes.TAKEN_MS - 1) == {}
        assert notes.take(connection, 1, days, now_ms + notes.TAKEN_MS) == set(days)


def test_two_that_work_on_one_store_share_the_days(silent: Centre) -> None:
    corrected(silent, registered(C02=DAY_END_MS))
    silent.check()
    first = silent.runner
    silent.restart()
    silent.check()
    second = silent.runner
    checked: list[tuple[int, int]] = []
    judge = Judge.day

    async def both() -> None:
        with pytest.MonkeyPatch.context() as patch:

            def note(
                own: Judge, connection: object, context: object, day_ms: int, *more: object, **named: object
            ) -> object:
                checked.append((id(own), day_ms))
                return judge(own, connection, context, day_ms, *more, **named)  # type: ignore[arg-type]  # as it came

            patch.setattr(Judge, "day", note)

            async def work(runner: runner_module.Runner) -> None:
                while await runner.again():
                    pass

            await asyncio.gather(work(first), work(second))

    asyncio.run(both())
    assert len({own for own, _ in checked}) == 2
    days = [day_ms for _, day_ms in checked]
    assert sorted(days) == [DAY_MS + number * WHOLE_MS for number in range(-1, 11)]
    assert missing(silent.check()) == []


def test_a_store_that_fails_leaves_the_days_as_they_are_asked_for(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.store(list(day()))
    centre.check()
    ask(centre, DAY_MS)

    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk of the test is full")

    with monkeypatch.context() as patch:
        patch.setattr(Judge, "day", fail)
        with pytest.raises(OSError, match="full"):
            asyncio.run(centre.runner.again())
    assert anew(centre) == [1]


def test_a_station_of_which_nothing_is_to_be_checked_costs_no_transaction(centre: Centre) -> None:
    centre.store(list(day()))
    centre.check()
    begun: list[object] = []
    event.listen(centre.engine, "begin", begun.append)
    asyncio.run(centre.runner.round())
    assert len(begun) == 1  # what came is looked for once, for all stations


def test_a_station_that_is_registered_no_more_stops_no_other(centre: Centre) -> None:
    centre.store(list(day()))
    centre.check()
    ask(centre, DAY_MS, station=0)
    ask(centre, DAY_MS, station=1)
    assert anew(centre) == [1]


CHANGES: dict[str, object] = {
    "timezone": "Asia/Tokyo",
    "node": "node2",
    "since": instant(DAY_MS),
    "time_uncertainty_s": Decimal(3),
}
OF_METERS: dict[str, object] = {
    "role": Role.AUXILIARY,
    "accuracy_class": Decimal(2),
    "resolution_kwh": Decimal(1),
    "carbon_resolution_kg": Decimal(1),
    "rated_kw": Decimal(7),
    "interval_s": 60,
    "only_orders": True,
    "connectors": ("c",),
    "inverted": True,
    "order_class_percent": Decimal(1),
    "dc_output": True,
    "orders_at": Side.OUTPUT,
    "dc_efficiency_percent": Decimal(90),
    "dc_efficiency_uncertainty_percent": Decimal(1),
    "since": instant(DAY_MS),
    "until": instant(DAY_MS),
}


def with_meter(**changes: object) -> Station:
    station = station_model()
    first = station.meter[0].model_copy(update=changes)
    return station.model_copy(update={"meter": (first, *station.meter[1:])})


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_what_the_checks_read_of_a_station_is_in_its_digest(name: str) -> None:
    before = station_model()
    assert causes.digest(before.model_copy(update={name: CHANGES[name]})) != causes.digest(before)


@pytest.mark.parametrize("name", sorted(OF_METERS))
def test_what_the_checks_read_of_a_meter_is_in_the_digest(name: str) -> None:
    assert causes.digest(with_meter(**{name: OF_METERS[name]})) != causes.digest(station_model())


def test_every_key_of_a_meter_is_in_the_digest_or_left_out_on_purpose() -> None:
    left_out = {"id", "gateway", "measures"} | causes._UNREAD_OF_METERS
    assert set(Meter.model_fields) == set(OF_METERS) | left_out


def test_what_no_check_reads_is_not_in_the_digest() -> None:
    before = causes.digest(station_model())
    assert causes.digest(station_model(name="West", operator="North")) == before
    assert (
        causes.digest(
            with_meter(make="Acme 60", voltage_drop=False, single_phase_vehicles=True, class_limit_percent=Decimal(2))
        )
        == before
    )
    assert causes.digest(with_meter(inverted=False)) == before


def test_the_digest_of_the_settings_has_what_may_change_a_finding() -> None:
    before = causes.digest_of_settings(Checks(), Validation(), Sales())
    same = causes.digest_of_settings(Checks(pause_ms=1, recheck_days=3, enabled=False), Validation(), Sales())
    assert same == before
    assert causes.digest_of_settings(Checks(minimum_slots=6), Validation(), Sales()) != before
    assert causes.digest_of_settings(Checks(), Validation(enabled=False), Sales()) != before
    assert causes.digest_of_settings(Checks(), Validation(), Sales(clock_s=Decimal(5))) != before
