"""Forgetting old records (保留期), and saying so where the centre did not have them yet."""

from collections.abc import Callable

from agent.config import JournalSettings
from agent.journal_entry import Append, event, to_row
from agent.journal_schema import StorageFullError
from agent.logs import log
from agent.writer import JournalWriter
from wire.records import ClockState, DetailKey, EventCode


async def prune(
    writer: JournalWriter,
    settings: JournalSettings,
    trusted_ms: Callable[[], int | None],
    now_ms: Callable[[], int],
    clock_state: Callable[[], ClockState],
) -> None:
    """Remove what is too old or too much, a few thousand records at a time, until nothing is.

    `trusted_ms` returns None while the clock can't be trusted: what a wrong clock calls old may be of today. What the
    centre did not have is told by an event that is written together with the removal: a power cut in between would
    leave a gap of which nobody ever tells.
    """

    def some(trusted: int | None, now: int, state: ClockState) -> tuple[int, tuple[int, int] | None]:
        def tell(first: int, last: int) -> Append:
            details = {
                DetailKey.COUNT: last - first + 1,
                DetailKey.FIRST_SEQUENCE: first,
                DetailKey.LAST_SEQUENCE: last,
            }
            row = to_row(event(now, EventCode.RECORDS_DROPPED, details=details))
            return Append([row], clock_state=state)

        size = settings.megabytes << 20
        return writer.journal.prune(trusted, keep_days=settings.days, max_bytes=size, tell=tell)

    deleted = 1
    while deleted:
        try:
            deleted, lost = await writer.call(some, trusted_ms(), now_ms(), clock_state())
        except StorageFullError as error:
            log.error("old records can't be removed: %s", error, extra={"about": "journal"})
            return
        if lost is not None:
            log.error("no room: records %d to %d were dropped before the centre had them", *lost)
            writer.on_written()
