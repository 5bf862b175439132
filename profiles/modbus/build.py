"""The parts of a Modbus profile, built from its document: points, tables and writes."""

from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from profiles.build import Head, named, read_resolution, read_rollover, read_scale, read_worth
from profiles.modbus.checks import check_overlaps, check_together
from profiles.modbus.model import Encoding, RegisterPoint, RegisterTable, RegisterWrite, WordOrder
from profiles.modbus.plan import MAX_REGISTERS
from profiles.modbus.profile import ModbusProfile
from profiles.points import COLUMNS, CUMULATIVE, POINTS, TABLES, WRITES, Quantity, StandardPoint
from profiles.reader import Section

_LAST_ADDRESS: Final = 65535
_ENCODINGS: Final = {encoding.value: encoding for encoding in Encoding}
_WORD_ORDERS: Final = {order.value: order for order in WordOrder}
_HOLDING, _INPUT = 3, 4
_SINGLE, _MULTIPLE = 6, 16
_NEVER: Final = 1 << 63
_MAX_WRITE: Final = 123  # Modbus application protocol 1.1b3, 6.12


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the [modbus] section says for every point that does not say otherwise."""

    function: int
    word_order: str
    max_registers: int


def build(root: Section, head: Head) -> ModbusProfile:
    """Return the profile of a document with a [modbus] section; mistakes are noted with the section."""
    defaults, gap_cost = _modbus(root.section("modbus", required=True))
    points = named(root.section("points", required=True), POINTS, lambda item, name: _point(item, name, defaults))
    writes = named(root.section("writes"), WRITES, lambda item, name: _write(item, name, defaults))
    tables = named(root.section("tables"), TABLES, lambda item, name: _table(item, name, defaults))
    check_overlaps(root.problems, points, tables, writes)
    check_together(root.problems, points, tables, writes, defaults.max_registers)
    return ModbusProfile(
        name=head.name,
        model=head.model,
        manufacturer=head.manufacturer,
        source=head.source,
        points=MappingProxyType(points),
        tables=MappingProxyType(tables),
        writes=MappingProxyType(writes),
        max_registers=defaults.max_registers,
        gap_cost=gap_cost,
    )


def _modbus(section: Section) -> tuple[Defaults, int | None]:
    function = _read_function(section, _HOLDING)
    order = section.choice("word_order", [order.value for order in WordOrder], WordOrder.ABCD.value)
    registers = section.integer("max_registers", 1, MAX_REGISTERS, MAX_REGISTERS)
    gap_cost = section.integer("gap_cost", 0, MAX_REGISTERS) if section.has("gap_cost") else None
    section.close()
    return Defaults(function, order or WordOrder.ABCD.value, registers or MAX_REGISTERS), gap_cost


def _read_function(section: Section, default: int) -> int:
    """Return the function code of reads: 3 (holding registers, 保持寄存器) or 4 (input registers, 输入寄存器)."""
    value = section.integer("function", _HOLDING, _INPUT, default)
    return default if value is None else value


def _point(item: Section, name: str, defaults: Defaults) -> RegisterPoint | None:
    address = item.integer("address", 0, _LAST_ADDRESS)
    function = _read_function(item, defaults.function)
    return _value(item, name, POINTS[name], defaults, address=address, function=function)


def _value(
    item: Section, name: str, standard: StandardPoint, defaults: Defaults, *, address: int | None, function: int
) -> RegisterPoint | None:
    """Read what points, columns and write fields have in common."""
    type_name = item.choice("type", _ENCODINGS)
    order = item.choice("word_order", _WORD_ORDERS, defaults.word_order)
    worth = read_worth(item, standard.quantity)
    encoding = _ENCODINGS[type_name] if type_name else None
    exact = encoding is not None and not encoding.is_float
    scale = read_scale(item, standard.quantity, worth, exact=exact)
    resolution = _resolution(item, standard.quantity, worth, scale, encoding)
    missing = _missing(item, encoding)
    if item.has("rollover"):
        rollover = read_rollover(item, standard.quantity, worth, resolution)
    else:
        rollover = _end_of_type(standard.quantity, scale, encoding)
    if address is None or encoding is None or order is None or scale is None or resolution is None:
        return None
    if address + encoding.registers - 1 > _LAST_ADDRESS:
        item.wrong("address", f"registers up to {_LAST_ADDRESS}", f"{encoding.registers} registers from {address}")
        return None
    word_order = _WORD_ORDERS[order]
    return RegisterPoint(
        name=name,
        quantity=standard.quantity,
        scale=scale,
        resolution=resolution,
        missing=missing,
        rollover=rollover,
        function=function,
        address=address,
        encoding=encoding,
        word_order=word_order,
    )


def _resolution(
    item: Section, quantity: Quantity, worth: Fraction | None, scale: Fraction | None, encoding: Encoding | None
) -> int | None:
    if encoding is None or not encoding.is_float:
        if item.has("resolution") and encoding is not None:
            item.number("resolution")
            item.wrong("resolution", f"no resolution for {encoding.value}: its scale is its resolution", "a resolution")
        return None if scale is None else abs(int(scale))
    return read_resolution(item, quantity, worth)


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


def _table(item: Section, name: str, defaults: Defaults) -> RegisterTable | None:
    function = _read_function(item, defaults.function)
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
    return RegisterTable(name, function, address, rows, first_row, stride, columns, selector)


def _columns(
    item: Section, address: int | None, function: int, stride: int | None, defaults: Defaults
) -> tuple[RegisterPoint, ...]:
    section = item.section("columns", required=True)

    def build(column: Section, name: str) -> RegisterPoint | None:
        offset = column.integer("offset", 0, defaults.max_registers - 1)
        base = None if offset is None else (address or 0) + offset
        point = _value(column, name, COLUMNS[name], defaults, address=base, function=function)
        if point is not None and offset is not None and stride is not None and offset + point.count > stride:
            column.wrong("offset", f"registers within the stride of {stride}", f"{point.count} registers from {offset}")
        return point

    columns = named(section, COLUMNS, build)
    return tuple(sorted(columns.values(), key=lambda point: point.address))


def _write(item: Section, name: str, defaults: Defaults) -> RegisterWrite | None:
    function = item.integer("function", _SINGLE, _MULTIPLE, _MULTIPLE)
    if function not in (_SINGLE, _MULTIPLE, None):
        item.wrong("function", "6 or 16", function)
    address = item.integer("address", 0, _LAST_ADDRESS)
    section = item.section("fields", required=True)
    wanted = WRITES[name]

    def build(field: Section, field_name: str) -> RegisterPoint | None:
        offset = field.integer("offset", 0, _MAX_WRITE - 1, 0)
        base = None if offset is None else (address or 0) + offset
        return _value(field, field_name, wanted[field_name], defaults, address=base, function=_HOLDING)

    fields = named(section, wanted, build)
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
    return RegisterWrite(name, function, address, count, ordered)
