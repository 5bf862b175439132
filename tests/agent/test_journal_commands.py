"""What a journal keeps of commands from the centre."""

from dataclasses import replace
from pathlib import Path

import pytest
from journal_support import START, opened

from agent.journal_entry import Append, StoredCommand, event, to_row
from wire.commands import Outcome
from wire.records import EventCode


def command(number: int, expires_ms: int = START, outcome: int | None = None) -> StoredCommand:
    """Return a command without its reply."""
    return StoredCommand(bytes([number]) * 16, START - 1000, expires_ms, 1, outcome)


def test_a_command_is_kept_with_its_outcome_reply_and_record(tmp_path: Path) -> None:
    """In one transaction with the event that tells of it; what fails leaves it as it was."""
    journal = opened(tmp_path)
    journal.commit([Append(command=command(1)), Append(command=command(2))])
    told = to_row(event(START, EventCode.COMMAND))
    done = replace(command(1, outcome=0), reply=b"answer")
    with pytest.raises(AttributeError):
        journal.commit([Append([told, "not a row"], command=done)])  # type: ignore[list-item]  # the failure
    assert journal.commands() == [command(1), command(2)]
    assert journal.reply(done.id) is None
    journal.commit([Append([told], command=done)])
    journal.connection.close()  # as a crash does
    journal = opened(tmp_path)
    assert journal.commands() == [command(1, outcome=0), command(2)]
    assert journal.reply(done.id) == b"answer"
    assert journal.reply(bytes(16)) is None
    assert journal.header.next_sequence == 2
    journal.close()


def test_commands_that_the_centre_itself_would_call_expired_are_forgotten(tmp_path: Path) -> None:
    """By the newest time that it signed, which never falls, and whatever the gateway's clock says."""
    journal = opened(tmp_path)
    kept = [
        command(1, START, Outcome.REFUSED),
        command(2, START + 1, Outcome.DONE),
        command(3, START),  # still to be answered
        command(4, START, Outcome.UNDER_WAY),
    ]
    journal.commit([Append(command=one) for one in kept], centre_ms=START + 1)
    journal.commit([], centre_ms=7)
    assert journal.header.centre_ms == START + 1
    journal.commit([Append(command=replace(command(5, START + 9), reply=b"four"))])
    assert [one.id[0] for one in journal.commands()] == [2, 3, 4, 5]
    assert journal.reply_sizes() == {bytes([5]) * 16: 4}
    journal.close()
