"""A Modbus profile: its plan, the rows of its tables, and its commands in registers."""

import struct

import pytest

from profiles.loader import parse
from profiles.modbus.model import RegisterCommand
from profiles.modbus.plan import ReadBlock
from profiles.modbus.profile import ModbusProfile
from profiles.model import Block, CodecError

ZONE = "Asia/Shanghai"

TEXT = """
[meter]
model = "M1"
manufacturer = "Maker"
protocol = "modbus"
source = "manual 1.0"

[modbus]
function = 4
max_registers = 20
gap_cost = 3

[points]
energy_forward = { address = 0x10, type = "uint32", unit = "kWh", scale = "0.01" }
power = { address = 0x14, type = "int16", unit = "W" }
voltage_a = { address = 0x30, type = "uint16", unit = "V", scale = "0.1", function = 3 }

[tables.daily_freezes]
address = 0x100
rows = 3
stride = 12

[tables.daily_freezes.columns]
time = { offset = 0, type = "uint32", unit = "s", missing = 0 }
energy_forward = { offset = 3, type = "uint32", unit = "kWh", scale = "0.01" }
energy_reverse = { offset = 10, type = "uint32", unit = "kWh", scale = "0.01" }

[writes.factor]
address = 0x200
fields.time = { type = "uint32", unit = "s" }
fields.carbon_factor = { offset = 2, type = "uint16", unit = "g/kWh", missing = 0xFFFF }

[writes.clock]
address = 0x210
fields.time = { type = "uint32", unit = "s" }

[writes.factor_history_day]
address = 0x220
function = 6
fields.day = { type = "uint16", unit = "1" }
"""


@pytest.fixture
def profile() -> ModbusProfile:
    found = parse(TEXT, "m1.toml", "m1")
    assert isinstance(found, ModbusProfile)
    return found


def requests(blocks: list[Block]) -> list[tuple[int, int, int, list[str]]]:
    found = []
    for block in blocks:
        assert isinstance(block, ReadBlock)
        found.append((block.function, block.address, block.count, [point.name for point in block.points]))
    return found


def test_the_plan_keeps_to_the_profiles_limits(profile: ModbusProfile) -> None:
    assert requests(profile.plan(profile.points.values(), ZONE)) == [
        (3, 0x30, 1, ["voltage_a"]),
        (4, 0x10, 5, ["energy_forward", "power"]),
    ]
    assert requests(profile.plan([profile.points["power"]], ZONE)) == [(4, 0x14, 1, ["power"])]
    assert profile.plan([], ZONE) == []


def test_a_point_of_another_profile_is_refused(profile: ModbusProfile) -> None:
    stranger = parse(TEXT.replace("voltage_a", "voltage_b"), "m2.toml", "m2").points["voltage_b"]
    with pytest.raises(KeyError, match="voltage_b"):
        profile.plan([stranger], ZONE)


def test_a_row_is_read_where_it_stands_and_no_further(profile: ModbusProfile) -> None:
    # The gap of 1 register costs less than a request and that of 5 more.
    blocks = profile.plan_row("daily_freezes", 2, ZONE)
    assert requests(blocks) == [(4, 0x10C, 5, ["time", "energy_forward"]), (4, 0x116, 2, ["energy_reverse"])]
    assert blocks[0].decode(struct.pack(">IHI", 86_400, 7, 123)) == {"time": 86_400_000, "energy_forward": 1_230_000}
    assert blocks[0].decode(struct.pack(">IHI", 0, 7, 123)) == {"energy_forward": 1_230_000}
    assert blocks[1].decode(struct.pack(">I", 5)) == {"energy_reverse": 50_000}


def test_rows_and_tables_that_the_meter_does_not_have_are_refused(profile: ModbusProfile) -> None:
    with pytest.raises(IndexError, match=r"row 4 is not in 1\.\.3"):
        profile.plan_row("daily_freezes", 4, ZONE)
    with pytest.raises(IndexError, match=r"row 0 is not in 1\.\.3"):
        profile.plan_row("daily_freezes", 0, ZONE)
    with pytest.raises(KeyError, match="monthly_freezes"):
        profile.plan_row("monthly_freezes", 1, ZONE)


def test_a_command_holds_the_registers_to_write(profile: ModbusProfile) -> None:
    fields = {"carbon_factor": 581_000, "time": 1_700_000_100_000}
    assert profile.command("factor", fields, ZONE) == RegisterCommand(
        "factor", 16, 0x200, (*struct.unpack(">2H", struct.pack(">I", 1_700_000_100)), 581)
    )
    assert profile.command("factor_history_day", {"day": 3}, ZONE) == RegisterCommand(
        "factor_history_day", 6, 0x220, (3,)
    )


def test_an_undefined_value_is_written_as_the_meters_pattern_for_it(profile: ModbusProfile) -> None:
    assert profile.command("factor", {"time": 0, "carbon_factor": None}, ZONE).words == (0, 0, 0xFFFF)
    with pytest.raises(CodecError, match="clock: the meter has no way to say that time is undefined"):
        profile.command("clock", {"time": None}, ZONE)


@pytest.mark.parametrize("fields", [{}, {"time": 0}, {"time": 0, "carbon_factor": 0, "day": 1}])
def test_a_command_needs_exactly_its_fields(profile: ModbusProfile, fields: dict[str, int | None]) -> None:
    with pytest.raises(CodecError, match=r"factor: expected the fields \['time', 'carbon_factor'\], got"):
        profile.command("factor", fields, ZONE)


def test_values_that_the_registers_cannot_hold_are_refused(profile: ModbusProfile) -> None:
    with pytest.raises(CodecError, match="carbon_factor: 1 mg/kWh is not a multiple of 1000"):
        profile.command("factor", {"time": 0, "carbon_factor": 1}, ZONE)
    with pytest.raises(CodecError, match=r"time: .* does not fit uint32"):
        profile.command("clock", {"time": 1000 << 32}, ZONE)
    with pytest.raises(KeyError, match="relay"):
        profile.command("relay", {}, ZONE)


def test_a_point_says_where_it_stands(profile: ModbusProfile) -> None:
    assert profile.points["energy_forward"].place == {"function": 4, "address": 0x10, "type": "uint32"}
    assert profile.points["voltage_a"].place == {"function": 3, "address": 0x30, "type": "uint16"}
