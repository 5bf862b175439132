"""What is counted of each station is what is there, whoever entered it; on both kinds of stores."""

import random
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from intake_support import Bench, Message, rejecting
from receiver_support import DAY_MS, SLOT_MS, enrol, interval, station_model
from row_counts_support import counted, kept
from sqlalchemy import Engine, event, insert, select
from sqlalchemy.exc import IntegrityError

import cloud_receiver
from cloud_receiver import database, meters, row_counts, schema
from cloud_receiver.estimation import retention
from cloud_receiver.registry import Registry
from cloud_receiver.sales import store
from cloud_receiver.sales.order import CSV, Order
from cloud_receiver.sales.store import Told
from wire.records import EventCode, EventRecord, Record

LAST = 60


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Open a store with two stations, of which S1 has two gateways."""
    engine = database.open_store("sqlite:///two.sqlite", tmp_path)
    database.upgrade(engine)
    other = station_model(1)
    theirs = tuple(item.model_copy(update={"gateway": "gw3"}) for item in other.meter)
    with database.writing(engine) as connection:
        stations = station_model(), other.model_copy(update={"id": "S2", "meter": theirs})
        meters.enter_registry(connection, Registry(station=stations))
    yield engine
    engine.dispose()


def charge(number: int, kwh: int) -> Order:
    return Order(str(number), DAY_MS + number * SLOT_MS, DAY_MS + (number + 2) * SLOT_MS, kwh * 1_000_000)


def journal(dice: random.Random) -> list[Record]:
    """Return a journal of all kinds of records; some orders are corrected later on."""
    records: list[Record] = []
    for number in range(LAST):
        kind = dice.choice(["interval", "interval", "means", "gap", "order"])
        if kind == "interval":
            records.append(interval(number))
            continue
        code = {"means": EventCode.VOLTAGE_MEANS, "gap": EventCode.GAP, "order": EventCode.CHARGE_ORDER}[kind]
        details = charge(dice.randrange(5), dice.randint(1, 3)).to_details() if kind == "order" else {}
        records.append(EventRecord("C01", DAY_MS + number * SLOT_MS, code, details))
    return records


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_is_counted_once(seed: int, engine: Engine) -> None:
    dice = random.Random(seed)
    gateways = [enrol(engine, name) for name in ("gw1", "gw2")]
    with database.writing(engine) as connection:
        connection.execute(
            schema.gateway.update()
            .where(schema.gateway.c.name == "gw2")
            .values(station=select(schema.station.c.id).where(schema.station.c.name == "S2").scalar_subquery())
        )
    gateways.append(enrol(engine, "gw4"))
    journals = {one.name: journal(dice) for one in gateways}
    bench = Bench(engine)
    for _ in range(12):
        messages = []
        for _ in range(dice.randint(1, 4)):
            one, first = dice.choice(gateways), dice.randint(1, LAST)
            records = journals[one.name][first - 1 : first - 1 + dice.randint(1, 20)]
            context = dice.choice([b"journal1", b"journal2"])
            messages.append(Message(one.topic, one.envelope(first, records, context=context)))
        bench.take(*messages)
        assert kept(engine) == counted(engine)
    assert len(kept(engine)) == 2
    assert min(records for records, _ in kept(engine).values()) > 0
    assert bench.intake.counters.duplicates > 0


def test_what_is_set_aside_counts_when_it_is_entered(engine: Engine) -> None:
    gateway = enrol(engine, "gw1")
    bench = Bench(engine)

    def batch(first: int, count: int) -> Message:
        records: list[Record] = [interval(number) for number in range(first, first + count)]
        return Message(gateway.topic, gateway.envelope(first, records))

    with rejecting(engine, 3):
        bench.take(batch(1, 2), batch(2, 3), batch(5, 2))
        assert kept(engine) == counted(engine)
        assert list(kept(engine).values()) == [(4, 0)]
        bench.intake.take_back()
        assert list(kept(engine).values()) == [(4, 0)]
    bench.intake.take_back()
    assert kept(engine) == counted(engine)
    assert list(kept(engine).values()) == [(6, 0)]


def test_a_transaction_that_fails_counts_nothing(engine: Engine) -> None:
    gateway = enrol(engine, "gw1")
    records: list[Record] = [interval(number) for number in range(3)]

    def fail(_conn: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if "INSERT INTO received_range" in sql and not failed:
            failed.append(sql)
            raise IntegrityError(sql, None, sqlite3.IntegrityError("constraint failed"))

    failed: list[str] = []
    event.listen(engine, "before_cursor_execute", fail)
    Bench(engine).take(Message(gateway.topic, gateway.envelope(1, records)))
    assert failed
    Bench(engine).intake.take_back()
    assert list(kept(engine).values()) == [(3, 0)] == list(counted(engine).values())


def test_a_version_of_an_order_counts_when_it_comes_and_when_it_ends(engine: Engine) -> None:
    told = [Told(1, charge(0, 1)), Told(1, charge(1, 1)), Told(1, charge(1, 2)), Told(1, charge(0, 1))]
    for part in ([told[0]], told[1:3], told[3:], [Told(1, charge(0, 7))]):
        with database.writing(engine) as connection:
            store.enter(connection, 1, part, source=CSV, made_by="x", now_ms=5)
        assert kept(engine) == counted(engine)
    assert kept(engine) == {1: (0, 4 + 2)}


def test_means_of_voltage_that_are_removed_were_never_counted(engine: Engine) -> None:
    gateway = enrol(engine, "gw1")
    records: list[Record] = [EventRecord("C01", DAY_MS + place, EventCode.VOLTAGE_MEANS, {}) for place in range(3)]
    Bench(engine).take(Message(gateway.topic, gateway.envelope(1, [*records, interval(3)])))
    assert retention.remove(engine, DAY_MS + 10, DAY_MS) == 3
    assert list(kept(engine).values()) == [(1, 0)] == list(counted(engine).values())


def test_rows_before_an_instant_are_all_but_those_of_later(engine: Engine) -> None:
    gateway = enrol(engine, "gw1")
    records: list[Record] = [interval(number) for number in range(4)]
    records += [EventRecord("C01", DAY_MS + SLOT_MS, code, {}) for code in (EventCode.GAP, EventCode.VOLTAGE_MEANS)]
    records.append(EventRecord("C01", DAY_MS, EventCode.CHARGE_ORDER, charge(2, 1).to_details()))
    Bench(engine).take(Message(gateway.topic, gateway.envelope(1, records)))
    [station] = kept(engine)
    with database.reading(engine) as connection:
        assert row_counts.before(connection, station, DAY_MS) == [0]
        assert row_counts.before(connection, station, DAY_MS + SLOT_MS, DAY_MS + SLOT_MS + 1) == [2, 4]
        # Intervals and events; the order of the first slots ends with the fourth.
        assert row_counts.before(connection, station, DAY_MS + 3 * SLOT_MS) == [3 + 2]
        assert row_counts.before(connection, station, DAY_MS + 9 * SLOT_MS) == [4 + 2 + 1]
        assert row_counts.before(connection, station + 7, DAY_MS, DAY_MS) == [0, 0]


def test_nothing_else_enters_what_is_counted() -> None:
    """The committer is what receives, takes back, and imports; a quarantine and estimates enter rows of their own."""
    writes = re.compile(
        r"\binsert\((schema\.)?(interval|event|charge_order)\)|\b(enter_rows|insert_statement|copy)\(\w"
    )
    root = Path(cloud_receiver.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if any(writes.search(line) for line in path.read_text(encoding="utf-8").splitlines())
    }
    ways = {"database.py", "postgresql.py"}
    assert found == ways | {"commit.py", "sales/store.py"} | {"quarantine.py", "estimation/store.py"}


@pytest.fixture
def former(store_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Open a store of the schema that counted nothing."""
    if store_kind == "sqlite":
        engine = database.open_store("sqlite:///former.sqlite", tmp_path)
    else:
        server = request.getfixturevalue("postgresql_server")
        name = server.create()
        engine = database.open_store(server.address(name), tmp_path)
    database.upgrade(engine, "0014")
    yield engine
    engine.dispose()
    if store_kind != "sqlite":
        server.drop(name)


def test_an_upgrade_counts_what_is_there(former: Engine) -> None:
    zeros = {
        column.name: 0
        for column in schema.interval.columns
        if column.name not in ("station", "start_ms", "meter", "journal", "sequence", "factor")
    }
    with database.writing(former) as connection:
        key = {"meter": 1, "journal": 1}
        for station, count in ((2, 3), (5, 1)):
            rows = [{"station": station, "start_ms": at, "sequence": at, **key, **zeros} for at in range(count)]
            connection.execute(insert(schema.interval), rows)
        codes = [(2, EventCode.GAP), (2, EventCode.VOLTAGE_MEANS), (7, EventCode.GAP), (8, EventCode.VOLTAGE_MEANS)]
        events = [
            {"station": station, "time_ms": 1, "sequence": place, "code": int(code), "details": "{}", **key}
            for place, (station, code) in enumerate(codes)
        ]
        connection.execute(insert(schema.event), events)
        connection.execute(insert(schema.station), [{"id": 5, "name": "S5"}])
        connection.execute(insert(schema.gateway), [{"id": 1, "name": "g", "station": 5, "added_ms": 0}])
        connection.execute(
            insert(schema.meter), [{"id": 1, "gateway": "g", "name": "C01", "station": 5, "role": "charger"}]
        )
        order = {"station": 5, "meter": 1, "number": "1", "start_ms": 1, "end_ms": 2, "energy_mwh": 3}
        order |= {"source": "csv", "made_by": "x", "received_ms": 1}
        versions = [order | {"version": 1, "superseded_ms": 9}, order | {"version": 2, "superseded_ms": None}]
        connection.execute(insert(schema.charge_order), versions)
    database.upgrade(former, "0015")
    assert kept(former) == counted(former) == {2: (4, 0), 5: (1, 3), 7: (1, 0)}
