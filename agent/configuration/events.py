"""Changes of the configuration in force as events of the journal, each once, whatever ends a run on the way."""

from collections.abc import Iterable, Sequence

from agent.configuration.candidate import shortened
from agent.configuration.state import Change
from agent.journal import Journal
from agent.journal_entry import Append, Row, event, to_row
from agent.journal_schema import KIND_EVENT
from agent.writer import JournalWriter
from wire.domain import MAX_DETAIL_BYTES
from wire.records import DetailKey, EventCode


class ChangeLog:
    """Puts changes into the journal of one run."""

    def __init__(self, writer: JournalWriter) -> None:
        self._writer = writer
        self._submitted: set[Change] = set()

    async def write(self, changes: Sequence[Change]) -> bool:
        """Have the journal hold the changes; False while the disk refuses them."""
        new = [change for change in changes if change not in self._submitted]
        # A run before may have ended between the journal's writing and the forgetting.
        missing = await self._writer.call(_missing, self._writer.journal, [_row(change) for change in new])
        self._submitted |= set(new)
        if missing:
            self._writer.submit(Append(missing))
        return await self._writer.flush()


def _row(change: Change) -> Row:
    details: dict[DetailKey, int | str] = {
        DetailKey.DIGEST: change.digest.hex(),
        DetailKey.TEXT: shortened(change.text, MAX_DETAIL_BYTES),
    }
    if change.command is not None:
        details[DetailKey.COMMAND] = change.command.hex()
    return to_row(event(max(change.time_ms, 0), EventCode.CONFIGURATION, details=details))


def _missing(journal: Journal, rows: Iterable[Row]) -> list[Row]:
    asked = "SELECT count(*) FROM records WHERE start_ms = ? AND kind = ? AND body = ?"
    return [
        row
        for row in rows
        if journal.connection.execute(asked, (row.start_ms, KIND_EVENT, row.body)).fetchone() == (0,)
    ]
