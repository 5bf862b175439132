"""Frames of DL/T 645-2007 from public sources, with the meaning those state."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from diantan_core import (
    Dlt645Error,
    Dlt645Frame,
    Dlt645Noise,
    Dlt645Parser,
    dlt645_build,
    dlt645_decode,
    dlt645_encode,
    dlt645_item,
    dlt645_parse,
)

pytestmark = pytest.mark.shared

ECHOES_WILDCARD = {"645-44"}
"""A virtual meter that deviates: it answers with the wildcard address it was asked for, not with its own."""


def _vectors(shared_data: Path, proto: str) -> list[dict[str, Any]]:
    entries = json.loads((shared_data / "data" / "dlt_vectors.json").read_text())["vectors"]
    return [entry for entry in entries if entry["proto"] == proto]


@pytest.fixture
def valid(shared_data: Path) -> list[dict[str, Any]]:
    """Return the frames that have to be understood."""
    vectors = [entry for entry in _vectors(shared_data, "645") if entry["kind"] != "NEGATIVE"]
    assert len(vectors) == 35
    return vectors


def _frame(entry: dict[str, Any]) -> Dlt645Frame:
    (frame,) = Dlt645Parser().feed(bytes.fromhex(entry["hex"]))
    assert isinstance(frame, Dlt645Frame), entry["id"]
    return frame


def test_each_frame_has_the_stated_parts_and_encodes_to_its_bytes(valid: list[dict[str, Any]]) -> None:
    for entry in valid:
        stated = entry["decoded"]
        frame = _frame(entry)
        assert frame.address == stated["address"].upper(), entry["id"]
        assert frame.control == int(stated["control"], 16), entry["id"]
        assert frame.data == bytes.fromhex(stated["data_minus_33"]), entry["id"]
        assert frame.from_meter == (stated["dir"] == "slave->master"), entry["id"]
        assert frame.abnormal == stated["abnormal"], entry["id"]
        assert frame.more == stated["more"], entry["id"]
        assert frame.function == int(stated["func"], 16), entry["id"]
        assert frame.encode(stated["preamble_fe"]) == bytes.fromhex(entry["hex"]), entry["id"]


def test_each_message_has_the_stated_meaning_and_builds_its_frame(valid: list[dict[str, Any]]) -> None:
    for entry in valid:
        stated = entry["decoded"]
        frame = _frame(entry)
        message = dlt645_parse(frame)
        assert message["reply"] == (stated["dir"] == "slave->master"), entry["id"]
        assert dlt645_build(stated["address"], message) == frame, entry["id"]
        if "di" in stated:
            assert message["di"] == int(stated["di"], 16), entry["id"]
        if "err" in stated:
            assert message["error"] == int(stated["err"], 16), entry["id"]
        if "address_payload" in stated:
            assert message["address"] == stated["address_payload"], entry["id"]
        if "time" in stated:
            time = message["time"]
            assert "20{year:02}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}".format(**time) == stated["time"]


def test_each_value_is_the_stated_one_exactly(valid: list[dict[str, Any]]) -> None:
    seen = 0
    for entry in valid:
        stated = entry["decoded"]
        if "value" not in stated:
            continue
        message = dlt645_parse(_frame(entry))
        item = dlt645_item(message["di"])
        assert item is not None, entry["id"]
        assert item.units == (stated["unit"],), entry["id"]
        if "inferred" not in stated["name"]:
            assert item.name == stated["name"], entry["id"]
        (value,) = dlt645_decode(message["di"], message["data"])
        assert isinstance(value, tuple)
        assert Decimal(value[0]).scaleb(value[1]) == Decimal(str(stated["value"])), entry["id"]
        assert dlt645_encode(message["di"], [value]) == message["data"], entry["id"]
        seen += 1
    assert seen == 18


def test_refusals_name_their_reason(valid: list[dict[str, Any]]) -> None:
    by_id = {entry["id"]: entry for entry in valid}
    assert dlt645_parse(_frame(by_id["645-26"]))["reasons"] == ("not_authorised",)
    assert dlt645_parse(_frame(by_id["645-38"]))["reasons"] == ("no_such_data",)


def test_text_arrives_reversed_and_padded(valid: list[dict[str, Any]]) -> None:
    (entry,) = [entry for entry in valid if entry["id"] == "645-37"]
    message = dlt645_parse(_frame(entry))
    assert dlt645_decode(message["di"], message["data"]) == ["220V"]
    assert dlt645_encode(message["di"], ["220V"]) == message["data"]


def test_only_known_peers_answer_with_a_wildcard(valid: list[dict[str, Any]]) -> None:
    deviating = {e["id"] for e in valid if (frame := _frame(e)).from_meter and "AA" in frame.address}
    assert deviating == ECHOES_WILDCARD


def test_each_frame_is_found_behind_another_and_byte_by_byte(valid: list[dict[str, Any]]) -> None:
    parser = Dlt645Parser()
    stream = b"".join(bytes.fromhex(entry["hex"]) for entry in valid)
    found = [event for byte in stream for event in parser.feed(bytes([byte]))]
    assert found == [_frame(entry) for entry in valid]
    assert parser.pending == 0


def test_a_bad_checksum_is_told_with_its_bytes_and_never_as_a_frame(shared_data: Path) -> None:
    (entry,) = [entry for entry in _vectors(shared_data, "645") if entry["kind"] == "NEGATIVE"]
    (noise,) = Dlt645Parser().feed(bytes.fromhex(entry["hex"]))
    assert isinstance(noise, Dlt645Noise)
    assert (noise.cause, noise.expected, noise.found) == ("checksum", 0x54, 0x55)
    assert noise.data == bytes.fromhex(entry["hex"])


def test_a_message_of_1997_is_refused(shared_data: Path) -> None:
    # Its link frame is that of 2007; only its control code tells it.
    (entry,) = _vectors(shared_data, "645-1997")
    frame = _frame(entry)
    assert frame.address == "000000000003"
    with pytest.raises(Dlt645Error, match="81H: not a reply of DL/T 645-2007"):
        dlt645_parse(frame)
