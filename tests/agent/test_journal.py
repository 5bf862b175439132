"""The journal: sequences, transactions, crashes, a full disk, damage, retention."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_support import SLOT, START, append, entropy, interval, opened

from agent import journal_schema
from agent.journal import Journal
from agent.journal_check import verify
from agent.journal_entry import Append, FactorUpdate, event, to_row
from agent.journal_pruning import DAY_MS
from agent.journal_schema import JournalError, StorageFullError
from agent.metering import Metering
from agent.reading import Reading
from diantan_core import FactorSchedule
from wire.records import AdjustmentRecord, ClockState, EventCode, IntervalRecord
from wire.row import RecordError


def test_sequences_start_at_1_and_go_on_after_reopening(tmp_path: Path) -> None:
    """The context stays, and no number comes twice."""
    journal = opened(tmp_path)
    assert journal.created
    context = journal.header.context
    assert journal.commit([append(interval(0), interval(1))]) == 2
    journal.close()
    journal = opened(tmp_path)
    assert not journal.created
    assert journal.header.context == context
    journal.commit([append(interval(2))])
    assert journal.read(1, 10)[:2] == (1, [interval(0), interval(1), interval(2)])
    journal.close()


def test_sequences_are_not_reused_when_everything_was_forgotten(tmp_path: Path) -> None:
    """Retention may empty the journal; the counter stays."""
    journal = opened(tmp_path)
    journal.commit([append(interval(0))], acknowledged=1)
    assert journal.prune(START + 500 * DAY_MS, keep_days=400, max_bytes=10**9) == (1, None)
    journal.commit([append(interval(1))])
    assert journal.read(1, 10)[:2] == (2, [interval(1)])
    journal.close()


def test_a_new_journal_is_a_new_context(tmp_path: Path) -> None:
    """Loss shows."""
    contexts = set()
    for name in "ab":
        (tmp_path / name).mkdir()
        journal = opened(tmp_path / name)
        contexts.add(journal.header.context)
        journal.close()
    assert len(contexts) == 2


def test_records_and_state_are_one_transaction(tmp_path: Path) -> None:
    """An operation that fails leaves nothing of itself or of those written with it."""
    journal = opened(tmp_path)
    journal.commit([append(interval(0), m=b"one")])
    broken = Append([to_row(interval(1)), "not a row"], {"m": b"two"})  # type: ignore[list-item]  # the failure
    with pytest.raises(AttributeError):
        journal.commit([append(event(START, EventCode.GAP)), broken])
    assert journal.states() == {"m": (b"one", None)}
    assert journal.header.next_sequence == 2
    assert journal.commit([append(interval(1))]) == 1
    journal.close()


def test_acknowledgement_never_falls_and_never_passes_the_records(tmp_path: Path) -> None:
    """Counters are monotonic."""
    journal = opened(tmp_path)
    journal.commit([append(interval(0), interval(1))], acknowledged=1, sent=2)
    journal.commit([], acknowledged=0, sent=1)
    journal.commit([], acknowledged=99)
    assert (journal.header.acknowledged, journal.header.sent) == (2, 2)
    journal.close()


def test_a_record_that_cannot_travel_is_refused_before_it_is_kept() -> None:
    """So that nothing in the journal blocks the uplink."""
    with pytest.raises(RecordError):
        to_row(event(-1, EventCode.GAP))


def test_full_disk_changes_nothing_and_passes(tmp_path: Path) -> None:
    """SQLite's own limit stands for the disk's; when there is room again the same operation succeeds."""
    journal = opened(tmp_path)
    journal.commit([append(interval(0))])
    (pages,) = journal.connection.execute("PRAGMA page_count").fetchone()
    journal.connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    many = append(*(interval(n) for n in range(1, 2000)), m=b"state")
    with pytest.raises(StorageFullError, match=r"journal\.db"):
        journal.commit([many])
    assert journal.header.next_sequence == 2
    assert journal.states() == {}
    journal.connection.execute("PRAGMA max_page_count = 1000000")
    assert journal.commit([many]) == 1999
    journal.close()
    assert verify(tmp_path / "journal.db").problems == []


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """The same with the kernel refusing the write, in a process of its own since the limit is the process's."""
    script = """
import resource, signal, sys
from pathlib import Path
from agent.journal import Journal
from agent.journal_entry import Append, event, to_row
from agent.journal_schema import StorageFullError
from wire.records import EventCode
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal.open(Path(sys.argv[1]), now_ms=0, entropy=bytes)
many = Append([to_row(event(n, EventCode.GAP, details={7: "x" * 200})) for n in range(5000)])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    journal.commit([many])
except StorageFullError:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(journal.commit([many]), journal.header.next_sequence)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "journal.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.split(), done.returncode) == (["5000", "5001"], 0), done.stderr


@pytest.mark.parametrize("damage", ["header", "middle", "other database", "text"])
def test_a_damaged_file_is_named_and_not_touched(tmp_path: Path, damage: str) -> None:
    """Never silently replaced: the error says what to do."""
    path = tmp_path / "journal.db"
    if damage == "text":
        path.write_text("these are not records\n" * 100)
    elif damage == "other database":
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE t (a)")
        other.close()
    else:
        journal = opened(tmp_path)
        journal.commit([append(*(interval(n) for n in range(2000)))])
        journal.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        journal.connection.close()  # as a crash leaves it: not closed cleanly
        content = bytearray(path.read_bytes())
        where = 0 if damage == "header" else len(content) // 2
        content[where : where + 4096] = os.urandom(4096)
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"journal\.db"):
        opened(tmp_path)
    assert path.read_bytes() == before


def test_verify_names_gaps_and_broken_registers(tmp_path: Path) -> None:
    """What no agent would write."""
    journal = opened(tmp_path)
    wrong = interval(3, energy=5)
    journal.commit([append(interval(0), interval(1), interval(2), wrong)])
    journal.connection.execute("DELETE FROM records WHERE sequence = 2")
    journal.close()
    problems = verify(tmp_path / "journal.db").problems
    assert any("records 2 to 2 are missing" in problem for problem in problems)
    assert any("record 4" in problem and "forward_total_mwh" in problem for problem in problems)


def test_a_run_is_of_one_clock_state(tmp_path: Path) -> None:
    """A batch says how far its times can be trusted: as it was when they were taken, not when it is sent."""
    journal = opened(tmp_path)
    states = [ClockState.SYNCHRONISED, ClockState.STEPPED, ClockState.STEPPED, ClockState.SYNCHRONISED]
    journal.commit([replace(append(interval(i)), clock_state=state) for i, state in enumerate(states)])
    assert journal.read(1, 10) == (1, [interval(0)], ClockState.SYNCHRONISED)
    assert journal.read(2, 10) == (2, [interval(1), interval(2)], ClockState.STEPPED)
    journal.close()


def test_late_factor_becomes_adjustments_of_the_intervals_in_the_journal(tmp_path: Path) -> None:
    """Held 0.5 becomes 0.6; the same factor again changes nothing; a correction starts from the adjusted one."""
    journal = opened(tmp_path)
    journal.commit([append(interval(0), interval(1), interval(0, meter="n", factor=None))])
    update = FactorUpdate([(START, 600_000)], [(START, 600_000)], SLOT, b"a", 1)
    assert journal.commit([update]) == 2
    assert journal.commit([update]) == 0
    assert journal.commit([FactorUpdate([(START, 550_000)], [(START, 550_000)], SLOT, b"b", 2)]) == 2
    _, records, _ = journal.read(4, 10)
    assert records == [
        AdjustmentRecord("m", START, SLOT, 10**7, 0, 500_000, 600_000, 10**9, 0, b"a"),
        AdjustmentRecord("n", START, SLOT, 10**7, 0, None, 600_000, 6 * 10**9, 0, b"a"),
        AdjustmentRecord("m", START, SLOT, 10**7, 0, 600_000, 550_000, -5 * 10**8, 0, b"b"),
        AdjustmentRecord("n", START, SLOT, 10**7, 0, 600_000, 550_000, -5 * 10**8, 0, b"b"),
    ]
    (stored,) = journal.factors()
    assert (stored.factor, stored.solve_id, stored.issued_ms) == (550_000, b"b", 2)
    row = journal.connection.execute("SELECT adjusted_forward_ng FROM meters WHERE meter = 'm'").fetchone()
    assert row == (str(10**7 * 50_000),)
    journal.close()


def test_a_damaged_record_that_a_late_factor_meets_is_damage_of_the_journal(tmp_path: Path) -> None:
    """The error names the file and the record, and what was written with the factor is not half there."""
    journal = opened(tmp_path)
    journal.commit([append(interval(0), interval(1))])
    journal.connection.execute("UPDATE records SET body = x'ff' WHERE sequence = 2")
    late = START + SLOT
    with pytest.raises(JournalError, match=r"journal\.db: .*damaged: record 2: "):
        journal.commit([append(interval(2)), FactorUpdate([(late, 1)], [(late, 1)], SLOT, b"s", 1)])
    assert journal.header.next_sequence == 3
    assert journal.factors() == []
    journal.commit([append(interval(2))])
    journal.close()


@pytest.mark.parametrize("what", ["states", "notes", "factors", "commands", "reply_sizes"])
def test_damage_that_shows_when_it_is_read_names_the_file(tmp_path: Path, what: str) -> None:
    """A file that was closed cleanly is not checked when it is opened, so a flash card that fails shows later."""
    opened(tmp_path).close()
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as other:
        (size,) = other.execute("PRAGMA page_size").fetchone()
        roots = other.execute("SELECT rootpage FROM sqlite_schema WHERE name IN ('meters', 'factors', 'commands')")
        pages = [root for (root,) in roots]
    other.close()
    content = bytearray(path.read_bytes())
    for page in pages:
        content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(content)
    journal = opened(tmp_path)
    with pytest.raises(JournalError, match=r"journal\.db: the journal is damaged"):
        getattr(journal, what)()
    journal.close()


class Station:
    """A meter, its integrator and its journal, which may crash between any two steps."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.schedule = FactorSchedule(default=500_000)
        self.start()

    def start(self) -> None:
        """Open the journal and go on from the stored state, as the agent does."""
        from agent.config import Meter  # noqa: PLC0415 - only this test needs it

        self.journal = opened(self.directory)
        meter = Meter(id="m", profile="sim-carbon-meter")
        self.metering = Metering(meter, interval_ms=SLOT, timezone="Asia/Shanghai")
        state = self.journal.states().get("m", (None, None))[0]
        if state:
            self.metering.restore(state)

    def read(self, time_ms: int, register: int, *, commit: bool) -> None:
        """Take a reading; store what it closed, or crash with it in memory."""
        records = self.metering.feed(Reading("m", time_ms, register, 0), self.schedule)
        if (records or self.metering.unstored) and commit:
            self.journal.commit([append(*records, m=self.metering.take_state())])

    def crash(self) -> None:
        """Lose the process: what is in the file and its log stays."""
        copy = self.directory / "copy"
        copy.mkdir(exist_ok=True)
        for part in self.directory.glob("journal.db*"):
            shutil.copy(part, copy / part.name)
        self.journal.connection.close()
        for part in copy.glob("journal.db*"):
            shutil.copy(part, self.directory / part.name)
        self.start()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.integers(1, 40), st.integers(0, 10**8), st.sampled_from(["go on", "crash before", "crash after"])),
        min_size=5,
        max_size=60,
    )
)
def test_energy_is_conserved_over_any_crashes(tmp_path_factory: Any, steps: list[tuple[int, int, str]]) -> None:
    """Wherever the process dies: the increments add up to the register, sequences have no gap, nothing is doubled."""
    station = Station(tmp_path_factory.mktemp("station"))
    time_ms, register, first = START + 1, 10**9, 10**9
    station.read(time_ms, register, commit=True)
    for minutes, energy, fate in [*steps, (40, 0, "go on")]:
        time_ms += minutes * 60_000
        register += energy
        station.read(time_ms, register, commit=fate != "crash before")
        if fate != "go on":
            station.crash()
    station.read(time_ms + 2 * SLOT, register, commit=True)
    _, records, _ = station.journal.read(1, 10_000)
    station.journal.close()
    intervals = [record for record in records if isinstance(record, IntervalRecord)]
    assert sum(record.forward_mwh for record in intervals) == register - first
    assert intervals[-1].forward_total_mwh == register
    starts = [record.start_ms for record in intervals]
    assert starts == sorted(set(starts))
    assert verify(station.journal.path).problems == []


def test_a_killed_writer_leaves_a_whole_prefix(tmp_path: Path) -> None:
    """SIGKILL in the middle of commits: what was reported as written is there, each transaction whole."""
    script = """
import sys
from dataclasses import replace
from pathlib import Path
from agent.journal import Journal
from agent.journal_entry import Append, event, to_row
from wire.records import EventCode
journal = Journal.open(Path(sys.argv[1]), now_ms=0, entropy=bytes)
n = 0
while True:
    journal.commit([Append([to_row(event(n, EventCode.GAP)) for _ in range(7)], {"m": str(n).encode()})])
    print(n, flush=True)
    n += 1
"""
    path = tmp_path / "journal.db"
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reported = 0
        while reported < 30:
            reported = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        reported = max([reported, *(int(line) for line in process.stdout.read().split("\n")[:-1])])
    journal = Journal.open(path, now_ms=0, entropy=entropy)
    count = journal.header.next_sequence - 1
    assert count % 7 == 0
    assert count >= 7 * (reported + 1)
    assert journal.states()["m"][0] == str(count // 7 - 1).encode()
    assert verify(path).problems == []
    journal.close()


def test_errors_that_pass_are_told_from_damage() -> None:
    """A full disk is waited for, a damaged file is not."""
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert isinstance(journal_schema.translated(full, Path("j")), StorageFullError)
    bad = sqlite3.DatabaseError("malformed")
    bad.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    assert not isinstance(journal_schema.translated(bad, Path("j")), StorageFullError)
