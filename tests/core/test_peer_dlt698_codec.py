"""DL/T 698.45: codec and object table of the package `dlt698` 1.0.1 beside ours.

A test of a deviation shows what it does, so that it fails when a newer version mends it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dlt698 import codec, standard
from dlt698 import protocol as theirs
from dlt698.common.errors import Dlt698Error as TheirError
from peer_dlt698_support import ENERGY, METER, VOLTAGE, get

from diantan_core import (
    Dlt698Error,
    Dlt698Frame,
    Dlt698Reassembler,
    dlt698_decode_apdu,
    dlt698_encode_apdu,
    dlt698_object,
)

SEEDS = Path(__file__).parents[2] / "core" / "fuzz" / "seeds" / "dlt698.txt"


def both_decoded() -> Iterator[tuple[str, object, object]]:
    for line in SEEDS.read_text().splitlines():
        if line.startswith("#"):
            continue
        octets = bytes.fromhex(line)
        ours: object
        peers: object
        try:
            if octets[0] in (0x68, 0xFE):
                frame = Dlt698Frame.decode(octets)
                ours = (frame.control, frame.client, frame.user_data)
            else:
                ours = dlt698_encode_apdu(dlt698_decode_apdu(octets))
        except Dlt698Error:
            ours = None
        try:
            if octets[0] in (0x68, 0xFE):
                other = codec.decode_frame(octets)
                peers = (other.control, other.client, other.payload)
            else:
                peers = codec.encode_apdu(codec.decode_apdu(octets))
        except TheirError:
            peers = None
        yield line, ours, peers


def test_both_codecs_read_and_write_the_same() -> None:
    compared = 0
    for line, ours, peers in both_decoded():
        if line[:2] in ("10", "90"):
            continue  # SECURITY: below
        assert ours == peers, line
        compared += ours is not None
    assert compared > 50


def test_deviation_security_has_a_call_of_its_own() -> None:
    inner = dlt698_encode_apdu(get(VOLTAGE))
    apdu = ("security_request", {"apdu": ("plain", inner), "verification": ("rn", bytes(range(16)))})
    octets = dlt698_encode_apdu(apdu)
    with pytest.raises(TheirError):
        codec.decode_apdu(octets)
    secured = codec.decode_security(octets)
    assert (secured.application, secured.encrypted, secured.verification.value) == (inner, False, bytes(range(16)))
    assert codec.encode_security(secured) == octets


def test_each_reassembler_takes_the_other_ones_fragments() -> None:
    apdu = dlt698_encode_apdu(("get_request", ("normal_list", {"piid": 7, "oads": [ENERGY] * 9, "time_tag": None})))
    whole = Dlt698Frame(0x43, METER, 0, apdu)
    reassembler = theirs.link.LinkReassembler(4096)
    for part in whole.split(10):
        step = reassembler.accept(theirs.link.decode_fragment(codec.decode_frame(part.encode()).payload))
    assert step.apdu == apdu
    fragmenter = theirs.link.LinkFragmenter(apdu, 10, 4096)
    ours = Dlt698Reassembler()
    state, found = "more", None
    while state == "more":
        fragment = fragmenter.current()
        state, found = ours.feed(Dlt698Frame(0x63, METER, 0, theirs.link.encode_fragment(fragment)))
        if state == "more":  # it lets the reply stand for the confirmation of the last one
            fragmenter.acknowledge(fragment.sequence)
    assert (state, found) == ("complete", whole)


UNITS = {
    6: "min", 9: "°C", 27: "W", 28: "kW", 29: "VA", 30: "kVA", 31: "var", 32: "kvar", 33: "kWh", 34: "kVAh",
    35: "kvarh", 36: "A", 38: "V", 47: "Hz", 51: "%", 255: "",
}  # fmt: skip

TYPES = {
    "int16": "long", "int32": "double_long", "int64": "long64", "uint8": "unsigned", "uint16": "long_unsigned",
    "uint32": "double_long_unsigned", "uint64": "long64_unsigned", "enumeration": "enum",
}  # fmt: skip


def test_both_tables_have_the_same_objects() -> None:
    compared = 0
    for definition in standard.objects():
        for attribute in definition.attributes:
            if definition.oi == 0xF100 and attribute.number > 2:
                continue  # ours has the serial number only
            found = dlt698_object(definition.oi << 16 | attribute.number << 8)
            if found is None:
                continue
            compared += 1
            where = f"{definition.oi:04X} attribute {attribute.number}"
            assert found.interface_class == definition.class_id, where
            assert found.array is (attribute.type.name == "array"), where
            name = (attribute.element_type or attribute.type).name
            if not attribute.record and found.data_type is not None:
                assert found.data_type == TYPES.get(name, name), where
            if attribute.scaling is not None:
                assert found.exponent == attribute.scaling.scaler, where
                assert found.unit == UNITS[attribute.scaling.unit], where
    assert compared > 400
