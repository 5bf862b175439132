"""The table of commands: what is listed, found by the first digits, and counted."""

import pytest
from intake_support import Bench
from orders_support import MINUTE_MS, Desk, reply
from receiver_support import DAY_MS, FakeGateway, enrol
from sqlalchemy import Engine, event, text

from cloud_receiver import database
from cloud_receiver.orders import book
from cloud_receiver.orders.book import OpenFigures
from wire.commands import Outcome


def listed(engine: Engine, gateway: str | None = None, open_at_ms: int | None = None, limit: int = 50) -> list[bytes]:
    with database.reading(engine) as connection:
        found = book.listed(connection, gateway_name=gateway, open_at_ms=open_at_ms, limit=limit)
    return [entry.id for entry in found]


def test_the_list_has_everything_and_the_newest_first(engine: Engine, gateway: FakeGateway) -> None:
    enrol(engine, "gw2")
    desk, bench = Desk(engine), Bench(engine)
    numbers = []
    for name in ("gw1", "gw2", "gw1", "gw2"):
        numbers.append(desk.issue(name, minutes=len(numbers) + 1))
        desk.now_ms += 1
    bench.take(reply(gateway, numbers[2]))
    assert listed(engine) == numbers[::-1]
    assert listed(engine, limit=2) == numbers[:1:-1]
    assert listed(engine, "gw1") == [numbers[2], numbers[0]]
    assert listed(engine, "gw9") == []
    assert listed(engine, open_at_ms=DAY_MS) == [numbers[3], numbers[1], numbers[0]]
    assert listed(engine, open_at_ms=DAY_MS + MINUTE_MS) == [numbers[3], numbers[1]]
    assert listed(engine, "gw1", open_at_ms=DAY_MS) == [numbers[0]]


@pytest.mark.parametrize(
    ("prefix", "found"),
    [("00", 1), ("ff", 2), ("ffff", 1), ("fffe", 1), ("7f" * 16, 1), ("", 4), ("80", 0), ("ff" * 16, 1)],
)
def test_a_command_is_found_by_how_its_id_begins(engine: Engine, gateway: FakeGateway, prefix: str, found: int) -> None:
    desk = Desk(engine)
    ids = [bytes(16), b"\xff" * 16, b"\xff\xfe" + bytes(14), b"\x7f" * 16]
    for number in ids:
        desk._numbers = iter([int.from_bytes(number, "big")])
        assert desk.issue() == number
    with database.reading(engine) as connection:
        numbers = book.beginning_with(connection, bytes.fromhex(prefix), 10)
    assert len(numbers) == found
    assert all(number.hex().startswith(prefix) for number in numbers)


def test_an_expired_command_stays_visible_as_such(engine: Engine, gateway: FakeGateway) -> None:
    desk = Desk(engine)
    number = desk.issue(minutes=1)
    end_ms = DAY_MS + MINUTE_MS
    assert desk.entry(number).state(end_ms - 1) == "new"
    assert desk.entry(number).state(end_ms) == "expired"
    assert listed(engine) == [number]
    with database.reading(engine) as connection:
        assert book.waiting(connection, end_ms) == []
        assert book.figures(connection, end_ms - 1) == OpenFigures(1, DAY_MS, 0)
        assert book.figures(connection, end_ms) == OpenFigures(0, None, 1)


def test_a_command_is_claimed_once_and_not_when_it_is_over(engine: Engine, gateway: FakeGateway) -> None:
    desk = Desk(engine)
    number = desk.issue(minutes=1)
    entry = desk.entry(number)
    with database.writing(engine) as connection:
        assert book.claim(connection, entry, DAY_MS + MINUTE_MS) is None  # expired
        assert book.claim(connection, entry, DAY_MS + 5) == desk.stored(number).envelope
        assert book.claim(connection, entry, DAY_MS + 6) is None  # somebody was faster
    later = desk.entry(number)
    assert (later.published, later.published_ms) == (1, DAY_MS + 5)
    Bench(engine).take(reply(gateway, number))
    with database.writing(engine) as connection:
        assert book.claim(connection, later, DAY_MS + 7) is None  # answered


def test_the_verb_of_a_newer_program_is_shown_by_its_number(engine: Engine, gateway: FakeGateway) -> None:
    desk = Desk(engine)
    number = desk.issue()
    assert desk.entry(number).verb_name == "status"
    with database.writing(engine) as connection:
        connection.execute(text("UPDATE command SET verb = 77"))
    assert desk.entry(number).verb_name == "77"


def test_what_runs_twice_a_second_reads_no_more_than_what_is_open(engine: Engine, gateway: FakeGateway) -> None:
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    with database.reading(engine) as connection:
        event.listen(engine, "before_cursor_execute", note)
        book.waiting(connection, DAY_MS)
        event.remove(engine, "before_cursor_execute", note)
        (statement,) = asked
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (DAY_MS, 3)).all()
    assert any("ix_command_expires_ms" in row.detail for row in plan), plan
    assert not any(row.detail.startswith("SCAN command") for row in plan), plan


@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_is_final(engine: Engine, gateway: FakeGateway, outcome: Outcome) -> None:
    desk = Desk(engine)
    number = desk.issue()
    assert not desk.entry(number).final
    Bench(engine).take(reply(gateway, number, outcome))
    assert desk.entry(number).final == (outcome is not Outcome.UNDER_WAY)
