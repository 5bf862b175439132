"""Data of DL/T 698.45 as named values: an item is taken apart as far as the object tells what is in it."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from diantan_core import Dlt698Field, Dlt698Object, dlt698_encode_data, dlt698_object
from protocols.explained import Json, Value
from protocols.hexadecimal import shown
from protocols.moments import moment
from protocols.numbers import decimal_text

Item = tuple[str, Any]

_INTEGERS: Final = frozenset(
    (
        *("integer", "long", "double_long", "long64"),
        *("unsigned", "long_unsigned", "double_long_unsigned", "long64_unsigned", "enum"),
    )
)
_MOMENTS: Final = ({"year", "month", "day"}, {"hour", "minute", "second"})
_DESCRIPTORS: Final = frozenset(("oad", "omd", "port", "get"))
_LAST_INDEX: Final = 255


def identifier(oad: int) -> Json:
    """Return a descriptor with its names."""
    found = dlt698_object(oad)
    names = {"name": None, "name_zh": None} if found is None else {"name": found.name, "name_zh": found.name_zh}
    return {"oad": f"{oad:08X}", **names}


def method(omd: int) -> Json:
    """Return a method descriptor (OMD 对象方法描述符) with the names of its object."""
    number = omd >> 8 & 0xFF
    found = dlt698_object(omd & 0xFFFF0000 | 0x0200)
    name = None if found is None else f"{found.name}, method {number}"
    return {"omd": f"{omd:08X}", "name": name, "name_zh": None if found is None else f"{found.name_zh}方法{number}"}


def is_known(oad: int) -> bool:
    """Return whether the table says what the data of an attribute are worth."""
    found = dlt698_object(oad)
    return found is not None and (found.exponent is not None or bool(found.fields))


def values(oad: int, item: Item, row: int | None = None) -> Iterator[Value]:
    """Yield every value in the data of an object attribute."""
    yield from _taken(oad, item, dlt698_object(oad), {} if row is None else {"row": row})


def _taken(oad: int, item: Item, found: Dlt698Object | None, more: Json) -> Iterator[Value]:
    kind, content = item
    place: Json = {"oad": f"{oad:08X}", **more}
    if kind not in ("array", "structure"):
        name, chinese = (None, None) if found is None else (found.name, found.name_zh)
        exponent, unit = (None, None) if found is None else (found.exponent, found.unit)
        yield _leaf(item, place, (name, chinese), exponent, unit)
        return
    if not content:
        name, chinese = (None, None) if found is None else (found.name, found.name_zh)
        yield Value(shown(dlt698_encode_data(item)), name, chinese, "none", place=place)
        return
    indexed = oad & 0xFF == 0 and found is not None and (found.array or found.layout == "members")
    if indexed and (kind == "array" or (found is not None and found.layout == "members")):
        for index, element in enumerate(content, 1):
            inner = oad | min(index, _LAST_INDEX)
            yield from _taken(inner, element, dlt698_object(inner), more)
        return
    yield from _members(content, found, place)


def _members(content: Sequence[Item], found: Dlt698Object | None, place: Json) -> Iterator[Value]:
    """Yield the values of a structure by its fields, or, where they are not known, by their number."""
    fields: Sequence[Dlt698Field] = () if found is None else found.fields
    name, chinese = ("", "") if found is None else (found.name, found.name_zh)
    if len(fields) == len(content):
        for field, member in zip(fields, content, strict=True):
            names = (f"{name}: {field.name}", f"{chinese}：{field.name_zh}")
            yield from _deep(member, place, names, field.exponent, field.unit)
        return
    same = found is not None and not fields
    for number, member in enumerate(content, 1):
        exponent, unit = (found.exponent, found.unit) if found is not None and same else (None, None)
        yield from _deep(member, place, (f"{name} [{number}]".strip(), f"{chinese}[{number}]"), exponent, unit)


def _deep(item: Item, place: Json, names: tuple[str, str], exponent: int | None, unit: str | None) -> Iterator[Value]:
    kind, content = item
    if kind not in ("array", "structure"):
        yield _leaf(item, place, names, exponent, unit)
        return
    for number, member in enumerate(content, 1):
        yield from _deep(member, place, (f"{names[0]} [{number}]", f"{names[1]}[{number}]"), None, None)


def _leaf(
    item: Item, place: Json, names: tuple[str | None, str | None], exponent: int | None, unit: str | None
) -> Value:
    kind, content = item
    scaled = kind in _INTEGERS and exponent is not None
    text = decimal_text(content, exponent) if kind in _INTEGERS and exponent is not None else text_of(item)
    return Value(
        shown(dlt698_encode_data(item)),
        *names,
        text,
        (unit or None) if scaled else None,
        {**place, "type": kind.replace("_", "-")},
    )


def text_of(item: Item) -> str | None:
    """Return a data item as text; None for null, which is no value."""
    kind, content = item
    if kind in _DESCRIPTORS:
        return f"{content:08X}"
    if content is None:
        return None
    told = plain(content)
    return str(told).lower() if isinstance(told, bool) else str(told)


def plain(content: Any) -> Any:  # noqa: ANN401 - any part of an APDU
    """Return a part of an APDU as JSON can hold it: octets in hexadecimal, choices as an object of their name."""
    if isinstance(content, bytes):
        return shown(content)
    if isinstance(content, float):
        # The binary number that it is, to the last digit.
        return format(Decimal(content), "f")
    if isinstance(content, list):
        return [plain(entry) for entry in content]
    if isinstance(content, tuple):
        name, inner = content
        return name if inner is None else {name: _named(name, inner)}
    return _parts(content) if isinstance(content, dict) else content


def _parts(content: Json) -> Any:  # noqa: ANN401 - a time is a text
    if any(parts <= content.keys() for parts in _MOMENTS):
        return moment(content)
    return {key: _named(key, value) for key, value in content.items()}


def _named(key: str, value: Any) -> Any:  # noqa: ANN401 - any part of an APDU
    return f"{value:08X}" if key in _DESCRIPTORS and isinstance(value, int) else plain(value)
