"""Functions, communication and robustness (T/CIMA 0079.4, 5.7, and what is ours): each item has an expected result."""

from firmware_sim.inspection.bench import Item
from firmware_sim.inspection.functions.catalogue import made
from firmware_sim.inspection.functions.checks import FunctionItem
from firmware_sim.inspection.functions.expectations import Expectations
from firmware_sim.inspection.functions.laboratory import laboratory_items

__all__ = ["Expectations", "FunctionItem", "function_items", "laboratory_items"]


def function_items(expectations: Expectations | None = None) -> list[Item]:
    """Return the items, in the order in which they are best performed.

    The device's clock only goes forward in them, by two years and more where there is a fast way.
    """
    return list(made(expectations or Expectations()))
