"""Frames of DL/T 698.45 on a line: what is heard, what is answered at once."""

from typing import Any

import pytest
from dlt698_support import NOW, ONE, TWO, ZONE, apdu, reply_to
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import Dlt698Frame, dlt698_decode_apdu, dlt698_encode_apdu
from fieldbus.drivers.dlt698_framing import Dlt698Framing
from fieldbus.drivers.dlt698_link import Heartbeats
from fieldbus.drivers.dlt698_message import Message, device
from fieldbus.exchange import Heard, Noise
from profiles import load
from profiles.dlt698.moments import date_time, date_time_s

REQUEST = Dlt698Frame(0x43, ONE, 0x10, bytes.fromhex("05 01 01 20 0f 02 00 00"))
REPLY = apdu("get_response", "normal", oad=0x200F_0200, result=("data", ("long_unsigned", 5000)))


def framing(**options: Any) -> Dlt698Framing:
    return Dlt698Framing(lambda: NOW, ZONE, **options)


def only(found: list[Heard | Noise]) -> Heard:
    (heard,) = found
    assert isinstance(heard, Heard)
    return heard


def respond(subject: Dlt698Framing, heard: Heard) -> Dlt698Frame:
    octets = subject.respond(heard)
    assert octets is not None
    return Dlt698Frame.decode(octets)


def link(kind: str, heartbeat_s: int = 180, address: str = ONE) -> Dlt698Frame:
    body = {"piid_acd": 3, "type": (kind, None), "heartbeat_s": heartbeat_s, "time": date_time(NOW - 5000, ZONE)}
    return Dlt698Frame(0x81, address, 0, dlt698_encode_apdu(("link_request", body)))


def test_a_reply_has_a_signature_and_a_device() -> None:
    octets = reply_to(REQUEST, REPLY)
    heard = only(framing().feed(b"\xfe\xfe" + octets))
    assert heard.device == device(ONE) == ("dlt698", ONE)
    assert heard.signature == (1, "get_response", 0x10, 0)
    assert heard.octets == octets
    assert not heard.is_request
    assert isinstance(heard.frame, Message)
    assert heard.frame.body["oad"] == 0x200F_0200


def test_a_request_is_an_echo_or_another_masters() -> None:
    subject = framing()
    heard = only(subject.feed(REQUEST.encode()))
    assert heard.is_request
    assert subject.respond(heard) is None


def test_what_is_no_frame_or_no_apdu_is_noise() -> None:
    subject = framing()
    (noise,) = subject.feed(reply_to(REQUEST, b"\x85\x09"))
    assert isinstance(noise, Noise)
    assert "no APDU" in noise.reason
    broken = bytearray(reply_to(REQUEST, REPLY))
    broken[-5] ^= 1
    assert any(isinstance(found, Noise) for found in subject.feed(bytes(broken)) + subject.flush())
    assert subject.feed(reply_to(REQUEST, REPLY)[:-4]) == []
    assert subject.pending > 0
    assert isinstance(subject.flush()[0], Noise)
    assert subject.pending == 0


def test_an_error_response_refuses_what_had_its_piid() -> None:
    heard = only(framing().feed(reply_to(REQUEST, apdu("error_response", "", piid_acd=9, error=1))))
    assert heard.signature is None
    assert heard.refuses is not None
    assert [heard.refuses((piid, "get_response", 0, 0)) for piid in (8, 9)] == [False, True]


# Fragments


def test_fragments_are_confirmed_and_joined() -> None:
    subject = framing()
    pieces = Dlt698Frame(0xC3, ONE, 0x10, REPLY).split(8)
    for piece in pieces:
        heard = subject.feed(piece.encode())
        first = heard[0]
        assert isinstance(first, Heard)
        confirmation = respond(subject, first)
        assert confirmation.fragment() == (piece.fragment()[0], "confirm", b"")
        assert not confirmation.from_server
    _, whole = heard
    assert isinstance(whole, Heard)
    assert whole.signature == (1, "get_response", 0x10, 0)
    assert isinstance(whole.frame, Message)
    assert whole.frame.apdu == REPLY


def test_a_repeated_piece_is_confirmed_again_and_one_out_of_order_is_noise() -> None:
    subject = framing()
    pieces = Dlt698Frame(0xC3, ONE, 0x10, REPLY).split(4)
    subject.feed(pieces[0].encode())
    assert subject.respond(only(subject.feed(pieces[0].encode()))) is not None
    (noise,) = subject.feed(pieces[2].encode())
    assert isinstance(noise, Noise)


def test_meters_are_joined_apart_and_only_so_many_at_a_time() -> None:
    subject = framing()
    frames = {address: Dlt698Frame(0xC3, address, 0x10, REPLY).split(8) for address in (ONE, TWO)}
    for number in range(len(frames[ONE])):
        found = [subject.feed(frames[address][number].encode()) for address in (ONE, TWO)]
    assert [len(heard) for heard in found] == [2, 2]
    for number in range(100):
        subject.feed(Dlt698Frame(0xC3, f"{number:012d}", 0x10, REPLY).split(8)[0].encode())
    assert len(subject._unfinished) <= 32


def test_a_message_has_a_largest_size() -> None:
    subject = framing(largest_message=20)
    pieces = Dlt698Frame(0xC3, ONE, 0x10, bytes(30)).split(10)
    found = [item for piece in pieces for item in subject.feed(piece.encode())]
    assert any(isinstance(item, Noise) and "at most 20 bytes" in item.reason for item in found), found


def test_a_meters_own_message_in_fragments_is_answered_when_it_is_whole() -> None:
    subject = framing()
    frame = Dlt698Frame(0x83, ONE, 0, apdu("report_notification", "normal_list", piid_acd=0x85, results=[]))
    heard = [item for piece in frame.split(3) for item in subject.feed(piece.encode())]
    assert all(isinstance(item, Heard) for item in heard)
    last = heard[-1]
    assert isinstance(last, Heard)
    assert respond(subject, last).control == 0x03


# What meters say of their own accord


@pytest.mark.parametrize("kind", ["login", "heartbeat", "logout"])
def test_a_link_request_is_answered(kind: str) -> None:
    subject = framing()
    frame = respond(subject, only(subject.feed(link(kind).encode())))
    assert (frame.control, frame.address, frame.client) == (0x01, ONE, 0)
    name, body = dlt698_decode_apdu(frame.user_data)
    now = date_time(NOW, ZONE)
    assert name == "link_response"
    assert body == {
        "piid": 3,
        "result": 0x80,
        "requested": date_time(NOW - 5000, ZONE),
        "received": now,
        "responded": now,
    }
    assert (device(ONE) in subject.released) is (kind != "heartbeat")  # who dials in anew has no association


def test_a_captured_login_is_answered() -> None:
    # 698-11 of the vectors: the 4G gateway of a carbon meter logs in with a heartbeat of 180 s
    captured = "68 1E 00 81 05 11 11 11 11 11 11 00 9E 76 01 00 00 00 B4 07 E9 04 03 04 0F 14 05 00 00 E8 B0 16"
    subject = framing()
    frame = respond(subject, only(subject.feed(bytes.fromhex(captured))))
    assert frame.address == "111111111111"
    assert frame.user_data.hex(" ").startswith("81 00 80 07 e9 04 03 04 0f 14 05 00 00 ")


def test_a_captured_reply_through_a_terminal_is_the_meters() -> None:
    # 698-23 of the vectors: the gateway 111111111111 passes on that the carbon meter 012503200001 has 0 A in phase A
    captured = (
        "68 3E 00 C3 05 11 11 11 11 11 11 00 8D E9 89 07 05 F2 01 02 01 01 24 FE FE FE FE 68 1E 00 C3 05 01 00 20 03"
        "25 01 00 49 AD 85 01 00 20 01 02 01 01 05 00 00 00 00 00 00 9E F3 16 00 00 E3 2E 16"
    )
    heard = only(framing().feed(bytes.fromhex(captured)))
    assert heard.device == device("012503200001")
    assert heard.signature == (0, "get_response", 0, 0)
    assert isinstance(heard.frame, Message)
    assert heard.frame.terminal is not None
    assert heard.frame.terminal.address == "111111111111"
    (block,) = load("dlt698-carbon-meter").plan([load("dlt698-carbon-meter").points["current_a"]], ZONE)
    assert block.decode(heard.frame.apdu) == {"current_a": 0}


@pytest.mark.parametrize(
    ("choice", "body", "expected"),
    [
        ("normal_list", {"results": [{"oad": 0x4000_0200, "result": ("dar", 1)}]}, "08 01 05 01 40 00 02 00 00"),
        ("record_list", {"records": []}, "08 02 05 00 00"),
        ("transparent", {"oad": 0xF201_0200, "message": b""}, "08 03 05 00"),
    ],
)
def test_a_report_is_confirmed(choice: str, body: dict[str, Any], expected: str) -> None:
    subject = framing()
    notification = apdu("report_notification", choice, piid_acd=5, **body)
    frame = respond(subject, only(subject.feed(Dlt698Frame(0x83, ONE, 0x10, notification).encode())))
    assert (frame.control, frame.address, frame.client) == (0x03, ONE, 0x10)
    assert frame.user_data.hex(" ") == expected


def test_the_end_of_an_association_is_known() -> None:
    subject = framing()
    clock = date_time_s(NOW, ZONE)
    gone = apdu("release_notification", "", connected=clock, released=clock)
    heard = only(subject.feed(Dlt698Frame(0x83, ONE, 0, gone).encode()))
    assert subject.released == {device(ONE)}
    assert subject.respond(heard) is None


def test_heartbeats_say_how_long_silence_is_allowed() -> None:
    watch = Heartbeats()
    watch.see(REQUEST)
    watch.see(Dlt698Frame(0x81, ONE, 0, b"nothing"))
    assert watch.silent_after_s is None
    watch.see(link("login", 60))
    assert watch.silent_after_s == 180
    watch.see(link("heartbeat", 20))
    assert watch.silent_after_s == 60
    watch.see(link("login", 0))
    assert watch.silent_after_s is None
    watch.see(link("logout"))
    assert watch.silent_after_s == 0


@given(st.binary(max_size=60), st.sampled_from([0x81, 0x83, 0xC3, 0xA3, 0xE3, 0xEB, 0xCB]))
def test_no_octets_break_the_framing(data: bytes, control: int) -> None:
    subject = framing()
    for item in subject.feed(Dlt698Frame(control, ONE, 0, data).encode()):
        if isinstance(item, Heard):
            subject.respond(item)
    assert only(subject.feed(reply_to(REQUEST, REPLY))).signature is not None


@given(st.data())
def test_no_reply_with_a_changed_octet_breaks_the_framing(data: st.DataObject) -> None:
    inner = Dlt698Frame(0xC3, ONE, 0x10, REPLY).encode()
    replies = [
        REPLY,
        apdu("report_notification", "normal_list", results=[{"oad": 1, "result": ("dar", 1)}]),
        apdu("proxy_response", "transparent", port=1, result=("answer", inner)),
        dlt698_encode_apdu(("security_response", {"apdu": ("plain", REPLY), "verification": None})),
        link("login").user_data,
    ]
    octets = bytearray(data.draw(st.sampled_from(replies)))
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    subject = framing()
    for item in subject.feed(reply_to(REQUEST, bytes(octets))):
        if isinstance(item, Heard):
            subject.respond(item)
