"""Sequences that come again must bring the same records: a journal restored from a copy would reuse them."""

from sqlalchemy import Connection, select

from cloud_receiver.enrolment import Enrolled
from cloud_receiver.schema import message
from cloud_receiver.verify import Verified
from diantan_core import RecordBatch, decode_batch
from wire.batch import MAX_RECORDS
from wire.envelope import open_envelope


def conflicting_sequences(
    connection: Connection, item: Verified, journal: int, keys: list[int], enrolled: Enrolled
) -> list[int]:
    """Return the sequences of a batch under which the store has a different record."""
    first, last = item.batch.first, item.batch.first + item.batch.count - 1
    stored = connection.execute(
        select(message.c.topic, message.c.envelope).where(
            message.c.journal == journal,
            message.c.first <= last,
            message.c.first > first - MAX_RECORDS,
            message.c.first + message.c.count > first,
        )
    ).all()
    if any(bytes(row.envelope) == item.envelope for row in stored):
        return []
    now = _records(item.batch, keys)
    numbers = dict(zip(item.batch.meters, keys, strict=True))
    clash: set[int] = set()
    for row in stored:
        # What is stored was verified when it came; the ring still has keys that were revoked since.
        batch = decode_batch(open_envelope(bytes(row.envelope), row.topic, enrolled.ring).payload)
        # A meter that only the stored batch names gets a number no meter has: its records differ from any of now.
        before = _records(batch, [numbers.get(name, -1) for name in batch.meters])
        clash.update(sequence for sequence in now.keys() & before.keys() if now[sequence] != before[sequence])
    return sorted(clash)


def _records(batch: RecordBatch, keys: list[int]) -> dict[int, tuple[str, object]]:
    return {
        row[0]: (kind, row[1:])  # type: ignore[misc]  # a sequence is never None
        for kind, rows in (
            ("interval", batch.interval_rows(keys)),
            ("freeze", batch.freeze_rows(keys)),
            ("adjustment", batch.adjustment_rows(keys)),
            ("event", batch.event_rows(keys)),
        )
        for row in rows
    }
