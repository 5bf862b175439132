"""Every item of an inspection, in the order of the report; and what needs a laboratory."""

from firmware_sim.inspection.bench import Item
from firmware_sim.inspection.functions import Expectations, function_items, laboratory_items
from firmware_sim.inspection.metering.carbon import DynamicFactor, FixedFactor
from firmware_sim.inspection.metering.clock import DailyClock
from firmware_sim.inspection.metering.electricity import Electricity, Repeatability
from firmware_sim.inspection.metering.limits_of_load import Constant, NoLoad, Starting
from firmware_sim.inspection.metering.reverse import Reverse
from firmware_sim.inspection.result import ItemInfo


def items(kind: str, expectations: Expectations | None = None) -> list[Item]:
    """Return the items of a `factory` or `type` inspection, for a device of which this is expected (None: defaults)."""
    every: list[Item] = [
        Starting(),
        NoLoad(),
        Constant(),
        Electricity(),
        Repeatability(),
        DailyClock(),
        FixedFactor(),
        DynamicFactor(),
        Reverse(),
        *function_items(expectations),
    ]
    return [item for item in every if (item.info.factory if kind == "factory" else item.info.type_test)]


def laboratory(kind: str) -> list[ItemInfo]:
    """Return the items that this bench can't perform, for the report."""
    return [info for info in laboratory_items() if (info.factory if kind == "factory" else info.type_test)]
