"""The stream parser of DL/T 645-2007: pieces, noise, traps and bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import (
    CoreError,
    Dlt645Error,
    Dlt645Frame,
    Dlt645Noise,
    Dlt645Parser,
    dlt645_matches,
    dlt645_shortened,
)

DIGITS = st.text("0123456789", min_size=12, max_size=12)
# 35H, CBH and E3H are 68H, FEH and 16H on the wire.
TRAPS = st.sampled_from([0x35, 0xCB, 0xE3, 0x16, 0x68, 0xFE])
DATA = st.lists(st.one_of(TRAPS, st.integers(0, 255)), max_size=40).map(bytes)
FRAMES = st.builds(Dlt645Frame, DIGITS, st.integers(0, 255), DATA)
# Bytes that cannot be taken for the beginning of a frame.
NOISE = st.lists(st.integers(0, 255).filter(lambda byte: byte != 0x68), max_size=12).map(bytes)
READ = Dlt645Frame("123456789012", 0x11, bytes.fromhex("00000100"))


def frames_of(events: list[Dlt645Frame | Dlt645Noise]) -> list[Dlt645Frame]:
    return [event for event in events if isinstance(event, Dlt645Frame)]


def noise_of(events: list[Dlt645Frame | Dlt645Noise]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Dlt645Noise))


@given(FRAMES, st.integers(0, 6))
def test_a_frame_is_read_as_it_was_written(frame: Dlt645Frame, preamble: int) -> None:
    wire = frame.encode(preamble)
    assert wire.startswith(b"\xfe" * preamble + b"\x68")
    parser = Dlt645Parser()
    assert parser.feed(wire) == [frame]
    assert parser.pending == 0


@given(st.lists(st.tuples(NOISE, FRAMES), max_size=5), NOISE, st.data())
def test_frames_are_found_in_noise_whatever_the_pieces(
    parts: list[tuple[bytes, Dlt645Frame]], tail: bytes, data: st.DataObject
) -> None:
    stream = b"".join(noise + frame.encode(4) for noise, frame in parts) + tail
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    parser = Dlt645Parser()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += parser.feed(stream[start:end])
    found += parser.flush()
    assert frames_of(found) == [frame for _, frame in parts]
    trailing = b"".join(noise.rstrip(b"\xfe") for noise, _ in parts)
    # FE at the end of noise counts as the next frame's preamble.
    assert noise_of(found).replace(b"\xfe", b"") == (trailing + tail).replace(b"\xfe", b"")


@given(st.binary(max_size=400), st.integers(1, 400), st.integers(0, 255))
def test_any_bytes_give_the_same_frames_in_any_pieces(stream: bytes, size: int, limit: int) -> None:
    whole, pieces = Dlt645Parser(limit), Dlt645Parser(limit)
    once = whole.feed(stream)
    several = [event for at in range(0, len(stream), size) for event in pieces.feed(stream[at : at + size])]
    assert frames_of(once) == frames_of(several)
    assert noise_of(once) == noise_of(several)
    assert whole.pending == pieces.pending <= 32 + 12 + limit


def assert_found_behind(broken: bytes, frame: Dlt645Frame) -> None:
    stream = broken + frame.encode(4)
    parser = Dlt645Parser()
    frames = frames_of(parser.feed(stream) + parser.flush())
    # By chance the broken one and a part of the next have a right checksum together: nobody could tell.
    wires = [other.encode(0) for other in frames]
    swallowed = any(stream.find(wire) < len(broken) < stream.find(wire) + len(wire) for wire in wires)
    assert frame in frames or swallowed


@given(FRAMES, FRAMES, st.data())
def test_a_truncated_frame_does_not_hide_the_next(first: Dlt645Frame, second: Dlt645Frame, data: st.DataObject) -> None:
    wire = first.encode(0)
    assert_found_behind(wire[: data.draw(st.integers(1, len(wire) - 1))], second)


@given(FRAMES, FRAMES, NOISE.filter(bool), st.data())
def test_noise_inside_a_frame_does_not_hide_the_next(
    first: Dlt645Frame, second: Dlt645Frame, noise: bytes, data: st.DataObject
) -> None:
    wire = first.encode(0)
    at = data.draw(st.integers(1, len(wire) - 1))
    assert_found_behind(wire[:at] + noise + wire[at:], second)


@given(FRAMES, st.data())
def test_a_frame_with_a_changed_bit_is_never_read_as_another(frame: Dlt645Frame, data: st.DataObject) -> None:
    wire = bytearray(frame.encode(0))
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    parser = Dlt645Parser()
    found = frames_of(parser.feed(bytes(wire)) + parser.flush())
    assert not [other for other in found if len(other.data) == len(frame.data)]


def test_a_checksum_byte_of_68h_begins_nothing() -> None:
    wire = READ.encode()
    assert wire[-2] == 0x68
    parser = Dlt645Parser()
    assert parser.feed(wire + wire) == [READ, READ]
    # In a broken frame the checksum byte may begin the next one; it is given up where that shows.
    broken = wire[:-3] + bytes([wire[-3] ^ 1]) + wire[-2:]
    preamble, noise, frame = parser.feed(broken + wire)
    assert isinstance(preamble, Dlt645Noise)
    assert isinstance(noise, Dlt645Noise)
    assert (preamble.cause, preamble.data) == ("garbage", b"\xfe" * 4)
    assert (noise.cause, noise.data) == ("checksum", broken[4:])
    assert frame == READ


def test_a_frame_inside_one_with_a_bad_checksum_is_found() -> None:
    inner = Dlt645Frame("000000000001", 0x93, bytes(6)).encode(0)
    outer = bytes.fromhex("68 010000000000 68 91") + bytes([len(inner)]) + inner
    found = Dlt645Parser().feed(outer + b"\x00\x16")
    noise, frame = found
    assert isinstance(noise, Dlt645Noise)
    assert (noise.cause, noise.data) == ("checksum", outer + b"\x00\x16")
    assert frame == Dlt645Frame("000000000001", 0x93, bytes(6))


def test_a_truncated_frame_waits_until_it_is_given_up() -> None:
    parser = Dlt645Parser()
    wire = READ.encode(0)
    assert parser.feed(wire[:-1]) == []
    assert parser.pending == len(wire) - 1
    (noise,) = parser.flush()
    assert isinstance(noise, Dlt645Noise)
    assert (noise.cause, noise.data, parser.pending) == ("truncated", wire[:-1], 0)
    assert parser.feed(wire) == [READ]


def test_a_frame_longer_than_the_limit_is_noise() -> None:
    frame = Dlt645Frame("1", 0x91, bytes(201))
    assert frames_of(Dlt645Parser().feed(frame.encode())) == []
    assert Dlt645Parser(255).feed(frame.encode()) == [frame]


@pytest.mark.parametrize("byte", [0x68, 0xFE, 0x16, 0x00])
def test_garbage_takes_time_and_memory_in_proportion(byte: int) -> None:
    parser = Dlt645Parser(255)
    garbage = bytes([byte]) * 1_000_000
    told = noise_of(parser.feed(garbage))
    assert len(told) + parser.pending == len(garbage)
    assert parser.pending <= 32 + 12 + 255
    assert frames_of(parser.feed(bytes(300) + READ.encode())) == [READ]


def test_data_beyond_the_length_byte_are_refused() -> None:
    with pytest.raises(Dlt645Error, match="255 bytes for the data of a frame, at most, got 256"):
        Dlt645Frame("1", 0x14, bytes(256)).encode()


@pytest.mark.parametrize("text", ["", "1234567890123", "12345678901B", "1A", "-1", "１２"])
def test_an_address_is_decimal(text: str) -> None:
    with pytest.raises(Dlt645Error, match="digits") as refused:
        Dlt645Frame(text, 0x11)
    assert isinstance(refused.value, CoreError)
    assert refused.value.offset == 0


def test_addresses_are_padded_and_shortened() -> None:
    assert Dlt645Frame("42", 0x11).address == "000000000042"
    assert dlt645_shortened("9012") == "AAAAAAAA9012"
    assert dlt645_matches("AAAAAAAA9012", "123456789012")
    assert dlt645_matches("aaaaaaaaaaaa", "123456789012")
    assert dlt645_matches("999999999999", "123456789012")
    assert not dlt645_matches("AAAAAAAA9013", "123456789012")
    assert not dlt645_matches("123456789013", "123456789012")
    # Only high digits can be left open.
    assert not dlt645_matches("12345678AA12", "123456789012")
    with pytest.raises(Dlt645Error, match="even number"):
        dlt645_shortened("901")


def test_the_address_goes_low_byte_first() -> None:
    assert READ.encode(1).hex() == "fe68129078563412681104333334336816"


@given(FRAMES)
def test_equal_frames_have_equal_hashes_and_show_themselves(frame: Dlt645Frame) -> None:
    same = Dlt645Frame(frame.address, frame.control, frame.data)
    assert same == frame
    assert hash(same) == hash(frame)
    assert repr(frame) == f"Dlt645Frame('{frame.address}', 0x{frame.control:02x}, {frame.data!r})"
