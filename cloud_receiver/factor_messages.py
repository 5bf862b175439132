"""What was dispatched (电碳因子下发): the factors, and the signed messages that prove them, thinned to what does.

The table `factor` has a row for each value that was dispatched for a slot, from the message on that said it first; all
messages of the node until the next row say the same: a run. One message of each run proves its value, so those between
can go. The one that began a run is kept where its time tells something: a correction, or a factor that came late.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from sqlalchemy import Connection, delete, func, insert, select

from cloud_receiver.factor_spans import SPAN, Span, is_span, needs, of_run, spans
from cloud_receiver.schema import factor, factor_message
from wire import topics
from wire.envelope import Signer
from wire.messages import Factors, MessageError
from wire.proof.form import ProofError, Signed, unverified_payload
from wire.proof.times import shown

_Row: TypeAlias = Any  # a row of SQLAlchemy, whose type parameters are not the same in all its versions


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A message of factors with the signed bytes that are stored and published."""

    message: Factors
    topic: str
    envelope: bytes


def latest(connection: Connection, node: str, first_ms: int, last_ms: int) -> dict[int, int | None]:
    """Return the factor last dispatched for each slot that starts in [first_ms, last_ms], by slot start."""
    return {start: found[max(found)] for start, found in issued(connection, node, first_ms, last_ms).items()}


def issued(connection: Connection, node: str, first_ms: int, last_ms: int) -> dict[int, dict[int, int | None]]:
    """Return every factor dispatched for the slots that start in [first_ms, last_ms], by slot start and issue."""
    result: dict[int, dict[int, int | None]] = {}
    for row in connection.execute(
        select(factor.c.start_ms, factor.c.issued_ms, factor.c.factor).where(
            factor.c.node == node, factor.c.start_ms.between(first_ms, last_ms)
        )
    ):
        result.setdefault(row.start_ms, {})[row.issued_ms] = row.factor
    return result


def origins(connection: Connection, node: str, first_ms: int, last_ms: int) -> dict[int, int]:
    """Return the origin of the factor last dispatched for each slot, by slot start."""
    rows = connection.execute(
        select(factor.c.start_ms, factor.c.origin)
        .where(factor.c.node == node, factor.c.start_ms.between(first_ms, last_ms))
        .order_by(factor.c.issued_ms)
    )
    return {row.start_ms: row.origin for row in rows}


def standing(connection: Connection, signer: Signer, wanted: Factors) -> Dispatched | None:
    """Return the node's newest stored message where it says what is wanted, whenever it was issued.

    None as well when another key has signed it: gateways that know the centre's new key would refuse it.
    """
    row = connection.execute(
        select(factor_message).where(
            factor_message.c.node == wanted.node, factor_message.c.issued_ms == _newest(connection, wanted.node)
        )
    ).first()
    if row is None or bytes(row.kid) != signer.kid or row.topic != topics.factor(wanted.node):
        return None
    try:
        message = decoded(row)
    except ProofError:
        return None
    if replace(message, issued_ms=wanted.issued_ms) != wanted:
        return None
    return Dispatched(message, row.topic, bytes(row.envelope))


def next_issue(connection: Connection, node: str, first_ms: int, last_ms: int, now_ms: int) -> int:
    """Return the time of issue of the node's next message: now, and in any case after all that were issued before.

    The newest issue of a slot counts, so this must hold even after the clock was set back.
    """
    # A store of before the messages were kept has the factors alone.
    of_slots = connection.execute(
        select(func.max(factor.c.issued_ms)).where(factor.c.node == node, factor.c.start_ms.between(first_ms, last_ms))
    ).scalar()
    return max(now_ms, 1 + (_newest(connection, node) or 0), 1 + (of_slots or 0))


def _newest(connection: Connection, node: str) -> int | None:
    newest = select(func.max(factor_message.c.issued_ms)).where(factor_message.c.node == node)
    return connection.execute(newest).scalar()


def enter(connection: Connection, signer: Signer, message: Factors) -> tuple[Dispatched, list[int]]:
    """Sign the message, store it with the factors that are new in it, and drop what it makes needless.

    Return what is to be published once the transaction is committed, and the slots whose factor it corrects.
    """
    topic = topics.factor(message.node)
    envelope = signer.sign(message.encode(), topic)
    span = Span(message.first_start_ms, message.issued_ms, message.slot_ms, len(message.factors))
    stated = dict(zip(span.starts(), message.factors, strict=True))
    before = latest(connection, message.node, span.first_ms, span.last_ms)
    sources = origins(connection, message.node, span.first_ms, span.last_ms)
    rows = [
        {
            "node": message.node,
            "start_ms": start,
            "issued_ms": message.issued_ms,
            "slot_ms": message.slot_ms,
            "factor": value,
            "solve_id": message.solve_id_of(index),
            "origin": message.origin_of(index),
        }
        for index, (start, value) in enumerate(stated.items())
        # The same value of another origin is news too: a held factor that was solved later.
        if start not in before or before[start] != value or sources[start] != message.origin_of(index)
    ]
    if rows:
        connection.execute(insert(factor), rows)
    dispatched = Dispatched(message, topic, envelope)
    connection.execute(insert(factor_message).values(**message_row(dispatched, signer)))
    _thin(connection, message.node, message.issued_ms)
    corrected = [start for start, value in before.items() if start in stated and value != stated[start]]
    return dispatched, corrected


def message_row(item: Dispatched, signer: Signer) -> dict[str, object]:
    """Return a message as a row of its table."""
    message = item.message
    return {
        "node": message.node,
        "first_start_ms": message.first_start_ms,
        "issued_ms": message.issued_ms,
        "slot_ms": message.slot_ms,
        "slots": len(message.factors),
        "topic": item.topic,
        "kid": signer.kid,
        "envelope": item.envelope,
    }


def _thin(connection: Connection, node: str, newest_ms: int) -> None:
    """Delete the message before the newest one if others prove all that it says; the newest one is republished."""
    row = connection.execute(
        select(*SPAN)
        .where(factor_message.c.node == node, factor_message.c.issued_ms < newest_ms)
        .order_by(factor_message.c.issued_ms.desc())
        .limit(1)
    ).first()
    if row is None:
        return
    judged = Span(*row)
    others = [span for span in spans(connection, node, judged.first_ms, judged.last_ms) if span != judged]
    issues = issued(connection, node, judged.first_ms, judged.last_ms)
    if not any(needs(judged, start, sorted(issues.get(start, ())), others) for start in judged.starts()):
        connection.execute(delete(factor_message).where(*is_span(node, judged)))


def proving(connection: Connection, node: str, issues: Mapping[int, Mapping[int, int | None]]) -> list[Signed]:
    """Return messages that prove the factors of these slots, by issue: one of each run, where one is kept.

    `issues`: all that the store has of each slot, by slot start and issue. ProofError when any message about one of
    the slots says something else than the store: one of the two was changed.
    """
    if not issues:
        return []
    told = spans(connection, node, min(issues), max(issues))
    chosen: set[Span] = set()
    for start, found in issues.items():
        times = sorted(found)
        for began, ends in zip(times, [*times[1:], None], strict=True):
            run = [span for span in told if of_run(span, start, began, ends)]
            # The one that began the run tells when; of the others the newest speaks of most slots to come.
            exact = [span for span in run if span.issued_ms == began]
            chosen.update((exact or run)[:1])
    result = []
    for span in reversed(told):
        covered = {start: found for start, found in issues.items() if span.covers(start)}
        if covered:
            row = connection.execute(select(factor_message).where(*is_span(node, span))).one()
            _compare(decoded(row), span, covered)
            if span in chosen:
                result.append(Signed(row.topic, bytes(row.envelope)))
    return result


def _compare(message: Factors, span: Span, issues: Mapping[int, Mapping[int, int | None]]) -> None:
    if Span(message.first_start_ms, message.issued_ms, message.slot_ms, len(message.factors)) != span:
        raise ProofError(
            f"the store contradicts itself: the factor message of {shown(span.issued_ms)} is for other slots or of "
            f"another time than table factor_message says"
        )
    for start, found in issues.items():
        said = message.factors[(start - span.first_ms) // span.slot_ms]
        before = [time_ms for time_ms in found if time_ms <= span.issued_ms]
        if not before or found[max(before)] != said:
            has = f"{found[max(before)]} mg/kWh" if before else "nothing"
            raise ProofError(
                f"the store contradicts itself: for the slot {shown(start)} of node {message.node} table factor has "
                f"{has} at {shown(span.issued_ms)}, the message that was signed then says {said}"
            )


def decoded(row: _Row) -> Factors:
    """Return the message in a row; ProofError when it holds none."""
    try:
        return Factors.decode(unverified_payload(bytes(row.envelope)))
    except MessageError as error:
        raise ProofError(f"the factor message of {shown(row.issued_ms)} in the store: {error}") from error
