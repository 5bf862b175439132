"""Two centres whose messages are lost, who were away, start again or have a fault: nothing is lost for good."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from receiver_support import DAY_MS
from sqlalchemy import select
from talk_support import said, told

from cloud_receiver import schema
from cloud_receiver.database import reading
from cloud_receiver.levels import book
from cloud_receiver.quarantine import Quarantine
from wire.envelope import KeyRing, Signer
from wire.keys import generate


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_lost_on_the_way_both_end_with_the_same(boundary: Any, seed: int) -> None:
    boundary.wire.lost = 0.6
    boundary.wire.chance.seed(seed)
    for slot in range(6):
        boundary.parent.measured(slot, 1000 + slot)
        boundary.child.measured(slot, 1000 + slot)
        boundary.parent.solved(slot, 600_000 + slot)
        boundary.to(slot + 1)
        asyncio.run(boundary.rounds(1))
    boundary.wire.lost = 0.0
    for slot in range(7, 17):  # repeated ever more rarely
        boundary.to(slot)
        asyncio.run(boundary.rounds(2))
    expected = {slot: (1000 + slot, 600_000 + slot, (1000 + slot) * (600_000 + slot) // 10**6) for slot in range(6)}
    assert said(boundary.child) == said(boundary.parent) == expected
    for centre in (boundary.parent, boundary.child):
        with reading(centre.engine) as connection:
            unheard = connection.execute(
                select(schema.level_message).where(
                    schema.level_message.c.side == 0, schema.level_message.c.heard_ms.is_(None)
                )
            ).all()
        assert unheard == []
    sent = boundary.wire.sent
    boundary.to(17)
    asyncio.run(boundary.rounds())
    assert boundary.wire.sent <= sent + 2  # the newest, at most: nobody talks for the sake of talking


def test_the_retained_statement_brings_a_newcomer_up_to_date(boundary: Any) -> None:
    boundary.wire.lost = 1.0
    for slot in range(3):
        boundary.parent.measured(slot, 1000)
        boundary.parent.solved(slot, 600_000)
        boundary.to(slot + 1)
        asyncio.run(boundary.rounds(1))
    ((topic, payload),) = boundary.wire.retained.items()
    assert topic == "diantan/1/level/city/down"
    boundary.wire.lost = 0.0
    boundary.wire.deliver(topic, payload)
    asyncio.run(boundary.rounds(1))
    assert said(boundary.child) == dict.fromkeys(range(3), (1000, 600_000, 600))


def test_a_restart_says_nothing_twice_and_compares_what_was_left(boundary: Any) -> None:
    boundary.parent.measured(0, 1000)
    boundary.child.measured(0, 1100)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.rounds())
    with reading(boundary.parent.engine) as connection:
        before = connection.execute(select(schema.level_message)).all()
    talk = boundary.parent.talk
    again = type(talk)(
        *(boundary.parent.engine, Signer(boundary.parent.key), boundary.clock, "province"),
        {"city": (boundary.parent.partner, boundary.wire)},
        timezone="Asia/Shanghai",
        quarantine=talk._quarantine,
    )
    boundary.wire.talks[0] = boundary.parent.talk = again
    for minutes in (1, 3):
        boundary.to(4, minutes)
        asyncio.run(boundary.rounds())
    with reading(boundary.parent.engine) as connection:
        after = connection.execute(select(schema.level_message)).all()
    assert [(row.side, row.issued_ms) for row in after] == [(row.side, row.issued_ms) for row in before]
    assert ("level_energy", "open", DAY_MS) in told(boundary.parent)


def test_whoever_was_away_for_long_confirms_all_that_waited(boundary: Any) -> None:
    """More statements than one message names: those that it doesn't name would be repeated for ever."""
    boundary.wire.lost = 1.0
    kept = []
    for slot in range(90):
        boundary.parent.solved(slot, 600_000)
        boundary.parent.measured(slot, 1000)
        boundary.to(slot + 1)
        asyncio.run(boundary.parent.talk.round())
        kept.append(next(iter(boundary.wire.retained.values())))
    boundary.wire.lost = 0.0
    for payload in kept:  # what a broker keeps for a client that is away
        boundary.wire.deliver("diantan/1/level/city/down", payload)
    asyncio.run(boundary.child.talk.round())
    asyncio.run(boundary.parent.talk.round())
    with reading(boundary.parent.engine) as connection:
        assert book.unconfirmed(connection, "city") == 0


def test_a_statement_that_cannot_be_kept_is_set_aside_and_stops_nobody(
    boundary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(boundary.child.partner), "feed", property(lambda self: "x" * 65))
    boundary.parent.measured(0, 1000)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.rounds(1))
    monkeypatch.undo()
    with reading(boundary.child.engine) as connection:
        assert [row.reason for row in connection.execute(select(schema.quarantine))] == ["payload"]
    assert said(boundary.child) == {}
    boundary.to(2)
    asyncio.run(boundary.rounds())
    assert said(boundary.child) == {0: (1000, 600_000, 600)}


def test_a_fault_with_one_partner_ends_nothing(boundary: Any, caplog: pytest.LogCaptureFixture) -> None:
    talk = boundary.parent.talk
    talk._partners["town"] = (None, boundary.wire)  # whatever is done with it fails
    talk._states["town"] = type(talk._states["city"])()
    talk._partners = dict(reversed(talk._partners.items()))
    boundary.parent.measured(0, 1000)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.rounds())
    assert said(boundary.child) == {0: (1000, 600_000, 600)}
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "the talk with centre town failed, trying again"
    ]


def start_again(boundary: Any, centre: Any, partner: Any, key: Any) -> None:
    """Start a centre's talk again with another configuration."""
    talk = type(centre.talk)(
        *(centre.engine, Signer(key), boundary.clock, centre.name, {partner.centre: (partner, boundary.wire)}),
        timezone="Asia/Shanghai",
        quarantine=Quarantine(60, 1000),
    )
    boundary.wire.talks[boundary.wire.talks.index(centre.talk)] = centre.talk = talk


def test_what_was_not_heard_is_said_again_under_the_present_key_and_node(boundary: Any) -> None:
    parent, child, wire = boundary.parent, boundary.child, boundary.wire
    parent.measured(0, 1000)
    child.measured(0, 1001)
    parent.solved(0, 600_000)
    start_again(boundary, child, replace(child.partner, node="N8"), child.key)
    wire.lost = 1.0
    boundary.to(1)
    asyncio.run(boundary.rounds())
    wire.lost = 0.0
    key, ring = generate(), KeyRing()
    ring.add(key.public_key(), "province")
    start_again(boundary, child, replace(child.partner, ring=ring), child.key)
    start_again(boundary, parent, parent.partner, key)
    boundary.to(2)
    asyncio.run(boundary.rounds())
    assert said(child) == {0: (1000, 600_000, 600)}
    assert said(parent) == {0: (1001, 600_000, 600)}
    for centre in (parent, child):
        with reading(centre.engine) as connection:
            assert book.unconfirmed(connection, centre.partner.centre) == 0
            assert connection.execute(select(schema.quarantine)).all() == []
