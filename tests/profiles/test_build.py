"""What a number is worth, whatever the protocol: its step, its end, and its mistakes."""

from fractions import Fraction

import pytest

from profiles.build import NumberFacts, NumberType, read_number
from profiles.dlt698.model import DataType
from profiles.modbus.model import Encoding
from profiles.points import Quantity
from profiles.reader import Problems, Section

UNIT = {Quantity.ENERGY: "mWh", Quantity.POWER: "mW"}


def read(kind: NumberType | None, quantity: Quantity, **keys: object) -> tuple[NumberFacts | None, list[str]]:
    """Return what is read of a point with these keys, and the mistakes in it, unknown keys among them."""
    problems = Problems("m.toml")
    item = Section(problems, "point", keys, {})
    found = read_number(item, quantity, kind)
    item.close()
    return found, [f"{problem.key}: {problem.expected}" for problem in problems.found]


@pytest.mark.parametrize(
    ("kind", "quantity", "keys", "expected"),
    [
        (
            Encoding.UINT32,
            Quantity.ENERGY,
            {"unit": "kWh", "scale": "0.01"},
            NumberFacts(Fraction(10_000), 10_000, None, 10_000 << 32),
        ),
        (
            DataType.DOUBLE_LONG_UNSIGNED,
            Quantity.CARBON,
            {"unit": "kg", "scale": "0.01"},
            NumberFacts(Fraction(10**10), 10**10, None, 10**10 << 32),  # 42949672.96 kg: a plant gets there
        ),
        (
            Encoding.UINT64,
            Quantity.CARBON,
            {"unit": "ug"},
            NumberFacts(Fraction(1_000), 1_000, None, None),
        ),
        (
            Encoding.UINT32,
            Quantity.ENERGY,
            {"unit": "kWh", "rollover": "1000000", "missing": 0xFFFF_FFFF},
            NumberFacts(Fraction(10**6), 10**6, 0xFFFF_FFFF, 10**12),
        ),
        (
            DataType.LONG,
            Quantity.POWER,
            {"unit": "W", "scale": "-1", "missing": -32768},
            NumberFacts(Fraction(-1_000), 1_000, -32768, None),
        ),
        (
            Encoding.FLOAT32,
            Quantity.ENERGY,
            {"unit": "kWh", "resolution": "0.01"},
            NumberFacts(Fraction(10**6), 10_000, None, None),
        ),
        (
            DataType.OCTET_STRING,
            Quantity.ENERGY,
            {"unit": "kWh"},
            NumberFacts(Fraction(10**6), 10**6, None, None),
        ),
    ],
    ids=str,
)
def test_what_a_number_is_worth(
    kind: NumberType, quantity: Quantity, keys: dict[str, object], expected: NumberFacts
) -> None:
    assert read(kind, quantity, **keys) == (expected, [])


@pytest.mark.parametrize("quantity", [Quantity.ENERGY, Quantity.POWER])
def test_where_there_is_no_type_no_other_mistake_is_told(quantity: Quantity) -> None:
    """A scale finer than the unit, too: with a type it would be one."""
    keys: dict[str, object] = {"unit": UNIT[quantity], "scale": "0.5", "resolution": "1", "missing": -1}
    if quantity is Quantity.ENERGY:
        keys["rollover"] = "100"
    assert read(None, quantity, **keys) == (None, [])


@pytest.mark.parametrize(
    ("kind", "keys", "expected"),
    [
        (
            Encoding.UINT32,
            {"rollover": str(1 << 63)},
            "point.rollover: a positive multiple of the resolution, up to 9",
        ),
        (Encoding.UINT32, {"rollover": "0"}, "point.rollover: a positive multiple of the resolution"),
        (Encoding.UINT32, {"scale": "0.5"}, "point.scale: a whole number of mWh"),
        (Encoding.UINT32, {"resolution": "1"}, "point.resolution: no resolution for uint32"),
        (DataType.UNSIGNED, {"resolution": "1"}, "point.resolution: no resolution for unsigned"),
        (Encoding.UINT16, {"missing": 65536}, "point.missing: an integer 0..65535"),
        (Encoding.FLOAT64, {"resolution": "1", "missing": 0}, "point.missing: no pattern for float64"),
        (DataType.BIT_STRING, {"missing": 0}, "point.missing: no pattern for bit_string"),
    ],
)
def test_a_mistake_is_named_once(kind: NumberType, keys: dict[str, object], expected: str) -> None:
    _, problems = read(kind, Quantity.ENERGY, unit="mWh", **keys)
    assert [problem.startswith(expected) for problem in problems] == [True], problems


@pytest.mark.parametrize(
    ("quantity", "unit", "end", "expected"),
    [(Quantity.ENERGY, "mWh", (1 << 63) - 1, (1 << 63) - 1), (Quantity.CARBON, "t", 2 * 10**9, 2 * 10**24)],
)
def test_a_register_may_start_again_as_late_as_a_gateway_counts(
    quantity: Quantity, unit: str, end: int, expected: int
) -> None:
    found, problems = read(Encoding.UINT64, quantity, unit=unit, rollover=str(end))
    assert problems == []
    assert found is not None
    assert found.rollover == expected
    _, problems = read(Encoding.UINT64, quantity, unit=unit, rollover=str(end + 1))
    assert [problem.partition(":")[0] for problem in problems] == ["point.rollover"]
