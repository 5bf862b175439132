"""Ports and units, lines and addresses: who answers where."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_support import DLT645, DLT698, served

from firmware_sim.config import MeterSection, SimulateSection
from firmware_sim.line_config import LineSection
from firmware_sim.places import LinePlan, Place, Served, address_of, assign, lay_out
from settings.errors import ConfigError


def section(name: str, *, unit: int | None = None, port: int | None = None) -> MeterSection:
    return MeterSection(id=name, unit=unit, port=port)


def test_meters_share_a_port_and_count_up_around_given_units() -> None:
    listen, places = assign([section("a"), section("b", unit=1), section("c"), section("d", unit=3)], 0, 1, "f")
    assert listen == [0]
    assert places == [Place(0, 2), Place(0, 1), Place(0, 4), Place(0, 3)]


def test_meters_are_spread_over_ports() -> None:
    listen, places = assign([section(str(n)) for n in range(5)], 5020, 2, "f")
    assert listen == [5020, 5021]
    assert places == [Place(0, 1), Place(1, 1), Place(0, 2), Place(1, 2), Place(0, 3)]


def test_own_ports_are_kept() -> None:
    sections = [section("a", port=0), section("b", port=0), section("c", port=7000), section("d", port=7000)]
    listen, places = assign([*sections, section("e")], 6000, 1, "f")
    assert listen == [6000, 0, 0, 7000]
    assert places == [Place(1, 1), Place(2, 1), Place(3, 1), Place(3, 2), Place(0, 1)]


def test_a_port_nobody_uses_is_not_opened() -> None:
    listen, places = assign([section("a", port=0)], 6000, 1, "f")
    assert (listen, places) == ([0], [Place(0, 1)])


def test_a_unit_taken_twice_is_named() -> None:
    with pytest.raises(ConfigError, match="f: meter b: unit: 5 is that of a on its port"):
        assign([section("a", unit=5), section("b", unit=5)], 0, 1, "f")


def test_more_meters_than_units_are_refused() -> None:
    with pytest.raises(ConfigError, match="m247: all 247 units of its port are taken"):
        assign([section(f"m{n}") for n in range(248)], 0, 1, "f")


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 3), st.none() | st.integers(1, 6)), min_size=1, max_size=12),
    st.integers(1, 4),
)
def test_no_two_meters_answer_at_the_same_place(wishes: list[tuple[int | None, int | None]], ports: int) -> None:
    sections = [section(f"m{n}", port=port, unit=unit) for n, (port, unit) in enumerate(wishes)]
    try:
        listen, places = assign(sections, 0, ports, "f")
    except ConfigError:
        return
    assert len(set(places)) == len(sections)
    assert all(wish[1] in (None, place.unit) for wish, place in zip(wishes, places, strict=True))
    assert all(wish[0] in (None, listen[place.server]) for wish, place in zip(wishes, places, strict=True))


def plan(*meters: Served, transport: str = "pty", **keys: Any) -> list[LinePlan]:
    line = LineSection(**{"name": "bus", "transport": transport, **keys})
    return lay_out(meters, SimulateSection(), [line], "f")


def test_a_line_has_meters_of_several_protocols_each_with_its_own_addresses() -> None:
    meters = [
        served("a"),
        served("b", DLT645, address="112233445566"),
        served("c", DLT698, address="112233445566"),  # the same number in another protocol is another meter
        served("d", unit=1),
        served("e", line=None),
    ]
    modbus, bus = plan(*meters)
    assert (modbus.section.name, modbus.section.transport) == ("modbus-tcp-1", "modbus-tcp")
    assert [(member.served.section.id, member.address) for member in modbus.members] == [("e", 1)]
    assert [(member.served.section.id, member.address) for member in bus.members] == [
        ("a", 2),
        ("b", "112233445566"),
        ("c", "112233445566"),
        ("d", 1),
    ]


def test_a_line_without_meters_is_not_opened() -> None:
    assert [plan.section.name for plan in plan(served("a", line=None))] == ["modbus-tcp-1"]


def test_the_lines_of_modbus_tcp_are_named_beside_those_of_the_file() -> None:
    line = LineSection(name="modbus-tcp-1", transport="pty")
    plans = lay_out([served("a", line=None), served("b", line="modbus-tcp-1")], SimulateSection(), [line], "f")
    assert [plan.section.name for plan in plans] == ["modbus-tcp-2-1", "modbus-tcp-1"]


@pytest.mark.parametrize(
    ("meters", "transport", "expected"),
    [
        (
            [served("a", DLT645, line=None)],
            "pty",
            "f: meter a: line: expected one, because dlt645-three-phase speaks dlt645",
        ),
        ([served("a", DLT698)], "modbus-tcp", "f: meter a: line: expected a meter on Modbus on bus"),
        ([served("a", unit=5), served("b", unit=5)], "tcp", "f: meter b: unit: 5 is that of a"),
        (
            [served("a", DLT645, address="7"), served("b", DLT645, address="000000000007")],
            "tcp",
            "f: meter b: address: 000000000007 is that of a on line bus",
        ),
    ],
)
def test_a_place_that_can_not_be_is_named(meters: list[Served], transport: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        plan(*meters, transport=transport)


@pytest.mark.parametrize(
    ("protocol", "given_address", "expected"),
    [
        ("modbus", None, None),
        ("dlt645", None, "000000000004"),
        ("dlt645", "1234", "000000001234"),
        ("dlt698", None, "000000000004"),
        ("dlt698", "a1", "0000000000A1"),
        ("dlt698", "01020304050607", "01020304050607"),
    ],
)
def test_addresses_are_filled_up(protocol: str, given_address: str | None, expected: str | None) -> None:
    assert address_of(MeterSection(id="m", address=given_address), protocol, 4) == expected


@pytest.mark.parametrize(
    ("protocol", "keys", "expected"),
    [
        ("modbus", {"address": "1"}, "address: expected unit for a meter on Modbus, found '1'"),
        ("dlt645", {"unit": 1}, "unit: expected address for a meter on dlt645, found 1"),
        ("dlt645", {"address": "12A4"}, "address: expected up to 12 decimal digits"),
        ("dlt645", {"address": "1234567890123"}, "address: expected up to 12 decimal digits"),
        ("dlt645", {"address": "999999999999"}, "not the broadcast address"),
        ("dlt698", {"address": "1234567890123"}, "address: expected an even number of hexadecimal digits, found 13"),
    ],
)
def test_an_address_that_can_not_be_is_named(protocol: str, keys: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        address_of(MeterSection(id="m", **keys), protocol, 1)
