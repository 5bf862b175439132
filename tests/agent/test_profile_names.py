"""What profiles say of frames that no standard explains."""

from typing import Any

from agent.profile_names import ProfileNames
from diantan_core import Dlt645Frame, Dlt698Frame, dlt698_encode_apdu
from profiles import load
from protocols import Explainer, Value

ZONE = "Asia/Shanghai"
ADDRESS = "112233445566"
CHARGER = load("dlt645-dc-charger")
CARBON = load("dlt698-carbon-meter", {"carbon_scale": "0.01"})


def said(names: Any, octets: bytes) -> list[Value]:
    (told,) = Explainer(names=names).message(octets)
    return told.values


def reply_645(di: int, data: bytes) -> bytes:
    return Dlt645Frame(ADDRESS, 0x91, di.to_bytes(4, "little") + data).encode()


def reply_698(oad: int, item: tuple[str, Any]) -> bytes:
    body = {"piid_acd": 0, "oad": oad, "result": ("data", item), "follow_report": None, "time_tag": None}
    return Dlt698Frame(0xC3, ADDRESS, 0, dlt698_encode_apdu(("get_response", ("normal", body)))).encode()


def test_private_identifiers_of_a_charger_meter() -> None:
    """Four octets where the standard has three: without the profile flagged, with it named."""
    octets = reply_645(0x02000100, bytes.fromhex("00500100"))
    (without,) = said(None, octets)
    assert (without.value, "private" in (without.error or "")) == (None, True)
    (value,) = said(ProfileNames({ADDRESS: CHARGER}, ZONE), octets)
    assert (value.error, value.unit, value.raw, value.place) == (None, "A", "00500100", {"di": "02000100"})
    assert float(value.value or "nan") == 1.5
    (other,) = said(ProfileNames({"1": CHARGER}, ZONE), octets)
    assert other.value is None


def test_the_standard_comes_first() -> None:
    """What it explains stays what it is on the line, without the ratios of a profile."""
    names = ProfileNames({}, ZONE, load("dlt645-three-phase", {"ct": 40}))
    (value,) = said(names, reply_645(0x00010000, bytes.fromhex("56341200")))
    assert (value.value, value.name) == ("1234.56", "forward active energy total")


def test_carbon_objects_have_the_scale_of_the_profile() -> None:
    octets = reply_698(0x20800200, ("double_long_unsigned", 12345))
    (without,) = said(None, octets)
    assert (without.value, without.unit) == ("12345", None)
    (value,) = said(ProfileNames({}, ZONE, CARBON), octets)
    assert (value.name, value.unit, value.raw) == ("carbon_forward", "kg", "0600003039")
    assert value.value == "123.45"


def test_registers_of_a_float_meter() -> None:
    names = ProfileNames({7: load("eastron-sdm630")}, ZONE)
    explainer = Explainer(("modbus-tcp",), names=names)
    explainer.message(bytes.fromhex("000100000006 07 04 0046 0004"))
    (told,) = explainer.message(bytes.fromhex("00010000000B 07 04 08 42480000 7FC00000"))
    frequency, energy = told.values[:2]
    assert (frequency.name, frequency.value, frequency.unit) == ("frequency", "50.00", "Hz")
    assert (energy.name, energy.value, energy.error) == ("energy_forward", None, None)
    assert [value.raw for value in told.values[2:]] == ["4248", "0000", "7FC0", "0000"]


def test_another_function_or_part_of_a_value_is_not_named() -> None:
    names = ProfileNames({7: load("eastron-sdm630")}, ZONE)
    assert names.registers(7, 3, 70, bytes(4)) == []
    assert names.registers(7, 4, 70, bytes(2)) == []
    assert names.registers(7, 4, 71, bytes(4)) == []
    assert names.registers(8, 4, 70, bytes(4)) == []
