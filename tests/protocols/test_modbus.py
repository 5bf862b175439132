"""Modbus messages of every function, in both directions, over serial lines and TCP."""

from typing import Any

import pytest
from pymodbus.framer import FramerRTU

from protocols import Explainer, Value, explain
from protocols.modbus.crc import crc16
from protocols.modbus.shape import FUNCTIONS


def rtu(unit: int, pdu: str) -> bytes:
    """Return a message with the check that pymodbus computes."""
    body = bytes([unit]) + bytes.fromhex(pdu)
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


def tcp(unit: int, pdu: str, transaction: int = 7) -> bytes:
    body = bytes.fromhex(pdu)
    return transaction.to_bytes(2, "big") + bytes(2) + (len(body) + 1).to_bytes(2, "big") + bytes([unit]) + body


# Function by function: request, reply, the request's identifiers, values of the reply (Modbus application protocol
# 1.1b3, the examples of chapter 6).
PAIRS: dict[int, tuple[str, str, list[dict[str, Any]], list[str | None]]] = {
    1: ("01 0013 0013", "01 03 CD6B05", [{"table": "coil", "register": 19, "count": 19}], ["on", "off", "on", "on"]),
    2: ("02 00C4 0016", "02 03 ACDB35", [{"table": "discrete input", "register": 196, "count": 22}], ["off", "off"]),
    3: ("03 006B 0003", "03 06 022B00000064", [{"register": 107, "count": 3}], ["555", "0", "100"]),
    4: ("04 0008 0001", "04 02 000A", [{"table": "input register", "register": 8, "count": 1}], ["10"]),
    5: ("05 00AC FF00", "05 00AC FF00", [{"table": "coil", "register": 172}], ["on"]),
    6: ("06 0001 0003", "06 0001 0003", [{"table": "holding register", "register": 1}], ["3"]),
    7: ("07", "07 6D", [], ["01101101"]),
    8: ("08 0000 A537", "08 0000 A537", [{"subfunction": 0}], ["42295"]),
    11: ("0B", "0B FFFF 0108", [], ["busy", "264"]),
    12: ("0C", "0C 08 0000 0108 0121 2000", [], ["0", "264", "289", None]),
    15: ("0F 0013 000A 02 CD01", "0F 0013 000A", [{"table": "coil", "register": 19, "count": 10}], []),
    16: ("10 0001 0002 04 000A 0102", "10 0001 0002", [{"table": "holding register", "register": 1, "count": 2}], []),
    17: ("11", "11 05 0441424300", [], [".ABC."]),
    20: (
        "14 0E 06 0004 0001 0002 06 0003 0009 0002",
        "14 0C 05 06 0DFE 0020 05 06 33CD 0040",
        [{"file": 4, "record": 1, "count": 2}, {"file": 3, "record": 9, "count": 2}],
        [None],
    ),
    21: ("15 0D 06 0004 0007 0003 06AF 04BE 100D", "15 0D 06 0004 0007 0003 06AF 04BE 100D", [{"file": 4}], [None]),
    22: ("16 0004 00F2 0025", "16 0004 00F2 0025", [{"table": "holding register", "register": 4}], ["242", "37"]),
    23: (
        "17 0003 0006 000E 0003 06 00FF 00FF 00FF",
        "17 0C 00FE 0ACD 0001 0003 000D 00FF",
        [{"register": 3, "count": 6, "access": "read"}, {"register": 14, "count": 3, "access": "write"}],
        ["254", "2765", "1", "3", "13", "255"],
    ),
    24: ("18 04DE", "18 0006 0002 01B8 1284", [{"table": "FIFO queue", "register": 1246}], ["440", "4740"]),
    43: (
        "2B 0E 01 00",
        "2B 0E 01 01 00 00 03 00 02 4142 01 02 4344 02 02 5631",
        [],
        ["AB", "CD", "V1"],
    ),
}


def test_every_function_is_here() -> None:
    assert PAIRS.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize("transport", ["modbus-rtu", "modbus-tcp"])
@pytest.mark.parametrize("function", PAIRS)
def test_function(function: int, transport: str) -> None:
    request, reply, identifiers, values = PAIRS[function]
    make = rtu if transport == "modbus-rtu" else tcp
    explainer = Explainer()
    asked, answered = (
        found.as_json() for found in explainer.feed(make(17, request) + make(17, reply)) + explainer.flush()
    )
    assert (asked["protocol"], asked["direction"], asked["address"]) == (transport, "request", 17)
    assert (answered["protocol"], answered["direction"]) == (transport, "reply")
    assert (asked["error"], answered["error"]) == (None, None)
    assert asked["control"] == answered["control"] == f"{function:02X}"
    for expected, found in zip(identifiers, asked["identifiers"], strict=True):
        assert expected.items() <= found.items()
    assert [value["value"] for value in answered["values"]][: len(values)] == values


def test_a_reply_knows_its_registers_only_behind_its_request() -> None:
    request, reply = rtu(1, "03 0064 0002"), rtu(1, "03 04 001A 002B")
    (alone,) = explain(reply)
    assert [value["register"] for value in alone["values"]] == [None, None]
    _, told = explain(request + reply)
    assert [(value["register"], value["raw"], value["value"]) for value in told["values"]] == [
        (100, "001A", "26"),
        (101, "002B", "43"),
    ]
    other = explain(rtu(2, "03 0064 0002") + reply)[1]
    assert [value["register"] for value in other["values"]] == [None, None]


def test_another_requests_reply_gets_no_registers() -> None:
    _, told = explain(rtu(1, "03 0064 0002") + rtu(1, "03 06 0001 0002 0003"))
    assert told["error"]["kind"] == "mismatch"
    assert [value["register"] for value in told["values"]] == [None] * 3


def test_tcp_replies_belong_to_their_transaction() -> None:
    stream = tcp(1, "03 0064 0001", 1) + tcp(1, "03 00C8 0001", 2) + tcp(1, "03 02 0002", 2) + tcp(1, "03 02 0001", 1)
    told = explain(stream)
    assert [entry["values"][0]["register"] for entry in told[2:]] == [200, 100]


def test_refusals_say_why() -> None:
    for make in (rtu, tcp):
        _, told = explain(make(3, "03 0064 0002") + make(3, "83 02"))
        assert told["error"] == {"kind": "refusal", "text": "exception 2: illegal data address", "code": 2}
        assert told["identifiers"] == [{"table": "holding register", "register": 100, "count": 2}]


def test_a_bad_check_is_told() -> None:
    good = rtu(1, "03 0064 0002")
    (told,) = explain(good[:-2] + b"\x00\x00")
    assert told["protocol"] == "modbus-rtu"
    assert told["error"]["kind"] == "checksum"
    assert (told["error"]["expected"], told["error"]["found"]) == (good[-2:].hex().upper(), "0000")


def test_an_unknown_function_with_a_right_check() -> None:
    (told,) = explain(rtu(1, "41 00 01"))
    assert (told["protocol"], told["control"]) == ("modbus-rtu", "41")
    assert told["type"].startswith("unknown function")


def test_messages_of_the_same_shape_take_the_known_direction() -> None:
    """Coils from 300H on: request and reply are both 8 octets."""
    octets = rtu(1, "01 0300 0108")
    assert explain(octets)[0]["direction"] == "request"
    for direction in ("request", "reply"):
        explainer = Explainer()
        (told,) = explainer.feed(octets, direction)  # type: ignore[arg-type] # one of its two values
        assert told.direction == direction
    first, second = explain(rtu(1, "05 0001 FF00") * 2)
    assert (first["direction"], second["direction"]) == ("request", "reply")


def test_a_profile_names_values() -> None:
    class Names:
        def registers(self, unit: int, function: int, first: int, octets: bytes) -> list[Value]:
            return [Value(octets.hex(), f"{unit}/{function}/{first}", value="1.5", unit="kWh")]

    explainer = Explainer(names=Names())  # type: ignore[arg-type] # asked for registers only
    _, told = explainer.feed(rtu(9, "04 0048 0002") + rtu(9, "04 04 3FC0 0000"))
    assert (told.values[0].name, told.values[0].unit) == ("9/4/72", "kWh")
    assert [value.place["register"] for value in told.values[1:]] == [72, 73]


def test_check_of_the_standard() -> None:
    """The check word of "123456789" for CRC-16/MODBUS."""
    assert crc16(b"123456789") == 0x4B37
