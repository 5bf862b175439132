"""The kill matrix: whatever is killed, cut off, filled up or shared, every journalled record is in the store once."""

import asyncio
import json
import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chaos import journals
from chaos.disk import can_mount, way
from chaos.faults import DAY_MS, HOUR_MS
from chaos.reckoning import Reckoning, reckon, told_lost
from chaos.rounds import Result, draw, play
from demo.files import GATEWAY
from wire.envelope import KeyRing
from wire.keys import load_public
from wire.records import DetailKey, EventCode

pytestmark = [pytest.mark.mosquitto, pytest.mark.usefixtures("mosquitto")]

MINUTE_MS = 60_000
LEAST_RECORDS = 20  # a round begins when the centre has more


def played(directory: Path, seed: int, **lanes: list[str]) -> Result:
    """Play a round and check what every round must be like."""
    result = asyncio.run(play(directory, seed, lanes))
    assert result.reckoning.records > LEAST_RECORDS
    assert result.unnoticed == ()
    assert result.reckoning.sound, result.reckoning
    return result


def events(directory: Path) -> set[int]:
    """Return the codes of the events at the centre."""
    with closing(sqlite3.connect(directory / "centre" / "receiver.sqlite")) as store:
        return {code for (code,) in store.execute("SELECT code FROM event")}


def test_a_gateway_that_is_killed_halted_misdated_or_full_loses_nothing(tmp_path: Path) -> None:
    """SIGKILL, SIGSTOP for hours, a clock hours ahead and hours behind, a full disk."""
    faults = ["agent_killed", "agent_stalled", "clock_forward", "clock_back", "gateway_disk_full"]
    result = played(tmp_path / "round", 1, gateway=faults)
    assert result.reckoning.reported == {}
    assert EventCode.CLOCK_STEPPED in events(tmp_path / "round")
    met_a_full_disk(tmp_path / "round", "gateway")


def test_a_clock_that_jumps_by_hours_and_days_under_a_running_gateway_costs_nothing(tmp_path: Path) -> None:
    """Forward and back, and each time to the right time again, in one process; every jump is told."""
    faults = ["clock_jumping_forward", "clock_jumping_back", "clock_jumping_by_days"]
    result = played(tmp_path / "round", 4, gateway=faults)
    assert result.reckoning.reported == {}
    assert result.starts == 1  # one process
    with closing(sqlite3.connect(tmp_path / "round" / "centre" / "receiver.sqlite")) as store:
        rows = store.execute("SELECT details FROM event WHERE code = ? ORDER BY sequence", (EventCode.CLOCK_STEPPED,))
        told = [json.loads(details)[str(int(DetailKey.STEP))] for (details,) in rows]
    # What a busy machine's pause between two clocks' reading makes at this speed is some seconds.
    steps = [step for step in told if abs(step) >= MINUTE_MS]
    assert len(steps) == 2 * len(faults)
    for there, back in zip(steps[::2], steps[1::2], strict=True):
        # As far back as it was ahead, but for what the clocks' reading takes at this speed.
        assert abs(there) > 2 * HOUR_MS - MINUTE_MS
        assert abs(there + back) < MINUTE_MS
    assert steps[0] > 0 > steps[2]
    assert abs(steps[4]) > DAY_MS


def met_a_full_disk(directory: Path, program: str) -> None:
    """Check that a program could not write: the system had no room, where it lets disks be made, or no larger file."""
    words = b"database or disk is full" if can_mount() else b"disk I/O error"
    logging.getLogger(__name__).info("%s", way())
    assert any(words in log.read_bytes() for log in directory.glob(f"{program}-*.log"))


def test_no_broker_and_no_link_loses_anything_and_a_shared_key_is_noticed(tmp_path: Path) -> None:
    """Brokers killed, forgetful and wiped; links cut for a day, silent and bad; two gateways with one key."""
    link = [
        *("broker_killed", "broker_killed_without_persistence", "broker_wiped"),
        *("link_silent", "link_cut_for_a_day", "link_bad"),
    ]
    result = played(tmp_path / "round", 2, link=link, gateway=["key_shared"])
    assert result.reckoning.reported == {}
    assert min(result.link.dropped, result.link.duplicated, result.link.reordered, result.link.cut) > 0


def test_a_centre_that_is_killed_doubled_or_full_loses_nothing_and_a_deleted_journal_is_told_of(tmp_path: Path) -> None:
    """SIGKILL at any moment and before the acknowledgement, receivers that race and share, a full disk."""
    faults = ["receiver_killed_before_acknowledging", "receivers_race", "centre_disk_full", "receivers_share"]
    result = played(tmp_path / "round", 3, centre=[*faults, "receiver_killed"], gateway=["journal_deleted"])
    (gone,) = result.reckoning.reported.values()
    assert gone == list(range(gone[0], gone[-1] + 1))
    met_a_full_disk(tmp_path / "round", "receiver")
    the_reckoning_sees_every_kind_of_fault(tmp_path / "round", tmp_path / "spoilt.sqlite")


def test_what_a_lost_journal_had_told_and_what_one_that_was_set_aside_had_is_named(tmp_path: Path) -> None:
    """Of a deleted one as far as its statuses reached the centre, of one that was set aside to its last record."""
    result = played(tmp_path / "round", 5, gateway=["journal_deleted_untold", "journal_set_aside"])
    with closing(sqlite3.connect(tmp_path / "round" / "centre" / "receiver.sqlite")) as store:
        told = told_lost(store)
    (deleted, gone), (aside, gone_too) = result.reckoning.reported.items()
    named = {
        context: {number for first, last in told[context].ranges for number in range(first, last + 1)}
        for context in (deleted, aside)
    }
    assert not told[deleted].exact
    assert named[deleted]
    assert named[deleted] <= set(gone)
    assert told[aside].exact
    assert named[aside] == set(gone_too)


def test_a_round_drawn_from_a_seed(tmp_path: Path) -> None:
    """What `make chaos` plays, once; the same seed draws the same faults."""
    assert draw(9) == draw(9) != draw(10)
    played(tmp_path / "round", 9, **draw(9))


def the_reckoning_sees_every_kind_of_fault(directory: Path, spoilt: Path) -> None:
    """Spoil copies of the store in one way each: a reckoning that can't fail would prove nothing."""
    store = directory / "centre" / "receiver.sqlite"
    public = load_public(directory / "gateway.key.pub")
    assert isinstance(public, Ed25519PublicKey)
    keys = KeyRing()
    keys.add(public, GATEWAY)
    kept = journals.read(directory / "gateway" / "journal.db", deleted=False)
    old = journals.read(directory / "gateway-buried-1" / "journal.db", deleted=True)

    def after(statement: str) -> Reckoning:
        shutil.copy(store, spoilt)
        with closing(sqlite3.connect(spoilt)) as connection, connection:
            named = {"context": kept.context} if ":context" in statement else {}
            assert connection.execute(statement, named).rowcount > 0
        return reckon(spoilt, [old, kept], keys)

    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    mine = "journal = (SELECT id FROM journal WHERE context = :context)"
    one = f"sequence = (SELECT max(sequence) FROM interval WHERE {mine}) AND {mine}"
    columns = ", ".join("start_ms - 1" if name == "start_ms" else name for name in _columns(store))
    checks: list[tuple[str, str]] = [
        (f"DELETE FROM interval WHERE {one}", "lost"),
        (f"DELETE FROM message WHERE {mine}", "lost"),
        (f"INSERT INTO interval SELECT {columns} FROM interval WHERE {one}", "doubled"),
        (f"UPDATE interval SET forward_mwh = forward_mwh + 1 WHERE {one}", "altered"),
        (f"UPDATE interval SET sequence = sequence + 100000 WHERE {one}", "invented"),
    ]
    for statement, kind in checks:
        found = after(statement)
        assert getattr(found, kind), statement
        assert not found.sound
    assert after("DELETE FROM finding WHERE kind = 'journal_opened'").lost
    slander = "UPDATE finding SET evidence = json_set(evidence, '$.details[0].lost', json('[[1, 1]]'))"
    assert after(f"{slander} WHERE kind = 'journal_opened'").slandered


def _columns(store: Path) -> list[str]:
    with closing(sqlite3.connect(store)) as connection:
        return [row[1] for row in connection.execute("PRAGMA table_info(interval)")]
