"""What a new journal knows of the one that was set aside before it."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent import cli
from agent.config_file import load_config
from agent.journal import Journal
from agent.journal_entry import Append, event, to_row
from agent.journal_former import Former
from agent.journal_schema import StorageFullError
from wire.records import DetailKey, EventCode

START = 1_767_196_800_000
OPENED = Append([to_row(event(START, EventCode.CONTEXT_OPENED))])


@pytest.fixture
def config(site: Any) -> Path:
    """Return a configuration whose data directory is there and has no journal yet."""
    path: Path = site.configure(broker_port=1, meter_ports=[1])
    load_config(path).config.journal_file.parent.mkdir()
    return path


def opened(config: Path, context: bytes) -> Journal:
    """Open the journal; a new one gets this context."""
    file = load_config(config).config.journal_file
    return Journal.open(file, now_ms=START, entropy=lambda _: context)


def set_aside(config: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Set the journal aside as an operator does; return what the command says."""
    assert cli.main(["journal", "set-aside", "--config", str(config)]) == 0
    return capsys.readouterr().out


def with_records(config: Path, context: bytes, count: int) -> None:
    """Leave a journal with some records, as a process that was killed would."""
    journal = opened(config, context)
    for _ in range(count):
        journal.commit([OPENED])
    journal.connection.close()


def test_the_next_journal_knows_which_one_was_set_aside(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_records(config, b"context1", 3)
    told = set_aside(config, capsys)
    assert b"context1".hex() in told
    assert "last record 3" in told
    journal = opened(config, b"context2")
    assert journal.former == Former(b"context1", 3)
    assert journal.former.details() == {DetailKey.PREVIOUS_CONTEXT: b"context1".hex(), DetailKey.LAST_SEQUENCE: 3}
    # Killed before the event was written: still to be told.
    journal.connection.close()
    journal = opened(config, b"context2")
    assert journal.former == Former(b"context1", 3)
    journal.commit([Append((), {"meter": b"state"})])
    assert Former.of_trace(journal.path) is not None
    journal.commit([OPENED])
    assert Former.of_trace(journal.path) is None
    journal.connection.close()
    # Deleted by hand: what was told of before must not be told of this one.
    journal.path.unlink()
    assert opened(config, b"context3").former is None


def test_a_trace_that_a_journal_with_records_does_not_need_is_removed(config: Path) -> None:
    with_records(config, b"context1", 1)
    file = load_config(config).config.journal_file
    Former(b"context0", 9).leave(file)
    assert opened(config, b"context1").former is None
    assert Former.of_trace(file) is None


def test_a_journal_without_records_leaves_the_trace_of_the_one_before_it(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_records(config, b"context1", 2)
    set_aside(config, capsys)
    with_records(config, b"context2", 0)
    set_aside(config, capsys)
    assert opened(config, b"context3").former == Former(b"context1", 2)


def test_one_set_aside_overwrites_no_other(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even within a second."""
    for number in range(4):
        with_records(config, f"context{number}".encode(), 1)
        set_aside(config, capsys)
    aside = load_config(config).config.journal_file.parent.glob("journal.db.aside-*")
    assert len([file for file in aside if not file.name.endswith(("-wal", "-shm"))]) == 4


def test_of_a_journal_that_is_damaged_through_and_through_nothing_is_known(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = load_config(config).config.journal_file
    file.write_bytes(b"junk" * 1000)
    assert "told neither" in set_aside(config, capsys)
    assert opened(config, b"context2").former is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", json.dumps({"context": "00", "last_sequence": 1}), json.dumps({"context": "x" * 16})]
)
def test_a_trace_that_makes_no_sense_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "journal.db.former").write_text(text)
    assert Former.of_trace(tmp_path / "journal.db") is None


def test_a_disk_that_takes_no_trace_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageFullError, match=r"journal\.db\.former"):
        Former(b"context1", 1).leave(tmp_path / "absent" / "journal.db")
