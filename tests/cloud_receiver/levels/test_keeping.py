"""How long the statements of both sides, and what they say of each slot, are kept."""

import asyncio
from typing import Any

from receiver_support import DAY_MS, SLOT_MS
from sqlalchemy import select

from cloud_receiver import schema
from cloud_receiver.database import reading
from cloud_receiver.levels import book
from cloud_receiver.levels.book import Said
from cloud_receiver.levels.partner import Side


def first_day(centre: Any) -> dict[int, Said]:
    """Return what the other side said of the first day."""
    with reading(centre.engine) as connection:
        return book.newest(connection, centre.partner.centre, Side.THEIRS, DAY_MS, DAY_MS + 96 * SLOT_MS)


def kept(centre: Any) -> tuple[int, int]:
    """Return how many slots and statements a centre has in its store."""
    with reading(centre.engine) as connection:
        found = [len(connection.execute(select(table)).all()) for table in (schema.level_slot, schema.level_message)]
    return found[0], found[1]


def test_what_was_said_is_kept_for_as_long_as_it_is_to_be(boundary: Any) -> None:
    boundary.parent.measured(0, 1000)
    boundary.child.measured(0, 1000)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.rounds())
    old = boundary.wire.retained.copy()
    boundary.parent.measured(300 * 96, 1000)
    boundary.child.measured(300 * 96, 1000)
    boundary.parent.solved(300 * 96, 600_000)
    boundary.to(300 * 96 + 1)
    asyncio.run(boundary.rounds())
    before = kept(boundary.child)
    assert first_day(boundary.child) != {}
    boundary.to(1199 * 96)
    asyncio.run(boundary.rounds())
    assert kept(boundary.child) == before
    boundary.to(1202 * 96)
    asyncio.run(boundary.rounds())
    after = kept(boundary.child)
    assert first_day(boundary.child) == {}
    assert all(0 < now < then for now, then in zip(after, before, strict=True))
    # A statement that was forgotten and comes again, as by a broker that was put back, is no news.
    for topic, envelope in old.items():
        boundary.wire.deliver(topic, envelope)
    asyncio.run(boundary.rounds())
    assert kept(boundary.child) == after
    assert first_day(boundary.child) == {}
