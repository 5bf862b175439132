"""Typed access to the keys of a TOML document that collects every mistake instead of stopping at the first."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from profiles.model import Problem
from settings.decimals import exact


class Problems:
    """The mistakes found so far in one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Problem] = []

    def add(self, key: str, expected: str, found: object) -> None:
        """Note a mistake at a key."""
        self.found.append(Problem(self.file, key, expected, found if isinstance(found, str) else repr(found)))


class Section:
    """One table of the document; it remembers which keys were asked for, so that the others can be named unknown."""

    def __init__(
        self, problems: Problems, path: str, content: Mapping[str, object], parameters: Mapping[str, Decimal]
    ) -> None:
        self.problems = problems
        self.path = path
        self.parameters = parameters
        self._content = content
        self._known: set[str] = set()

    def key(self, name: str) -> str:
        """Return the full dotted key."""
        return f"{self.path}.{name}" if self.path else name

    def wrong(self, name: str, expected: str, found: object) -> None:
        """Note a mistake at one of this table's keys."""
        self.problems.add(self.key(name), expected, found)

    def names(self) -> Iterator[str]:
        """Return all keys, in the order of the file."""
        return iter(self._content)

    def has(self, name: str) -> bool:
        """Return whether a key is present."""
        return name in self._content

    def section(self, name: str, *, required: bool = False) -> "Section":
        """Return a sub-table, empty when it is absent or something else."""
        self._known.add(name)
        value = self._content.get(name)
        if value is None and required:
            self.wrong(name, "a table", "nothing")
        if value is not None and not isinstance(value, dict):
            self.wrong(name, "a table", repr(value))
        return Section(self.problems, self.key(name), value if isinstance(value, dict) else {}, self.parameters)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a non-empty text."""
        value = self._take(name, "a text", default)
        if isinstance(value, str) and value.strip():
            return value
        if value is not None:
            self.wrong(name, "a text that is not empty", repr(value))
        return ""

    def texts(self, name: str) -> list[str]:
        """Return a list of texts, empty when absent."""
        value = self._take(name, "a list of texts", [])
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return [str(item) for item in value]
        self.wrong(name, "a list of texts", repr(value))
        return []

    def choice(self, name: str, choices: Mapping[str, object] | list[str], default: str | None = None) -> str | None:
        """Return one of the given texts, or None after noting the mistake."""
        expected = "one of " + ", ".join(choices)
        value = self._take(name, expected, default)
        if isinstance(value, str) and value in choices:
            return value
        if value is not None:
            self.wrong(name, expected, repr(value))
        return None

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int | None:
        """Return an integer within bounds, or None after noting the mistake."""
        expected = f"an integer {low}..{high}"
        value = self._take(name, expected, default)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        if value is not None:
            self.wrong(name, expected, repr(value))
        return None

    def number(self, name: str, default: str | None = None) -> Fraction | None:
        """Return an exact number: a decimal text, an integer, or the `$name` of a parameter; None after a mistake."""
        expected = 'a decimal number as text ("0.01"), an integer, or "$parameter"'
        value = self._take(name, expected, default)
        if value is None:
            return None
        if isinstance(value, str) and value.startswith("$"):
            if value[1:] in self.parameters:
                return Fraction(self.parameters[value[1:]])
            self.wrong(name, "a parameter that [parameters] declares", repr(value))
            return None
        number = exact(value)
        if number is None:
            self.wrong(name, expected, repr(value))
        return None if number is None else Fraction(number)

    def supply(self, defaults: Mapping[str, object]) -> None:
        """Take what the file does not say from elsewhere, as if it stood there."""
        self._content = {**defaults, **self._content}

    def close(self) -> None:
        """Note every key that nobody asked for."""
        for name in self._content:
            if name not in self._known:
                self.wrong(name, "one of the known keys " + ", ".join(sorted(self._known)), "an unknown key")

    def _take(self, name: str, expected: str, default: object) -> object:
        self._known.add(name)
        if name in self._content:
            return self._content[name]
        if default is None:
            self.wrong(name, expected, "nothing")
        return default
