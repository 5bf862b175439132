"""The registers of a meter on Modbus, laid out by its profile, computed when they are read."""

from collections.abc import Callable, Sequence

from firmware_sim.faces.base import Values
from firmware_sim.layout import AddressError, Layout
from firmware_sim.meter import Row
from profiles.modbus.codec import decode_write, encode, encode_missing, quantise
from profiles.modbus.profile import ModbusProfile

Swapped = Callable[[int], Callable[[str], bool] | None]
"""At an instant: which points have their words in the wrong order, by name; None: none has."""


class RefusedError(ValueError):
    """A value that the meter does not accept (Modbus exception code 3)."""


class RegisterMap:
    """The registers of one meter; `swapped` is a fault of it, asked once for each request."""

    def __init__(self, meter: Values, layout: Layout, swapped: Swapped | None = None) -> None:
        self.meter = meter
        self._layout = layout
        self._swapped = swapped

    @property
    def profile(self) -> ModbusProfile:
        """What the registers mean."""
        return self._layout.profile

    def read(self, function: int, address: int, count: int, now_ms: int) -> list[int]:
        """Return `count` registers, all of one instant; AddressError when one of them does not exist."""
        registers = [0] * count
        parts = self._layout.locate(function, address, count)
        values = self.meter.values(now_ms)
        swapped = None if self._swapped is None else self._swapped(now_ms)
        rows: dict[tuple[str, int], Row] = {}
        for part in parts:
            point = part.point
            if part.table is None:
                value = values.get(point.name)
            else:
                key = (part.table, part.row)
                if key not in rows:
                    rows[key] = self.meter.row(part.table, part.row, now_ms)
                value = rows[key].get(point.name)
            words = encode_missing(point) if value is None else encode(point, quantise(point, value))
            if swapped is not None and swapped(point.name):
                words = words[::-1]
            # A request may begin or end inside a value.
            start = max(part.offset, 0)
            words = words[start - part.offset : count - part.offset]
            registers[start : start + len(words)] = words
        return registers

    def write(self, address: int, words: Sequence[int], now_ms: int) -> None:
        """Write registers; AddressError unless they are one of the profile's writes, RefusedError for the value."""
        for item in self._layout.profile.writes.values():
            if item.address == address and item.count == len(words):
                break
        else:
            raise AddressError(f"nothing to write at {address}, {len(words)} registers")
        try:
            self.meter.apply(item.name, decode_write(item, words), now_ms)
        except ValueError as error:
            raise RefusedError(f"{item.name}: {error}") from None
