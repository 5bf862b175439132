"""The Modbus face of a meter: its registers, laid out by a profile, computed when they are read."""

from collections.abc import Sequence

from firmware_sim.layout import AddressError, Layout
from firmware_sim.meter import Meter, Row
from profiles.modbus.codec import decode_write, encode, encode_missing, quantise


class RefusedError(ValueError):
    """A value that the meter does not accept (Modbus exception code 3)."""


class RegisterMap:
    """The registers of one meter."""

    def __init__(self, meter: Meter, layout: Layout) -> None:
        self.meter = meter
        self._layout = layout

    def read(self, function: int, address: int, count: int, now_ms: int) -> list[int]:
        """Return `count` registers, all of one instant; AddressError when one of them does not exist."""
        registers = [0] * count
        parts = self._layout.locate(function, address, count)
        values = self.meter.values(now_ms)
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
