"""Frames of DL/T 698.45 through the Python face: streams, addresses, lengths, scrambling, fragments."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import diantan_core as core

frames = st.builds(
    core.Dlt698Frame,
    st.integers(0, 255),
    st.binary(min_size=1, max_size=16).map(bytes.hex),
    st.integers(0, 255),
    st.binary(max_size=100),
    kind=st.sampled_from(["single", "wildcard", "group", "broadcast"]),
    logical=st.integers(0, 3),
)


def request(data: bytes = b"\x05\x01\x00", control: int = 0x43) -> core.Dlt698Frame:
    return core.Dlt698Frame(control, "012503200001", 0, data)


@given(frames)
def test_frames_come_back(frame: core.Dlt698Frame) -> None:
    assert core.Dlt698Frame.decode(frame.encode()) == frame
    assert eval(repr(frame), {"Dlt698Frame": core.Dlt698Frame}) == frame


@given(st.lists(st.tuples(st.binary(max_size=12), frames), max_size=4), st.integers(1, 30))
def test_any_chunks_give_the_same_frames(parts: list[tuple[bytes, core.Dlt698Frame]], size: int) -> None:
    quiet = [noise.replace(b"\x68", b"") for noise, _ in parts]
    stream = b"".join(noise + b"\xfe" * 4 + frame.encode() for noise, (_, frame) in zip(quiet, parts, strict=True))
    parser, found, noise = core.Dlt698Parser(), list[core.Dlt698Frame](), b""
    for start in range(0, len(stream), size):
        for event in parser.feed(stream[start : start + size]):
            if isinstance(event, core.Dlt698Frame):
                found.append(event)
            else:
                noise += event.octets
                assert event.kind == "start"
    assert found == [frame for _, frame in parts]
    # Where a chunk ends in FEH the parser can't know that it is no preamble.
    assert noise.replace(b"\xfe", b"") == b"".join(quiet).replace(b"\xfe", b"")
    assert parser.pending == 0
    assert parser.flush() == []


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"\x68", request().encode()[:-1]]), max_size=20))
def test_noise_ends_with_a_flush(chunks: list[bytes]) -> None:
    parser = core.Dlt698Parser(200)
    for chunk in chunks:
        parser.feed(chunk)
        assert parser.pending <= 202
    parser.flush()
    assert parser.pending == 0
    (event,) = parser.feed(request().encode())
    assert event == request()


def broken(place: int) -> bytes:
    octets = bytearray(request().encode())
    octets[place] ^= 0x01
    return bytes(octets)


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (broken(1), "header_check"),
        (broken(12), "header_check"),
        (broken(14), "frame_check"),
        (broken(-2), "frame_check"),
        (broken(-1), "end"),
        (b"\x00\x11", "start"),
    ],
)
def test_a_broken_frame_is_told_and_the_next_one_found(octets: bytes, kind: str) -> None:
    noise, frame = core.Dlt698Parser().feed(octets + b"\xfe\xfe" + request().encode())
    assert isinstance(noise, core.Dlt698Noise)
    assert (noise.kind, noise.octets) == (kind, octets)
    assert frame == request()
    with pytest.raises(core.Dlt698FrameError) as refusal:
        core.Dlt698Frame.decode(octets)
    assert str(refusal.value) == noise.reason


def test_a_frame_above_the_limit_is_noise() -> None:
    long = request(bytes(200)).encode()
    noise, frame = core.Dlt698Parser(100).feed(long + request().encode())
    assert isinstance(noise, core.Dlt698Noise)
    assert noise.kind == "length"
    assert noise.reason == "length L: expected 15 to 100 bytes, got 215"
    assert noise.octets == long
    assert frame == request()


def test_a_frame_cut_short_is_given_up_by_a_flush() -> None:
    parser = core.Dlt698Parser()
    assert parser.feed(request(bytes(50)).encode()[:30] + request().encode()) == []
    noise, frame = parser.flush()
    assert isinstance(noise, core.Dlt698Noise)
    assert noise.kind == "truncated"
    assert frame == request()


def test_scrambling_is_on_the_line_only() -> None:
    plain, scrambled = request(b"\x05\xff"), request(b"\x05\xff", 0x4B)
    assert plain.encode()[14:16] == b"\x05\xff"
    assert scrambled.encode()[14:16] == b"\x38\x32"
    assert core.Dlt698Frame.decode(scrambled.encode()).user_data == b"\x05\xff"
    assert scrambled.scrambled


@pytest.mark.parametrize(
    ("kind", "logical", "address", "wire"),
    [
        ("single", 0, "012503200001", "05 01 00 20 03 25 01"),
        ("single", 1, "28417891", "13 91 78 41 28"),
        ("wildcard", 0, "aaaaaaaaaaaa", "45 AA AA AA AA AA AA"),
        ("group", 3, "0102", "B1 02 01"),
        ("broadcast", 0, "aa", "C0 AA"),
        ("single", 0, "00112233445566778899aabbccddeeff", "0F FF EE DD CC BB AA 99 88 77 66 55 44 33 22 11 00"),
    ],
)
def test_addresses_on_the_wire(kind: Any, logical: int, address: str, wire: str) -> None:
    frame = core.Dlt698Frame(0x43, address.upper(), 0x10, b"", kind=kind, logical=logical)
    octets = bytes.fromhex(wire)
    assert frame.encode()[4 : 4 + len(octets)] == octets
    assert (frame.kind, frame.logical, frame.address) == (kind, logical, address)


@pytest.mark.parametrize(
    ("address", "more", "message"),
    [
        ("", {}, "1 to 16 address bytes"),
        ("00" * 17, {}, "1 to 16 address bytes"),
        ("012", {}, "even number of hexadecimal digits"),
        ("0g", {}, "even number of hexadecimal digits"),
        ("01", {"logical": 4}, "logical address of 0 to 3"),
        ("01", {"kind": "all"}, "expected single, wildcard, group or broadcast"),
    ],
)
def test_bad_addresses_are_refused(address: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(core.Dlt698FrameError, match=message):
        core.Dlt698Frame(0x43, address, 0, b"", **more)


def test_what_a_length_can_state() -> None:
    longest = request(bytes(0x3FFF - 15))
    assert core.Dlt698Frame.decode(longest.encode()) == longest
    with pytest.raises(core.Dlt698FrameError, match="16384 bytes can't be encoded with its length in bytes"):
        request(bytes(0x3FFF - 14)).encode()
    large = core.Dlt698Frame(0xC3, "012503200001", 0, bytes(20 * 1024 - 15), kilobytes=True)
    assert large.encode()[1:3] == b"\x14\x40"
    assert core.Dlt698Frame.decode(large.encode()) == large
    (event,) = core.Dlt698Parser(1 << 15).feed(large.encode())
    assert event == large
    with pytest.raises(core.Dlt698FrameError, match="in kilobytes"):
        core.Dlt698Frame(0xC3, "012503200001", 0, bytes(20), kilobytes=True).encode()


@given(st.binary(min_size=2, max_size=200), st.integers(1, 40), st.integers(0, 4095))
def test_fragments_join_again(data: bytes, size: int, first: int) -> None:
    whole = core.Dlt698Frame(0xC3, "012503200001", 0, data)
    if len(data) <= size:
        with pytest.raises(core.Dlt698FragmentError, match="can't be sent in pieces"):
            whole.split(size, first)
        return
    reassembler, states = core.Dlt698Reassembler(), []
    for number, piece in enumerate(whole.split(size, first), first):
        assert piece.fragment()[0] == number % 4096
        state, joined = reassembler.feed(core.Dlt698Frame.decode(piece.encode()))
        states.append(state)
    assert states == ["more"] * (len(states) - 1) + ["complete"]
    assert joined == whole


def test_a_message_that_is_too_large_is_given_up() -> None:
    first, second, third = request(bytes(30)).split(10)
    reassembler = core.Dlt698Reassembler(15)
    reassembler.feed(first)
    with pytest.raises(core.Dlt698FragmentError, match="at most 15 bytes, got 20"):
        reassembler.feed(second)
    assert reassembler.pending == 0
    with pytest.raises(core.Dlt698FragmentError, match="belongs to no message"):
        reassembler.feed(third)
    reassembler.feed(first)
    reassembler.reset()
    assert reassembler.pending == 0
    with pytest.raises(core.Dlt698FragmentError, match="not a fragment: control field 43H"):
        reassembler.feed(request())
    with pytest.raises(core.Dlt698FragmentError, match="2 bytes of the fragment header, got 1"):
        reassembler.feed(request(b"\x00", 0x63))
