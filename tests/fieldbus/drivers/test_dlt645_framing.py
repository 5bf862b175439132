"""Frames of DL/T 645-2007 in streams: nothing is lost, nothing is invented, and each frame is known for what it is."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import Dlt645Frame, dlt645_build
from fieldbus.drivers.dlt645_framing import Dlt645Framing, device, signature
from fieldbus.exchange import Heard, Noise

ONE = "000000000001"
READ = {"kind": "read", "di": 0x00010000}
FRAMES = {
    "request": (READ, (0x11, 0x00010000, None), True),
    "reply": ({**READ, "reply": True, "data": b"\x16\x68\xfe\x33", "more": False}, (0x11, 0x00010000, None), False),
    "reply with more": ({**READ, "reply": True, "data": b"\x00", "more": True}, (0x11, 0x00010000, None), False),
    "follow-up": (
        {"kind": "read_next", "reply": True, "di": 0x00010000, "seq": 3, "data": b"\x00", "more": False},
        (0x12, 0x00010000, 3),
        False,
    ),
    "address": ({"kind": "read_address", "reply": True, "address": ONE}, (0x13, None, None), False),
    "written": ({"kind": "write", "reply": True}, (0x14, None, None), False),
    "frozen": ({"kind": "freeze", "reply": True}, (0x16, None, None), False),
    "speed": ({"kind": "change_baud", "reply": True, "baud": 9600}, (0x17, None, None), False),
}


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("size", [1, 5, 100])
def test_frames_in_pieces_are_known_by_function_identifier_and_number(kind: str, size: int) -> None:
    message, known, is_request = FRAMES[kind]
    octets = dlt645_build(ONE, message).encode()
    framing = Dlt645Framing()
    found = [event for i in range(0, len(octets), size) for event in framing.feed(octets[i : i + size])]
    (heard,) = found
    assert isinstance(heard, Heard)
    assert (heard.device, heard.signature, heard.is_request) == (device(ONE), signature(*known), is_request)
    assert heard.octets == octets[4:]
    assert framing.pending == 0
    assert framing.respond(heard) is None


def test_a_refusal_tells_its_function_and_no_more() -> None:
    (heard,) = Dlt645Framing().feed(dlt645_build(ONE, {"kind": "read", "reply": True, "error": 2}).encode())
    assert isinstance(heard, Heard)
    assert heard.signature is None
    assert heard.refuses is not None
    assert [heard.refuses(signature(function)) for function in (0x11, 0x12, 0x14)] == [True, False, False]
    assert heard.refuses(signature(0x11, 0x02010100))
    assert not heard.refuses("another protocol's")


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (dlt645_build(ONE, READ).encode()[:-2] + b"\x00\x16", "a checksum of 00H, not"),
        (dlt645_build(ONE, READ).encode()[:-2], "a frame that breaks off"),
        (b"\x01\x03\x04\x00", "no frame"),
        (Dlt645Frame(ONE, 0x01, b"\x10\x90").encode(), "control code 01H of 000000000001"),
    ],
)
def test_what_is_no_frame_is_one_piece_of_noise_with_its_reason(octets: bytes, reason: str) -> None:
    framing = Dlt645Framing()
    (noise,) = [*framing.feed(octets), *framing.flush()]
    assert isinstance(noise, Noise)
    assert reason in noise.reason
    assert octets.endswith(noise.octets)


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([b"\x68" * 9, b"\xfe\xfe"]))), st.integers(1, 40))
def test_octets_behind_any_noise_are_still_a_frame(noise: list[bytes], size: int) -> None:
    octets = dlt645_build(ONE, FRAMES["reply"][0]).encode()
    stream = b"".join(noise) + octets
    framing = Dlt645Framing()
    found = [event for i in range(0, len(stream), size) for event in framing.feed(stream[i : i + size])]
    found += framing.flush()
    assert octets[4:] in [event.octets for event in found if isinstance(event, Heard)]
    assert framing.pending == 0


@pytest.mark.shared
def test_every_captured_frame_is_heard(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "data" / "dlt_vectors.json").read_text("utf-8"))["vectors"]
    heard = 0
    for vector in vectors:
        if vector["proto"] != "645":
            continue
        framing = Dlt645Framing()
        events = [*framing.feed(bytes.fromhex(vector["hex"])), *framing.flush()]
        frames = [event for event in events if isinstance(event, Heard)]
        assert bool(frames) == bool(vector["decoded"].get("cs_ok", True)), vector["id"]
        for frame in frames:
            heard += 1
            assert frame.device == device(vector["decoded"]["address"].upper()), vector["id"]
            assert frame.is_request == (vector["decoded"]["dir"] == "master->slave"), vector["id"]
    assert heard >= 35
