"""The section [orders] of a Modbus profile: where a charger keeps its charge orders (充电订单)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from profiles.build import named
from profiles.modbus.model import RegisterPoint, WordOrder
from profiles.modbus.order_cells import TEXTS, Cell, MomentCell, TextCell, parts_of
from profiles.modbus.orders import COUNT, NEWEST_FIRST, RING, RegisterOrders
from profiles.modbus.values import LAST_ADDRESS, Defaults, read_function, read_value
from profiles.points import (
    ORDER_NEEDED,
    ORDER_NUMBERS,
    ORDER_TEXTS,
    PERIOD_NEEDED,
    PERIOD_NUMBERS,
    UNITS,
    Quantity,
    StandardPoint,
)
from profiles.reader import Section

MOST_ROWS: Final = 4096
MOST_PERIODS: Final = 48  # half an hour each
_MOST_TEXT: Final = 128  # registers
_WORDS: Final = StandardPoint(Quantity.NUMBER, "")


def read_orders(section: Section, defaults: Defaults, gap_cost: int | None) -> RegisterOrders | None:
    """Return the order log; mistakes are noted with the section."""
    counter, first = _counter(section.section("counter", required=True), defaults)
    function = read_function(section, defaults.function)
    address = section.integer("address", 0, LAST_ADDRESS)
    rows = section.integer("rows", 1, MOST_ROWS)
    stride = section.integer("stride", 1, LAST_ADDRESS)
    placement = section.choice("placement", [RING, NEWEST_FIRST], RING)
    area = Area(address or 0, function, stride, defaults)
    fields = _fields(section.section("fields", required=True), {**ORDER_TEXTS, **ORDER_NUMBERS}, ORDER_NEEDED, area)
    periods = _periods(section.section("periods"), area) if section.has("periods") else ()
    section.close()
    if counter is None or first is None or address is None or rows is None or stride is None or placement is None:
        return None
    if address + rows * stride - 1 > LAST_ADDRESS:
        section.wrong("rows", f"registers up to {LAST_ADDRESS}", f"{rows} rows of {stride} registers from {address}")
        return None
    for cell in (*fields, *(cell for cells in periods for cell in cells)):
        if cell.count > defaults.max_registers:
            expected = f"at most {defaults.max_registers} registers (max_registers)"
            section.wrong(f"fields.{cell.name}", expected, f"{cell.count}")
    return RegisterOrders(
        counter, first, function, address, rows, stride, placement, fields, periods, defaults.max_registers, gap_cost
    )


def _counter(section: Section, defaults: Defaults) -> tuple[RegisterPoint | None, int | None]:
    address = section.integer("address", 0, LAST_ADDRESS)
    function = read_function(section, defaults.function)
    first = section.integer("first", 0, 1, 1)
    section.supply({"unit": "1"})
    counter = read_value(section, COUNT, _WORDS, defaults, address=address, function=function)
    section.close()
    if counter is not None and (counter.encoding.is_float or counter.encoding.signed or counter.scale != 1):
        section.wrong("type", "an unsigned integer of scale 1", counter.type)
        return None, first
    return counter, first


@dataclass(frozen=True, slots=True)
class Area:
    """A row, or a period in it: its cells have offsets from `address` and end within `size`."""

    address: int
    function: int
    size: int | None
    defaults: Defaults


def _fields(
    section: Section, known: Mapping[str, str | StandardPoint], needed: Sequence[str], area: Area
) -> tuple[Cell, ...]:
    def build(item: Section, name: str) -> Cell | None:
        offset = item.integer("offset", 0, LAST_ADDRESS)
        cell = _cell(item, name, known[name], area, None if offset is None else area.address + offset)
        if cell is not None and offset is not None and area.size is not None and offset + cell.count > area.size:
            item.wrong("offset", f"registers within the stride of {area.size}", f"{cell.count} registers from {offset}")
        return cell

    cells: dict[str, Cell] = named(section, known, build)
    for missing in [name for name in needed if not section.has(name)]:
        section.wrong(missing, "a field of every order log", "nothing")
    return tuple(sorted(cells.values(), key=lambda cell: cell.address))


def _cell(item: Section, name: str, standard: str | StandardPoint, area: Area, address: int | None) -> Cell | None:
    if isinstance(standard, str) and not item.has("type"):
        return _text(item, name, area, address)
    if isinstance(standard, str):
        standard = _WORDS
    if standard.quantity is Quantity.TIME and item.has("bcd"):
        return _moment(item, name, area, address)
    if len(UNITS[standard.quantity]) == 1:
        item.supply({"unit": next(iter(UNITS[standard.quantity]))})
    cell = read_value(item, name, standard, area.defaults, address=address, function=area.function)
    if cell is not None and standard is _WORDS and (cell.encoding.is_float or cell.scale != 1):
        item.wrong("type", "a text, or an integer of scale 1", cell.type)
    return cell


def _text(item: Section, name: str, area: Area, address: int | None) -> TextCell | None:
    text = item.choice("text", list(TEXTS))
    count = item.integer("registers", 1, _MOST_TEXT)
    swaps = _swaps_bytes(item)
    if address is None or text is None or count is None:
        return None
    return TextCell(name, area.function, address, count, text, swaps)


def _moment(item: Section, name: str, area: Area, address: int | None) -> MomentCell | None:
    text = item.text("bcd")
    parts = parts_of(text)
    swaps = _swaps_bytes(item)
    if parts is None:
        expected = "YY or YYYY, MM DD hh mm ss and 00 for what is not used, in whole registers of 4 digits"
        item.wrong("bcd", expected, repr(text))
    if address is None or parts is None:
        return None
    return MomentCell(name, area.function, address, parts, swaps)


def _swaps_bytes(item: Section) -> bool:
    """Return whether each register has its octets the wrong way round: what `word_order` says of a single one."""
    orders = [order.value for order in WordOrder if not order.low_word_first]
    order = item.choice("word_order", orders, WordOrder.ABCD.value)
    return order is not None and WordOrder(order).swaps_bytes


def _periods(section: Section, area: Area) -> tuple[tuple[Cell, ...], ...]:
    offset = section.integer("offset", 0, LAST_ADDRESS)
    rows = section.integer("rows", 1, MOST_PERIODS)
    stride = section.integer("stride", 1, LAST_ADDRESS)
    period = Area(area.address + (offset or 0), area.function, stride, area.defaults)
    cells = _fields(section.section("fields", required=True), PERIOD_NUMBERS, PERIOD_NEEDED, period)
    section.close()
    if offset is None or rows is None or stride is None:
        return ()
    if area.size is not None and offset + rows * stride > area.size:
        expected = f"registers within the stride of {area.size}"
        section.wrong("rows", expected, f"{rows} rows of {stride} registers from {offset}")
    return tuple(
        tuple(replace(cell, address=cell.address + number * stride) for cell in cells) for number in range(rows)
    )
