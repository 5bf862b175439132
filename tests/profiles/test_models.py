"""The shipped models: all load, plan and are served by the simulator, with the registers that their sources state."""

import tomllib
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from importlib import resources
from zoneinfo import ZoneInfo

import pytest

from firmware_sim.circuit import Circuit
from firmware_sim.curves import ConstantCurve
from firmware_sim.layout import Layout
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.multifunction import MultiFunctionSettings
from firmware_sim.registers import RegisterMap
from profiles import Profile, load, names
from profiles.modbus.codec import pack_words, quantise
from profiles.modbus.model import Encoding, WordOrder
from profiles.modbus.plan import ReadBlock
from profiles.modbus.profile import ModbusProfile
from profiles.points import POINTS

ZONE = "Asia/Shanghai"
START = int(datetime(2026, 6, 15, tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)
NOW = START + 30 * 3_600_000 + 1


def shipped(name: str, **given: int) -> Profile:
    """Return a shipped profile; parameters that it demands and that are not given are 1."""
    text = (resources.files("profiles") / "models" / f"{name}.toml").read_text("utf-8")
    parameters = tomllib.loads(text).get("parameters", {})
    return load(name, {key: 1 for key, item in parameters.items() if "default" not in item} | given)


def modbus(name: str, **given: int) -> ModbusProfile:
    profile = shipped(name, **given)
    assert isinstance(profile, ModbusProfile)
    return profile


MODBUS = [name for name in names() if shipped(name).protocol == "modbus"]


def test_every_model_of_the_list_is_there() -> None:
    assert set(MODBUS) >= {
        "acrel-adl3000-e",
        "acrel-adw300",
        "acrel-ddsy1352",
        "acrel-dtsd1352",
        "chint-dtsu666",
        "chint-dtsu666-h",
        "eastron-sdm120",
        "eastron-sdm54",
        "eastron-sdm630",
        "eastron-sdm72",
        "eastron-sdm72-v2",
        "sim-carbon-meter",
    }


@pytest.mark.parametrize("name", names())
def test_every_model_has_a_plan_that_brings_each_point_once(name: str) -> None:
    profile = shipped(name)
    blocks = profile.plan(profile.points.values(), ZONE)
    assert sorted(point.name for block in blocks for point in block.points) == sorted(profile.points)
    for point in profile.points.values():
        (block,) = profile.plan([point], ZONE)
        assert [found.name for found in block.points] == [point.name]
        assert point.place


@pytest.mark.parametrize("name", names())
def test_every_model_can_be_metered_and_names_its_source(name: str) -> None:
    profile = shipped(name)
    assert "energy_forward" in profile.points
    assert profile.source != profile.model
    for table in profile.tables:
        assert profile.plan_row(table, 1, ZONE)


@pytest.mark.parametrize("name", MODBUS)
def test_every_modbus_model_is_served_as_it_is_read(name: str) -> None:
    profile = modbus(name)
    settings = MeterSettings(default_factor=581_000, multi_function=MultiFunctionSettings())
    meter = Meter(ConstantCurve(START, 6_600_000), Circuit(), settings)
    subject = RegisterMap(meter, Layout(profile))
    values = meter.values(NOW)
    read: dict[str, int] = {}
    for block in profile.plan(profile.points.values(), ZONE):
        assert isinstance(block, ReadBlock)
        assert block.count <= profile.max_registers
        read |= block.decode(pack_words(subject.read(block.function, block.address, block.count, NOW), block.count))
    assert read["energy_forward"] > 0
    for point in profile.points.values():
        value = values[point.name]  # every point of a model is something the simulated meter knows
        assert read.get(point.name) == (None if value is None else quantise(point, value)), point.name
    for table in profile.tables:
        for block in profile.plan_row(table, 1, ZONE):
            assert isinstance(block, ReadBlock)
            words = subject.read(block.function, block.address, block.count, NOW)
            row = meter.row(table, 1, NOW)
            columns = {p.name: value for p in block.points if (value := row.get(p.name)) is not None}
            assert block.decode(pack_words(words, block.count)) == columns


@pytest.mark.parametrize("name", ["acrel-adl3000-e", "acrel-adw300", "acrel-dtsd1352", "chint-dtsu666"])
def test_transformer_ratios_multiply_what_passes_the_transformers(name: str) -> None:
    one, other = modbus(name, ct=1, pt=1), modbus(name, ct=40, pt=10)
    factors = {"ENERGY": 400, "POWER": 400, "REACTIVE_POWER": 400, "APPARENT_POWER": 400, "VOLTAGE": 10, "CURRENT": 40}
    for point in one.points.values():
        assert other.points[point.name].scale == point.scale * factors.get(point.quantity.name, 1), point.name


# Addresses and scales from the fact sheet on protocols, section 5.
@pytest.mark.parametrize(
    ("name", "point", "registers"),
    [
        ("eastron-sdm630", "voltage_a", (4, 0x0000, Encoding.FLOAT32, 1000)),
        ("eastron-sdm630", "current_a", (4, 0x0006, Encoding.FLOAT32, 1000)),
        ("eastron-sdm630", "power_a", (4, 0x000C, Encoding.FLOAT32, 1000)),
        ("eastron-sdm630", "power", (4, 0x0034, Encoding.FLOAT32, 1000)),
        ("eastron-sdm630", "frequency", (4, 0x0046, Encoding.FLOAT32, 1000)),
        ("eastron-sdm630", "energy_forward", (4, 0x0048, Encoding.FLOAT32, 10**6)),
        ("eastron-sdm630", "energy_reverse", (4, 0x004A, Encoding.FLOAT32, 10**6)),
        ("eastron-sdm630", "energy_total", (4, 0x0156, Encoding.FLOAT32, 10**6)),
        ("chint-dtsu666", "voltage_a", (3, 0x2006, Encoding.FLOAT32, 100)),
        ("chint-dtsu666", "current_a", (3, 0x200C, Encoding.FLOAT32, 1)),
        ("chint-dtsu666", "power", (3, 0x2012, Encoding.FLOAT32, 100)),
        ("chint-dtsu666", "power_factor", (3, 0x202A, Encoding.FLOAT32, 1000)),
        ("chint-dtsu666", "frequency", (3, 0x2044, Encoding.FLOAT32, 10)),
        ("chint-dtsu666", "energy_forward", (3, 0x101E, Encoding.FLOAT32, 10**6)),
        ("chint-dtsu666", "energy_reverse", (3, 0x1028, Encoding.FLOAT32, 10**6)),
        ("acrel-adl3000-e", "energy_total", (3, 0x0000, Encoding.UINT32, 400_000)),
        ("acrel-adl3000-e", "energy_forward", (3, 0x000A, Encoding.UINT32, 400_000)),
        ("acrel-adl3000-e", "energy_reverse", (3, 0x0014, Encoding.UINT32, 400_000)),
        ("acrel-adl3000-e", "voltage_c", (3, 0x0063, Encoding.UINT16, 100)),
        ("acrel-adl3000-e", "power", (3, 0x006A, Encoding.INT16, 40_000)),
        ("acrel-adl3000-e", "frequency", (3, 0x0077, Encoding.UINT16, 10)),
        ("acrel-adl3000-e", "energy_forward_t1", (3, 0x000C, Encoding.UINT32, 400_000)),
        ("acrel-adl3000-e", "energy_total_t4", (3, 0x0008, Encoding.UINT32, 400_000)),
        ("acrel-adw300", "voltage_a", (3, 20, Encoding.UINT16, 100)),
        ("acrel-adw300", "current_c", (3, 28, Encoding.UINT16, 10)),
        ("acrel-adw300", "power_a", (3, 30, Encoding.INT32, 1000)),
        ("acrel-adw300", "power", (3, 36, Encoding.INT32, 1000)),
        ("acrel-adw300", "energy_forward", (3, 62, Encoding.UINT32, 10_000)),
        ("acrel-adw300", "energy_reverse", (3, 64, Encoding.UINT32, 10_000)),
        ("acrel-ddsy1352", "energy_forward", (3, 0x0000, Encoding.UINT32, 10_000)),
        ("acrel-ddsy1352", "voltage_a", (3, 0x000B, Encoding.UINT16, 100)),
        ("acrel-ddsy1352", "current_a", (3, 0x000C, Encoding.UINT16, 10)),
        ("acrel-ddsy1352", "power", (3, 0x000D, Encoding.INT16, 1000)),
        ("acrel-ddsy1352", "power_factor", (3, 0x0010, Encoding.INT16, 1000)),
        ("acrel-dtsd1352", "energy_forward", (3, 0x000A, Encoding.UINT32, 10_000)),
        ("acrel-dtsd1352", "energy_reverse", (3, 0x0014, Encoding.UINT32, 10_000)),
        ("acrel-dtsd1352", "power", (3, 0x016A, Encoding.INT32, 1000)),
        ("acrel-dtsd1352", "power_factor", (3, 0x017F, Encoding.INT16, 1000)),
        ("chint-dtsu666-h", "current_a", (3, 2102, Encoding.FLOAT32, 1000)),
        ("chint-dtsu666-h", "power", (3, 2126, Encoding.FLOAT32, 1000)),
        ("chint-dtsu666-h", "energy_forward", (3, 2166, Encoding.FLOAT32, 10**6)),
        ("chint-dtsu666-h", "energy_reverse", (3, 2174, Encoding.FLOAT32, 10**6)),
        ("eastron-sdm120", "power", (4, 0x000C, Encoding.FLOAT32, 1000)),
        ("eastron-sdm120", "frequency", (4, 0x0046, Encoding.FLOAT32, 1000)),
        ("eastron-sdm120", "energy_reverse", (4, 0x004A, Encoding.FLOAT32, 10**6)),
        ("eastron-sdm120", "reactive_energy_forward", (4, 0x004C, Encoding.FLOAT32, 10**6)),
        ("eastron-sdm54", "energy_forward_c", (4, 0x015E, Encoding.FLOAT32, 10**6)),
        ("eastron-sdm54", "energy_reverse_a", (4, 0x0160, Encoding.FLOAT32, 10**6)),
        ("eastron-sdm630", "reactive_power", (4, 0x003C, Encoding.FLOAT32, 1000)),
        ("eastron-sdm630", "energy_forward_a", (4, 0x015A, Encoding.FLOAT32, 10**6)),
        ("chint-dtsu666", "energy_forward_c", (3, 0x1024, Encoding.FLOAT32, 10**6)),
        ("eastron-sdm72", "power", (4, 0x0034, Encoding.FLOAT32, 1000)),
        ("eastron-sdm72", "energy_total", (4, 0x0156, Encoding.FLOAT32, 10**6)),
        ("eastron-sdm72-v2", "reactive_power", (4, 0x003C, Encoding.FLOAT32, 1000)),
    ],
)
def test_the_real_meters_have_their_published_registers(
    name: str, point: str, registers: tuple[int, int, Encoding, int]
) -> None:
    found = modbus(name, **({"pt": 1, "ct": 40} if name.startswith("acrel-adl") else {})).points[point]
    assert (found.function, found.address, found.encoding, found.scale) == registers
    assert found.word_order is WordOrder.ABCD
    assert found.quantity is POINTS[point].quantity


def test_transformer_ratios_scale_energy_exactly() -> None:
    profile = load("acrel-adl3000-e", {"pt": Decimal("2.5"), "ct": 40})
    assert profile.points["energy_forward"].scale == Fraction(10_000 * 100)
    assert profile.points["voltage_a"].scale == 250
    assert profile.points["power_factor"].scale == 1000


def test_registers_of_64_bits_and_floats_are_not_known_to_roll_over() -> None:
    assert shipped("acrel-adl3000-e").points["energy_forward"].rollover == 2**32 * 10_000
    assert shipped("sim-carbon-meter").points["energy_forward"].rollover is None
    assert shipped("eastron-sdm630").points["energy_forward"].rollover is None


def test_the_carbon_meter_has_what_the_standard_asks_it_to_keep() -> None:
    profile = modbus("sim-carbon-meter")
    assert {name: table.rows for name, table in profile.tables.items()} == {
        "daily_freezes": 30,
        "monthly_freezes": 12,
        "daily_carbon": 365,
        "factor_history": 96,
    }
    assert set(profile.writes) == {"factor", "clock", "factor_history_day"}
    assert {"carbon_forward", "carbon_reverse", "carbon_factor", "carbon_forward_previous_day"} <= set(profile.points)


def test_the_simulated_meter_is_polled_in_one_request_of_60() -> None:
    profile = modbus("sim-carbon-meter")
    polled = [p for name, p in profile.points.items() if name not in ("serial_number", "meter_constant")]
    (block,) = profile.plan(polled, ZONE)
    assert isinstance(block, ReadBlock)
    assert (block.function, block.address, block.count) == (4, 0, 60)
