"""What the checks say of imported readings: as of any others."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from metered_support import FIRST_MS, HOUR_MS, NOW_MS, dispatch, hours, registry, rows, run, surroundings

from cloud_receiver import schema
from cloud_receiver.checks.runner import Runner
from cloud_receiver.config import Checks
from cloud_receiver.metered_import import settle as settling
from cloud_receiver.metered_import.wish import Surroundings
from cloud_receiver.registry import Registry
from cloud_receiver.validation.config import Validation

HOURS = (NOW_MS - FIRST_MS) // HOUR_MS + 1
ALL = ["1"] * (HOURS - 1)


@pytest.fixture
def around(tmp_path: Path) -> Any:
    """Make a station of the utility's meter alone, by whose clock the month has begun."""
    (station,) = registry().station
    alone = Registry(station=(station.model_copy(update={"meter": station.meter[-1:]}),))
    found = surroundings(tmp_path, alone)
    yield found
    found.engine.dispose()


def findings(around: Surroundings) -> set[tuple[str, str]]:
    """Check all that is to be checked; return the kinds of finding with their states."""
    runner = Runner(
        *(around.engine, around.registry, around.clock, Checks(grace_minutes=0)), validation=Validation(enabled=False)
    )

    async def work() -> None:
        for _ in range(4):
            await runner.round()

    asyncio.run(work())
    return {(row.kind, row.state) for row in rows(around.engine, schema.finding)}


def test_a_whole_month_has_none(around: Surroundings) -> None:
    dispatch(around, FIRST_MS, *[500_000] * 96)
    run(around, hours(*ALL))
    assert findings(around) == set()


def test_a_gap_is_missing_until_it_is_filled(around: Surroundings) -> None:
    run(around, hours(*ALL[:50], "", "", *ALL[52:]))
    assert findings(around) == {("missing_intervals", "open")}
    run(around, hours(*ALL))
    assert findings(around) == {("missing_intervals", "closed")}


def test_a_correction_is_told(around: Surroundings) -> None:
    run(around, hours(*ALL))
    run(around, hours(*ALL[:50], "7", *ALL[51:]), correct=True)
    assert findings(around) == {("overlapping_intervals", "open")}


def test_late_factors_are_unsettled_until_they_are_settled(around: Surroundings) -> None:
    run(around, hours(*ALL))
    dispatch(around, FIRST_MS, *[500_000] * 96, issued_ms=FIRST_MS)
    assert findings(around) == {("factor_unsettled", "open")}
    (meter,) = settling.meters(around, None, None, None)
    assert asyncio.run(settling.settle(*meter, around, lambda _: None)).adjusted == 24
    assert findings(around) == {("factor_unsettled", "closed")}
