"""What conversion loses before meters of DC output, and how far that differs, is told in report, JSON and at night."""

import json
from statistics import pstdev
from zoneinfo import ZoneInfo

import pytest
from cycle_support import SELDOM
from estimation_support import DAY, LENGTH, Site, rows_of
from receiver_support import station_model
from sqlalchemy import select

from cloud_receiver import database
from cloud_receiver.estimation import store
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import estimate, nightly
from cloud_receiver.estimation.text import report
from cloud_receiver.schema import error_estimate

DAYS = 8
SETTINGS = Estimation(days=DAYS, full_every_days=SELDOM)
LOSSES = (0.050, 0.058, 0.044, 0.051, 0.047, 0.055, 0.049, 0.042)
"""Of the output of each charger."""


def filled(site: Site, days: int = DAYS) -> None:
    base = station_model(len(LOSSES))
    *chargers, grid = base.meter
    metered = [one.model_copy(update={"dc_output": True}) for one in chargers]
    site.enter(base.model_copy(update={"meter": (*metered, grid)}))
    site.store(rows_of(site.numbers(), days, errors=[1 / (1 + loss) - 1 for loss in LOSSES]))


def said(site: Site) -> StationResult:
    return estimate(site.engine, site.context(), SETTINGS, DAY, DAY + DAYS * LENGTH).result


def test_loss_and_spread_are_told_in_both_languages_and_in_json(site: Site) -> None:
    filled(site)
    found = said(site)
    assert found.conversion is not None
    assert found.conversion_spread is not None
    loss, u = found.conversion
    assert loss == pytest.approx(100 * sum(LOSSES) / len(LOSSES), abs=2 * u)
    spread, u_spread = found.conversion_spread
    assert spread == pytest.approx(100 * pstdev(LOSSES), abs=2 * u_spread)
    assert spread > 0.3, "more than was believed, since these differ by more"
    text = report(found, ZoneInfo("Asia/Shanghai"))
    for words in (f"{loss:.2f} %, u {u:.2f} %", f"{spread:.2f} %, u {u_spread:.2f} %"):
        assert words in text
    assert "differs from charger to charger" in text
    assert "桩间差异" in text
    content = json.loads(json.dumps(found.content()))
    assert content["conversion"] == [loss, u]
    assert content["conversion_spread"] == [spread, u_spread]


def test_where_nothing_is_metered_at_its_output_nothing_is_said_of_it(site: Site) -> None:
    site.store(rows_of(site.numbers(), DAYS))
    found = said(site)
    assert (found.conversion, found.conversion_spread) == (None, None)
    assert "直流侧" not in report(found, ZoneInfo("Asia/Shanghai"))
    assert found.content()["conversion_spread"] is None


def test_nights_keep_it_also_of_a_day_that_is_added(site: Site) -> None:
    filled(site)
    number = site.context().number
    for day in (DAYS - 1, DAYS):
        through_ms = DAY + day * LENGTH
        [done] = [one for one in nightly(site.engine, site.context(), SETTINGS, through_ms) if one is not None]
        with database.writing(site.engine) as connection:
            store.keep(connection, number, done.result, through_ms)
            assert done.state is not None
            store.keep_state(connection, number, done.state)
        with database.reading(site.engine) as connection:
            kept = connection.execute(
                select(error_estimate.c.content).where(
                    error_estimate.c.meter == 0, error_estimate.c.made_ms == through_ms
                )
            ).scalar_one()
        assert done.result.conversion_spread is not None
        assert json.loads(kept)["conversion_spread"] == list(done.result.conversion_spread)
    assert not done.result.full
