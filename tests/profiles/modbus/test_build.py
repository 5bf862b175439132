"""Building a Modbus profile: exact scales, and every mistake in the document named with its key."""

import pytest

from profiles import ProfileError
from profiles.loader import parse
from profiles.modbus.profile import ModbusProfile

GOOD = """
[meter]
model = "M1"
manufacturer = "Maker"
protocol = "modbus"
source = "manual 1.0"

[parameters]
ct = { description = "current transformer ratio" }

[modbus]
function = 3
max_registers = 100

[points]
energy_forward = { address = 0x10, type = "uint32", unit = "kWh", scale = "0.01", multiply = ["ct"] }
power = { address = 0x12, type = "float32", unit = "W", resolution = "0.1" }

[tables.daily_freezes]
address = 0x100
rows = 30
stride = 4
selector = "factor_history_day"

[tables.daily_freezes.columns]
time = { offset = 0, type = "uint32", unit = "s" }
energy_forward = { offset = 2, type = "uint32", unit = "kWh", scale = "0.01" }

[writes.factor_history_day]
address = 0x200
function = 6
fields = { day = { type = "uint16", unit = "1" } }
"""


def built(text: str = GOOD) -> ModbusProfile:
    profile = parse(text, "m1.toml", "m1", {"ct": 40})
    assert isinstance(profile, ModbusProfile)
    return profile


def problems(text: str) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        parse(text, "m1.toml", "m1", {"ct": 40})
    return [str(problem) for problem in caught.value.problems]


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) >= 1, old
    return GOOD.replace(old, new, 1)


def test_a_good_profile_has_exact_scales_in_canonical_units() -> None:
    profile = built()
    energy = profile.points["energy_forward"]
    assert (energy.scale, energy.resolution, energy.unit) == (400_000, 400_000, "mWh")
    power = profile.points["power"]
    assert (power.scale, power.resolution, power.type) == (1000, 100, "float32")
    assert profile.tables["daily_freezes"].columns[1].address == 0x102
    assert profile.writes["factor_history_day"].function == 6
    assert (profile.model, profile.max_registers, profile.protocol) == ("M1", 100, "modbus")


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        ("energy_forward = {", "energy_foward = {", "points.energy_foward", "one of the standard names"),
        ('type = "uint32", unit = "kWh"', 'type = "uint23", unit = "kWh"', "points.energy_forward.type", "uint16"),
        ('unit = "kWh", scale', 'unit = "kwh", scale', "points.energy_forward.unit", "one of mWh, Wh, kWh, MWh"),
        ('unit = "W"', 'unit = "kWh"', "points.power.unit", "one of mW, W, kW, MW"),
        ("function = 3", "function = 5", "modbus.function", "an integer 3..4"),
        ("function = 3", 'function = 3\nword_order = "ACBD"', "modbus.word_order", "one of ABCD, CDAB, BADC, DCBA"),
        ("max_registers = 100", "max_registers = 126", "modbus.max_registers", "1..125"),
        ("address = 0x12", "address = 0x11", "points.power.address", "energy_forward takes 16..17"),
        ("address = 0x12", "address = 65535", "points.power.address", "registers up to 65535"),
        ("address = 0x12", "address = 65536", "points.power.address", "an integer 0..65535"),
        ("address = 0x12", 'address = "12"', "points.power.address", "an integer"),
        ("address = 0x12, ", "", "points.power.address", "found nothing"),
        ("address = 0x12, ", "adress = 0x12, address = 0x12, ", "points.power.adress", "an unknown key"),
        ('resolution = "0.1"', 'resolution = "0"', "points.power.resolution", "positive"),
        (', resolution = "0.1"', "", "points.power.resolution", "found nothing"),
        ('resolution = "0.1"', 'resolution = "0.1", missing = 0', "points.power.missing", "no pattern for float32"),
        ('scale = "0.01", multiply', 'scale = "x", multiply', "points.energy_forward.scale", "a decimal number"),
        ('scale = "0.01", multiply', "scale = 0, multiply", "points.energy_forward.scale", "above 0"),
        ('scale = "0.01", multiply', 'scale = "-1", multiply', "points.energy_forward.scale", "above 0"),
        ('scale = "0.01", multiply', 'scale = "0.00000001", multiply', "points.energy_forward.scale", "whole number"),
        ('scale = "0.01", multiply', 'scale = "$pt", multiply', "points.energy_forward.scale", "[parameters] declares"),
        ('multiply = ["ct"]', 'multiply = ["pt"]', "points.energy_forward.multiply", "[parameters] declares"),
        ('multiply = ["ct"]', 'multiply = "ct"', "points.energy_forward.multiply", "a list of texts"),
        ('multiply = ["ct"]', 'resolution = "1"', "points.energy_forward.resolution", "its scale is its resolution"),
        ('multiply = ["ct"]', "missing = -1", "points.energy_forward.missing", "0..4294967295"),
        ('multiply = ["ct"]', 'rollover = "0.015"', "points.energy_forward.rollover", "multiple of the resolution"),
        ('resolution = "0.1"', 'resolution = "0.1", rollover = "1"', "points.power.rollover", "energy and carbon only"),
        ('protocol = "modbus"', 'protocol = "mbus"', "meter.protocol", "found 'mbus'"),
        ('model = "M1"', 'model = ""', "meter.model", "not empty"),
        ('source = "manual 1.0"', "", "meter.source", "found nothing"),
        ("[meter]", "[metre]", "metre", "an unknown key"),
        ("rows = 30", "rows = 30000", "tables.daily_freezes.rows", "registers up to 65535"),
        ("rows = 30", "rows = 0", "tables.daily_freezes.rows", "an integer 1..65535"),
        ("stride = 4", "stride = 3", "tables.daily_freezes.columns.energy_forward.offset", "within the stride"),
        ("offset = 2", "offset = 1", "tables.daily_freezes.columns.energy_forward.offset", "time takes 256..257"),
        ("address = 0x100", "address = 0x0F", "points.energy_forward.address", "daily_freezes takes 15..134"),
        ('selector = "factor_history_day"', 'selector = "day"', "tables.daily_freezes.selector", "profile's writes"),
        (
            "[tables.daily_freezes]",
            "[tables.hourly]\nrows = 1\n[tables.daily_freezes]",
            "tables.hourly",
            "standard names",
        ),
        ("[writes.factor_history_day]", "[writes.relay]", "writes.relay", "one of the standard names"),
        ("function = 6", "function = 5", "writes.factor_history_day.function", "6..16"),
        ("function = 6", "function = 10", "writes.factor_history_day.function", "6 or 16"),
        ("day = { type", "dya = { type", "writes.factor_history_day.fields.day", "found nothing"),
        ('day = { type = "uint16"', 'day = { type = "uint32"', "writes.factor_history_day.function", "16 for several"),
        ("day = { type", "day = { offset = 1, type", "writes.factor_history_day.fields.", "touch each other"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_was_expected(old: str, new: str, key: str, expected: str) -> None:
    found = problems(changed(old, new))
    assert any(f"m1.toml: {key}" in line and expected in line for line in found), found


def test_all_mistakes_are_reported_at_once() -> None:
    text = changed('type = "float32"', 'type = "float"').replace("rows = 30", "rows = -1").replace('"kWh"', '"kW"')
    found = problems(text)
    keys = {line.split(": ")[1] for line in found}
    assert keys >= {
        "points.power.type",
        "tables.daily_freezes.rows",
        "points.energy_forward.unit",
        "tables.daily_freezes.columns.energy_forward.unit",
    }


def test_an_integer_register_rolls_over_at_the_end_of_its_type_unless_told_otherwise() -> None:
    points = built(changed(', scale = "0.01", multiply = ["ct"]', "")).points
    assert points["energy_forward"].rollover == 2**32 * 10**6
    assert points["power"].rollover is None
    stated = built(changed('multiply = ["ct"]', 'multiply = ["ct"], rollover = "1000000"'))
    assert stated.points["energy_forward"].rollover == 40 * 10**12
    longer = 'type = "uint64", unit = "mWh" }'
    wide = built(
        changed('type = "uint32", unit = "kWh", scale = "0.01", multiply = ["ct"] }', longer).replace("0x12", "0x14")
    )
    assert wide.points["energy_forward"].rollover is None  # 2**64 mWh: never
