"""Forgetting old records (保留期), and saying so where the centre did not have them yet."""

from collections.abc import Callable, Mapping

from agent.config import JournalSettings
from agent.journal_schema import StorageFullError
from agent.logs import log
from agent.writer import JournalWriter
from wire.records import DetailKey, EventCode

Tell = Callable[[EventCode, Mapping[DetailKey, int | str]], None]


async def prune(writer: JournalWriter, settings: JournalSettings, now_ms: Callable[[], int | None], tell: Tell) -> None:
    """Remove what is too old or too much, a few thousand records at a time, until nothing is.

    `now_ms` returns None while the clock can't be trusted: what a wrong clock calls old may be of today. `tell` makes
    an event.
    """

    def some(now: int | None) -> tuple[int, tuple[int, int] | None]:
        return writer.journal.prune(now, keep_days=settings.days, max_bytes=settings.megabytes << 20)

    deleted = 1
    while deleted:
        try:
            deleted, lost = await writer.call(some, now_ms())
        except StorageFullError as error:
            log.error("old records can't be removed: %s", error, extra={"about": "journal"})
            return
        if lost is not None:
            log.error("no room: records %d to %d were dropped before the centre had them", *lost)
            sequences: dict[DetailKey, int | str] = {
                DetailKey.COUNT: lost[1] - lost[0] + 1,
                DetailKey.FIRST_SEQUENCE: lost[0],
                DetailKey.LAST_SEQUENCE: lost[1],
            }
            tell(EventCode.RECORDS_DROPPED, sequences)
