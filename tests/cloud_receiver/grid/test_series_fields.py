"""Names and numbers of series: the quick check of a line agrees with that of a measurement."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.grid.model import Element
from cloud_receiver.grid.series_fields import FIELDS, NAMES, TYPES, checked, number, plain_numbers, ranges
from cloud_receiver.grid.snapshot import Charge, Generation, Measurement, value_mistakes
from cloud_receiver.mistakes import Mistake

CASES = [(kind, name) for kinds in TYPES.values() for kind in kinds for name in FIELDS[kind]]
EDGES = [0.0, -0.0, -1e-9, 1.0, 1.0000001, 9.99, 10.0, 10.01, 5.0, -1e9, -1.1e9, 1e9, 1.1e9, 1e12, 1.1e12, -1e12]


def _mistaken(kind: type[Measurement], name: str, value: float) -> bool:
    numbers = {item.name: None for item in fields(kind)}
    if kind is Charge:
        numbers |= {item.name: item.default for item in fields(kind)[2:]}  # type: ignore[dict-item]
    made = kind(**(numbers | {name: value}))  # type: ignore[arg-type]
    return any(found == name for _, found, _ in value_mistakes(made, 9.99))


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_what_the_quick_check_lets_through_is_no_mistake(kind: type[Measurement], name: str) -> None:
    bounds = ranges([name], 9.99)
    for value in EDGES:
        held = plain_numbers([repr(value)], bounds) is not None
        if kind is Charge and name not in {"charge_megawatts", "discharge_megawatts"}:
            assert held or _mistaken(kind, name, value)  # the others are always checked as a whole
        else:
            assert held is not _mistaken(kind, name, value)


@given(st.lists(st.text(max_size=6) | st.floats().map(repr) | st.just(""), max_size=8))
def test_the_quick_way_reads_what_the_careful_way_reads(cells: list[str]) -> None:
    bounds = ranges(["megawatts"] * len(cells), 10)
    quick = plain_numbers(cells, bounds)
    if quick is not None:
        assert [number(cell) for cell in cells] == quick


def test_every_field_has_a_name() -> None:
    for element, kinds in TYPES.items():
        assert {name for kind in kinds for name in FIELDS[kind]} <= set(NAMES[element].values())
    assert NAMES[Element.BRANCH]["from_in"] == NAMES[Element.BRANCH]["p_from_in_mw"] == "from_in_megawatts"
    assert NAMES[Element.GENERATOR]["emission"] == NAMES[Element.GENERATOR]["emission_t_per_h"] == "emission"


def test_what_is_wrong_is_told_and_left_out() -> None:
    told: list[tuple[str, Mistake]] = []

    def tell(name: str, mistake: Mistake, _text: str) -> None:
        told.append((name, mistake))

    assert checked(Generation, [1.0, 0.5, 3.0], tell) == Generation(1.0, 0.5)
    assert checked(Generation, [1e10, None, None], tell) is None
    assert checked(Charge, [1.0, None, None, 0.5, None, None, None], tell) == Charge(1.0, None, 1.0, 0.5)
    assert checked(Charge, [1.0, None, 0.0, None, 1.0, None, 5.0], tell) == Charge(1.0, None, 1.0, 1.0, 1.0)
    assert told == [
        ("emission", Mistake.FORM), ("megawatts", Mistake.NUMBER),
        ("charge_efficiency", Mistake.NUMBER), ("unknown_megawatt_hours", Mistake.NUMBER),
    ]  # fmt: skip
