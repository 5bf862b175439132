"""Chargers that all lie beside the master: which of the two is off, the balance can't say."""

from collections.abc import Sequence

import pytest
from estimation_support import DAY, LENGTH, Site, rows_of
from receiver_support import station_model

from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.estimation.run import estimate

DAYS = 30


def said(site: Site, errors: Sequence[float]) -> StationResult:
    site.enter(station_model(len(errors)))
    site.store(rows_of(site.numbers(), DAYS, errors=errors))
    return estimate(site.engine, site.context(), Estimation(days=DAYS), DAY, DAY + DAYS * LENGTH).result


@pytest.mark.parametrize("level", [-0.03, -0.02, 0.019, 0.03])
@pytest.mark.parametrize("own", [(0.001, -0.0015), (0.001, -0.0015, 0.002)], ids=len)
def test_where_all_are_off_alike_nobody_is_judged(site: Site, level: float, own: Sequence[float]) -> None:
    found = said(site, [level + error for error in own])
    assert [item.blocks for item in found.findings if item.name == "level"] == [True]
    assert {(one.decision, one.reason) for one in found.chargers} == {("undetermined", "station")}


@pytest.mark.parametrize(
    ("errors", "decisions"),
    [
        ((0.04, 0.001), ["flag", "clear"]),
        ((0.0, -0.03), ["clear", "flag"]),
        ((0.04, -0.03), ["flag", "flag"]),
    ],
)
def test_of_two_one_that_is_off_is_no_level(site: Site, errors: Sequence[float], decisions: list[str]) -> None:
    found = said(site, errors)
    assert [one.decision for one in found.chargers] == decisions
    assert "level" not in {item.name for item in found.findings}
