"""Chargers that meter their output (直流侧计量): what they lose lies between the grid side and their orders."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sales_support import order
from window_support import CHARGERS, GRID, context, rows, window

from cloud_receiver.checks.model import STATION, Kind
from cloud_receiver.sales import order_rules, sums_rules

SLOTS = range(40, 80)


def found(efficiency: float, *, dc_output: bool = True, told: float = 200) -> set[tuple[Kind, int]]:
    station = context()
    chargers = {
        number: station.meters[number].model_copy(update={"dc_output": dc_output, "dc_efficiency_percent": Decimal(95)})
        for number in CHARGERS
    }
    station = replace(station, meters={**station.meters, **chargers})
    output = rows(dict.fromkeys(SLOTS, 5), 96)
    grid = rows(dict.fromkeys(SLOTS, 5 * len(CHARGERS) / efficiency), 96)
    orders = {number: [order("a", 10, 10, told, connector=str(number))] for number in CHARGERS}
    at = window(orders, {**dict.fromkeys(CHARGERS, output), GRID: grid}, station)
    items = [item for rule in (*order_rules.RULES, sums_rules.unsold) for item in rule(at)]
    items += [*sums_rules.chargers(at, Kind.SOLD_DAY), *sums_rules.station(at, Kind.SOLD_DAY)]
    return {(item.kind, item.meter) for item in items if item.kind is not Kind.ORDER_DUPLICATE}


@pytest.mark.parametrize("efficiency", [0.93, 0.95, 0.97])
def test_what_is_lost_in_conversion_accuses_nobody(efficiency: float) -> None:
    assert found(efficiency) == set()


def test_a_charger_that_meters_its_input_has_no_such_loss() -> None:
    assert found(0.95, dc_output=False) == {(Kind.SOLD_DAY, STATION)}


def test_half_of_the_energy_unsold_is_found_all_the_same() -> None:
    assert (Kind.SOLD_DAY, STATION) in found(0.95, told=150)
