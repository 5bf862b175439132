"""What a journal knows of the one that it follows: a trace that `journal set-aside` leaves for the next run.

The first event of the new journal tells the centre the former context and how far it went, so that the centre knows
exactly which records it will never get.
"""

import json
import os
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Error
from typing import Self

from agent import journal_schema as schema
from agent.journal_check import open_read_only
from agent.journal_schema import JournalError
from wire.fields import CONTEXT_BYTES
from wire.records import DetailKey


@dataclass(frozen=True, slots=True)
class Former:
    """A journal that ended."""

    context: bytes
    last_sequence: int  # the highest that a record of it had; 0: none

    @classmethod
    def of_journal(cls, path: Path) -> Self | None:
        """Read it from a journal that nobody is writing; None where the damage reaches its header."""
        try:
            with closing(open_read_only(path)) as connection:
                context, following = connection.execute("SELECT context, next_sequence FROM header").fetchone()
        except (Error, JournalError, TypeError):
            return None
        return cls(context, following - 1) if _plausible(context, following - 1) else None

    @classmethod
    def of_trace(cls, journal: Path) -> Self | None:
        """Read what was left beside a journal; None where nothing was, or nothing that makes sense."""
        try:
            found = json.loads(_trace(journal).read_text(encoding="utf-8"))
            context, last = bytes.fromhex(found["context"]), found["last_sequence"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return cls(context, last) if _plausible(context, last) else None

    def leave(self, journal: Path) -> None:
        """Leave it beside a journal, on the disk when this returns; StorageFullError when the disk refuses."""
        trace = _trace(journal)
        new = trace.with_name(f"{trace.name}.new")
        try:
            with new.open("w", encoding="utf-8") as file:
                json.dump({"context": self.context.hex(), "last_sequence": self.last_sequence}, file)
                file.flush()
                os.fsync(file.fileno())
            new.rename(trace)
        except OSError as error:
            raise schema.StorageFullError(f"{trace}: {error.strerror}") from error

    def details(self) -> Mapping[DetailKey, int | str]:
        """Return what the event CONTEXT_OPENED says of it."""
        return {DetailKey.PREVIOUS_CONTEXT: self.context.hex(), DetailKey.LAST_SEQUENCE: self.last_sequence}


def forget(journal: Path) -> None:
    """Remove the trace: the journal beside it tells of it, or another has begun since."""
    with suppress(OSError):  # it is removed at the next start
        _trace(journal).unlink(missing_ok=True)


def _trace(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.former")


def _plausible(context: object, last: object) -> bool:
    return isinstance(context, bytes) and len(context) == CONTEXT_BYTES and isinstance(last, int) and last >= 0
