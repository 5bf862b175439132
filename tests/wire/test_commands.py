"""Commands and replies come back as they went out, and what is not one is refused by name."""

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import strict
from wire.commands import LONGEST_VALIDITY_MS, Command, Outcome, Reply, UnknownVerbError
from wire.fields import MessageError
from wire.orders import Configure, ConfigureAction, Order, Read, ReadDay, Resend, TellStatus, Verb
from wire.records import FreezeKind, FreezeRecord, FreezeSource
from wire.results import (
    Configuration,
    ConfigurationState,
    DayRead,
    Figures,
    MeterRead,
    Resent,
    Result,
    SlotFactor,
    StoredFreeze,
)

NOW = 1_790_000_000_000
ID = bytes(range(16))
DIGEST = bytes(range(32))
FREEZE = FreezeRecord("m1", NOW, FreezeKind.DAILY, 1, 2, 3, 10**15, FreezeSource.METER)
ORDERS: list[Order] = [
    Read("m1"),
    Read("m1", ("power", "voltage_a")),
    ReadDay("2026-07-01"),
    ReadDay("2026-07-01", ("m1",), from_meters=True),
    Resend(bytes(8), 1, 7),
    TellStatus(),
    Configure(ConfigureAction.SHOW),
    Configure(ConfigureAction.SET, "a = 1", DIGEST, 60),
    Configure(ConfigureAction.ROLL_BACK),
]
RESULTS: list[tuple[Verb, Result]] = [
    (Verb.READ, MeterRead("m1", NOW, {"power": -3}, {"voltage_a": "no value"})),
    (
        Verb.READ_DAY,
        DayRead(
            (StoredFreeze(0, FREEZE), StoredFreeze(9, replace(FREEZE, kind=FreezeKind.MONTHLY))),
            (SlotFactor(NOW, None, NOW, b"s"), SlotFactor(NOW, 500_000, NOW, b"t")),
            {"m2": "does not answer"},
        ),
    ),
    (Verb.RESEND, Resent(((1, 2), (4, 4)), ((3, 3),))),
    (Verb.STATUS, Figures({"version": "1.0", "line.a.ok": 3, "clock.offset_ms": -7})),
    (Verb.CONFIGURE, Configuration(ConfigurationState.ON_TRIAL, DIGEST, DIGEST, "a = 1", ("x: y",))),
    (Verb.CONFIGURE, Configuration(ConfigurationState.FILE, DIGEST)),
]


def command(order: Order) -> Command:
    return Command("gw", ID, NOW, NOW + 60_000, order)


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: type(order).__name__)
def test_a_command_comes_back_as_it_went_out(order: Order) -> None:
    assert Command.decode(command(order).encode()) == command(order)


@pytest.mark.parametrize(("verb", "result"), RESULTS, ids=lambda item: getattr(item, "name", ""))
def test_a_reply_comes_back_as_it_went_out(verb: Verb, result: Result) -> None:
    reply = Reply("gw", ID, NOW, Outcome.DONE, "", verb, result)
    assert Reply.decode(reply.encode()) == reply


def test_a_reply_without_a_result_comes_back() -> None:
    reply = Reply("gw", ID, NOW, Outcome.REFUSED, "no meter 'x'", Verb.READ)
    assert Reply.decode(reply.encode()) == reply
    assert Reply.decode(replace(reply, verb=None).encode()) == replace(reply, verb=None)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (ReadDay("2026-W01-1"), "a date such as"),
        (ReadDay("2026-02-30"), "a date such as"),
        (Resend(bytes(8), 7, 6), "at least the first, 7, got 6"),
        (Resend(bytes(7), 1, 1), "expected 8 to 8 bytes"),
        (Configure(ConfigureAction.SET), "one with the action SET"),
        (Configure(ConfigureAction.SHOW, "a = 1"), "with no other"),
        (Configure(ConfigureAction.SET, "x" * 65_537), "65537"),
        (Read(""), "1 to 64 bytes"),
        (Read("m", ("p",) * 257), "256 items, got 257"),
    ],
)
def test_an_order_that_is_none_is_not_written(order: Order, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        command(order).encode()


@pytest.mark.parametrize("lasting", [0, -1, LONGEST_VALIDITY_MS + 1])
def test_a_command_is_valid_for_a_while_but_not_for_ever(lasting: int) -> None:
    never = replace(command(TellStatus()), expires_ms=NOW + lasting)
    with pytest.raises(MessageError, match="expire"):
        never.encode()
    parts = strict.load(command(TellStatus()).encode())
    assert isinstance(parts, dict)
    with pytest.raises(MessageError, match="expire"):
        Command.decode(strict.dump({**parts, 4: NOW + lasting}))


def test_a_verb_of_a_later_program_is_told_with_what_a_reply_needs() -> None:
    parts = strict.load(command(TellStatus()).encode())
    assert isinstance(parts, dict)
    with pytest.raises(UnknownVerbError, match="got 77") as caught:
        Command.decode(strict.dump({**parts, 5: 77}))
    assert (caught.value.gateway, caught.value.id) == ("gw", ID)


@pytest.mark.parametrize("key", [1, 2, 3, 4, 5, 6])
def test_a_command_without_one_of_its_keys_is_refused(key: int) -> None:
    parts = strict.load(command(Read("m1")).encode())
    assert isinstance(parts, dict)
    del parts[key]
    with pytest.raises(MessageError, match=rf"\(key {key}\) is missing"):
        Command.decode(strict.dump(parts))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({5: 1, 6: {1: "m", 2: "power"}}, "points"),
        ({5: 2, 6: {1: "2026-07-01", 3: 1}}, "true or false"),
        ({5: 5, 6: {1: 3}}, "action"),
        ({5: 5, 6: {1: 0, 4: 9}}, "trial_s"),
        ({6: []}, "expected a map"),
        ({2: bytes(15)}, "16"),
    ],
)
def test_arguments_of_another_form_are_refused(change: dict[int, object], said: str) -> None:
    parts = strict.load(command(TellStatus()).encode())
    assert isinstance(parts, dict)
    with pytest.raises(MessageError, match=said):
        Command.decode(strict.dump({**parts, **change}))


def test_a_result_is_the_verbs_own() -> None:
    parts = strict.load(Reply("gw", ID, NOW, Outcome.DONE, "", *RESULTS[0]).encode())
    assert isinstance(parts, dict)
    with pytest.raises(MessageError, match="freezes"):
        Reply.decode(strict.dump({**parts, 6: int(Verb.READ_DAY)}))
    del parts[6]
    with pytest.raises(MessageError, match="without the verb"):
        Reply.decode(strict.dump(parts))


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_a_message_or_a_message_error(data: bytes) -> None:
    for kind in (Command, Reply):
        try:
            kind.decode(data)
        except MessageError:
            continue


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5) | st.binary(max_size=16),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(0, 8), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(range(8)), VALUES, st.sampled_from(RESULTS))
def test_any_value_in_any_place_is_a_message_or_a_message_error(
    key: int, value: object, result: tuple[Verb, Result]
) -> None:
    for message, kind in (
        (command(Read("m1", ("power",))).encode(), Command),
        (Reply("gw", ID, NOW, Outcome.DONE, "x", *result).encode(), Reply),
    ):
        parts: dict[int, Any] = cbor2.loads(message)
        inner = parts[6 if kind is Command else 7]
        for changed in ({**parts, key: value}, {**parts, 6 if kind is Command else 7: {**inner, key: value}}):
            try:
                kind.decode(strict.dump(changed))
            except MessageError:
                continue
