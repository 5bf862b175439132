"""The tables of a pandapower network as `pandapower.to_json` writes them: data frames, each a JSON text in JSON."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cloud_receiver.grid.reading import json_of
from cloud_receiver.mistakes import Mistake, Problems, quoted, refuse

_MOST_INDEX: Final = 1 << 63
_LARGEST_NUMBER: Final = 1e300


class Frame:
    """A data frame in the orientation "split": columns, and rows by index."""

    def __init__(self, name: str, columns: list[str], rows: dict[str, list[Any]]) -> None:
        self.name = name
        self.columns = columns
        self._at = {column: place for place, column in enumerate(columns)}
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, index: str) -> bool:
        return index in self._rows

    def indices(self) -> Iterator[str]:
        """Iterate over the index."""
        return iter(self._rows)

    def cell(self, index: str, column: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Return a cell; None where the row, the column or the value is not there."""
        place = self._at.get(column)
        row = self._rows.get(index)
        return None if place is None or row is None else row[place]


def is_network(document: object) -> bool:
    """Return whether a JSON value is a pandapower network."""
    return isinstance(document, dict) and document.get("_class") == "pandapowerNet"


def frames(document: Mapping[str, Any], file: str) -> tuple[dict[str, Frame], Mapping[str, Any]]:
    """Return the tables of a network, and its other values; InputError when it has none."""
    content = document.get("_object")
    if not isinstance(content, dict):
        text = f"expected the tables of a pandapower network, found {quoted(content)}"
        raise refuse(Mistake.FORM, text, file=file, place="_object")
    tables = {}
    others = {}
    for name, value in content.items():
        if isinstance(value, dict) and value.get("_class") == "DataFrame":
            tables[name] = _frame(name, value, file)
        else:
            others[name] = value
    return tables, others


def _frame(name: str, value: Mapping[str, Any], file: str) -> Frame:
    place = f"table {quoted(name)}"
    if value.get("orient", "split") != "split" or value.get("is_multiindex") or value.get("is_multicolumn"):
        text = 'expected a data frame of orientation "split" with plain index and columns'
        raise refuse(Mistake.FORM, text, file=file, place=place)
    content = value.get("_object")
    if isinstance(content, str):
        content = json_of(content, file, place)
    if not isinstance(content, dict):
        raise refuse(Mistake.FORM, f"expected a data frame, found {quoted(content)}", file=file, place=place)
    columns, index, data = (content.get(key) for key in ("columns", "index", "data"))
    if not (isinstance(columns, list) and isinstance(index, list) and isinstance(data, list)):
        raise refuse(Mistake.FORM, "expected lists `columns`, `index` and `data`", file=file, place=place)
    # Columns that a user added may have any kind of name; those that are read have texts.
    headings = [column if isinstance(column, str) else f"column {number}" for number, column in enumerate(columns)]
    if len(set(headings)) != len(headings):
        raise refuse(Mistake.DUPLICATE, "a column is there twice", file=file, place=place)
    if len(index) != len(data):
        text = f"expected {len(index)} rows, found {len(data)}"
        raise refuse(Mistake.FORM, text, file=file, place=place)
    return Frame(name, headings, _rows(index, data, len(headings), file, place))


def _rows(index: list[Any], data: list[Any], width: int, file: str, place: str) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = {}
    for number, (key, row) in enumerate(zip(index, data, strict=True)):
        if not isinstance(row, list) or len(row) != width:
            text = f"expected {width} values in row {number}, found {quoted(row)}"
            raise refuse(Mistake.FORM, text, file=file, place=place)
        if not _is_index(key):
            text = f"expected a whole number or a name as index, found {quoted(key)}"
            raise refuse(Mistake.FORM, text, file=file, place=place)
        if str(key) in rows:
            raise refuse(Mistake.DUPLICATE, f"the index {quoted(key)} is there twice", file=file, place=place)
        rows[str(key)] = row
    return rows


def _is_index(key: object) -> bool:
    return isinstance(key, str) or (isinstance(key, int) and not isinstance(key, bool) and abs(key) < _MOST_INDEX)


class Cells:
    """Reads cells of a network's tables; what a cell can't be is a mistake."""

    def __init__(self, tables: Mapping[str, Frame], problems: Problems) -> None:
        self._tables = tables
        self.problems = problems

    def table(self, name: str) -> Frame:
        """Return a table, an empty one where there is none."""
        return self._tables.get(name) or Frame(name, [], {})

    def number(self, table: str, index: str, column: str) -> float | None:
        """Return a number; None where there is none."""
        value = self.table(table).cell(index, column)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > _LARGEST_NUMBER:
            text = f"{column}: expected a number, found {quoted(value)}"
            self.problems.add(Mistake.NUMBER, text, place=f"{table}[{index}]")
            return None
        return float(value)

    def on(self, table: str, index: str, column: str = "in_service") -> bool:
        """Return whether a switch is closed or an element in service; without a word of it, it is."""
        value = self.table(table).cell(index, column)
        if value not in (True, False, None):
            text = f"{column}: expected true or false, found {quoted(value)}"
            self.problems.add(Mistake.FORM, text, place=f"{table}[{index}]")
        return value in (True, None)

    def bus(self, table: str, index: str, column: str) -> str:
        """Return the index of a bus, or of another element, as an id."""
        value = self.table(table).cell(index, column)
        if _is_index(value):
            return str(value)
        text = f"{column}: expected the index of a bus, found {quoted(value)}"
        self.problems.add(Mistake.FORM, text, place=f"{table}[{index}]")
        return ""
