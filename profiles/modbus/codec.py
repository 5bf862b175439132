"""Registers to canonical integers and back, exactly.

An integer register is multiplied by its whole-numbered scale. A float register is taken for the binary number it is and
rounded once, half to even, to the register's documented resolution (design section 3): 0.1 kWh in float32
reads as exactly 100 000 mWh, not as 100 000.0015.
"""

import math
import struct
from collections.abc import Sequence

from profiles.modbus.model import Encoding, RegisterPoint, RegisterWrite
from profiles.model import CodecError, NoValueError
from profiles.points import CUMULATIVE
from profiles.rounding import half_even


def decode(point: RegisterPoint, words: Sequence[int]) -> int:
    """Return the canonical integer that a point's registers hold.

    CodecError when the number of registers is wrong or one is not 0..65535; NoValueError when they hold no value.
    """
    if len(words) != point.count:
        raise CodecError(f"{point.name}: expected {point.count} registers, got {len(words)}")
    try:
        data = struct.pack(f">{point.count}H", *words)
    except struct.error:
        raise CodecError(f"{point.name}: a register must be 0..65535, got {list(words)}") from None
    return _decode_bytes(point, data)


def encode(point: RegisterPoint, value: int) -> list[int]:
    """Return the registers that hold a canonical integer exactly.

    CodecError when the value is out of range, not a multiple of the point's resolution, or would read as missing.
    A float register holds the nearest float; it decodes to `value` again while the format is fine enough.
    """
    if value % point.resolution:
        raise CodecError(f"{point.name}: {value} {point.unit} is not a multiple of {point.resolution}")
    if point.encoding.is_float:
        try:
            packed = struct.pack(">f" if point.encoding is Encoding.FLOAT32 else ">d", float(value / point.scale))
        except OverflowError:
            raise CodecError(f"{point.name}: {value} {point.unit} does not fit {point.type}") from None
        return _to_words(point, packed)
    raw = value // int(point.scale)
    if not point.encoding.least <= raw <= point.encoding.greatest or raw == point.missing:
        raise CodecError(f"{point.name}: {value} {point.unit} does not fit {point.type} of {point.scale} {point.unit}")
    return _to_words(point, raw.to_bytes(2 * point.count, "big", signed=point.encoding.signed))


def encode_missing(point: RegisterPoint) -> list[int]:
    """Return the registers that say "no value": the point's pattern, NaN, or (where there is neither) all zero."""
    if point.encoding.is_float:
        return _to_words(point, struct.pack(">f" if point.encoding is Encoding.FLOAT32 else ">d", math.nan))
    raw = point.missing or 0
    return _to_words(point, raw.to_bytes(2 * point.count, "big", signed=point.encoding.signed))


def quantise(point: RegisterPoint, value: int) -> int:
    """Return the value as the register can show it.

    A cumulative register shows complete steps only and starts again from 0 at its rollover; any other value is rounded
    half to even and stops at the end of the register's range.
    """
    resolution = point.resolution
    if point.quantity in CUMULATIVE:
        if point.rollover is not None:
            value %= point.rollover
        elif not point.encoding.is_float:
            value %= (point.encoding.greatest + 1) * int(point.scale)
        return value - value % resolution
    value = half_even(value, resolution) * resolution
    if point.encoding.is_float:
        return value
    ends = (point.encoding.least * int(point.scale), point.encoding.greatest * int(point.scale))
    return min(max(value, min(ends)), max(ends))


def decode_registers(points: Sequence[RegisterPoint], address: int, data: bytes) -> dict[str, int]:
    """Return the values of points by name from the octets of the registers from `address` on, two a register.

    A point without a value is absent. The octets are as they came, high byte first.
    """
    values = {}
    for point in points:
        offset = 2 * (point.address - address)
        try:
            values[point.name] = _decode_bytes(point, data[offset : offset + 2 * point.count])
        except NoValueError:
            continue
    return values


def decode_write(write: RegisterWrite, words: Sequence[int]) -> dict[str, int | None]:
    """Return the fields of a write by name; None where the pattern for "no value" was written."""
    data = pack_words(words, write.count)
    values: dict[str, int | None] = {}
    for field in write.fields:
        offset = 2 * (field.address - write.address)
        try:
            values[field.name] = _decode_bytes(field, data[offset : offset + 2 * field.count])
        except NoValueError:
            values[field.name] = None
    return values


def pack_words(words: Sequence[int], count: int) -> bytes:
    """Return the octets of exactly `count` registers; CodecError for another number or one that is not 0..65535."""
    if len(words) != count:
        raise CodecError(f"expected {count} registers, got {len(words)}")
    try:
        return struct.pack(f">{count}H", *words)
    except struct.error:
        raise CodecError("a register must be 0..65535") from None


def _reorder(point: RegisterPoint, data: bytes) -> bytes:
    if point.word_order.swaps_bytes != point.word_order.low_word_first:
        swapped = bytearray(len(data))
        swapped[0::2], swapped[1::2] = data[1::2], data[0::2]
        data = bytes(swapped)
    # Reversing all bytes reverses the words and swaps the bytes of each; CDAB swaps them back beforehand.
    return data[::-1] if point.word_order.low_word_first else data


def _decode_bytes(point: RegisterPoint, data: bytes) -> int:
    data = _reorder(point, data)
    if point.encoding.is_float:
        (number,) = struct.unpack(">f" if point.encoding is Encoding.FLOAT32 else ">d", data)
        if not math.isfinite(number):
            raise NoValueError(f"{point.name}: {number} is not a number")
        numerator, denominator = number.as_integer_ratio()
        scale = point.scale
        return (
            half_even(numerator * scale.numerator, denominator * scale.denominator * point.resolution)
            * point.resolution
        )
    raw = int.from_bytes(data, "big", signed=point.encoding.signed)
    if raw == point.missing:
        raise NoValueError(f"{point.name}: the meter has no value")
    return raw * point.scale.numerator


def _to_words(point: RegisterPoint, data: bytes) -> list[int]:
    data = _reorder(point, data)
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]
