"""Several receivers of one PostgreSQL store: they wait for each other, count nothing twice, and end in no deadlock."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from postgresql_support import Server
from receiver_support import DAY_MS, FakeGateway, enrol, interval, station_model
from row_counts_support import counted
from row_counts_support import kept as kept_counts
from sqlalchemy import Connection, Engine, func, select, text

from cloud_receiver import commit as commit_module
from cloud_receiver import database, meters, schema
from cloud_receiver.commit import Committer
from cloud_receiver.counters import Counters
from cloud_receiver.enrolment import Enrolled, enrolled
from cloud_receiver.gateway_status import Heard
from cloud_receiver.quarantine import VERIFIED, Quarantine, Refused
from cloud_receiver.received import Ledger
from cloud_receiver.refusal import Reason
from cloud_receiver.registry import Registry
from cloud_receiver.verify import Verified, verify
from wire.messages import Acknowledgement, Status, StatusState
from wire.records import ClockState, Record


class Receiver:
    """What stores in one of the receivers, with an engine of its own."""

    def __init__(self, address: str) -> None:
        self.engine = database.open_store(address, Path())
        self.counters = Counters()
        self.committer = Committer(self.engine, Quarantine(60, 1000), self.counters)

    def take(self, items: list[Verified], refused: list[Refused], heard: list[Heard]) -> list[Acknowledgement]:
        return self.committer.commit(items, refused, DAY_MS, heard)


@pytest.fixture
def address(postgresql_server: Server, postgresql_template: str) -> Iterator[str]:
    name = postgresql_server.create(template=postgresql_template)
    yield postgresql_server.address(name)
    postgresql_server.drop(name)


@pytest.fixture
def receivers(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], list[Receiver]]]:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 60_000)  # nothing is timed against the wall clock
    made: list[Receiver] = []

    def make(count: int) -> list[Receiver]:
        made.extend(Receiver(address) for _ in range(count))
        return made

    yield make
    for receiver in made:
        receiver.engine.dispose()


@pytest.fixture
def engine(address: str) -> Iterator[Engine]:
    engine = database.open_store(address, Path())
    with database.writing(engine) as connection:
        meters.enter_registry(connection, Registry(station=(station_model(),)))
    yield engine
    engine.dispose()


def known(engine: Engine) -> Enrolled:
    with database.reading(engine) as connection:
        return enrolled(connection, DAY_MS)


def batch(gateway: FakeGateway, first: int, count: int, known: Enrolled, meter: str = "C01") -> Verified:
    records: list[Record] = [interval(number - 1, meter) for number in range(first, first + count)]
    return verify(gateway.topic, gateway.envelope(first, records), known)


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Let the first transaction stop before its commit: `reached` tells that it has, `go_on` lets it."""
    reached, go_on = threading.Event(), threading.Event()
    write = Ledger.write

    def stop(ledger: Ledger) -> None:
        write(ledger)
        if not reached.is_set():
            reached.set()
            assert go_on.wait(60)

    monkeypatch.setattr(commit_module.Ledger, "write", stop)
    try:
        yield reached, go_on
    finally:
        go_on.set()


def await_waiting(server: Server, engine: Engine) -> None:
    """Wait until a connection to the database waits for a lock."""
    waits = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.execute(waits).scalar_one():
            pass


def sequences(engine: Engine) -> dict[str, list[int]]:
    """Return the sequences of the stored intervals by gateway; one stored twice shows twice."""
    statement = (
        select(schema.gateway.c.name, schema.interval.c.sequence)
        .join_from(schema.interval, schema.journal, schema.journal.c.id == schema.interval.c.journal)
        .join(schema.gateway, schema.gateway.c.id == schema.journal.c.gateway)
        .order_by(schema.gateway.c.name, schema.interval.c.sequence)
    )
    found: dict[str, list[int]] = {}
    with database.reading(engine) as connection:
        for name, sequence in connection.execute(statement):
            found.setdefault(name, []).append(sequence)
    return found


def count(connection: Connection, table: str) -> int:
    return connection.execute(select(func.count()).select_from(schema.metadata.tables[table])).scalar_one()


def test_a_journal_that_two_receivers_hear_of_first_is_entered_once(
    engine: Engine,
    receivers: Callable[[int], list[Receiver]],
    postgresql_server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = enrol(engine, "gw1")
    one, two = receivers(2)
    items = [batch(gateway, first, 8, known(engine), "unheard of") for first in (1, 5)]
    with ThreadPoolExecutor(2) as threads, held(monkeypatch) as (reached, go_on):
        first: Future[list[Acknowledgement]] = threads.submit(one.take, items[:1], [], [])
        assert reached.wait(60)
        second = threads.submit(two.take, items[1:], [], [])
        await_waiting(postgresql_server, engine)
        assert not second.done()
        go_on.set()
        assert [item.up_to for item in first.result()] == [8]
        assert [item.up_to for item in second.result()] == [12]
    assert sequences(engine) == {"gw1": list(range(1, 13))}
    assert two.counters.duplicates == 4
    with database.reading(engine) as connection:
        assert count(connection, "journal") == 1
        assert count(connection, "received_range") == 1
        named = select(func.count()).where(schema.meter.c.name == "unheard of")
        assert connection.execute(named).scalar() == 1


def test_receivers_with_batches_of_different_gateways_do_not_wait(
    engine: Engine, receivers: Callable[[int], list[Receiver]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateways = [enrol(engine, name) for name in ("gw1", "gw2")]
    one, two = receivers(2)
    first, second = (batch(gateway, 1, 8, known(engine)) for gateway in gateways)
    with database.taking_in(one.engine) as connection:
        commit_module.lock_gateways(connection, [first.gateway.number])
        assert [item.up_to for item in two.take([second], [], [])] == [8]


def test_numbers_of_messages_are_in_the_order_of_their_commits(
    engine: Engine,
    receivers: Callable[[int], list[Receiver]],
    postgresql_server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever has seen a number has seen all below it: the checks go on from the highest one."""
    gateways = [enrol(engine, name) for name in ("gw1", "gw2")]
    one, two = receivers(2)
    first, second = (batch(gateway, 1, 8, known(engine)) for gateway in gateways)
    highest = select(func.max(schema.message.c.id))
    with ThreadPoolExecutor(2) as threads, held(monkeypatch) as (reached, go_on):
        slow = threads.submit(one.take, [first], [], [])
        assert reached.wait(60)
        fast = threads.submit(two.take, [second], [], [])
        await_waiting(postgresql_server, engine)
        with database.reading(engine) as connection:
            assert connection.execute(highest).scalar() is None
        go_on.set()
        slow.result()
        fast.result()
    with database.reading(engine) as connection:
        rows = connection.execute(
            select(schema.message.c.id, schema.gateway.c.name)
            .join_from(schema.message, schema.journal)
            .join(schema.gateway)
            .order_by(schema.message.c.id)
        ).all()
    assert [row.name for row in rows] == ["gw1", "gw2"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_receiver_takes_any_batch(seed: int, engine: Engine, receivers: Callable[[int], list[Receiver]]) -> None:
    """Every batch comes to two receivers, in groups of several gateways in any order, among statuses and refusals."""
    draw = random.Random(seed)
    gateways = {name: enrol(engine, name) for name in ("gw1", "gw2", "gw3", "gw4", "gw5")}
    able = known(engine)
    last = 160
    work: list[list[tuple[list[Verified], list[Refused], list[Heard]]]] = []
    for _ in range(4):
        items = [
            batch(gateway, first, 16, able, f"of {name}")
            for name, gateway in gateways.items()
            for first in range(1, last, 16)
            if draw.random() < 0.5
        ]
        draw.shuffle(items)
        work.append([])
        while items:
            group = [items.pop() for _ in range(min(len(items), draw.randint(0, 4)))]
            heard = [
                Heard(
                    able.gateways[name],
                    Status(name, StatusState.BIRTH, DAY_MS, b"journal1", last, 0, ClockState.SYNCHRONISED),
                    retained=False,
                )
                for name in draw.sample(sorted(gateways), 3)
            ]
            refused = [
                Refused("a topic", bytes(100), draw.choice(list(Reason)), "for no reason", draw.choice(["", *gateways]))
                for _ in range(draw.randint(0, 5))
            ]
            work[-1].append((group, refused, heard))
    # What chance has left out comes at the end.
    work[0].append(([batch(gateway, 1, last, able, f"of {name}") for name, gateway in gateways.items()], [], []))
    start = threading.Barrier(len(work))

    def run(receiver: Receiver, groups: list[tuple[list[Verified], list[Refused], list[Heard]]]) -> None:
        start.wait(60)
        for group, refused, heard in groups:
            receiver.take(group, refused, heard)

    made = receivers(len(work))
    with ThreadPoolExecutor(len(work)) as threads:
        for done in [threads.submit(run, receiver, groups) for receiver, groups in zip(made, work, strict=True)]:
            done.result()  # a deadlock would be raised here: nothing is tried again
    assert sequences(engine) == {name: list(range(1, last + 1)) for name in gateways}
    assert sum(receiver.counters.records for receiver in made) == last * len(gateways)
    assert kept_counts(engine) == counted(engine)
    refusals = sum(len(refused) for groups in work for _, refused, _ in groups)
    right = sum(len(group) + len(heard) for groups in work for group, _, heard in groups)
    with database.reading(engine) as connection:
        ranges = connection.execute(select(schema.received_range.c.first, schema.received_range.c.last)).all()
        assert [tuple(row) for row in ranges] == [(1, last)] * len(gateways)
        assert count(connection, "journal") == len(gateways)
        told = connection.execute(select(schema.verification.c.result, schema.verification.c.messages)).all()
        results = {
            good: sum(row.messages for row in told if (row.result == VERIFIED) is good) for good in (True, False)
        }
        assert results == {True: right, False: refusals}
        kept = connection.execute(select(schema.quarantine.c.running).order_by(schema.quarantine.c.id)).scalars().all()
        # Each row goes on from the one before, whichever receiver wrote it.
        assert kept == [100 * number for number in range(refusals)]


def test_only_a_receiver_that_is_first_makes_the_schema(postgresql_server: Server) -> None:
    name = postgresql_server.create()
    start = threading.Barrier(3)

    def prepare() -> tuple[str | None, str]:
        engine = database.open_store(postgresql_server.address(name), Path())
        start.wait(60)
        try:
            return database.upgrade(engine)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(3) as threads:
        found = [done.result() for done in [threads.submit(prepare) for _ in range(3)]]
    head = database.head()
    assert sorted(found, key=str) == [(head, head), (head, head), (None, head)]
    postgresql_server.drop(name)
