"""Exporting a proof of a meter's readings (计量证明): which signed batches of the store it takes (docs/proof.md)."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, select

from cloud_receiver import factor_messages
from cloud_receiver.factor_spans import SLOT_MS
from cloud_receiver.registry import Registry
from cloud_receiver.schema import adjustment, factor, freeze, gateway, gateway_key, interval, journal, message, station
from cloud_receiver.schema import meter as meter_table
from diantan_core import RecordBatch, decode_batch
from wire.batch import MAX_RECORDS
from wire.envelope import Signer
from wire.proof.form import ProofError, ProofFile, Signed, unverified_payload
from wire.proof.statement import TOPIC, Enrolment, Held, Issue, Statement
from wire.proof.times import shown
from wire.records import DetailKey, EventCode, FactorQuality

_LONGEST_INTERVAL_MS = 86_400_000
"""How long before the range an interval that reaches into it can begin: none spans a local midnight."""

_Row: TypeAlias = Any  # a row of SQLAlchemy, whose type parameters are not the same in all its versions


@dataclass(frozen=True, slots=True)
class Source:
    """A meter of the store with the names that a proof tells."""

    number: int
    name: str
    gateway: str
    gateway_number: int
    station: str
    station_number: int
    node: str


def find_meter(connection: Connection, registry: Registry, name: str, gateway_name: str | None) -> Source:
    """Return the meter; ProofError when there is none of that name, or one on several gateways and none is named."""
    statement = (
        select(meter_table.c.id, meter_table.c.gateway, gateway.c.id, station.c.name, station.c.id)
        .join_from(meter_table, gateway, gateway.c.name == meter_table.c.gateway)
        .join(station, station.c.id == meter_table.c.station)
        .where(meter_table.c.name == name)
        .order_by(meter_table.c.gateway)
    )
    rows = connection.execute(statement).all()
    found = [row for row in rows if gateway_name in {None, row[1]}]
    if not found:
        where = "" if gateway_name is None else f" on gateway {gateway_name}"
        raise ProofError(f"the store has no records of a meter {name!r}{where}")
    if len(found) > 1:
        raise ProofError(f"meter {name!r} is on gateways {', '.join(row[1] for row in found)}: say which by --gateway")
    number, owner, owner_number, station_name, station_number = found[0]
    registered = registry.find(station_name)
    if registered is None:
        raise ProofError(
            f"station {station_name!r} of meter {name!r} is not in the registry, which knows its carbon node"
        )
    return Source(number, name, owner, owner_number, station_name, station_number, registered.node)


def make(connection: Connection, source: Source, signer: Signer, *, from_ms: int, to_ms: int, now_ms: int) -> bytes:
    """Return the proof file of a meter's readings in [from_ms, to_ms), ms UTC, signed with the centre's key.

    ProofError when the store has no interval there, when records in between have not arrived yet, or when the range is
    too long for one file.
    """
    chosen = _intervals(connection, source, from_ms, to_ms)
    if not chosen:
        raise ProofError(f"the store has no interval of meter {source.name!r} in {shown(from_ms)} to {shown(to_ms)}")
    spans = _spans(connection, source, chosen)
    single = _freezes(connection, source, from_ms, to_ms) + _adjustments(connection, source, chosen)
    rows: list[_Row] = []
    for number in sorted({*spans, *(journal_number for journal_number, _ in single)}):
        wanted = [(sequence, sequence) for owner, sequence in single if owner == number]
        rows += _messages(connection, number, [*wanted, *([spans[number]] if number in spans else [])])
    batches = [Signed(row.topic, bytes(row.envelope)) for row in rows]
    issues = _issues(connection, source.node, chosen)
    messages = factor_messages.proving(connection, source.node, _by_slot(issues))
    statement = Statement(
        source.gateway,
        source.station,
        source.name,
        from_ms,
        to_ms,
        now_ms,
        _keys(connection, source, {bytes(row.kid) for row in rows}),
        tuple(Held(item.digest, row.received_ms) for item, row in zip(batches, rows, strict=True)),
        source.node,
        issues,
        tuple(item.digest for item in messages),
    )
    return ProofFile(signer.sign(statement.encode(), TOPIC), tuple(batches), tuple(messages)).encode()


def _intervals(connection: Connection, source: Source, from_ms: int, to_ms: int) -> Sequence[_Row]:
    return connection.execute(
        select(
            *(interval.c.journal, interval.c.sequence, interval.c.start_ms, interval.c.duration_ms),
            *(interval.c.factor, interval.c.factor_quality),
        )
        .where(
            interval.c.station == source.station_number,
            interval.c.meter == source.number,
            interval.c.start_ms > from_ms - _LONGEST_INTERVAL_MS,
            interval.c.start_ms < to_ms,
            interval.c.start_ms + interval.c.duration_ms > from_ms,
        )
        .order_by(interval.c.start_ms)
    ).all()


def _spans(connection: Connection, source: Source, chosen: Iterable[_Row]) -> dict[int, tuple[int, int]]:
    """Return the sequences of each journal from the interval before the range to the one after it."""
    spans: dict[int, list[_Row]] = {}
    for row in chosen:
        spans.setdefault(row.journal, []).append(row)
    result = {}
    for number, rows in spans.items():
        first_ms = min(row.start_ms for row in rows)
        last_ms = max(row.start_ms + row.duration_ms for row in rows)
        neighbours = connection.execute(
            select(interval.c.sequence).where(
                interval.c.station == source.station_number,
                interval.c.meter == source.number,
                interval.c.journal == number,
                interval.c.start_ms > first_ms - _LONGEST_INTERVAL_MS,
                interval.c.start_ms <= last_ms,
                interval.c.start_ms + interval.c.duration_ms >= first_ms,
            )
        ).scalars()
        sequences = [*neighbours, *(row.sequence for row in rows)]
        result[number] = (min(sequences), max(sequences))
    return result


def _freezes(connection: Connection, source: Source, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    rows = connection.execute(
        select(freeze.c.journal, freeze.c.sequence).where(
            freeze.c.station == source.station_number,
            freeze.c.meter == source.number,
            freeze.c.time_ms.between(from_ms, to_ms),
        )
    )
    return [(row.journal, row.sequence) for row in rows]


def _adjustments(connection: Connection, source: Source, chosen: Sequence[_Row]) -> list[tuple[int, int]]:
    wanted = {(row.journal, row.start_ms, row.duration_ms) for row in chosen}
    starts = [row.start_ms for row in chosen]
    rows = connection.execute(
        select(adjustment.c.journal, adjustment.c.sequence, adjustment.c.start_ms, adjustment.c.duration_ms).where(
            adjustment.c.station == source.station_number,
            adjustment.c.meter == source.number,
            adjustment.c.start_ms.between(min(starts), max(starts)),
        )
    )
    return [(row.journal, row.sequence) for row in rows if (row.journal, row.start_ms, row.duration_ms) in wanted]


def _messages(connection: Connection, number: int, wanted: Iterable[tuple[int, int]]) -> list[_Row]:
    """Return the messages of a journal that cover the ranges, by sequence; where several do, the one stored first."""
    found: list[_Row] = []
    done = 0
    missing: list[tuple[int, int]] = []
    for first, last in sorted(wanted):
        sequence = max(first, done + 1)
        while sequence <= last:
            row = _covering(connection, number, sequence)
            if row is None:
                following = _next_first(connection, number, sequence)
                end = last if following is None else min(last, following - 1)
                missing.append((sequence, end))
                sequence = end + 1
            else:
                found.append(row)
                sequence = row.first + row.count
            done = sequence - 1
    return sorted([*found, *_gave_up(connection, number, missing, found)], key=lambda row: int(row.first + row.count))


_MESSAGE = (
    *(message.c.id, message.c.first, message.c.count, message.c.topic, message.c.kid),
    *(message.c.received_ms, message.c.envelope),
)


def _covering(connection: Connection, number: int, sequence: int) -> _Row | None:
    return connection.execute(
        select(*_MESSAGE)
        .where(
            message.c.journal == number,
            message.c.first <= sequence,
            message.c.first > sequence - MAX_RECORDS,
            message.c.first + message.c.count > sequence,
        )
        .order_by(message.c.id)
        .limit(1)
    ).first()


def _next_first(connection: Connection, number: int, sequence: int) -> int | None:
    statement = select(message.c.first).where(message.c.journal == number, message.c.first > sequence)
    return connection.execute(statement.order_by(message.c.first).limit(1)).scalar()


def _gave_up(connection: Connection, number: int, missing: list[tuple[int, int]], found: list[_Row]) -> list[_Row]:
    """Return the messages in which the gateway says that it gave these records up; ProofError where none does."""
    if not missing:
        return []
    name = connection.execute(select(journal.c.context).where(journal.c.id == number)).scalar_one().hex()
    taken = {row.id for row in found}
    result = []
    for first, last in missing:
        left: list[tuple[int, int]] = [(first, last)]
        # The event comes behind what it tells of; a gap is rare and short of a scan's cost.
        for row in connection.execute(
            select(*_MESSAGE).where(message.c.journal == number, message.c.first > last).order_by(message.c.first)
        ):
            before = left
            for low, high in _told(decode_batch(unverified_payload(bytes(row.envelope)))):
                left = _without(left, low, high)
            if left != before and row.id not in taken:
                taken.add(row.id)
                result.append(row)
            if not left:
                break
        else:
            start, end = left[0]
            raise ProofError(f"records {start} to {end} of journal {name} have not arrived: a proof would have a gap")
    return result


def _told(batch: RecordBatch) -> Iterator[tuple[int, int]]:
    """Yield the ranges of records that a gateway says it gave up."""
    for _, _, _, code, details in batch.event_rows(list(range(len(batch.meters)))):
        if code == EventCode.RECORDS_DROPPED:
            low, high = details.get(DetailKey.FIRST_SEQUENCE), details.get(DetailKey.LAST_SEQUENCE)
            if isinstance(low, int) and isinstance(high, int) and low <= high:
                yield low, high


def _without(ranges: Iterable[tuple[int, int]], first: int, last: int) -> list[tuple[int, int]]:
    parts = (part for low, high in ranges for part in ((low, min(high, first - 1)), (max(low, last + 1), high)))
    return [part for part in parts if part[0] <= part[1]]


def _keys(connection: Connection, source: Source, kids: set[bytes]) -> tuple[Enrolment, ...]:
    rows = connection.execute(
        select(gateway_key.c.kid, gateway_key.c.public_key, gateway_key.c.added_ms, gateway_key.c.revoked_ms)
        .where(gateway_key.c.gateway == source.gateway_number)
        .order_by(gateway_key.c.added_ms, gateway_key.c.kid)
    )
    return tuple(
        Enrolment(bytes(row.public_key), row.added_ms, row.revoked_ms) for row in rows if bytes(row.kid) in kids
    )


def _issues(connection: Connection, node: str, chosen: Sequence[_Row]) -> tuple[Issue, ...]:
    """Return every factor that was dispatched for the slots of the intervals, and for those whose factor they held."""
    slots = {row.start_ms - row.start_ms % SLOT_MS for row in chosen}
    slots |= _held_from(connection, node, [row for row in chosen if row.factor_quality == FactorQuality.HELD])
    rows = connection.execute(
        select(factor)
        .where(factor.c.node == node, factor.c.start_ms.between(min(slots), max(slots)))
        .order_by(factor.c.start_ms, factor.c.issued_ms)
    )
    return tuple(
        Issue(row.start_ms, row.slot_ms, row.issued_ms, row.factor, bytes(row.solve_id))
        for row in rows
        if row.start_ms in slots
    )


def _held_from(connection: Connection, node: str, held: Sequence[_Row]) -> set[int]:
    """Return for each interval with a held factor (沿用) the last slot before its own that had this factor."""
    if not held:
        return set()
    last_ms = max(row.start_ms for row in held)
    starts: dict[int, list[int]] = {}
    for row in connection.execute(
        select(factor.c.start_ms, factor.c.factor)
        .where(factor.c.node == node, factor.c.factor.in_({row.factor for row in held}), factor.c.start_ms < last_ms)
        .order_by(factor.c.start_ms)
    ):
        starts.setdefault(row.factor, []).append(row.start_ms)
    found = set()
    for row in held:
        before = starts.get(row.factor, [])
        place = bisect_left(before, row.start_ms - row.start_ms % SLOT_MS)
        if place:
            found.add(before[place - 1])
    return found


def _by_slot(issues: Iterable[Issue]) -> dict[int, dict[int, int | None]]:
    result: dict[int, dict[int, int | None]] = {}
    for issue in issues:
        result.setdefault(issue.start_ms, {})[issue.issued_ms] = issue.factor
    return result
