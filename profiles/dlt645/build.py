"""The parts of a DL/T 645-2007 profile, built from the tables of its document: points, tables and writes."""

import re
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from profiles.build import Head, end_of_type, named, read_resolution, read_rollover, read_scale, read_worth
from profiles.dlt645.checks import check_items
from profiles.dlt645.formats import DataItem, Format, Kind, parse_format, standard_item
from profiles.dlt645.model import Authority, ClockWrite, ItemPoint, ItemTable, Settlement
from profiles.dlt645.plan import DEFAULT_TURNAROUND
from profiles.dlt645.profile import Dlt645Profile
from profiles.points import COLUMNS, CUMULATIVE, POINTS, TABLES, WRITES, Quantity, StandardPoint
from profiles.reader import Section

_DI: Final = re.compile(r"[0-9A-Fa-f]{8}")
_LONGEST_TURNAROUND: Final = 2000  # octets: 1 s at 19200 Bd
_LAST_ROW: Final = 254
_LAST_ELEMENT: Final = 63
_MOST_FIELDS: Final = 16
_CLOCK: Final = "clock"
_TIME: Final = "time"
_SECOND_MS: Final = 1000
_MINUTE_MS: Final = 60_000
_PASSWORD_BYTES: Final = 3
_OPERATOR_BYTES: Final = 4
_LAST_LEVEL: Final = 9


def build(root: Section, head: Head) -> Dlt645Profile:
    """Return the profile of a document with a [dlt645] section; mistakes are noted with the section."""
    blocks, turnaround = _line(root.section("dlt645"))
    points = named(root.section("points", required=True), POINTS, lambda item, name: _value(item, name, POINTS[name]))
    tables = named(root.section("tables"), TABLES, _table)
    writes = named(root.section("writes"), WRITES, _write)
    check_items(root.problems, points, tables)
    return Dlt645Profile(
        name=head.name,
        model=head.model,
        manufacturer=head.manufacturer,
        source=head.source,
        points=MappingProxyType(points),
        tables=MappingProxyType(tables),
        writes=MappingProxyType(writes),
        blocks=blocks,
        turnaround=turnaround,
    )


def _line(section: Section) -> tuple[tuple[DataItem, ...], int]:
    blocks = []
    for text in section.texts("blocks"):
        block = standard_item(int(text, 16)) if _DI.fullmatch(text) else None
        if block is None or not block.repeats:
            section.wrong("blocks", 'FF blocks of DL/T 645-2007 annex A, such as "0001FF00"', text)
        elif block not in blocks:
            blocks.append(block)
    turnaround = section.integer("turnaround", 0, _LONGEST_TURNAROUND, DEFAULT_TURNAROUND)
    section.close()
    return tuple(blocks), DEFAULT_TURNAROUND if turnaround is None else turnaround


def _read_di(item: Section, key: str, default: str | None = None) -> int | None:
    text = item.text(key, default)
    if not text:
        return None
    if not _DI.fullmatch(text):
        item.wrong(key, 'a data identifier of 8 hexadecimal digits, DI3 first, such as "00010000"', text)
        return None
    return int(text, 16)


def _read_item(item: Section) -> DataItem | None:
    """Return what the key `di` names: the standard's item, or one with the formats that the profile states."""
    di = _read_di(item, "di")
    standard = None if di is None else standard_item(di)
    key = "formats" if item.has("formats") else "format"
    if not item.has(key):
        if di is not None and standard is None:
            expected = "a format, since DL/T 645-2007 annex A has no numbers for this identifier"
            item.wrong("format", expected, "nothing")
        return standard
    texts = item.texts("formats") if key == "formats" else [item.text("format")]
    if key == "formats" and item.has("format"):
        item.wrong("format", "either format or formats", "both")
        item.text("format")
    formats: list[Format] = []
    for text in texts:
        found = parse_format(text)
        if found is None:
            item.wrong(key, "a format such as XXX.X, ±XX.XXXX, YYMMDDhhmm, digits:6 or bits:2", text)
        else:
            formats.append(found)
    if di is None or not formats or len(formats) != len(texts):
        return None
    return DataItem(di, tuple(formats), standard is not None and standard.repeats)


def _value(item: Section, name: str, standard: StandardPoint) -> ItemPoint | None:
    """Read what points and columns have in common."""
    place = _read_item(item)
    time_di = _read_di(item, "time_di") if item.has("time_di") else None
    field = item.integer("field", 0, _MOST_FIELDS - 1, 0)
    element = item.integer("element", 0, _LAST_ELEMENT, 0)
    if place is None or field is None or element is None:
        _forget(item)
        return None
    if field >= len(place.formats):
        item.wrong("field", f"one of its {len(place.formats)} fields, from 0 on", field)
        return None
    if element and not place.repeats:
        item.wrong("element", "0, since the item is no block", element)
        return None
    encoding = place.formats[field]
    if not _suits(item, standard.quantity, encoding, place, time_di):
        _forget(item)
        return None
    if encoding.kind is Kind.MOMENT:
        scale, rollover = Fraction(1), None
        resolution = _SECOND_MS if "ss" in encoding.text or time_di is not None else _MINUTE_MS
    else:
        numbers = _numbers(item, standard.quantity, encoding)
        if numbers is None:
            return None
        scale, resolution, rollover = numbers
    return ItemPoint(
        name=name,
        quantity=standard.quantity,
        scale=scale,
        resolution=resolution,
        rollover=rollover,
        item=place,
        element=element,
        field=field,
        time_di=time_di,
    )


def _forget(item: Section) -> None:
    """Read what else may stand there, so that only the real mistake is told."""
    for key in ("scale", "resolution", "rollover"):
        if item.has(key):
            item.number(key)
    if item.has("unit"):
        item.text("unit")
    if item.has("multiply"):
        item.texts("multiply")


def _suits(item: Section, quantity: Quantity, encoding: Format, place: DataItem, time_di: int | None) -> bool:
    if time_di is not None and (encoding.text not in ("YYMMDDWW", "YYMMDD") or place.repeats):
        item.wrong("time_di", "a time of day for an item that has only the date", encoding.text)
        return False
    is_moment = encoding.kind is Kind.MOMENT
    if is_moment != (quantity is Quantity.TIME):
        expected = "a date and time, such as YYMMDDhhmm" if quantity is Quantity.TIME else "a number"
        item.wrong("format", expected, encoding.text)
        return False
    if is_moment and not encoding.has_date():
        item.wrong("format", "a moment with year, month and day", encoding.text)
        return False
    return True


def _numbers(item: Section, quantity: Quantity, encoding: Format) -> tuple[Fraction, int, int | None] | None:
    """Return scale, resolution and rollover of a number."""
    worth = read_worth(item, quantity)
    step = None if worth is None else worth / 10**encoding.decimals
    rounded = item.has("resolution")
    scale = read_scale(item, quantity, step, exact=not rounded)
    if rounded and quantity in CUMULATIVE:
        item.wrong("resolution", "no resolution for a register: its scale is its resolution", "a resolution")
    resolution = read_resolution(item, quantity, worth) if rounded else None if scale is None else abs(int(scale))
    rollover = None
    if item.has("rollover"):
        rollover = read_rollover(item, quantity, worth, resolution)
    elif scale is not None and not encoding.signed:
        rollover = end_of_type(quantity, scale, encoding.greatest)
    return None if scale is None or resolution is None else (scale, resolution, rollover)


def _table(item: Section, name: str) -> ItemTable | None:
    rows = item.integer("rows", 1, _LAST_ROW)
    columns = named(item.section("columns", required=True), COLUMNS, lambda part, key: _value(part, key, COLUMNS[key]))
    settlement = None
    if item.has("settlement_days") or item.has("date"):
        settlement = _settlement(item)
        if _TIME in columns:
            item.wrong("columns.time", "no column: the time follows from the settlement days", "one")
        elif settlement is not None:
            columns[_TIME] = _settlement_time(settlement)
    elif _TIME not in columns:
        item.wrong("columns.time", "the time of a row, or settlement_days and date at the table", "nothing")
    if rows is None or not columns:
        return None
    for column in columns.values():
        if column.name != _TIME or settlement is None:
            _check_rows(item, column, rows)
    return ItemTable(name, rows, tuple(columns.values()), settlement)


def _check_rows(item: Section, column: ItemPoint, rows: int) -> None:
    last = (column.item.di & 0xFF) + rows - 1
    if column.time_di is not None or last > _LAST_ROW:
        item.wrong(f"columns.{column.name}.di", f"one item a row, with DI0 up to {_LAST_ROW}", f"DI0 up to {last}")


def _settlement(item: Section) -> Settlement | None:
    date = _read_di(item, "date", "04000101")
    days: list[int] = []
    for text in item.texts("settlement_days"):
        if not _DI.fullmatch(text):
            item.wrong("settlement_days", 'data identifiers such as "04000B01"', text)
        else:
            days.append(int(text, 16))
    if not days:
        item.wrong("settlement_days", "the identifiers of the meter's settlement days", "nothing")
    return None if date is None or not days else Settlement(tuple(days), date)


def _settlement_time(settlement: Settlement) -> ItemPoint:
    layout = parse_format("YYMMDDWW")
    assert layout is not None
    item = DataItem(settlement.date, (layout,))
    return ItemPoint(name=_TIME, quantity=Quantity.TIME, scale=Fraction(1), resolution=_MINUTE_MS, item=item)


def _write(item: Section, name: str) -> ClockWrite | None:
    if name != _CLOCK:
        item.problems.add(item.path, "the write clock: DL/T 645-2007 has no other of the standard ones", name)
        return None
    if item.choice("method", ["write", "broadcast"]) != "write":
        return ClockWrite(name)
    dis = {key: _read_di(item, key) if item.has(key) else None for key in ("date", "time", "moment")}
    apart = dis["date"] is not None and dis["time"] is not None
    if apart == (dis["moment"] is not None):
        item.wrong("date", "date and time, or moment", "both or neither")
    level = item.number("level", "2")
    if level is not None and not (level.denominator == 1 and 0 <= level <= _LAST_LEVEL):
        item.wrong("level", f"a password level 0..{_LAST_LEVEL}", str(level))
        level = None
    password = _digits(item, "password", _PASSWORD_BYTES)
    operator = _digits(item, "operator", _OPERATOR_BYTES)
    if level is None or password is None or operator is None:
        return None
    return ClockWrite(name, dis["date"], dis["time"], dis["moment"], Authority(int(level), password, operator))


def _digits(item: Section, key: str, length: int) -> bytes | None:
    """Return a number's digits as on the wire, the low ones first."""
    value = item.number(key)
    if value is None:
        return None
    if value.denominator != 1 or not 0 <= value < 100**length:
        item.wrong(key, f"a number of up to {2 * length} digits", "something else")
        return None
    return bytes.fromhex(f"{int(value):0{2 * length}d}")[::-1]
