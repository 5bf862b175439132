"""Where readings come from: lines of a file, or objects of a document of JSON."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from cloud_receiver.delimited.table import Bounds, Table
from cloud_receiver.metered_import.form import Form
from cloud_receiver.mistakes import Mistake, Problems, quoted

BOUNDS: Final = Bounds(bytes=512 << 20, line=1 << 16, lines=600_000)
"""A year of minutes of one meter is some 30 MB, in 525,600 lines."""


class Source(Protocol):
    """Rows of cells, the first of them headings where the form says so."""

    @property
    def separator(self) -> str:
        """Return what separates cells, once the first row was read."""

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows with their numbers; one without cells gives others their turn."""

    def place(self, row: int, column: int | None = None) -> str:
        """Return a row, or the cell of one, as messages name it; `column` from 0."""


def table(path: Path, form: Form, name: str, on_bytes: Callable[[int], None] = lambda _: None) -> Table:
    """Return a file as a source; `name`: of the file, in messages."""
    return Table(path, BOUNDS, name=name, separator=form.separator, encoding=form.encoding, on_bytes=on_bytes)


class Objects:
    """A list of objects as a source: its rows are numbered from 1, and the headings are the keys."""

    separator = ","

    def __init__(self, items: Sequence[object], known: Collection[str], name: str) -> None:
        """InputError with every object that is none, and every key and value that can't be; null is no value."""
        problems = Problems(name)
        found = [self._texts(item, number, known, problems) for number, item in enumerate(items, 1)]
        self.keys = [key for key in known if any(key in texts for texts in found)]
        self._rows = [[texts.get(key, "") for key in self.keys] for texts in found]
        for number, texts in enumerate(found, 1):
            missing = next((key for key in self.keys if key not in texts), None)
            if texts and missing is not None:
                text = f"expected {missing} as in other readings, null for no value; found none"
                problems.add(Mistake.FORM, text, place=self.place(number))
        problems.raise_any()

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the keys, then the values of each object."""
        return enumerate([self.keys, *self._rows])

    def place(self, row: int, column: int | None = None) -> str:
        """Return an object as messages name it: they say by themselves which value they are about."""
        return f"reading {row}"

    def _texts(self, item: object, number: int, known: Collection[str], problems: Problems) -> dict[str, str]:
        place = self.place(number)
        if not isinstance(item, dict) or not item:
            problems.add(Mistake.FORM, f"expected an object with a time, found {quoted(item)}", place=place)
            return {}
        texts: dict[str, str] = {}
        for key, value in item.items():
            if key not in known:
                problems.add(Mistake.FORM, f"expected some of {', '.join(known)}, found {quoted(key)}", place=place)
                continue
            texts[key] = value if isinstance(value, str) else ""
            if not (value is None or isinstance(value, str)):
                problems.add(Mistake.FORM, f"{key}: expected a text or a number, found {quoted(value)}", place=place)
        return texts
