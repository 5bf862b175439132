"""Associations, long replies and dialling in of a simulated DL/T 698.45 meter, and whatever else comes."""

from typing import Any

import pytest
from dlt698_bench import ADDRESS, DAY, NOW, ZONE, Bench, wide
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import Dlt698DecodeError, Dlt698Frame, Dlt698Reassembler, dlt698_decode_apdu, dlt698_encode_apdu
from firmware_sim.faces.base import Answer, DialInFace
from profiles.dlt698.moments import date_time_s


@pytest.fixture
def bench() -> Bench:
    return Bench()


# Services and associations


@pytest.mark.parametrize(
    ("apdu", "piid", "code"),
    [("05 01 07 40 01 02", 7, 1), ("05", 0, 1), ("05 06 09 40 01 02 00 00", 9, 2), ("05 01 07", 7, 1)],
)
def test_what_can_not_be_read_or_done_is_an_error_response(bench: Bench, apdu: str, piid: int, code: int) -> None:
    (reply,) = bench.send(bench.frame(bytes.fromhex(apdu)))
    assert reply.user_data.hex(" ") == f"ee {piid:02x} {code:02x} 00 00"


def test_a_time_tag_comes_back(bench: Bench) -> None:
    tag = {"sent": date_time_s(NOW, ZONE), "allowed_delay": {"unit": 1, "interval": 5}}
    _, body = bench.ask("get_request", "normal", oad=0x200F_0200, time_tag=tag)
    assert body["time_tag"] == tag


def test_without_an_association_a_meter_that_wants_one_says_only_who_it_is() -> None:
    bench = Bench("dlt698-carbon-meter")
    request = ("get_request", ("normal", {"piid": 5, "oad": 0x0010_0201, "time_tag": None}))
    assert bench.apdu(request)[0] == "error_response"
    assert bench.get(0x4001_0200)[0] == "data"
    assert bench.connect()["result"] == 0
    assert bench.get(0x0010_0201) == ("data", wide(1000))
    bench.client = 1
    assert bench.apdu(request)[0] == "error_response"
    bench.client = 0
    name, body = bench.apdu(("release_request", {"piid": 6, "time_tag": None}))
    assert (name, body["result"]) == ("release_response", 0)
    assert bench.apdu(request)[0] == "error_response"


def test_an_association_ends_after_its_silence() -> None:
    bench = Bench("dlt698-carbon-meter")
    request = ("get_request", ("normal", {"piid": 5, "oad": 0x0010_0201, "time_tag": None}))
    bench.connect(NOW, timeout_s=100)
    assert bench.apdu(request, NOW + 99_999)[0] == "get_response"
    assert bench.apdu(request, NOW + 199_998)[0] == "get_response"
    assert bench.apdu(request, NOW + 299_998)[0] == "error_response"


def test_sizes_are_those_that_both_sides_can() -> None:
    bench = Bench("dlt698-carbon-meter", frame_size=500)
    reply = bench.connect(send_size=2000, receive_size=300, apdu_size=1000)
    assert (reply["receive_size"], reply["send_size"], reply["apdu_size"]) == (500, 300, 500)


def test_a_client_that_takes_no_octets_gets_few_at_a_time() -> None:
    bench = Bench("dlt698-carbon-meter")
    with pytest.raises(Dlt698DecodeError):  # the answer is in fragments at once
        bench.connect(receive_size=0)
    (frame,) = bench.send(bench.frame(bytes.fromhex("05 01 01 00 10 02 00 00")))
    assert len(frame.encode()) <= 64


def test_a_reply_longer_than_any_message_comes_in_blocks(bench: Bench) -> None:
    bench.connect(apdu_size=900)  # so that no block needs link fragments
    choice, body = bench.ask("get_request", "normal_list", oads=[0x0010_0200] * 3500)
    results = []
    while choice == "next":
        results += body["result"][1]
        if body["last"]:
            break
        choice, body = bench.ask("get_request", "next", block=body["block"])
    assert [result["oad"] for result in results] == [0x0010_0200] * 3500


def test_a_record_longer_than_any_message_is_refused(bench: Bench) -> None:
    record = {"oad": 0x5004_0200, "rows": ("none", None), "columns": [("oad", 0x2021_0200)] * 3200}
    request = ("get_request", ("record", {"piid": 5, "record": record, "time_tag": None}))
    assert bench.apdu(request) == (
        "error_response",
        {"piid_acd": 5, "error": 2, "follow_report": None, "time_tag": None},
    )


def test_security_in_its_plain_form(bench: Bench) -> None:
    inner = bytes.fromhex("05 01 01 40 01 02 00 00")
    request = {"apdu": ("plain", inner), "verification": ("rn", bytes(16))}
    name, body = bench.apdu(("security_request", request))
    assert name == "security_response"
    assert body["apdu"][0] == "plain"
    assert body["apdu"][1].hex() == "8501014001020001090612345678901200" + "00"
    _, body = bench.apdu(("security_request", {**request, "apdu": ("ciphered", inner)}))
    assert body["apdu"] == ("dar", 20)


def test_a_terminal_passes_frames_on() -> None:
    bench = Bench(addresses={"one": "111111111111", "two": "012503200001"})
    inner = bench.frame(bytes.fromhex("05 01 02 40 01 02 00 00"), "012503200001")
    comdcb = {"baud": 6, "parity": 2, "data_bits": 8, "stop_bits": 1, "flow": 0}

    def ask(command: bytes) -> tuple[str, Any]:
        body = {
            "piid": 5,
            "port": 0xF201_0201,
            "settings": comdcb,
            "message_timeout_s": 10,
            "byte_timeout_ms": 100,
            "command": command,
            "time_tag": None,
        }
        apdu = dlt698_encode_apdu(("proxy_request", ("transparent", body)))
        (reply,) = bench.send(bench.frame(apdu, "a" * 12, kind="wildcard"))
        assert reply.address == "111111111111"
        name, (choice, content) = dlt698_decode_apdu(reply.user_data)
        assert (name, choice, content["port"], content["piid_acd"]) == ("proxy_response", "transparent", 0xF201_0201, 5)
        return content["result"]  # type: ignore[no-any-return]

    kind, octets = ask(inner.encode())
    assert (kind, octets[:4]) == ("answer", b"\xfe" * 4)
    assert Dlt698Frame.decode(octets).user_data.endswith(bytes.fromhex("09 06 01 25 03 20 00 01 00 00"))
    assert ask(bench.frame(b"\x05", "000000000009").encode()) == ("dar", 33)
    assert ask(b"nothing") == ("dar", 33)


# Long replies


def read_in_fragments(bench: Bench, apdu: bytes) -> Dlt698Frame:
    joined = Dlt698Reassembler()
    frames = bench.send(bench.frame(apdu))
    for _ in range(100):
        (frame,) = frames
        assert frame.is_fragment
        assert len(frame.encode()) <= 100
        outcome, whole = joined.feed(frame)
        frames = bench.send(frame.confirmation())
        if outcome == "complete":
            assert frames == []
            assert isinstance(whole, Dlt698Frame)
            return whole
    raise AssertionError("no end")


def test_a_reply_longer_than_a_frame_comes_in_fragments() -> None:
    bench = Bench(frame_size=100)
    oads = bytes.fromhex("05 01 01 00 10 02 00 00")
    (short,) = bench.send(bench.frame(oads))
    assert not short.is_fragment
    rows = {"oad": 0x5004_0200, "rows": ("none", None), "columns": [("oad", 0x0010_0200)] * 8}
    record = ("get_request", ("record", {"piid": 3, "record": rows, "time_tag": None}))
    for _ in range(2):
        whole = read_in_fragments(bench, dlt698_encode_apdu(record))
        name, (_, body) = dlt698_decode_apdu(whole.user_data)
        assert name == "get_response"
        assert body["record"]["result"][1] == [[("array", [wide(number)])] * 8 for number in (2, 1)]


def test_a_fragment_that_is_not_confirmed_is_given_up_for_a_new_request() -> None:
    bench = Bench(frame_size=100)
    rows = {"oad": 0x5004_0200, "rows": ("none", None), "columns": [("oad", 0x0010_0200)] * 8}
    apdu = dlt698_encode_apdu(("get_request", ("record", {"piid": 3, "record": rows, "time_tag": None})))
    (first,) = bench.send(bench.frame(apdu))
    wrong = Dlt698Frame(0x63, ADDRESS, 0, bytes.fromhex("ff 8f"))
    assert [frame.user_data for frame in bench.send(wrong)] == [first.user_data]
    assert bench.get(0x4001_0200)[0] == "data"
    assert bench.send(first.confirmation()) == []


def test_a_request_in_fragments_is_confirmed_and_answered(bench: Bench) -> None:
    oads = [0x200F_0200] * 30
    apdu = dlt698_encode_apdu(("get_request", ("normal_list", {"piid": 3, "oads": oads, "time_tag": None})))
    pieces = bench.frame(apdu).split(50)
    assert len(pieces) == 3
    for piece in pieces[:-1]:
        (confirmation,) = bench.send(piece)
        assert confirmation.fragment() == (piece.fragment()[0], "confirm", b"")
        assert confirmation.from_server
    last, reply = bench.send(pieces[-1])
    assert last.fragment()[1] == "confirm"
    assert len(dlt698_decode_apdu(reply.user_data)[1][1]["results"]) == 30
    assert bench.send(pieces[1]) == []  # out of order


def test_a_reply_longer_than_an_apdu_comes_in_blocks() -> None:
    bench = Bench("dlt698-carbon-meter")
    bench.connect(apdu_size=100)
    oads = [0x200F_0200, 0x2000_0200, 0x1234_0200] * 10
    choice, body = bench.ask("get_request", "normal_list", oads=oads)
    got = []
    for block in range(100):
        assert choice == "next"
        assert body["block"] == block
        got += body["result"][1]
        if body["last"]:
            break
        choice, body = bench.ask("get_request", "next", block=block)
    assert [item["oad"] for item in got] == oads
    assert block > 2
    _, again = bench.ask("get_request", "next", block=0)
    assert again["block"] == 1
    assert bench.ask("get_request", "next", block=block)[1]["result"] == ("dar", 14)
    bench.get(0x200F_0200)
    assert bench.ask("get_request", "next", block=0)[1]["result"] == ("dar", 11)


# Dialling in


def linked(answer: Answer) -> tuple[str, dict[str, Any]]:
    frame = Dlt698Frame.decode(answer.octets)
    assert (frame.control, frame.address) == (0x81, ADDRESS)
    name, body = dlt698_decode_apdu(frame.user_data)
    assert name == "link_request"
    return body["type"][0], body


def agree(bench: Bench, result: int = 0x80) -> None:
    time = {"year": 2025, "month": 4, "day": 3, "weekday": 4, "hour": 0, "minute": 0, "second": 0, "milliseconds": 0}
    body = {"piid": 1, "result": result, "requested": time, "received": time, "responded": time}
    assert bench.send(bench.frame(dlt698_encode_apdu(("link_response", body)), control=0x01)) == []


def test_a_meter_that_dials_in_logs_in_and_says_that_it_is_there(bench: Bench) -> None:
    assert isinstance(bench.face, DialInFace)
    (login,) = bench.face.opened(NOW)
    kind, body = linked(login)
    assert (kind, body["heartbeat_s"]) == ("login", 60)
    assert body["time"]["weekday"] == 4
    agree(bench)
    said, following = bench.face.due(NOW + 1000)
    assert (said, following) == ([], NOW + 60_000)
    said, following = bench.face.due(NOW + 60_000)
    assert [linked(answer)[0] for answer in said] == ["heartbeat"]
    assert following == NOW + 120_000


@pytest.mark.parametrize("result", [None, 1])
def test_a_login_that_is_not_answered_or_refused_is_repeated(bench: Bench, result: int | None) -> None:
    bench.face.opened(NOW)
    if result is not None:
        agree(bench, result)
    said, following = bench.face.due(NOW + 10_000)
    assert [linked(answer)[0] for answer in said] == ["login"]
    assert following == NOW + 20_000


def test_a_report_response_is_not_answered(bench: Bench) -> None:
    body = {"piid": 1, "oads": [], "time_tag": None}
    apdu = dlt698_encode_apdu(("report_response", ("normal_list", body)))
    assert bench.send(bench.frame(apdu, control=0x03)) == []


# Whatever comes


@given(st.binary(max_size=40), st.sampled_from([0x01, 0x03, 0x43, 0x4B, 0x63, 0x6B]), st.booleans())
def test_no_octets_break_a_meter(data: bytes, control: int, wild: bool) -> None:
    bench = Bench()
    address, kind = ("a" * 12, "wildcard") if wild else (ADDRESS, "single")
    bench.send(bench.frame(data, address, control=control, kind=kind))
    assert bench.get(0x4001_0200)[0] == "data"


@given(st.data())
def test_no_service_breaks_a_meter(data: st.DataObject) -> None:
    """Valid requests with one octet changed: most still decode."""
    item = ("structure", [("date_time_s", date_time_s(DAY, ZONE)), ("ti", {"unit": 1, "interval": 15}), ("array", [])])
    record = {"oad": 0x5004_0200, "rows": ("last", 1), "columns": [("oad", 0x0010_0200)]}
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("get_request", "normal_list", {"oads": [0x0010_0200, 0x5004_0300]}),
        ("get_request", "record", {"record": record}),
        ("get_request", "next", {"block": 0}),
        ("set_request", "normal", {"oad": 0x4120_0200, "data": item}),
        ("set_request", "normal", {"oad": 0x4000_0200, "data": item[1][0]}),
        ("action_request", "normal", {"omd": 0x4000_7F00, "data": item[1][0]}),
    ]
    name, choice, body = data.draw(st.sampled_from(bodies))
    apdu = bytearray(dlt698_encode_apdu((name, (choice, {"piid": 1, **body, "time_tag": None}))))
    apdu[data.draw(st.integers(0, len(apdu) - 1))] = data.draw(st.integers(0, 255))
    bench = Bench("dlt698-carbon-meter", connect=0, factor_values=1)
    bench.send(bench.frame(bytes(apdu)))
    assert bench.get(0x4001_0200)[0] == "data"
