"""The finding about a charger that nobody could judge for many nights, from its first night to its end."""

from dataclasses import replace
from typing import Any

import pytest
from estimation_support import DAY, LENGTH, Site, rows_of

from cloud_receiver import database, finding_history, findings
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.overlooked import update_unjudged
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import estimate
from cloud_receiver.estimation.unjudged import NIGHTS

END = DAY + 3 * LENGTH


@pytest.fixture
def said(site: Site) -> StationResult:
    site.store(rows_of(site.numbers(), 3))
    return estimate(site.engine, site.context(), Estimation(), DAY, END).result


def night(said: StationResult, later: int, nights: int) -> StationResult:
    """Return the estimate of a later night, in which C02 has been undetermined for a number of nights."""
    decision = "undetermined" if nights else "clear"
    chargers = tuple(
        replace(one, decision=decision, reason="withheld", nights=nights) if one.meter == "C02" else one
        for one in said.chargers
    )
    return replace(said, chargers=chargers, end_ms=said.end_ms + later * LENGTH)


def told(site: Site, found: StationResult) -> tuple[int, int]:
    with database.writing(site.engine) as connection:
        return update_unjudged(connection, site.context(), found, found.end_ms)


def listed(site: Site) -> list[findings.Finding]:
    with database.reading(site.engine) as connection:
        return findings.listed(connection, "S1", closed=True)


def test_it_lasts_from_the_fourteenth_night_until_something_is_decided(site: Site, said: StationResult) -> None:
    assert told(site, night(said, 0, NIGHTS - 1)) == (0, 0)
    assert listed(site) == []
    assert told(site, night(said, 1, NIGHTS)) == (1, 0)
    assert told(site, night(said, 2, NIGHTS + 1)) == (0, 0)
    [item] = listed(site)
    assert (item.kind, item.meter, item.state, item.severity) == ("charger_unjudged", "C02", "open", "warning")
    evidence: dict[str, Any] = item.evidence
    assert (evidence["details"][0]["nights"], evidence["details"][0]["reason"]) == (NIGHTS + 1, "withheld")
    assert item.last_ms == END + 2 * LENGTH

    assert told(site, night(said, 3, 0)) == (0, 1)
    [item] = listed(site)
    assert item.state == "closed"
    with database.reading(site.engine) as connection:
        changes = [change.change for change in finding_history.of(connection, item.id)]
    assert changes == ["opened", "changed", "closed"]


def test_no_check_of_a_day_closes_it(site: Site, said: StationResult) -> None:
    told(site, night(said, 0, NIGHTS))
    [item] = listed(site)
    with database.writing(site.engine) as connection:
        findings.synchronise(connection, site.context(), item.day_ms, [], END)
    assert [item.state for item in listed(site)] == ["open"]


def test_what_is_decided_and_undecided_in_one_day_opens_again(site: Site, said: StationResult) -> None:
    told(site, night(said, 0, NIGHTS))
    assert told(site, night(said, 0, 0)) == (0, 1)
    assert told(site, night(said, 0, NIGHTS)) == (1, 0)
    assert [item.state for item in listed(site)] == ["open"]


def test_a_charger_out_of_service_is_nobody_s_concern(site: Site, said: StationResult) -> None:
    told(site, night(said, 0, NIGHTS))
    gone = night(said, 1, NIGHTS + 1)
    gone = replace(gone, chargers=tuple(one for one in gone.chargers if one.meter != "C02"))
    assert told(site, gone) == (0, 1)
