"""Two centres that talk: what one solves the other uses, both measurements are compared, nothing is lost for good."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from receiver_support import DAY_MS, SLOT_MS
from sqlalchemy import delete, select

from cloud_receiver import schema
from cloud_receiver.database import reading, writing
from cloud_receiver.grid import findings, shelf, telemetry
from cloud_receiver.grid.kept import KeptSlot, NodeQuality, NodeResults, Powers, of
from cloud_receiver.levels import book, state
from cloud_receiver.levels.partner import Side
from cloud_receiver.quarantine import Quarantine
from wire.envelope import KeyRing, Signer
from wire.keys import generate
from wire.levels import Statement
from wire.messages import Origin

MWH = 1_000_000


def said(centre: Any, side: Side = Side.THEIRS) -> dict[int, tuple[int | None, int | None, int | None]]:
    """Return energy forward in kWh, factor and carbon in kg of what a side said, by slot of the day."""
    with reading(centre.engine) as connection:
        found = book.newest(connection, centre.partner.centre, side, DAY_MS, DAY_MS + 96 * SLOT_MS)
    return {
        (start - DAY_MS) // SLOT_MS: (
            None if item.forward_mwh is None else item.forward_mwh // MWH,
            item.factor,
            None if item.carbon_forward_ug is None else item.carbon_forward_ug // 10**9,
        )
        for start, item in found.items()
    }


def told(centre: Any) -> list[tuple[str, str, int]]:
    with reading(centre.engine) as connection:
        return [(item.kind, item.state, item.first_ms) for item in findings.listed(connection, closed=True)]


def test_the_parents_factor_reaches_the_childs_grid(boundary: Any) -> None:
    boundary.parent.measured(0, 1000)
    boundary.child.measured(0, 1001)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.rounds())
    assert said(boundary.child) == {0: (1000, 600_000, 600)}
    assert said(boundary.parent) == {0: (1001, 600_000, 600)}
    with reading(boundary.child.engine) as connection:
        ((start, received),) = telemetry.between(connection, DAY_MS, DAY_MS + SLOT_MS).items()
        assert connection.execute(select(schema.grid_notice)).first() is not None
    assert start == DAY_MS
    assert [item.feed for item in received] == ["centre province"]
    assert received[0].snapshot.generators["province"].factor == 0.6
    assert received[0].snapshot.generators["province"].megawatts is None


def test_a_corrected_factor_replaces_the_first(boundary: Any) -> None:
    boundary.parent.measured(0, 1000)
    boundary.child.measured(0, 1000)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.rounds())
    boundary.parent.solved(0, 610_000, issued=2)
    boundary.to(2)
    asyncio.run(boundary.rounds())
    assert said(boundary.child) == {0: (1000, 610_000, 610)}
    assert said(boundary.parent) == {0: (1000, 610_000, 610)}


def test_what_flows_back_has_the_childs_factor(boundary: Any) -> None:
    boundary.parent.measured(0, 0, 500)
    boundary.child.measured(0, 0, 500)
    boundary.child.solved(0, 100_000)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.rounds())
    with reading(boundary.parent.engine) as connection:
        ((_, received),) = telemetry.between(connection, DAY_MS, DAY_MS + SLOT_MS).items()
        ours = book.newest(connection, "city", Side.OURS, DAY_MS, DAY_MS + SLOT_MS)[DAY_MS]
    assert received[0].snapshot.loads["city"].factor == 0.1
    assert (ours.reverse_mwh, ours.reverse_factor, ours.carbon_reverse_ug) == (500 * MWH, 100_000, 50 * 10**9)
    boundary.to(4)
    asyncio.run(boundary.rounds())
    assert told(boundary.parent) == told(boundary.child) == []


def test_a_difference_is_found_by_both_and_closed_when_it_is_gone(boundary: Any) -> None:
    boundary.parent.measured(0, 1000)
    boundary.child.measured(0, 1100)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.rounds())
    assert told(boundary.parent) == []  # a correction may be under way
    boundary.to(4)
    asyncio.run(boundary.rounds())
    expected = [(kind, "open", DAY_MS) for kind in ("level_carbon", "level_day", "level_energy")]
    assert told(boundary.parent) == told(boundary.child) == expected
    with writing(boundary.child.engine) as connection:
        connection.execute(delete(schema.interval))
    boundary.child.measured(0, 1002)
    boundary.to(5)
    asyncio.run(boundary.rounds())
    assert told(boundary.parent) == expected  # a correction: what follows from it may be under way
    boundary.to(5, 3)
    asyncio.run(boundary.rounds())
    assert told(boundary.parent) == told(boundary.child) == [(kind, "closed", DAY_MS) for kind, *_ in expected]


def test_a_silent_side_is_told_once_both_have_had_their_time(boundary: Any) -> None:
    boundary.parent.measured(0, 1000)
    boundary.to(2)
    asyncio.run(boundary.rounds())
    assert told(boundary.parent) == []
    boundary.to(4)
    asyncio.run(boundary.rounds())
    assert told(boundary.parent) == told(boundary.child) == [("level_missing", "open", DAY_MS)]


def test_a_day_of_small_differences_is_found_by_its_sums(boundary: Any) -> None:
    """1.4 % in each slot is within class, steps and clocks of a slot, and beyond those of a day."""
    for slot in range(96):
        boundary.parent.measured(slot, 10_000)
        boundary.child.measured(slot, 10_140)
        boundary.parent.solved(slot, 600_000)
    boundary.to(100)
    asyncio.run(boundary.rounds())
    boundary.to(100, 3)
    asyncio.run(boundary.rounds())
    assert [item for item in told(boundary.parent) if item[1] == "open"] == [("level_day", "open", DAY_MS)]


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


def test_slots_are_unpacked_once(boundary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = shelf.slots

    def counted(connection: Any, first_ms: int, end_ms: int) -> Any:
        calls.append(first_ms)
        return real(connection, first_ms, end_ms)

    monkeypatch.setattr(shelf, "slots", counted)
    with writing(boundary.parent.engine) as connection:
        grid = shelf.grids(connection).all[0]
        for slot in range(3):
            start = DAY_MS + slot * SLOT_MS
            nodes = NodeResults(of([0.6]), of([1.0]), (NodeQuality.DEFINED,), (600_000,), (Origin.SOLVED,))
            powers = Powers.missing(grid.grid)
            shelf.enter_slots(connection, [KeptSlot(start, 1, grid.id, b"s", start, powers, powers, nodes)])
    for minutes in range(1, 20):
        boundary.to(5, minutes)
        asyncio.run(boundary.parent.talk.round())
    assert calls == [DAY_MS + slot * SLOT_MS for slot in range(3)]


@pytest.mark.parametrize("origin", [Origin.HELD, Origin.OFFICIAL])
def test_a_factor_that_stands_in_is_told_as_one_and_not_solved_with(boundary: Any, origin: Origin) -> None:
    boundary.parent.measured(0, 1000)
    boundary.parent.solved(0, 600_000, origin=origin)
    boundary.to(1)
    asyncio.run(boundary.rounds())
    with reading(boundary.child.engine) as connection:
        assert book.newest(connection, "province", Side.THEIRS, DAY_MS, DAY_MS + 1)[DAY_MS].origin is origin
        assert telemetry.between(connection, DAY_MS, DAY_MS + SLOT_MS) == {}
    boundary.parent.solved(0, 600_000, issued=2)
    boundary.to(2)
    asyncio.run(boundary.rounds())
    with reading(boundary.child.engine) as connection:
        assert book.newest(connection, "province", Side.THEIRS, DAY_MS, DAY_MS + 1)[DAY_MS].origin is None
        ((_, (received,)),) = telemetry.between(connection, DAY_MS, DAY_MS + SLOT_MS).items()
    assert received.snapshot.generators["province"].factor == 0.6


@pytest.mark.parametrize(("childs", "taken"), [((0, 5), [0.1, 0.2]), ((5, 0), [0.1]), ((6, 5), [0.1])])
def test_two_solutions_that_need_each_other_come_to_an_end(
    boundary: Any, childs: tuple[int, int], taken: list[float]
) -> None:
    """Where the meters don't agree about the direction each needs the other's factor: the child's first one stays."""
    boundary.parent.measured(0, 0, 4)
    boundary.child.measured(0, *childs)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.parent.talk.round())
    for issued, factor in ((1, 100_000), (2, 200_000)):
        boundary.child.solved(0, factor, issued=issued)
        boundary.to(1 + issued)
        asyncio.run(boundary.rounds())
    with reading(boundary.parent.engine) as connection:
        ((_, received),) = telemetry.between(connection, DAY_MS, DAY_MS + SLOT_MS).items()
    assert [item.snapshot.loads["city"].factor for item in received] == taken


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
