"""The signed messages of factors: which are kept, that they prove every factor ever dispatched, and their size."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from receiver_support import DAY_MS, SLOT_MS
from sqlalchemy import Connection, create_engine, func, select

from cloud_receiver import factor_messages, schema
from cloud_receiver.factor_messages import enter, issued, latest, proving, standing
from cloud_receiver.factor_spans import LATE_MS
from cloud_receiver.schema import factor_message
from wire.envelope import KeyRing, Signer, open_envelope
from wire.messages import Factors, Origin
from wire.proof.form import ProofError, unverified_payload

KEY = Ed25519PrivateKey.generate()
ALL = (DAY_MS - 4096 * SLOT_MS, DAY_MS + 100_000 * SLOT_MS)


@dataclass
class Store:
    """A store in memory, and everything that was ever dispatched."""

    connection: Connection
    sent: list[Factors] = field(default_factory=list)
    now_ms: int = DAY_MS

    def dispatch(self, first: int, *factors: int | None, at_ms: int | None = None) -> Factors:
        """Dispatch factors for the slots from `first` on, by default when the last of them begins."""
        wanted_ms = DAY_MS + (first + len(factors) - 1) * SLOT_MS if at_ms is None else at_ms
        start = DAY_MS + first * SLOT_MS
        last = start + (len(factors) - 1) * SLOT_MS
        time_ms = factor_messages.next_issue(self.connection, "n", start, last, wanted_ms)
        message = Factors("n", b"s", time_ms, SLOT_MS, start, factors)
        enter(self.connection, Signer(KEY), message)
        self.sent.append(message)
        return message

    def kept(self) -> list[Factors]:
        """Return the kept messages by issue, signatures checked."""
        ring = KeyRing()
        ring.add(KEY.public_key(), "centre")
        rows = self.connection.execute(select(factor_message).order_by(factor_message.c.issued_ms)).all()
        found = [Factors.decode(open_envelope(bytes(row.envelope), row.topic, ring).payload) for row in rows]
        assert all(message in self.sent for message in found)
        return found


def fresh() -> Iterator[Store]:
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)
    with engine.connect() as connection, connection.begin():
        yield Store(connection)
    engine.dispose()


store = pytest.fixture(fresh)


def said(messages: list[Factors]) -> dict[int, list[tuple[int, int | None]]]:
    """Return what messages say of each slot, by issue."""
    result: dict[int, list[tuple[int, int | None]]] = {}
    for message in sorted(messages, key=lambda item: item.issued_ms):
        for place, value in enumerate(message.factors):
            start = message.first_start_ms + place * SLOT_MS
            result.setdefault(start, []).append((message.issued_ms, value))
    return result


def runs(told: list[tuple[int, int | None]]) -> list[list[tuple[int, int | None]]]:
    """Return what was said of a slot in pieces of the same value."""
    result: list[list[tuple[int, int | None]]] = []
    for time_ms, value in told:
        if result and result[-1][0][1] == value:
            result[-1].append((time_ms, value))
        else:
            result.append([(time_ms, value)])
    return result


def assert_provable(store: Store) -> None:
    """Check that the kept messages prove every factor, in the order and, where it tells something, at the time."""
    kept = said(store.kept())
    for start, told in said(store.sent).items():
        expected = runs(told)
        # The same values in the same order, and each of them from within its own time.
        found = runs(kept[start])
        assert [run[0][1] for run in found] == [run[0][1] for run in expected]
        for number, (run, proof) in enumerate(zip(expected, found, strict=True)):
            assert set(proof) <= set(run)
            if number or run[0][0] - start >= LATE_MS:
                assert proof[0] == run[0]
        assert latest(store.connection, "n", start, start) == {start: told[-1][1]}
        assert issued(store.connection, "n", start, start) == {start: {run[0][0]: run[0][1] for run in expected}}


def test_a_sliding_window_keeps_one_message_of_each_window(store: Store) -> None:
    for slot in range(100):
        store.dispatch(slot - 9, *range(slot - 9 + 100, slot + 1 + 100))
        assert_provable(store)
    assert [(message.first_start_ms - DAY_MS) // SLOT_MS for message in store.kept()] == [
        *range(-9, 90, 10),
        90,
    ]


def test_the_message_that_was_sent_last_is_kept(store: Store) -> None:
    for slot in range(30):
        store.dispatch(slot - 9, *range(slot - 9 + 100, slot + 1 + 100))
        assert store.kept()[-1] == store.sent[-1]


def test_a_message_that_says_nothing_new_is_not_kept_for_long(store: Store) -> None:
    for time_ms in range(DAY_MS, DAY_MS + 50):
        store.dispatch(0, 1, 2, 3, at_ms=time_ms)
    assert store.kept() == [store.sent[-1]]


def test_a_correction_keeps_what_was_before_and_the_first_that_said_it(store: Store) -> None:
    for slot in range(5):
        store.dispatch(0, *range(1, slot + 2))
    before = store.sent[-1]
    corrected = store.dispatch(0, 1, 2, 3, 40, 5, at_ms=DAY_MS + 4 * SLOT_MS + 1)
    for slot in range(5, 9):
        store.dispatch(0, 1, 2, 3, 40, *range(5, slot + 2))
    assert_provable(store)
    assert {before, corrected, store.sent[-1]} == set(store.kept())


@pytest.mark.parametrize(("delay_ms", "kept"), [(LATE_MS - 1, False), (LATE_MS, True)])
def test_a_factor_that_came_late_keeps_its_first_message(store: Store, delay_ms: int, kept: bool) -> None:
    first = store.dispatch(0, 1, at_ms=DAY_MS + delay_ms)
    store.dispatch(0, 1, 2)
    store.dispatch(0, 1, 2, 3)
    assert (first in store.kept()) is kept
    assert_provable(store)


window = st.tuples(st.integers(0, 8), st.lists(st.sampled_from([1, 2, None]), min_size=1, max_size=6))


@settings(max_examples=150, deadline=None)
@given(windows=st.lists(st.tuples(window, st.integers(0, 12 * SLOT_MS)), min_size=1, max_size=12))
def test_whatever_is_dispatched_stays_provable(
    windows: list[tuple[tuple[int, list[int | None]], int]],
) -> None:
    """Other windows, corrections to and fro, gaps, clocks set back."""
    for store in fresh():
        for (first, factors), time_ms in windows:
            store.dispatch(first, *factors, at_ms=DAY_MS + time_ms)
        assert_provable(store)
        found = issued(store.connection, "n", *ALL)
        chosen = [Factors.decode(unverified_payload(item.envelope)) for item in proving(store.connection, "n", found)]
        assert chosen == sorted(chosen, key=lambda item: item.issued_ms)
        proved = said(chosen)
        kept = said(store.kept())
        for start, told in said(store.sent).items():
            expected = runs(told)
            assert [run[0][1] for run in runs(proved[start])] == [run[0][1] for run in expected]
            # Where the first message of a run is kept, it is taken.
            assert {run[0] for run in expected} & set(kept[start]) <= set(proved[start])


def test_what_stands_is_only_the_newest_and_the_same(store: Store) -> None:
    signer = Signer(KEY)
    first = store.dispatch(0, 1, 2)
    found = standing(store.connection, signer, Factors("n", b"s", 0, SLOT_MS, DAY_MS, (1, 2)))
    assert found is not None
    assert found.message == first
    for other in (
        Factors("n", b"other", 0, SLOT_MS, DAY_MS, (1, 2)),
        Factors("n", b"s", 0, SLOT_MS, DAY_MS, (1, 3)),
        Factors("n", b"s", 0, SLOT_MS, DAY_MS, (1,)),
        Factors("n", b"s", 0, SLOT_MS, DAY_MS + SLOT_MS, (1, 2)),
        Factors("m", b"s", 0, SLOT_MS, DAY_MS, (1, 2)),
    ):
        assert standing(store.connection, signer, other) is None
    assert standing(store.connection, Signer(Ed25519PrivateKey.generate()), first) is None
    store.dispatch(0, 1, 3)
    assert standing(store.connection, signer, first) is None


def test_a_store_of_before_has_factors_without_messages(store: Store) -> None:
    store.dispatch(0, 1, 2)
    store.connection.execute(factor_message.delete())
    assert proving(store.connection, "n", issued(store.connection, "n", *ALL)) == []
    assert proving(store.connection, "n", {}) == []
    # The next issue is after those that are only in the table of factors.
    assert factor_messages.next_issue(store.connection, "n", DAY_MS, DAY_MS, 0) == DAY_MS + SLOT_MS + 1


def test_a_message_that_can_not_be_read_is_named(store: Store) -> None:
    store.dispatch(0, 1, 2)
    found = issued(store.connection, "n", *ALL)
    store.connection.execute(factor_message.update().values(envelope=b"\xd2"))
    with pytest.raises(ProofError, match="COSE_Sign1"):
        proving(store.connection, "n", found)


def test_disk(store: Store) -> None:
    """The number of docs/proof.md: 96 slots in a message, a new one every 15 minutes, for ten days.

    `pytest tests/cloud_receiver/test_factor_messages.py -k disk -s` prints it.
    """
    days = 10
    for slot in range(96 * days):
        window = range(slot - 95, slot + 1)
        store.dispatch(slot - 95, *(570_300 + place % 1000 for place in window))
    count, size = store.connection.execute(select(func.count(), func.sum(func.length(factor_message.c.envelope)))).one()
    sent = sum(len(Signer(KEY).sign(message.encode(), "t")) for message in store.sent)
    print(  # noqa: T201  # what the documents quote
        f"{len(store.sent)} messages, {sent} bytes signed; kept {count}, {size} bytes: {size // days} a day and node"
    )
    assert len(store.sent) == 960
    assert count == days + 1
    assert 550 * count < size < 650 * count


def test_what_was_held_and_is_solved_later_is_news_even_with_the_same_value(store: Store) -> None:
    first = Factors("n", b"s", 1, SLOT_MS, DAY_MS, (5, 6), (b"a", b"b"), (Origin.HELD, Origin.SOLVED))
    assert enter(store.connection, Signer(KEY), first)[1] == []
    again = replace(first, issued_ms=2, solve_ids=(b"c", b"b"), origins=(Origin.SOLVED, Origin.SOLVED))
    assert enter(store.connection, Signer(KEY), again)[1] == []  # no gateway has to adjust anything
    rows = store.connection.execute(select(schema.factor).order_by("start_ms", "issued_ms")).all()
    found = [(row.start_ms - DAY_MS, row.issued_ms, row.factor, row.solve_id, row.origin) for row in rows]
    assert found == [(0, 1, 5, b"a", 1), (0, 2, 5, b"c", 0), (SLOT_MS, 1, 6, b"b", 0)]
