"""Data items (数据) of DL/T 698.45 to canonical integers and back, exactly.

Data say their own type, so any integer type is taken for its number: a meter that widens a register is still read. The
profile's type is what is written and what a simulated meter answers.
"""

import math
from fractions import Fraction
from typing import Any

from profiles.dlt698.model import DataType, ObjectPoint
from profiles.dlt698.moments import date_time, date_time_s, to_ms
from profiles.model import CodecError, NoValueError
from profiles.points import CUMULATIVE
from profiles.rounding import half_even

Data = tuple[str, Any]
"""A data item as the codec of diantan_core has it: the name of its type, and its content."""

_TYPES = {kind.value: kind for kind in DataType}


def member(point: ObjectPoint, item: Data, index: int) -> Data:
    """Return the point's own item in the data of its attribute, `index` being the element wanted (0: the item itself).

    NoValueError where the meter has fewer elements: not every one has four tariffs or three phases.
    """
    for what, number, kinds in (("element", index, ("array", "structure")), ("part", point.part, ("structure",))):
        if not number:
            continue
        name, content = item
        if name == "null":
            raise NoValueError(f"{point.name}: the meter has no value")
        if name not in kinds:
            raise CodecError(f"{point.name}: expected {' or '.join(kinds)} with {what} {number}, got {name}")
        if number > len(content):
            raise NoValueError(f"{point.name}: the meter has {len(content)}, no {what} {number}")
        item = content[number - 1]
    return item


def decode(point: ObjectPoint, item: Data, timezone: str) -> int:
    """Return the canonical integer of a point's own data item; NoValueError for null and the point's pattern."""
    name, content = item
    if name == "null":
        raise NoValueError(f"{point.name}: the meter has no value")
    kind = _TYPES.get(name)
    if point.type.is_time and kind is not None and kind.is_time:
        try:
            instant = to_ms(content, timezone)
        except NoValueError as error:
            raise NoValueError(f"{point.name}: {error}") from None
        except CodecError as error:
            raise CodecError(f"{point.name}: {error}") from None
        return instant - instant % point.resolution
    if kind is not None and kind.is_float and point.type.is_float:
        return _from_float(point, content)
    if kind is not None and (kind is point.type or (kind.is_integer and point.type.is_integer)):
        raw = _raw(point, kind, content)
        if raw == point.missing:
            raise NoValueError(f"{point.name}: the meter has no value")
        return raw * point.scale.numerator
    raise CodecError(f"{point.name}: expected {point.type.value}, got {name}")


def _from_float(point: ObjectPoint, number: float) -> int:
    if not math.isfinite(number):
        raise NoValueError(f"{point.name}: {number} is not a number")
    worth = Fraction(number) * point.scale
    return half_even(worth.numerator, worth.denominator * point.resolution) * point.resolution


def _raw(point: ObjectPoint, kind: DataType, content: Any) -> int:  # noqa: ANN401 - a data item holds anything
    if kind.is_integer:
        return int(content)
    if kind is DataType.BIT_STRING:
        return int(content[::-1] or "0", 2)  # bit 0 is the first one
    digits = content.hex() if kind is DataType.OCTET_STRING else content.rstrip("\0 ")
    if not (digits.isascii() and digits.isdigit()):
        raise CodecError(f"{point.name}: expected decimal digits, got {digits!r}")
    return int(digits)


def encode(point: ObjectPoint, value: int | None, timezone: str) -> Data:
    """Return the data item of a canonical integer, null for None; CodecError when the type can't hold it exactly."""
    if value is None:
        return ("null", None) if point.missing is None else (point.type.value, point.missing)
    if value % point.resolution:
        raise CodecError(f"{point.name}: {value} {point.unit} is not a multiple of {point.resolution}")
    if point.type.is_time:
        return _time(point.type, value, timezone)
    if point.type.is_float:
        return point.type.value, float(value / point.scale)
    raw = value // int(point.scale)
    if point.type.is_integer:
        if not point.type.least <= raw <= point.type.greatest or raw == point.missing:
            raise CodecError(f"{point.name}: {value} {point.unit} does not fit {point.type.value} of {point.scale}")
        return point.type.value, bool(raw) if point.type is DataType.BOOL else raw
    text = _text(point, raw)
    return point.type.value, bytes.fromhex(text) if point.type is DataType.OCTET_STRING else text


def _time(kind: DataType, time_ms: int, timezone: str) -> Data:
    return kind.value, (date_time_s if kind is DataType.DATE_TIME_S else date_time)(time_ms, timezone)


def _text(point: ObjectPoint, raw: int) -> str:
    """Return the bits, first one first, or the decimal digits of a number, as many as the type's length says."""
    if point.type is DataType.BIT_STRING:
        text, most = f"{raw:0{point.length}b}"[::-1], point.length
    else:
        most = point.length * (2 if point.type is DataType.OCTET_STRING else 1)
        text = f"{raw:0{most}d}"
    if raw < 0 or len(text) > most:
        raise CodecError(f"{point.name}: {raw} does not fit {point.type.value} of length {point.length}")
    return text


def quantise(point: ObjectPoint, value: int) -> int:
    """Return the value as the meter shows it.

    A cumulative register and a clock show complete steps only, and the register starts again from 0 at its rollover;
    any other value is rounded half to even and stops at the end of its type.
    """
    resolution = point.resolution
    if point.quantity in CUMULATIVE and not point.type.is_float:
        end = point.rollover or (point.type.greatest + 1) * int(point.scale)
        value %= end
        return value - value % resolution
    if point.type.is_time or point.quantity in CUMULATIVE:
        return value - value % resolution
    value = half_even(value, resolution) * resolution
    if not point.type.is_integer:
        return value
    ends = (point.type.least * int(point.scale), point.type.greatest * int(point.scale))
    return min(max(value, min(ends)), max(ends))
