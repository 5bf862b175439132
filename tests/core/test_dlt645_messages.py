"""The messages of DL/T 645-2007 in both directions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import Dlt645Error, Dlt645Frame, dlt645_build, dlt645_parse

METER = "123456789012"
U8 = st.integers(0, 255)
DI = st.integers(0, 0xFFFFFFFF)
DATA = st.binary(max_size=60)
DIGITS = st.text("0123456789", min_size=12, max_size=12)
BAUD = st.sampled_from([600, 1200, 2400, 4800, 9600, 19200])
PARTS = {
    "year": st.integers(0, 99),
    "month": st.integers(1, 12),
    "day": st.integers(1, 31),
    "hour": st.integers(0, 23),
    "minute": st.integers(0, 59),
    "second": st.integers(0, 59),
}
SINCE = st.fixed_dictionaries({part: PARTS[part] for part in ("year", "month", "day", "hour", "minute")})
TIME = st.fixed_dictionaries(PARTS)
FREEZE_PARTS = ("month", "day", "hour", "minute")


@st.composite
def freezes(draw: st.DrawFn) -> dict[str, int]:
    """Return a freeze time whose high parts may be any (99)."""
    any_parts = draw(st.integers(0, 4))
    return {part: 99 if at < any_parts else draw(PARTS[part]) for at, part in enumerate(FREEZE_PARTS)}


AUTHORITY: dict[str, st.SearchStrategy[Any]] = {
    "level": U8,
    "password": st.binary(min_size=3, max_size=3),
    "operator": st.binary(min_size=4, max_size=4),
}


def _request(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"kind": st.just(kind), "reply": st.just(False), **fields})


def _reply(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"kind": st.just(kind), "reply": st.just(True), **fields})


DONE = ["write", "write_address", "freeze", "clear_demand", "clear_meter", "clear_events", "control"]
REFUSABLE = [*DONE, "read", "read_next", "read_address", "change_baud", "change_password", "output", "security"]
NEW: dict[str, st.SearchStrategy[Any]] = {"new_level": U8, "new_password": st.binary(min_size=3, max_size=3)}
REQUESTS = st.one_of(
    _request("read", di=DI),
    _request("read", di=DI, blocks=U8),
    _request("read", di=DI, blocks=U8, since=SINCE),
    _request("read_next", di=DI, seq=U8),
    _request("read_address"),
    _request("write", di=DI, data=DATA, **AUTHORITY),
    _request("write_address", address=DIGITS),
    _request("time_sync", time=TIME),
    _request("freeze", time=freezes()),
    _request("change_baud", baud=BAUD),
    _request("change_password", di=DI, level=U8, password=AUTHORITY["password"], **NEW),
    _request("clear_demand", **AUTHORITY),
    _request("clear_meter", **AUTHORITY),
    _request("clear_events", di=DI, **AUTHORITY),
    _request("control", data=DATA, **AUTHORITY),
    _request("output", data=DATA),
    _request("security", data=DATA),
)
REPLIES = st.one_of(
    _reply("read", di=DI, data=DATA, more=st.booleans()),
    _reply("read_next", di=DI, data=DATA, seq=U8, more=st.booleans()),
    _reply("read_address", address=DIGITS),
    _reply("change_baud", baud=BAUD),
    _reply("change_password"),
    _reply("change_password", **NEW),
    st.sampled_from(DONE).flatmap(_reply),
    _reply("output", data=DATA),
    _reply("security", data=DATA),
)


@given(st.one_of(REQUESTS, REPLIES), DIGITS)
def test_a_message_is_read_as_it_was_built(message: dict[str, Any], address: str) -> None:
    frame = dlt645_build(address, message)
    assert frame.address == address
    assert frame.from_meter == message["reply"]
    assert dlt645_parse(frame) == message


@given(st.sampled_from(REFUSABLE), U8)
def test_a_refusal_is_read_as_it_was_built(kind: str, error: int) -> None:
    frame = dlt645_build(METER, {"kind": kind, "reply": True, "error": error})
    assert frame.abnormal
    parsed = dlt645_parse(frame)
    assert parsed["error"] == error
    assert len(parsed["reasons"]) == error.bit_count()
    assert dlt645_build(METER, parsed) == frame


@given(U8, st.binary(max_size=24))
def test_what_is_read_builds_the_same_frame_and_the_rest_is_refused(control: int, data: bytes) -> None:
    frame = Dlt645Frame(METER, control, data)
    try:
        message = dlt645_parse(frame)
    except Dlt645Error:
        return
    try:
        assert dlt645_build(METER, message) == frame
    except Dlt645Error:
        # An address field may hold what no address is; it is shown, not written again.
        assert not message["address"].replace("AA", "").isdecimal()


@pytest.mark.parametrize(
    ("message", "control", "data"),
    [
        ({"kind": "read_address"}, 0x13, ""),
        ({"kind": "read", "di": 0x00010000}, 0x11, "00000100"),
        ({"kind": "read_next", "di": 0x0600FF01, "seq": 1}, 0x12, "01ff000601"),
        (
            {
                "kind": "read",
                "di": 0x06000001,
                "blocks": 3,
                "since": {"year": 26, "month": 2, "day": 1, "hour": 8, "minute": 30},
            },
            0x11,
            "010000060330080102 26",
        ),
        ({"kind": "change_baud", "baud": 9600}, 0x17, "20"),
        ({"kind": "freeze", "time": {"month": 99, "day": 1, "hour": 0, "minute": 0}}, 0x16, "00000199"),
        ({"kind": "freeze", "time": {"month": 99, "day": 99, "hour": 0, "minute": 30}}, 0x16, "30009999"),
        ({"kind": "freeze", "time": dict.fromkeys(FREEZE_PARTS, 99)}, 0x16, "99999999"),
        (
            {
                "kind": "time_sync",
                "time": {"year": 26, "month": 11, "day": 20, "hour": 23, "minute": 59, "second": 58},
            },
            0x08,
            "585923201126",
        ),
        (
            {
                "kind": "write",
                "di": 0x04000102,
                "level": 2,
                "password": bytes.fromhex("010203"),
                "operator": bytes.fromhex("0a0b0c0d"),
                "data": bytes.fromhex("563412"),
            },
            0x14,
            "02010004 02010203 0a0b0c0d 563412",
        ),
        ({"kind": "read", "reply": True, "di": 0x00010000, "data": b"\x01", "more": True}, 0xB1, "0000010001"),
        ({"kind": "read_next", "reply": True, "di": 0x00010000, "data": b"\x02", "seq": 1}, 0x92, "000001000201"),
        ({"kind": "write", "reply": True, "error": 0x04}, 0xD4, "04"),
        ({"kind": "control", "reply": True}, 0x9C, ""),
    ],
)
def test_messages_have_the_bytes_of_the_standard(message: dict[str, Any], control: int, data: str) -> None:
    assert dlt645_build(METER, message) == Dlt645Frame(METER, control, bytes.fromhex(data))


@pytest.mark.parametrize(
    ("control", "data", "told"),
    [
        (0x01, "", "01H: not a function"),
        (0x1E, "", "1EH: not a function"),
        (0x51, "00000100", "51H: not a request"),
        (0x88, "", "88H: not a reply"),
        (0xC8, "04", "C8H: not a reply"),
        (0xB4, "", "B4H: nothing can follow"),
        (0xF1, "04", "F1H: nothing can follow"),
        (0xD1, "", "byte 0: expected 1 bytes for the ERR byte, got 0"),
        (0xD1, "0404", "byte 1: expected 0 bytes"),
        (0x11, "000001", "byte 0: expected 4 bytes for the data identifier, got 3"),
        (0x11, "00000100 01 3008", "byte 5: expected 5 bytes for a time, got 2"),
        (0x11, "00000100 01 3008010226 00", "byte 10: expected 0 bytes for the end of the request, got 1"),
        (0x12, "00000100", "byte 4: expected 1 bytes for the sequence"),
        (0x92, "00000100", "byte 4: expected 1 bytes for the sequence"),
        (0x14, "00000100 02010203 0a0b0c", "byte 8: expected 4 bytes for the operator code, got 3"),
        (0x08, "25401A050617", "byte 2: expected two decimal digits"),
        (0x08, "254010051317", "expected month from 1 to 12, got 13"),
        (0x08, "999999999999", "expected month from 1 to 12, got 99"),
        (0x16, "99009901", "99 for any only below"),
        (0x16, "60010101", "expected minute from 0 to 59, got 60"),
        (0x17, "30", "byte 0: expected a baud characteristic with one of the bits 1 to 6, got 30H"),
        (0x17, "80", "got 80H"),
        (0x97, "01", "got 01H"),
        (0x94, "00", "byte 0: expected 0 bytes for the end of the reply, got 1"),
        (0x93, "0100000000", "byte 0: expected 6 bytes for the address, got 5"),
    ],
)
def test_what_the_standard_does_not_have_is_refused(control: int, data: str, told: str) -> None:
    with pytest.raises(Dlt645Error, match=told):
        dlt645_parse(Dlt645Frame(METER, control, bytes.fromhex(data)))


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({}, 'expected a message with "kind"'),
        ({"kind": "reed"}, 'expected a kind of .*, got "reed"'),
        ({"kind": "read"}, 'expected a message with "di"'),
        ({"kind": "read", "di": 0, "block": 1}, 'got "block"'),
        ({"kind": "read", "di": 0, "since": {"year": 26}}, "a number of blocks before the time"),
        ({"kind": "read", "di": 0, "blocks": 1, "since": {"year": 26}}, "exactly the parts of the format"),
        ({"kind": "time_sync", "time": {"hours": 1}}, 'got "hours"'),
        ({"kind": "time_sync", "reply": True}, "88H: not a reply"),
        ({"kind": "change_baud", "baud": 300}, "19200 bits a second, got 300"),
        (
            {"kind": "clear_meter", "level": 2, "password": b"12", "operator": bytes(4)},
            'expected 3 bytes for "password"',
        ),
        ({"kind": "write_address", "address": "12345678901B"}, "decimal digits"),
    ],
)
def test_a_message_that_is_none_is_refused(message: dict[str, Any], told: str) -> None:
    with pytest.raises(Dlt645Error, match=told) as refused:
        dlt645_build(METER, message)
    assert refused.value.offset >= 0
