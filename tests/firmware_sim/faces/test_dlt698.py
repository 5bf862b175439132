"""What a simulated DL/T 698.45 meter answers, octet by octet and object by object."""

from typing import Any

import pytest
from dlt698_bench import ADDRESS, DAY, NOW, REQUEST, ZONE, Bench, Store, wide

from diantan_core import Dlt698Frame, dlt698_encode_apdu
from firmware_sim.faces.dlt698 import Dlt698Face
from profiles import load
from profiles.dlt698.moments import date_time_s


@pytest.fixture
def bench() -> Bench:
    return Bench()


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


def test_a_request_is_answered_of_one_instant(bench: Bench) -> None:
    bench.ask("get_request", "normal_list", oads=[0x0010_0200, 0x2000_0200, 0x200F_0200])
    assert bench.store.measured == 1
    item = {"oad": 0x4000_0200, "data": ("date_time_s", date_time_s(NOW, ZONE)), "get": 0x200F_0200, "delay_s": 0}
    bench.ask("set_request", "then_get", items=[item, item])
    assert bench.store.measured == 3  # what was set shows


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
    bench.store.is_dark = True
    other = ("structure", [day, ("ti", {"unit": 1, "interval": 15}), ("array", array[1][::-1])])
    bench.ask("set_request", "normal", oad=0x4120_0200, data=other)
    assert bench.get(0x4120_0200) == ("data", item)  # what was not stored as a whole is not shown
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
