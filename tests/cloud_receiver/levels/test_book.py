"""Statements in the store: the newest issue of each slot counts, whatever the order in which they come."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from cloud_receiver import schema
from cloud_receiver.levels import book
from cloud_receiver.levels.book import Said, said_in
from cloud_receiver.levels.partner import Side
from wire.levels import Statement, Totals

SLOT_MS = 900_000


def fresh() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)
    with engine.connect() as connection, connection.begin():
        yield connection
    engine.dispose()


store = pytest.fixture(fresh)


def statement(issued: int, first: int, *energies: int | None) -> Statement:
    nothing = (None,) * len(energies)
    columns = (energies, nothing, nothing, nothing, nothing, nothing)
    return Statement("c", "p", "n", issued, SLOT_MS, first * SLOT_MS, *columns, (), 2000, 10)


def enter(connection: Connection, *stated: Statement, side: Side = Side.THEIRS) -> list[list[int]]:
    return [
        [start // SLOT_MS for start in book.enter(connection, "c", side, item, topic="t", envelope=b"e")]
        for item in stated
    ]


def known(connection: Connection) -> dict[int, int | None]:
    found = book.newest(connection, "c", Side.THEIRS, 0, 100 * SLOT_MS)
    return {start // SLOT_MS: said.forward_mwh for start, said in found.items()}


def test_only_what_is_new_is_entered(store: Connection) -> None:
    assert enter(store, statement(1, 0, 5, 6), statement(2, 0, 5, 7, 8), statement(3, 1, 7)) == [[0, 1], [1, 2], []]
    assert known(store) == {0: 5, 1: 7, 2: 8}


def test_an_older_statement_changes_nothing_it_is_overtaken_in(store: Connection) -> None:
    assert enter(store, statement(5, 1, 7), statement(4, 0, 1, 2)) == [[1], [0]]
    assert known(store) == {0: 1, 1: 7}
    assert enter(store, statement(9, 1, 7), statement(8, 1, 6)) == [[], []]
    assert known(store) == {0: 1, 1: 7}


def test_totals_come_back(store: Connection) -> None:
    totals = Totals(*range(10))
    stated = Statement("c", "p", "n", 1, SLOT_MS, 0, (1,), (2,), (3,), (4,), (5,), (6,), (), None, None, (totals,))
    enter(store, stated)
    assert book.newest(store, "c", Side.THEIRS, 0, 1) == {0: Said(1, 2, 3, 4, 5, 6, totals)}
    assert dict(said_in(stated)) == {0: Said(1, 2, 3, 4, 5, 6, totals)}
    assert book.limits(store, "c", Side.THEIRS) == (None, None)


def test_what_was_heard_is_no_longer_repeated(store: Connection) -> None:
    enter(store, *(statement(issue, issue, 1) for issue in range(1, 6)), side=Side.OURS)
    assert [item.issued_ms for item in book.unheard(store, "c", 2)] == [1, 2, 5]
    assert book.note_heard(store, "c", [1, 3, 5, 99], 7) == 3
    assert book.note_heard(store, "c", [1, 3], 8) == 0
    # The newest is the retained one: it is there for whoever comes back.
    assert [item.issued_ms for item in book.unheard(store, "c", 9)] == [2, 4, 5]
    assert book.heard(store, "c") == ()


def test_the_newest_that_were_heard_are_named(store: Connection) -> None:
    enter(store, *(statement(issue, issue, 1) for issue in range(1, 71)))
    assert book.heard(store, "c") == tuple(range(7, 71))
    assert book.last_issue(store, "c", Side.THEIRS) == 70
    assert book.last_issue(store, "c", Side.OURS) == 0
    assert book.knows(store, "c", Side.THEIRS, 70)
    assert not book.knows(store, "c", Side.OURS, 70)


VALUES = st.lists(st.none() | st.integers(0, 3), min_size=1, max_size=4)


@given(st.lists(st.tuples(st.integers(0, 4), VALUES), max_size=6), st.randoms())
def test_any_order_of_arrival_ends_the_same(said: list[tuple[int, list[int | None]]], chance: object) -> None:
    stated = [statement(issue, first, *values) for issue, (first, values) in enumerate(said, 1)]
    expected: dict[int, int | None] = {}
    for item in stated:
        for start, each in said_in(item):
            if each or start // SLOT_MS in expected:
                expected[start // SLOT_MS] = each.forward_mwh
    shuffled = list(stated)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random of hypothesis
    for connection in fresh():
        enter(connection, *shuffled)
        found = known(connection)
        # A slot of which the last word is that nothing is known may be there as such, or not at all.
        assert {key: value for key, value in found.items() if value is not None} == {
            key: value for key, value in expected.items() if value is not None
        }


DAY_MS = 86_400_000


def test_of_old_days_the_last_statement_is_kept_whole(store: Connection) -> None:
    issues = [1, 2, 3, DAY_MS + 1, DAY_MS + 2, 2 * DAY_MS, 2 * DAY_MS + 1]
    for side in Side:
        enter(store, *(statement(issue, place, place + 1) for place, issue in enumerate(issues)), side=side)
    book.note_heard(store, "c", [2, 3, DAY_MS + 1, DAY_MS + 2], 9)
    assert book.thin(store, "c", 0, 2 * DAY_MS) == 3 + 2  # theirs 1, 2 and the first of the next day; ours but 1
    rows = store.execute(schema.level_message.select()).all()
    bare = {side: [row.issued_ms for row in rows if row.side == side and not row.envelope] for side in (0, 1)}
    assert bare == {0: [2, DAY_MS + 1], 1: [1, 2, DAY_MS + 1]}
    assert book.thin(store, "c", 0, 2 * DAY_MS) == 0
    # An old one that comes again is known, and an older one that never came tells nothing of later slots.
    assert book.knows(store, "c", Side.THEIRS, 1)
    assert known(store) == dict(enumerate(range(1, 8)))


def test_a_years_statements_are_not_read_to_find_the_few_that_wait(store: Connection) -> None:
    plan = store.exec_driver_sql(
        "EXPLAIN QUERY PLAN SELECT * FROM level_message WHERE centre = 'c' AND side = 0 AND heard_ms IS NULL "
        "ORDER BY issued_ms LIMIT 8"
    ).all()
    index = "ix_level_message_centre_side_heard_ms_issued_ms (centre=? AND side=? AND heard_ms=?)"
    assert [row[3] for row in plan] == [f"SEARCH level_message USING INDEX {index}"]


def slots_of(connection: Connection, centre: str = "c") -> set[int]:
    rows = connection.execute(schema.level_slot.select().where(schema.level_slot.c.centre == centre))
    return {row.start_ms // SLOT_MS for row in rows}


def issues_of(connection: Connection) -> dict[int, list[int]]:
    rows = connection.execute(schema.level_message.select().order_by(schema.level_message.c.issued_ms)).all()
    return {side: [row.issued_ms // SLOT_MS for row in rows if row.side == side] for side in (0, 1)}


def pruned(connection: Connection, before: int) -> list[int]:
    counts = []
    while (count := book.prune(connection, "c", before * SLOT_MS)) is not None:
        counts.append(count)
    return counts


def test_what_is_older_than_it_is_to_be_kept_is_forgotten(store: Connection) -> None:
    for side in Side:
        enter(store, *(statement((first + 2) * SLOT_MS, first, 1, 2, 3) for first in range(0, 12, 3)), side=side)
    book.enter(store, "d", Side.OURS, statement(SLOT_MS, 0, 1), topic="t", envelope=b"e")
    book.note_heard(store, "c", [2 * SLOT_MS], 5)
    # Of the second statement on each side slot 5 is left, so that it stays; the first goes.
    assert pruned(store, 5) == [0]
    assert slots_of(store) == set(range(5, 12))
    assert issues_of(store) == {0: [1, 5, 8, 11], 1: [5, 8, 11]}
    assert slots_of(store, "d") == {0}
    assert not book.knows(store, "c", Side.THEIRS, 2 * SLOT_MS)
    # Of ours two more, which nobody has heard, and the newest stays.
    assert pruned(store, 1000) == [2]
    assert slots_of(store) == set()
    assert issues_of(store) == {0: [1, 11], 1: [11]}
    assert book.last_issue(store, "c", Side.THEIRS) == 11 * SLOT_MS
    assert pruned(store, 1000) == []


def test_years_are_forgotten_in_pieces(store: Connection) -> None:
    days = 96
    enter(store, *(statement(day * DAY_MS, day * days, 1) for day in range(1, 40)))
    assert len(pruned(store, 35 * days)) == 4
    assert slots_of(store) == {day * days for day in range(35, 40)}
    assert issues_of(store)[1] == [day * days for day in range(35, 40)]
