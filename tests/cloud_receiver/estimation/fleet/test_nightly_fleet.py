"""The fleet's night: what is kept, what each station is told, and the finding about a make that is off."""

import json
import random

import pytest
from fleet_support import MAKE, NIGHT_MS, Stations, shown, station_of
from sqlalchemy import Engine, func, select

from cloud_receiver import database, findings
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.fleet import store
from cloud_receiver.estimation.fleet.night import nightly
from cloud_receiver.estimation.fleet.store import MakeResult, Night
from cloud_receiver.findings import Finding
from cloud_receiver.registry import Role
from cloud_receiver.schema import fleet_make, fleet_night

COUNT = 40
LENGTH = 86_400_000
OTHER = "Acme X1"


@pytest.fixture
def fleet(engine: Engine) -> Stations:
    """Return stations of two operators: all have a make that is 0.5 % off, every fourth has another as well."""
    return Stations(
        engine,
        [
            station_of(
                f"S{number:02}",
                [MAKE] * 6 + ([OTHER] * 4 if number % 4 == 0 else []) + [None],
                operator="A" if number % 2 else "B",
            )
            for number in range(COUNT)
        ],
    )


def show_all(fleet: Stations, error: float = 0.5, *, seed: int = 1) -> None:
    dice = random.Random(seed)
    for number, station in enumerate(fleet.stations):
        errors = shown(dice, 7, error)
        if number % 4 == 0:
            errors[6:] = [value - error for value in shown(dice, 5, error)]
            shift = sum(errors[:6]) / 6 - error
            errors[6:] = [dice.gauss(shift, 0.3) for _ in range(5)]
        fleet.show(station.id, errors, altered=(2,) if number % 10 == 0 else ())


def night(fleet: Stations, now_ms: int = NIGHT_MS, **changes: object) -> list[MakeResult]:
    settings = Estimation.model_validate({"fleet": changes})
    for _ in nightly(fleet.engine, fleet.contexts(), settings, now_ms):
        pass
    with database.reading(fleet.engine) as connection:
        found = store.last_night(connection)
        return [] if found is None else list(store.makes_of(connection, found))


def told(fleet: Stations, name: str) -> tuple[float, float] | None:
    with database.reading(fleet.engine) as connection:
        return store.told_now(connection, fleet.context(name), Estimation())


def listed(fleet: Stations) -> list[Finding]:
    with database.reading(fleet.engine) as connection:
        return list(findings.listed(connection))


def test_makes_are_told_apart_and_kept(fleet: Stations) -> None:
    show_all(fleet)
    other, make = night(fleet)
    assert (other.make, make.make) == (OTHER, MAKE)
    assert 100 * make.error == pytest.approx(0.5, abs=2.5 * 100 * make.u)
    assert 100 * other.error == pytest.approx(0.0, abs=2.5 * 100 * other.u)
    assert 0.0005 < make.u < 0.0012
    assert (make.stations, make.operators, make.chargers) == (40, 2, 236)
    assert (make.judged, make.flagged) == (240, 4)
    assert other.stations == 10
    with database.reading(fleet.engine) as connection:
        found = store.last_night(connection)
    assert found is not None
    assert found.content["stations"] == 40
    assert found.content["operator_sd_percent"] > 0


def test_what_a_station_is_told_counts_all_its_chargers(fleet: Stations) -> None:
    show_all(fleet)
    other, make = night(fleet)
    one, both = told(fleet, "S01"), told(fleet, "S00")
    assert one is not None
    assert both is not None
    # Six of its make, and one of none of which 0 is believed.
    assert one[0] == pytest.approx(make.error * 6 / 7, abs=0.0006)
    assert both[0] == pytest.approx((6 * make.error + 4 * other.error) / 11, abs=0.0009)
    assert 0.001 < one[1] < 0.002


def test_nights_are_kept_and_what_is_told_is_the_last(fleet: Stations) -> None:
    show_all(fleet)
    first = night(fleet)
    before = told(fleet, "S01")
    show_all(fleet, 0.1, seed=2)
    second = night(fleet, NIGHT_MS + LENGTH)
    assert second[1].error < first[1].error - 0.002
    now = told(fleet, "S01")
    assert before is not None
    assert now is not None
    assert now[0] < before[0] - 0.001
    with database.reading(fleet.engine) as connection:
        assert connection.execute(select(func.count()).select_from(fleet_make)).scalar_one() == 4
        kept = store.makes_of(connection, Night(NIGHT_MS, {}))
    assert [item.error for item in kept] == [item.error for item in first]
    night(fleet, NIGHT_MS + LENGTH)  # the same millisecond again
    with database.reading(fleet.engine) as connection:
        assert connection.execute(select(func.count()).select_from(fleet_night)).scalar_one() == 2


def test_what_is_too_old_is_not_heard(fleet: Stations) -> None:
    show_all(fleet)
    assert night(fleet, NIGHT_MS + 40 * LENGTH) == []
    assert told(fleet, "S01") is None
    assert len(night(fleet, NIGHT_MS + 30 * LENGTH)) == 2
    assert told(fleet, "S01") is not None
    assert [item.state for item in listed(fleet)] == ["open"]
    night(fleet, NIGHT_MS + 41 * LENGTH)
    assert told(fleet, "S01") is None
    assert "open" not in [item.state for item in listed(fleet)]


def test_a_view_takes_the_place_of_the_one_before(fleet: Stations) -> None:
    show_all(fleet)
    context = fleet.context("S01")
    with database.writing(fleet.engine) as connection:
        store.keep_view(connection, context.number, None)
    assert night(fleet)[1].stations == 39
    assert told(fleet, "S01") is not None  # what the others say, it may hear


def test_a_make_that_is_off_is_a_finding_until_it_is_not(fleet: Stations) -> None:
    show_all(fleet)
    night(fleet)
    (found,) = listed(fleet)
    assert (found.kind, found.state, found.severity) == ("make_biased", "open", "warning")
    (detail,) = json.loads(json.dumps(found.evidence))["details"]
    assert (detail["make"], detail["stations"], detail["limit_percent"]) == (MAKE, 40, 0.2)
    assert len(detail["verify"]) == 3
    assert len({item["station"] for item in detail["verify"]}) == 3
    assert (found.station, found.meter) == (detail["verify"][0]["station"], detail["verify"][0]["meter"])
    assert all(item["meter"] <= "C06" for item in detail["verify"])
    # Others may be nearest to the mean another night: it stays where it began.
    show_all(fleet, seed=5)
    night(fleet, NIGHT_MS + LENGTH)
    assert [(item.id, item.meter) for item in listed(fleet)] == [(found.id, found.meter)]
    # It stays while the make is beyond the limit, be it not surely so.
    show_all(fleet, 0.3, seed=2)
    doubtful = night(fleet, NIGHT_MS + LENGTH + 1)[1]
    assert 0.002 < doubtful.error < 0.002 + 2 * doubtful.u
    assert [(item.id, item.state) for item in listed(fleet)] == [(found.id, "open")]
    show_all(fleet, 0.0, seed=6)
    night(fleet, NIGHT_MS + 2 * LENGTH)
    assert [item for item in listed(fleet) if item.state == "open"] == []


def test_a_make_that_is_written_in_another_way_keeps_its_finding(fleet: Stations) -> None:
    show_all(fleet)
    night(fleet)
    (before,) = listed(fleet)
    for place, one in enumerate(fleet.stations):
        meters = [
            meter.model_copy(update={"make": meter.make.replace("AC7", "ac7")}) if meter.make else meter
            for meter in one.meter
        ]
        fleet.stations[place] = one.model_copy(update={"meter": tuple(meters)})
    night(fleet, NIGHT_MS + LENGTH)
    assert [(item.id, item.state) for item in listed(fleet)] == [(before.id, "open")]


def test_a_make_that_may_be_right_is_no_finding(fleet: Stations) -> None:
    show_all(fleet, 0.15)
    night(fleet)
    assert listed(fleet) == []


def test_verified_chargers_say_whether_the_masters_are_off(fleet: Stations) -> None:
    # All masters 0.5 % low: chargers look as if they were off.
    show_all(fleet)
    before = night(fleet)[1]
    for number, station in enumerate(fleet.stations):
        if number % 4:
            dice = random.Random(number)
            errors = shown(dice, 7, 0.5, gain_sd=0)
            fleet.show(station.id, errors, verified={0: (errors[0] - 0.5, 0.05)})
    after = night(fleet, NIGHT_MS + LENGTH)[1]
    assert before.error > 0.004
    assert abs(after.error) < 2.5 * after.u


def test_without_makes_nothing_is_kept(engine: Engine) -> None:
    fleet = Stations(engine, [station_of("S1", [None] * 3)])
    fleet.show("S1", [0.1, 0.2, 0.3])
    assert night(fleet) == []


def test_one_station_alone_is_told_nothing(engine: Engine) -> None:
    fleet = Stations(engine, [station_of("S1", [MAKE] * 6)])
    fleet.show("S1", [0.1] * 6)
    (make,) = night(fleet)
    assert make.u > 0.0008
    assert told(fleet, "S1") is None


def test_a_station_that_was_told_and_has_other_chargers_now_is_told_anew(fleet: Stations) -> None:
    show_all(fleet)
    night(fleet)
    one = fleet.stations[1]
    chargers = [meter.model_copy(update={"make": None}) for meter in one.meters(Role.CHARGER)]
    fleet.stations[1] = one.model_copy(update={"meter": (*chargers, *one.meters(Role.GRID))})
    night(fleet, NIGHT_MS + LENGTH)
    assert told(fleet, "S01") is None
    assert told(fleet, "S03") is not None
