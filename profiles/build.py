"""What the parts of a profile have in common, whatever the protocol: named entries, and what numbers are worth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Protocol, TypeVar

from profiles.model import Point
from profiles.points import CUMULATIVE, UNITS, Quantity
from profiles.reader import Section

_T = TypeVar("_T")

_BITS: Final = 1 << 63
# The end of a type beyond these is never reached: 9.2 million GWh; 9.2 Mt of carbon, 64 bits of µg as it is recorded.
# A plant alone gets further: its profile, or the gateway's configuration, says where its register ends.
_NEVER: Final = {Quantity.ENERGY: _BITS - 1, Quantity.REACTIVE_ENERGY: _BITS - 1, Quantity.CARBON: 1000 * _BITS}
# What an end may be at most: energies are counted in mWh, the emission of a plant (排放量) in mg up to 2 Gt.
_MOST: Final = {**_NEVER, Quantity.CARBON: 2 * 10**24}
_RAW: Final = (-(1 << 63), (1 << 64) - 1)


@dataclass(frozen=True, slots=True)
class Head:
    """What [meter] says besides the protocol."""

    name: str
    model: str
    manufacturer: str
    source: str


class NumberType(Protocol):
    """How a number stands in a protocol's octets."""

    @property
    def value(self) -> str:
        """The name that profiles use."""

    @property
    def is_integer(self) -> bool:
        """Whether it is a plain number of fixed width."""

    @property
    def is_float(self) -> bool:
        """Whether it is a binary floating-point number."""

    @property
    def least(self) -> int:
        """The least number of an integer type."""

    @property
    def greatest(self) -> int:
        """The greatest number of an integer type."""


@dataclass(frozen=True, slots=True)
class NumberFacts:
    """What a raw number is worth, in canonical units (see `profiles.model.Point`)."""

    scale: Fraction
    resolution: int
    missing: int | None
    rollover: int | None


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


def read_number(item: Section, quantity: Quantity, kind: NumberType | None) -> NumberFacts | None:
    """Read what a number of a type is worth, where it starts again and what stands for no value.

    None after a mistake, which is noted; so is that there is no type (None), by whoever did not find it.
    """
    worth = read_worth(item, quantity)
    scale = read_scale(item, quantity, worth, exact=kind is not None and not kind.is_float)
    resolution = _resolution(item, quantity, worth, scale, kind)
    missing = _missing(item, kind)
    rollover = None
    if item.has("rollover"):
        rollover = read_rollover(item, quantity, worth, resolution)
    elif scale is not None and kind is not None and kind.is_integer:
        rollover = end_of_type(quantity, scale, kind.greatest)
    return None if scale is None or resolution is None else NumberFacts(scale, resolution, missing, rollover)


def _resolution(
    item: Section, quantity: Quantity, worth: Fraction | None, scale: Fraction | None, kind: NumberType | None
) -> int | None:
    if kind is not None and kind.is_float:
        return read_resolution(item, quantity, worth)
    if item.has("resolution"):
        item.number("resolution")
        if kind is not None:
            item.wrong("resolution", f"no resolution for {kind.value}: its scale is its resolution", "a resolution")
    return None if kind is None or scale is None else abs(int(scale))


def _missing(item: Section, kind: NumberType | None) -> int | None:
    if not item.has("missing"):
        return None
    if kind is not None and not kind.is_integer:
        item.wrong("missing", f"no pattern for {kind.value}: only an integer needs one", "a pattern")
    low, high = (kind.least, kind.greatest) if kind is not None and kind.is_integer else _RAW
    return item.integer("missing", low, high)


def end_of_type(quantity: Quantity, scale: Fraction, greatest: int) -> int | None:
    """Return where a cumulative register starts again for want of digits, in canonical units, if it gets there."""
    if quantity not in CUMULATIVE:
        return None
    end = int((greatest + 1) * scale)
    return end if end < _NEVER[quantity] else None


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
    if value <= 0 or value % resolution or value > _MOST[quantity]:
        expected = f"a positive multiple of the resolution, up to {_MOST[quantity]} {quantity.value}"
        item.wrong("rollover", expected, str(value))
        return None
    return int(value)
