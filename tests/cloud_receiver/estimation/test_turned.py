"""A charger that was altered within the span is judged by what it is now, and is a candidate within days."""

import json
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cycle_support import SELDOM
from estimation_support import DAY, LENGTH, Site, rows_of
from receiver_support import SLOT_MS, station_model

from cloud_receiver import database, findings
from cloud_receiver.estimation import store, suspects, verification
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import estimate, nightly
from cloud_receiver.estimation.suspects import ADJUSTED, EARLIER
from cloud_receiver.estimation.text import report

ERRORS = (0.002, 0.0, -0.001, 0.001, 0.003, -0.002)
DAYS = 20
ALTERED_DAY = 12
SPLIT = DAY + DAYS // 2 * LENGTH
SETTINGS = Estimation(days=DAYS, full_every_days=SELDOM)
ZONE = ZoneInfo("Asia/Shanghai")


def filled(site: Site, error: float, days: int = DAYS) -> None:
    site.enter(station_model(len(ERRORS)))
    change = (1, ALTERED_DAY * 96, error)
    site.store(rows_of(site.numbers(), days, errors=ERRORS, change=change, share=0.06))


def said(site: Site, end_day: int = DAYS, first_day: int = 0) -> StationResult:
    return estimate(site.engine, site.context(), SETTINGS, DAY + first_day * LENGTH, DAY + end_day * LENGTH).result


def test_it_is_flagged_by_what_it_is_now(site: Site) -> None:
    filled(site, 0.032)
    found = said(site)
    assert [one.decision for one in found.chargers] == ["clear", "flag", "clear", "clear", "clear", "clear"]
    now = found.chargers[1]
    assert now.changed_ms == SPLIT
    # The first two days of the half, in which it was right still, weigh little.
    assert now.error == pytest.approx(3.2, abs=3 * now.u)
    assert now.u**2 == pytest.approx(now.u_common**2 + now.u_own**2)
    [before] = found.earlier
    assert (before.meter, before.decision, before.changed_ms) == ("C02", "clear", SPLIT)
    assert before.error == pytest.approx(0, abs=3 * before.u)
    assert [item.meters for item in found.findings if item.name == "changed"] == [("C02",)]
    lines = report(found, ZONE).splitlines()
    [row, former] = [line for line in lines if line.startswith("C02 ")]
    assert "flag 超差" in row
    assert "since 2026-07-11T00:00:00+08:00 起" in row
    assert lines[lines.index(former) - 2] == "before its error changed 误差变化之前"
    assert "since" not in former


def test_one_that_is_within_its_limit_now_is_not_cleared_by_half_a_span(site: Site) -> None:
    site.enter(station_model(len(ERRORS)))
    errors = (0.002, 0.032, *ERRORS[2:])
    site.store(rows_of(site.numbers(), DAYS, errors=errors, change=(1, DAYS // 2 * 96, 0.0), share=0.06))
    one = said(site).chargers[1]
    assert (one.decision, one.reason, one.changed_ms) == ("undetermined", "changed", None)


def night(site: Site, through_ms: int) -> tuple[StationResult, tuple[int, int]]:
    [done] = [one for one in nightly(site.engine, site.context(), SETTINGS, through_ms) if one is not None]
    context = site.context()
    with database.writing(site.engine) as connection:
        store.keep(connection, context.number, done.result, through_ms)
        assert done.state is not None
        store.keep_state(connection, context.number, done.state)
        return done.result, suspects.update_candidates(connection, context, done.result, through_ms)


def entered(site: Site, at_ms: int, **result: Any) -> str | None:
    context = site.context()
    with database.writing(site.engine) as connection:
        values = {"error_percent": Decimal("3.2"), "u_percent": Decimal("0.05"), "left_percent": None} | result
        item = verification.enter(
            connection, context.number, site.numbers()[1], at_ms=at_ms, made_by="", document="", now_ms=at_ms, **values
        )
        return suspects.settle(connection, context, item, at_ms)


def test_it_is_a_candidate_on_the_days_that_are_added_too(site: Site) -> None:
    filled(site, 0.032, days=DAYS + 2)
    first, opened = night(site, DAY + DAYS * LENGTH)
    second, changes = night(site, DAY + (DAYS + 1) * LENGTH)
    assert (first.full, second.full, opened, changes) == (True, False, (1, 0), (0, 0))
    assert second.chargers[1] == first.chargers[1]
    assert second.earlier == first.earlier
    with database.reading(site.engine) as connection:
        [item] = findings.listed(connection)
    assert (item.kind, item.state) == ("charger_suspect", "open")
    assert item.evidence["details"][0]["first_ms"] == SPLIT
    assert item.evidence["details"][0]["decision"] == "flag"
    # Of before it became what it is a verification says nothing; one since settles it.
    assert entered(site, SPLIT - SLOT_MS, error_percent=Decimal("0.1")) == EARLIER
    assert entered(site, DAY + (DAYS + 1) * LENGTH, left_percent=Decimal("0.1")) == ADJUSTED
    with database.reading(site.engine) as connection:
        assert findings.listed(connection) == []


def test_what_is_kept_of_it_can_be_read_by_others(site: Site) -> None:
    filled(site, 0.032)
    content = json.loads(json.dumps(said(site).content(series=False)))
    assert content["chargers"][1]["changed_ms"] == content["earlier"][0]["changed_ms"] == SPLIT
    assert content["chargers"][0]["changed_ms"] is None
