"""Frames and APDUs of DL/T 698.45 from public documentation and captures: each says what its source says it does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import diantan_core as core

pytestmark = pytest.mark.shared

FRAMES = [*range(1, 9), 10, 11, 14, 16, 19, 20, *range(22, 27), 28, 30, 31, 33, 35, 36]
APDUS = [1, 2, 3, 4, 6, 9, 11, 12, 14, 16, 17]
FRAGMENTS = {"698-05", "698-06", "698-07", "698-08"}
CHOICES = {"Normal": "normal", "NormalList": "normal_list", "Record": "record"}
KINDS = ["single", "wildcard", "group", "broadcast"]


@pytest.fixture(scope="module")
def vectors(shared_data: Path) -> dict[str, dict[str, Any]]:
    text = (shared_data / "data" / "dlt_vectors.json").read_text(encoding="utf-8")
    found = {vector["id"]: vector for vector in json.loads(text)["vectors"] if vector["proto"].startswith("698")}
    stated = {f"698-{number:02}" for number in FRAMES} | {f"698a-{number:02}" for number in APDUS}
    assert found.keys() == stated, "the parameters of these tests are no longer the file's"
    return found


def raw(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["hex"])


def frame_of(vector: dict[str, Any]) -> core.Dlt698Frame:
    (frame,) = core.Dlt698Parser().feed(raw(vector))
    assert isinstance(frame, core.Dlt698Frame)
    return frame


@pytest.mark.parametrize("number", FRAMES)
def test_a_frame_has_its_meaning_and_encodes_to_itself(vectors: dict[str, dict[str, Any]], number: int) -> None:
    vector = vectors[f"698-{number:02}"]
    stated, frame = vector["decoded"], frame_of(vector)
    assert frame.control == int(stated["ctrl"], 16)
    assert (frame.from_server, frame.client_initiated) == (stated["dir"], stated["prm"])
    assert (frame.is_fragment, frame.scrambled, frame.function) == (stated["frag"], stated["sc"], stated["func"])
    assert (frame.kind, frame.logical, frame.address) == (KINDS[stated["at"]], stated["la"], stated["sa"])
    assert frame.client == int(stated["ca"], 16)
    assert frame.user_data == bytes.fromhex(stated["apdu_hex"])
    assert not frame.kilobytes
    assert frame.encode() == raw(vector)
    assert core.Dlt698Frame.decode(b"\xfe" * 4 + raw(vector)) == frame
    again = core.Dlt698Frame(
        frame.control, frame.address, frame.client, frame.user_data, kind=frame.kind, logical=frame.logical
    )
    assert (again, hash(again), repr(again)) == (frame, hash(frame), repr(frame))


@pytest.mark.parametrize("number", FRAMES)
def test_no_frame_survives_a_changed_bit(vectors: dict[str, dict[str, Any]], number: int) -> None:
    good = raw(vectors[f"698-{number:02}"])
    for bit in range(8 * len(good)):
        broken = bytearray(good)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(core.Dlt698FrameError):
            core.Dlt698Frame.decode(bytes(broken))


def plain(data: tuple[str, Any]) -> object:
    """Return a data item in the way the vector file writes it."""
    kind, value = data
    if kind == "array":
        return ["array", [plain(item) for item in value]]
    if kind == "octet_string":
        return ["octets", value.hex()]
    if kind == "date_time_s":
        return "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}".format(**value)
    return 0 if kind == "null" else value


def date_time(value: dict[str, int]) -> str:
    day = "{year}-{month:02}-{day:02} wd{weekday}".format(**value)
    return day + " {hour:02}:{minute:02}:{second:02}.{milliseconds:03}".format(**value)


def result(item: dict[str, Any]) -> object:
    name, data = item["result"]
    assert name == "data"
    return plain(data)


READINGS: dict[str, Callable[[dict[str, Any]], object]] = {
    "piid": lambda body: body["piid"],
    "piid_acd": lambda body: body["piid_acd"],
    "oad": lambda body: f"{(body.get('record') or body)['oad']:08X}",
    "omd": lambda body: f"{body['omd']:08X}",
    "oads": lambda body: [f"{oad:08X}" for oad in body["oads"]],
    "timetag": lambda body: 0 if body["time_tag"] is None else 1,
    "tail": lambda body: "0000" if body["follow_report"] is body["time_tag"] is None else "more",
    "results": lambda body: [{"oad": f"{item['oad']:08X}", "data": result(item)} for item in body["results"]],
    "columns": lambda body: [f"{oad:08X}" for name, oad in body["record"]["columns"] if name == "oad"],
    "rows": lambda body: [[plain(cell) for cell in row] for row in body["record"]["result"][1]],
    "rsd": lambda body: {"equal": 1}[body["record"]["rows"][0]],
    "req_type": lambda body: body["type"][0],
    "heartbeat_s": lambda body: body["heartbeat_s"],
    "date_time": lambda body: date_time(body["time"]),
}


def check(stated: dict[str, Any], octets: bytes) -> None:
    apdu = core.dlt698_decode_apdu(octets)
    assert core.dlt698_encode_apdu(apdu) == octets
    name, body = apdu
    assert name == stated["apdu"].lower().replace("-", "_").replace("error", "error_response")
    if isinstance(body, tuple):
        choice, body = body
        assert choice == CHOICES.get(stated.get("choice", ""), choice)
    for key, value in stated.items():
        if key == "data":
            assert (plain(body["data"]) if name.endswith("request") else result(body)) == value
        elif key in READINGS:
            assert READINGS[key](body) == value, key
    for cut in range(len(octets)):
        with pytest.raises(core.Dlt698DecodeError):
            core.dlt698_decode_apdu(octets[:cut])


@pytest.mark.parametrize("number", [number for number in FRAMES if f"698-{number:02}" not in FRAGMENTS])
def test_the_apdu_of_a_frame_has_its_meaning(vectors: dict[str, dict[str, Any]], number: int) -> None:
    vector = vectors[f"698-{number:02}"]
    check(vector["decoded"], frame_of(vector).user_data)


@pytest.mark.parametrize("number", APDUS)
def test_an_apdu_of_annex_d_has_its_meaning(vectors: dict[str, dict[str, Any]], number: int) -> None:
    vector = vectors[f"698a-{number:02}"]
    check(vector["decoded"], raw(vector))


def test_all_in_one_stream_with_noise_between(vectors: dict[str, dict[str, Any]]) -> None:
    frames = [raw(vector) for vector in vectors.values() if vector["proto"] == "698"]
    stream = b"\x00\x68\xff".join(frames)
    for size in (1, 7, 64, len(stream)):
        parser, found = core.Dlt698Parser(), list[core.Dlt698Frame]()
        for start in range(0, len(stream), size):
            events = parser.feed(stream[start : start + size])
            found.extend(event for event in events if isinstance(event, core.Dlt698Frame))
        assert [frame.encode() for frame in found] == frames
        assert parser.pending == 0


def test_captured_fragments_join(vectors: dict[str, dict[str, Any]]) -> None:
    confirm, first, middle, last = (frame_of(vectors[name]) for name in sorted(FRAGMENTS))
    assert confirm.fragment() == (0x105, "confirm", b"")
    assert first.fragment() == (0x105, "first", b"\x05\x01\x15")
    assert middle.fragment() == (0x106, "middle", b"\xf1\x01\x02")
    assert last.fragment() == (0x107, "last", b"\x00\x00")
    assert first.confirmation() == confirm
    reassembler = core.Dlt698Reassembler()
    assert reassembler.feed(confirm) == ("confirmed", 0x105)
    with pytest.raises(core.Dlt698FragmentError, match="262 belongs to no message"):
        reassembler.feed(middle)
    assert reassembler.feed(first) == ("more", None)
    with pytest.raises(core.Dlt698FragmentError, match="expected fragment 262, got 263"):
        reassembler.feed(last)
    assert reassembler.feed(middle) == ("more", None)
    assert reassembler.feed(middle) == ("repeated", None)
    assert reassembler.pending == 6
    state, whole = reassembler.feed(last)
    assert state == "complete"
    assert isinstance(whole, core.Dlt698Frame)
    assert (whole.control, whole.address, whole.client) == (0x83, "000000000002", 0x10)
    request = ("normal", {"piid": 0x15, "oad": 0xF1010200, "time_tag": None})
    assert core.dlt698_decode_apdu(whole.user_data) == ("get_request", request)
    assert [piece.fragment() for piece in whole.split(3, 0x105)] == [
        first.fragment(),
        middle.fragment(),
        last.fragment(),
    ]


def test_proxy_carries_whole_frames(vectors: dict[str, dict[str, Any]]) -> None:
    _, (_, asked) = core.dlt698_decode_apdu(frame_of(vectors["698-22"]).user_data)
    inner = asked.pop("command")
    assert asked == {
        "piid": 5,
        "port": 0xF2010201,
        "settings": {"baud": 6, "parity": 2, "data_bits": 8, "stop_bits": 1, "flow": 0},
        "message_timeout_s": 10,
        "byte_timeout_ms": 100,
        "time_tag": None,
    }
    assert core.Dlt698Frame.decode(inner) == frame_of(vectors["698-20"])
    _, (_, answered) = core.dlt698_decode_apdu(frame_of(vectors["698-23"]).user_data)
    assert answered["port"] == 0xF2010201
    kind, inner = answered["result"]
    assert kind == "answer"
    assert inner.startswith(b"\xfe" * 4)
    reply = core.Dlt698Frame.decode(inner)
    assert reply.address == "012503200001"
    _, (_, reading) = core.dlt698_decode_apdu(reply.user_data)
    assert (reading["oad"], reading["result"]) == (0x20010201, ("data", ("double_long", 0)))


def test_security_carries_an_apdu_and_its_verification(vectors: dict[str, dict[str, Any]]) -> None:
    _, secured = core.dlt698_decode_apdu(frame_of(vectors["698-31"]).user_data)
    assert secured["apdu"] == ("plain", frame_of(vectors["698-30"]).user_data)
    assert secured["verification"] == ("rn", bytes.fromhex("2BB5CE973921FC9CD83727822E8DE3B5"))
    _, (_, asked) = core.dlt698_decode_apdu(secured["apdu"][1])
    day = {"year": 2018, "month": 12, "day": 27, "hour": 0, "minute": 0, "second": 0}
    assert asked["record"] == {
        "oad": 0x50040200,
        "rows": ("equal", {"oad": 0x20210200, "value": ("date_time_s", day)}),
        "columns": [("oad", 0x20210200), ("oad", 0x00100200), ("oad", 0x00200200)],
    }


def test_what_the_annex_says_of_the_others(vectors: dict[str, dict[str, Any]]) -> None:
    def body(name: str) -> dict[str, Any]:
        content = core.dlt698_decode_apdu(raw(vectors[name]))[1]
        return content[1] if isinstance(content, tuple) else content  # type: ignore[no-any-return]  # the tree is Any

    assert body("698a-09")["dar"] == 0
    tail = {"follow_report": None, "time_tag": None}
    assert body("698a-12") == {"piid_acd": 5, "omd": 0x00100100, "dar": 0, "data": None, **tail}
    assert body("698a-17") == {"piid_acd": 3, "error": 2, **tail}
    login = body("698a-14")
    assert (login["piid"], login["result"]) == (0, 0x80)
    times = [date_time(login[name]) for name in ("requested", "received", "responded")]
    assert times == [
        "2016-05-19 wd4 08:05:00.137",
        "2016-05-19 wd4 08:05:01.607",
        "2016-05-19 wd4 08:05:02.730",
    ]
    connected = body("698a-16")
    assert connected["factory"]["manufacturer"] == b"TOPS"
    assert connected["factory"]["software_date"] == b"160731"
    sizes = [connected[name] for name in ("version", "send_size", "receive_size", "receive_window", "apdu_size")]
    assert sizes == [16, 1024, 1024, 1, 1024]
    assert (connected["timeout_s"], connected["result"], connected["security_data"]) == (100, 0, None)
    _, (_, reset) = core.dlt698_decode_apdu(frame_of(vectors["698-10"]).user_data)
    assert reset == {"piid_acd": 0x0E, "omd": 0x43004C00, "dar": 0, "data": None, **tail}
