"""A PostgreSQL that is killed while records come: what was acknowledged is there, and what was not comes again."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from intake_support import Bench, Message, batch
from postgresql_support import Server
from receiver_support import FakeGateway, enrol, station_model, stored_sequences, until
from sqlalchemy import Engine, event

from cloud_receiver import database, meters
from cloud_receiver.registry import Registry


@pytest.fixture
def server(postgresql_durable: Server) -> Server:
    """Return a server that may be killed, and writes as one in operation does."""
    if not postgresql_durable.answers():
        postgresql_durable.start()  # a test before has failed
    return postgresql_durable


@pytest.fixture
def engine(server: Server) -> Iterator[Engine]:
    engine = database.open_store(server.address(server.create()), Path())
    database.upgrade(engine)
    with database.writing(engine) as connection:
        meters.enter_registry(connection, Registry(station=(station_model(),)))
    yield engine
    engine.dispose()


def crashing(engine: Engine, server: Server, wanted: Callable[[str], bool]) -> Callable[[], bool]:
    """Kill the server once, before the first statement that is wanted; return whether that has been."""
    crashed: list[str] = []

    def before(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not crashed and wanted(statement):
            crashed.append(statement)
            server.crash()

    event.listen(engine, "before_cursor_execute", before)
    return lambda: bool(crashed)


@pytest.mark.parametrize(
    "statement", ["pg_advisory_xact_lock", "FROM gateway", "INSERT INTO message", "received_range"]
)
def test_a_killed_server_loses_nothing_that_was_acknowledged(statement: str, engine: Engine, server: Server) -> None:
    gateway = enrol(engine, "gw1")
    bench = Bench(engine)
    before, after = batch(gateway, 1, 64), batch(gateway, 65, 64)
    bench.take(before)
    assert before.acked == ["ack"]
    crashed = crashing(engine, server, lambda text: statement in text)

    async def run() -> None:
        task = asyncio.create_task(bench.intake.run())
        bench.intake.receive(after)
        await until(lambda: bench.intake.counters.store_errors >= 3)
        assert crashed()
        assert after.acked == []
        server.start()
        await until(lambda: bool(after.acked))
        bench.intake.stop()
        await task

    asyncio.run(run())
    assert stored_sequences(engine) == list(range(1, 129))
    assert [item.up_to for item in bench.acknowledgements()] == [64, 128]
    assert bench.intake.counters.records == 128
    assert bench.intake.counters.duplicates == 0


def test_a_server_that_dies_in_the_commit_leaves_all_or_nothing(engine: Engine, server: Server) -> None:
    """The receiver doesn't learn whether it was committed: it stores again, and nothing counts twice."""
    gateway: FakeGateway = enrol(engine, "gw1")
    bench = Bench(engine)
    item: Message = batch(gateway, 1, 64)
    crashed: list[bool] = []

    def before(_connection: object) -> None:
        if not crashed:
            crashed.append(True)
            server.crash()

    event.listen(engine, "commit", before)

    async def run() -> None:
        task = asyncio.create_task(bench.intake.run())
        bench.intake.receive(item)
        await until(lambda: bench.intake.counters.store_errors >= 2)
        assert item.acked == []
        server.start()
        await until(lambda: bool(item.acked))
        bench.intake.stop()
        await task

    asyncio.run(run())
    assert stored_sequences(engine) == list(range(1, 65))
    assert bench.acknowledgements()[-1].up_to == 64
