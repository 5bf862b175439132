"""A power cut at any moment of a journal's life, emulated: what had not been synced is there in part or not at all.

Between two commits SQLite appends to the log, syncs it, and sometimes copies the log into the database. So the disk
may hold the log before, with any sectors of the one after (the database is still as before), or, once the log is
synced, the log after and any sectors of the database after. A log that begins anew gets its head first, synced by
itself. Which writes are synced is taken from what SQLite documents of `synchronous = FULL`, not observed.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.journal import Journal
from agent.journal_check import verify
from agent.journal_entry import Append, to_row
from agent.journal_schema import JournalError
from wire.records import FactorQuality, IntervalRecord, Quality

START = 1_767_196_800_000
SLOT = 900_000
CONTEXT = b"context!"
SECTOR = 512  # what a disk writes whole
HEAD = 32  # octets of the head of a write-ahead log (SQLite's file format, section 4.1)
COMMITS = 40
CHECKPOINT_PAGES = 25  # often enough that several fall into the test; SQLite's default is 1000
ENERGY = 10**7


@dataclass(frozen=True)
class Disk:
    """The two files after a commit had returned, and how many records were committed."""

    database: bytes
    log: bytes
    records: int


def interval(slot: int) -> IntervalRecord:
    """Return an interval of a register that rises evenly."""
    carbon = ENERGY * 500
    return IntervalRecord(
        *("m", START + slot * SLOT, SLOT, ENERGY, 0, ENERGY * (slot + 1), 0, 500_000, FactorQuality.DISPATCHED),
        *(carbon, 0, carbon * (slot + 1), 0, 15, Quality.MEASURED),
    )


def append(first: int, count: int) -> Append:
    """Return records with the state that would continue after them."""
    rows = [to_row(interval(slot)) for slot in range(first, first + count)]
    return Append(rows, {"m": str(first + count).encode()})


def opened(path: Path) -> Journal:
    return Journal.open(path, now_ms=START, entropy=lambda _: CONTEXT)


def lived(path: Path, chance: random.Random) -> Iterator[Disk]:
    """Write a journal and return what is on the disk after every commit."""
    journal = opened(path)
    assert journal.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal.connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: the emulation rests on it
    journal.connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    written = 0
    for _ in range(COMMITS):
        count = chance.randint(1, 40)
        assert journal.commit([append(written, count)]) == count
        written += count
        yield Disk(path.read_bytes(), Path(f"{path}-wal").read_bytes(), written)
    journal.connection.close()


def in_part(before: bytes, after: bytes, chance: random.Random) -> bytes:
    """Return a file that was on its way from one content to another: some sectors, or a piece of any length."""
    size = chance.choice((len(before), len(after), max(len(before), len(after))))
    old, new = before.ljust(size, b"\0")[:size], after.ljust(size, b"\0")[:size]
    if chance.random() < 0.5:
        torn = chance.randint(0, size)
        return new[:torn] + old[torn:]
    share = chance.random()
    return b"".join(
        (new if chance.random() < share else old)[start : start + SECTOR] for start in range(0, size, SECTOR)
    )


def logs_in_part(before: bytes, after: bytes, chance: random.Random) -> Iterator[bytes]:
    """Return what may be there of the log while a transaction is appended."""
    if before[:HEAD] != after[:HEAD]:
        torn = chance.randint(0, HEAD)
        yield after[:torn] + before[torn:]
        before = after[:HEAD] + before[HEAD:]
    yield in_part(before, after, chance)


def after_a_cut(directory: Path, database: bytes, log: bytes) -> int:
    """Open what a power cut left, check all of it, go on writing; return how many records it had."""
    directory.mkdir()
    path = directory / "journal.db"
    path.write_bytes(database)
    Path(f"{path}-wal").write_bytes(log)
    journal = opened(path)
    assert not journal.created
    assert journal.header.context == CONTEXT
    found = journal.header.next_sequence - 1
    run = journal.read(1, 1_000_000)
    assert (run.first, run.records) == (1, [interval(slot) for slot in range(found)])
    assert journal.states() == {"m": (str(found).encode(), None)}  # neither before nor after its records
    journal.commit([append(found, 3)])
    journal.close()
    verdict = verify(path)
    assert (verdict.records, verdict.problems) == (found + 3, [])
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_a_power_cut_costs_nothing_that_was_committed(tmp_path: Path, seed: int) -> None:
    """A transaction is there whole or not at all; one that had returned is there."""
    chance = random.Random(seed)
    disks = list(lived(tmp_path / "journal.db", chance))
    images = copied = restarted = partly = 0
    for number, (before, after) in enumerate(itertools.pairwise(disks)):
        logs = list(logs_in_part(before.log, after.log, chance))
        for part, log in enumerate(logs):
            found = after_a_cut(tmp_path / f"{number}-log-{part}", before.database, log)
            assert found in (before.records, after.records)
            partly += found == before.records
            images += 1
        restarted += len(logs) > 1
        if before.database != after.database:
            copied += 1
            database = in_part(before.database, after.database, chance)
            assert after_a_cut(tmp_path / f"{number}-database", database, after.log) == after.records
    # The test would be empty without each of these.
    assert images == COMMITS - 1 + restarted
    assert 0 < partly < images
    assert copied > 1
    assert restarted > 1


def test_the_emulation_would_see_a_new_log_whose_head_was_not_synced_first(tmp_path: Path) -> None:
    """The head of the old log with a piece of the new one: old pages come back over a database that is newer."""
    disks = list(lived(tmp_path / "journal.db", random.Random(3)))
    seen = 0
    for number, (before, after) in enumerate(itertools.pairwise(disks)):
        if before.log[:HEAD] != after.log[:HEAD]:
            # In the middle of what was written anew; behind it stands the rest of the old log.
            written = [place for place in range(0, len(after.log), SECTOR) if _differ(before.log, after.log, place)]
            cut = written[len(written) // 2]
            log = before.log[:cut] + after.log[cut:]
            try:
                seen += after_a_cut(tmp_path / str(number), before.database, log) < before.records
            except (JournalError, AssertionError):
                seen += 1
    assert seen > 0


def _differ(one: bytes, other: bytes, place: int) -> bool:
    return one[place : place + SECTOR] != other[place : place + SECTOR]


def test_the_emulation_would_see_a_commit_that_returned_before_it_was_synced(tmp_path: Path) -> None:
    """Torn after its commit had returned, as without the sync, the log has fewer records than were promised."""
    chance = random.Random(3)
    disks = list(lived(tmp_path / "journal.db", chance))
    before, after = next(pair for pair in itertools.pairwise(disks) if len(pair[1].log) > len(pair[0].log) + SECTOR)
    torn = after.log[: len(after.log) - SECTOR]
    assert after_a_cut(tmp_path / "cut", before.database, torn) == before.records < after.records
