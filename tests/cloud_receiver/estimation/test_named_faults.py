"""What only a whole span tells: it is named, in both languages, and nobody is judged by it who may not be."""

import random
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from estimation_support import DAY, LENGTH, Site, restarted
from faults_support import ALTERED, DAYS, END, SOUND, Rows
from named_faults_support import HALF, Make, charger, drifting, exchanged, master, together
from plant_support import Plant
from receiver_support import station_model

from cloud_receiver.estimation.carried import CARRIED
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import estimate
from cloud_receiver.estimation.text import report
from cloud_receiver.estimation.words import ADVICE, FINDINGS, REASONS

LETTERS = {"clear": "c", "flag": "f", "undetermined": "u"}
NOBODY = "uuuuu"


class Case(NamedTuple):
    """`name`: the finding; `meters`: whom it is about; `decided`: of C01 to C05, ? is anything but wrong."""

    make: Make
    name: str
    meters: tuple[str, ...]
    decided: str
    reason: str | None = None


CASES = {
    "a ratio ten times too large": Case(master(10), "ratio", (), NOBODY, "station"),
    "a ratio that is another from half-way on": Case(master(0.75, HALF), "ratio_changed", (), NOBODY, "station"),
    "a ratio that is another on the last day": Case(master(0.75, DAYS - 1), "ratio_changed", (), NOBODY, "station"),
    "a master that was turned round": Case(master(-1, HALF), "ratio_changed", (), NOBODY, "station"),
    "a master a little off from half-way on": Case(master(1.02, HALF), "level_changed", (), NOBODY, "station"),
    "two chargers the wrong way round": Case(charger(-1, 0, 2), "negative", ("C01",), "u?u??"),
    "a charger that counts a thousand times": Case(charger(1000, 0), "beyond_power", ("C01",), "ufccc", "beyond_power"),
    "a charger of which one phase is not counted": Case(charger(2 / 3, 0), "far_off", ("C01",), "ffccc"),
    "a charger altered half-way": Case(charger(1.013, 0, from_day=HALF), "changed", ("C01",), "uf???", "changed"),
    "labels exchanged half-way": Case(exchanged, "labels_exchanged", ("C02", "C03"), "c?ucc"),
    "all charge together": Case(
        together, "charge_together", ("C01", "C02", "C03", "C04", "C05"), NOBODY, "charge_together"
    ),
    "a clock that runs away": Case(drifting(60, 0), "clock_drift", ("C01",), "?f???"),
}


@pytest.fixture
def plant() -> Plant:
    return Plant(DAYS)


def said_of(site: Site, plant: Plant, make: Make) -> StationResult:
    site.enter(station_model(5))
    site.store(sorted(make(plant, site.numbers())))
    return estimate(site.engine, site.context(), Estimation(), DAY, END).result


@pytest.mark.parametrize("name", CASES)
def test_it_is_named_and_nobody_judged_by_it(site: Site, plant: Plant, name: str) -> None:
    case = CASES[name]
    said = said_of(site, plant, case.make)
    assert case.meters in [item.meters for item in said.findings if item.name == case.name]
    decided = "".join(LETTERS[one.decision] for one in said.chargers)
    for place, (asked, found) in enumerate(zip(case.decided, decided, strict=True)):
        assert asked in ("?", found), (place, decided)
        # Of C01 and C03 more may be wrong than their own error.
        sound = abs(SOUND[place] if place != 1 else ALTERED[1]) < 0.01
        assert asked != "?" or found != ("f" if sound else "c"), (place, decided)
    if case.reason is not None:
        assert said.chargers[0].reason == case.reason
    text = report(said, ZoneInfo("Asia/Shanghai"))
    for words in (FINDINGS[case.name], ADVICE[case.name]):
        assert all(language in text for language in words)
    # A night that adds a day doesn't make it, and goes on telling it.
    assert case.name in CARRIED or case.name == "negative"


@pytest.mark.parametrize("errors", [SOUND, ALTERED])
def test_a_station_with_nothing_but_errors_has_no_finding(site: Site, plant: Plant, errors: tuple[float, ...]) -> None:
    said = said_of(site, plant, lambda plant, numbers: plant.station(numbers, errors))
    assert said.findings == ()


@pytest.mark.parametrize("seed", range(6, 16))
def test_of_other_stations_nothing_is_named_either(site: Site, seed: int) -> None:
    """Each with errors of its own, one of them altered, and with clocks up to two minutes off."""
    dice = random.Random(seed)
    errors = [dice.gauss(0, 0.0025) for _ in range(5)]
    errors[seed % 5] = dice.choice((-0.04, 0.04))
    late = [dice.randint(-2, 2) for _ in range(5)]
    said = said_of(site, Plant(DAYS, seed=seed), lambda plant, numbers: plant.station(numbers, errors, late))
    assert {item.name for item in said.findings} <= {"charger_register", "halves"}
    decided = "".join(LETTERS[one.decision] for one in said.chargers)
    assert "f" not in decided[: seed % 5] + decided[seed % 5 + 1 :]
    assert decided[seed % 5] != "c"


def test_a_master_that_was_turned_round_is_nothing_else(site: Site, plant: Plant) -> None:
    said = said_of(site, plant, master(-1, HALF))
    assert {item.name for item in said.findings} <= {"ratio_changed", "halves", "misfit"}


def test_a_charger_beyond_its_power_has_charged(site: Site, plant: Plant) -> None:
    said = said_of(site, plant, charger(1000, 0))
    assert not {item.name for item in said.findings} & {"never_charged", "implausible"}


def test_what_changed_and_when_is_told(site: Site, plant: Plant) -> None:
    [changed] = [item for item in said_of(site, plant, master(0.75, HALF)).findings if item.name == "ratio_changed"]
    assert changed.numbers["before"] == pytest.approx(1.01, abs=0.02)
    assert changed.numbers["after"] == pytest.approx(0.76, abs=0.02)
    assert changed.numbers["since"] == datetime.fromtimestamp(
        (DAY + HALF * LENGTH) / 1000, ZoneInfo("Asia/Shanghai")
    ).isoformat(timespec="minutes")


def test_clocks_that_all_drift_are_one_finding(site: Site, plant: Plant) -> None:
    said = said_of(site, plant, drifting(40, 0, 1, 2, 3, 4))
    drifts = [item for item in said.findings if item.name == "clock_drift"]
    assert [item.meters for item in drifts] == [("C01", "C02", "C03", "C04", "C05")]
    # They are ahead: what they say of an instant was before it.
    assert drifts[0].numbers["seconds_a_day"] == pytest.approx(-40, rel=0.3)


@pytest.mark.parametrize("begun_kwh", [0, 900])
def test_registers_that_go_on_where_the_other_stood(site: Site, plant: Plant, begun_kwh: int) -> None:
    def made(plant: Plant, numbers: list[int]) -> Rows:
        rows = [
            row._replace(forward_total_mwh=row.forward_total_mwh + begun_kwh * 1_000_000)
            if row.meter == numbers[2]
            else row
            for row in plant.station(numbers, SOUND)
        ]
        late = {numbers[1]: numbers[2], numbers[2]: numbers[1]}
        split = DAY + HALF * LENGTH
        return [row._replace(meter=late.get(row.meter, row.meter)) if row.start_ms >= split else row for row in rows]

    said = said_of(site, plant, made)
    [found] = [item for item in said.findings if item.name == "registers_exchanged"]
    assert found.meters == ("C02", "C03")
    assert datetime.fromisoformat(str(found.numbers["since"])).timestamp() == (DAY + HALF * LENGTH) / 1000
    assert [LETTERS[one.decision] for one in said.chargers] == list("ccccc")


def test_a_register_that_begins_anew_is_no_exchange(site: Site, plant: Plant) -> None:
    def made(plant: Plant, numbers: list[int]) -> Rows:
        return restarted(plant.station(numbers, SOUND), numbers[1], DAY + HALF * LENGTH)

    assert said_of(site, plant, made).findings == ()


def test_every_word_has_two_languages() -> None:
    for words in (*FINDINGS.values(), *REASONS.values(), *ADVICE.values()):
        english, chinese = words
        assert english.isascii()
        assert not chinese.isascii()
