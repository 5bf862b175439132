"""What points, columns, fields of writes and of order logs have in common: a number in registers."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from profiles.build import read_resolution, read_rollover, read_scale, read_worth
from profiles.modbus.model import Encoding, RegisterPoint, WordOrder
from profiles.points import CUMULATIVE, Quantity, StandardPoint
from profiles.reader import Section

LAST_ADDRESS: Final = 65535
HOLDING, INPUT = 3, 4
WORD_ORDERS: Final = {order.value: order for order in WordOrder}
_ENCODINGS: Final = {encoding.value: encoding for encoding in Encoding}
_NEVER: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the [modbus] section says for every point that does not say otherwise."""

    function: int
    word_order: str
    max_registers: int


def read_function(section: Section, default: int) -> int:
    """Return the function code of reads: 3 (holding registers, 保持寄存器) or 4 (input registers, 输入寄存器)."""
    value = section.integer("function", HOLDING, INPUT, default)
    return default if value is None else value


def read_value(
    item: Section, name: str, standard: StandardPoint, defaults: Defaults, *, address: int | None, function: int
) -> RegisterPoint | None:
    """Read what points, columns and write fields have in common."""
    type_name = item.choice("type", _ENCODINGS)
    order = item.choice("word_order", WORD_ORDERS, defaults.word_order)
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
    if address + encoding.registers - 1 > LAST_ADDRESS:
        item.wrong("address", f"registers up to {LAST_ADDRESS}", f"{encoding.registers} registers from {address}")
        return None
    word_order = WORD_ORDERS[order]
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
