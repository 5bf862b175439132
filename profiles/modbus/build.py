"""The parts of a Modbus profile, built from its document: points, tables, writes and the order log."""

from types import MappingProxyType
from typing import Final

from profiles.build import Head, named
from profiles.modbus.checks import check_overlaps, check_together
from profiles.modbus.model import RegisterPoint, RegisterTable, RegisterWrite, WordOrder
from profiles.modbus.order_build import read_orders
from profiles.modbus.plan import MAX_REGISTERS
from profiles.modbus.profile import ModbusProfile
from profiles.modbus.values import HOLDING, LAST_ADDRESS, Defaults, read_function, read_value
from profiles.points import COLUMNS, POINTS, TABLES, WRITES
from profiles.reader import Section

_SINGLE, _MULTIPLE = 6, 16
_MAX_WRITE: Final = 123  # Modbus application protocol 1.1b3, 6.12


def build(root: Section, head: Head) -> ModbusProfile:
    """Return the profile of a document with a [modbus] section; mistakes are noted with the section."""
    defaults, gap_cost = _modbus(root.section("modbus", required=True))
    points = named(root.section("points", required=True), POINTS, lambda item, name: _point(item, name, defaults))
    writes = named(root.section("writes"), WRITES, lambda item, name: _write(item, name, defaults))
    tables = named(root.section("tables"), TABLES, lambda item, name: _table(item, name, defaults))
    orders = read_orders(root.section("orders"), defaults, gap_cost) if root.has("orders") else None
    check_overlaps(root.problems, points, tables, writes, orders)
    check_together(root.problems, points, tables, writes, defaults.max_registers)
    return ModbusProfile(
        name=head.name,
        model=head.model,
        manufacturer=head.manufacturer,
        source=head.source,
        points=MappingProxyType(points),
        tables=MappingProxyType(tables),
        writes=MappingProxyType(writes),
        orders=orders,
        max_registers=defaults.max_registers,
        gap_cost=gap_cost,
    )


def _modbus(section: Section) -> tuple[Defaults, int | None]:
    function = read_function(section, HOLDING)
    order = section.choice("word_order", [order.value for order in WordOrder], WordOrder.ABCD.value)
    registers = section.integer("max_registers", 1, MAX_REGISTERS, MAX_REGISTERS)
    gap_cost = section.integer("gap_cost", 0, MAX_REGISTERS) if section.has("gap_cost") else None
    section.close()
    return Defaults(function, order or WordOrder.ABCD.value, registers or MAX_REGISTERS), gap_cost


def _point(item: Section, name: str, defaults: Defaults) -> RegisterPoint | None:
    address = item.integer("address", 0, LAST_ADDRESS)
    function = read_function(item, defaults.function)
    return read_value(item, name, POINTS[name], defaults, address=address, function=function)


def _table(item: Section, name: str, defaults: Defaults) -> RegisterTable | None:
    function = read_function(item, defaults.function)
    address = item.integer("address", 0, LAST_ADDRESS)
    rows = item.integer("rows", 1, LAST_ADDRESS)
    first_row = item.integer("first_row", 0, 1, 1)
    stride = item.integer("stride", 1, defaults.max_registers)
    selector = item.text("selector") if item.has("selector") else None
    columns = _columns(item, address, function, stride, defaults)
    if address is None or rows is None or first_row is None or stride is None:
        return None
    if address + rows * stride - 1 > LAST_ADDRESS:
        item.wrong("rows", f"registers up to {LAST_ADDRESS}", f"{rows} rows of {stride} registers from {address}")
        return None
    return RegisterTable(name, function, address, rows, first_row, stride, columns, selector)


def _columns(
    item: Section, address: int | None, function: int, stride: int | None, defaults: Defaults
) -> tuple[RegisterPoint, ...]:
    section = item.section("columns", required=True)

    def build(column: Section, name: str) -> RegisterPoint | None:
        offset = column.integer("offset", 0, defaults.max_registers - 1)
        base = None if offset is None else (address or 0) + offset
        point = read_value(column, name, COLUMNS[name], defaults, address=base, function=function)
        if point is not None and offset is not None and stride is not None and offset + point.count > stride:
            column.wrong("offset", f"registers within the stride of {stride}", f"{point.count} registers from {offset}")
        return point

    columns = named(section, COLUMNS, build)
    return tuple(sorted(columns.values(), key=lambda point: point.address))


def _write(item: Section, name: str, defaults: Defaults) -> RegisterWrite | None:
    function = item.integer("function", _SINGLE, _MULTIPLE, _MULTIPLE)
    if function not in (_SINGLE, _MULTIPLE, None):
        item.wrong("function", "6 or 16", function)
    address = item.integer("address", 0, LAST_ADDRESS)
    section = item.section("fields", required=True)
    wanted = WRITES[name]

    def build(field: Section, field_name: str) -> RegisterPoint | None:
        offset = field.integer("offset", 0, _MAX_WRITE - 1, 0)
        base = None if offset is None else (address or 0) + offset
        return read_value(field, field_name, wanted[field_name], defaults, address=base, function=HOLDING)

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
