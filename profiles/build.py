"""What the parts of a profile have in common, whatever the protocol: named entries, units, scales and rollovers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from profiles.model import Point
from profiles.points import CUMULATIVE, UNITS, Quantity
from profiles.reader import Section

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Head:
    """What [meter] says besides the protocol."""

    name: str
    model: str
    manufacturer: str
    source: str


def named(section: Section, known: Mapping[str, object], build: Callable[[Section, str], _T | None]) -> dict[str, _T]:
    """Return what `build` makes of each entry of a table; a name that is not among the known ones is a mistake."""
    built = {}
    for name in section.names():
        if name not in known:
            section.wrong(name, "one of the standard names " + ", ".join(known), "an unknown name")
            continue
        item = section.section(name)
        value = build(item, name)
        if isinstance(value, Point) and item.has("unit"):
            value = replace(value, own_unit=item.text("unit"))
        item.close()
        if value is not None:
            built[name] = value
    return built


def read_worth(item: Section, quantity: Quantity) -> Fraction | None:
    """Return the canonical units in one of the profile's units, times the transformer ratios that apply."""
    unit = item.choice("unit", dict.fromkeys(UNITS[quantity]))
    found = UNITS[quantity][unit] if unit else None
    for parameter in item.texts("multiply") if item.has("multiply") else []:
        if parameter not in item.parameters:
            item.wrong("multiply", "names that [parameters] declares", parameter)
        elif item.parameters[parameter] == 0:
            item.wrong("multiply", "parameters other than 0", parameter)
        elif found is not None:
            found *= Fraction(item.parameters[parameter])
    return found


def read_scale(item: Section, quantity: Quantity, worth: Fraction | None, *, exact: bool) -> Fraction | None:
    """Return the worth of the raw number 1 in canonical units; `exact` demands a whole number of them."""
    scale = item.number("scale", "1")
    if scale is None or worth is None:
        return None
    if scale == 0 or (scale < 0 and quantity in CUMULATIVE):
        item.wrong("scale", "a number above 0" if quantity in CUMULATIVE else "a number other than 0", str(scale))
        return None
    scale *= worth
    if exact and scale.denominator != 1:
        item.wrong("scale", f"a whole number of {quantity.value} after multiplication", f"{scale} {quantity.value}")
        return None
    return scale


def read_resolution(item: Section, quantity: Quantity, worth: Fraction | None) -> int | None:
    """Return the step to which a number finer than the canonical unit is rounded, in canonical units."""
    value = item.number("resolution")
    if value is None or worth is None:
        return None
    value *= worth
    if value <= 0 or value.denominator != 1:
        item.wrong("resolution", f"a positive whole number of {quantity.value}", str(value))
        return None
    return int(value)


def read_rollover(item: Section, quantity: Quantity, worth: Fraction | None, resolution: int | None) -> int | None:
    """Return where a cumulative register starts again, in canonical units; `worth` is what `read_worth` returned."""
    value = item.number("rollover")
    if quantity not in CUMULATIVE:
        item.wrong("rollover", "a rollover for energy and carbon only", f"one for {quantity.name.lower()}")
        return None
    if value is None or worth is None or resolution is None:
        return None
    value *= worth
    if value <= 0 or value % resolution:
        item.wrong("rollover", "a positive multiple of the resolution", str(value))
        return None
    return int(value)
