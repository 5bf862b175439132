"""Keys that several parts of a DL/T 698.45 profile have: descriptors, data types, whole numbers from parameters."""

import re
from decimal import Decimal
from typing import Final

from diantan_core import dlt698_object
from profiles.dlt698.model import DataType
from profiles.points import Quantity
from profiles.reader import Section

_TYPES: Final = {kind.value: kind for kind in DataType}
_TAGS: Final = {kind.tag: kind for kind in DataType if kind.is_integer}
_TIMES: Final = [kind.value for kind in DataType if kind.is_time]
_OAD: Final = re.compile(r"[0-9A-Fa-f]{8}")


def read_oad(item: Section, name: str) -> int | None:
    """Return an object attribute descriptor (对象属性描述符) of 8 hexadecimal digits: OI, attribute, index."""
    text = item.text(name)
    if not text:
        return None
    if _OAD.fullmatch(text) is None:
        item.wrong(name, 'an OAD of 8 hexadecimal digits ("00100201")', text)
        return None
    return int(text, 16)


def supply_standard(item: Section, oad: int, part: int, quantity: Quantity) -> None:
    """Take type, unit and scale that the profile does not say from the object table of the standard (附录 A).

    Unit and scale go together: a profile that says one of them says what both are.
    """
    known = dlt698_object(oad)
    if known is None:
        return
    value = known.fields[part - 1] if 1 <= part <= len(known.fields) else known
    defaults: dict[str, object] = {}
    if value.data_type in _TYPES:
        defaults["type"] = value.data_type
    if quantity is not Quantity.TIME and value.exponent is not None and not (item.has("unit") or item.has("scale")):
        defaults["unit"] = value.unit or "1"
        defaults["scale"] = str(Decimal(1).scaleb(value.exponent))
    item.supply(defaults)


def read_whole(item: Section, name: str, low: int, high: int, default: int | None = None) -> int | None:
    """Return a whole number, which may be the `$name` of a parameter; None after noting a mistake."""
    number = item.number(name, None if default is None else str(default))
    if number is None:
        return default
    if number.denominator != 1 or not low <= number <= high:
        item.wrong(name, f"a whole number {low}..{high}", str(number))
        return default
    return int(number)


def read_type(item: Section, quantity: Quantity) -> DataType | None:
    """Return a data type: by name, or an integer type by the tag in a parameter (`$name`)."""
    text = item.text("type")
    if not text:
        return None
    kind = _TYPES.get(text)
    if text.startswith("$"):
        number = item.number("type")
        kind = None if number is None else _TAGS.get(int(number))
    is_time = quantity is Quantity.TIME
    if kind is None or kind.is_time != is_time:
        fitting = _TIMES if is_time else [name for name in _TYPES if name not in _TIMES]
        item.wrong("type", "one of " + ", ".join(fitting) + ", or a $parameter with the tag of an integer type", text)
        return None
    return kind
