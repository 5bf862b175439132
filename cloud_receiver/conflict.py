"""Sequences that come again must bring the same records: a journal restored from a copy would reuse them."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from cloud_receiver.schema import message
from cloud_receiver.verify import Verified
from diantan_core import RecordBatch, decode_batch
from wire.batch import MAX_RECORDS
from wire.proof.form import unverified_payload


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the store says of sequences that come again."""

    conflicts: list[int]
    """Sequences under which it has a different record."""
    same_ms: int | None = None
    """When it received the very same envelope, if it did."""


def compare(connection: Connection, item: Verified, journal: int, keys: list[int]) -> Earlier:
    """Compare a batch with what is stored under its sequences."""
    first, last = item.batch.first, item.batch.first + item.batch.count - 1
    overlapping = (
        message.c.journal == journal,
        message.c.first <= last,
        message.c.first > first - MAX_RECORDS,
        message.c.first + message.c.count > first,
    )
    same = select(func.min(message.c.received_ms)).where(*overlapping, message.c.envelope == item.envelope)
    same_ms = connection.execute(same).scalar()
    if same_ms is not None:
        return Earlier([], same_ms)
    stored = connection.execute(select(message.c.envelope).where(*overlapping))
    now = _records(item.batch, keys)
    numbers = dict(zip(item.batch.meters, keys, strict=True))
    clash: set[int] = set()
    # One at a time: a batch of many records may overlap as many messages.
    for row in stored:
        # What is stored was verified when it came; its key need not be one that this receiver can use now.
        batch = decode_batch(unverified_payload(bytes(row.envelope)))
        # A meter that only the stored batch names gets a number no meter has: its records differ from any of now.
        before = _records(batch, [numbers.get(name, -1) for name in batch.meters])
        clash.update(sequence for sequence in now.keys() & before.keys() if now[sequence] != before[sequence])
    return Earlier(sorted(clash))


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
