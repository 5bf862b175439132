"""Bad input of a station with a charger that is truly altered, with and without means of voltage.

What is wrong is named, whoever is beyond the limit is found where the rest can be judged, and no decision is wrong.
"""

from dataclasses import replace
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from estimation_support import DAY, Site
from wired_faults_support import (
    COUNT,
    ERRORS,
    SPLIT,
    Faulty,
    daily,
    estimated,
    filled,
    first_hours,
    late,
    missed,
    never,
    panels,
    pump,
    relabelled,
    scaled,
    storage,
    together,
    twins,
    unmetered,
)

from cloud_receiver.estimation.result import StationFinding
from cloud_receiver.estimation.text import report
from cloud_receiver.estimation.words import ADVICE, FINDINGS

LETTERS = {"clear": "c", "flag": "f", "undetermined": "u"}
MASTER = COUNT
EVERY = range(COUNT)
NOBODY = "uuuuu"
OWN = "cfucc"
"""C02 is altered, and of C03 nothing can be said."""


class Case(NamedTuple):
    """`names`: findings besides those of noise, any of them where there are several; `decided`: of C01 to C05."""

    fault: Faulty
    names: tuple[str, ...]
    about: tuple[str, ...]
    decided: str


CASES = {
    "nothing": Case(Faulty(), (), (), "cfccc"),
    "fewer windows than unknowns": Case(Faulty(rows=first_hours(8)), ("few_windows",), (), NOBODY),
    "a charger that never charged": Case(Faulty(plant=never), ("never_charged",), ("C03",), OWN),
    "identical patterns": Case(Faulty(plant=twins), ("collinear", "charge_together"), ("C03", "C04"), "cfuuc"),
    "three with identical patterns": Case(Faulty(plant=together), ("charge_together",), ("C03", "C04", "C05"), "cfuuu"),
    "a load that no meter has": Case(Faulty(plant=unmetered(pump)), ("unexplained_load",), (), NOBODY),
    "a charger that the master misses": Case(Faulty(plant=missed), ("implausible",), ("C03",), OWN),
    "wrong CT ratio": Case(Faulty(rows=scaled(MASTER, 0.8)), ("gain",), (), NOBODY),
    "CT ratio ten times too large": Case(Faulty(rows=scaled(MASTER, 10)), ("ratio",), (), NOBODY),
    "CT ratio that became wrong": Case(Faulty(rows=scaled(MASTER, 0.75, SPLIT)), ("ratio_changed",), (), NOBODY),
    "a master that became a little wrong": Case(
        Faulty(rows=scaled(MASTER, 1.02, SPLIT)), ("level_changed",), (), NOBODY
    ),
    "the master the wrong way round": Case(Faulty(rows=scaled(MASTER, -1)), ("gain",), (), NOBODY),
    "a master that was turned round": Case(Faulty(rows=scaled(MASTER, -1, SPLIT)), ("ratio_changed",), (), NOBODY),
    "a charger the wrong way round": Case(Faulty(rows=scaled(2, -1)), ("negative",), ("C03",), OWN),
    "the altered charger the wrong way round": Case(Faulty(rows=scaled(1, -1)), ("negative",), ("C02",), "cuccc"),
    "a charger that counts a thousand times": Case(Faulty(rows=scaled(2, 1000)), ("beyond_power",), ("C03",), OWN),
    "a charger that counts a tenth": Case(Faulty(rows=scaled(2, 0.1)), ("implausible",), ("C03",), OWN),
    "a charger with a phase that isn't counted": Case(Faulty(rows=scaled(2, 2 / 3)), ("far_off",), ("C03",), "cffcc"),
    "orders under each other's names": Case(Faulty(told=(0, 2, 1, 3, 4)), ("swapped",), ("C02", "C03"), "cfccc"),
    "labels exchanged half-way": Case(
        Faulty(rows=relabelled(SPLIT)), ("registers_exchanged",), ("C02", "C03"), "c??cc"
    ),
    "labels exchanged all the time": Case(Faulty(rows=relabelled(DAY)), (), (), "ccfcc"),
    "voltages under each other's names": Case(Faulty(blocks_of=(0, 2, 1, 3, 4, 5)), (), (), "cfccc"),
    "a charger altered half-way": Case(Faulty(rows=scaled(2, 1.03, SPLIT)), ("changed",), ("C03",), "cffcc"),
    "daily readings": Case(Faulty(rows=daily(*EVERY, MASTER)), ("daily",), (), NOBODY),
    "daily readings of one": Case(Faulty(rows=daily(2)), ("rarely_read",), ("C03",), NOBODY),
    "a clock hours off": Case(Faulty(rows=late(3, 2)), ("clock_shift",), ("C03",), NOBODY),
    "all clocks hours off": Case(Faulty(rows=late(8, *EVERY)), ("clock_shift",), ("C03",), NOBODY),
    "the master's clock hours off": Case(Faulty(rows=late(8, MASTER)), ("clock_shift",), ("C03",), NOBODY),
    "PV": Case(Faulty(plant=unmetered(panels(20))), ("generation",), (), NOBODY),
    "a little PV": Case(Faulty(plant=unmetered(panels(2))), ("generation",), (), NOBODY),
    "storage": Case(Faulty(plant=unmetered(storage)), ("generation",), (), NOBODY),
}
OF_NOISE = {"charger_register", "master_register", "halves", "branch_contradicted", "excluded", "misfit"}
BESIDE = {"few_windows", "daily", "rarely_read", "held_up", "changed", "labels_exchanged"}
"""What goes with some of them."""


@pytest.mark.parametrize("voltages", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_it_is_named_and_nobody_wrongly_judged(site: Site, name: str, voltages: bool) -> None:
    case = CASES[name]
    filled(site, case.fault, voltages=voltages)
    said = estimated(site)
    about = {item.name: set[str]() for item in said.findings}
    for item in said.findings:
        about[item.name] |= set(item.meters)
    assert any(set(case.about) <= about.get(finding, {""}) - {""} for finding in case.names) or not case.names
    assert about.keys() <= {*case.names, *OF_NOISE, *BESIDE}
    decided = "".join(LETTERS[one.decision] for one in said.chargers)
    assert all(asked in ("?", found) for asked, found in zip(case.decided, decided, strict=True)), decided
    # From half-way on each is the other: neither may be cleared.
    assert "c" not in (found for asked, found in zip(case.decided, decided, strict=True) if asked == "?")
    assert said.voltage_blocks is not None
    assert bool(said.voltage_blocks.used) == voltages
    text = report(said, ZoneInfo("Asia/Shanghai"))
    assert not case.names or any(all(words in text for words in FINDINGS[finding]) for finding in case.names)


@pytest.mark.parametrize("voltages", [False, True])
def test_orders_of_another_do_not_move_an_error(site: Site, voltages: bool) -> None:
    """By the edges of other sessions C02 would be found a whole per cent off."""
    filled(site, Faulty(told=(0, 2, 1, 3, 4)), voltages=voltages)
    said = estimated(site)
    for one, error in zip(said.chargers, ERRORS, strict=True):
        assert one.error == pytest.approx(100 * error, abs=2 * one.u)


@pytest.mark.parametrize("voltages", [False, True])
def test_two_alike_whose_errors_cancel_are_not_cleared(
    site: Site, voltages: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wired_faults_support.ERRORS", (0.001, 0.0, 0.04, -0.04, 0.0))
    filled(site, Faulty(plant=twins), voltages=voltages)
    assert [LETTERS[one.decision] for one in estimated(site).chargers] == list("ccuuc")


def test_what_is_said_of_all_meters_is_said_once(site: Site) -> None:
    filled(site, Faulty(rows=first_hours(8)), voltages=False)
    said = estimated(site)
    assert len([item for item in said.findings if item.name == "held_up"]) == COUNT + 1
    lines = report(said, ZoneInfo("Asia/Shanghai")).splitlines()
    [held_up] = [line for line in lines if FINDINGS["held_up"][0] in line]
    assert "C01, C02, C03, G, C04, C05 (" in held_up
    [advice] = [line for line in lines if ADVICE["held_up"][0] in line]
    assert lines.index(advice) == lines.index(held_up) + 1


def test_pairs_are_not_made_one(site: Site) -> None:
    filled(site, Faulty(), voltages=False)
    pairs = [StationFinding("swapped", names, {}, blocks=False) for names in (("C01", "C02"), ("C03", "C04"))]
    lines = report(replace(estimated(site), findings=tuple(pairs)), ZoneInfo("Asia/Shanghai")).splitlines()
    assert [line[-10:] for line in lines if FINDINGS["swapped"][0] in line] == [": C01, C02", ": C03, C04"]
