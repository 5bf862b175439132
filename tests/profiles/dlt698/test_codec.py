from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.dlt698.codec import decode, encode, member, quantise
from profiles.dlt698.model import DataType, ObjectPoint
from profiles.model import CodecError, NoValueError
from profiles.points import Quantity

ZONE = "Asia/Shanghai"
INTEGERS = [kind for kind in DataType if kind.is_integer and kind is not DataType.BOOL]


def point(kind: DataType, **settings: Any) -> ObjectPoint:
    defaults: dict[str, Any] = {
        "name": "energy_forward",
        "quantity": Quantity.ENERGY,
        "scale": Fraction(10_000),
        "resolution": 10_000,
        "oad": 0x0010_0201,
        "type": kind,
    }
    return ObjectPoint(**{**defaults, **settings})


@given(st.data())
@pytest.mark.parametrize("kind", INTEGERS, ids=lambda kind: str(kind.value))
def test_every_number_of_an_integer_type_comes_back(kind: DataType, data: st.DataObject) -> None:
    raw = data.draw(st.integers(kind.least, kind.greatest))
    item = encode(point(kind), raw * 10_000, ZONE)
    assert item == (kind.value, raw)
    assert decode(point(kind), item, ZONE) == raw * 10_000


@pytest.mark.parametrize("kind", INTEGERS, ids=lambda kind: str(kind.value))
def test_what_a_type_can_not_hold_is_refused(kind: DataType) -> None:
    for raw in (kind.least - 1, kind.greatest + 1):
        with pytest.raises(CodecError, match="does not fit"):
            encode(point(kind), raw * 10_000, ZONE)
    with pytest.raises(CodecError, match="multiple"):
        encode(point(kind), 10_001, ZONE)


def test_a_wider_register_than_the_profile_says_is_read_all_the_same() -> None:
    narrow = point(DataType.DOUBLE_LONG_UNSIGNED)
    assert decode(narrow, ("long64_unsigned", 1 << 40), ZONE) == (1 << 40) * 10_000
    assert decode(narrow, ("unsigned", 3), ZONE) == 30_000


@pytest.mark.parametrize("item", [("octet_string", b"\x01"), ("float32", 1.0), ("array", []), ("date_time_s", {})])
def test_data_of_another_kind_are_refused(item: tuple[str, Any]) -> None:
    with pytest.raises(CodecError, match="expected double_long_unsigned, got " + item[0]):
        decode(point(DataType.DOUBLE_LONG_UNSIGNED), item, ZONE)


def test_null_and_the_pattern_are_no_value() -> None:
    counted = point(DataType.LONG_UNSIGNED, missing=0xFFFF)
    for item in [("null", None), ("long_unsigned", 0xFFFF)]:
        with pytest.raises(NoValueError):
            decode(counted, item, ZONE)
    assert encode(counted, None, ZONE) == ("long_unsigned", 0xFFFF)
    assert encode(point(DataType.LONG_UNSIGNED), None, ZONE) == ("null", None)
    with pytest.raises(CodecError, match="does not fit"):
        encode(counted, 0xFFFF * 10_000, ZONE)


def test_floats_are_rounded_once_to_their_resolution() -> None:
    real = point(DataType.FLOAT32, scale=Fraction(10**6), resolution=1000)
    assert decode(real, ("float32", 0.10000000149011612), ZONE) == 100_000
    assert encode(real, 100_000, ZONE) == ("float32", 0.1)
    for value in (float("nan"), float("inf")):
        with pytest.raises(NoValueError):
            decode(real, ("float32", value), ZONE)


def number(kind: DataType, length: int) -> ObjectPoint:
    return point(kind, name="status", quantity=Quantity.NUMBER, scale=Fraction(1), resolution=1, length=length)


@given(st.integers(0, 0xFFFF))
def test_bit_k_of_a_bit_string_is_bit_k_of_the_number(value: int) -> None:
    item = encode(number(DataType.BIT_STRING, 16), value, ZONE)
    assert [bit == "1" for bit in item[1]] == [bool(value >> k & 1) for k in range(16)]
    assert decode(number(DataType.BIT_STRING, 16), item, ZONE) == value


@given(st.integers(0, 10**12 - 1))
def test_an_octet_string_is_read_as_it_stands(value: int) -> None:
    item = encode(number(DataType.OCTET_STRING, 6), value, ZONE)
    assert item == ("octet_string", bytes.fromhex(f"{value:012d}"))
    assert decode(number(DataType.OCTET_STRING, 6), item, ZONE) == value


def test_digits_that_are_none_are_refused() -> None:
    with pytest.raises(CodecError, match="decimal digits"):
        decode(number(DataType.OCTET_STRING, 6), ("octet_string", b"\x12\x3a"), ZONE)
    with pytest.raises(CodecError, match="decimal digits"):
        decode(number(DataType.VISIBLE_STRING, 6), ("visible_string", "12.5"), ZONE)
    assert decode(number(DataType.VISIBLE_STRING, 6), ("visible_string", "3200\0\0"), ZONE) == 3200
    with pytest.raises(CodecError, match="length 6"):
        encode(number(DataType.OCTET_STRING, 6), 10**12, ZONE)


def test_members_of_arrays_and_structures() -> None:
    demand = point(DataType.DOUBLE_LONG_UNSIGNED, part=2)
    item = ("structure", [("null", None), ("double_long_unsigned", 7)])
    assert member(demand, ("array", [item, item]), 2) == ("double_long_unsigned", 7)
    assert member(demand, item, 0) == ("double_long_unsigned", 7)
    with pytest.raises(NoValueError, match="has 2, no element 3"):
        member(demand, ("array", [item, item]), 3)
    with pytest.raises(NoValueError):
        member(demand, ("null", None), 1)
    with pytest.raises(CodecError, match="expected array or structure with element 1, got double_long"):
        member(demand, ("double_long", 1), 1)


@given(st.integers(0, 1 << 50))
def test_a_register_shows_complete_steps_and_starts_again(value: int) -> None:
    register = point(DataType.DOUBLE_LONG_UNSIGNED, rollover=10**12)
    shown = quantise(register, value)
    assert shown == value % 10**12 // 10_000 * 10_000
    encode(register, shown, ZONE)
    encode(point(DataType.DOUBLE_LONG_UNSIGNED), quantise(point(DataType.DOUBLE_LONG_UNSIGNED), value), ZONE)


def test_a_measurement_is_rounded_and_stops_at_the_end_of_its_type() -> None:
    power = point(DataType.LONG, name="power", quantity=Quantity.POWER, scale=Fraction(100), resolution=100)
    assert [quantise(power, value) for value in (150, 250, -150, 10**9, -(10**9))] == [
        200,
        200,
        -200,
        3276700,
        -3276800,
    ]
    clock = point(DataType.DATE_TIME_S, quantity=Quantity.TIME, scale=Fraction(1), resolution=1000)
    assert quantise(clock, 1999) == 1000
