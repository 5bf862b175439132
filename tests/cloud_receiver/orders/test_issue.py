"""A command is signed for its gateway and entered, or refused by name."""

import pytest
from orders_support import MINUTE_MS, ORDERS, Desk
from receiver_support import DAY_MS, FakeGateway, enrol
from sqlalchemy import Engine, insert, select

from cloud_receiver import database, enrolment, schema
from cloud_receiver.orders import issue
from cloud_receiver.orders.issue import OrderError
from wire import topics
from wire.commands import LONGEST_VALIDITY_MS, Command
from wire.envelope import Signer
from wire.fields import MessageError
from wire.orders import Order, Read, TellStatus, Verb


@pytest.mark.parametrize("order", ORDERS.values(), ids=lambda order: type(order).__name__)
def test_a_command_is_entered_signed_and_new(engine: Engine, gateway: FakeGateway, order: Order) -> None:
    desk = Desk(engine)
    number = desk.issue("gw1", order, minutes=5)
    expected = Command("gw1", number, DAY_MS, DAY_MS + 5 * MINUTE_MS, order)
    assert desk.opened(topics.command("gw1"), desk.stored(number).envelope) == expected
    entry = desk.entry(number)
    assert (entry.gateway, entry.station, entry.verb, entry.author) == ("gw1", "S1", int(expected.verb), "tester")
    assert (entry.published, entry.published_ms, entry.outcome, entry.state(DAY_MS)) == (0, None, None, "new")
    assert entry.offline  # never heard of


def test_ids_are_random(engine: Engine, gateway: FakeGateway) -> None:
    desk = Desk(engine)
    with database.writing(engine) as connection:
        numbers = {
            issue.issue(*(connection, Signer(desk.key), "gw1", TellStatus()), author="a", now_ms=DAY_MS, valid_ms=1)
            for _ in range(50)
        }
    assert len(numbers) == 50
    assert {len(number) for number in numbers} == {16}


def test_a_gateway_that_nobody_enrolled_is_refused(engine: Engine) -> None:
    with pytest.raises(OrderError, match="'gw9' is not enrolled"):
        Desk(engine).issue("gw9")


def test_a_gateway_is_refused_once_all_its_keys_are_revoked(engine: Engine, gateway: FakeGateway) -> None:
    desk = Desk(engine)
    with database.writing(engine) as connection:
        enrolment.revoke(connection, "gw1", None, DAY_MS + 1)
    desk.issue()  # the end is settled, and has not come
    desk.now_ms += 1
    with pytest.raises(OrderError, match="all its keys are revoked"):
        desk.issue()
    with database.writing(engine) as connection:
        enrolment.add(connection, "gw1", FakeGateway("gw1", desk.key).key.public_key(), "S1", 0)
    desk.issue()


@pytest.mark.parametrize(
    ("order", "said"),
    [(Read(""), "meter: expected 1 to 64 bytes"), (Read("x" * 65), "got 65"), (Read("C01", ("",)), "points")],
)
def test_an_order_that_is_none_is_not_entered(engine: Engine, gateway: FakeGateway, order: Order, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Desk(engine).issue("gw1", order)
    with database.reading(engine) as connection:
        assert connection.execute(select(schema.command)).all() == []


@pytest.mark.parametrize("minutes", [0, -1, LONGEST_VALIDITY_MS // MINUTE_MS + 1])
def test_a_command_is_valid_for_at_most_a_week(engine: Engine, gateway: FakeGateway, minutes: int) -> None:
    with pytest.raises(MessageError, match="expire"):
        Desk(engine).issue(minutes=minutes)


@pytest.mark.parametrize("author", ["", "x" * 65, "a\nb", "\x1b[31m"])
def test_who_orders_has_a_name_that_can_be_shown(engine: Engine, gateway: FakeGateway, author: str) -> None:
    desk = Desk(engine)
    with database.writing(engine) as connection, pytest.raises(OrderError, match="author"):
        issue.issue(*(connection, Signer(desk.key), "gw1", TellStatus()), author=author, now_ms=DAY_MS, valid_ms=1)


def test_the_present_journal_is_the_one_of_the_status_then_the_newest(engine: Engine, gateway: FakeGateway) -> None:
    enrol(engine, "gw2")
    with database.writing(engine) as connection:
        number = connection.execute(select(schema.gateway.c.id).where(schema.gateway.c.name == "gw1")).scalar_one()
        with pytest.raises(OrderError, match="--context"):
            issue.present_journal(connection, "gw1")
        for context in (b"journal1", b"journal2"):
            connection.execute(insert(schema.journal).values(gateway=number, context=context, opened_ms=1))
        assert issue.present_journal(connection, "gw1") == b"journal2"
        values = dict.fromkeys(("state", "time_ms", "seen_ms", "next_sequence", "unacknowledged"), 1)
        values |= {"clock_state": 1, "dropped": 0}
        connection.execute(insert(schema.gateway_status).values(gateway=number, context=b"journal3", **values))
        assert issue.present_journal(connection, "gw1") == b"journal3"
        with pytest.raises(OrderError, match="gw2"):
            issue.present_journal(connection, "gw2")


def test_every_verb_is_tried() -> None:
    assert set(ORDERS) == set(Verb)
