"""Completeness and timeliness of a station's year, and of a thousand stations' day, in SQLite on this machine."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Engine, insert

from cloud_receiver import database, meters, schema
from cloud_receiver.checks import load
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.completeness import day
from cloud_receiver.completeness.figures import Figures
from cloud_receiver.completeness.stored import Query, days
from cloud_receiver.registry import Meter, Registry, Role, Station

FIRST_MS = 1_767_196_800_000  # 2026-01-01T00:00:00+08:00
DAY_MS = 96 * SLOT_MS
CHARGERS = 20
_MESSAGE = ("journal", "first", "count", "topic", "kid", "created_ms", "received_ms", "clock_state", "envelope")


def run() -> Iterator[str]:
    """Measure both."""
    for stations, length in ((1, 365), (1000, 1)):
        yield from _measured(stations, length)


def _measured(stations: int, length: int) -> Iterator[str]:
    with _store(stations) as (engine, contexts):
        for context in contexts:
            _fill(engine, context, length)
        worked_out = _clock()
        with database.writing(engine) as connection:
            for context in contexts:
                for number in range(length):
                    span = (FIRST_MS + number * DAY_MS, FIRST_MS + (number + 1) * DAY_MS)
                    found = day.figures(connection, context, span, begin_ms=FIRST_MS, grace_ms=0)
                    day.enter(connection, context.number, span[0], found, FIRST_MS)
        work, work_cpu = worked_out()
        total = Figures()
        read_back = _clock()
        with database.reading(engine) as connection:
            query = Query(contexts, None, date(2026, 1, 1), date.fromordinal(date(2026, 1, 1).toordinal() + length - 1))
            for _, _, _, figures in days(connection, query, FIRST_MS + length * DAY_MS, 0):
                total.add(figures)
        read, _ = read_back()
    slots = stations * length * CHARGERS * 96
    assert total.expected_ms == total.in_15_min_ms == slots * SLOT_MS, "the figures are wrong"
    yield (
        f"{stations} stations, {length} days, {CHARGERS} meters each: {slots} intervals worked out in {work:.1f} s "
        f"({1000 * work_cpu / stations / length:.1f} ms of CPU a day of a station), read back in {read:.2f} s"
    )


def _clock() -> Callable[[], tuple[float, float]]:
    begin, cpu = time.perf_counter(), time.process_time()
    return lambda: (time.perf_counter() - begin, time.process_time() - cpu)


@contextmanager
def _store(stations: int) -> Iterator[tuple[Engine, list[Context]]]:
    registry = Registry(
        station=tuple(
            Station(
                id=f"S{number}",
                node="n",
                meter=tuple(
                    Meter(id=f"C{place}", role=Role.CHARGER, gateway=f"g{number}", rated_kw=Decimal(60))
                    for place in range(CHARGERS)
                ),
            )
            for number in range(stations)
        )
    )
    with tempfile.TemporaryDirectory() as directory:
        engine = database.open_store("sqlite:///store.sqlite", Path(directory))
        database.upgrade(engine)
        with database.writing(engine) as connection:
            meters.enter_registry(connection, registry)
            contexts = load.contexts(connection, registry)
            for context in contexts:
                name = context.station.meter[0].gateway
                values = {"name": name, "station": context.number, "added_ms": 0}
                connection.execute(insert(schema.gateway).values(id=context.number, **values))
                values = {"gateway": context.number, "context": b"12345678", "opened_ms": 0}
                connection.execute(insert(schema.journal).values(id=context.number, **values))
        yield engine, contexts
        engine.dispose()


def _fill(engine: Engine, context: Context, length: int) -> None:
    """Enter a station's intervals and the messages that brought them, one a slot."""
    rows, messages, sequence = [], [], 0
    for number in range(96 * length):
        start_ms = FIRST_MS + number * SLOT_MS
        end_ms = start_ms + SLOT_MS
        first = sequence + 1
        for meter in context.meters:
            sequence += 1
            key = (context.number, start_ms, meter, context.number, sequence, SLOT_MS)
            rows.append((*key, 1000, 0, 1000, 0, 500_000, 0, 500, 0, 500, 0, 15, 0))
        rest = ("t", b"k" * 8, end_ms, end_ms + 2000, 1, b"e" * 600)
        messages.append((context.number, first, sequence - first + 1, *rest))
    with database.writing(engine) as connection:
        columns = list(schema.interval.c.keys())
        connection.exec_driver_sql(database.insert_statement(schema.interval, columns, engine), rows)
        connection.exec_driver_sql(database.insert_statement(schema.message, _MESSAGE, engine), messages)
