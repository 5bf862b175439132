"""What must hold between the parts of a DL/T 645-2007 profile: an identifier means the same wherever it stands."""

from collections.abc import Iterator, Mapping

from profiles.dlt645.formats import DataItem, block_place, di_text
from profiles.dlt645.model import ItemPoint, ItemTable
from profiles.reader import Problems


def check_items(problems: Problems, points: Mapping[str, ItemPoint], tables: Mapping[str, ItemTable]) -> None:
    """Note items whose formats disagree, and values that two names claim."""
    items: dict[int, tuple[str, DataItem]] = {}
    owners: dict[tuple[int, int, int], str] = {}
    for key, point in _all(points, tables):
        item = point.item
        other, known = items.setdefault(item.di, (key, item))
        if known.formats != item.formats:
            found = " ".join(field.text for field in item.formats)
            expected = f"the formats that {other} has for {di_text(item.di)}"
            problems.add(f"{key}.format", expected, found)
            continue
        place = None if item.repeats else block_place(item.di)
        di, element = (item.di, point.element) if place is None else place
        owner = owners.setdefault((di, element, point.field), key)
        if owner != key:
            problems.add(f"{key}.di", f"a value of its own: {owner} has this one", di_text(item.di))


def _all(points: Mapping[str, ItemPoint], tables: Mapping[str, ItemTable]) -> Iterator[tuple[str, ItemPoint]]:
    for point in points.values():
        yield f"points.{point.name}", point
    for table in tables.values():
        for column in table.columns:
            if table.settlement is None or column.name != "time":
                yield f"tables.{table.name}.columns.{column.name}", column
