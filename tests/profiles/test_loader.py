"""Loading: files, parameters and the shape of the document; every mistake is named with file and key."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from profiles import ProfileError, load
from profiles.loader import parse

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


def test_a_parameter_that_multiplies_can_not_be_0() -> None:
    (line,) = problems(GOOD, {"ct": 0})
    assert line == "m1.toml: points.energy_forward.multiply: expected parameters other than 0, found ct"


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


def test_meters_of_one_model_share_one_profile_that_nobody_can_change() -> None:
    one, same, other = (load("acrel-adl3000-e", {"pt": 1, "ct": ct}) for ct in (40, 40, 50))
    assert one is same
    assert one.points["energy_forward"].scale != other.points["energy_forward"].scale
    with pytest.raises(TypeError):
        one.points["energy_forward"] = other.points["energy_forward"]  # type: ignore[index]  # that is what is tested
