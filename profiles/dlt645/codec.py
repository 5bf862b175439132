"""The data behind an identifier to canonical integers and back, exactly.

A nibble that is no decimal digit never becomes a number. A field whose octets are all FFH holds no value: so meters
fill what they do not measure (a phase that is not connected); any other such nibble makes the field unusable.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from diantan_core import Dlt645Error, dlt645_decode, dlt645_encode
from profiles.dlt645.formats import DataItem, Kind, di_text, most_elements
from profiles.dlt645.model import ItemPoint
from profiles.dlt645.moments import to_instant, to_moment
from profiles.model import CodecError, NoValueError
from profiles.points import CUMULATIVE
from profiles.rounding import half_even

_NO_VALUE: Final = 0xFF


def elements(item: DataItem, data: bytes) -> int:
    """Return how many elements the data behind an identifier have; CodecError when that is no whole number."""
    count, rest = divmod(len(data), item.width)
    most = most_elements(item.di) if item.repeats else 1
    if rest or not 1 <= count <= most:
        expected = f"{item.width} octets" + (f" for each of up to {most} elements" if item.repeats else "")
        raise CodecError(f"{di_text(item.di)}: expected {expected}, got {len(data)}")
    return count


def is_filled(octets: bytes) -> bool:
    """Return whether octets are what meters fill in where they have nothing: FFH throughout."""
    return octets.count(_NO_VALUE) == len(octets)


def decode_points(points: Iterable[ItemPoint], item: DataItem, data: bytes, timezone: str) -> dict[str, int]:
    """Return the values of points by name from the data behind an identifier; a point without a value is absent.

    `item` may be a block (数据块): then a point's `element` is one of it, absent where the meter has fewer of them.
    CodecError where a field holds what is no value.
    """
    values, wrong = decode_usable(points, item, data, timezone)
    if wrong:
        raise next(iter(wrong.values()))
    return values


def decode_usable(
    points: Iterable[ItemPoint], item: DataItem, data: bytes, timezone: str
) -> tuple[dict[str, int], dict[str, CodecError]]:
    """Return the same values, and what is wrong with the fields of others; CodecError for another length only."""
    count = elements(item, data)
    values = {}
    wrong = {}
    for point in points:
        if point.element >= count:
            continue
        start, end = item.span(point.element, point.field)
        try:
            values[point.name] = decode(point, data[start:end], timezone)
        except NoValueError:
            continue
        except CodecError as error:
            wrong[point.name] = error
    return values, wrong


def decode(point: ItemPoint, octets: bytes, timezone: str) -> int:
    """Return the canonical integer in a field's octets; NoValueError where there is none, else CodecError."""
    if is_filled(octets) and point.format.kind is not Kind.BITS:
        raise NoValueError(f"{point.name}: the meter has no value")
    value = _read(point, octets)
    if isinstance(value, dict):
        try:
            return to_instant(value, timezone)
        except NoValueError:
            raise NoValueError(f"{point.name}: the meter has no time there") from None
        except CodecError as error:
            raise CodecError(f"{point.name}: {error}") from None
    raw = value[0] if isinstance(value, tuple) else int(value)
    worth = raw * point.scale.numerator
    if point.scale.denominator == 1:
        return worth
    return half_even(worth, point.scale.denominator * point.resolution) * point.resolution


def _read(point: ItemPoint, octets: bytes) -> tuple[int, int] | dict[str, int] | str | int | bytes:
    try:
        (value,) = dlt645_decode(point.item.di, octets, [point.format.text])
    except Dlt645Error as error:
        raise CodecError(f"{point.name}: {error}, in {octets.hex(' ').upper()}") from None
    return value


def encode(point: ItemPoint, value: int | None, timezone: str) -> bytes:
    """Return the octets of a canonical integer, FFH throughout for None; CodecError when it does not fit exactly."""
    field = point.format
    if value is None:
        return bytes([_NO_VALUE]) * field.length
    if field.kind is Kind.MOMENT:
        return encode_moment(point.item.di, field.text, to_moment(value, timezone))
    raw, rest = divmod(value * point.scale.denominator, point.scale.numerator)
    if rest or not field.least <= raw <= field.greatest:
        raise CodecError(f"{point.name}: {value} {point.unit} does not fit {field.text} of {point.scale} {point.unit}")
    content: tuple[int, int] | str | int
    if field.kind is Kind.DECIMAL:
        content = (raw, -field.decimals)
    else:
        content = raw if field.kind is Kind.BITS else f"{raw:0{2 * field.length}d}"
    octets = dlt645_encode(point.item.di, [content], [field.text])
    if field.kind is not Kind.BITS and is_filled(octets):
        raise CodecError(f"{point.name}: {value} {point.unit} would read as no value")
    return octets


def encode_moment(di: int, layout: str, moment: Mapping[str, int]) -> bytes:
    """Return the octets of a date or time in a layout such as `hhmmss`, from a moment that has its parts."""
    names = {
        "YY": "year",
        "MM": "month",
        "DD": "day",
        "WW": "weekday",
        "hh": "hour",
        "mm": "minute",
        "ss": "second",
    }
    wanted = [names[layout[start : start + 2]] for start in range(0, len(layout), 2)]
    return dlt645_encode(di, [{name: moment[name] for name in wanted}], [layout])


def decode_moment(di: int, layout: str, octets: bytes) -> dict[str, int]:
    """Return the parts of a date or time as the meter says them; CodecError for octets that are none."""
    try:
        (value,) = dlt645_decode(di, octets, [layout])
    except Dlt645Error as error:
        raise CodecError(f"{di_text(di)}: {error}, in {octets.hex(' ').upper()}") from None
    assert isinstance(value, dict)
    return value


def quantise(point: ItemPoint, value: int) -> int:
    """Return the value as the field can show it.

    A register of energy shows complete steps and starts again from 0 at its rollover; anything else is rounded half to
    even and stops at the end of the field's range. A moment is cut to the layout's last part.
    """
    field = point.format
    if field.kind is Kind.MOMENT:
        return value - value % point.resolution
    if point.quantity in CUMULATIVE and point.rollover is not None:
        value %= point.rollover
        return value - value % point.resolution
    if point.quantity in CUMULATIVE:
        value -= value % point.resolution
    value = half_even(value, point.resolution) * point.resolution
    ends = (field.least * point.scale, field.greatest * point.scale)
    low, high = min(ends), max(ends)
    if value > high or value < low:
        edge = high if value > high else low
        value = int(edge / point.resolution) * point.resolution
    return value
