"""What a journal forgets: no record that the centre lacks while there is room, none from the middle."""

from pathlib import Path

import pytest
from journal_support import SLOT, START, append, interval, opened

from agent.journal_check import verify
from agent.journal_entry import Append, FactorUpdate, event
from agent.journal_pruning import DAY_MS, used_bytes
from wire.records import EventCode


def test_retention_by_age_spares_what_is_not_acknowledged(tmp_path: Path) -> None:
    """Old records go only when the centre has them."""
    journal = opened(tmp_path)
    journal.commit([append(*(interval(n) for n in range(10)))], acknowledged=4)
    later = START + 401 * DAY_MS
    assert journal.prune(later, keep_days=400, max_bytes=10**9) == (4, None)
    assert journal.prune(later, keep_days=400, max_bytes=10**9) == (0, None)
    assert journal.read(1, 100)[0] == 5
    journal.close()


def test_retention_by_size_drops_unacknowledged_records_last_and_says_so(tmp_path: Path) -> None:
    """The range is for an event record; the header counts."""
    journal = opened(tmp_path)
    journal.commit([append(*(interval(n) for n in range(2000)))], acknowledged=300)
    lost = []
    limit = used_bytes(journal.connection) // 2
    while used_bytes(journal.connection) > limit:
        deleted, dropped = journal.prune(START, keep_days=400, max_bytes=limit)
        assert deleted
        lost += [dropped] if dropped else []
    assert {first for first, _ in lost} == {301}
    assert journal.header.dropped == lost[-1][1] - 300
    first, records, _ = journal.read(1, 10_000)
    assert first == lost[-1][1] + 1
    assert first + len(records) == journal.header.next_sequence
    journal.close()


def test_retention_by_age_leaves_no_hole(tmp_path: Path) -> None:
    """An old event behind a young interval waits for its turn; with a clock that can't be trusted all wait."""
    journal = opened(tmp_path)
    rows = [interval(0), interval(50_000), *(event(START + i, EventCode.GAP) for i in range(5))]
    journal.commit([append(*rows)], acknowledged=7)
    now = START + 401 * DAY_MS
    assert journal.prune(None, keep_days=400, max_bytes=10**9) == (0, None)
    assert journal.prune(now, keep_days=400, max_bytes=10**9) == (1, None)
    assert journal.prune(now, keep_days=400, max_bytes=10**9) == (0, None)
    assert verify(journal.path).problems == []
    assert journal.prune(now + 50_000 * SLOT, keep_days=400, max_bytes=10**9) == (6, None)
    journal.close()


def test_factors_are_kept_by_the_centres_time(tmp_path: Path) -> None:
    """A wrong clock of the gateway's forgets none."""
    journal = opened(tmp_path)
    for day in (0, 1, 366):
        journal.commit([FactorUpdate([(START + day * DAY_MS, 1)], [], SLOT, b"s", 1)])
    journal.prune(START + 5000 * DAY_MS, keep_days=400, max_bytes=10**9)
    assert [factor.start_ms for factor in journal.factors()] == [START + day * DAY_MS for day in (1, 366)]
    journal.close()


def test_what_can_not_be_told_is_not_forgotten(tmp_path: Path) -> None:
    """Whatever fails while a loss is put into words: nothing has gone, and the journal goes on."""
    journal = opened(tmp_path)
    journal.commit([append(*(interval(n) for n in range(100)))])

    def tell(first: int, last: int) -> Append:
        raise LookupError(f"no words for {first} to {last}")

    with pytest.raises(LookupError, match="1 to 10"):
        journal.prune(None, keep_days=400, max_bytes=1, tell=tell)
    assert len(journal.read(1, 1000).records) == 100
    assert journal.header.dropped == 0
    assert journal.commit([append(interval(100))]) == 1
    journal.close()
