"""Typed access to a document: every mistake is noted with its key, and none is lost behind another."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

import pytest

from profiles.reader import Problems, Section


def section(**content: object) -> Section:
    return Section(Problems("f.toml"), "points.power", content, {"ct": Decimal("2.5")})


def found(item: Section) -> list[str]:
    return [str(problem) for problem in item.problems.found]


@pytest.mark.parametrize(
    ("content", "read", "expected"),
    [
        ({}, lambda s: s.text("unit"), "unit: expected a text, found nothing"),
        ({"unit": 5}, lambda s: s.text("unit"), "unit: expected a text that is not empty, found 5"),
        ({"unit": "  "}, lambda s: s.text("unit"), "unit: expected a text that is not empty, found '  '"),
        ({"unit": "x"}, lambda s: s.choice("unit", ["W", "kW"]), "unit: expected one of W, kW, found 'x'"),
        ({"unit": ["W"]}, lambda s: s.choice("unit", ["W"]), "unit: expected one of W, found ['W']"),
        ({"rows": 0}, lambda s: s.integer("rows", 1, 9), "rows: expected an integer 1..9, found 0"),
        ({"rows": True}, lambda s: s.integer("rows", 0, 9), "rows: expected an integer 0..9, found True"),
        ({"rows": "3"}, lambda s: s.integer("rows", 0, 9), "rows: expected an integer 0..9, found '3'"),
        ({"scale": 0.1}, lambda s: s.number("scale"), "scale: expected a decimal number as text"),
        ({"scale": "$pt"}, lambda s: s.number("scale"), "scale: expected a parameter that [parameters] declares"),
        ({"multiply": "ct"}, lambda s: s.texts("multiply"), "multiply: expected a list of texts, found 'ct'"),
        ({"multiply": [1]}, lambda s: s.texts("multiply"), "multiply: expected a list of texts, found [1]"),
        ({"fields": 1}, lambda s: s.section("fields"), "fields: expected a table, found 1"),
        ({}, lambda s: s.section("fields", required=True), "fields: expected a table, found nothing"),
        ({"unti": "W"}, lambda s: s.close(), "unti: expected one of the known keys , found an unknown key"),
    ],
)
def test_a_mistake_is_noted_with_file_and_key(
    content: Mapping[str, object], read: Callable[[Section], object], expected: str
) -> None:
    item = section(**content)
    read(item)
    (line,) = found(item)
    assert line.startswith(f"f.toml: points.power.{expected}")


def test_what_is_right_is_returned_and_nothing_noted() -> None:
    inner = {"day": {}}
    item = section(unit="W", rows=3, scale="0.01", worth="$ct", multiply=["ct"], fields=inner)
    assert (item.text("unit"), item.choice("unit", {"W": 1}), item.integer("rows", 1, 3)) == ("W", "W", 3)
    assert (item.number("scale"), item.number("worth")) == (Fraction(1, 100), Fraction(5, 2))
    assert item.texts("multiply") == ["ct"]
    assert list(item.section("fields").names()) == ["day"]
    assert item.section("fields").section("day").key("type") == "points.power.fields.day.type"
    item.close()
    assert found(item) == []


def test_a_default_stands_for_what_is_absent_and_for_nothing_wrong() -> None:
    item = section(order=7)
    assert (item.text("a", "x"), item.choice("b", ["x"], "x"), item.integer("c", 0, 9, 4)) == ("x", "x", 4)
    assert (item.number("d", "0.5"), item.texts("e")) == (Fraction(1, 2), [])
    assert found(item) == []
    assert item.choice("order", ["x"], "x") is None
    assert len(found(item)) == 1


def test_unknown_keys_are_told_beside_the_known_ones() -> None:
    item = section(unit="W", unti="W", scal="1")
    item.text("unit")
    item.number("scale", "1")
    item.close()
    assert [line.split(", found")[0] for line in found(item)] == [
        "f.toml: points.power.unti: expected one of the known keys scale, unit",
        "f.toml: points.power.scal: expected one of the known keys scale, unit",
    ]
