"""The parts of a DL/T 698.45 profile, built from the tables of its document: points, tables and writes."""

from collections.abc import Callable
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from profiles.build import Head, named, read_number
from profiles.dlt698.association import read_association
from profiles.dlt698.fields import read_oad, read_type, read_whole, supply_standard
from profiles.dlt698.model import ClockWrite, DataType, FactorWrite, ObjectPoint, RecordTable
from profiles.dlt698.profile import Dlt698Profile
from profiles.dlt698.writes import FACTOR_DAY
from profiles.points import COLUMNS, POINTS, TABLES, WRITES, Quantity, StandardPoint
from profiles.reader import Section

_MOST_ELEMENTS: Final = 255
_TARIFFS: Final = 5  # total and the four of most meters
_PHASES: Final = 4  # total and three
_LAST_ENERGY_OBJECT: Final = 0x1FFF  # energies and demands stand below, per tariff
_LONGEST_STRING: Final = 32
_DAY_PARTS: Final = (1, 24, 96)
_WRITABLE: Final = ("clock", "factor")


def build(root: Section, head: Head) -> Dlt698Profile:
    """Return the profile of a document; mistakes are noted with the section."""
    association = read_association(root.section("dlt698"))
    points = named(root.section("points", required=True), POINTS, lambda item, name: _point(item, name, POINTS[name]))
    freezes = {name: text for name, text in TABLES.items() if name.endswith("_freezes")}
    tables = named(root.section("tables"), freezes, _table)
    writes: dict[str, ClockWrite | FactorWrite] = {}
    known = {name: WRITES[name] for name in _WRITABLE}
    built: dict[str, ClockWrite | FactorWrite] = named(root.section("writes"), known, _write)
    for name, write in built.items():
        writes[name] = write
        if isinstance(write, FactorWrite):
            writes[FACTOR_DAY] = write
    return Dlt698Profile(
        name=head.name,
        model=head.model,
        manufacturer=head.manufacturer,
        source=head.source,
        points=MappingProxyType(points),
        tables=MappingProxyType(tables),
        writes=MappingProxyType(writes),
        association=association,
        elements=MappingProxyType(_elements([*points.values(), *(c for t in tables.values() for c in t.columns)])),
    )


def _elements(points: list[ObjectPoint]) -> dict[int, int]:
    found: dict[int, int] = {}
    for point in points:
        usual = _TARIFFS if point.base >> 16 <= _LAST_ENERGY_OBJECT else _PHASES
        found[point.base] = max(found.get(point.base, usual), point.index)
    return found


def _point(item: Section, name: str, standard: StandardPoint) -> ObjectPoint | None:
    oad = read_oad(item, "oad")
    element = read_whole(item, "element", 0, _MOST_ELEMENTS, 0)
    part = read_whole(item, "part", 0, _MOST_ELEMENTS, 0)
    if oad is not None and oad & 0xFF and element:
        item.wrong("element", "no element beside an OAD with an index", str(element))
        return None
    if oad is not None and element is not None and part is not None:
        supply_standard(item, oad | element, part, standard.quantity)
    point = _value(item, name, standard)
    if point is None or oad is None or element is None or part is None:
        return None
    return point(oad, element, part)


def _value(item: Section, name: str, standard: StandardPoint) -> Callable[[int, int, int], ObjectPoint] | None:
    """Read how a value is typed and what it is worth; return what makes a point of it at an OAD, element and part."""
    kind = read_type(item, standard.quantity)
    if standard.quantity is Quantity.TIME:
        if kind is None:
            return None
        step = 1000 if kind is DataType.DATE_TIME_S else 1
        return lambda oad, element, part: ObjectPoint(
            name=name, quantity=Quantity.TIME, scale=Fraction(1), resolution=step,
            oad=oad, element=element, part=part, type=kind,
        )  # fmt: skip
    number = read_number(item, standard.quantity, kind)
    length = _length(item, kind)
    if kind is None or number is None or length is None:
        return None
    return lambda oad, element, part: ObjectPoint(
        name=name,
        quantity=standard.quantity,
        scale=number.scale,
        resolution=number.resolution,
        missing=number.missing,
        rollover=number.rollover,
        oad=oad,
        element=element,
        part=part,
        type=kind,
        length=length,
    )


def _length(item: Section, kind: DataType | None) -> int | None:
    """Return the length of a string type: octets, bits of a bit string; 0 for the others."""
    if kind in (DataType.OCTET_STRING, DataType.VISIBLE_STRING):
        return item.integer("length", 1, _LONGEST_STRING)
    if kind is DataType.BIT_STRING:
        return item.integer("length", 1, 64)
    return 0


def _table(item: Section, name: str) -> RecordTable | None:
    oad = read_oad(item, "oad")
    rows = item.integer("rows", 1, _MOST_ELEMENTS)
    section = item.section("columns", required=True)
    columns = named(section, COLUMNS, lambda column, key: _point(column, key, COLUMNS[key]))
    if oad is None or rows is None:
        return None
    return RecordTable(name, oad, rows, tuple(columns.values()))


def _write(item: Section, name: str) -> ClockWrite | FactorWrite | None:
    oad = read_oad(item, "oad")
    if oad is not None:
        supply_standard(item, oad, 0, WRITES[name][_field(name)].quantity)
    point = _value(item, "time" if name == "clock" else "carbon_factor", WRITES[name][_field(name)])
    if name == "clock":
        return None if oad is None or point is None else ClockWrite(name, point(oad, 0, 0))
    values = read_whole(item, "values", 1, max(_DAY_PARTS))
    unit = read_whole(item, "interval_unit", 0, 5)
    interval = read_whole(item, "interval", 1, 0xFFFF)
    if values is not None and values not in _DAY_PARTS:
        item.wrong("values", "1, 24 or 96 values a day", str(values))
        return None
    if oad is None or point is None or values is None or unit is None or interval is None:
        return None
    return FactorWrite(name, point(oad, 0, 0), values, unit, interval)


def _field(name: str) -> str:
    return "time" if name == "clock" else "carbon_factor"
