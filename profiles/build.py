"""The parts of a profile, built from the tables of its document: points, tables and writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeVar

from profiles.model import Encoding, Point, Table, WordOrder, Write
from profiles.points import COLUMNS, CUMULATIVE, POINTS, TABLES, UNITS, WRITES, Quantity, StandardPoint
from profiles.reader import Section

_LAST_ADDRESS: Final = 65535
_ENCODINGS: Final = {encoding.value: encoding for encoding in Encoding}
_WORD_ORDERS: Final = {order.value: order for order in WordOrder}
READ_FUNCTIONS: Final = {"3": 3, "4": 4}
_SINGLE, _MULTIPLE = 6, 16
_NEVER: Final = 1 << 63
_MAX_WRITE: Final = 123  # Modbus application protocol 1.1b3, 6.12

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the [modbus] section says for every point that does not say otherwise."""

    function: int
    word_order: str
    max_registers: int


def build_points(section: Section, defaults: Defaults) -> dict[str, Point]:
    """Return the points of [points]."""
    return _named(section, POINTS, lambda item, name: _point(item, name, POINTS[name], defaults))


def build_tables(section: Section, defaults: Defaults) -> dict[str, Table]:
    """Return the tables of [tables]."""
    return _named(section, TABLES, lambda item, name: _table(item, name, defaults))


def build_writes(section: Section, defaults: Defaults) -> dict[str, Write]:
    """Return the writes of [writes]."""
    return _named(section, WRITES, lambda item, name: _write(item, name, defaults))


def _named(section: Section, known: Mapping[str, object], build: Callable[[Section, str], _T | None]) -> dict[str, _T]:
    built = {}
    for name in section.names():
        if name not in known:
            section.wrong(name, "one of the standard names " + ", ".join(known), "an unknown name")
            continue
        item = section.section(name)
        value = build(item, name)
        item.close()
        if value is not None:
            built[name] = value
    return built


def read_function(section: Section, default: int) -> int:
    """Return the function code of reads: 3 (holding registers) or 4 (input registers)."""
    value = section.integer("function", min(READ_FUNCTIONS.values()), max(READ_FUNCTIONS.values()), default)
    return default if value is None else value


def _point(item: Section, name: str, standard: StandardPoint, defaults: Defaults) -> Point | None:
    address = item.integer("address", 0, _LAST_ADDRESS)
    return _value(item, name, standard, defaults, address=address, function=read_function(item, defaults.function))


def _value(
    item: Section, name: str, standard: StandardPoint, defaults: Defaults, *, address: int | None, function: int
) -> Point | None:
    """Read what points, columns and write fields have in common."""
    type_name = item.choice("type", _ENCODINGS)
    order = item.choice("word_order", _WORD_ORDERS, defaults.word_order)
    per_unit = _per_unit(item, standard.quantity)
    encoding = _ENCODINGS[type_name] if type_name else None
    scale = _scale(item, standard.quantity, per_unit, encoding)
    resolution = _resolution(item, per_unit, scale, encoding)
    missing = _missing(item, encoding)
    if item.has("rollover"):
        rollover = _rollover(item, standard.quantity, per_unit, resolution)
    else:
        rollover = _end_of_type(standard.quantity, scale, encoding)
    if address is None or encoding is None or order is None or scale is None or resolution is None:
        return None
    if address + encoding.registers - 1 > _LAST_ADDRESS:
        item.wrong("address", f"registers up to {_LAST_ADDRESS}", f"{encoding.registers} registers from {address}")
        return None
    word_order = _WORD_ORDERS[order]
    return Point(name, standard.quantity, function, address, encoding, word_order, scale, resolution, missing, rollover)


def _per_unit(item: Section, quantity: Quantity) -> Fraction | None:
    """Return the canonical units in one of the profile's units, times the transformer ratios that apply."""
    unit = item.choice("unit", dict.fromkeys(UNITS[quantity]))
    per_unit = UNITS[quantity][unit] if unit else None
    for parameter in item.texts("multiply") if item.has("multiply") else []:
        if parameter not in item.parameters:
            item.wrong("multiply", "names that [parameters] declares", parameter)
        elif per_unit is not None:
            per_unit *= Fraction(item.parameters[parameter])
    return per_unit


def _scale(item: Section, quantity: Quantity, per_unit: Fraction | None, encoding: Encoding | None) -> Fraction | None:
    scale = item.number("scale", "1")
    if scale is None or per_unit is None:
        return None
    if scale == 0 or (scale < 0 and quantity in CUMULATIVE):
        item.wrong("scale", "a number above 0" if quantity in CUMULATIVE else "a number other than 0", str(scale))
        return None
    scale *= per_unit
    if encoding is not None and not encoding.is_float and scale.denominator != 1:
        item.wrong("scale", f"a whole number of {quantity.value} after multiplication", f"{scale} {quantity.value}")
        return None
    return scale


def _resolution(
    item: Section, per_unit: Fraction | None, scale: Fraction | None, encoding: Encoding | None
) -> int | None:
    if encoding is None or not encoding.is_float:
        if item.has("resolution") and encoding is not None:
            item.number("resolution")
            item.wrong("resolution", f"no resolution for {encoding.value}: its scale is its resolution", "a resolution")
        return None if scale is None else abs(int(scale))
    resolution = item.number("resolution")
    if resolution is None or per_unit is None:
        return None
    resolution *= per_unit
    if resolution <= 0 or resolution.denominator != 1:
        item.wrong("resolution", "a positive whole number of canonical units", str(resolution))
        return None
    return int(resolution)


def _missing(item: Section, encoding: Encoding | None) -> int | None:
    if not item.has("missing"):
        return None
    if encoding is not None and encoding.is_float:
        item.wrong("missing", "no pattern for a float: it is missing when it is not a finite number", "a pattern")
        item.integer("missing", -(1 << 63), (1 << 64) - 1)
        return None
    low, high = (encoding.least, encoding.greatest) if encoding else (-(1 << 63), (1 << 64) - 1)
    return item.integer("missing", low, high)


def _end_of_type(quantity: Quantity, scale: Fraction | None, encoding: Encoding | None) -> int | None:
    """Return where an integer register of a cumulative quantity starts again for want of bits, if it gets there."""
    if quantity not in CUMULATIVE or scale is None or encoding is None or encoding.is_float:
        return None
    end = (encoding.greatest + 1) * int(scale)
    return end if end < _NEVER else None


def _rollover(item: Section, quantity: Quantity, per_unit: Fraction | None, resolution: int | None) -> int | None:
    rollover = item.number("rollover")
    if quantity not in CUMULATIVE:
        item.wrong("rollover", "a rollover for energy and carbon only", f"one for {quantity.name.lower()}")
        return None
    if rollover is None or per_unit is None or resolution is None:
        return None
    rollover *= per_unit
    if rollover <= 0 or rollover % resolution:
        item.wrong("rollover", "a positive multiple of the resolution", str(rollover))
        return None
    return int(rollover)


def _table(item: Section, name: str, defaults: Defaults) -> Table | None:
    function = read_function(item, defaults.function)
    address = item.integer("address", 0, _LAST_ADDRESS)
    rows = item.integer("rows", 1, _LAST_ADDRESS)
    first_row = item.integer("first_row", 0, 1, 1)
    stride = item.integer("stride", 1, defaults.max_registers)
    selector = item.text("selector") if item.has("selector") else None
    columns = _columns(item, address, function, stride, defaults)
    if address is None or rows is None or first_row is None or stride is None:
        return None
    if address + rows * stride - 1 > _LAST_ADDRESS:
        item.wrong("rows", f"registers up to {_LAST_ADDRESS}", f"{rows} rows of {stride} registers from {address}")
        return None
    return Table(name, function, address, rows, first_row, stride, columns, selector)


def _columns(
    item: Section, address: int | None, function: int, stride: int | None, defaults: Defaults
) -> tuple[Point, ...]:
    section = item.section("columns", required=True)

    def build(column: Section, name: str) -> Point | None:
        offset = column.integer("offset", 0, defaults.max_registers - 1)
        base = None if offset is None else (address or 0) + offset
        point = _value(column, name, COLUMNS[name], defaults, address=base, function=function)
        if point is not None and offset is not None and stride is not None and offset + point.count > stride:
            column.wrong("offset", f"registers within the stride of {stride}", f"{point.count} registers from {offset}")
        return point

    columns = _named(section, COLUMNS, build)
    return tuple(sorted(columns.values(), key=lambda point: point.address))


def _write(item: Section, name: str, defaults: Defaults) -> Write | None:
    function = item.integer("function", _SINGLE, _MULTIPLE, _MULTIPLE)
    if function not in (_SINGLE, _MULTIPLE, None):
        item.wrong("function", "6 or 16", function)
    address = item.integer("address", 0, _LAST_ADDRESS)
    section = item.section("fields", required=True)
    wanted = WRITES[name]

    def build(field: Section, field_name: str) -> Point | None:
        offset = field.integer("offset", 0, _MAX_WRITE - 1, 0)
        base = None if offset is None else (address or 0) + offset
        return _value(field, field_name, wanted[field_name], defaults, address=base, function=3)

    fields = _named(section, wanted, build)
    for missing in [field for field in wanted if not section.has(field)]:
        section.wrong(missing, "a field of this write", "nothing")
    if address is None or function is None or set(fields) != set(wanted):
        return None
    ordered = tuple(sorted(fields.values(), key=lambda point: point.address))
    count = ordered[-1].end - address
    if sum(field.count for field in ordered) != count or ordered[0].address != address:
        section.wrong("", "fields that touch each other, from offset 0 on", "a gap or an overlap")
        return None
    if function == _SINGLE and count != 1:
        item.wrong("function", "16 for several registers", function)
    return Write(name, function, address, count, ordered)
