"""What a simulated DL/T 698.45 meter answers, octet by octet and object by object."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import Dlt698DecodeError, Dlt698Frame, Dlt698Reassembler, dlt698_decode_apdu, dlt698_encode_apdu
from firmware_sim.faces.base import Answer, DialInFace
from firmware_sim.faces.dlt698 import Dlt698Face
from firmware_sim.meter import Row
from profiles import Profile, load
from profiles.dlt698.moments import date_time_s

ZONE = "Asia/Shanghai"
ADDRESS = "123456789012"
NOW = 1_743_654_005_000  # 2025-04-03 12:20:05 in Shanghai
DAY = 1_743_609_600_000
REQUEST = 0x43


class Store:
    """A meter whose every value is its resolution times a number, with two frozen days."""

    def __init__(self, profile: Profile) -> None:
        self.applied: list[tuple[str, Row]] = []
        self.now: Row = {name: 1000 * point.resolution for name, point in profile.points.items()}
        self.refuses = False

    def values(self, now_ms: int) -> Row:
        return {**self.now, "device_time": now_ms}

    def row(self, table: str, number: int, now_ms: int) -> Row:
        if number > 2:
            return {}
        return {
            "time": DAY - (number - 1) * 86_400_000,
            "energy_forward": number * 10_000,
            "energy_reverse": number * 20_000,
            "carbon_forward": number * 10**10,
            "carbon_reverse": 0,
        }

    def apply(self, write: str, fields: Row, now_ms: int) -> None:
        if self.refuses:
            raise ValueError("out of range")
        self.applied.append((write, fields))


class Bench:
    """A face with one meter, and its client."""

    def __init__(
        self, name: str = "dlt698-three-phase", addresses: Mapping[str, str] | None = None, **parameters: int
    ) -> None:
        self.profile = load(name, parameters)
        self.store = Store(self.profile)
        meters = {key: (address, self.profile, self.store) for key, address in (addresses or {"m": ADDRESS}).items()}
        self.face = Dlt698Face(meters, ZONE)
        self.client = 0

    def send(self, frame: Dlt698Frame, now_ms: int = NOW) -> list[Dlt698Frame]:
        return [Dlt698Frame.decode(answer.octets) for answer in self.face.feed(frame.encode(), now_ms)]

    def frame(self, apdu: bytes, address: str = ADDRESS, **settings: Any) -> Dlt698Frame:
        return Dlt698Frame(settings.pop("control", REQUEST), address, self.client, apdu, **settings)

    def apdu(self, apdu: tuple[str, Any], now_ms: int = NOW) -> tuple[str, Any]:
        (reply,) = self.send(self.frame(dlt698_encode_apdu(apdu)), now_ms)
        assert reply.address == ADDRESS
        return dlt698_decode_apdu(reply.user_data)

    def ask(self, name: str, choice: str, now_ms: int = NOW, **body: Any) -> tuple[str, Any]:
        reply, content = self.apdu((name, (choice, {"piid": 5, "time_tag": None, **body})), now_ms)
        assert reply == name.replace("request", "response")
        assert content[1]["piid_acd"] == 5
        return content  # type: ignore[no-any-return]

    def get(self, oad: int) -> Any:
        choice, body = self.ask("get_request", "normal", oad=oad)
        assert (choice, body["oad"]) == ("normal", oad)
        return body["result"]

    def record(self, rows: Any, columns: list[int], oad: int = 0x5004_0200) -> Any:
        wanted = {"oad": oad, "rows": rows, "columns": [("oad", column) for column in columns]}
        choice, body = self.ask("get_request", "record", record=wanted)
        assert choice == "record"
        assert body["record"]["oad"] == oad
        return body["record"]

    def connect(self, now_ms: int = NOW, **settings: Any) -> dict[str, Any]:
        body = {
            "piid": 1,
            "version": 16,
            "protocol_conformance": b"\xff" * 8,
            "function_conformance": b"\xff" * 16,
            "send_size": 1024,
            "receive_size": 1024,
            "receive_window": 1,
            "apdu_size": 1024,
            "timeout_s": 100,
            "mechanism": ("none", None),
            "time_tag": None,
            **settings,
        }
        name, reply = self.apdu(("connect_request", body), now_ms)
        assert name == "connect_response"
        return reply  # type: ignore[no-any-return]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def wide(raw: int) -> tuple[str, int]:
    return "double_long_unsigned", raw


# Frames and addresses


def test_the_exchange_of_annex_d_octet_by_octet(bench: Bench) -> None:
    # DL/T 698.45-2017 D.3.1, in frames
    (reply,) = bench.send(bench.frame(bytes.fromhex("05 01 01 40 01 02 00 00")))
    assert reply.user_data.hex(" ") == "85 01 01 40 01 02 00 01 09 06 12 34 56 78 90 12 00 00"
    assert (reply.control, reply.client, reply.kind) == (0xC3, 0, "single")


def test_octets_come_in_any_pieces_with_anything_between(bench: Bench) -> None:
    octets = b"\x00\x68\xff" + b"\xfe" * 4 + bench.frame(bytes.fromhex("05 01 01 40 01 02 00 00")).encode()
    answers = [answer for octet in octets for answer in bench.face.feed(bytes([octet]), NOW)]
    assert [(answer.meter, answer.octets[:4]) for answer in answers] == [("m", b"\xfe" * 4)]
    bench.face.feed(octets[:-3], NOW)
    bench.face.flush()
    assert len(bench.face.feed(octets, NOW)) == 1


@pytest.mark.parametrize("address", ["123456789013", "1234567890", "00123456789012", "a23456789013"])
def test_a_foreign_address_is_never_answered(bench: Bench, address: str) -> None:
    kind = "wildcard" if "a" in address else "single"
    assert bench.send(bench.frame(bytes.fromhex("05 01 01 40 01 02 00 00"), address, kind=kind)) == []


def test_a_reply_or_another_meters_frame_is_nothing_to_answer(bench: Bench) -> None:
    apdu = bytes.fromhex("85 01 01 40 01 02 00 01 09 06 12 34 56 78 90 12 00 00")
    assert bench.send(bench.frame(apdu, control=0xC3)) == []


@pytest.mark.parametrize("pattern", ["aaaaaaaaaaaa", "12345678901a", "a23456789012"])
def test_a_wildcard_is_answered_with_the_real_address(pattern: str) -> None:
    bench = Bench(addresses={"one": ADDRESS, "two": "123456789022", "three": "999999999999"})
    frame = bench.frame(bytes.fromhex("05 01 01 40 01 02 00 00"), pattern, kind="wildcard")
    meant = {"aaaaaaaaaaaa": [ADDRESS, "123456789022", "999999999999"]}.get(pattern, [ADDRESS])
    replies = bench.send(frame)
    assert [reply.address for reply in replies] == meant
    assert all(reply.kind == "single" for reply in replies)


def test_a_broadcast_is_heard_and_not_answered() -> None:
    bench = Bench(addresses={"one": ADDRESS, "two": "123456789022"})
    time = ("date_time_s", date_time_s(NOW, ZONE))
    body = {"piid": 0, "omd": 0x4000_7F00, "data": time, "time_tag": None}
    apdu = dlt698_encode_apdu(("action_request", ("normal", body)))
    assert bench.send(bench.frame(apdu, "aa", kind="broadcast")) == []
    assert bench.store.applied == [("clock", {"time": NOW})] * 2


def test_a_scrambled_request_gets_a_scrambled_reply(bench: Bench) -> None:
    (reply,) = bench.send(bench.frame(bytes.fromhex("05 01 01 40 01 02 00 00"), control=REQUEST | 8))
    assert reply.scrambled
    assert reply.user_data.endswith(bytes.fromhex("09 06 12 34 56 78 90 12 00 00"))


def test_the_logical_address_and_the_client_are_repeated(bench: Bench) -> None:
    bench.client = 0x10
    (reply,) = bench.send(bench.frame(bytes.fromhex("05 01 01 40 01 02 00 00"), logical=2))
    assert (reply.logical, reply.client) == (2, 0x10)


def test_a_misaddressed_reply_is_right_but_for_its_address(bench: Bench) -> None:
    (answer,) = bench.face.feed(bench.frame(bytes.fromhex("05 01 01 40 01 02 00 00")).encode(), NOW)
    wrong = Dlt698Frame.decode(bench.face.misaddressed(answer.octets))
    right = Dlt698Frame.decode(answer.octets)
    assert wrong.address == "123456789013"
    assert (wrong.user_data, wrong.control) == (right.user_data, right.control)
    assert bench.face.misaddressed(b"nothing") == b"nothing"
    assert bench.face.addresses() == {"m": ADDRESS}


def test_another_protocols_profile_is_refused() -> None:
    profile = load("sim-carbon-meter")
    with pytest.raises(TypeError, match="m: sim-carbon-meter"):
        Dlt698Face({"m": (ADDRESS, profile, Store(profile))}, ZONE)


# Objects


def test_elements_arrays_and_structures(bench: Bench) -> None:
    assert bench.get(0x0010_0201) == ("data", wide(1000))
    assert bench.get(0x0010_0200) == ("data", ("array", [wide(1000)] * 5))
    assert bench.get(0x2000_0200) == ("data", ("array", [("long_unsigned", 1000)] * 3))
    time = ("date_time_s", date_time_s(1000 * 1000, ZONE))
    assert bench.get(0x1010_0201) == ("data", ("structure", [wide(1000), time]))
    assert bench.get(0x4000_0200) == ("data", ("date_time_s", date_time_s(NOW, ZONE)))


def test_a_value_that_the_meter_has_not_is_null(bench: Bench) -> None:
    bench.store.now["energy_forward_t3"] = None
    assert bench.get(0x0010_0200)[1][1][3] == ("null", None)
    assert bench.get(0x0010_0204) == ("data", ("null", None))


@pytest.mark.parametrize(
    ("oad", "dar"), [(0x0010_0206, 6), (0x1234_0200, 4), (0x5004_0200, 3), (0x0010_0400, 4), (0x5007_0200, 4)]
)
def test_what_is_not_there_has_its_dar(bench: Bench, oad: int, dar: int) -> None:
    assert bench.get(oad) == ("dar", dar)


def test_a_value_that_its_attribute_can_not_hold_is_a_failure_of_the_meter(bench: Bench) -> None:
    bench.store.now["serial_number"] = 10**12
    assert bench.get(0x4002_0200) == ("dar", 1)


def test_a_list_answers_each_for_itself(bench: Bench) -> None:
    choice, body = bench.ask("get_request", "normal_list", oads=[0x200F_0200, 0x1234_0200])
    assert choice == "normal_list"
    assert [item["result"] for item in body["results"]] == [("data", ("long_unsigned", 1000)), ("dar", 4)]


def frozen(number: int) -> tuple[str, dict[str, int]]:
    return "date_time_s", date_time_s(DAY - (number - 1) * 86_400_000, ZONE)


def test_the_nth_last_record(bench: Bench) -> None:
    columns = [0x2021_0200, 0x0010_0200, 0x0020_0201]
    found = bench.record(("last", 2), columns)
    assert found["columns"] == [("oad", column) for column in columns]
    assert found["result"] == ("rows", [[frozen(2), ("array", [wide(2)]), wide(4)]])
    for number in (0, 3, 31):
        assert bench.record(("last", number), columns)["result"] == ("rows", [])


def test_records_by_their_time(bench: Bench) -> None:
    equal = ("equal", {"oad": 0x2021_0200, "value": frozen(2)})
    assert bench.record(equal, [0x0010_0201])["result"] == ("rows", [[wide(2)]])
    between = ("range", {"oad": 0x2021_0200, "start": frozen(3), "end": frozen(1), "interval": ("null", None)})
    assert bench.record(between, [0x0010_0201])["result"] == ("rows", [[wide(2)]])
    assert bench.record(("none", None), [0x0010_0201])["result"] == ("rows", [[wide(2)], [wide(1)]])


def test_records_without_columns_have_all_and_unknown_ones_are_null(bench: Bench) -> None:
    everything = bench.record(("last", 1), [])
    assert everything["columns"] == [("oad", oad) for oad in (0x2021_0200, 0x0010_0200, 0x0020_0200)]
    assert bench.record(("last", 1), [0x2000_0200, 0x0010_0203])["result"] == ("rows", [[("null", None)] * 2])


@pytest.mark.parametrize(
    ("rows", "oad", "dar"),
    [
        (("last", 1), 0x5007_0200, 4),
        (("equal", {"oad": 0x202A_0200, "value": ("null", None)}), 0x5004_0200, 3),
        (("equal", {"oad": 0x2021_0200, "value": ("unsigned", 1)}), 0x5004_0200, 7),
    ],
)
def test_records_that_can_not_be_had(bench: Bench, rows: Any, oad: int, dar: int) -> None:
    assert bench.record(rows, [0x0010_0200], oad)["result"] == ("dar", dar)


def test_the_column_table_says_what_is_frozen(bench: Bench) -> None:
    kind, (name, columns) = bench.get(0x5004_0300)
    assert (kind, name) == ("data", "array")
    assert [item[1][1] for item in columns] == [("oad", oad) for oad in (0x2021_0200, 0x0010_0200, 0x0020_0200)]


def test_record_lists(bench: Bench) -> None:
    wanted = [
        {"oad": oad, "rows": ("last", 1), "columns": [("oad", 0x2021_0200)]} for oad in (0x5004_0200, 0x5007_0200)
    ]
    choice, body = bench.ask("get_request", "record_list", records=wanted)
    assert choice == "record_list"
    assert [record["result"] for record in body["records"]] == [("rows", [[frozen(1)]]), ("dar", 4)]


# What is set


def test_the_clock_is_set(bench: Bench) -> None:
    item = ("date_time_s", date_time_s(NOW, ZONE))
    assert bench.ask("set_request", "normal", oad=0x4000_0200, data=item)[1]["dar"] == 0
    assert bench.store.applied == [("clock", {"time": NOW})]
    bench.store.refuses = True
    assert bench.ask("set_request", "normal", oad=0x4000_0200, data=item)[1]["dar"] == 8


def test_what_can_not_be_set_has_its_dar(bench: Bench) -> None:
    items = [
        {"oad": 0x4000_0200, "data": ("unsigned", 1)},
        {"oad": 0x0010_0200, "data": ("null", None)},
        {"oad": 0x1234_0200, "data": ("null", None)},
    ]
    _, body = bench.ask("set_request", "normal_list", items=items)
    assert [(item["oad"], item["dar"]) for item in body["results"]] == [
        (0x4000_0200, 7),
        (0x0010_0200, 3),
        (0x1234_0200, 4),
    ]
    assert bench.store.applied == []


def test_set_then_get(bench: Bench) -> None:
    item = {"oad": 0x4000_0200, "data": ("date_time_s", date_time_s(NOW, ZONE)), "get": 0x200F_0200, "delay_s": 0}
    _, body = bench.ask("set_request", "then_get", items=[item])
    assert body["results"] == [
        {"oad": 0x4000_0200, "dar": 0, "get": {"oad": 0x200F_0200, "result": ("data", ("long_unsigned", 1000))}}
    ]


@pytest.mark.parametrize("values", [1, 24, 96])
def test_the_factors_of_a_day_reach_every_slot(values: int) -> None:
    bench = Bench("dlt698-carbon-meter", connect=0, factor_values=values)
    array = ("array", [("long_unsigned", 1 + number) for number in range(values)])
    day = ("date_time_s", date_time_s(DAY, ZONE))
    item = ("structure", [day, ("ti", {"unit": 1, "interval": 15}), array])
    assert bench.get(0x4120_0200) == ("dar", 6)
    assert bench.ask("set_request", "normal", oad=0x4120_0200, data=item)[1]["dar"] == 0
    expected = [
        ("factor", {"time": DAY + slot * 900_000, "carbon_factor": 100 * (1 + slot * values // 96)})
        for slot in range(96)
    ]
    assert bench.store.applied == expected
    assert bench.get(0x4120_0200) == ("data", item)
    short = ("structure", [day, ("ti", {"unit": 1, "interval": 15}), ("array", array[1][:-1])])
    assert bench.ask("set_request", "normal", oad=0x4120_0200, data=short)[1]["dar"] == 7


@pytest.mark.parametrize(
    ("omd", "item", "dar"),
    [
        (0x4000_7F00, ("date_time_s", date_time_s(NOW, ZONE)), 0),
        (0x4000_7F00, ("null", None), 7),
        (0x0010_0100, ("integer", 0), 3),
        (0x1234_0100, ("integer", 0), 4),
    ],
)
def test_actions(bench: Bench, omd: int, item: Any, dar: int) -> None:
    _, body = bench.ask("action_request", "normal", omd=omd, data=item)
    assert (body["omd"], body["dar"], body["data"]) == (omd, dar, None)
    _, body = bench.ask("action_request", "normal_list", items=[{"omd": omd, "data": item}])
    assert body["results"] == [{"omd": omd, "dar": dar, "data": None}]
    assert len(bench.store.applied) == (2 if dar == 0 else 0)


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
