"""The names and units that profiles give to what passes on a line."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from agent.config_lines import Line, address_of
from agent.shown import text_of, unit_of
from fieldbus.drivers.base import Address
from profiles import Point, Profile
from profiles.dlt645.codec import decode as decode_item
from profiles.dlt645.model import ItemPoint
from profiles.dlt698.codec import decode as decode_data
from profiles.dlt698.codec import member
from profiles.dlt698.model import ObjectPoint
from profiles.modbus.codec import decode as decode_words
from profiles.modbus.model import RegisterPoint
from profiles.model import CodecError, NoValueError
from profiles.points import POINTS
from protocols import Value

_INDEX = 0xFF


class ProfileNames:
    """The points of the meters of one line; with `everywhere`, one profile's for every address."""

    def __init__(self, profiles: Mapping[Address, Profile], timezone: str, everywhere: Profile | None = None) -> None:
        self._profiles = profiles
        self._everywhere = everywhere
        self._timezone = timezone

    def registers(self, unit: int, function: int, first: int, octets: bytes) -> list[Value]:
        """Return the values in Modbus registers from `first` on."""
        words = [int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets) - 1, 2)]
        found = []
        for point in self._points(unit):
            if not isinstance(point, RegisterPoint) or point.function != function:
                continue
            start, end = point.address - first, point.end - first
            if start >= 0 and end <= len(words):
                value = self._value(point, octets[2 * start : 2 * end], {"register": point.address})
                self._fill(value, point, partial(decode_words, point, words[start:end]))
                found.append(value)
        return found

    def item(self, address: str, di: int, data: bytes) -> list[Value]:
        """Return the values behind a data identifier, where the data are as long as the profile says."""
        found = []
        for point in self._points(address):
            if not isinstance(point, ItemPoint) or point.item.di != di or point.item.width == 0:
                continue
            start, end = point.item.span(point.element, point.field)
            if len(data) % point.item.width or end > len(data):
                continue
            value = self._value(point, data[start:end], {"di": f"{di:08X}"})
            self._fill(value, point, partial(decode_item, point, data[start:end], self._timezone))
            found.append(value)
        return found

    def attribute(self, address: str, oad: int, item: tuple[str, Any]) -> list[Value]:
        """Return the values in an object attribute or one of its elements."""
        found = []
        for point in self._points(address):
            if not isinstance(point, ObjectPoint) or oad not in (point.base, point.base | point.index):
                continue
            value = self._value(point, b"", {"oad": f"{point.base | point.index:08X}"})
            index = 0 if oad & _INDEX else point.index
            self._fill(value, point, partial(self._own, point, item, index))
            found.append(value)
        return found

    def _own(self, point: ObjectPoint, item: tuple[str, Any], index: int) -> int:
        return decode_data(point, member(point, item, index), self._timezone)

    def _points(self, address: Address) -> Iterable[Point]:
        profile = self._profiles.get(address, self._everywhere)
        return () if profile is None else profile.points.values()

    def _value(self, point: Point, octets: bytes, place: dict[str, Any]) -> Value:
        known = POINTS.get(point.name)
        chinese = None if known is None else known.chinese
        return Value(octets.hex().upper(), point.name, chinese, unit=unit_of(point) or None, place=place)

    def _fill(self, value: Value, point: Point, decode: Callable[[], int]) -> None:
        try:
            value.value = text_of(point, decode(), self._timezone)
        except NoValueError:
            return
        except CodecError as error:
            value.error = str(error)


def names_of(line: Line, profiles: Mapping[str, Profile], timezone: str) -> ProfileNames:
    """Return the names for the meters of a line; `profiles` are by meter id."""
    known = {
        address_of(meter, profiles[meter.id].protocol): profiles[meter.id]
        for meter in line.meter
        if meter.id in profiles
    }
    return ProfileNames(known, timezone)
