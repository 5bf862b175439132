"""The Modbus face: which reply each request gets, down to the octet."""

import pytest
from sim_support import START, mbap, read_pdu, rtu, served

from firmware_sim.faces.base import Answer
from firmware_sim.faces.modbus import NOBODY, ModbusFace, ModbusMeter
from firmware_sim.layout import Layout
from firmware_sim.registers import RegisterMap


def meters(*units: int, power_mw: int = 6_600_000) -> dict[str, ModbusMeter]:
    found = {}
    for unit in units:
        meter = served(f"m{unit}", power_mw=power_mw)
        found[f"m{unit}"] = ModbusMeter(unit, RegisterMap(meter.meter, Layout(meter.profile)))
    return found


def asked(pdu: bytes, unit: int = 1) -> bytes:
    """Return the PDU of the reply over RTU."""
    ((name, octets),) = [
        (answer.meter, answer.octets) for answer in ModbusFace(meters(unit)).feed(rtu(unit, pdu), START)
    ]
    assert name == f"m{unit}"
    assert octets == rtu(unit, octets[1:-2])
    return octets[1:-2]


def test_registers_are_read() -> None:
    assert asked(read_pdu(0x12, 2)) == bytes((4, 4)) + (660_000).to_bytes(4, "big")


def test_a_write_of_several_registers_is_confirmed() -> None:
    factor = START // 1000
    pdu = bytes((16, 0x40, 0, 0, 4, 8)) + factor.to_bytes(4, "big") + (400_000).to_bytes(4, "big")
    assert asked(pdu) == bytes((16, 0x40, 0, 0, 4))


def test_a_write_of_one_register_is_echoed() -> None:
    assert asked(bytes((6, 0x40, 0x20, 0, 200))) == bytes((6, 0x40, 0x20, 0, 200))


@pytest.mark.parametrize(
    ("pdu", "code"),
    [
        (bytes((1, 0, 0, 0, 1)), 1),
        (bytes((5, 0, 0, 0xFF, 0)), 1),
        (bytes((0x65, 1)), 1),
        (read_pdu(0, 1, 3), 2),  # no such holding register
        (read_pdu(0x0800, 1), 2),
        (read_pdu(0xFFFF, 2), 2),
        (bytes((6, 0, 0, 0, 1)), 2),
        (read_pdu(0, 0), 3),
        (read_pdu(0, 126), 3),
        (bytes((16, 0x40, 0, 0, 4, 8)) + bytes((0, 0, 0, 1)) * 2, 3),  # a slot off the grid
        (bytes((6, 0x40, 0x20, 3, 0xE7)), 3),
        (bytes((16, 0x40, 0, 0, 2, 8)) + bytes(8), 3),  # two registers in eight octets
        (bytes((43, 14, 9, 0)), 3),
        (bytes((43, 14, 4, 99)), 2),
    ],
)
def test_a_refusal_has_its_code(pdu: bytes, code: int) -> None:
    assert asked(pdu) == bytes((pdu[0] | 0x80, code))


@pytest.mark.parametrize(
    ("pdu", "code"),
    [(bytes((43, 13, 1, 0)), 1), (bytes((16, 0)), 3), (bytes((4, 0, 0)), 3), (bytes((43, 14, 1)), 3)],
)
def test_a_pdu_of_a_wrong_length_is_refused_over_tcp(pdu: bytes, code: int) -> None:
    (answer,) = ModbusFace(meters(1), framing="tcp").feed(mbap(1, pdu), START)
    assert answer.octets == mbap(1, bytes((pdu[0] | 0x80, code)))


def test_a_value_that_the_register_can_not_show_is_a_failure_of_the_device() -> None:
    class Broken:
        def values(self, _now_ms: int) -> dict[str, int | None]:
            return {"carbon_factor": 0xFFFF_FFFF}  # which would read as "undefined"

    meter = ModbusMeter(1, RegisterMap(Broken(), Layout(served("m").profile)))  # type: ignore[arg-type]  # no more is asked of it
    (answer,) = ModbusFace({"m": meter}).feed(rtu(1, read_pdu(0x10, 2)), START)
    assert answer.octets == rtu(1, bytes((0x84, 4)))


def test_a_meter_says_what_it_is() -> None:
    server_id = asked(bytes((17,)), unit=9)
    assert server_id == bytes((17, 17, 9, 0xFF)) + b"Diantan SIM-EC3"
    basic = asked(bytes((43, 14, 1, 0)))
    assert basic == bytes((43, 14, 1, 0x82, 0, 0, 3)) + b"\0\7Diantan" + b"\1\7SIM-EC3" + b"\2\0031.0"
    regular = asked(bytes((43, 14, 2, 4)))
    assert regular[6:] == bytes((2,)) + b"\4\7SIM-EC3" + b"\5\x10sim-carbon-meter"
    one = asked(bytes((43, 14, 4, 1)))
    assert one[6:] == bytes((1,)) + b"\1\7SIM-EC3"
    # From an object that does not exist on, the stream starts anew (application protocol 6.21).
    assert asked(bytes((43, 14, 1, 99)))[7:] == basic[7:]


def test_a_broadcast_is_obeyed_by_all_and_answered_by_none() -> None:
    subject = meters(1, 2)
    face = ModbusFace(subject)
    clock = bytes((16, 0x40, 0x10, 0, 4, 8)) + (START + 60_000).to_bytes(8, "big")
    assert face.feed(rtu(0, clock), START) == []
    assert ModbusFace(subject, framing="tcp").feed(mbap(0, read_pdu(0, 1)), START) == []
    for meter in subject.values():
        assert meter.registers.meter.values(START)["device_time"] == START + 60_000


@pytest.mark.parametrize(
    ("framing", "absent", "expected"),
    [
        ("tcp", "exception", [Answer(NOBODY, mbap(9, bytes((0x84, 11)), 5))]),
        ("tcp", "silent", []),
        ("rtu", "exception", []),
        ("rtu", "silent", []),
    ],
)
def test_a_meter_that_is_not_there_is_answered_for_by_a_gateway_only(
    framing: str, absent: str, expected: list[Answer]
) -> None:
    face = ModbusFace(meters(1), framing=framing, absent=absent)  # type: ignore[arg-type]  # the parameters' words
    frame = mbap(9, read_pdu(0, 1), 5) if framing == "tcp" else rtu(9, read_pdu(0, 1))
    assert face.feed(frame, START) == expected


def test_addresses_are_units() -> None:
    assert ModbusFace(meters(3, 1)).addresses() == {"m3": "3", "m1": "1"}
