"""Findings about gateways: a journal begun anew, records given up, records the store rejects."""

import asyncio
from typing import Any

import pytest
from intake_support import Bench, Message, batch
from receiver_support import DAY_MS, FakeGateway, interval
from sqlalchemy import Engine, event, insert, select
from sqlalchemy.exc import DataError

from cloud_receiver import database, findings
from cloud_receiver.checks import gateways
from cloud_receiver.checks.runner import Runner
from cloud_receiver.config import Checks
from cloud_receiver.findings import Finding
from cloud_receiver.registry import Registry
from cloud_receiver.schema import gateway as gateway_table
from cloud_receiver.schema import journal, received_range
from wire import topics
from wire.batch import RecordBatchMessage, encode_batch
from wire.envelope import Signer
from wire.messages import Status, StatusState
from wire.records import ClockState, DetailKey, EventCode, EventRecord

HOUR_MS = 3_600_000


@pytest.fixture
def bench(engine: Engine) -> Bench:
    return Bench(engine)


def check(bench: Bench, registry: Registry, *, closed: bool = False) -> list[Finding]:
    asyncio.run(Runner(bench.engine, registry, bench.clock, Checks(grace_minutes=100_000)).round())
    with database.reading(bench.engine) as connection:
        found = findings.listed(connection, closed=closed)
    # No factors were dispatched here: what the checks say of them is not what this is about.
    return [item for item in found if item.kind != "factor_mismatch"]


def details(item: Finding) -> list[dict[str, Any]]:
    found = item.evidence["details"]
    assert isinstance(found, list)
    return found


def test_a_first_journal_is_no_finding(bench: Bench, gateway: FakeGateway, registry: Registry) -> None:
    bench.take(batch(gateway, 1, 3))
    assert check(bench, registry) == []


def test_a_second_journal_is_a_finding(bench: Bench, gateway: FakeGateway, registry: Registry) -> None:
    bench.take(batch(gateway, 1, 3))
    bench.clock.wall_ms += HOUR_MS
    bench.take(Message(gateway.topic, gateway.envelope(1, [interval(9)], context=b"journal2")))
    (item,) = check(bench, registry)
    assert (item.kind, item.severity, item.day_ms) == ("journal_opened", "warning", DAY_MS)
    assert details(item) == [
        {
            "start": "2026-07-01T01:00:00+08:00",
            "gateway": "gw1",
            "journal": b"journal2".hex(),
            "journal_before": b"journal1".hex(),
            "received_to": 3,
            "told_to": 3,
            "lost": [],
            "lost_count": 0,
            "extent": "at least",
        }
    ]
    # It stays: what was lost stays lost.
    check(bench, registry)
    assert [found.id for found in check(bench, registry)] == [item.id]


def told(gateway: FakeGateway, following: int, context: bytes, state: StatusState = StatusState.HEALTH) -> Message:
    """Return a status that tells the next sequence of a journal."""
    topic = topics.status(gateway.name)
    said = Status(gateway.name, state, DAY_MS, context, following, 0, ClockState.SYNCHRONISED, 0)
    return Message(topic, Signer(gateway.key).sign(said.encode(), topic))


def begun(gateway: FakeGateway, context: bytes, former: bytes | None = None, last: int = 0, slot: int = 9) -> Message:
    """Return the first batch of a journal, whose event may name the one before it."""
    names: dict[DetailKey, int | str] = (
        {} if former is None else {DetailKey.PREVIOUS_CONTEXT: former.hex(), DetailKey.LAST_SEQUENCE: last}
    )
    opened = EventRecord(None, DAY_MS, EventCode.CONTEXT_OPENED, {int(key): value for key, value in names.items()})
    return Message(gateway.topic, gateway.envelope(1, [opened, interval(slot)], context=context))


def losses(bench: Bench, registry: Registry) -> list[tuple[str, int, int, list[list[int]], str]]:
    """Return (journal, received to, told to, lost, extent) of the findings about journals that others replaced."""
    return [
        (each["journal_before"], each["received_to"], each["told_to"], each["lost"], each["extent"])
        for item in check(bench, registry)
        if item.kind == "journal_opened"
        for each in details(item)
    ]


ONE, TWO, THREE = b"journal1", b"journal2", b"journal3"


def test_what_a_replaced_journal_had_not_sent_is_named(bench: Bench, gateway: FakeGateway, registry: Registry) -> None:
    bench.take(told(gateway, 16, ONE, StatusState.BIRTH), batch(gateway, 1, 3), batch(gateway, 10, 2))
    bench.take(told(gateway, 21, ONE), told(gateway, 16, ONE, StatusState.OFFLINE))
    bench.take(begun(gateway, TWO))
    assert losses(bench, registry) == [(ONE.hex(), 11, 20, [[4, 9], [12, 20]], "at least")]


def test_every_gap_is_named_however_many(bench: Bench, gateway: FakeGateway, registry: Registry) -> None:
    bench.take(*(batch(gateway, 2 * number, 1) for number in range(1, 91)))
    bench.take(begun(gateway, TWO))
    assert losses(bench, registry) == [
        (ONE.hex(), 180, 180, [[number, number] for number in range(1, 180, 2)], "at least")
    ]


def test_a_journal_of_which_nothing_came_but_its_statuses_is_lost_as_far_as_it_told(
    bench: Bench, gateway: FakeGateway, registry: Registry
) -> None:
    bench.take(batch(gateway, 1, 3))
    bench.take(told(gateway, 1, TWO, StatusState.BIRTH), told(gateway, 8, TWO))
    bench.take(begun(gateway, THREE))
    assert losses(bench, registry) == [
        (ONE.hex(), 3, 3, [], "at least"),
        (TWO.hex(), 0, 7, [[1, 7]], "at least"),
    ]
    # Its records were only late: the loss is taken back, also where they are of another day.
    bench.clock.wall_ms += 72 * HOUR_MS
    late = [interval(number) for number in range(200, 207)]
    bench.take(Message(gateway.topic, gateway.envelope(1, late, context=TWO)))
    assert [found for found in losses(bench, registry) if found[3]] == []


def test_a_journal_is_told_of_with_its_first_records_whenever_its_status_came(
    bench: Bench, gateway: FakeGateway, registry: Registry
) -> None:
    bench.take(batch(gateway, 1, 3), told(gateway, 5, TWO))
    assert losses(bench, registry) == []
    bench.clock.wall_ms += 24 * HOUR_MS
    bench.take(begun(gateway, TWO), told(gateway, 9, THREE, StatusState.OFFLINE))
    assert losses(bench, registry) == [(ONE.hex(), 3, 3, [], "at least")]
    (item,) = [found for found in check(bench, registry) if found.kind == "journal_opened"]
    assert item.day_ms == DAY_MS + 24 * HOUR_MS
    # The will spoke of a journal of which nobody knows when it was: it is not made the newest.
    assert [bytes(row.context) for row in bench.rows(journal)] == [ONE, TWO]


def test_where_the_next_journal_names_the_end_the_loss_is_exact(
    bench: Bench, gateway: FakeGateway, registry: Registry
) -> None:
    bench.take(batch(gateway, 1, 3), told(gateway, 6, ONE))
    bench.take(begun(gateway, TWO, ONE, 12))
    assert losses(bench, registry) == [(ONE.hex(), 3, 12, [[4, 12]], "exact")]


def test_an_end_that_can_not_be_is_not_believed(bench: Bench, gateway: FakeGateway, registry: Registry) -> None:
    """A journal whose newest part is destroyed takes itself for shorter than the centre knows it was."""
    bench.take(batch(gateway, 1, 5), told(gateway, 9, ONE))
    bench.take(begun(gateway, TWO, ONE, 4))
    assert losses(bench, registry) == [(ONE.hex(), 5, 8, [[6, 8]], "at least")]


def test_a_named_journal_that_nobody_had_heard_of_is_lost_whole(
    bench: Bench, gateway: FakeGateway, registry: Registry
) -> None:
    bench.take(begun(gateway, TWO, ONE, 12))
    assert losses(bench, registry) == [(ONE.hex(), 0, 12, [[1, 12]], "exact")]


def test_the_first_event_may_come_after_later_records(bench: Bench, gateway: FakeGateway, registry: Registry) -> None:
    bench.take(batch(gateway, 1, 3))
    bench.take(Message(gateway.topic, gateway.envelope(3, [interval(9)], context=TWO)))
    assert losses(bench, registry) == [(ONE.hex(), 3, 3, [], "at least")]
    bench.clock.wall_ms += 48 * HOUR_MS
    bench.take(begun(gateway, TWO, ONE, 5, slot=96))
    assert losses(bench, registry) == [(ONE.hex(), 3, 5, [[4, 5]], "exact")]


def test_what_comes_late_of_a_replaced_journal_is_no_longer_called_lost(
    bench: Bench, gateway: FakeGateway, registry: Registry
) -> None:
    bench.take(batch(gateway, 1, 3))
    bench.take(begun(gateway, TWO, ONE, 8))
    assert losses(bench, registry) == [(ONE.hex(), 3, 8, [[4, 8]], "exact")]
    # Days later, of records of another day than that of the finding.
    bench.clock.wall_ms += 72 * HOUR_MS
    bench.take(Message(gateway.topic, gateway.envelope(4, [interval(200), interval(201)], context=ONE)))
    assert losses(bench, registry) == [(ONE.hex(), 5, 8, [[6, 8]], "exact")]
    bench.take(told(gateway, 12, ONE))
    assert losses(bench, registry) == [(ONE.hex(), 5, 11, [[6, 11]], "at least")]


def kinds(bench: Bench, registry: Registry) -> set[str]:
    """Return what is found but for the energies, which no meter had."""
    return {item.kind for item in check(bench, registry)} - {"overlapping_intervals", "register_discontinuity"}


def second(gateway: FakeGateway, first: int, context: bytes, created_ms: int) -> Message:
    made = RecordBatchMessage(gateway.name, context, first, created_ms, ClockState.SYNCHRONISED, [interval(first)])
    return Message(gateway.topic, Signer(gateway.key).sign(encode_batch(made), gateway.topic))


def test_two_journals_that_grow_at_the_same_time_are_two_gateways_with_one_key(
    bench: Bench, gateway: FakeGateway, registry: Registry
) -> None:
    bench.take(second(gateway, 1, b"journal1", DAY_MS))
    bench.take(second(gateway, 1, b"journal2", DAY_MS + 1000))
    assert kinds(bench, registry) == {"journal_opened"}
    bench.take(second(gateway, 2, b"journal1", DAY_MS + 2000))
    (item,) = [found for found in check(bench, registry) if found.kind == "key_shared"]
    assert item.severity == "alarm"
    (found,) = details(item)
    assert found["journals"] == [b"journal1".hex(), b"journal2".hex()]
    assert (found["first_sequence"], found["count"]) == (2, 1)


def test_a_late_delivery_of_a_replaced_journal_is_no_second_gateway(
    bench: Bench, gateway: FakeGateway, registry: Registry
) -> None:
    bench.take(second(gateway, 2, b"journal1", DAY_MS + 1000))
    bench.take(second(gateway, 1, b"journal2", DAY_MS + 2000))
    bench.take(second(gateway, 3, b"journal1", DAY_MS + 1500))
    assert kinds(bench, registry) == {"journal_opened"}


def test_a_gateway_whose_clock_was_put_right_is_no_second_one(
    bench: Bench, gateway: FakeGateway, registry: Registry
) -> None:
    bench.take(second(gateway, 1, b"journal1", DAY_MS + HOUR_MS))
    bench.take(second(gateway, 1, b"journal2", DAY_MS))
    assert kinds(bench, registry) == {"journal_opened"}


def test_an_event_of_dropped_records_is_a_finding(bench: Bench, gateway: FakeGateway, registry: Registry) -> None:
    counts = {DetailKey.COUNT: 7, DetailKey.FIRST_SEQUENCE: 3, DetailKey.LAST_SEQUENCE: 9}
    dropped = EventRecord(None, DAY_MS + HOUR_MS, EventCode.RECORDS_DROPPED, counts)
    other = EventRecord(None, DAY_MS + HOUR_MS, EventCode.STORAGE_FULL)
    bench.take(Message(gateway.topic, gateway.envelope(1, [dropped, other])))
    (item,) = check(bench, registry)
    assert (item.kind, item.severity) == ("records_dropped", "alarm")
    assert details(item) == [
        {
            "start": "2026-07-01T01:00:00+08:00",
            "gateway": "gw1",
            "count": 7,
            "first_sequence": 3,
            "last_sequence": 9,
        }
    ]


def test_a_status_of_dropped_records_is_a_finding(bench: Bench, gateway: FakeGateway, registry: Registry) -> None:
    topic = topics.status("gw1")
    state = Status("gw1", StatusState.HEALTH, DAY_MS, gateway.context, 20, 5, ClockState.SYNCHRONISED, 7)
    bench.take(Message(topic, Signer(gateway.key).sign(state.encode(), topic)))
    (item,) = check(bench, registry)
    assert item.kind == "records_dropped"
    assert details(item)[0]["dropped_in_all"] == 7


def test_a_message_set_aside_is_a_finding_until_it_is_entered(
    bench: Bench, gateway: FakeGateway, registry: Registry
) -> None:
    def reject(_conn: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if sql.startswith("INSERT INTO interval"):
            raise DataError(sql, None, ValueError("out of range"))

    event.listen(bench.engine, "before_cursor_execute", reject)
    bench.take(batch(gateway, 1, 3))
    event.remove(bench.engine, "before_cursor_execute", reject)
    (item,) = check(bench, registry)
    assert (item.kind, item.severity) == ("set_aside", "alarm")
    assert (details(item)[0]["gateway"], details(item)[0]["count"]) == ("gw1", 3)
    assert details(item)[0]["cause"] == "ValueError: out of range"
    bench.intake.take_back()
    assert check(bench, registry) == []
    assert [found.state for found in check(bench, registry, closed=True)] == ["closed"]


def test_of_a_flood_of_journals_the_first_ones_are_looked_at(bench: Bench, gateway: FakeGateway) -> None:
    bench.take(batch(gateway, 1, 3))
    with database.writing(bench.engine) as connection:
        own = connection.execute(select(gateway_table)).one()
        opened = [
            {"gateway": own.id, "context": bytes([place]) * 8, "opened_ms": DAY_MS + place, "told_next": 4}
            for place in range(1, 2 * gateways.MOST_JOURNALS)
        ]
        connection.execute(insert(journal), opened)
        rows = connection.execute(select(journal.c.id).where(journal.c.told_next == 4)).scalars()
        connection.execute(insert(received_range), [{"journal": each, "first": 1, "last": 3} for each in rows])
    asked: list[str] = []
    with database.reading(bench.engine) as connection:
        event.listen(bench.engine, "before_cursor_execute", lambda *found: asked.append(found[2]))
        [found] = gateways.findings(connection, own.station, DAY_MS, DAY_MS + 24 * HOUR_MS)
    assert len(found.details) == gateways.MOST_JOURNALS  # the first replaced none
    assert found.details[-1]["not_looked_at"] == gateways.MOST_JOURNALS
    assert len(asked) < 8 * gateways.MOST_JOURNALS
