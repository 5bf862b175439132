"""What a centre does not take from its partner, and what it takes only so much of."""

import asyncio
from typing import Any

import pytest
from receiver_support import DAY_MS, SLOT_MS
from sqlalchemy import select
from talk_support import said

from cloud_receiver import schema
from cloud_receiver.database import reading
from cloud_receiver.levels import book, state
from wire.envelope import Signer
from wire.keys import generate
from wire.levels import Statement


def forged(boundary: Any, **changes: Any) -> tuple[str, bytes]:
    values = {"speaker": "city", "listener": "province", "node": "N7", "issued_ms": 1, "slot_ms": SLOT_MS}
    values |= {"first_start_ms": DAY_MS, "forward_mwh": (1,), "reverse_mwh": (0,), "factors": (None,)}
    values |= {"reverse_factors": (None,), "carbon_forward_ug": (None,), "carbon_reverse_ug": (None,), **changes}
    topic = values.pop("topic", "diantan/1/level/city/up")
    signer = Signer(values.pop("key", boundary.child.key))
    return "diantan/1/level/city/up", signer.sign(Statement(**values).encode(), topic)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key": generate()}, "unknown_key"),
        ({"topic": "diantan/1/level/town/up"}, "bad_signature"),
        ({"speaker": "town"}, "gateway_mismatch"),
        ({"listener": "nation"}, "gateway_mismatch"),
        ({"node": "N8"}, "gateway_mismatch"),
        ({"slot_ms": 1000}, "gateway_mismatch"),
        ({"first_start_ms": DAY_MS + 1}, "payload"),
        ({"first_start_ms": DAY_MS + 200 * SLOT_MS}, "payload"),
    ],
)
def test_what_is_not_the_partners_word_is_set_aside(boundary: Any, changes: dict[str, Any], reason: str) -> None:
    boundary.wire.deliver(*forged(boundary, **changes))
    boundary.to(1)
    asyncio.run(boundary.parent.talk.round())
    with reading(boundary.parent.engine) as connection:
        assert [row.reason for row in connection.execute(select(schema.quarantine))] == [reason]
        assert connection.execute(select(schema.level_slot)).all() == []
    assert boundary.wire.acknowledged == 1
    boundary.wire.deliver(*forged(boundary))
    asyncio.run(boundary.parent.talk.round())
    assert said(boundary.parent) == {0: (0, None, None)}


def test_a_flood_of_statements_is_bounded_and_acknowledged(boundary: Any) -> None:
    for _ in range(1000):
        boundary.wire.deliver("diantan/1/level/city/up", b"garbage")
    boundary.to(1)
    asyncio.run(boundary.parent.talk.round())
    assert boundary.wire.acknowledged == 1000
    with reading(boundary.parent.engine) as connection:
        assert len(connection.execute(select(schema.quarantine)).all()) == 60


def test_a_partner_cannot_fill_the_store(boundary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(forged(boundary)[1])
    monkeypatch.setattr(state, "BURST_BYTES", 3 * size + 100)
    boundary.parent.talk._states["city"].allowance = state.Allowance(3 * size + 100)

    def say(number: int) -> int:
        for issue in range(number):
            boundary.wire.deliver(*forged(boundary, issued_ms=100 + issue, forward_mwh=(issue,)))
        asyncio.run(boundary.parent.talk.round())
        with reading(boundary.parent.engine) as connection:
            return len(book.heard(connection, "city"))

    boundary.to(1)
    assert say(8) == 3
    assert boundary.wire.acknowledged == 8
    boundary.clock.wall_ms += 1000 * size // state.BYTES_PER_S + 200
    assert say(8) > 3
