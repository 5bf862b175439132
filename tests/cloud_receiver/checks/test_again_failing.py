"""Days to be checked anew whose check fails, that another process has taken, or that are nobody's."""

import asyncio

import pytest
from again_support import (
    WHOLE_MS,
    Fault,
    anew,
    ask,
    corrected,
    dispatched,
    missing,
    registered,
    silenced,
)
from checks_support import DAY_END_MS, Centre, day
from receiver_support import DAY_MS, FakeGateway
from sqlalchemy import Engine, event, select

from cloud_receiver import database, schema
from cloud_receiver.checks import notes
from cloud_receiver.checks import runner as runner_module
from cloud_receiver.checks.judging import Judge
from cloud_receiver.registry import Registry


@pytest.fixture
def centre(engine: Engine, gateway: FakeGateway, registry: Registry) -> Centre:
    return dispatched(engine, gateway, registry)


@pytest.fixture
def silent(centre: Centre) -> Centre:
    return silenced(centre)


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
