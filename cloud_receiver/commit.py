"""One durable transaction: the new records of many batches, their signed messages and the received ranges."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table

from cloud_receiver import schema
from cloud_receiver.conflict import conflicting_sequences
from cloud_receiver.counters import Counters
from cloud_receiver.database import insert_statement, writing
from cloud_receiver.enrolment import Enrolled
from cloud_receiver.meters import MeterNumbers
from cloud_receiver.quarantine import Quarantine, Refused
from cloud_receiver.received import Ledger, Owner
from cloud_receiver.refusal import Reason
from cloud_receiver.verify import Verified
from diantan_core import RecordBatch
from wire.messages import Acknowledgement

MISSING_RANGES = 64
"""How many gaps an acknowledgement names (docs/wire.cddl)."""

# In the order of diantan_core.RecordBatch's rows, the constants (station, journal) last.
_TOTALS = ("forward_total_mwh", "reverse_total_mwh")
_CARBON_TOTALS = ("carbon_forward_total_ug", "carbon_reverse_total_ug")
_INTERVAL = (
    *("sequence", "meter", "start_ms", "duration_ms", "forward_mwh", "reverse_mwh", *_TOTALS, "factor"),
    *("factor_quality", "carbon_forward_ug", "carbon_reverse_ug", *_CARBON_TOTALS, "readings", "quality"),
    *("station", "journal"),
)
_FREEZE = ("sequence", "meter", "time_ms", "kind", *_TOTALS, *_CARBON_TOTALS, "source", "station", "journal")
_ADJUSTMENT = (
    *("sequence", "meter", "start_ms", "duration_ms", "forward_mwh", "reverse_mwh", "factor_used", "factor_now"),
    *("carbon_forward_ug", "carbon_reverse_ug", "solve_id", "station", "journal"),
)
_EVENT = ("sequence", "meter", "time_ms", "code", "details", "station", "journal")
_MESSAGE = ("journal", "first", "count", "topic", "kid", "created_ms", "received_ms", "clock_state", "envelope")
_DIRTY = ("station", "first_ms", "last_ms")

_COLUMNS = {
    schema.interval: _INTERVAL,
    schema.freeze: _FREEZE,
    schema.adjustment: _ADJUSTMENT,
    schema.event: _EVENT,
    schema.message: _MESSAGE,
    schema.dirty: _DIRTY,
}
_TIME = 2  # where the row of a record has its time

Row = tuple[Any, ...]


class _Transaction:
    """What one transaction takes in; rows are collected so that each table is written in one call."""

    def __init__(self, connection: Connection, batches: Sequence[Verified], enrolled: Enrolled, now_ms: int) -> None:
        self.connection = connection
        self.enrolled = enrolled
        self.now_ms = now_ms
        self.names = {_owner(item): item.gateway.name for item in batches}
        self.ledger = Ledger(connection, self.names, now_ms)
        self.counters = Counters()
        self.refused: list[Refused] = []
        self.rows: dict[Table, list[Row]] = {table: [] for table in _COLUMNS}

    def acknowledgements(self) -> list[Acknowledgement]:
        """Return what the store will hold of each journal after the commit."""
        result = []
        for owner, name in self.names.items():
            ranges = self.ledger.ranges(self.ledger.number(owner))
            result.append(Acknowledgement(name, owner[1], ranges.up_to(), ranges.missing(MISSING_RANGES), self.now_ms))
        return result


def _owner(item: Verified) -> Owner:
    return item.gateway.number, item.batch.context


class Committer:
    """Stores verified batches; one instance serves one receiver process."""

    def __init__(self, engine: Engine, quarantine: Quarantine, counters: Counters) -> None:
        self._engine = engine
        self._quarantine = quarantine
        self._counters = counters
        self._meters = MeterNumbers()
        self._insert = {table: insert_statement(table, columns, engine) for table, columns in _COLUMNS.items()}

    def commit(
        self, batches: Sequence[Verified], refused: Sequence[Refused], enrolled: Enrolled, now_ms: int
    ) -> list[Acknowledgement]:
        """Store everything or nothing; return what is then to be acknowledged, one per journal.

        Raises what SQLAlchemy raises; nothing is stored and nothing may be acknowledged then.
        """
        try:
            with writing(self._engine) as connection:
                work = _Transaction(connection, batches, enrolled, now_ms)
                for item in batches:
                    self._take(work, item)
                self._flush(work)
                work.ledger.write()
                work.refused += refused
                if work.refused:
                    self._quarantine.store(connection, work.refused, now_ms)
        except BaseException:
            self._meters.rolled_back()
            raise
        self._meters.committed()
        work.counters.refused.update(item.reason.value for item in work.refused)
        work.counters.transactions = 1
        self._counters.add(work.counters)
        return work.acknowledgements()

    def _take(self, work: _Transaction, item: Verified) -> None:
        batch = item.batch
        journal = work.ledger.number(_owner(item))
        new = work.ledger.take(journal, batch.first, batch.count)
        fresh = sum(last - first + 1 for first, last in new)
        work.counters.messages += 1
        work.counters.records += fresh
        work.counters.duplicates += batch.count - fresh
        keys = self._meters.resolve(work.connection, item.gateway, batch.meters)
        if fresh < batch.count:
            self._compare(work, item, journal, keys)
        if not fresh:
            return
        rows = _rows(batch, keys, (item.gateway.station, journal))
        if fresh < batch.count:
            wanted = {number for first, last in new for number in range(first, last + 1)}
            rows = {table: [row for row in found if row[0] in wanted] for table, found in rows.items()}
        for table, found in rows.items():
            work.rows[table] += found
        for table in (schema.interval, schema.adjustment):
            starts = [row[_TIME] for row in rows[table]]
            if starts:
                work.rows[schema.dirty].append((item.gateway.station, min(starts), max(starts)))
        work.rows[schema.message].append(
            (
                *(journal, batch.first, batch.count, item.topic, item.kid, batch.created_ms),
                *(work.now_ms, batch.clock_state, item.envelope),
            )
        )

    def _compare(self, work: _Transaction, item: Verified, journal: int, keys: list[int]) -> None:
        # What this transaction has taken from earlier messages must be visible to the comparison.
        self._flush(work)
        clash = conflicting_sequences(work.connection, item, journal, keys, work.enrolled)
        if clash:
            detail = (
                f"journal {item.batch.context.hex()} of gateway {item.gateway.name} has other records "
                f"under {len(clash)} sequences: {', '.join(map(str, clash[:10]))}"
            )
            work.refused.append(Refused(item.topic, item.envelope, Reason.CONFLICT, detail))

    def _flush(self, work: _Transaction) -> None:
        for table, rows in work.rows.items():
            if rows:
                work.connection.exec_driver_sql(self._insert[table], rows)
                rows.clear()


def _rows(batch: RecordBatch, keys: list[int], constants: tuple[int, int]) -> dict[Table, list[Row]]:
    return {
        schema.interval: list(batch.interval_rows(keys, constants)),
        schema.freeze: list(batch.freeze_rows(keys, constants)),
        schema.adjustment: list(batch.adjustment_rows(keys, constants)),
        schema.event: [
            (sequence, meter or 0, time_ms, code, json.dumps(details, ensure_ascii=False), *constants)
            for sequence, meter, time_ms, code, details in batch.event_rows(keys)
        ],
    }
