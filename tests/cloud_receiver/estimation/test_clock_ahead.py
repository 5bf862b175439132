"""Nights that a centre made while its clock was weeks ahead bind none of those that come; on both kinds of stores."""

import asyncio

import pytest
from estimation_support import LENGTH
from shared_nights_support import NIGHT_MS, Sharing
from sqlalchemy import Engine, select

from cloud_receiver import database
from cloud_receiver.checks.model import STATION
from cloud_receiver.estimation import last_night
from cloud_receiver.schema import error_estimate, error_state


@pytest.fixture
def sharing(engine: Engine) -> Sharing:
    return Sharing(engine, 2)


def made(sharing: Sharing) -> dict[int, set[int]]:
    """Return when it was that each station was estimated."""
    asked = select(error_estimate.c.station, error_estimate.c.made_ms).where(error_estimate.c.meter == STATION)
    found: dict[int, set[int]] = {}
    with database.reading(sharing.engine) as connection:
        for number, time_ms in connection.execute(asked):
            found.setdefault(number, set()).add(time_ms)
    return found


@pytest.mark.parametrize("again", [False, True], ids=["the same process", "another"])
def test_nights_go_on_where_the_clock_was_ahead(sharing: Sharing, *, again: bool) -> None:
    ahead = NIGHT_MS + 20 * LENGTH
    sharing.hands.time_ms = ahead
    nights = sharing.nights()
    asyncio.run(nights.round())
    if again:
        nights.close()
        nights = sharing.nights()
    expected = {ahead}
    for day in range(3):
        sharing.hands.time_ms = NIGHT_MS + day * LENGTH
        asyncio.run(nights.round())
        expected.add(sharing.hands.time_ms)
        assert list(made(sharing).values()) == [expected, expected]
        with database.reading(sharing.engine) as connection:
            through = connection.execute(select(error_state.c.through_ms)).scalars()
            assert max(through) < sharing.hands.time_ms
            numbers = list(made(sharing))
            last = [last_night.read(connection, number, sharing.hands.time_ms).made_ms for number in numbers]
            assert last == [sharing.hands.time_ms] * 2
    # Until then everything was made.
    asyncio.run(nights.round())
    assert nights.estimated == (6 if again else 8)


def test_a_clock_that_is_set_back_a_little_makes_nothing_twice(sharing: Sharing) -> None:
    nights = sharing.nights()
    asyncio.run(nights.round())
    sharing.hands.time_ms -= LENGTH
    asyncio.run(nights.round())
    asyncio.run(sharing.nights().round())
    assert list(made(sharing).values()) == [{NIGHT_MS}] * 2
