"""Journals of earlier versions: brought up to date whole, or not at all."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from journal_support import START, append, interval, opened

from agent import journal_schema
from agent.journal import Journal
from agent.journal_check import verify
from agent.journal_entry import Append, StoredCommand

COMMAND = StoredCommand(bytes(16), START - 1000, START, 1)

_BACK = {  # by the version that they lead back to
    2: ("ALTER TABLE header DROP COLUMN centre_ms", "DROP TABLE commands"),
    1: ("ALTER TABLE meters DROP COLUMN notes",),
}


def of_version(version: int, directory: Path) -> Journal:
    """Return a closed journal as an earlier version left it."""
    journal = opened(directory)
    journal.commit([append(interval(0), m=b"one")])
    for step in range(journal_schema.SCHEMA_VERSION - 1, version - 1, -1):
        for statement in _BACK[step]:
            journal.connection.execute(statement)
    journal.connection.execute(f"PRAGMA user_version = {version}")
    journal.close()
    return journal


@pytest.mark.parametrize("version", [1, 2])
def test_a_journal_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    """Nothing of it is lost; what is still to be asked of meters, and commands, can be kept from then on."""
    journal = of_version(version, tmp_path)
    assert verify(journal.path).problems == []  # readers do not change it
    journal = opened(tmp_path)
    assert journal.states() == {"m": (b"one", None)}
    assert journal.notes() == {}
    journal.commit([Append(notes={"m": b"wish", "n": b"other"}), Append((), {"m": b"two"})])
    journal.close()
    journal = opened(tmp_path)
    assert journal.notes() == {"m": b"wish", "n": b"other"}
    assert journal.states()["m"] == (b"two", None)
    assert journal.read(1, 10).records == [interval(0)]
    assert (journal.commands(), journal.header.centre_ms) == ([], 0)
    journal.commit([Append(command=COMMAND)], centre_ms=5)
    journal.close()
    journal = opened(tmp_path)
    assert (journal.commands(), journal.header.centre_ms) == ([COMMAND], 5)
    new = opened(new_directory(tmp_path))
    assert _tables(journal) == _tables(new)
    new.close()
    journal.close()


def new_directory(tmp_path: Path) -> Path:
    """Return a directory without a journal."""
    (tmp_path / "new").mkdir()
    return tmp_path / "new"


def _tables(journal: Journal) -> dict[str, list[Any]]:
    """Return each table's columns: names, types, constraints and defaults, in their order."""
    names = journal.connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    return {
        name: journal.connection.execute("SELECT * FROM pragma_table_info(?)", (name,)).fetchall() for (name,) in names
    }


_DIE_IN_UPGRADE = """
import os, sqlite3, sys
from agent import journal_schema
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
journal_schema.prepare(connection)
connection.create_function("die", 0, lambda: os._exit(9))
version = journal_schema.SCHEMA_VERSION
journal_schema._UPGRADES[version] = ("SELECT die()",)
journal_schema.SCHEMA_VERSION = version + 1
journal_schema.upgrade(connection)
"""


def test_a_power_cut_in_the_middle_of_an_upgrade_costs_nothing(tmp_path: Path) -> None:
    """The tables are changed and their version is not yet: then neither is."""
    journal = of_version(1, tmp_path)
    died = subprocess.run([sys.executable, "-c", _DIE_IN_UPGRADE, journal.path], check=False)
    assert died.returncode == 9
    journal = opened(tmp_path)
    assert journal.states() == {"m": (b"one", None)}
    journal.commit([Append(notes={"m": b"wish"})])
    assert journal.notes() == {"m": b"wish"}
    assert journal.read(1, 10).records == [interval(0)]
    journal.close()
    assert verify(journal.path).problems == []
