"""The registers of a meter on Modbus, laid out by its profile, computed when they are read."""

import struct
from collections.abc import Callable, Mapping, Sequence

from firmware_sim.faces.base import Values
from firmware_sim.layout import ORDERS, AddressError, Layout
from profiles.modbus.codec import decode_write, encode, encode_missing, quantise
from profiles.modbus.model import RegisterPoint
from profiles.modbus.order_cells import Cell, TextCell, write_moment, write_text
from profiles.modbus.profile import ModbusProfile

Shown = Mapping[str, int | str | None]
Sells = Callable[[int, int], Shown]
"""What stands in a row of the order log (1: the first one) at an instant; row 0 has the counter, as `count`."""
Swapped = Callable[[int], Callable[[str], bool] | None]
"""At an instant: which points have their words in the wrong order, by name; None: none has."""


class RefusedError(ValueError):
    """A value that the meter does not accept (Modbus exception code 3)."""


class RegisterMap:
    """The registers of one meter; `swapped` is a fault of it, asked once for each request.

    `sells` is where its charge orders come from, and `timezone` that of times in BCD in them.
    """

    def __init__(
        self,
        meter: Values,
        layout: Layout,
        swapped: Swapped | None = None,
        sells: Sells | None = None,
        timezone: str = "Asia/Shanghai",
    ) -> None:
        self.meter = meter
        self._sells = sells
        self._timezone = timezone
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
        rows: dict[tuple[str, int], Shown] = {}
        for part in parts:
            point = part.point
            if part.table is None:
                value: int | str | None = values.get(point.name)
            else:
                key = (part.table, part.row)
                if key not in rows:
                    rows[key] = self._row(part.table, part.row, now_ms)
                value = rows[key].get(point.name)
            words = self._words(point, value)
            if swapped is not None and swapped(point.name):
                words = words[::-1]
            # A request may begin or end inside a value.
            start = max(part.offset, 0)
            words = words[start - part.offset : count - part.offset]
            registers[start : start + len(words)] = words
        return registers

    def _row(self, table: str, row: int, now_ms: int) -> Shown:
        if table != ORDERS:
            return self.meter.row(table, row, now_ms)
        return {} if self._sells is None else self._sells(row, now_ms)

    def _words(self, cell: Cell, value: int | str | None) -> list[int]:
        if isinstance(cell, RegisterPoint):
            if isinstance(value, str):
                value = int(value)  # of an order that has a number and no text
            return encode_missing(cell) if value is None else encode(cell, quantise(cell, value))
        if isinstance(cell, TextCell):
            octets = write_text(cell, None if value is None else str(value))
        else:
            octets = write_moment(cell, None if value is None else int(value), self._timezone)
        return list(struct.unpack(f">{cell.count}H", octets))

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
