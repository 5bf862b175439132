"""What the messages of both DL/T protocols are told to say, beyond the vectors."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import Dlt645Frame, Dlt698Frame, dlt645_build, dlt645_encode, dlt698_encode_apdu
from protocols import PROTOCOLS, Explainer, explain

ADDRESS = "112233445566"
AUTHORITY = {"level": 2, "password": b"\x01\x02\x03", "operator": b"\x04\x05\x06\x07"}


def of_645(message: dict[str, Any], address: str = ADDRESS) -> dict[str, Any]:
    (told,) = explain(dlt645_build(address, message).encode())
    return told


def reply_645(di: int, data: bytes) -> list[dict[str, Any]]:
    (told,) = explain(Dlt645Frame(ADDRESS, 0x91, di.to_bytes(4, "little") + data).encode())
    found: list[dict[str, Any]] = told["values"]
    return found


def of_698(apdu: tuple[str, Any], control: int = 0xC3) -> dict[str, Any]:
    (told,) = explain(Dlt698Frame(control, ADDRESS, 0x10, dlt698_encode_apdu(apdu)).encode())
    return told


@pytest.mark.parametrize(
    ("message", "kind", "details"),
    [
        ({"kind": "read", "di": 0x06000001, "blocks": 3}, "read: request", {"blocks": 3}),
        ({"kind": "read_next", "di": 0x06000001, "seq": 2}, "read follow-up data: request", {"seq": 2}),
        ({"kind": "write", "di": 0x04000101, **AUTHORITY, "data": b"\x04\x05\x06\x26"}, "write: request", {"level": 2}),
        ({"kind": "write_address", "address": "000000000042"}, "write address: request", {"address": "000000000042"}),
        (
            {"kind": "freeze", "time": {"month": 99, "day": 99, "hour": 0, "minute": 30}},
            "freeze: request",
            {"time": "*-* 00:30"},
        ),
        ({"kind": "change_baud", "baud": 9600}, "change baud rate: request", {"baud": 9600}),
        ({"kind": "clear_events", "di": 0xFFFFFFFF, **AUTHORITY}, "clear events: request", {"operator": "04050607"}),
    ],
)
def test_645_requests(message: dict[str, Any], kind: str, details: dict[str, Any]) -> None:
    told = of_645(message)
    assert (told["type"], told["error"]) == (kind, None)
    assert details.items() <= told["details"].items()


def test_a_block_names_its_elements() -> None:
    """As many tariffs as the meter has, phases by their letter, freezes with their tariffs."""
    energies = reply_645(0x0001FF00, dlt645_encode(0x0001FF00, [(100, -2), (40, -2), (60, -2)]))
    assert [(value["di"], value["value"], value["unit"]) for value in energies] == [
        ("00010000", "1.00", "kWh"),
        ("00010100", "0.40", "kWh"),
        ("00010200", "0.60", "kWh"),
    ]
    voltages = reply_645(0x0201FF00, dlt645_encode(0x0201FF00, [(2301, -1), (2302, -1), (2303, -1)]))
    assert [value["name"] for value in voltages] == ["voltage phase A", "voltage phase B", "voltage phase C"]
    powers = reply_645(0x0203FF00, dlt645_encode(0x0203FF00, [(-3, -4), (1, -4), (2, -4), (3, -4)]))
    assert [(value["di"], value["value"]) for value in powers[:2]] == [("02030000", "-0.0003"), ("02030100", "0.0001")]
    frozen = reply_645(0x05060101, dlt645_encode(0x05060101, [(100, -2), (40, -2)]))
    assert [value["name"].rpartition(", ")[2] for value in frozen] == ["total", "tariff 1"]


def test_a_demand_has_its_time() -> None:
    moment = {"year": 26, "month": 11, "day": 20, "hour": 12, "minute": 15}
    value, when = reply_645(0x01010000, dlt645_encode(0x01010000, [(12345, -4), moment]))
    assert (value["value"], value["unit"]) == ("1.2345", "kW")
    assert (when["value"], when["unit"]) == ("2026-11-20 12:15", None)


def test_a_nibble_that_is_no_digit_is_flagged() -> None:
    """The other values of the block are told."""
    first, second = reply_645(0x0201FF00, bytes.fromhex("0A23 0123"))
    assert (first["value"], first["raw"]) == (None, "0A23")
    assert "0A" in first["error"] or "digit" in first["error"]
    assert second["value"] == "230.1"
    (missing,) = reply_645(0x02010100, b"\xff\xff")
    assert missing["value"] is None


def test_data_of_another_length_and_private_identifiers() -> None:
    (value,) = reply_645(0x02010100, bytes.fromhex("01230000"))
    assert (value["value"], value["error"]) == (None, "expected 2 octets, found 4")
    (private,) = reply_645(0x00D10000, bytes.fromhex("01230000"))
    assert (private["raw"], private["value"]) == ("01230000", None)
    assert "private" in private["error"]


def test_a_part_of_a_longer_item_is_not_decoded() -> None:
    (told,) = explain(Dlt645Frame(ADDRESS, 0xB1, bytes.fromhex("00FF0100 0102030405")).encode())
    assert told["details"]["more"] is True
    assert [(value["raw"], value["value"]) for value in told["values"]] == [("0102030405", None)]


@pytest.mark.parametrize("code", [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40])
def test_each_reason_of_a_645_refusal(code: int) -> None:
    (told,) = explain(Dlt645Frame(ADDRESS, 0xD4, bytes([code])).encode())
    assert (told["type"], told["error"]["code"]) == ("write: refusal", code)
    assert told["error"]["text"].startswith(f"error {code:02X}H: ")
    assert "reason" not in told["error"]["text"]


def test_698_results() -> None:
    reply = {"piid_acd": 0x81, "follow_report": None, "time_tag": None}
    results = [
        {"oad": 0x20000200, "result": ("data", ("array", [("long_unsigned", 2301), ("null", None)]))},
        {"oad": 0x20010200, "result": ("dar", 4)},
        {"oad": 0x10100201, "result": ("data", ("structure", [("double_long_unsigned", 12345), ("null", None)]))},
        {"oad": 0x20800200, "result": ("data", ("array", [("float32", 0.5)]))},
    ]
    told = of_698(("get_response", ("normal_list", {**reply, "results": results})))
    assert told["details"]["access_demanded"] is True
    values = told["values"]
    assert [(value["value"], value["unit"]) for value in values] == [
        ("230.1", "V"),
        (None, None),
        (None, None),
        ("1.2345", "kW"),
        (None, None),
        ("0.5", None),
    ]
    assert "对象未定义" in values[2]["error"]
    assert (told["error"]["kind"], told["error"]["code"]) == ("refusal", 4)
    assert "20010200" in told["error"]["text"]
    assert values[3]["name"].endswith("demand")


def test_698_writes_and_actions() -> None:
    item = {"oad": 0x40000200, "data": ("date_time_s", dict(zip(MOMENT, (2026, 11, 20, 12, 0, 0), strict=True)))}
    told = of_698(("set_request", ("normal", {"piid": 1, **item, "time_tag": None})), 0x43)
    assert [value["value"] for value in told["values"]] == ["2026-11-20 12:00:00"]
    reply = {"piid_acd": 1, "follow_report": None, "time_tag": None}
    told = of_698(("action_response", ("normal", {**reply, "omd": 0x40007F00, "dar": 3, "data": None})))
    assert told["identifiers"][0]["name"] == "clock, method 127"
    assert told["error"]["code"] == 3


MOMENT = ("year", "month", "day", "hour", "minute", "second")


def test_698_proxy_for_several_meters() -> None:
    """Each value says whose it is."""
    results = [{"oad": 0x20000201, "result": ("data", ("long_unsigned", 2301))}]
    servers = [{"server": b"\x05\x01\x02\x03\x04\x05\x06", "results": results}, {"server": b"\x05" * 7, "results": []}]
    reply = {"piid_acd": 1, "follow_report": None, "time_tag": None, "servers": servers}
    told = of_698(("proxy_response", ("get_list", reply)))
    assert [value["server"] for value in told["values"]] == ["05010203040506"]


def test_an_apdu_that_is_none() -> None:
    (told,) = explain(Dlt698Frame(0xC3, ADDRESS, 0, b"\x85\x01").encode())
    assert (told["protocol"], told["error"]["kind"]) == ("dlt698", "content")


def test_scrambled_and_logical_addresses() -> None:
    frame = Dlt698Frame(0x4B, ADDRESS, 0, bytes.fromhex("0501014001020000"), kind="group", logical=2)
    (told,) = explain(frame.encode())
    assert told["details"]["scrambled"] is True
    assert (told["details"]["address_type"], told["details"]["logical_address"]) == ("group", 2)
    assert told["identifiers"][0]["oad"] == "40010200"


def test_a_fragment_out_of_order() -> None:
    long = Dlt698Frame(0xC3, ADDRESS, 0, b"\x85" + bytes(200)).split(64)
    explainer = Explainer()
    told = [explainer.message(frame.encode())[0] for frame in (long[0], long[2])]
    assert told[0].error is None
    assert told[1].error is not None
    assert told[1].error["kind"] == "content"


@given(st.binary(max_size=60), st.sampled_from([None, *PROTOCOLS, "dlt698-apdu"]))
def test_any_octets_are_told_as_json(octets: bytes, protocol: str | None) -> None:
    json.dumps(explain(octets, protocol))


@given(st.binary(max_size=30), st.integers(0, 255))
def test_any_content_of_a_645_frame(data: bytes, control: int) -> None:
    (told,) = explain(Dlt645Frame(ADDRESS, control, data).encode())
    assert told["address"] == ADDRESS
    json.dumps(told)


@given(st.binary(min_size=1, max_size=60), st.sampled_from([0x43, 0xC3, 0x81, 0xA3, 0x63, 0x4B]))
def test_any_content_of_a_698_frame(data: bytes, control: int) -> None:
    (told,) = explain(Dlt698Frame(control, ADDRESS, 0, data).encode())
    assert told["address"] == ADDRESS
    json.dumps(told)


@given(st.binary(min_size=1, max_size=253), st.sampled_from(["request", "reply"]))
def test_any_content_of_a_modbus_message(pdu: bytes, direction: Any) -> None:
    octets = bytes(4) + (len(pdu) + 1).to_bytes(2, "big") + b"\x01" + pdu
    for told in Explainer(["modbus-tcp"]).message(octets, direction):
        json.dumps(told.as_json())
