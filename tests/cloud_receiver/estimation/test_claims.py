"""Claims: each station's night is taken by one process at a time, and by another when that one is gone."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from estimation_support import DAY, LENGTH
from sqlalchemy import Engine, insert, select

from cloud_receiver import database
from cloud_receiver.estimation import claims
from cloud_receiver.estimation.claims import FLEET, LEASE_MS, MOST_TRIES, Claims, Kind, State
from cloud_receiver.estimation.fleet import store as fleet_store
from cloud_receiver.schema import error_state, night_claim

NIGHT = DAY + LENGTH
NOW = NIGHT + 9_000_000
HALF_DAY = LENGTH // 2


class Hand:
    def __init__(self) -> None:
        self.now_ms = NOW

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def owner(engine: Engine, hand: Hand) -> Callable[[str], Claims]:
    return lambda name: Claims(engine, hand, name)


def wanted(*stations: int, through_ms: int = NIGHT) -> dict[int, int]:
    return dict.fromkeys(stations, through_ms)


def made(engine: Engine, station: int, through_ms: int) -> None:
    values = {"first_ms": 0, "end_ms": 0, "through_ms": through_ms, "full_ms": 0, "digest": "", "rows": 0, "state": b""}
    with database.writing(engine) as connection:
        connection.execute(insert(error_state).values(station=station, **values))


def test_what_one_has_taken_no_other_takes(owner: Callable[[str], Claims], hand: Hand) -> None:
    one, two = owner("one"), owner("two")
    assert one.take(wanted(1, 2)).stations == wanted(1, 2)
    assert two.look(wanted(1, 2, 3)) == {1: Kind.ANOTHERS, 2: Kind.ANOTHERS, 3: Kind.FREE}
    assert two.take(wanted(1, 2, 3)).stations == wanted(3)
    hand.now_ms += LEASE_MS - 1
    assert two.take(wanted(1, 2)).stations == {}


def test_what_was_made_or_tried_is_over_until_the_next_night(engine: Engine, owner: Callable[[str], Claims]) -> None:
    one, two = owner("one"), owner("two")
    made(engine, 1, NIGHT)
    assert one.look(wanted(1)) == {1: Kind.OVER}
    one.take(wanted(2, 3))
    one.settle(2, State.DONE)
    one.settle(3, State.FAILED)
    assert two.look(wanted(2, 3)) == {2: Kind.ANOTHERS, 3: Kind.ANOTHERS}
    one.write()
    assert two.look(wanted(2, 3)) == one.look(wanted(2, 3)) == {2: Kind.OVER, 3: Kind.OVER}
    tomorrow = wanted(1, 2, 3, through_ms=NIGHT + LENGTH)
    assert two.take(tomorrow).stations == tomorrow


def test_what_became_of_stations_is_written_with_what_is_taken_next(owner: Callable[[str], Claims]) -> None:
    one, two = owner("one"), owner("two")
    one.take(wanted(1))
    one.settle(1, State.DONE)
    one.take(wanted(2))
    assert two.look(wanted(1, 2)) == {1: Kind.OVER, 2: Kind.ANOTHERS}


def test_whoever_is_gone_leaves_each_station_to_others_alone(owner: Callable[[str], Claims], hand: Hand) -> None:
    owner("one").take(wanted(1, 2, 3))
    hand.now_ms += LEASE_MS
    two = owner("two")
    assert two.look(wanted(1, 2, 3)) == dict.fromkeys((1, 2, 3), Kind.LEFT)
    assert two.take(wanted(1, 2, 3, 4)).stations == wanted(4)
    assert two.take(wanted(1, 2, 3)).stations == wanted(1)
    assert two.take(wanted(1, 2, 3)).stations == wanted(1), "it is its own"
    two.settle(1, State.DONE)
    assert two.take(wanted(2, 3)).stations == wanted(2)


def test_a_station_that_kills_is_given_up_and_the_next_night_tried(owner: Callable[[str], Claims], hand: Hand) -> None:
    for name in range(MOST_TRIES):
        assert owner(str(name)).take(wanted(1)).stations == wanted(1)
        hand.now_ms += LEASE_MS
    last = owner("last")
    assert last.look(wanted(1, 2)) == {1: Kind.GIVEN_UP, 2: Kind.FREE}
    taken = last.take(wanted(1, 2))
    assert (taken.stations, taken.given_up) == (wanted(2), (1,))
    assert last.look(wanted(1)) == {1: Kind.OVER}
    assert last.take(wanted(1, through_ms=NIGHT + LENGTH)).stations == wanted(1, through_ms=NIGHT + LENGTH)


def test_whoever_works_keeps_what_it_has_however_long_it_takes(owner: Callable[[str], Claims], hand: Hand) -> None:
    one, two = owner("one"), owner("two")
    one.take(wanted(1, 2))
    one.settle(1, State.DONE)
    for _ in range(8):
        hand.now_ms += LEASE_MS // 2
        assert one.holds(2)
    assert two.look(wanted(1, 2)) == {1: Kind.OVER, 2: Kind.ANOTHERS}


def test_whoever_stood_still_too_long_learns_that_it_lost(owner: Callable[[str], Claims], hand: Hand) -> None:
    one, two = owner("one"), owner("two")
    one.take(wanted(1, 2))
    hand.now_ms += LEASE_MS
    two.take(wanted(1))
    assert not one.holds(1)
    assert one.holds(2)
    one.settle(1, State.FAILED)
    one.write()
    assert two.holds(1)
    assert owner("three").look(wanted(1)) == {1: Kind.ANOTHERS}


def test_whoever_works_keeps_what_it_has_where_the_clock_is_set_back(
    owner: Callable[[str], Claims], hand: Hand
) -> None:
    one, two = owner("one"), owner("two")
    one.take(wanted(1, 2))
    hand.now_ms -= 4 * LEASE_MS
    two.take(wanted(1))
    assert not one.holds(1)
    assert one.holds(2)
    assert two.look(wanted(2)) == {2: Kind.ANOTHERS}


def test_what_is_given_back_is_anyones_and_not_counted(
    engine: Engine, owner: Callable[[str], Claims], hand: Hand
) -> None:
    for name in range(MOST_TRIES + 1):
        one = owner(str(name))
        assert one.take(wanted(1, 2)).stations == wanted(1, 2)
        one.close()
    # A receiver whose process is gone need not wait.
    owner("gone").take(wanted(1, 2))
    with database.writing(engine) as connection:
        claims.end(connection, "gone")
    assert owner("next").look(wanted(1, 2)) == {1: Kind.LEFT, 2: Kind.LEFT}


def test_a_start_tries_anew_what_failed_and_what_has_no_windows(engine: Engine, owner: Callable[[str], Claims]) -> None:
    one = owner("one")
    one.take(wanted(1, 2, 3, 4))
    made(engine, 1, NIGHT)
    for station, state in ((1, State.DONE), (2, State.DONE), (3, State.FAILED)):
        one.settle(station, state)
    one.write()
    with database.writing(engine) as connection:
        claims.begin(connection)
        assert connection.execute(select(night_claim.c.station).order_by(night_claim.c.station)).scalars().all() == [
            1,
            4,
        ]
    assert owner("two").look(wanted(1, 2, 3, 4)) == {
        1: Kind.OVER,
        2: Kind.FREE,
        3: Kind.FREE,
        4: Kind.ANOTHERS,
    }


def test_a_claim_of_a_clock_that_was_wrong_binds_nobody(owner: Callable[[str], Claims], hand: Hand) -> None:
    hand.now_ms += 1000 * LENGTH
    owner("one").take(wanted(1))
    hand.now_ms -= 1000 * LENGTH
    assert owner("two").look(wanted(1)) == {1: Kind.LEFT}


def test_the_night_before_still_under_way_is_not_made_beside_the_next(
    owner: Callable[[str], Claims], hand: Hand
) -> None:
    owner("one").take(wanted(1))
    two = owner("two")
    assert two.look(wanted(1, through_ms=NIGHT + LENGTH)) == {1: Kind.ANOTHERS}
    hand.now_ms += LEASE_MS
    assert two.look(wanted(1, through_ms=NIGHT + LENGTH)) == {1: Kind.FREE}


def test_one_makes_what_stations_say_together(engine: Engine, owner: Callable[[str], Claims], hand: Hand) -> None:
    one, two = owner("one"), owner("two")
    assert one.take_fleet(HALF_DAY) is Kind.FREE
    assert two.take_fleet(HALF_DAY) is Kind.ANOTHERS
    hand.now_ms += LEASE_MS - 1
    assert one.holds(FLEET)
    hand.now_ms += LEASE_MS - 1
    assert two.take_fleet(HALF_DAY) is Kind.ANOTHERS
    one.settle(FLEET, State.FAILED)
    one.write()
    assert two.take_fleet(HALF_DAY) is Kind.OVER
    hand.now_ms += HALF_DAY
    assert two.take_fleet(HALF_DAY) is Kind.FREE
    with database.writing(engine) as connection:
        fleet_store.keep_night(connection, fleet_store.Night(hand.now_ms, {}), [])
    two.close()
    assert one.take_fleet(HALF_DAY) is Kind.OVER
    hand.now_ms += HALF_DAY
    assert one.take_fleet(HALF_DAY) is Kind.FREE


def test_what_stations_say_together_is_left_and_given_up_too(owner: Callable[[str], Claims], hand: Hand) -> None:
    for name in range(MOST_TRIES):
        assert owner(str(name)).take_fleet(HALF_DAY) is (Kind.LEFT if name else Kind.FREE)
        hand.now_ms += LEASE_MS
    assert owner("last").take_fleet(HALF_DAY) is Kind.GIVEN_UP
    assert owner("last").take_fleet(HALF_DAY) is Kind.OVER


def test_what_became_of_a_night_is_counted(engine: Engine, owner: Callable[[str], Claims]) -> None:
    one = owner("one")
    one.take(wanted(1, 2, 3, 4) | wanted(5, through_ms=NIGHT - LENGTH))
    assert one.take_fleet(HALF_DAY) is Kind.FREE
    for station, state in ((1, State.DONE), (2, State.DONE), (3, State.FAILED), (5, State.FAILED)):
        one.settle(station, state)
    one.write()
    with database.reading(engine) as connection:
        assert claims.counts(connection, NIGHT - 1) == {State.TAKEN: 1, State.DONE: 2, State.FAILED: 1}
        assert claims.counts(connection, NIGHT) == dict.fromkeys(State, 0)


def test_ever_fewer_are_taken_at_once() -> None:
    assert [claims.portion(left) for left in (50_000, 800, 320, 40, 3, 1)] == [50, 50, 20, 2, 1, 1]


@pytest.fixture
def engines(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Engine]]:
    """Return engines of the same store, as processes have each their own."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 60_000)  # nothing is timed against the wall clock
    made = [database.open_store("sqlite:///store.sqlite", tmp_path) for _ in range(3)]
    yield made
    for each in made:
        each.dispose()


def test_several_that_take_at_once_share_all_stations(engines: list[Engine], hand: Hand) -> None:
    """Every one is taken once, and nobody runs into a deadlock."""
    start = threading.Barrier(len(engines))

    def run(engine: Engine) -> list[int]:
        mine, work = Claims(engine, hand, str(id(engine))), []
        start.wait(60)
        for first in range(1, 120, 4):
            for _ in range(2):
                taken = mine.take(wanted(*range(first, first + 4), first + 500))
                work += taken.stations
                for station in taken.stations:
                    mine.settle(station, State.DONE)
        mine.write()
        return work

    with ThreadPoolExecutor(len(engines)) as threads:
        found = [done.result() for done in [threads.submit(run, engine) for engine in engines]]
    everything = [station for work in found for station in work]
    assert len(everything) == len(set(everything)) == 150
