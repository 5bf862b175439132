"""The objects (对象) of a simulated DL/T 698.45 meter: what its attributes hold, its stored records, and what is set.

Everything follows from the meter's profile: an attribute is there if a point, a table or a write names it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from firmware_sim.faces.base import PowerLostError, Values
from firmware_sim.factors import SLOT_MS
from firmware_sim.meter import Row
from profiles.dlt698.codec import Data, encode, quantise
from profiles.dlt698.model import WHOLE, ClockWrite, ObjectPoint, RecordTable
from profiles.dlt698.moments import to_ms
from profiles.dlt698.profile import Dlt698Profile
from profiles.dlt698.writes import written_factors, written_time
from profiles.model import CodecError

# Data access results (DAR) of DL/T 698.45-2017.
SUCCESS: Final = 0
FAILED: Final = 1
REFUSED: Final = 3
UNDEFINED: Final = 4
MISSING: Final = 6
WRONG_TYPE: Final = 7
OUT_OF_RANGE: Final = 8

ADDRESS: Final = 0x40010200
MODEL: Final = 0x410B0200
CLOCK: Final = 0x40000200
SYNCHRONISE: Final = 0x40007F00
_FREEZE_TIME: Final = 0x20210200
_COLUMN_TABLE: Final = 0x0300  # attribute 3, index 0
_OCTET: Final = 2  # hexadecimal digits


class AccessError(Exception):
    """What is asked of an object is not done; `dar` says why."""

    def __init__(self, dar: int) -> None:
        super().__init__(f"DAR {dar}")
        self.dar = dar


class Objects:
    """The objects of one meter."""

    def __init__(self, address: str, profile: Dlt698Profile, values: Values, timezone: str) -> None:
        self.address = address
        self.profile = profile
        self._values = values
        self._timezone = timezone
        self._elements: dict[int, dict[int, dict[int, ObjectPoint]]] = {}
        for point in profile.points.values():
            self._elements.setdefault(point.base, {}).setdefault(point.index, {})[point.part] = point
        self._tables = {table.oad: table for table in profile.tables.values()}
        self._writes = {write.field.oad: write for write in profile.writes.values()}
        self._written: dict[int, Data] = {}
        self._row: Row | None = None

    def begin(self) -> None:
        """Measure anew for the request that follows: all its attributes are of one instant."""
        self._row = None

    def _measured(self, now_ms: int) -> Row:
        if self._row is None:
            self._row = self._values.values(now_ms)
        return self._row

    def get(self, oad: int, now_ms: int) -> Data:
        """Return the data of an attribute, or of one of its elements; AccessError."""
        base, index = oad & WHOLE, oad & 0xFF
        if base == ADDRESS:  # before the points: it is what the meter answers to
            even = self.address.rjust(len(self.address) + len(self.address) % _OCTET, "0")
            return "octet_string", bytes.fromhex(even)
        if base in self._elements:
            return self._attribute(self._elements[base], index, self._measured(now_ms))
        if base in self._tables:
            raise AccessError(REFUSED)  # records are for GET-Record
        if table := self._tables.get(base - _COLUMN_TABLE + 0x0200):
            return _column_table(table)
        if base == MODEL:
            return "visible_string", self.profile.model
        if base in self._written:
            return self._written[base]
        raise AccessError(MISSING if base in self._writes else UNDEFINED)

    def _attribute(self, elements: dict[int, dict[int, ObjectPoint]], index: int, row: Row) -> Data:
        last = max(elements)
        if index == 0:
            if last == 0:
                return self._element(elements[0], row)
            # An element that no point names is there all the same: the meter has it, the profile does not want it.
            empty: Data = ("null", None)
            items = [self._element(elements[k], row) if k in elements else empty for k in range(1, last + 1)]
            return "array", items
        if index not in elements:
            raise AccessError(MISSING)
        return self._element(elements[index], row)

    def _element(self, parts: dict[int, ObjectPoint], row: Row) -> Data:
        if 0 in parts:
            return self._item(parts[0], row)
        return "structure", [
            self._item(parts[k], row) if k in parts else ("null", None) for k in range(1, max(parts) + 1)
        ]

    def _item(self, point: ObjectPoint, row: Row) -> Data:
        value = row.get(point.name)
        try:
            return encode(point, None if value is None else quantise(point, value), self._timezone)
        except CodecError:
            raise AccessError(FAILED) from None  # a value of the simulation that the attribute can't hold

    # Records

    def records(self, record: dict[str, Any], now_ms: int) -> dict[str, Any]:
        """Return a record result (结果记录) for the rows (RSD) and columns (RCSD) asked for; AccessError."""
        table = self._tables.get(record["oad"])
        if table is None:
            raise AccessError(UNDEFINED)
        wanted = [oad for kind, oad in record["columns"] if kind == "oad"]
        if len(wanted) != len(record["columns"]):
            raise AccessError(REFUSED)  # records in records (ROAD) belong to terminals
        columns = wanted or list(dict.fromkeys(column.base for column in table.columns))
        cells = [self._cell(table, oad) for oad in columns]
        rows = [[cell(row) for cell in cells] for row in self._rows(table, record["rows"], now_ms)]
        return {"oad": table.oad, "columns": [("oad", oad) for oad in columns], "result": ("rows", rows)}

    def _rows(self, table: RecordTable, selector: tuple[str, Any], now_ms: int) -> list[Row]:
        kind, content = selector
        if kind == "last":
            row = self._values.row(table.name, content, now_ms) if 1 <= content <= table.rows else {}
            return [row] if row else []
        stored = [self._values.row(table.name, number, now_ms) for number in range(1, table.rows + 1)]
        stored = [row for row in stored if row][::-1]  # the oldest first
        if kind == "none":
            return stored
        if kind in ("equal", "range") and content["oad"] == _FREEZE_TIME:
            start = self._instant(content["value" if kind == "equal" else "start"])
            end = start + 1 if kind == "equal" else self._instant(content["end"])
            return [row for row in stored if start <= (row.get("time") or 0) < end]
        raise AccessError(REFUSED)

    def _instant(self, item: Data) -> int:
        if item[0] != "date_time_s":
            raise AccessError(WRONG_TYPE)
        try:
            return to_ms(item[1], self._timezone)
        except CodecError:
            raise AccessError(OUT_OF_RANGE) from None

    def _cell(self, table: RecordTable, oad: int) -> Callable[[Row], Data]:
        elements: dict[int, dict[int, ObjectPoint]] = {}
        for column in table.columns:
            if column.base == oad & WHOLE:
                elements.setdefault(column.index, {})[column.part] = column
        if not elements or (oad & 0xFF and oad & 0xFF not in elements):
            return lambda _: ("null", None)  # the meter does not freeze that
        return lambda row: self._attribute(elements, oad & 0xFF, row)

    # What is set

    def set(self, oad: int, item: Data, now_ms: int) -> None:
        """Set an attribute; AccessError."""
        self.begin()
        write = self._writes.get(oad)
        if write is None:
            raise AccessError(REFUSED if self._exists(oad) else UNDEFINED)
        try:
            if isinstance(write, ClockWrite):
                self._values.apply("clock", {"time": written_time(write, item, self._timezone)}, now_ms)
                return
            parts = written_factors(write, item, self._timezone)
        except CodecError:
            raise AccessError(WRONG_TYPE) from None
        except ValueError:
            raise AccessError(OUT_OF_RANGE) from None
        slots = [(slot, factor) for start, end, factor in parts for slot in range(start, end, SLOT_MS)]
        if self._take_factors(slots, now_ms):
            self._written[oad] = item

    def _take_factors(self, slots: Sequence[tuple[int, int | None]], now_ms: int) -> bool:
        """Take factors by slot; return whether all of them are stored, AccessError for one that is refused."""
        stored = True
        for slot, factor in slots:
            try:
                self._values.apply("factor", {"time": slot, "carbon_factor": factor}, now_ms)
            except PowerLostError:
                # How much of the write is in the meter, the fault decides part by part.
                stored = False
            except ValueError:
                raise AccessError(OUT_OF_RANGE) from None
        return stored

    def act(self, omd: int, item: Data, now_ms: int) -> None:
        """Carry out a method: the broadcast time sync is the one there is; AccessError."""
        self.begin()
        if omd != SYNCHRONISE:
            raise AccessError(REFUSED if self._exists(omd & 0xFFFF0000 | 0x0200) else UNDEFINED)
        if item[0] != "date_time_s":
            raise AccessError(WRONG_TYPE)
        try:
            self._values.apply("clock", {"time": to_ms(item[1], self._timezone)}, now_ms)
        except ValueError:
            raise AccessError(OUT_OF_RANGE) from None

    def _exists(self, oad: int) -> bool:
        base = oad & WHOLE
        return base in self._elements or base in self._tables or base in (ADDRESS, MODEL)


def _column_table(table: RecordTable) -> Data:
    """Return what a freeze object freezes (关联对象属性表): {period, OAD, depth} a column; the layout is recalled."""
    columns = dict.fromkeys(column.base for column in table.columns)
    return "array", [
        ("structure", [("long_unsigned", 1), ("oad", oad), ("long_unsigned", table.rows)]) for oad in columns
    ]
