"""What points, columns, fields of writes and of order logs have in common: a number in registers."""

from dataclasses import dataclass
from typing import Final

from profiles.build import read_number
from profiles.modbus.model import Encoding, RegisterPoint, WordOrder
from profiles.points import StandardPoint
from profiles.reader import Section

LAST_ADDRESS: Final = 65535
HOLDING, INPUT = 3, 4
WORD_ORDERS: Final = {order.value: order for order in WordOrder}
_ENCODINGS: Final = {encoding.value: encoding for encoding in Encoding}


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
    encoding = _ENCODINGS[type_name] if type_name else None
    number = read_number(item, standard.quantity, encoding)
    if address is None or encoding is None or order is None or number is None:
        return None
    if address + encoding.registers - 1 > LAST_ADDRESS:
        item.wrong("address", f"registers up to {LAST_ADDRESS}", f"{encoding.registers} registers from {address}")
        return None
    return RegisterPoint(
        name=name,
        quantity=standard.quantity,
        scale=number.scale,
        resolution=number.resolution,
        missing=number.missing,
        rollover=number.rollover,
        function=function,
        address=address,
        encoding=encoding,
        word_order=WORD_ORDERS[order],
    )
