"""Nights that are shared: by tasks of one process here, which know nothing of each other but by the store."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from estimation_support import LENGTH
from receiver_support import until
from shared_nights_support import DAYS, Sharing
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, OperationalError

from cloud_receiver.estimation import claims, night
from cloud_receiver.estimation.claims import FLEET, LEASE_MS, MOST_TRIES, Claims, Kind, State
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.due import Due
from cloud_receiver.estimation.keeping import keep_nights
from cloud_receiver.estimation.night import Nights
from cloud_receiver.estimation.run import nightly

COUNT = 9


@pytest.fixture
def sharing(engine: Engine) -> Sharing:
    return Sharing(engine, COUNT)


async def rounds(*each: Nights) -> list[int]:
    return list(await asyncio.gather(*(one.round() for one in each)))


def numbers(sharing: Sharing) -> dict[int, int]:
    """Return all stations with the midnight up to which they are wanted."""
    due = Due(sharing.registry, Estimation())
    assert due.note(sharing.engine, sharing.hands.time_ms)
    return due.left


def test_each_station_is_made_once_whoever_makes_it(sharing: Sharing) -> None:
    one, two = sharing.nights(), sharing.nights()
    counts = asyncio.run(rounds(one, two))
    assert sum(counts) == COUNT
    assert min(counts) >= 2
    assert sharing.estimated() == dict.fromkeys(sharing.names, 1)
    # Each may have passed by what the other had not written yet.
    while one.waits or two.waits:
        assert asyncio.run(rounds(one, two)) == [0, 0]
    assert sharing.fleets() == 1
    sharing.hands.time_ms += LENGTH
    assert sum(asyncio.run(rounds(one, two))) == COUNT
    assert sharing.estimated() == dict.fromkeys(sharing.names, 2)


def test_what_another_has_is_waited_for_and_then_what_all_say_together_is_made(sharing: Sharing) -> None:
    all_of_them = numbers(sharing)
    other = Claims(sharing.engine, sharing.hands.now_ms, "other")
    [taken] = other.take(dict(list(all_of_them.items())[:1])).stations
    one = sharing.nights()
    assert asyncio.run(one.round()) == COUNT - 1
    assert one.waits
    assert sharing.fleets() == 0
    other.settle(taken, State.DONE)
    other.write()
    assert other.take_fleet(1) is Kind.FREE
    assert asyncio.run(one.round()) == 0
    assert one.waits
    assert sharing.fleets() == 0
    other.close()
    assert asyncio.run(one.round()) == 0
    assert not one.waits
    assert sharing.fleets() == 1


def test_what_one_that_was_killed_had_is_made_when_its_time_is_over(sharing: Sharing) -> None:
    killed = Claims(sharing.engine, sharing.hands.now_ms, "killed")
    assert len(killed.take(dict(list(numbers(sharing).items())[:4])).stations) == 4
    one = sharing.nights()
    assert asyncio.run(one.round()) == COUNT - 4
    sharing.hands.time_ms += LEASE_MS - 1
    assert asyncio.run(one.round()) == 0
    sharing.hands.time_ms += 1
    assert asyncio.run(one.round()) == 4
    assert sharing.estimated() == dict.fromkeys(sharing.names, 1)


def test_what_kills_is_given_up(sharing: Sharing, caplog: pytest.LogCaptureFixture) -> None:
    first = dict(list(numbers(sharing).items())[:1])
    for name in range(MOST_TRIES):
        assert Claims(sharing.engine, sharing.hands.now_ms, str(name)).take(first).stations
        sharing.hands.time_ms += LEASE_MS
    one = sharing.nights()
    assert asyncio.run(one.round()) == COUNT - 1
    assert (one.failed, one.waits) == (1, False)
    assert "station S00: no error estimation: 3 processes that made it were ended" in caplog.text
    # A receiver that starts tries it again.
    assert asyncio.run(sharing.nights().round()) == 0
    assert asyncio.run(sharing.nights(anew=True).round()) == 1


def test_what_stations_say_together_is_given_up_likewise(sharing: Sharing, caplog: pytest.LogCaptureFixture) -> None:
    for name in range(MOST_TRIES):
        Claims(sharing.engine, sharing.hands.now_ms, str(name)).take_fleet(LENGTH)
        sharing.hands.time_ms += LEASE_MS
    one = sharing.nights()
    assert asyncio.run(one.round()) == COUNT
    assert not one.waits
    assert sharing.fleets() == 0
    assert "what stations say of makes: 3 processes that solved for it were ended" in caplog.text


def test_one_that_stood_still_keeps_nothing_of_what_another_made(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, quick = sharing.nights(), sharing.nights()

    def standing(*arguments: Any) -> Iterator[Any]:
        monkeypatch.setattr(night, "nightly", nightly)
        steps = nightly(*arguments)
        yield next(steps)
        yield from steps

    async def both() -> int:
        monkeypatch.setattr(night, "nightly", standing)
        work = asyncio.create_task(slow.round())
        await until(lambda: night.nightly is not standing)
        sharing.hands.time_ms += LEASE_MS
        # Nothing of the slow one's has its turn before the quick one has made everything.
        monkeypatch.setattr(Nights, "_give_way", at_once)
        made = await quick.round()
        monkeypatch.undo()
        return made + await work

    async def at_once(*_: Any) -> None:
        pass

    assert asyncio.run(both()) == COUNT
    assert sharing.estimated() == dict.fromkeys(sharing.names, 1)
    assert asyncio.run(rounds(slow, quick)) == [0, 0]
    assert not slow.waits


@pytest.mark.parametrize(
    ("fault", "comes_through"),
    [
        (IntegrityError("INSERT", None, ValueError("no such row")), True),
        (RuntimeError("bad"), True),
        (OperationalError("INSERT", None, ValueError("the disk is full")), False),
    ],
)
def test_a_fault_of_a_station_stops_no_other_and_one_of_the_store_loses_none(
    fault: Exception, *, comes_through: bool, sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(engine: Engine, made: Any, now_ms: int) -> None:
        if any(context.station.id == "S03" for context, _ in made):
            raise fault
        keep_nights(engine, made, now_ms)

    monkeypatch.setattr(night, "keep_nights", failing)
    monkeypatch.setattr(claims, "portion", lambda _: 3)
    one, two = sharing.nights(), sharing.nights()
    others = dict.fromkeys((name for name in sharing.names if name != "S03"), 1)
    if not comes_through:
        with pytest.raises(OperationalError):
            asyncio.run(one.round())
        assert asyncio.run(two.round()) == 3
        assert two.waits
        monkeypatch.undo()
        assert asyncio.run(one.round()) == 3
        assert sharing.estimated() == dict.fromkeys(sharing.names, 1)
        return
    assert asyncio.run(one.round()) == COUNT - 1
    assert one.failed == 1
    assert sharing.estimated() == others
    monkeypatch.undo()
    # Nobody tries it again in this night, but a receiver that starts.
    assert asyncio.run(rounds(one, two)) == [0, 0]
    assert not two.waits
    assert asyncio.run(sharing.nights(anew=True).round()) == 1


def test_a_station_that_failed_is_made_in_the_next_night(sharing: Sharing, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> None:
        raise RuntimeError("bad")

    monkeypatch.setattr(night, "nightly", failing)
    one = sharing.nights()
    assert asyncio.run(one.round()) == 0
    assert one.failed == COUNT
    monkeypatch.undo()
    sharing.hands.time_ms += LENGTH
    assert asyncio.run(sharing.nights().round()) == COUNT


def test_what_is_ended_leaves_its_stations_at_once(sharing: Sharing) -> None:
    one = sharing.nights()

    async def ended() -> None:
        work = asyncio.create_task(one.run())
        await until(lambda: bool(one.estimated))
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    asyncio.run(ended())
    two = sharing.nights()
    assert asyncio.run(two.round()) == COUNT - one.estimated
    assert sharing.estimated() == dict.fromkeys(sharing.names, 1)


def test_a_night_is_over_once_all_are_through_with_it(sharing: Sharing) -> None:
    one, two = sharing.nights(), sharing.nights()
    told: list[tuple[int, int]] = []
    one._told = lambda *what: told.append(what)

    async def once() -> None:
        await asyncio.gather(one.once(), two.once())

    night.PAUSE_S, before = 0.001, night.PAUSE_S
    try:
        asyncio.run(once())
    finally:
        night.PAUSE_S = before
    assert one.estimated + two.estimated == COUNT
    assert (one.waits, two.waits) == (False, False)
    assert sharing.fleets() == 1
    assert told[-1] == (0, one.estimated)
    assert DAYS > 1
    assert FLEET not in numbers(sharing)
