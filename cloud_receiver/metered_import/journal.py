"""The journal of imported records: contexts, sequences, signed batches, committed like those of any gateway."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import OperationalError

from clock import Clock
from cloud_receiver.commit import Committer
from cloud_receiver.config import Intake
from cloud_receiver.counters import Counters
from cloud_receiver.database import is_busy, reading
from cloud_receiver.enrolment import EnrolmentError, GatewayRow, enrolled
from cloud_receiver.grid.notices import Noticed
from cloud_receiver.quarantine import Quarantine
from cloud_receiver.refusal import RefusalError
from cloud_receiver.registry import Registry
from cloud_receiver.schema import gateway, journal, received_range
from cloud_receiver.verify import verify
from wire import topics
from wire.batch import CONTEXT_BYTES, RecordBatchMessage, encode_batch
from wire.envelope import Signer
from wire.records import ClockState, DetailKey, EventCode, EventRecord, Record

BATCH: Final = 256
"""Records of one signed message: whoever proves one reading shows so many."""
PAUSE_S: Final = 0.11
"""Between two transactions. Another program that waits for SQLite's lock asks again every 100 ms at the latest."""
_LOCK: Final = "import.lock"


class ImportConflictError(EnrolmentError):
    """Something else wrote into the journal meanwhile; nothing is lost, and the same import again goes on."""


class ImportBusyError(EnrolmentError):
    """Another import is under way."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is done at once."""

    messages: int
    """Of one transaction."""
    attempts: int
    """To get SQLite's lock, of `database.BUSY_TIMEOUT_MS` each."""
    wait_s: float | None = None
    """For the end of another import; None: however long it takes."""


PATIENT: Final = Pace(messages=16, attempts=24)
BRISK: Final = Pace(messages=2, attempts=1, wait_s=5.0)
"""Where others of the same loop wait meanwhile."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next record goes: the context of a journal and the sequence."""

    context: bytes
    sequence: int
    opening: tuple[Record, ...] = ()
    """Records that begin a new journal."""


@asynccontextmanager
async def turn(directory: Path, wait_s: float | None) -> AsyncIterator[None]:
    """Let one import of this machine run at a time: two would take the same sequences. ImportBusyError in vain."""
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    seconds = asyncio.get_running_loop().time
    begun = seconds()
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if wait_s is not None and seconds() - begun >= wait_s:
                    raise ImportBusyError("another import is under way: import again") from None
                await asyncio.sleep(PAUSE_S)
        yield
    finally:
        os.close(descriptor)


def newest(connection: Connection, name: str) -> tuple[int, Place] | None:
    """Return a gateway's newest journal with records, and where it goes on; None where it has none."""
    row = connection.execute(
        select(journal.c.id, journal.c.context, func.max(received_range.c.last))
        .join_from(journal, gateway)
        .join(received_range, received_range.c.journal == journal.c.id)
        .where(gateway.c.name == name)
        .group_by(journal.c.id, journal.c.context)
        .order_by(journal.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else (row[0], Place(bytes(row[1]), row[2] + 1))


def opened(former: Place | None, now_ms: int, random: Callable[[int], bytes]) -> Place:
    """Return the beginning of a new journal, which names the one before."""
    details: dict[int, int | str] = {}
    if former is not None:
        details = {DetailKey.PREVIOUS_CONTEXT: former.context.hex(), DetailKey.LAST_SEQUENCE: former.sequence - 1}
    return Place(random(CONTEXT_BYTES), 1, (EventRecord(None, now_ms, EventCode.CONTEXT_OPENED, details),))


class Writer:
    """Signs and commits records of one gateway."""

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        intake: Intake,
        clock: Clock,
        signer: Signer,
        *,
        pace: Pace = PATIENT,
    ) -> None:
        self._engine = engine
        self._pace = pace
        self._registry = registry
        self._clock = clock
        self._signer = signer
        self._counters = Counters()
        quarantine = Quarantine(intake.quarantine_per_minute, intake.quarantine_rows, intake.quarantine_bytes)
        self._committer = Committer(engine, quarantine, self._counters, intake.replay_after_s * 1000)

    async def write(
        self, gateway: GatewayRow, place: Place, records: Iterable[Record], told: Callable[[int], None]
    ) -> int:
        """Commit records from a place on; return how many, and tell how many are stored after each transaction.

        ImportConflictError where the journal has other records there already.
        """
        with reading(self._engine) as connection:
            noticed = Noticed(self._registry)
            noticed.refresh(connection)
        self._committer.grid_gateways = noticed.gateways
        sequence = place.sequence
        source = iter((*place.opening, *records))
        while group := list(islice(source, BATCH * self._pace.messages)):
            if sequence != place.sequence:
                await asyncio.sleep(PAUSE_S)
            await self._commit(gateway, place.context, sequence, group)
            sequence += len(group)
            told(sequence - place.sequence)
        return sequence - place.sequence

    async def _commit(self, gateway: GatewayRow, context: bytes, first: int, records: Sequence[Record]) -> None:
        topic = topics.records(gateway.name)
        for attempt in range(1, self._pace.attempts + 1):
            now_ms = self._clock.now_ms()
            with reading(self._engine) as connection:
                known = enrolled(connection, now_ms)
            try:
                batches = [
                    verify(topic, self._signed(gateway.name, context, sequence, part, now_ms), known)
                    for sequence, part in _parts(first, records)
                ]
            except RefusalError as error:
                raise ImportConflictError(f"records of gateway {gateway.name} are refused: {error}") from error
            before = sum(self._counters.refused.values()), self._counters.duplicates
            try:
                self._committer.commit(batches, (), now_ms)
            except OperationalError as error:
                if attempt == self._pace.attempts or not is_busy(error):
                    raise
                await asyncio.sleep(PAUSE_S)
                continue
            if (sum(self._counters.refused.values()), self._counters.duplicates) != before:
                raise ImportConflictError(
                    f"journal {context.hex()} of gateway {gateway.name} was written by another program meanwhile: "
                    "import again"
                )
            return

    def _signed(self, name: str, context: bytes, first: int, records: Sequence[Record], now_ms: int) -> bytes:
        # The centre knows nothing of the clock by which the file's times were taken.
        message = RecordBatchMessage(name, context, first, now_ms, ClockState.UNKNOWN, records)
        return self._signer.sign(encode_batch(message), topics.records(name))


def _parts(first: int, records: Sequence[Record]) -> Iterator[tuple[int, Sequence[Record]]]:
    for place in range(0, len(records), BATCH):
        yield first + place, records[place : place + BATCH]
