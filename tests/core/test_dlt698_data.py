"""Data items of DL/T 698.45 on the wire, and what is refused on either side and how it is named."""

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import diantan_core as core


@given(st.binary(max_size=100) | st.lists(st.integers(0, 9), max_size=80).map(bytes))
def test_any_bytes_decode_or_are_refused(octets: bytes) -> None:
    refusal = None
    try:
        item = core.dlt698_decode_data(octets)
    except core.Dlt698DecodeError as error:
        refusal = error
    if refusal is None:
        assert len(core.dlt698_encode_data(item)) <= len(octets)
    else:
        assert 0 <= refusal.offset <= len(octets)
        assert str(refusal) == f"byte {refusal.offset}: expected {refusal.expected}, got {refusal.found}"


WIRE = [
    (("null", None), "00"),
    (("array", [("unsigned", 1), ("unsigned", 2)]), "01 02 11 01 11 02"),
    (("structure", []), "02 00"),
    (("bool", True), "03 01"),
    (("bit_string", "1010000011"), "04 0A A0 C0"),
    (("double_long", -2), "05 FF FF FF FE"),
    (("double_long_unsigned", 123456), "06 00 01 E2 40"),
    (("visible_string", "V1é"), "0A 03 56 31 E9"),
    (("utf8_string", "表"), "0C 03 E8 A1 A8"),
    (("integer", -128), "0F 80"),
    (("long", -1), "10 FF FF"),
    (("long64", -1), "14 FF FF FF FF FF FF FF FF"),
    (("long64_unsigned", 2**64 - 1), "15 FF FF FF FF FF FF FF FF"),
    (("float32", 0.5), "17 3F 00 00 00"),
    (("float64", -2.0), "18 C0 00 00 00 00 00 00 00"),
    (
        ("date_time_s", {"year": 2016, "month": 1, "day": 20, "hour": 0, "minute": 0, "second": 0}),
        "1C 07E0 01 14 000000",
    ),
    (("ti", {"unit": 1, "interval": 15}), "54 01 00 0F"),
    (("scaler_unit", {"scaler": -2, "unit": 33}), "59 FE 21"),
    (("comdcb", {"baud": 6, "parity": 2, "data_bits": 8, "stop_bits": 1, "flow": 0}), "5F 06 02 08 01 00"),
]


@pytest.mark.parametrize(("item", "wire"), WIRE, ids=[str(item[0]) for item, _ in WIRE])
def test_data_on_the_wire(item: tuple[str, Any], wire: str) -> None:
    assert core.dlt698_encode_data(item) == bytes.fromhex(wire)
    assert core.dlt698_decode_data(bytes.fromhex(wire)) == item


def test_setting_a_carbon_factor() -> None:
    # The form that a real carbon meter is read with: SET of 4120, one factor (电碳因子) for a whole day.
    day = {"year": 2025, "month": 4, "day": 3, "hour": 0, "minute": 0, "second": 0}
    factors = ("array", [("long_unsigned", 5703)])
    table = ("structure", [("date_time_s", day), ("ti", {"unit": 3, "interval": 1}), factors])
    apdu = ("set_request", ("normal", {"piid": 2, "oad": 0x41200200, "data": table, "time_tag": None}))
    wire = bytes.fromhex("06 01 02 41200200 02 03 1C 07E9 04 03 000000 54 03 0001 01 01 12 1647 00")
    assert core.dlt698_encode_apdu(apdu) == wire
    assert core.dlt698_decode_apdu(wire) == apdu


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.0, 1.1])
def test_floats_keep_their_bits(value: float) -> None:
    wide, narrow = core.dlt698_encode_data(("float64", value)), core.dlt698_encode_data(("float32", value))
    assert wide[1:] == struct.pack(">d", value)
    assert narrow[1:] == struct.pack(">f", value)
    _, back = core.dlt698_decode_data(narrow)
    assert struct.pack(">d", back) == struct.pack(">d", struct.unpack(">f", narrow[1:])[0])


REFUSED: list[tuple[object, str]] = [
    (("unsigned", 256), "value.unsigned: expected an unsigned integer of 8 bits, got 256"),
    (("unsigned", -1), "an unsigned integer of 8 bits, got -1"),
    (("integer", 128), "a signed integer of 8 bits, got 128"),
    (("long64_unsigned", 2**64), "an unsigned integer of 64 bits"),
    (("long64", -(2**63) - 1), "a signed integer of 64 bits"),
    (("long64", 2**200), "an integer of at most 64 bits, got a longer one"),
    (("unsigned", True), "value.unsigned: expected an integer, got a boolean"),
    (("unsigned", 1.0), "value.unsigned: expected an integer, got a float"),
    (("bool", 1), "value.bool: expected a boolean, got an integer"),
    (("float64", 1), "value.float64: expected a 64-bit float, got an integer"),
    (("float32", 1e39), "a float of 32 bits"),
    (("bit_string", "012"), "a text of 0 and 1, got '2'"),
    (("visible_string", "表"), "characters up to U+00FF"),
    (("octet_string", "00"), "value.octet_string: expected bytes, got a text"),
    (("array", [("null", None), ("enum", 300)]), "value.array[1].enum: expected an unsigned integer"),
    (("ti", {"unit": 1}), "value.ti: expected the field interval, got none"),
    (("ti", {"unit": 1, "interval": 1, "extra": 1}), 'value.ti: expected unit, interval, got "extra"'),
    (("ti", {1: 1}), "expected a name, got int"),
    (("int32", 1), 'got "int32"'),
    (("null",), "a tuple of name and value, got a tuple of 1"),
    ((1, None), "expected a name, got int"),
    (("null", object()), "got object"),
    (None, "expected a choice, got nothing"),
    (("octet_string", bytes(65536)), "at most 65535 bytes"),
]


@pytest.mark.parametrize(("item", "message"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_what_does_not_fit_is_named(item: Any, message: str) -> None:
    with pytest.raises(core.Dlt698EncodeError) as refusal:
        core.dlt698_encode_data(item)
    assert message in str(refusal.value)
    assert str(refusal.value) == f"{refusal.value.path}: expected {refusal.value.expected}, got {refusal.value.found}"


def test_rows_have_as_many_cells_as_there_are_columns() -> None:
    rows: list[list[tuple[str, object]]] = [[("null", None)]]
    columns = [("oad", 1), ("oad", 2)]
    table = {"oad": 0x50040200, "columns": columns, "result": ("rows", rows)}
    body = {"piid_acd": 0, "record": table, "follow_report": None, "time_tag": None}
    with pytest.raises(core.Dlt698EncodeError, match=r"result\.rows\[0\]: expected as many cells as columns \(2\)"):
        core.dlt698_encode_apdu(("get_response", ("record", body)))
    rows[0].append(("unsigned", 7))
    encoded = core.dlt698_encode_apdu(("get_response", ("record", body)))
    assert encoded.hex() == "850300500402000200000000010000000002010100" + "1107" + "0000"
    columns.clear()
    with pytest.raises(core.Dlt698EncodeError, match="at least one"):
        core.dlt698_encode_apdu(("get_response", ("record", body)))


def test_depth_is_limited_both_ways() -> None:
    with pytest.raises(core.Dlt698DecodeError, match="byte 33: expected at most 16 lists in each other"):
        core.dlt698_decode_data(b"\x01\x01" * 20_000 + b"\x00")
    item: tuple[str, Any] = ("null", None)
    for _ in range(16):
        item = ("array", [item])
    assert core.dlt698_decode_data(core.dlt698_encode_data(item)) == item
    for _ in range(2):
        item = ("array", [item])
    with pytest.raises(core.Dlt698EncodeError, match="16 lists"):
        core.dlt698_encode_data(item)
    endless: list[Any] = []
    endless.append(("array", endless))
    with pytest.raises(core.Dlt698EncodeError, match="64 levels"):
        core.dlt698_encode_data(("array", endless))


@pytest.mark.parametrize("head", ["01", "02", "09", "0A", "04", "60"])
@pytest.mark.parametrize("length", ["84FFFFFFFF", "83FFFFFF", "82FFFF", "7F", "85", "80", "FF"])
def test_a_length_beyond_the_end_costs_nothing(head: str, length: str) -> None:
    with pytest.raises(core.Dlt698DecodeError):
        core.dlt698_decode_data(bytes.fromhex(head + length + "00"))


@pytest.mark.parametrize("tag", [7, 8, 0x0B, 0x0D, 0x0E, 0x13, 0x1D, 0x4F, 0x61, 0xFF])
def test_unknown_tags_are_refused(tag: int) -> None:
    with pytest.raises(core.Dlt698DecodeError, match=f"byte 0: expected a tag this choice has, got {tag:02X}H"):
        core.dlt698_decode_data(bytes([tag]) + bytes(40))


def test_an_optional_part_is_there_or_not() -> None:
    with pytest.raises(core.Dlt698DecodeError, match="byte 7: expected 0 or 1 before an optional part, got 02H"):
        core.dlt698_decode_apdu(bytes.fromhex("05 01 01 40010200 02"))


def test_bytearray_is_as_good_as_bytes() -> None:
    assert core.dlt698_encode_data(("octet_string", bytearray(b"ab"))) == b"\x09\x02ab"


def test_dar_names() -> None:
    names = {code: core.dlt698_dar_name(code) for code in range(256)}
    assert (names[0], names[4], names[15], names[255]) == ("success", "object_undefined", "not_authorised", "other")
    known = [name for name in names.values() if name != "unknown"]
    assert len(set(known)) == len(known) == 37
    assert names[100] == "unknown"


def test_errors_are_of_the_core() -> None:
    for error in (core.Dlt698FrameError, core.Dlt698FragmentError, core.Dlt698DecodeError, core.Dlt698EncodeError):
        assert issubclass(error, core.Dlt698Error)
    assert issubclass(core.Dlt698Error, core.CoreError)
