"""Findings about branches, from the night that names one to the one that finds it well again."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from drops_support import DESIGN, RATED_KW, Wired, filled, wired
from estimation_support import DAY, ERRORS, LENGTH, Site, rows_of

from clock import ManualClock
from cloud_receiver import database, finding_history, findings
from cloud_receiver.estimation.branch_life import update_branches
from cloud_receiver.estimation.branch_result import BranchResult
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.night import Nights
from cloud_receiver.estimation.result import StationFinding, StationResult
from cloud_receiver.estimation.run import estimate

END = DAY + 3 * LENGTH
MEASURED = BranchResult(3.1, 0.1, 55.5, 2000, "mean", None)


@pytest.fixture
def said(site: Site) -> StationResult:
    site.store(rows_of(site.numbers(), 3))
    found = estimate(site.engine, site.context(), Estimation(), DAY, END).result
    return replace(found, chargers=tuple(replace(one, branch=MEASURED) for one in found.chargers))


def night(
    said: StationResult,
    day: int,
    *,
    name: str = "hot_branch",
    numbers: dict[str, float | str] | None = None,
    branch: BranchResult | None = MEASURED,
    full: bool = True,
) -> StationResult:
    """Return a run of a later day in which C02 has a branch and, with numbers, a finding."""
    chargers = tuple(replace(one, branch=branch) if one.meter == "C02" else one for one in said.chargers)
    named = () if numbers is None else (StationFinding(name, ("C02",), numbers, blocks=False),)
    end_ms = END + day * LENGTH
    return replace(said, chargers=chargers, findings=named, end_ms=end_ms, full=full)


HOT: dict[str, float | str] = {"percent": 3.1, "usual_percent": 1.2}


def told(site: Site, found: StationResult) -> tuple[int, int]:
    with database.writing(site.engine) as connection:
        return update_branches(connection, site.context(), found, found.end_ms)


def listed(site: Site) -> list[findings.Finding]:
    with database.reading(site.engine) as connection:
        return findings.listed(connection, "S1", closed=True)


def changes(site: Site, number: int) -> list[tuple[str, Any]]:
    with database.reading(site.engine) as connection:
        return [(one.change, one.cause.get("outcome")) for one in finding_history.of(connection, number)]


def test_a_loose_connection_is_an_alarm_until_it_has_been_well_for_a_week(site: Site, said: StationResult) -> None:
    assert told(site, night(said, 0, numbers=HOT)) == (1, 0)
    [item] = listed(site)
    assert (item.kind, item.meter, item.severity, item.state) == ("hot_branch", "C02", "alarm", "open")
    assert (item.first_ms, item.last_ms) == (said.first_ms, END)
    evidence: dict[str, Any] = item.evidence
    assert evidence["details"] == [
        {
            "meter": "C02",
            "percent": 3.1,
            "usual_percent": 1.2,
            "u_percent": 0.1,
            "milliohm": 55.5,
            "quarters": 2000,
            "reference": "mean",
            "first_ms": said.first_ms,
            "end_ms": END,
        }
    ]
    assert "loses 3.10 % at rated power, branches like it 1.20 %: inspect its connections" in evidence["words"]["en"]
    assert "接触不良" in evidence["words"]["zh"]
    assert "额定功率下损耗 3.10 %，同类支路 1.20 %。请检查其接线端子与电缆" in evidence["words"]["zh"]

    well = replace(MEASURED, percent=1.3)
    assert told(site, night(said, 7, numbers=HOT | {"percent": 3.3})) == (0, 0)
    assert told(site, night(said, 14, branch=well)) == (0, 0)
    [item] = listed(site)
    evidence = item.evidence
    assert (item.state, item.last_ms, evidence["details"][0]["percent"]) == ("open", END + 7 * LENGTH, 3.3)
    assert evidence["well"] == {"since_ms": END + 14 * LENGTH, "percent": 1.3, "u_percent": 0.1}
    assert told(site, night(said, 20, branch=well)) == (0, 0)
    assert told(site, night(said, 21, branch=well)) == (0, 1)
    [item] = listed(site)
    assert item.state == "closed"
    assert changes(site, item.id) == [("opened", None), ("changed", None), ("closed", "well_again")]


def test_one_that_is_hot_again_within_the_week_stays_open(site: Site, said: StationResult) -> None:
    told(site, night(said, 0, numbers=HOT))
    assert told(site, night(said, 5)) == (0, 0)
    assert told(site, night(said, 9, numbers=HOT)) == (0, 0)
    assert told(site, night(said, 13)) == (0, 0)
    assert told(site, night(said, 19)) == (0, 0)
    assert told(site, night(said, 20)) == (0, 1)


@pytest.mark.parametrize("reason", ["no_voltages", "scatter", "contradicted", "voltages_removed"])
def test_one_that_is_no_longer_measured_is_not_well(site: Site, said: StationResult, reason: str) -> None:
    told(site, night(said, 0, numbers=HOT))
    told(site, night(said, 1))
    unknown = replace(MEASURED, reason=reason)
    for day in (2, 10, 30):
        assert told(site, night(said, day, branch=unknown)) == (0, 0)
    assert told(site, night(said, 31)) == (0, 0)  # the week begins anew
    assert told(site, night(said, 38)) == (0, 1)


@pytest.mark.parametrize(
    ("branch", "outcome"),
    [(None, "switched_off"), (replace(MEASURED, reason="switched_off"), "switched_off")],
)
def test_one_whose_measurement_is_switched_off_ends(
    site: Site, said: StationResult, branch: BranchResult | None, outcome: str
) -> None:
    told(site, night(said, 0, numbers=HOT))
    assert told(site, night(said, 1, branch=branch)) == (0, 1)
    assert changes(site, listed(site)[0].id)[-1] == ("closed", outcome)


def test_a_charger_out_of_service_ends_it(site: Site, said: StationResult) -> None:
    told(site, night(said, 0, numbers=HOT))
    gone = night(said, 1)
    gone = replace(gone, chargers=tuple(one for one in gone.chargers if one.meter != "C02"))
    assert told(site, gone) == (0, 1)
    assert changes(site, listed(site)[0].id)[-1] == ("closed", "out_of_service")


def test_what_has_risen_and_stays_there_is_not_well(site: Site, said: StationResult) -> None:
    told(site, night(said, 0, numbers={"percent": 3.1, "before_percent": 1.5}))
    told(site, night(said, 7, numbers=HOT))  # beside the others too
    [item] = listed(site)
    evidence: dict[str, Any] = item.evidence
    assert "branches like it 1.20 %, before 1.50 %" in evidence["words"]["en"]
    for day in (100, 108):  # by now what it lost before is what it loses
        assert told(site, night(said, day)) == (0, 0)
    for day, closed in ((120, 0), (127, 1)):
        assert told(site, night(said, day, branch=replace(MEASURED, percent=1.9))) == (0, closed)


def test_a_day_that_is_added_says_nothing_new(site: Site, said: StationResult) -> None:
    assert told(site, night(said, 0, numbers=HOT, full=False)) == (0, 0)
    assert listed(site) == []
    told(site, night(said, 1, numbers=HOT))
    for day in (2, 20):
        assert told(site, night(said, day, full=False)) == (0, 0)
    assert [(item.state, item.last_ms) for item in listed(site)] == [("open", END + LENGTH)]


def test_voltages_that_are_contradicted_are_a_warning(site: Site, said: StationResult) -> None:
    lie = replace(MEASURED, reason="contradicted")
    assert told(site, night(said, 0, name="branch_contradicted", numbers={"percent": 3.1}, branch=lie)) == (1, 0)
    [item] = listed(site)
    assert (item.kind, item.severity, item.meter) == ("branch_contradicted", "warning", "C02")
    evidence: dict[str, Any] = item.evidence
    assert "voltage_drop = false" in evidence["words"]["en"]
    assert "与电量矛盾" in evidence["words"]["zh"]
    assert told(site, night(said, 1)) == (0, 0)
    assert told(site, night(said, 8)) == (0, 1)


def test_both_findings_of_a_charger_live_apart(site: Site, said: StationResult) -> None:
    told(site, night(said, 0, numbers=HOT))
    lie = replace(MEASURED, reason="contradicted")
    told(site, night(said, 1, name="branch_contradicted", numbers={"percent": 3.1}, branch=lie))
    assert sorted((item.kind, item.state) for item in listed(site)) == [
        ("branch_contradicted", "open"),
        ("hot_branch", "open"),
    ]


def test_no_check_of_a_day_closes_it_and_it_opens_again(site: Site, said: StationResult) -> None:
    told(site, night(said, 0, numbers=HOT))
    [item] = listed(site)
    with database.writing(site.engine) as connection:
        findings.synchronise(connection, site.context(), item.day_ms, [], END)
    assert [one.state for one in listed(site)] == ["open"]
    told(site, night(said, 0, branch=None))
    assert told(site, night(said, 0, numbers=HOT)) == (1, 0)
    [item] = listed(site)
    assert [change for change, _ in changes(site, item.id)] == ["opened", "closed", "reopened"]


def test_a_night_puts_it_among_the_findings(site: Site) -> None:
    site.enter(wired(6))
    times = (1.0, 1.3, 0.9, 1.2, 1.1, 5.0)
    filled(site, Wired([DESIGN * one for one in times], days=6), (*ERRORS, 0.0, 0.0, 0.0))
    clock = ManualClock(wall_ms=DAY + 6 * LENGTH + LENGTH // 2)
    settings = Estimation(share_percent=100, branch_alarm_factor=Decimal(2), split_halves=False)
    assert asyncio.run(Nights(site.engine, site.registry, clock, settings).round()) == 1
    [item] = [one for one in listed(site) if one.kind == "hot_branch"]
    evidence: dict[str, Any] = item.evidence
    assert item.meter == "C06"
    assert evidence["details"][0]["percent"] == pytest.approx(100 * RATED_KW * 5 * DESIGN, rel=0.05)
