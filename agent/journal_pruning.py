"""What a journal forgets: records by age and by size, and factors of more than a year ago.

Records go in the order of their sequences, so that what stays has no gap. All this runs inside the journal's
transaction (agent.journal), which also writes what tells of a loss.
"""

import sqlite3
from typing import Final

DAY_MS: Final = 86_400_000
FACTOR_DAYS: Final = 365  # T/CIMA 0079.4, 5.7: factors of a year are kept
_AT_ONCE: Final = 5_000  # records deleted in one transaction, so that a commit never waits long
_FEWEST: Final = 2  # unacknowledged records that stay whatever the size: they tell of those that went


def forget_factors(connection: sqlite3.Connection) -> None:
    """Delete the factors of more than a year before the newest of them, which the centre's clock dated."""
    connection.execute(
        "DELETE FROM factors WHERE start_ms < (SELECT max(start_ms) FROM factors) - ?",
        (FACTOR_DAYS * DAY_MS,),
    )


def forget_by_age(connection: sqlite3.Connection, oldest_ms: int, acknowledged: int) -> int:
    """Delete acknowledged records from before `oldest_ms`; return their number."""
    # A prefix: an old event or adjustment behind a young interval would leave a hole in the sequences.
    first = connection.execute("SELECT min(sequence) FROM records").fetchone()[0] or 0
    limit = min(first + _AT_ONCE - 1, acknowledged)
    (young,) = connection.execute(
        "SELECT min(sequence) FROM records WHERE start_ms >= ? AND sequence <= ?", (oldest_ms, limit)
    ).fetchone()
    until = limit if young is None else young - 1
    return connection.execute("DELETE FROM records WHERE sequence <= ?", (until,)).rowcount


def forget_by_size(
    connection: sqlite3.Connection, max_bytes: int, acknowledged: int
) -> tuple[int, tuple[int, int] | None]:
    """Delete the oldest records where all of them take more than `max_bytes`; none goes to make room for replies.

    Returns (records deleted, the range of sequences that the centre can't have, or None). The range begins with the
    first sequence that is not acknowledged: what told of those before it may have gone, too.
    """
    if used_bytes(connection) <= max_bytes or _used_by_records(connection) <= max_bytes:
        return 0, None
    (first, last) = connection.execute("SELECT min(sequence), max(sequence) FROM records").fetchone()
    if first is None:
        return 0, None
    lost = None
    # A tenth at a time: often enough to stay within the limit, seldom enough to cost nothing.
    until = first + min(_AT_ONCE, max(1, (last - first + 1) // 10)) - 1
    if first <= acknowledged:
        until = min(until, acknowledged)
    elif last - first + 1 > _FEWEST:
        until = max(until, first + 1)  # one more than comes in their place
        lost = (acknowledged + 1, until)
    else:
        until = first - 1
    return connection.execute("DELETE FROM records WHERE sequence <= ?", (until,)).rowcount, lost


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return how much of the journal's file is in use."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)


def _used_by_records(connection: sqlite3.Connection) -> int:
    """Return how much is in use without the replies to commands, which have a bound of their own."""
    (replies,) = connection.execute("SELECT coalesce(sum(length(reply)), 0) FROM commands").fetchone()
    return used_bytes(connection) - int(replies)
