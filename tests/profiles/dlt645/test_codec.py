"""Values and octets: round trips, what is no number, and what a field can show."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import load
from profiles.dlt645.codec import decode, decode_points, encode, quantise
from profiles.dlt645.formats import DataItem, parse_format
from profiles.dlt645.model import ItemPoint
from profiles.dlt645.profile import Dlt645Profile
from profiles.model import CodecError, NoValueError
from profiles.points import Quantity

ZONE = "Asia/Shanghai"
profile = load("dlt645-three-phase")
assert isinstance(profile, Dlt645Profile)
POINTS = dict(profile.points)
CHARGER = load("dlt645-dc-charger")
assert isinstance(CHARGER, Dlt645Profile)


def point(text: str, quantity: Quantity = Quantity.ENERGY, scale: Fraction = Fraction(10_000)) -> ItemPoint:
    field = parse_format(text)
    assert field is not None
    item = DataItem(0x00010000, (field,))
    resolution = max(int(scale), 1)
    return ItemPoint(name="x", quantity=quantity, scale=scale, resolution=resolution, item=item)


@pytest.mark.parametrize(
    ("name", "octets", "value"),
    [
        ("energy_forward", "78 56 34 12", 123_456_780_000),  # 123456.78 kWh in mWh
        ("energy_total", "01 00 00 80", -10_000),
        ("voltage_a", "01 10", 100_100),  # vector 645-04: 100.1 V
        ("current_a", "99 49 00", 4_999),  # vector 645-06: 4.999 A
        ("power", "12 25 00", 251_200),  # vector 645-08: 0.2512 kW
        ("power", "12 25 80", -251_200),
        ("power_factor", "00 10", 1_000_000),
        ("power_factor", "99 89", -999_000),
        ("frequency", "98 49", 49_980),
        ("temperature", "51 80", -5_100),
        ("serial_number", "56 34 12 00 00 00", 123_456),
        ("meter_constant", "00 64 00", 6_400),
        ("status_3", "10 00", 0x0010),
        ("status_3", "FF FF", 0xFFFF),
        ("demand_forward_time", "30 15 01 06 26", 1_780_299_000_000),
    ],
)
def test_octets_are_the_value(name: str, octets: str, value: int) -> None:
    found = POINTS[name]
    assert decode(found, bytes.fromhex(octets), ZONE) == value
    assert encode(found, value, ZONE) == bytes.fromhex(octets)


@given(st.sampled_from(sorted(set(POINTS) - {"device_time"})), st.data())
def test_what_a_point_shows_comes_back(name: str, data: st.DataObject) -> None:
    subject = POINTS[name]
    if subject.quantity is Quantity.TIME:
        value = data.draw(st.integers(946_656_000_000 // 60_000, 4_102_416_000_000 // 60_000 - 1)) * 60_000
    else:
        field = subject.format
        value = data.draw(st.integers(field.least, field.greatest)) * int(subject.scale)
    octets = encode(subject, value, ZONE)
    assert len(octets) == subject.format.length
    assert decode(subject, octets, ZONE) == value
    assert quantise(subject, value) == value


@given(st.sampled_from(sorted(set(POINTS) - {"device_time"})), st.binary(min_size=16, max_size=16))
def test_any_octets_are_a_value_that_comes_back_or_none(name: str, octets: bytes) -> None:
    subject = POINTS[name]
    octets = octets[: subject.format.length]
    try:
        value = decode(subject, octets, ZONE)
    except CodecError:
        return
    again = encode(subject, value, ZONE)
    assert again == octets or (value == 0 and subject.format.signed)  # a zero may come with a sign


@given(st.sampled_from(sorted(set(POINTS) - {"device_time"})), st.integers(-(10**15), 10**15))
def test_whatever_is_measured_can_be_shown(name: str, value: int) -> None:
    subject = POINTS[name]
    if subject.quantity is Quantity.TIME:
        value = 1_700_000_000_000 + value % 10**12
    shown = quantise(subject, value)
    assert decode(subject, encode(subject, shown, ZONE), ZONE) == shown
    assert shown % subject.resolution == 0


@pytest.mark.parametrize("octets", ["A0 00 00 00", "00 00 00 0F", "FF FF FF 00", "FF 00 FF FF"])
def test_digits_that_are_none_are_never_a_number(octets: str) -> None:
    with pytest.raises(CodecError) as caught:
        decode(POINTS["energy_forward"], bytes.fromhex(octets), ZONE)
    assert not isinstance(caught.value, NoValueError)
    assert "energy_forward" in str(caught.value)
    assert octets in str(caught.value)


@pytest.mark.parametrize("name", ["energy_forward", "voltage_b", "demand_forward_time", "serial_number"])
def test_ff_throughout_is_no_value(name: str) -> None:
    subject = POINTS[name]
    with pytest.raises(NoValueError):
        decode(subject, encode(subject, None, ZONE), ZONE)


def test_a_register_starts_again_behind_its_last_digit() -> None:
    energy = POINTS["energy_forward"]
    assert energy.rollover == 10**6 * 10**6  # a million kWh
    assert quantise(energy, 10**12 + 19_999) == 10_000
    assert POINTS["energy_total"].rollover is None
    assert quantise(POINTS["energy_total"], 10**13) == 799_999_990_000


def test_a_value_stops_at_the_end_of_its_field() -> None:
    assert quantise(POINTS["power"], 10**9) == 79_999_900
    assert quantise(POINTS["power"], -(10**9)) == -79_999_900
    assert quantise(POINTS["apparent_power"], -5) == 0
    assert quantise(POINTS["voltage_a"], 230_150) == 230_200  # a tie goes to the even digit
    assert quantise(POINTS["voltage_a"], 230_250) == 230_200


def test_a_value_that_does_not_fit_is_refused() -> None:
    with pytest.raises(CodecError, match="does not fit"):
        encode(POINTS["energy_forward"], 10**12, ZONE)
    with pytest.raises(CodecError, match="does not fit"):
        encode(POINTS["energy_forward"], 1, ZONE)
    with pytest.raises(CodecError, match="does not fit"):
        encode(POINTS["apparent_power"], -100, ZONE)


def test_a_step_finer_than_the_unit_is_rounded_half_to_even() -> None:
    current = CHARGER.points["current"]  # 0.0001 A
    assert decode(current, bytes.fromhex("45 23 01 00"), ZONE) == 1_234  # 1.2345 A: a tie
    assert decode(current, bytes.fromhex("55 23 01 00"), ZONE) == 1_236
    assert encode(current, 1_234, ZONE) == bytes.fromhex("40 23 01 00")


@pytest.mark.parametrize(("step", "millivolts"), [("0.001", 123_456), ("0.01", 1_234_560)])
def test_the_disputed_voltage_step_is_a_parameter(step: str, millivolts: int) -> None:
    charger = load("dlt645-dc-charger", {"voltage_step": step})
    assert isinstance(charger, Dlt645Profile)
    assert decode(charger.points["voltage"], bytes.fromhex("56 34 12 00"), ZONE) == millivolts


def test_a_block_has_as_many_elements_as_the_meter_has() -> None:
    block = profile.plan([POINTS[f"energy_forward_t{n}"] for n in (1, 2, 3, 4)], ZONE)[0]
    members = block.points
    assert all(isinstance(member, ItemPoint) for member in members)
    cells = [member for member in members if isinstance(member, ItemPoint)]
    item = cells[0].item
    octets = bytes.fromhex("00 01 00 0000 02 00 00FF FF FF FF")
    assert decode_points(cells, item, octets, ZONE) == {"energy_forward_t1": 2_000_000}
    more = octets[:8] + bytes(4) * 12
    assert set(decode_points(cells, item, more, ZONE)) == {f"energy_forward_t{n}" for n in (1, 2, 3, 4)}


@pytest.mark.parametrize("length", [0, 3, 5, 6])
def test_data_of_another_length_are_unusable(length: int) -> None:
    voltage = POINTS["voltage_a"]
    with pytest.raises(CodecError, match="02010100: expected 2 octets"):
        decode_points([voltage], voltage.item, bytes(length), ZONE)
