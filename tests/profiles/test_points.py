"""The vocabulary: names, quantities and units that hang together."""

import re
from fractions import Fraction

import pytest

from profiles.points import COLUMNS, CUMULATIVE, POINTS, UNITS, WRITES, Quantity


def test_every_quantity_has_units_and_its_canonical_one_is_worth_1() -> None:
    assert set(UNITS) == set(Quantity)
    for quantity, units in UNITS.items():
        # Decimal fractions are not units that a maker writes.
        if quantity not in (Quantity.POWER_FACTOR, Quantity.AMOUNT, Quantity.PRICE):
            assert units[quantity.value] == 1


def test_cumulative_quantities_are_those_that_are_billed() -> None:
    assert {quantity.name for quantity in CUMULATIVE} == {"ENERGY", "REACTIVE_ENERGY", "CARBON"}


@pytest.mark.parametrize(
    ("name", "quantity", "chinese"),
    [
        ("energy_forward_t1", Quantity.ENERGY, "正向有功电能（尖）"),
        ("energy_forward_t2", Quantity.ENERGY, "正向有功电能（峰）"),
        ("energy_reverse_t3", Quantity.ENERGY, "反向有功电能（平）"),
        ("energy_reverse_t4", Quantity.ENERGY, "反向有功电能（谷）"),
        ("energy_forward_b", Quantity.ENERGY, "B相正向有功电能"),
        ("energy_reverse_c", Quantity.ENERGY, "C相反向有功电能"),
        ("reactive_energy_q4", Quantity.REACTIVE_ENERGY, "第四象限无功电能"),
        ("demand_forward", Quantity.POWER, "正向有功最大需量"),
        ("demand_reverse_time", Quantity.TIME, "反向有功最大需量发生时间"),
        ("neutral_current", Quantity.CURRENT, "零线电流"),
        ("temperature", Quantity.TEMPERATURE, "表内温度"),
        ("communication_address", Quantity.NUMBER, "通信地址"),
        ("status_7", Quantity.NUMBER, "运行状态字7"),
    ],
)
def test_a_name_has_one_sense(name: str, quantity: Quantity, chinese: str) -> None:
    assert (POINTS[name].quantity, POINTS[name].chinese) == (quantity, chinese)


def test_names_are_plain_and_terms_are_used_once() -> None:
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in POINTS)
    terms = [point.chinese for point in POINTS.values()]
    assert len(set(terms)) == len(terms)


def test_columns_and_fields_of_a_points_name_have_its_sense() -> None:
    for name, item in [*COLUMNS.items(), *(field for fields in WRITES.values() for field in fields.items())]:
        if name in POINTS:
            assert item == POINTS[name]


def test_temperature_has_no_offset_between_its_units() -> None:
    assert UNITS[Quantity.TEMPERATURE] == {"m°C": Fraction(1), "°C": Fraction(1000)}
