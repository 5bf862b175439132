"""What stands behind the data identifiers (数据标识) of a simulated DL/T 645-2007 meter, laid out by its profile."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from firmware_sim.faces.base import Values
from firmware_sim.meter import Row
from profiles.dlt645.codec import encode, encode_moment, quantise
from profiles.dlt645.formats import DataItem, Kind, block_place
from profiles.dlt645.model import ItemPoint
from profiles.dlt645.moments import to_moment
from profiles.dlt645.profile import CLOCK_LAYOUTS, Dlt645Profile
from profiles.dlt645.rows import SETTLEMENT_FORMAT, row_of
from profiles.model import CodecError

ADDRESS: Final = 0x0400_0401
_INSTANT: Final = 0x0501_0000  # instant freezes (瞬时冻结): DI1 00 time, 01 forward, 02 reverse; DI0 counts back
_INSTANT_KEPT: Final = 3
_INSTANT_TIME: Final = "YYMMDDhhmm"
_INSTANT_COLUMNS: Final = {1: "energy_forward", 2: "energy_reverse"}
_FIRST_OF_MONTH: Final = {"day": 1, "hour": 0}
_UNUSED: Final = {"day": 99, "hour": 99}
_LONGEST: Final = 4096
_TARIFFS: Final = 63
_Cells = dict[tuple[int, int], ItemPoint]


@dataclass(frozen=True, slots=True)
class _Place:
    """What an identifier holds: an item's fields by element and number, from the points or from a row of a table."""

    item: DataItem
    cells: _Cells
    table: str = ""
    row: int = 0


class Items:
    """The data of all meters of one profile."""

    def __init__(self, profile: Dlt645Profile, timezone: str) -> None:
        self.profile = profile
        self._timezone = timezone
        self._places: dict[int, _Place] = {}
        self._clocks: dict[int, str] = {}
        self._fixed: dict[int, bytes] = {}
        for point in profile.points.values():
            if point.time_di is not None:
                self._clocks |= {point.item.di: point.format.text, point.time_di: CLOCK_LAYOUTS["time"]}
            else:
                self._put(_Place(point.item, {}), point.element, point)
                self._put_in_block(point)
        for table in profile.tables.values():
            if table.settlement is not None:
                first, *others = table.settlement.days
                self._fixed |= {di: encode_moment(di, SETTLEMENT_FORMAT, _UNUSED) for di in others}
                self._fixed[first] = encode_moment(first, SETTLEMENT_FORMAT, _FIRST_OF_MONTH)
                self._clocks[table.settlement.date] = CLOCK_LAYOUTS["date"]
            for column in table.columns:
                if table.settlement is not None and column.name == "time":
                    continue
                for number in range(1, table.rows + 1):
                    cell = row_of(column, number)
                    self._put(_Place(cell.item, {}, table.name, number), cell.element, cell)

    def _put(self, place: _Place, element: int, point: ItemPoint) -> None:
        self._places.setdefault(place.item.di, place).cells[element, point.field] = point

    def _put_in_block(self, point: ItemPoint) -> None:
        where = None if point.item.repeats else block_place(point.item.di)
        for block in self.profile.blocks:
            if where is not None and where[0] == block.di and block.formats == point.item.formats:
                self._put(_Place(block, {}), where[1], replace(point, item=block, element=where[1]))

    def read(self, di: int, meter: Values, address: str, frozen: Iterable[Row], now_ms: int) -> bytes | None:
        """Return the data behind an identifier, of one instant; None: the meter has no such data."""
        if di == ADDRESS:
            return bytes.fromhex(address)[::-1]
        if di in self._fixed:
            return self._fixed[di]
        if layout := self._clocks.get(di):
            device_ms = meter.values(now_ms).get("device_time")
            return None if device_ms is None else encode_moment(di, layout, to_moment(device_ms, self._timezone))
        place = self._places.get(di)
        if place is None:
            return self._instant(di, list(frozen))
        row = meter.row(place.table, place.row, now_ms) if place.table else meter.values(now_ms)
        return self._encode(place.item, place.cells, row)

    def _encode(self, item: DataItem, cells: _Cells, row: Row) -> bytes | None:
        """Return the elements up to the last that has a value; what the meter does not know is FFH throughout."""
        known = [element for (element, _), point in cells.items() if point.name in row]
        if not known or (not item.repeats and _is_word_without_value(cells, row)):
            return None
        data = bytearray()
        for element in range(max(known) + 1):
            for number, field in enumerate(item.formats):
                point = cells.get((element, number))
                data += b"\xff" * field.length if point is None else self._field(point, row.get(point.name))
        return bytes(data)

    def _field(self, point: ItemPoint, value: int | None) -> bytes:
        try:
            return encode(point, None if value is None else quantise(point, value), self._timezone)
        except CodecError:
            return encode(point, None, self._timezone)

    def _instant(self, di: int, frozen: list[Row]) -> bytes | None:
        group, number = di & ~0xFFFF, di & 0xFF
        code = di >> 8 & 0xFF
        if group != _INSTANT or not 1 <= number <= len(frozen):
            return None
        row = frozen[number - 1]
        time_ms = row.get("device_time")
        if code == 0 and time_ms is not None:
            return encode_moment(di, _INSTANT_TIME, to_moment(time_ms, self._timezone))
        name = _INSTANT_COLUMNS.get(code)
        if name is None or name not in self.profile.points:
            return None
        cells: _Cells = {}
        for element, key in enumerate([name, *(f"{name}_t{tariff}" for tariff in range(1, _TARIFFS + 1))]):
            if key not in self.profile.points:
                break
            cells[element, 0] = self.profile.points[key]
        return self._encode(self.profile.points[name].item, cells, row)


def _is_word_without_value(cells: _Cells, row: Row) -> bool:
    """Return whether these are status words of which nothing is known: no octets of theirs say so."""
    return all(point.format.kind is Kind.BITS and row.get(point.name) is None for point in cells.values())


def new_freezes() -> deque[Row]:
    """Return room for a meter's instant freezes, newest first."""
    return deque(maxlen=_INSTANT_KEPT)


def freeze(frozen: deque[Row], meter: Values, now_ms: int) -> None:
    """Keep what the meter shows now."""
    frozen.appendleft(dict(meter.values(now_ms)))


def clock_fields(parts: Mapping[str, int], shown: Mapping[str, int]) -> dict[str, int]:
    """Return a full moment from the parts that are written and those that the clock shows."""
    return {**shown, **{name: value for name, value in parts.items() if name != "weekday"}}
