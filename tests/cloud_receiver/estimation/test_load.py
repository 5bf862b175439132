"""Reading from the store: clocks of the messages that brought intervals, and exchanges."""

import random
from collections.abc import Callable

import pytest
from estimation_support import DAY, LENGTH, Site, replace_row, rows_of
from receiver_support import SLOT_MS, enrol
from sqlalchemy import insert, select

from cloud_receiver import database
from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.estimation import facts, load
from cloud_receiver.estimation.registers import Registers
from cloud_receiver.schema import gateway, journal, message
from wire.records import ClockState, Quality


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


def ordinary(row: IntervalRow, _dice: random.Random) -> IntervalRow:
    """Leave a row as it is."""
    return row


def turned(row: IntervalRow, dice: random.Random) -> IntervalRow:
    """Let some of a meter's energy flow the other way."""
    return replace_row(row, reverse_mwh=dice.choice([0, 10_000]), reverse_total_mwh=20_000)


def doubtful(row: IntervalRow, dice: random.Random) -> IntervalRow:
    """Let some be partial or interpolated."""
    return replace_row(row, quality=int(dice.choice([Quality.MEASURED, Quality.INTERPOLATED, Quality.PARTIAL])))


def of_other_times(row: IntervalRow, dice: random.Random) -> IntervalRow:
    """Let some begin late, or be twice as long."""
    start_ms, duration_ms = row.start_ms + dice.choice([0, 0, 450_000]), dice.choice([SLOT_MS] * 9 + [2 * SLOT_MS])
    return replace_row(row, start_ms=start_ms, duration_ms=duration_ms)


def sent_again(row: IntervalRow, dice: random.Random) -> IntervalRow:
    """Let some come from another journal, with negative numbers and ones of 63 bits."""
    forward_mwh, total_mwh = dice.choice([1, -1]) * row.forward_mwh, dice.choice([row.forward_total_mwh, 2**63 - 1])
    return replace_row(row, journal=dice.choice([1, 2]), forward_mwh=forward_mwh, forward_total_mwh=total_mwh)


@pytest.mark.parametrize("some", [ordinary, turned, doubtful, of_other_times, sent_again])
@pytest.mark.parametrize("share", [0.02, 1.0])
def test_registers_are_those_of_all_rows_one_by_one(
    site: Site, some: Callable[[IntervalRow, random.Random], IntervalRow], share: float
) -> None:
    dice = random.Random(7)
    rows = [some(row, dice) if dice.random() < share else row for row in rows_of(site.numbers(), 6)]
    # Twice the same quarter of a meter, as another record.
    rows += [replace_row(row, sequence=row.sequence + 1_000_000) for row in rows if dice.random() < 0.01]
    dice.shuffle(rows)
    site.store(rows)
    first_ms, end_ms = DAY - LENGTH // 4, DAY + 5 * LENGTH + LENGTH // 3
    reader = load.Reader(site.engine, site.context().number, first_ms, end_ms, inverted=())
    assert list(reader.days()) == [4, 6]
    plain = Registers()
    for day_ms in range(first_ms, end_ms, LENGTH):
        plain.add(row for row in rows if day_ms <= row.start_ms < min(day_ms + LENGTH, end_ms))
    assert reader.rows == sum(first_ms <= row.start_ms < end_ms for row in rows)
    for number in site.numbers():
        read, given = reader.registers.of(number), plain.of(number)
        assert [(one.time_ms, one.net_mwh, one.segment) for one in read.known] == [
            (one.time_ms, one.net_mwh, one.segment) for one in given.known
        ]
        assert (read.breaks, read.unclear, len(read.jumps)) == (given.breaks, given.unclear, len(given.jumps))
        assert read.counted_mwh(first_ms, end_ms) == given.counted_mwh(first_ms, end_ms)
        assert read.known
