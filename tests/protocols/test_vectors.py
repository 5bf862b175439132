"""Every frame of the shared vectors is told with the meaning that its source states."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from protocols import Explainer, explain, octets_of

# Exponents of the values that the vectors state as raw numbers (fact sheet, 2.3).
EXPONENTS = {"0010": -2, "0020": -2, "2000": -1, "2001": -3}


@pytest.fixture(scope="module")
def vectors(shared_data: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((shared_data / "data" / "dlt_vectors.json").read_text())
    return {vector["id"]: vector for vector in document["vectors"]}


def only(octets: bytes) -> dict[str, Any]:
    (told,) = explain(octets)
    assert told["octets"] == octets.hex(" ").upper()
    return told


def test_dlt645(vectors: dict[str, dict[str, Any]]) -> None:
    checked = 0
    for vector in vectors.values():
        if vector["proto"] != "645" or vector["kind"] == "NEGATIVE":
            continue
        told, stated = only(octets_of(vector["hex"])), vector["decoded"]
        assert told["protocol"] == "dlt645", vector["id"]
        assert (told["address"], told["control"]) == (stated["address"].upper(), stated["control"])
        assert told["direction"] == ("reply" if stated["dir"] == "slave->master" else "request")
        assert (told["error"] is not None) == stated["abnormal"]
        if "di" in stated:
            assert [found["di"] for found in told["identifiers"]] == [stated["di"]]
            assert told["identifiers"][0]["name"]
            assert told["identifiers"][0]["name_zh"]
        if "value" in stated:
            (value,) = told["values"]
            # The vectors hold JSON numbers: their shortest text is what the source printed.
            assert Decimal(value["value"]) == Decimal(repr(stated["value"]))
            assert (value["unit"] or "") == stated["unit"]
            assert value["raw"] == stated["data_minus_33"].replace(" ", "")[8:]
            assert "inferred" in stated["name"] or value["name"] == stated["name"]
        if "err" in stated:
            assert (told["error"]["kind"], told["error"]["code"]) == ("refusal", int(stated["err"], 16))
        assert told.get("details", {}).get("address") == stated.get("address_payload")
        assert told.get("details", {}).get("time") == stated.get("time")
        checked += 1
    assert checked == 35
    (rated,) = only(octets_of(vectors["645-37"]["hex"]))["values"]
    assert rated["value"] == "220V"


def test_a_bad_checksum_is_told_and_no_value_shown(vectors: dict[str, dict[str, Any]]) -> None:
    told = only(octets_of(vectors["645-57"]["hex"]))
    assert told["error"] == {
        "kind": "checksum",
        "text": "check CS: expected 54H, found 55H",
        "expected": "54",
        "found": "55",
    }
    assert (told["protocol"], told["values"], told["identifiers"]) == ("dlt645", [], [])


def test_a_frame_of_1997(vectors: dict[str, dict[str, Any]]) -> None:
    told = only(octets_of(vectors["645-97-01"]["hex"]))
    assert (told["protocol"], told["control"], told["type"]) == ("dlt645-1997", "81", "read: reply")
    assert told["address"] == "000000000003"
    assert told["identifiers"][0]["di"] == "B611"
    assert [(value["value"], value["unit"]) for value in told["values"]] == [("100", "V")]


def numbers(data: Any) -> list[str]:
    return [str(entry) for entry in (data[1] if isinstance(data[1], list) else [data[1]])]


def check_apdu(told: dict[str, Any], stated: dict[str, Any]) -> None:
    """Compare what is stated of an APDU."""
    service = stated["apdu"].lower()
    assert told["apdu"].partition("/")[0] == {"error": "error-response"}.get(service, service)
    assert told["apdu"].partition("/")[2] == stated.get("choice", told["apdu"].partition("/")[2])
    piid = stated.get("piid", stated.get("piid_acd"))
    assert piid is None or told["details"]["piid"] == piid
    check_identifiers(told["identifiers"], stated)
    if isinstance(stated.get("data"), list):
        check_values(told["values"], stated["oad"], stated["data"])
    for result in stated.get("results", []):
        ours = [value for value in told["values"] if value["oad"][:4] == result["oad"][:4]]
        check_values(ours, result["oad"], result["data"])
    if "rows" in stated:
        check_rows(told, stated)
    if "heartbeat_s" in stated:
        date, _, clock = stated["date_time"].split()
        assert told["details"]["heartbeat_s"] == stated["heartbeat_s"]
        assert told["details"]["time"].startswith(f"{date} {clock.removesuffix('.000')}")
        assert told["type"] == f"link request, {stated['req_type']}"


def check_identifiers(found: list[dict[str, Any]], stated: dict[str, Any]) -> None:
    for key in ("oad", "omd"):
        if key in stated:
            assert found[0][key] == stated[key]
            assert found[0]["name"]
    if "oads" in stated:
        assert [entry["oad"] for entry in found] == stated["oads"]
    if "columns" in stated:
        assert [entry["oad"] for entry in found[0]["columns"]] == stated["columns"]


def check_values(found: list[dict[str, Any]], oad: str, data: Any) -> None:
    exponent = EXPONENTS.get(oad[:4])
    exponent = -4 if oad[4:6] == "04" else exponent
    for value, raw in zip(found, numbers(data), strict=True):
        expected = raw if exponent is None else str(Decimal(raw).scaleb(exponent))
        assert Decimal(value["value"]) == Decimal(expected)
        assert exponent is None or value["unit"]


def check_rows(told: dict[str, Any], stated: dict[str, Any]) -> None:
    assert told["details"]["row_count"] == len(stated["rows"])
    for number, row in enumerate(stated["rows"], 1):
        found = [value for value in told["values"] if value["row"] == number]
        for column, cell in zip(stated["columns"], row, strict=True):
            ours = [value for value in found if value["oad"][:4] == column[:4]]
            if isinstance(cell, str):
                assert [value["value"] for value in ours] == [cell]
            else:
                check_values(ours, column, cell if isinstance(cell, list) else ["number", cell])


def test_dlt698(vectors: dict[str, dict[str, Any]]) -> None:
    explainer, checked = Explainer(), 0
    for vector in vectors.values():
        if vector["proto"] != "698":
            continue
        (found,) = explainer.message(octets_of(vector["hex"]))
        told, stated = found.as_json(), vector["decoded"]
        assert (told["protocol"], told["error"]) == ("dlt698", None), vector["id"]
        assert (told["address"], told["control"]) == (stated["sa"].upper(), stated["ctrl"])
        assert told["details"]["client"] == stated["ca"]
        assert told["sender"] == ("meter" if stated["dir"] else "master")
        assert told["direction"] == ("request" if stated["dir"] != stated["prm"] else "reply")
        assert told["details"].get("address_type") == {0: None, 1: "wildcard"}[stated["at"]]
        if "apdu" in stated:
            check_apdu(told, stated)
        checked += 1
    assert checked == 25


def test_bare_apdus(vectors: dict[str, dict[str, Any]]) -> None:
    checked = 0
    for vector in vectors.values():
        if vector["proto"] == "698-apdu":
            octets = octets_of(vector["hex"])
            for told in (only(octets), *explain(octets, "dlt698-apdu")):
                assert told["protocol"] == "dlt698-apdu"
                check_apdu(told, vector["decoded"])
            checked += 1
    assert checked == 11


def test_fragments_are_joined(vectors: dict[str, dict[str, Any]]) -> None:
    """The first two tell what they are, the last one what all of them say."""
    explainer = Explainer()
    told = [explainer.message(octets_of(vectors[name]["hex"]))[0].as_json() for name in ("698-06", "698-07", "698-08")]
    assert [entry["details"]["fragment"]["kind"] for entry in told] == ["first", "middle", "last"]
    assert [entry["apdu"] for entry in told] == [None, None, "get-request/Normal"]
    assert told[2]["identifiers"][0]["oad"] == "F1010200"
    (confirmation,) = explain(octets_of(vectors["698-05"]["hex"]))
    assert confirmation["type"] == "fragment 261, confirm"


def test_what_a_proxy_carries(vectors: dict[str, dict[str, Any]]) -> None:
    request, reply = (only(octets_of(vectors[name]["hex"])) for name in ("698-22", "698-23"))
    assert request["details"]["settings"] == {"baud": 6, "parity": 2, "data_bits": 8, "stop_bits": 1, "flow": 0}
    assert (request["details"]["message_timeout_s"], request["details"]["byte_timeout_ms"]) == (10, 100)
    (inner,) = request["contents"]
    assert (inner["protocol"], inner["direction"], inner["address"]) == ("dlt698", "request", "012503200001")
    assert inner["identifiers"][0]["oad"] == "20010201"
    (inner,) = reply["contents"]
    assert [(value["value"], value["unit"]) for value in inner["values"]] == [("0.000", "A")]


def test_what_a_security_request_protects(vectors: dict[str, dict[str, Any]]) -> None:
    (inner,) = only(octets_of(vectors["698-31"]["hex"]))["contents"]
    assert (inner["protocol"], inner["apdu"]) == ("dlt698-apdu", "get-request/Record")
    assert inner["identifiers"][0]["oad"] == "50040200"
    assert inner["details"]["rows"]["equal"]["value"] == {"date_time_s": "2018-12-27 00:00:00"}


def test_all_of_them_in_one_stream(vectors: dict[str, dict[str, Any]]) -> None:
    """Whatever the pieces they come in, each frame is told once and nothing else is."""
    frames = [octets_of(vector["hex"]) for vector in vectors.values() if vector["proto"] != "698-apdu"]
    stream = b"".join(frames)
    for size in (1, 7, 64, len(stream)):
        explainer = Explainer()
        told = [entry for at in range(0, len(stream), size) for entry in explainer.feed(stream[at : at + size])]
        told += explainer.flush()
        assert [entry.octets for entry in told] == frames
        assert sum(not entry.intact for entry in told) == 1
