"""What only all windows show is told by the nights that add a day, and nobody is judged by them who may not be."""

import json
from dataclasses import replace

import pytest
from cycle_support import SELDOM
from estimation_support import DAY, LENGTH, Site
from faults_support import ALTERED, DAYS, Rows, sun
from named_faults_support import HALF, Make, charger, drifting, exchanged, master, together
from plant_support import Plant
from receiver_support import station_model
from sqlalchemy import select, update

from cloud_receiver import database
from cloud_receiver.checks.model import STATION
from cloud_receiver.estimation import store
from cloud_receiver.estimation.carried import CARRIED, SHOWN_BY_SUMS, goes_on
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.load import LOOK_BACK_MS, Reader
from cloud_receiver.estimation.model import setup
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import Done, Work, estimate, facts_of, nightly
from cloud_receiver.estimation.words import FINDINGS
from cloud_receiver.schema import error_estimate


def panels(plant: Plant, numbers: list[int]) -> Rows:
    plant.unmetered = lambda minute: sun(minute, 60)
    return plant.station(numbers, ALTERED)


SETTINGS = Estimation(days=DAYS, full_every_days=SELDOM)
LAST = DAY + DAYS * LENGTH
CASES: dict[str, tuple[Make, str]] = {
    "a ratio ten times too large": (master(10), "ratio"),
    "a ratio that is another from half-way on": (master(0.75, HALF), "ratio_changed"),
    "a master a little off from half-way on": (master(1.02, HALF), "level_changed"),
    "a charger that counts a thousand times": (charger(1000, 0), "beyond_power"),
    "a charger of which one phase is not counted": (charger(2 / 3, 0), "far_off"),
    "a charger altered half-way": (charger(1.05, 0, from_day=HALF), "changed"),
    "labels exchanged half-way": (exchanged, "registers_exchanged"),
    "all charge together": (together, "charge_together"),
    "a clock that runs away": (drifting(60, 0), "clock_drift"),
    "PV that no meter has": (panels, "generation"),
}


def night(site: Site, through_ms: int, settings: Estimation = SETTINGS) -> Done:
    [done] = [one for one in nightly(site.engine, site.context(), settings, through_ms) if one is not None]
    with database.writing(site.engine) as connection:
        store.keep(connection, site.context().number, done.result, through_ms)
        assert done.state is not None
        store.keep_state(connection, site.context().number, done.state)
    return done


def filled(site: Site, make: Make) -> None:
    site.enter(station_model(5))
    site.store(sorted(make(Plant(DAYS), site.numbers())))


def told(found: StationResult) -> list[tuple[str, tuple[str, ...], bool]]:
    return [(item.name, item.meters, item.blocks) for item in found.findings if item.name in CARRIED]


@pytest.mark.parametrize("name", CASES)
def test_a_day_is_added_and_says_nothing_that_all_windows_do_not(site: Site, name: str) -> None:
    make, finding = CASES[name]
    filled(site, make)
    first, *added = [night(site, LAST - days * LENGTH) for days in (2, 1, 0)]
    assert finding in {item.name for item in first.result.findings}
    whole = estimate(site.engine, site.context(), SETTINGS, DAY, LAST).result
    now = {one.number: one.decision for one in whole.chargers}
    before = {one.number: one for one in first.result.chargers}
    for done in added:
        assert not done.result.full
        assert told(done.result) == told(first.result)
        for one in done.result.chargers:
            assert one.decision in ("undetermined", before[one.number].decision)
            assert one.decision in ("undetermined", now[one.number]), (one.meter, one.error)
            if before[one.number].reason in CARRIED:
                assert (one.decision, one.reason) == ("undetermined", before[one.number].reason)
    # Sums say anew what a load by day and night tells them; all else is told as it was found.
    assert [item for item in added[-1].result.findings if item.name in CARRIED - {"generation"}] == [
        item for item in first.result.findings if item.name in CARRIED - {"generation"}
    ]


@pytest.mark.parametrize("name", ["a charger altered half-way", "a clock that runs away", "labels exchanged half-way"])
def test_days_added_beside_a_finding_are_all_windows_to_the_bit(site: Site, name: str) -> None:
    filled(site, CASES[name][0])
    first, *_, last = [night(site, LAST - days * LENGTH) for days in (2, 1, 0)]
    assert first.state is not None
    context = site.context()
    facts = facts_of(site.engine, context, first.state.first_ms, LAST)
    made = setup(context, SETTINGS, facts, first.state.first_ms, LAST)
    reader = Reader(site.engine, context.number, made.first_ms - LOOK_BACK_MS, LAST, inverted=())
    for _ in reader.days():
        pass
    whole = Work(site.engine, context, SETTINGS, made.first_ms, LAST)._windows(made, reader, made.first_ms)
    until = sum(end <= LAST - 2 * LENGTH for end in whole.windows.ends_ms)
    sums = made.estimator.begin(made.estimator.estimate(whole.part(list(range(until))).windows))
    sums.push(whole.windows)
    expected, found = sums.estimate(), last.result
    assert found.windows == expected.windows
    before = {one.number: one for one in first.result.chargers}
    for number, one, sum_ in zip(made.chargers, found.chargers, expected.chargers, strict=True):
        if one.changed_ms is None:
            assert (one.error, one.u_own) == (100 * sum_.error, 100 * before[number].u_factor * sum_.u_own)
        else:  # sums are of the mean of before and since
            assert one == before[number]
    assert found.earlier == first.result.earlier


def test_all_windows_are_taken_when_their_time_comes_and_end_what_is_over(site: Site) -> None:
    settings = Estimation(days=3, full_every_days=3)
    plant = Plant(DAYS)
    site.enter(station_model(5))
    numbers = site.numbers()
    # C01's meter is a thousand times too large until the fourth day.
    wrong = {row.start_ms: row for row in charger(1000, 0)(plant, numbers) if row.meter == numbers[0]}
    right = sorted(row for row in charger(1, 0)(plant, numbers))
    until = DAY + 4 * LENGTH
    site.store(
        [
            wrong[row.start_ms]
            if row.meter == numbers[0] and row.start_ms < until
            else row._replace(journal=row.journal)
            for row in right
        ]
    )
    found = [night(site, DAY + day * LENGTH, settings).result for day in range(3, 10)]
    assert [one.full for one in found] == [True, False, False, True, False, False, True]
    named = ["beyond_power" in {item.name for item in one.findings} for one in found]
    assert named == [True, True, True, True, True, True, False]
    assert found[-1].chargers[0].reason != "beyond_power"


def test_what_an_older_version_told_makes_the_night_take_all_windows(site: Site) -> None:
    filled(site, CASES["a charger altered half-way"][0])
    night(site, LAST - LENGTH)
    with database.writing(site.engine) as connection:
        row = connection.execute(select(error_estimate.c.content).where(error_estimate.c.meter == STATION)).scalar_one()
        content = json.loads(row)
        for item in content["findings"]:
            del item["about"]
        values = {"content": json.dumps(content)}
        connection.execute(update(error_estimate).where(error_estimate.c.meter == STATION).values(**values))
    assert night(site, LAST).result.full


@pytest.mark.parametrize("finding", sorted(set(FINDINGS) - CARRIED - SHOWN_BY_SUMS))
def test_what_is_not_carried_makes_the_night_take_all_windows(finding: str) -> None:
    assert goes_on({"changed", "halves"})
    assert not goes_on({finding, "changed"})


def test_a_finding_that_moves_no_window_is_needed_to_add_a_day(site: Site) -> None:
    filled(site, CASES["a charger altered half-way"][0])
    done = night(site, LAST - LENGTH)
    item = replace(done.result.findings[0], name="swapped")
    with database.writing(site.engine) as connection:
        store.keep(connection, site.context().number, replace(done.result, findings=(item,)), LAST - LENGTH + 1)
    assert night(site, LAST).result.full
