"""One durable transaction: the new records of many batches, their signed messages and the received ranges."""

import json
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, insert, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from cloud_receiver import gateway_status, row_counts, schema
from cloud_receiver.conflict import compare
from cloud_receiver.counters import Counters
from cloud_receiver.database import enter_rows, reading, taking_in, writing
from cloud_receiver.enrolment import Enrolled
from cloud_receiver.gateway_status import Heard
from cloud_receiver.grid.notices import gather, spans
from cloud_receiver.meters import MeterNumbers
from cloud_receiver.orders import replies
from cloud_receiver.orders.replies import Answered
from cloud_receiver.postgresql import Turn, one_line, take_turn
from cloud_receiver.quarantine import Quarantine, Refused
from cloud_receiver.received import Ledger, Owner, lock_gateways
from cloud_receiver.refusal import Reason
from cloud_receiver.sales import from_gateway
from cloud_receiver.sales.from_gateway import OrderEvent
from cloud_receiver.store_error import StoreError
from cloud_receiver.verify import Verified
from diantan_core import RecordBatch, decode_batch
from wire.envelope import EnvelopeError, open_envelope
from wire.messages import Acknowledgement, StatusState
from wire.records import EventCode, FreezeSource

log = logging.getLogger(__name__)

REJECTED = (IntegrityError, DataError, OverflowError)
"""What the store raises of values it will never take; other errors are its own and pass."""

MISSING_RANGES = 64
"""How many gaps an acknowledgement names (docs/wire.cddl)."""

MAX_RANGES = 4096
"""Separate ranges of a journal: every transaction reads them, and an honest gateway's window makes a few dozen."""

TALLY_MS = 1000
"""How long refused messages may be counted in memory alone."""

REPLAY_AFTER_MS = 90_000_000
"""Default of `intake.replay_after_s`."""

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
_NOTICE = ("first_ms", "last_ms")

_COLUMNS = {
    schema.interval: _INTERVAL,
    schema.freeze: _FREEZE,
    schema.adjustment: _ADJUSTMENT,
    schema.event: _EVENT,
    schema.message: _MESSAGE,
    schema.dirty: _DIRTY,
    schema.grid_notice: _NOTICE,
}
_TIME = 2  # where the row of a record has its time
_CODE = 3  # where the row of an event has its code
_SOURCE = _FREEZE.index("source")
_CHECKED_EVENTS = frozenset(
    {
        *(EventCode.ROLLOVER, EventCode.RESET, EventCode.EXCHANGE, EventCode.JUMP, EventCode.GAP, EventCode.TIME_BACK),
        *(EventCode.METER_CLOCK_OFF, EventCode.METER_CLOCK_RIGHT, EventCode.CLOCK_STEPPED, EventCode.RECORDS_DROPPED),
    }
)
"""The checks look at these: one that comes alone, and late, has its day checked again."""

Row = tuple[Any, ...]


class _Transaction:
    """What one transaction takes in; rows are collected so that each table is written in one call."""

    def __init__(self, connection: Connection, batches: Sequence[Verified], now_ms: int) -> None:
        self.connection = connection
        self.now_ms = now_ms
        self.names = {_owner(item): item.gateway.name for item in batches}
        self.ledger = Ledger(connection, self.names, now_ms)
        self.counters = Counters()
        self.refused: list[Refused] = []
        self.verified: list[str] = []
        self.rows: dict[Table, list[Row]] = {table: [] for table in _COLUMNS}
        self.orders: list[OrderEvent] = []
        self.counts: dict[int, int] = {}
        """By station: how many rows were entered of those that are counted."""

    def journal(self, item: Verified) -> int:
        """Return the number of a batch's journal; the checks are told of one that is new."""
        owner = _owner(item)
        if owner in self.ledger.opened:
            self.ledger.opened.discard(owner)
            self.notice(item.gateway.station)
        return self.ledger.number(owner)

    def notice(self, station: int) -> None:
        """Tell the checks that there is something of now."""
        self.rows[schema.dirty].append((station, self.now_ms, self.now_ms))

    def refuse(self, item: Verified, reason: Reason, detail: str) -> None:
        """Note that a message goes to quarantine though its signature is good."""
        self.refused.append(Refused(item.topic, item.envelope, reason, detail, item.gateway.name))

    def acknowledgements(self) -> list[Acknowledgement]:
        """Return what the store will hold of each journal after the commit."""
        result = []
        for owner, name in self.names.items():
            ranges = self.ledger.ranges(self.ledger.number(owner))
            missing = ranges.missing(MISSING_RANGES)
            highest = ranges.highest() if 0 < len(missing) < MISSING_RANGES else 0
            result.append(Acknowledgement(name, owner[1], ranges.up_to(), missing, self.now_ms, highest))
        return result


def _owner(item: Verified) -> Owner:
    return item.gateway.number, item.batch.context


class Committer:
    """Stores verified batches; one instance serves one receiver process."""

    def __init__(
        self, engine: Engine, quarantine: Quarantine, counters: Counters, replay_after_ms: int = REPLAY_AFTER_MS
    ) -> None:
        self._engine = engine
        self._replay_after_ms = replay_after_ms
        self.on_status: Callable[[str, StatusState], None] = lambda _gateway, _state: None
        """Told of each status once it is stored, and not replayed."""
        self.grid_gateways: Collection[str] = ()
        """Gateways that measure the grid: the grid service is told of their records."""
        self._quarantine = quarantine
        self._counters = counters
        self._meters = MeterNumbers()

    def commit(
        self,
        batches: Sequence[Verified],
        refused: Sequence[Refused],
        now_ms: int,
        heard: Sequence[Heard] = (),
        *,
        answered: Sequence[Answered] = (),
    ) -> list[Acknowledgement]:
        """Store everything or nothing; return what is then to be acknowledged, one per journal.

        Raises what SQLAlchemy raises; nothing is stored and nothing may be acknowledged then.
        """
        try:
            with taking_in(self._engine) as connection:
                gateways = {item.gateway.number for item in batches} | {item.gateway.number for item in heard}
                lock_gateways(connection, gateways.union(item.gateway.number for item in answered))
                work = _Transaction(connection, batches, now_ms)
                for item in batches:
                    self._take(work, item)
                self._finish(work)
                stale = gateway_status.store(connection, heard, now_ms)
                work.refused += [_stale(item) for item in stale]
                taken = replies.take(connection, answered, now_ms, self._replay_after_ms)
                work.refused += [*taken.refused, *refused]
                work.verified += taken.verified
                work.verified += [item.gateway.name for item in heard if item not in stale]
                self._quarantine.store(connection, work.refused, work.verified, now_ms)
        except BaseException:
            self._meters.rolled_back()
            self._quarantine.rolled_back()
            raise
        self._meters.committed()
        self._quarantine.committed()
        work.counters.refused.update(item.reason.value for item in work.refused)
        work.counters.replies_refused = replies.refused_of(work.refused)
        work.counters.replies = taken.results
        work.counters.transactions = 1
        self._counters.add(work.counters)
        taken.tell()
        for told in heard:
            if told not in stale:
                self.on_status(told.gateway.name, told.status.state)
        return work.acknowledgements()

    def only_counts(self, refused: Sequence[Refused], now_ms: int) -> bool:
        """Return whether there is nothing to store of refused messages, and they are counted now."""
        if not self._quarantine.only_counts(refused, now_ms, TALLY_MS):
            return False
        self._counters.refused.update(item.reason.value for item in refused)
        self._counters.replies_refused += replies.refused_of(refused)
        return True

    @property
    def uncounted(self) -> bool:
        """Return whether there are counts in memory alone."""
        return self._quarantine.uncounted

    def _take(self, work: _Transaction, item: Verified) -> None:
        batch = item.batch
        journal = work.journal(item)
        ranges = work.ledger.ranges(journal)
        if len(ranges) >= MAX_RANGES and not ranges.touches(batch.first, batch.first + batch.count - 1):
            detail = (
                f"journal {batch.context.hex()} of gateway {item.gateway.name} is received in {len(ranges)} pieces "
                f"already: sequence {batch.first} would make one more"
            )
            work.refuse(item, Reason.FRAGMENTED, detail)
            return
        refused = len(work.refused)
        self._store(work, item, journal)
        if len(work.refused) == refused:
            work.verified.append(item.gateway.name)

    def _store(self, work: _Transaction, item: Verified, journal: int) -> None:
        batch = item.batch
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
        self._enter(work, item, journal, keys, new)
        work.rows[schema.message].append(_message_row(item, journal, work.now_ms))

    def _enter(
        self, work: _Transaction, item: Verified, journal: int, keys: list[int], new: list[tuple[int, int]]
    ) -> None:
        rows = _rows(item.batch, keys, (item.gateway.station, journal))
        if sum(last - first + 1 for first, last in new) < item.batch.count:
            wanted = {number for first, last in new for number in range(first, last + 1)}
            rows = {table: [row for row in found if row[0] in wanted] for table, found in rows.items()}
        for table, found in rows.items():
            work.rows[table] += found
        counted = len(rows[schema.interval]) + sum(row[_CODE] != EventCode.VOLTAGE_MEANS for row in rows[schema.event])
        if counted:
            work.counts[item.gateway.station] = work.counts.get(item.gateway.station, 0) + counted
        for table in (schema.interval, schema.adjustment):
            starts = [row[_TIME] for row in rows[table]]
            if starts:
                work.rows[schema.dirty].append((item.gateway.station, min(starts), max(starts)))
            if item.gateway.name in self.grid_gateways:
                work.rows[schema.grid_notice] += spans(starts)
        # A meter's own freeze may come hours after its midnight, which ended the day before.
        own = {row[_TIME] - 1 for row in rows[schema.freeze] if row[_SOURCE] == FreezeSource.METER}
        work.rows[schema.dirty] += [(item.gateway.station, time_ms, time_ms) for time_ms in sorted(own)]
        for row in rows[schema.event]:
            if row[_CODE] in _CHECKED_EVENTS:
                work.rows[schema.dirty].append((item.gateway.station, row[_TIME], row[_TIME]))
            elif row[_CODE] == EventCode.CHARGE_ORDER:
                sequence, meter, time_ms, _, details = row[: _CODE + 2]
                order = (item.gateway.station, item.gateway.name, meter, journal, sequence, time_ms, details)
                work.orders.append(OrderEvent(*order))

    def set_aside(self, item: Verified, detail: str, now_ms: int) -> list[Acknowledgement]:
        """Keep a message whose records the store rejects, whole and durably, and return its acknowledgement.

        The gateway must not send it for ever; its records are entered when a store takes them (`take_back`).
        """
        with writing(self._engine) as connection:
            work = _Transaction(connection, [item], now_ms)
            journal = work.journal(item)
            new = work.ledger.take(journal, item.batch.first, item.batch.count)
            if new:
                row = dict(zip(_MESSAGE, _message_row(item, journal, now_ms), strict=True))
                number = connection.execute(insert(schema.message).values(row).returning(schema.message.c.id)).scalar()
                values = {"message": number, "new": json.dumps(new), "detail": detail[:1000], "aside_ms": now_ms}
                connection.execute(insert(schema.set_aside).values(values))
                work.notice(item.gateway.station)
            self._finish(work)
        return work.acknowledgements()

    def take_back(self, enrolled: Enrolled, now_ms: int) -> tuple[int, int]:
        """Enter the records of messages that were set aside; return (messages entered, messages that stay)."""
        with reading(self._engine) as connection:
            found = connection.execute(
                select(schema.set_aside, schema.message, schema.gateway.c.name)
                .join_from(schema.set_aside, schema.message)
                .join(schema.journal)
                .join(schema.gateway)
                .order_by(schema.set_aside.c.message)
            ).all()
        entered = 0
        for row in found:
            try:
                payload = open_envelope(bytes(row.envelope), row.topic, enrolled.ring).payload
            except EnvelopeError as error:
                # As of a key that only another receiver of this store can use, which then enters it.
                log.warning("the message %d of %s stays set aside: %s", row.message, row.topic, error)
                continue
            batch = decode_batch(payload)
            item = Verified(row.topic, bytes(row.envelope), bytes(row.kid), enrolled.gateways[row.name], batch)
            try:
                with writing(self._engine) as connection:
                    mine = delete(schema.set_aside).where(schema.set_aside.c.message == row.message)
                    if not connection.execute(mine).rowcount:
                        continue  # another receiver was faster
                    work = _Transaction(connection, (), now_ms)
                    keys = self._meters.resolve(connection, item.gateway, batch.meters)
                    self._enter(work, item, row.journal, keys, [(first, last) for first, last in json.loads(row.new)])
                    work.rows[schema.dirty].append((item.gateway.station, row.aside_ms, row.aside_ms))
                    self._finish(work)
            except REJECTED as error:
                self._meters.rolled_back()
                log.warning("the message %d of %s stays set aside: %s", row.message, row.topic, cause(error))
            else:
                self._meters.committed()
                entered += 1
        return entered, len(found) - entered

    def _compare(self, work: _Transaction, item: Verified, journal: int, keys: list[int]) -> None:
        # What this transaction has taken from earlier messages must be visible to the comparison.
        self._flush(work)
        earlier = compare(work.connection, item, journal, keys)
        if earlier.conflicts:
            detail = (
                f"journal {item.batch.context.hex()} of gateway {item.gateway.name} has other records "
                f"under {len(earlier.conflicts)} sequences: {', '.join(map(str, earlier.conflicts[:10]))}"
            )
            work.refuse(item, Reason.CONFLICT, detail)
        elif earlier.same_ms is not None and work.now_ms - earlier.same_ms > self._replay_after_ms:
            # A gateway signs anew what it sends again, so the same bytes come from a broker, and soon, or from a thief.
            age_s = (work.now_ms - earlier.same_ms) // 1000
            work.refuse(item, Reason.REPLAYED, f"the same message was stored {age_s} s before")

    def _finish(self, work: _Transaction) -> None:
        self._flush(work)
        # Behind the turn of messages, so that no two transactions count at the same time.
        row_counts.add(work.connection, records=work.counts)
        work.ledger.write()

    def _flush(self, work: _Transaction) -> None:
        noticed = bool(work.rows[schema.grid_notice])
        for table, rows in work.rows.items():
            if rows and table is schema.message:
                take_turn(work.connection, Turn.MESSAGES)
            enter_rows(work.connection, table, _COLUMNS[table], rows)
            rows.clear()
        if noticed:
            gather(work.connection)
        if work.orders:
            from_gateway.take(work.connection, work.orders, work.now_ms)
            work.orders.clear()


def _stale(item: Heard) -> Refused:
    detail = f"a status of journal {item.status.context.hex()}, which the gateway has given up since"
    return Refused(item.topic, item.envelope, Reason.REPLAYED, detail, item.gateway.name)


def _message_row(item: Verified, journal: int, now_ms: int) -> Row:
    batch = item.batch
    return (
        *(journal, batch.first, batch.count, item.topic, item.kid, batch.created_ms),
        *(now_ms, batch.clock_state, item.envelope),
    )


def cause(error: BaseException) -> str:
    """Return the driver's own words in one line, without the statement and its parameters."""
    if isinstance(error, StoreError):
        return str(error)
    origin = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return f"{type(origin).__name__}: {one_line(origin)}"


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
