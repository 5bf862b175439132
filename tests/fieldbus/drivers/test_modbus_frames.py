"""Modbus frames in streams; their octets are made by hand or by modbus_support, not by the code under test."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modbus_support import crc

from fieldbus.drivers import modbus_frames
from fieldbus.drivers.modbus_frames import MbapFraming, RtuFraming, read_signature
from fieldbus.exchange import Heard, Noise


def rtu(text: str) -> bytes:
    """Return a frame with its check."""
    octets = bytes.fromhex(text)
    return octets + crc(octets)


@given(st.binary(max_size=260))
def test_the_check_is_that_of_the_standard(octets: bytes) -> None:
    """Of even and odd lengths, as the bit by bit algorithm of the standard has it."""
    assert modbus_frames.crc(octets) == crc(octets)
    assert modbus_frames.crc(octets + crc(octets)) == b"\x00\x00"


REPLIES = {
    "registers": ("03 03 04 00 01 00 02", (3, 6)),
    "input registers": ("03 04 02 12 34", (4, 4)),
    "coils": ("03 01 01 05", (1, 3)),
    "one register written": ("03 06 00 10 12 34", (6, bytes.fromhex("00101234"))),
    "registers written": ("03 10 00 10 00 02", (16, bytes.fromhex("00100002"))),
    "exception": ("03 83 02", None),
    "server id": ("03 11 05 41 42 43 44 FF", (0x11, None)),
    "diagnostics": ("03 08 00 00 A5 37", (8, 5)),
    "identification": ("03 2B 0E 01 01 00 00 02 00 02 41 42 01 01 43", (0x2B, None)),
}
REQUESTS = {
    "read": "03 03 00 6B 00 03",
    "read that looks like a reply": "03 03 10 00 00 08",
    "write of several": "03 10 00 10 00 02 04 00 01 00 02",
    "server id": "03 11",
    "identification": "03 2B 0E 01 00",
}


@pytest.mark.parametrize("kind", REPLIES)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_replies_are_found_in_pieces_of_any_size(kind: str, size: int) -> None:
    """With unit and signature, as soon as the last octet is there."""
    text, signature = REPLIES[kind]
    octets = rtu(text)
    framing = RtuFraming()
    found = [event for i in range(0, len(octets), size) for event in framing.feed(octets[i : i + size])]
    (heard,) = found
    assert isinstance(heard, Heard)
    assert (heard.device, heard.signature, heard.frame) == (("modbus", 3), signature, octets[1:-2])
    assert (heard.octets, heard.is_request, framing.pending) == (octets, False, 0)


@pytest.mark.parametrize("kind", REQUESTS)
def test_requests_are_known_for_what_they_are(kind: str) -> None:
    """Our echo, or another master."""
    (heard,) = RtuFraming().feed(rtu(REQUESTS[kind]))
    assert isinstance(heard, Heard)
    assert heard.is_request


def test_an_exception_says_which_function_it_refuses() -> None:
    """And nothing more."""
    (heard,) = RtuFraming().feed(rtu("03 83 02"))
    assert isinstance(heard, Heard)
    assert heard.refuses is not None
    assert heard.refuses(read_signature(3, 10))
    assert not heard.refuses(read_signature(4, 10))


def test_merged_replies_are_parted() -> None:
    """All in one piece."""
    octets = b"".join(rtu(text) for text, _ in REPLIES.values())
    assert [heard.signature for heard in RtuFraming().feed(octets) if isinstance(heard, Heard)] == [
        signature for _, signature in REPLIES.values()
    ]


@pytest.mark.parametrize("noise", ["00", "FF FF", "03", "03 03", "03 03 FA", "01 10 00 00 00 7B F6", "68 AA"])
def test_a_frame_behind_noise_is_found_at_the_latest_after_silence(noise: str) -> None:
    """Noise may claim to be the beginning of a long frame."""
    framing = RtuFraming()
    octets = rtu("03 03 04 00 01 00 02")
    found = [*framing.feed(bytes.fromhex(noise) + octets), *framing.flush()]
    assert [heard.octets for heard in found if isinstance(heard, Heard)] == [octets]
    assert b"".join(item.octets for item in found if isinstance(item, Noise)) == bytes.fromhex(noise)
    assert framing.pending == 0


@pytest.mark.parametrize("position", range(9))
def test_a_frame_with_any_octet_changed_is_noise(position: int) -> None:
    """And the next one is found."""
    octets = rtu("03 03 04 00 01 00 02")
    bad = octets[:position] + bytes((octets[position] ^ 0x10,)) + octets[position + 1 :]
    framing = RtuFraming()
    found = [*framing.feed(bad), *framing.flush(), *framing.feed(octets)]
    assert [heard.octets for heard in found if isinstance(heard, Heard)] == [octets]
    assert b"".join(item.octets for item in found if isinstance(item, Noise)) == bad


@pytest.mark.parametrize("text", ["03 03 00", "03 03 03 00 01 02", "03 04 01 00"])
def test_registers_come_in_pairs_of_octets(text: str) -> None:
    """A count that is odd, or none, is no reply of registers, whatever its check."""
    framing = RtuFraming()
    found = [*framing.feed(rtu(text)), *framing.flush()]
    assert not any(isinstance(event, Heard) and not event.is_request for event in found)


@given(st.binary(max_size=600), st.integers(1, 50))
def test_no_octets_are_lost_or_invented(data: bytes, size: int) -> None:
    """Whatever comes, it comes out again as frames and noise, in order."""
    framing = RtuFraming()
    found = [event for i in range(0, len(data), size) for event in framing.feed(data[i : i + size])]
    found += framing.flush()
    assert b"".join(event.octets for event in found) == data
    assert framing.pending == 0


def test_random_octets_are_hardly_ever_a_frame() -> None:
    """The check leaves one in 65536; the length must fit as well."""
    framing = RtuFraming()
    source = random.Random(1)
    found = [event for _ in range(40) for event in (*framing.feed(source.randbytes(500)), *framing.flush())]
    assert sum(isinstance(event, Heard) for event in found) <= 2


MBAP = bytes.fromhex("12 34 00 00 00 05 07 03 02 00 2A")


@pytest.mark.parametrize("size", [1, 7, 8, 100])
def test_mbap_frames_in_pieces(size: int) -> None:
    """Two of them, run together."""
    framing = MbapFraming()
    octets = MBAP + MBAP[:6] + b"\x08" + MBAP[7:]
    found = [event for i in range(0, len(octets), size) for event in framing.feed(octets[i : i + size])]
    assert [(event.device, event.signature, event.frame) for event in found if isinstance(event, Heard)] == [
        (("modbus", unit), 0x1234, MBAP[7:]) for unit in (7, 8)
    ]


@pytest.mark.parametrize("header", ["1234 0001 0005 07 03", "1234 0000 0002 07 03", "1234 0000 00FF 07 03"])
def test_a_wrong_mbap_header_loses_the_stream(header: str) -> None:
    """Where the next frame begins can't be known."""
    (noise,) = MbapFraming().feed(bytes.fromhex(header))
    assert isinstance(noise, Noise)
    assert noise.lost


def test_an_unfinished_mbap_frame_is_forgotten_with_its_connection_only() -> None:
    """Silence means nothing on TCP."""
    framing = MbapFraming()
    framing.feed(MBAP[:9])
    assert framing.pending == 0
    assert framing.flush() == []
    assert [event.octets for event in framing.feed(MBAP)] == [MBAP]
