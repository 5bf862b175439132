"""Messages of many nodes at once: what a solved slot of a grid brings. See factor_messages for what is kept of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, insert, select

from cloud_receiver.factor_messages import Dispatched, decoded, issued, message_row
from cloud_receiver.factor_spans import SPAN, Span, is_span, needs, spans
from cloud_receiver.schema import factor, factor_message, factor_unsent
from wire import topics
from wire.envelope import Signer
from wire.messages import Factors

_NODES_AT_ONCE: Final = 500  # parameters of one statement
_KEY: Final = ("node", "first_start_ms", "issued_ms")


@dataclass(frozen=True, slots=True)
class Entered:
    """What messages of many nodes brought."""

    messages: list[Dispatched]
    first: dict[str, list[int]]
    """By node: the slots of which nothing had been dispatched."""
    corrected: dict[str, list[int]]


def enter_many(
    connection: Connection,
    signer: Signer,
    messages: Sequence[Factors],
    news: Mapping[str, Collection[int]],
    forced: Collection[str] = (),
) -> Entered:
    """Sign and store messages of many nodes, one of each, with the factors that are new in them.

    `news`: by node the slots of which the message may say what was not dispatched yet. A message without any such is
    left out, unless its node is among those `forced`. Nothing is thinned: see `thin`. In the same transaction each is
    noted as unsent, until `sent` says otherwise.
    """
    before: dict[tuple[str, int], tuple[int, int | None, int]] = {}
    for chunk in (messages[place : place + _NODES_AT_ONCE] for place in range(0, len(messages), _NODES_AT_ONCE)):
        starts = [start for message in chunk for start in news.get(message.node, ())]
        if not starts:
            continue
        columns = (factor.c.node, factor.c.start_ms, factor.c.issued_ms, factor.c.factor, factor.c.origin)
        statement = select(*columns).where(
            factor.c.node.in_([message.node for message in chunk]), factor.c.start_ms.between(min(starts), max(starts))
        )
        for node, start, issued_ms, value, origin in connection.execute(statement):
            if (known := before.get((node, start))) is None or issued_ms > known[0]:
                before[node, start] = issued_ms, value, origin
    rows: list[dict[str, object]] = []
    entered = Entered([], {}, {})
    for message in messages:
        found = list(_new_rows(message, news.get(message.node, ()), before, entered))
        if found or message.node in forced:
            rows += found
            topic = topics.factor(message.node)
            entered.messages.append(Dispatched(message, topic, signer.sign(message.encode(), topic)))
    if rows:
        connection.execute(insert(factor), rows)
    if entered.messages:
        told = [message_row(item, signer) for item in entered.messages]
        connection.execute(insert(factor_message), told)
        connection.execute(insert(factor_unsent), [{name: row[name] for name in _KEY} for row in told])
    return entered


def _new_rows(
    message: Factors,
    news: Collection[int],
    before: Mapping[tuple[str, int], tuple[int, int | None, int]],
    entered: Entered,
) -> Iterator[dict[str, object]]:
    for start in sorted(news):
        index = (start - message.first_start_ms) // message.slot_ms
        if not 0 <= index < len(message.factors):
            continue
        value, origin = message.factors[index], message.origin_of(index)
        known = before.get((message.node, start))
        if known is None:
            entered.first.setdefault(message.node, []).append(start)
        elif known[1] != value:
            entered.corrected.setdefault(message.node, []).append(start)
        elif known[2] == origin:
            continue
        yield {
            "node": message.node,
            "start_ms": start,
            "issued_ms": message.issued_ms,
            "slot_ms": message.slot_ms,
            "factor": value,
            "solve_id": message.solve_id_of(index),
            "origin": origin,
        }


def newest_of(connection: Connection, nodes: Collection[str], kid: bytes) -> list[Dispatched]:
    """Return each node's newest stored message, in order of issue.

    Those of another key than `kid` are left out: gateways that know the centre's new key would refuse them.

    ProofError for one that can't be read.
    """
    found: list[Row[Any]] = []
    names = sorted(nodes)
    for chunk in (names[place : place + _NODES_AT_ONCE] for place in range(0, len(names), _NODES_AT_ONCE)):
        other = factor_message.alias()
        newest = select(func.max(other.c.issued_ms)).where(other.c.node == factor_message.c.node).scalar_subquery()
        condition = factor_message.c.node.in_(chunk) & (factor_message.c.kid == kid)
        found += connection.execute(select(factor_message).where(condition, factor_message.c.issued_ms == newest)).all()
    found.sort(key=lambda row: (row.issued_ms, row.node))
    return [Dispatched(decoded(row), row.topic, bytes(row.envelope)) for row in found]


@dataclass(frozen=True, slots=True)
class Unsent:
    """A stored message that the broker is yet to confirm."""

    node: str
    first_start_ms: int
    issued_ms: int
    topic: str
    envelope: bytes


_IS_UNSENT: Final = and_(*(factor_unsent.c[name] == factor_message.c[name] for name in _KEY))


def unsent(connection: Connection, kid: bytes, limit: int) -> list[Unsent]:
    """Return the oldest messages under a key that the broker is yet to confirm, in order of issue."""
    columns = (factor_message.c[name] for name in (*_KEY, "topic", "envelope"))
    statement = select(*columns).join(factor_unsent, _IS_UNSENT).where(factor_message.c.kid == kid)
    rows = connection.execute(statement.order_by(factor_message.c.issued_ms, factor_message.c.node).limit(limit))
    return [Unsent(row.node, row.first_start_ms, row.issued_ms, row.topic, bytes(row.envelope)) for row in rows]


def sent(connection: Connection, messages: Iterable[Unsent]) -> None:
    """Note that the broker has confirmed these."""
    rows = [{f"key_{name}": getattr(item, name) for name in _KEY} for item in messages]
    if rows:
        key = (factor_unsent.c[name] == bindparam(f"key_{name}") for name in _KEY)
        connection.execute(delete(factor_unsent).where(*key), rows)


def unsent_under_other_keys(connection: Connection, kid: bytes) -> dict[str, int]:
    """Return by node the first slot of messages that no gateway got and under this key no longer can; forget them.

    Notes of messages that were thinned since are forgotten too: others say the same.
    """
    statement = (
        select(factor_unsent.c.node, func.min(factor_unsent.c.first_start_ms))
        .join(factor_message, _IS_UNSENT)
        .where(factor_message.c.kid != kid)
        .group_by(factor_unsent.c.node)
    )
    found = {row[0]: row[1] for row in connection.execute(statement)}
    under = select(factor_message.c.node).where(_IS_UNSENT, factor_message.c.kid == kid).exists()
    connection.execute(delete(factor_unsent).where(~under))
    return found


def thin(connection: Connection, node: str, since_ms: int, late_ms: int) -> int:
    """Delete messages of a node, issued after a time, that others prove; return how many. The newest one stays.

    A factor that was dispatched for the first time less than `late_ms` after its slot's start was in time: the message
    that says so first is kept for no other reason than what it proves.
    """
    judged = sorted(
        (
            Span(*row)
            for row in connection.execute(
                select(*SPAN).where(factor_message.c.node == node, factor_message.c.issued_ms > since_ms)
            )
        ),
        key=lambda span: (span.issued_ms, span.first_ms),
    )[:-1]
    if not judged:
        return 0
    first, last = min(span.first_ms for span in judged), max(span.last_ms for span in judged)
    others = spans(connection, node, first, last)
    issues = {start: sorted(found) for start, found in issued(connection, node, first, last).items()}
    deleted = 0
    for span in judged:
        # The nearest in time speak of most of the same slots.
        rest = sorted((item for item in others if item != span), key=lambda item: abs(item.issued_ms - span.issued_ms))
        if not any(needs(span, start, issues.get(start, ()), rest, late_ms) for start in span.starts()):
            connection.execute(delete(factor_message).where(*is_span(node, span)))
            others.remove(span)
            deleted += 1
    return deleted
