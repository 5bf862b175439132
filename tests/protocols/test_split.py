"""Frames among noise, broken, truncated and nested ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import Dlt645Frame, Dlt698Frame, dlt645_build
from protocols.modbus.crc import crc16
from protocols.split import PROTOCOLS, Splitter, split

READ = dlt645_build("112233445566", {"kind": "read", "di": 0x00010000}).encode()
GET = Dlt698Frame(0x43, "112233445566", 0, bytes.fromhex("0501014001020000")).encode()
HOLDING = bytes.fromhex("01030000000AC5CD")
MBAP = bytes.fromhex("000100000006010300000002")
FRAMES = {"dlt645": READ, "dlt698": GET, "modbus-rtu": HOLDING, "modbus-tcp": MBAP}


def told(octets: bytes) -> list[tuple[str | None, bytes, str | None]]:
    return [(piece.protocol, piece.octets, piece.fault and piece.fault["kind"]) for piece in split(octets)]


@pytest.mark.parametrize("second", FRAMES)
@pytest.mark.parametrize("first", FRAMES)
def test_any_protocol_behind_any_other(first: str, second: str) -> None:
    assert told(FRAMES[first] + FRAMES[second]) == [(first, FRAMES[first], None), (second, FRAMES[second], None)]


@pytest.mark.parametrize("protocol", FRAMES)
def test_noise_around_a_frame(protocol: str) -> None:
    frame, noise = FRAMES[protocol], b"\x00\xff\x16\x99"
    assert told(noise + frame + noise) == [(None, noise, "noise"), (protocol, frame, None), (None, noise, "noise")]


@pytest.mark.parametrize("protocol", FRAMES)
def test_octet_by_octet(protocol: str) -> None:
    """A frame is told with its last octet, not before."""
    splitter = Splitter()
    frame = FRAMES[protocol]
    for octet in frame[:-1]:
        assert splitter.feed(bytes([octet])) == []
    (piece,) = splitter.feed(frame[-1:])
    assert (piece.protocol, piece.octets, splitter.pending) == (protocol, frame, 0)


@pytest.mark.parametrize("protocol", ["dlt645", "dlt698"])
def test_a_frame_that_ends_early(protocol: str) -> None:
    """It is told as truncated, and the whole frame behind it is found."""
    cut = FRAMES[protocol][:-3]
    (only,) = split(cut)
    assert (only.protocol, only.fault and only.fault["kind"]) == (protocol, "truncated")
    assert only.fault is not None
    assert (only.fault["expected"], only.fault["found"]) == (len(cut) + 3, len(cut))
    assert told(cut + HOLDING)[-1] == ("modbus-rtu", HOLDING, None)
    assert told(cut + FRAMES[protocol])[-1] == (protocol, FRAMES[protocol], None)


@pytest.mark.parametrize("protocol", ["dlt645", "dlt698"])
def test_every_wrong_octet_of_a_dlt_frame_shows(protocol: str) -> None:
    """Whatever octet is wrong, the frame is not taken for one, and the next frame is found."""
    frame = FRAMES[protocol]
    start = 0 if protocol == "dlt698" else 4
    for at in range(start, len(frame)):
        broken = frame[:at] + bytes([frame[at] ^ 0x01]) + frame[at + 1 :]
        pieces = split(broken + HOLDING)
        assert all(piece.fault is not None for piece in pieces[:-1])
        assert b"".join(piece.octets for piece in pieces) == broken + HOLDING
        assert pieces[-1].protocol == "modbus-rtu"


def test_which_check_failed() -> None:
    header = GET[:8] + bytes([GET[8] ^ 1]) + GET[9:]
    (piece,) = split(header)
    assert piece.fault is not None
    assert (piece.protocol, piece.fault["kind"]) == ("dlt698", "checksum")
    assert piece.fault["found"] == GET[13:11:-1].hex().upper()
    body = GET[:-4] + bytes([GET[-4] ^ 1]) + GET[-3:]
    (piece,) = split(body)
    assert piece.fault is not None
    assert (piece.fault["kind"], piece.fault["found"]) == ("checksum", GET[-2:-4:-1].hex().upper())


def test_a_frame_inside_a_frame_is_not_told_apart() -> None:
    outer = Dlt698Frame(0xC3, "112233445566", 0, bytes.fromhex("85020100") + GET + READ).encode()
    assert told(outer) == [("dlt698", outer, None)]
    splitter = Splitter()
    assert splitter.feed(outer[:-1]) == []


def test_a_start_octet_in_noise_holds_nothing_up() -> None:
    assert [piece[:2] for piece in told(b"\x68\x68\x05" + GET)] == [(None, b"\x68\x68\x05"), ("dlt698", GET)]
    splitter = Splitter()
    pieces = splitter.feed(b"\x68" + READ)
    assert [piece.protocol for piece in pieces] == [None, "dlt645"]


def test_one_protocol_alone_is_taken_as_it_comes() -> None:
    """A unit above 247 and a function that nobody knows, when no other protocol is looked for."""
    body = bytes([250, 3, 0, 0, 0, 1])
    frame = body + crc16(body).to_bytes(2, "little")
    assert [piece.protocol for piece in split(frame, ["modbus-rtu"])] == ["modbus-rtu"]
    unknown = bytes.fromhex("0001000000030141FF")
    assert [piece.protocol for piece in split(unknown, ["modbus-tcp"])] == ["modbus-tcp"]
    assert [piece.protocol for piece in split(unknown)] == [None]
    assert [piece.protocol for piece in split(READ, ["dlt698"])] == [None]


def test_unknown_protocols_are_refused() -> None:
    with pytest.raises(ValueError, match="profibus"):
        Splitter(["profibus"])


PIECES = st.one_of(
    st.sampled_from(sorted(FRAMES.values())),
    st.binary(max_size=40),
    st.builds(lambda frame, cut: frame[:cut], st.sampled_from(sorted(FRAMES.values())), st.integers(0, 20)),
    st.binary(max_size=20).map(lambda data: Dlt645Frame("1", 0x91, data).encode()),
)


@given(st.lists(PIECES, max_size=8), st.integers(1, 50))
def test_no_octet_is_lost_or_told_twice(parts: list[bytes], size: int) -> None:
    """Whatever comes, in whatever pieces."""
    stream = b"".join(parts)
    splitter = Splitter()
    pieces = [piece for at in range(0, len(stream), size) for piece in splitter.feed(stream[at : at + size])]
    pieces += splitter.flush()
    assert b"".join(piece.octets for piece in pieces) == stream
    assert splitter.pending == 0
    assert all((piece.frame is None) == (piece.fault is not None) for piece in pieces)
    assert all(piece.protocol in (None, *PROTOCOLS) for piece in pieces)


def test_endless_noise_is_given_up() -> None:
    splitter = Splitter()
    for _ in range(1000):
        splitter.feed(b"\x68" * 100)
    assert splitter.pending <= 20_100
