"""docs/profiles.md: its examples are profiles, its tables name every key, model and point there is."""

import re
import tomllib
from decimal import Decimal
from importlib import resources
from pathlib import Path

import pytest

from profiles import Profile, ProfileError, names
from profiles.loader import parse
from profiles.points import COLUMNS, POINTS, TABLES, UNITS

ZONE = "Asia/Shanghai"
TEXT = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text("utf-8")
SECTIONS = dict(part.split("\n", 1) for part in TEXT.split("\n## ")[1:])
EXAMPLES = {"x100": "Modbus", "y200": "DL/T 645-2007", "z300": "DL/T 698.45-2017"}


def example(name: str) -> str:
    (text,) = re.findall(r"```toml\n(.*?)```", SECTIONS[EXAMPLES[name]], flags=re.DOTALL)
    return str(text)


def profile(name: str, **parameters: int) -> Profile:
    return parse(example(name), f"{name}.toml", name, parameters)


def problems(text: str) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        parse(text, "x100.toml", "x100")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_profile_that_can_be_read_row_by_row(name: str) -> None:
    found = profile(name)
    assert "energy_forward" in found.points
    blocks = found.plan(found.points.values(), ZONE)
    assert sorted(point.name for block in blocks for point in block.points) == sorted(found.points)
    for table in found.tables:
        assert found.plan_row(table, 1, ZONE)


def test_what_an_example_writes_can_be_written() -> None:
    slot = 1_782_835_200_000  # 2026-07-01 00:00
    assert profile("x100").command("factor", {"time": slot, "carbon_factor": 581_000}, ZONE).name == "factor"
    for name in ("y200", "z300"):
        assert profile(name).command("clock", {"time": slot + 300_000}, ZONE).name == "clock"
    factors = {f"carbon_factor_{number}": 581_000 for number in range(1, 97)}
    assert profile("z300").command("factor_day", {"time": slot, **factors}, ZONE).name == "factor_day"


def test_a_parameter_of_an_example_multiplies_what_it_names() -> None:
    for name in ("x100", "y200"):
        one, forty = profile(name), profile(name, ct=40)
        assert forty.points["energy_forward"].scale == 40 * one.points["energy_forward"].scale
        assert forty.points["voltage_a"].scale == one.points["voltage_a"].scale


def test_the_plans_are_as_short_as_the_text_says() -> None:
    assert [len(block.points) for block in profile("x100").plan(profile("x100").points.values(), ZONE)] == [3]
    meter = profile("y200")
    wanted = [meter.points[name] for name in ("energy_forward", "energy_forward_t1", "voltage_a")]
    assert [len(block.points) for block in meter.plan(wanted, ZONE)] == [2, 1]  # an FF block, and one alone
    assert len(profile("z300").plan(profile("z300").points.values(), ZONE)) == 1  # one GetRequestNormalList


def test_the_messages_of_the_text_are_the_real_ones() -> None:
    wrong = example("x100").replace('unit = "W"', 'unit = "kWh"').replace("0x0110", "0x0101")
    found = problems(wrong.replace(', default = "1"', ""))
    assert len(found) == 3
    for line in found:
        assert line in TEXT


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("x100", "[meter]"),
        ("x100", "[modbus]"),
        ("x100", "[tables.daily_freezes]"),
        ("x100", "[writes.factor]"),
        ("y200", "[dlt645]"),
        ("y200", "[tables.daily_freezes]"),
        ("y200", "[tables.monthly_freezes]"),
        ("y200", "[writes.clock]"),
        ("z300", "[dlt698]"),
        ("z300", "[tables.daily_freezes]"),
        ("z300", "[writes.clock]"),
        ("z300", "[writes.factor]"),
    ],
)
def test_every_key_of_a_table_is_explained(name: str, table: str) -> None:
    # An unknown key is answered with the known ones.
    (line,) = [line for line in problems(example(name).replace(table, f"{table}\nzzz = 1")) if "zzz" in line]
    section = SECTIONS["Writing one"] + SECTIONS[EXAMPLES[name]]
    known = line.split("known keys ")[1].split(", found")[0].split(", ")
    assert known
    assert [key for key in known if f"`{key}`" not in section] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_key_of_a_point_is_explained(name: str) -> None:
    document = tomllib.loads(example(name))
    section = SECTIONS["Writing one"] + SECTIONS[EXAMPLES[name]]
    for key in document["points"]:
        changed = re.sub(rf"^({key}\s*= {{)", r"\1 zzz = 1,", example(name), count=1, flags=re.MULTILINE)
        (line,) = [line for line in problems(changed) if "zzz" in line]
        known = line.split("known keys ")[1].split(", found")[0].split(", ")
        assert [found for found in known if f"`{found}`" not in section] == []


def test_every_model_is_listed_with_its_parameters() -> None:
    listed = dict(re.findall(r"^\| `([\w-]+)` \| .* \| (.*) \|$", TEXT.split("\n## ")[0], flags=re.MULTILINE))
    rows = re.findall(r"^\| `([\w-]+)` \| ", TEXT.split("\n## ")[0], flags=re.MULTILINE)
    assert sorted(rows) == names()
    for name in names():
        text = (resources.files("profiles") / "models" / f"{name}.toml").read_text("utf-8")
        parameters = tomllib.loads(text, parse_float=Decimal).get("parameters", {})
        shown = listed.get(name, "")
        assert set(re.findall(r"`(\w+)`", shown)) == set(parameters), name
        for key, item in parameters.items():
            if "default" in item:
                assert f"`{key}` ({item['default']})" in shown
            else:
                assert "required" in shown


def test_every_point_unit_column_and_table_is_named() -> None:
    rows = SECTIONS["Writing one"]
    for name in POINTS:
        base = re.sub(r"_(?:[abc]|t[1-4]|q[1-4]|[1-7])$", "", name)
        assert f"`{base}`" in rows or f"`{name}`" in rows or f"`{base}_" in rows, name
    for quantity, units in UNITS.items():
        assert quantity.value in rows or quantity.name == "POWER_FACTOR"
        if quantity.name in ("ENERGY", "REACTIVE_ENERGY", "CARBON", "FACTOR", "POWER", "TIME", "TEMPERATURE"):
            assert " ".join(units) in rows, quantity
    for name in (*COLUMNS, *TABLES):
        assert f"`{name}`" in rows, name
