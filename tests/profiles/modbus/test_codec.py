"""The codec: exact both ways, one rounding for floats, and a typed error for everything that is no value."""

import struct
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.loader import load
from profiles.modbus.codec import decode, decode_write, encode, encode_missing, quantise
from profiles.modbus.model import Encoding, RegisterPoint, WordOrder
from profiles.modbus.plan import plan_reads
from profiles.modbus.profile import ModbusProfile
from profiles.model import CodecError, NoValueError
from profiles.points import Quantity

INTEGERS = [encoding for encoding in Encoding if not encoding.is_float]


def point(
    encoding: Encoding,
    *,
    order: WordOrder = WordOrder.ABCD,
    scale: Fraction | int = 1,
    resolution: int = 1,
    quantity: Quantity = Quantity.POWER,
    missing: int | None = None,
    rollover: int | None = None,
) -> RegisterPoint:
    return RegisterPoint(
        name="power",
        quantity=quantity,
        scale=Fraction(scale),
        resolution=resolution,
        missing=missing,
        rollover=rollover,
        function=3,
        address=0,
        encoding=encoding,
        word_order=order,
    )


@st.composite
def integer_points(draw: st.DrawFn) -> tuple[RegisterPoint, int]:
    encoding = draw(st.sampled_from(INTEGERS))
    scale = draw(st.integers(1, 10**9))
    raw = draw(st.integers(encoding.least, encoding.greatest))
    order = draw(st.sampled_from(list(WordOrder)))
    return point(encoding, order=order, scale=scale, resolution=scale), raw * scale


@given(integer_points())
def test_an_integer_register_goes_round_exactly(case: tuple[RegisterPoint, int]) -> None:
    subject, value = case
    words = encode(subject, value)
    assert len(words) == subject.count
    assert all(0 <= word <= 0xFFFF for word in words)
    assert decode(subject, words) == value


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (WordOrder.ABCD, [0x0A0B, 0x0C0D]),
        (WordOrder.CDAB, [0x0C0D, 0x0A0B]),
        (WordOrder.BADC, [0x0B0A, 0x0D0C]),
        (WordOrder.DCBA, [0x0D0C, 0x0B0A]),
    ],
)
def test_word_orders_are_what_their_names_say(order: WordOrder, words: list[int]) -> None:
    subject = point(Encoding.UINT32, order=order)
    assert encode(subject, 0x0A0B0C0D) == words
    assert decode(subject, words) == 0x0A0B0C0D


def test_a_low_word_first_64_bit_number_reverses_all_four_words() -> None:
    assert encode(point(Encoding.UINT64, order=WordOrder.CDAB), 0x0001_0002_0003_0004) == [4, 3, 2, 1]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from([1, 10, 1000, 10_000]))
def test_a_float_is_rounded_once_half_even_to_its_resolution(number: float, resolution: int) -> None:
    subject = point(Encoding.FLOAT32, scale=1000, resolution=resolution)
    words = list(struct.unpack(">2H", struct.pack(">f", number)))
    exact = Fraction(number) * 1000 / resolution
    assert decode(subject, words) == round(exact) * resolution  # Fraction.__round__ is half to even


@given(st.integers(0, 2**23), st.sampled_from(list(WordOrder)))
def test_a_value_in_the_range_of_float32_goes_round(steps: int, order: WordOrder) -> None:
    subject = point(Encoding.FLOAT32, order=order, scale=10**6, resolution=10_000, quantity=Quantity.ENERGY)
    assert decode(subject, encode(subject, steps * 10_000)) == steps * 10_000


def test_a_tenth_in_float32_reads_as_exactly_a_tenth() -> None:
    subject = point(Encoding.FLOAT32, scale=10**6, resolution=10_000, quantity=Quantity.ENERGY)
    assert decode(subject, [0x3DCC, 0xCCCD]) == 100_000


@pytest.mark.parametrize("words", [[0x7FC0, 0], [0x7F80, 0], [0xFF80, 0]])
def test_a_float_that_is_no_number_is_no_value(words: list[int]) -> None:
    with pytest.raises(NoValueError, match="power"):
        decode(point(Encoding.FLOAT32), words)


def test_the_missing_pattern_is_no_value_and_never_written_as_one() -> None:
    subject = point(Encoding.UINT32, missing=0xFFFFFFFF)
    assert encode_missing(subject) == [0xFFFF, 0xFFFF]
    with pytest.raises(NoValueError):
        decode(subject, [0xFFFF, 0xFFFF])
    with pytest.raises(CodecError, match="does not fit"):
        encode(subject, 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("value", "reason"), [(65536, "does not fit"), (-1, "does not fit"), (3, "not a multiple of 2")]
)
def test_what_does_not_fit_is_refused(value: int, reason: str) -> None:
    subject = point(Encoding.UINT16, scale=2 if value == 3 else 1, resolution=2 if value == 3 else 1)
    with pytest.raises(CodecError, match=reason):
        encode(subject, value)


@pytest.mark.parametrize("words", [[1], [1, 2, 3], [1, 65536], [1, -1]])
def test_impossible_registers_are_refused(words: list[int]) -> None:
    with pytest.raises(CodecError):
        decode(point(Encoding.UINT32), words)


def test_a_float_too_large_for_its_format_is_refused() -> None:
    with pytest.raises(CodecError, match="float32"):
        encode(point(Encoding.FLOAT32), 10**40)


def test_a_cumulative_register_truncates_and_rolls_over() -> None:
    subject = point(Encoding.UINT16, scale=10, resolution=10, quantity=Quantity.ENERGY)
    assert quantise(subject, 19) == 10
    assert quantise(subject, 65_536 * 10 + 7) == 0
    assert quantise(replace(subject, rollover=1000), 2999) == 990


def test_an_instantaneous_value_rounds_and_stops_at_the_end_of_the_range() -> None:
    subject = point(Encoding.INT16, scale=10, resolution=10)
    assert quantise(subject, 25) == 20
    assert quantise(subject, 10**9) == 327_670
    assert quantise(subject, -(10**9)) == -327_680


@given(st.sampled_from(list(Encoding)), st.integers(-(10**20), 10**20), st.sampled_from(list(Quantity)))
def test_what_is_quantised_can_be_encoded(encoding: Encoding, value: int, quantity: Quantity) -> None:
    subject = point(encoding, scale=100, resolution=100, quantity=quantity)
    encode(subject, quantise(subject, abs(value) if quantity is Quantity.ENERGY else value))


def carbon_meter() -> ModbusProfile:
    profile = load("sim-carbon-meter")
    assert isinstance(profile, ModbusProfile)
    return profile


def test_a_block_decodes_to_its_points_by_name() -> None:
    profile = carbon_meter()
    (block, *_) = plan_reads(profile.points.values(), profile.max_registers)
    words = [0] * block.count
    words[0:4] = encode(profile.points["energy_forward"], 123_456_789)
    words[0x10:0x12] = [0xFFFF, 0xFFFF]
    values = block.decode(struct.pack(f">{block.count}H", *words))
    assert values["energy_forward"] == 123_456_789
    assert "carbon_factor" not in values  # its "missing" pattern
    with pytest.raises(CodecError, match="block at 0: expected 120 bytes, got 118"):
        block.decode(bytes(118))


def test_a_write_is_taken_apart_into_its_fields() -> None:
    write = carbon_meter().writes["factor"]
    words = [*encode(write.fields[0], 1_700_000_100_000), *encode(write.fields[1], 581_000)]
    assert decode_write(write, words) == {"time": 1_700_000_100_000, "carbon_factor": 581_000}
    assert decode_write(write, [*words[:2], 0xFFFF, 0xFFFF])["carbon_factor"] is None
    with pytest.raises(CodecError, match="expected 4 registers, got 3"):
        decode_write(write, words[1:])
