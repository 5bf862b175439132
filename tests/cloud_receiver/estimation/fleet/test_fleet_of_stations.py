"""Stations whose chargers are all of one make that is off, from readings to what is said the second time."""

import asyncio
import json
import random
from statistics import mean

import pytest
from estimation_support import DAY, LENGTH
from fleet_support import MAKE, Stations, station_of
from sqlalchemy import Engine

from clock import Clock
from cloud_receiver import database
from cloud_receiver.checks.model import STATION
from cloud_receiver.estimation import last_night, store
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.fleet import store as fleet_store
from cloud_receiver.estimation.night import Nights
from cloud_receiver.registry import Role
from cloud_receiver.schema import error_estimate

COUNT, CHARGERS, COHORT = 8, 8, 0.004
GAINS = (0.0031, -0.0027, 0.0012, -0.0016, 0.0024, -0.0030, 0.0004, 0.0002)


class Hands:
    """A clock that stands until it is set."""

    def __init__(self, now_ms: int) -> None:
        self.time_ms = now_ms

    def now_ms(self) -> int:
        return self.time_ms

    def monotonic_ms(self) -> int:
        return self.time_ms


class Fleet:
    """Stations with true errors; the master's is in what the chargers seem to be."""

    def __init__(self, engine: Engine, days: int) -> None:
        dice = random.Random(12)
        self.stations = Stations(engine, [station_of(f"S{number}", [MAKE] * CHARGERS) for number in range(COUNT)])
        self.true: dict[str, list[float]] = {}
        for number, gain in enumerate(GAINS):
            errors = [COHORT + dice.gauss(0, 0.0025) for _ in range(CHARGERS)]
            self.true[f"S{number}"] = errors
            self.stations.read(f"S{number}", [(1 + error) / (1 + gain) - 1 for error in errors], days, number)
        self.hands = Hands(0)

    def night(self, number: int, **changes: object) -> int:
        """Let the night after so many days come; return how many stations were estimated."""
        self.hands.time_ms = DAY + number * LENGTH + 150 * 60_000
        return self.start(**changes)

    def start(self, **changes: object) -> int:
        """Start the centre; return how many stations were estimated."""
        clock: Clock = self.hands  # type: ignore[assignment]  # it does not sleep
        settings = Estimation.model_validate({"share_percent": 100, "split_halves": False} | changes)
        return asyncio.run(Nights(self.stations.engine, self.stations.registry, clock, settings).round())

    def judged(self, number: int) -> tuple[float, float]:
        """Return the mean absolute error of what was said in a night, and how many intervals cover the truth."""
        off, covered = [], []
        for name, errors in self.true.items():
            context = self.stations.context(name)
            with database.reading(self.stations.engine) as connection:
                past = store.history(connection, context.number, DAY + number * LENGTH, DAY + number * LENGTH)
            places = {meter: place for place, meter in enumerate(context.numbers(Role.CHARGER))}
            for item in past:
                off.append(abs(item.error - errors[places[item.meter]]))
                covered.append(off[-1] < 1.96 * item.u)
        assert len(off) == COUNT * CHARGERS
        return mean(off), mean(covered)

    def contents(self) -> list[str]:
        with database.reading(self.stations.engine) as connection:
            columns = error_estimate.c
            query = error_estimate.select().where(columns.meter == STATION).order_by(columns.end_ms, columns.station)
            return [row.content for row in connection.execute(query)]


def test_the_second_time_a_make_that_is_off_is_known(engine: Engine) -> None:
    fleet = Fleet(engine, 6)
    assert fleet.night(5, full_every_days=1) == COUNT
    with database.reading(engine) as connection:
        found = fleet_store.last_night(connection)
        assert found is not None
        (make,) = fleet_store.makes_of(connection, found)
    assert make.error == pytest.approx(COHORT, abs=2.5 * make.u)
    assert fleet.night(6, full_every_days=1) == COUNT
    (before, covered_before), (after, covered_after) = fleet.judged(5), fleet.judged(6)
    assert before > 0.0025
    assert after < 0.6 * before
    assert covered_after > max(covered_before, 0.85)
    contents = [json.loads(content) for content in fleet.contents()]
    assert all(item["expected"] is None for item in contents[:COUNT])
    assert all(
        "Other stations say of chargers of these makes" in item["common_mode"]["en"] for item in contents[COUNT:]
    )
    assert all("同型充电桩" in item["common_mode"]["zh"] for item in contents[COUNT:])


def test_what_is_told_is_taken_up_when_all_windows_are_and_kept_until_then(engine: Engine) -> None:
    fleet = Fleet(engine, 7)
    fleet.night(4, full_every_days=2)
    fleet.night(5, full_every_days=2)  # nothing is taken up by a day that is added
    fleet.night(6, full_every_days=2)
    fleet.night(7, full_every_days=2)
    contents = fleet.contents()
    nights = [contents[place : place + COUNT] for place in range(0, 4 * COUNT, COUNT)]
    told = [sum('"expected": [' in content for content in some) for some in nights]
    full = [sum('"full": true' in content for content in some) for some in nights]
    # Every other station has its own day for all windows in the second night, the others in the third one.
    assert (full[0], told) == (COUNT, [0, full[1], COUNT, COUNT])
    assert all(('"expected": [' in content) is ('"full": true' in content) for content in nights[1])
    odd, even = ([number % 2 == other for number in range(1, COUNT + 1)] for other in (1, 0))
    for some, own in zip(nights[1:], (odd, even, odd), strict=True):
        whole = ['"full": true' in content for content in some]
        assert all(one for one, mine in zip(whole, own, strict=True) if mine)
        # Of what changes nothing but the day, no other station takes all windows again.
        assert sum(whole) - COUNT / 2 < COUNT / 4
    with database.reading(engine) as connection:
        context = fleet.stations.context("S3")
        now = fleet_store.told_now(connection, context, Estimation())
        last = fleet_store.told_last(last_night.read(connection, context.number).about, Estimation())
    assert now is not None
    assert last is not None
    assert now != last


def test_a_night_is_made_once_however_often_the_centre_starts(engine: Engine) -> None:
    fleet = Fleet(engine, 4)
    fleet.night(4)
    with database.reading(engine) as connection:
        first = fleet_store.last_night(connection)
    assert fleet.night(4) == 0
    fleet.hands.time_ms += 3_600_000
    with database.reading(engine) as connection:
        assert fleet_store.last_night(connection) == first


def test_a_start_by_day_takes_nothing_from_the_night_that_follows(engine: Engine) -> None:
    fleet = Fleet(engine, 5)
    assert fleet.night(4) == COUNT
    nights = []
    for hours in (13, 24):
        fleet.hands.time_ms = DAY + 4 * LENGTH + 150 * 60_000 + hours * 3_600_000
        fleet.start()
        with database.reading(engine) as connection:
            found = fleet_store.last_night(connection)
        assert found is not None
        nights.append((found.made_ms - DAY - 4 * LENGTH - 150 * 60_000) // 3_600_000)
    assert nights == [0, 24]


def test_a_centre_that_stopped_between_makes_up_for_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(engine, 4)
    with monkeypatch.context() as patch:
        patch.setattr(fleet_store, "keep_night", lambda *_: 1 / 0)
        assert fleet.night(4) == COUNT  # its own fault stops nothing else
    with database.reading(engine) as connection:
        assert fleet_store.last_night(connection) is None
        assert fleet_store.told_now(connection, fleet.stations.context("S1"), Estimation()) is None
    assert fleet.night(4) == 0
    with database.reading(engine) as connection:
        assert fleet_store.last_night(connection) is not None


def test_the_registry_s_own_word_on_a_cohort_stands(engine: Engine) -> None:
    fleet = Fleet(engine, 5)
    fleet.night(4, full_every_days=1)
    own = fleet.stations.stations[0]
    estimation = own.estimation.model_validate({"cohort_percent": "0.02"})
    fleet.stations.stations[0] = own.model_copy(update={"estimation": estimation})
    fleet.night(5, full_every_days=1)
    contents = [json.loads(content) for content in fleet.contents()[COUNT:]]
    assert {item["station"] for item in contents if item["expected"] is None} == {"S0"}
