"""Loading: the shipped profiles match the register maps, and every kind of mistake is named with file and key."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from profiles import ProfileError, load, names
from profiles.loader import parse
from profiles.modbus.model import Encoding, WordOrder
from profiles.points import POINTS, Quantity

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


def problems(text: str, parameters: dict[str, Decimal | int | str] | None = None) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        parse(text, "m1.toml", "m1", {"ct": 40} if parameters is None else parameters)
    assert all(problem.file == "m1.toml" for problem in caught.value.problems)
    assert str(caught.value) == "\n".join(str(problem) for problem in caught.value.problems)
    return [str(problem) for problem in caught.value.problems]


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) >= 1, old
    return GOOD.replace(old, new, 1)


def test_a_good_profile_has_exact_scales_in_canonical_units() -> None:
    profile = parse(GOOD, "m1.toml", "m1", {"ct": 40})
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
        ('resolution = "0.1"', 'resolution = "0.1", missing = 0', "points.power.missing", "no pattern for a float"),
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
        ('protocol = "modbus"', 'protocol = "mbus"', "meter.protocol", "one of modbus"),
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


def test_a_name_declared_twice_is_no_valid_file() -> None:
    (line,) = problems(GOOD.replace("power = {", "energy_forward = {"))
    assert "declared once" in line
    assert "energy_forward" in line or "line" in line


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "parameters.ct: expected a value given with the meter: current transformer ratio"),
        ({"ct": "forty"}, "parameters.ct: expected an exact number"),
        ({"ct": True}, "parameters.ct: expected an exact number as parameter, found bool True"),
        ({"ct": 0.1}, "parameters.ct: expected an exact number as parameter, found float 0.1"),
        ({"ct": 40, "pt": 1}, "parameters.pt: expected one of the profile's parameters: ct"),
    ],
)
def test_parameters_are_checked(parameters: dict[str, Any], expected: str) -> None:
    assert any(expected in line for line in problems(GOOD, parameters))


def test_a_parameter_out_of_its_range_is_named() -> None:
    with pytest.raises(ProfileError, match=r"parameters\.ct: expected a parameter of 1\.\.10000, found '?0"):
        load("acrel-adl3000-e", {"pt": 1, "ct": 0})


@pytest.mark.parametrize("number", ["1e999999999", "1e-999999999", "0e999999999", "0." + "3" * 60])
def test_a_number_that_no_meter_has_is_refused_without_computing_with_it(number: str) -> None:
    with pytest.raises(ProfileError, match=r"parameters.ct: expected an exact number as parameter, found"):
        parse(GOOD, "m.toml", "m", {"ct": number})
    with pytest.raises(ProfileError, match=r"points.energy_forward.scale: expected a decimal number as text"):
        parse(changed('scale = "0.01"', f'scale = "{number}"'), "m.toml", "m", {"ct": 40})


def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(ProfileError, match="expected at most 1048576 bytes, found more"):
        load("/dev/zero")


def test_a_ratio_that_leaves_no_whole_canonical_unit_is_refused() -> None:
    with pytest.raises(ProfileError, match="a whole number of mWh"):
        parse(GOOD, "m1.toml", "m1", {"ct": "1.00001"})


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ProfileError, match="eastron-sdm630"):
        load("sdm630")


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "a readable file"), (b"\xff\xfe", "UTF-8"), (b"[meter\n", "valid TOML"), (b"#" * (1 << 20 | 1), "at most")],
)
def test_a_file_that_is_no_profile_is_named(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ProfileError, match=expected) as caught:
        load(str(path))
    assert caught.value.problems[0].file == str(path)


def test_a_profile_from_a_file_is_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert load(str(path), {"ct": 1}).name == "mine"


def test_the_shipped_profiles_are_the_ones_the_readme_names() -> None:
    assert names() == ["acrel-adl3000-e", "chint-dtsu666", "eastron-sdm630", "sim-carbon-meter"]


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
    ],
)
def test_the_real_meters_have_their_published_registers(
    name: str, point: str, registers: tuple[int, int, Encoding, int]
) -> None:
    found = load(name, {"pt": 1, "ct": 40} if name == "acrel-adl3000-e" else {}).points[point]
    assert (found.function, found.address, found.encoding, found.scale) == registers
    assert found.word_order is WordOrder.ABCD
    assert found.quantity is POINTS[point].quantity


def test_transformer_ratios_scale_energy_exactly() -> None:
    profile = load("acrel-adl3000-e", {"pt": Decimal("2.5"), "ct": 40})
    assert profile.points["energy_forward"].scale == Fraction(10_000 * 100)
    assert profile.points["voltage_a"].scale == 250
    assert profile.points["power_factor"].scale == 1000
    assert profile.points["power_factor"].quantity is Quantity.POWER_FACTOR


def test_an_integer_register_rolls_over_at_the_end_of_its_type_unless_told_otherwise() -> None:
    assert load("acrel-adl3000-e", {"pt": 1, "ct": 1}).points["energy_forward"].rollover == 2**32 * 10_000
    assert load("sim-carbon-meter").points["energy_forward"].rollover is None  # 2**64 mWh: never
    assert load("eastron-sdm630").points["energy_forward"].rollover is None
    stated = parse(changed('multiply = ["ct"]', 'multiply = ["ct"], rollover = "1000000"'), "m", "m", {"ct": 40})
    assert stated.points["energy_forward"].rollover == 40 * 10**12
    assert stated.points["power"].rollover is None


def test_meters_of_one_model_share_one_profile_that_nobody_can_change() -> None:
    one, same, other = (load("acrel-adl3000-e", {"pt": 1, "ct": ct}) for ct in (40, 40, 50))
    assert one is same
    assert one.points["energy_forward"].scale != other.points["energy_forward"].scale
    with pytest.raises(TypeError):
        one.points["energy_forward"] = other.points["energy_forward"]  # type: ignore[index]  # that is what is tested


def test_the_carbon_meter_has_what_the_standard_asks_it_to_keep() -> None:
    profile = load("sim-carbon-meter")
    assert {name: table.rows for name, table in profile.tables.items()} == {
        "daily_freezes": 30,
        "monthly_freezes": 12,
        "daily_carbon": 365,
        "factor_history": 96,
    }
    assert set(profile.writes) == {"factor", "clock", "factor_history_day"}
    assert {"carbon_forward", "carbon_reverse", "carbon_factor", "carbon_forward_previous_day"} <= set(profile.points)


def test_the_example_of_the_documentation_is_a_profile() -> None:
    text = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text("utf-8")
    blocks = [part.split("```")[0] for part in text.split("```toml\n")[1:]]
    profile = parse("\n".join(blocks), "x100.toml", "x100", {"ct": 40})
    assert set(profile.points) == {"energy_forward", "voltage_a", "power"}
    assert profile.tables["daily_freezes"].rows == 30
    assert profile.writes["factor"].count == 4
    wrong = blocks[0].replace('unit = "W"', 'unit = "kWh"').replace("0x0110", "0x0101")
    with pytest.raises(ProfileError) as caught:
        parse(wrong.replace(', default = "1"', ""), "x100.toml", "x100")
    for problem in caught.value.problems:
        assert str(problem).split(" (")[0] in text
