"""Reading from the store: clocks of the messages that brought intervals, and exchanges."""

import pytest
from estimation_support import DAY, LENGTH, Site, rows_of
from receiver_support import SLOT_MS, enrol
from sqlalchemy import insert, select

from cloud_receiver import database
from cloud_receiver.estimation import facts, load
from cloud_receiver.schema import gateway, journal, message
from wire.records import ClockState


@pytest.fixture
def heard(site: Site) -> Site:
    """Store a day that came in two messages: the first by a clock nothing had confirmed, the second after a step."""
    enrol(site.engine, "gw1")
    rows = rows_of(site.numbers(), 1)
    site.store(rows)
    with database.writing(site.engine) as connection:
        number = connection.execute(select(gateway.c.id)).scalar_one()
        connection.execute(insert(journal).values(id=1, gateway=number, context=b"journal1", opened_ms=DAY))
        common = {"journal": 1, "topic": "t", "kid": bytes(8), "created_ms": 0, "received_ms": 0, "envelope": b""}
        spans = ((1, 8, ClockState.UNKNOWN), (9, 100, ClockState.SYNCHRONISED), (109, 40, ClockState.STEPPED))
        connection.execute(
            insert(message),
            [common | {"first": first, "count": count, "clock_state": int(state)} for first, count, state in spans],
        )
    return site


def test_a_stepped_clock_is_not_trusted_and_one_unconfirmed_is_counted(heard: Site) -> None:
    with database.reading(heard.engine) as connection:
        clocks = load.Clocks()
        clocks.ask(connection, 1, 1, 149)
    assert [clocks.trusted(1, sequence) for sequence in (1, 8, 9, 108, 109, 148, 149)] == [
        *(True, True, True, True),
        *(False, False, True),
    ]
    assert clocks.unknown == 2
    assert clocks.trusted(2, 1)


def test_boundaries_of_a_stepped_clock_are_not_read(heard: Site) -> None:
    reader = load.Reader(heard.engine, heard.context().number, DAY, DAY + LENGTH, inverted=())
    assert list(reader.days()) == [1]
    assert (reader.rows, reader.unsynchronised, len(reader)) == (4 * 96, 8, 1)
    # Slots 27 to 36 came after the step; both their ends are known by the neighbours of the first and the last.
    known = {item.time_ms for item in reader.registers.of(heard.numbers()[0]).known}
    assert set(range(DAY, DAY + LENGTH + 1, SLOT_MS)) - known == {DAY + slot * SLOT_MS for slot in range(28, 37)}


def test_exchanges_are_those_of_the_span(site: Site) -> None:
    first, second, *_ = site.numbers()
    for number, time_ms in ((first, DAY), (first, DAY + 5), (second, DAY + LENGTH)):
        site.exchanged(number, time_ms)
    with database.reading(site.engine) as connection:
        assert facts.exchanges(connection, site.context(), DAY, DAY + LENGTH) == {first: [DAY, DAY + 5]}
