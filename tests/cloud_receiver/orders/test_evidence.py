"""The stored messages are checked anew: whoever changes the store without the keys is found."""

from typing import Any

import pytest
from intake_support import Bench
from key_support import BOTH_ALGORITHMS, new_key
from orders_support import ORDERS, Desk, reply, reply_payload
from receiver_support import DAY_MS, FakeGateway, enrol
from sqlalchemy import Engine, update

from cloud_receiver import database, enrolment
from cloud_receiver.orders import evidence
from cloud_receiver.orders.evidence import Evidence
from cloud_receiver.schema import command
from wire import topics
from wire.commands import Command, Outcome
from wire.envelope import Signer
from wire.keys import PublicKey
from wire.orders import Read, TellStatus, Verb

pytestmark = BOTH_ALGORITHMS


def examined(engine: Engine, desk: Desk, number: bytes, keys: list[PublicKey] | None = None) -> Evidence:
    with database.reading(engine) as connection:
        return evidence.examine(connection, desk.stored(number), keys or [desk.key.public_key()])


def change(engine: Engine, **values: Any) -> None:
    with database.writing(engine) as connection:
        connection.execute(update(command).values(**values))


@pytest.fixture
def answered(engine: Engine, gateway: FakeGateway) -> tuple[Desk, bytes]:
    desk = Desk(engine)
    number = desk.issue("gw1", ORDERS[Verb.READ])
    Bench(engine).take(reply(gateway, number, verb=Verb.READ))
    return desk, number


def test_what_is_stored_is_proved(engine: Engine, answered: tuple[Desk, bytes]) -> None:
    desk, number = answered
    found = examined(engine, desk, number)
    assert found.sound
    assert (found.order, found.order_kid) == (ORDERS[Verb.READ], Signer(desk.key).kid)
    assert found.reply is not None
    assert found.reply.outcome is Outcome.DONE


def test_an_unanswered_command_is_proved(engine: Engine, gateway: FakeGateway) -> None:
    desk = Desk(engine)
    found = examined(engine, desk, desk.issue())
    assert found.sound
    assert found.reply is None


def test_a_command_under_a_former_key_of_the_centre_is_proved_with_that(
    engine: Engine, answered: tuple[Desk, bytes]
) -> None:
    desk, number = answered
    new = new_key().public_key()
    found = examined(engine, desk, number, [new])
    assert not found.sound
    assert found.order_fault is not None
    assert "unknown key" in found.order_fault
    assert examined(engine, desk, number, [new, desk.key.public_key()]).sound


@pytest.mark.parametrize("column", ["envelope", "reply"])
def test_a_changed_message_is_found(engine: Engine, answered: tuple[Desk, bytes], column: str) -> None:
    desk, number = answered
    stored = desk.stored(number)
    data = bytearray(stored.envelope if column == "envelope" else stored.reply or b"")
    data[len(data) // 2] ^= 1
    change(engine, **{column: bytes(data)})
    found = examined(engine, desk, number)
    faults = {"envelope": found.order_fault, "reply": found.reply_fault}
    assert faults.pop(column) is not None
    assert list(faults.values()) == [None]


@pytest.mark.parametrize(
    ("values", "faulty"),
    [
        ({"verb": int(Verb.STATUS)}, "order"),
        ({"issued_ms": DAY_MS + 1}, "order"),
        ({"expires_ms": DAY_MS + 1}, "order"),
        ({"outcome": int(Outcome.REFUSED)}, "reply"),
        ({"reply_kid": bytes(8)}, "reply"),
    ],
)
def test_a_row_that_says_other_than_its_messages_is_found(
    engine: Engine, answered: tuple[Desk, bytes], values: dict[str, int], faulty: str
) -> None:
    desk, number = answered
    change(engine, **values)
    found = examined(engine, desk, number)
    fault, other = found.order_fault, found.reply_fault
    if faulty == "reply":
        fault, other = other, fault
    assert fault is not None
    assert "another than the store's row says" in fault
    assert other is None


def test_a_message_under_another_row_is_found(engine: Engine, answered: tuple[Desk, bytes]) -> None:
    desk, number = answered
    other = desk.issue("gw1", ORDERS[Verb.READ])
    stored = desk.stored(number)
    change(engine, envelope=stored.envelope, outcome=0, reply=stored.reply, reply_kid=stored.reply_kid, reply_ms=DAY_MS)
    found = examined(engine, desk, other)
    assert found.order_fault == "the signed command is another than the store's row says"
    assert found.reply_fault == "the signed reply is another than the store's row says"


def test_a_reply_of_another_gateway_is_found(engine: Engine, answered: tuple[Desk, bytes]) -> None:
    desk, number = answered
    other = enrol(engine, "gw2")
    forged = Signer(other.key).sign(reply_payload("gw1", number, verb=Verb.READ), topics.reply("gw1"))
    change(engine, reply=forged, reply_kid=Signer(other.key).kid)
    assert examined(engine, desk, number).reply_fault == "signed by gateway gw2"


def test_a_command_that_the_gateways_key_has_signed_is_none(engine: Engine, gateway: FakeGateway) -> None:
    desk = Desk(engine)
    number = desk.issue()
    forged = Command("gw1", number, DAY_MS, DAY_MS + 3_600_000, TellStatus()).encode()
    change(engine, envelope=Signer(gateway.key).sign(forged, topics.command("gw1")))
    assert not examined(engine, desk, number).sound


def test_a_reply_under_a_key_that_was_revoked_from_before_on_is_doubtful(
    engine: Engine, answered: tuple[Desk, bytes]
) -> None:
    desk, number = answered
    with database.writing(engine) as connection:
        enrolment.revoke(connection, "gw1", None, DAY_MS + 1)
    assert examined(engine, desk, number).sound  # revoked later
    with database.writing(engine) as connection:
        enrolment.revoke(connection, "gw1", None, DAY_MS)
    fault = examined(engine, desk, number).reply_fault
    assert fault is not None
    assert "doubtful" in fault


def test_values_of_another_meter_are_not_those_that_were_ordered(engine: Engine, gateway: FakeGateway) -> None:
    desk = Desk(engine)
    number = desk.issue("gw1", Read("C02"))
    Bench(engine).take(reply(gateway, number, verb=Verb.READ))
    fault = examined(engine, desk, number).reply_fault
    assert fault == "meter C02 was to be read, and the values are of C01"
