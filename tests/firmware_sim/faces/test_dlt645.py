"""DL/T 645-2007 as simulated meters speak it, frame by frame."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diantan_core import Dlt645Frame, Dlt645Parser, dlt645_build, dlt645_decode, dlt645_parse
from firmware_sim.circuit import Circuit
from firmware_sim.curves import ConstantCurve
from firmware_sim.faces.dlt645 import Dlt645Face, MeterMemory
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.multifunction import MultiFunctionSettings
from profiles import load
from profiles.dlt645.codec import quantise
from profiles.dlt645.formats import di_text
from profiles.dlt645.model import ItemPoint
from profiles.dlt645.plan import QueryBlock, join
from profiles.dlt645.profile import Dlt645Profile

ZONE = "Asia/Shanghai"
START = int(datetime(2026, 4, 28, 12, tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)
NOW = START + 35 * 86_400_000 + 4321  # 2026-06-02, behind two midnights that begin a month
ONE, TWO = "000000000001", "123456789012"
SOME_DAY = {"year": 26, "month": 6, "day": 3}
AUTHORITY = {"level": 2, "password": bytes(3), "operator": bytes(4)}


def meter(**changes: Any) -> Meter:
    multi_function = MultiFunctionSettings(communication_address=int(ONE))
    settings = MeterSettings(resolution_mwh=10_000, serial_number=778899, multi_function=multi_function, **changes)
    return Meter(ConstantCurve(START, 6_600_000), Circuit(), settings)


def face(*addresses: str, **options: Any) -> Dlt645Face:
    profile = load(options.pop("profile", "dlt645-three-phase"))
    values = options.pop("values", None)
    return Dlt645Face({f"m{n}": (a, profile, values or meter()) for n, a in enumerate(addresses)}, ZONE, **options)


def say(subject: Dlt645Face, address: str, message: dict[str, Any], now_ms: int = NOW) -> list[Dlt645Frame]:
    answers = subject.feed(dlt645_build(address, message).encode(), now_ms)
    return [
        event for answer in answers for event in Dlt645Parser().feed(answer.octets) if isinstance(event, Dlt645Frame)
    ]


def ask(subject: Dlt645Face, address: str, message: dict[str, Any], now_ms: int = NOW) -> dict[str, Any]:
    (frame,) = say(subject, address, message, now_ms)
    assert frame.from_meter
    return dlt645_parse(frame)


def read(subject: Dlt645Face, di: int, address: str = ONE) -> dict[str, Any]:
    return ask(subject, address, {"kind": "read", "di": di})


def values(subject: Dlt645Face, block: QueryBlock) -> dict[str, int]:
    replies: list[bytes | None] = []
    while (query := block.next_query(replies)) is not None:
        replies.append(read(subject, query.di).get("data"))
    return block.decode(join(replies))


@pytest.mark.parametrize("name", ["dlt645-three-phase", "dlt645-dc-charger"])
def test_every_point_is_served_as_it_is_read(name: str) -> None:
    profile = load(name)
    assert isinstance(profile, Dlt645Profile)
    subject, twin = face(ONE, profile=name), meter()
    shown = twin.values(NOW)
    for points in (profile.points.values(), *([point] for point in profile.points.values())):
        found: dict[str, int] = {}
        for block in profile.plan(points, ZONE):
            found |= values(subject, block)
        for point in points:
            assert isinstance(point, ItemPoint)
            value = shown[point.name]
            assert found.get(point.name) == (None if value is None else quantise(point, value)), point.name
    assert found


@pytest.mark.parametrize("table", ["daily_freezes", "monthly_freezes"])
def test_every_row_is_served_as_it_is_read(table: str) -> None:
    profile = load("dlt645-three-phase")
    subject, twin = face(ONE), meter()
    twin.advance(NOW)
    kept = len({"daily_freezes": twin.frozen.daily, "monthly_freezes": twin.frozen.monthly}[table])
    assert kept == {"daily_freezes": 30, "monthly_freezes": 2}[table]
    for number in range(1, kept + 1):
        (block,) = profile.plan_row(table, number, ZONE)
        row = twin.row(table, number, NOW)
        assert values(subject, block) == {name: row[name] for name in ("time", "energy_forward", "energy_reverse")}


def test_a_block_has_as_many_tariffs_as_the_profile_names() -> None:
    subject = face(ONE)
    total, *tariffs = dlt645_decode(0x0001FF00, read(subject, 0x0001FF00)["data"])
    assert len(tariffs) == 4
    assert total[0] == sum(tariff[0] for tariff in tariffs) > 0


def test_what_the_meter_does_not_have_is_refused_with_its_bit() -> None:
    subject = face(ONE)
    for di in (0x00D10000, 0x0101FF00, 0x05060120, 0x05010001, 0x0001000C, 0x06000000):
        assert read(subject, di)["error"] == 0x02, di_text(di)


def test_a_status_word_of_which_nothing_is_known_is_refused() -> None:
    class Blank(Meter):
        def values(self, now_ms: int) -> dict[str, int | None]:
            return super().values(now_ms) | {"status_3": None}

    settings = MeterSettings(multi_function=MultiFunctionSettings())
    subject = face(ONE, values=Blank(ConstantCurve(START, 0), Circuit(), settings))
    assert read(subject, 0x04000503)["error"] == 0x02
    assert read(subject, 0x04000504)["data"] == bytes(2)


def test_a_foreign_address_and_a_bad_checksum_are_never_answered() -> None:
    subject = face(ONE, TWO)
    assert say(subject, "000000000003", {"kind": "read", "di": 0}) == []
    assert say(subject, "AAAAAAAAAA03", {"kind": "read", "di": 0}) == []
    no_digits = bytearray(dlt645_build(ONE, {"kind": "read", "di": 0}).encode(0))
    no_digits[6], no_digits[-2] = 0x1B, no_digits[-2] + 0x1B
    assert isinstance(Dlt645Parser().feed(bytes(no_digits))[0], Dlt645Frame)
    assert subject.feed(bytes(no_digits), NOW) == []
    octets = bytearray(dlt645_build(ONE, {"kind": "read", "di": 0}).encode())
    octets[-2] ^= 1
    assert subject.feed(bytes(octets), NOW) == []
    reply = dlt645_build(ONE, {"kind": "read", "reply": True, "di": 0, "data": b"", "more": False}).encode()
    assert subject.feed(reply, NOW) == []


def test_a_request_may_come_in_pieces_and_behind_noise() -> None:
    subject = face(ONE)
    octets = b"\x68\x00\x16" + dlt645_build(ONE, {"kind": "read_address"}).encode()
    answers = [answer for octet in octets for answer in subject.feed(bytes([octet]), NOW)]
    assert [answer.meter for answer in answers] == ["m0"]
    subject.feed(octets[:-3], NOW)
    subject.flush()
    assert subject.feed(octets[-3:], NOW) == []
    assert len(subject.feed(octets, NOW)) == 1


def test_wildcard_and_shortened_addresses_are_answered_with_the_real_one() -> None:
    subject = face(TWO)
    for requested in ("AAAAAAAAAAAA", "AAAAAAAAAA12", "AAAA56789012", TWO):
        (frame,) = say(subject, requested, {"kind": "read_address"})
        assert (frame.address, dlt645_parse(frame)["address"]) == (TWO, TWO)
        (frame,) = say(subject, requested, {"kind": "read", "di": 0x04000401})
        assert (frame.address, frame.data[4:]) == (TWO, bytes.fromhex(TWO)[::-1])
    assert say(subject, "AAAAAAAAAA13", {"kind": "read_address"}) == []


def test_meters_that_answer_at_once_are_not_understood() -> None:
    subject = face(ONE, "000000000101")
    octets = dlt645_build("AAAAAAAAAA01", {"kind": "read_address"}).encode()
    (answer,) = subject.feed(octets, NOW)
    parser = Dlt645Parser()
    assert not [event for event in (*parser.feed(answer.octets), *parser.flush()) if isinstance(event, Dlt645Frame)]
    assert say(subject, "AAAAAAAA0101", {"kind": "read_address"})[0].address == "000000000101"


def test_a_reply_has_the_preamble_it_is_told() -> None:
    octets = dlt645_build(ONE, {"kind": "read_address"}).encode()
    assert face(ONE).feed(octets, NOW)[0].octets.startswith(b"\xfe" * 4 + b"\x68")
    assert face(ONE, preamble=0).feed(octets, NOW)[0].octets.startswith(b"\x68")


def test_long_data_come_in_follow_up_frames() -> None:
    whole = bytes(read(face(ONE), 0x0001FF00)["data"])
    subject = face(ONE, most_data=12)
    first = read(subject, 0x0001FF00)
    assert (len(first["data"]), first["more"]) == (8, True)
    pieces = [first["data"]]
    for seq in (1, 2):
        reply = ask(subject, ONE, {"kind": "read_next", "di": 0x0001FF00, "seq": seq}, NOW + 3_600_000)
        assert (reply["seq"], reply["more"]) == (seq, seq < 2)
        pieces.append(reply["data"])
    assert b"".join(pieces) == whole
    for di, seq in ((0x0001FF00, 3), (0x0001FF00, 0), (0x0002FF00, 1)):
        assert ask(subject, ONE, {"kind": "read_next", "di": di, "seq": seq})["error"] == 0x02


def device_time(subject: Dlt645Face) -> int:
    profile = load("dlt645-three-phase")
    (block,) = profile.plan([profile.points["device_time"]], ZONE)
    return values(subject, block)["device_time"]


def test_the_clock_is_written_with_the_right_password_only() -> None:
    subject = face(ONE)
    assert device_time(subject) == NOW - NOW % 1000
    for wrong in ({"password": b"\x01\x00\x00"}, {"level": 4}):
        message = {"kind": "write", "di": 0x04000102, "data": bytes.fromhex("30 15 20"), **AUTHORITY, **wrong}
        assert ask(subject, ONE, message)["error"] == 0x04
    assert device_time(subject) == NOW - NOW % 1000
    for di, data in ((0x04000102, "30 15 20"), (0x04000101, "05 20 11 26")):
        reply = ask(subject, ONE, {"kind": "write", "di": di, "data": bytes.fromhex(data), **AUTHORITY})
        assert reply == {"kind": "write", "reply": True}
    assert device_time(subject) == int(datetime(2026, 11, 20, 20, 15, 30, tzinfo=ZoneInfo(ZONE)).timestamp()) * 1000


def test_programming_and_time_setting_are_counted() -> None:
    subject = face(ONE)

    def counts() -> list[object]:
        return [dlt645_decode(di, read(subject, di)["data"]) for di in (0x03300000, 0x03300400)]

    assert counts() == [[(0, 0)], [(0, 0)]]
    write = {"kind": "write", "di": 0x04000102, "data": bytes.fromhex("30 15 20"), **AUTHORITY}
    ask(subject, ONE, {**write, "level": 9})
    ask(subject, ONE, write)
    say(subject, "999999999999", {"kind": "time_sync", "time": {**SOME_DAY, "hour": 1, "minute": 2, "second": 3}})
    assert counts() == [[(1, 0)], [(2, 0)]]


def test_what_can_not_be_written_is_refused() -> None:
    subject = face(ONE)
    assert ask(subject, ONE, {"kind": "write", "di": 0x00010000, "data": bytes(4), **AUTHORITY})["error"] == 0x02
    wrong_time = {"kind": "write", "di": 0x04000102, "data": bytes.fromhex("AA 15 20"), **AUTHORITY}
    assert ask(subject, ONE, wrong_time)["error"] == 0x01
    no_day = {"kind": "write", "di": 0x04000101, "data": bytes.fromhex("05 32 11 26"), **AUTHORITY}
    assert ask(subject, ONE, no_day)["error"] == 0x01
    assert ask(subject, ONE, {"kind": "clear_meter", **AUTHORITY})["error"] == 0x01
    assert ask(subject, ONE, {"kind": "clear_meter", **AUTHORITY, "level": 0})["error"] == 0x04


def test_a_password_can_be_changed_by_who_knows_it() -> None:
    subject = face(ONE)
    change = {"kind": "change_password", "di": 0x04000C03, "new_level": 2, "new_password": b"\x12\x34\x56"}
    assert ask(subject, ONE, {**change, "level": 2, "password": b"\x09\x09\x09"})["error"] == 0x04
    assert "error" not in ask(subject, ONE, {**change, "level": 2, "password": bytes(3)})
    write = {"kind": "write", "di": 0x04000102, "data": bytes.fromhex("30 15 20"), **AUTHORITY}
    assert ask(subject, ONE, write)["error"] == 0x04
    assert "error" not in ask(subject, ONE, {**write, "password": b"\x12\x34\x56"})


@pytest.mark.parametrize("address", ["999999999999", ONE])
def test_a_time_sync_is_obeyed_and_not_answered(address: str) -> None:
    subject = face(ONE, values=meter(clock_offset_ms=90_000))
    moment = {**SOME_DAY, "hour": 1, "minute": 2, "second": 3}
    assert say(subject, address, {"kind": "time_sync", "time": moment}) == []
    assert device_time(subject) == int(datetime(2026, 6, 3, 1, 2, 3, tzinfo=ZoneInfo(ZONE)).timestamp()) * 1000


def test_only_time_sync_and_freeze_are_broadcast() -> None:
    subject = face(ONE)
    assert say(subject, "999999999999", {"kind": "read", "di": 0x00010000}) == []
    assert say(subject, "999999999999", {"kind": "change_baud", "baud": 2400}) == []
    subject.rate = 9600
    assert say(subject, ONE, {"kind": "read_address"})


def test_an_instant_freeze_keeps_what_the_meter_showed() -> None:
    subject = face(ONE)
    now = {"month": 99, "day": 99, "hour": 99, "minute": 99}
    energy = read(subject, 0x0001FF00)["data"]
    assert ask(subject, ONE, {"kind": "freeze", "time": now}) == {"kind": "freeze", "reply": True}
    later = NOW + 7_200_000
    assert ask(subject, ONE, {"kind": "read", "di": 0x0001FF00}, later)["data"] != energy
    assert ask(subject, ONE, {"kind": "read", "di": 0x05010101}, later)["data"] == energy
    assert ask(subject, ONE, {"kind": "read", "di": 0x05010001}, later)["data"] == bytes.fromhex("00 12 02 06 26")
    assert say(subject, "999999999999", {"kind": "freeze", "time": now}, later) == []
    assert ask(subject, ONE, {"kind": "read", "di": 0x05010102}, later)["data"] == energy
    daily = {"month": 99, "day": 99, "hour": 12, "minute": 0}
    assert ask(subject, ONE, {"kind": "freeze", "time": daily})["error"] == 0x01


def test_a_meter_changes_its_speed_after_its_answer() -> None:
    subject = face(ONE, TWO, rate=2400)
    assert ask(subject, ONE, {"kind": "change_baud", "baud": 9600})["baud"] == 9600
    assert say(subject, ONE, {"kind": "read_address"}) == []
    assert say(subject, TWO, {"kind": "read_address"})
    subject.rate = 9600
    assert say(subject, ONE, {"kind": "read_address"})


def test_a_new_address_is_the_meters_from_its_answer_on() -> None:
    memory: dict[str, MeterMemory] = {}
    subject = face(ONE, memory=memory)
    (frame,) = say(subject, "AAAAAAAAAAAA", {"kind": "write_address", "address": TWO})
    assert (frame.address, frame.control) == (TWO, 0x95)
    assert say(subject, ONE, {"kind": "read_address"}) == []
    assert subject.addresses() == face(ONE, memory=memory).addresses() == {"m0": TWO}
    for wrong in ("999999999999", "AAAAAAAAAA01"):
        assert ask(subject, TWO, {"kind": "write_address", "address": wrong})["error"] == 0x01


def test_a_reply_of_another_meter_is_right_but_for_its_address() -> None:
    subject = face("99")
    (answer,) = subject.feed(dlt645_build("99", {"kind": "read_address"}).encode(), NOW)
    (frame,) = Dlt645Parser().feed(subject.misaddressed(answer.octets))
    assert isinstance(frame, Dlt645Frame)
    assert (frame.address, dlt645_parse(frame)["address"]) == ("000000000100", "000000000099")
    assert subject.misaddressed(b"\x00") == b"\x00"


def test_a_profile_of_another_protocol_is_refused() -> None:
    with pytest.raises(TypeError, match="m0: profile sim-carbon-meter is not for DL/T 645"):
        face(ONE, profile="sim-carbon-meter")


OPEN = face(ONE)


@settings(max_examples=400)
@given(
    st.sampled_from([ONE, "AAAAAAAAAAAA", "AAAAAAAAAA01", "999999999999"]),
    st.integers(0, 0x1F),
    st.sampled_from([b"", *(di.to_bytes(4, "little") for di in (0x0001FF00, 0x04000101, 0x04000102, 0x05010101))]),
    st.one_of(st.binary(max_size=20), st.just(bytes.fromhex("02 00 00 00 00 00 00 00 30 15 20"))),
)
def test_no_request_ends_a_meter(address: str, function: int, begin: bytes, rest: bytes) -> None:
    """Whatever the data, there is one right frame in reply, or none."""
    answers = OPEN.feed(Dlt645Frame(address, function, begin + rest).encode(), NOW)
    assert len(answers) <= (address != "999999999999")
    for answer in answers:
        (frame,) = Dlt645Parser().feed(answer.octets)
        assert isinstance(frame, Dlt645Frame)
        assert (frame.from_meter, frame.function) == (True, function)
        assert dlt645_parse(frame)["reply"]
