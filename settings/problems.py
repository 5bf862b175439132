"""What is wrong with a document, a line for each mistake: key, what was expected, what came, the nearest known key."""

import difflib
import re
from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from settings.errors import ConfigError
from settings.shape import Kinds, Place, Shape, keys, shape_of

_UNION_ERRORS: Final = ("union_tag_invalid", "union_tag_not_found")
_LONGEST_SHOWN: Final = 100
# Where pydantic speaks of Python, not of TOML.
_TABLE: Final = "expected a table"
_ARRAY: Final = "expected an array"
_EXPECTED: Final = {
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
    "dict_type": _TABLE,
    "list_type": _ARRAY,
    "tuple_type": _ARRAY,
}
_Location = tuple[str | int, ...]


def problems_of(file: object, document: object, error: ValidationError, model: object) -> list[str]:
    """Return a line for each mistake of `error`, the file in front; `document` is what was checked against `model`."""
    return [f"{file}: {line}" for line in lines_of(document, error, model)]


def lines_of(document: object, error: ValidationError, model: object) -> list[str]:
    """Return a line for each mistake, without a file. `model` is a model or a union of models told apart by a key."""
    return _Document(document, shape_of(model)).lines(error.errors(include_url=False))


class _Document:
    """What was checked, and what it should have been."""

    def __init__(self, content: object, shape: Shape) -> None:
        self._content = content
        self._shape = shape
        self._called: dict[int, list[str]] = {}

    def lines(self, errors: Sequence[ErrorDetails]) -> list[str]:
        found: list[str] = []
        for _, group in groupby(errors, lambda item: self._place(item["loc"]).key):
            first, *others = group
            found += self._told(first, others)
            if first["type"] in _UNION_ERRORS:
                found += self._of_any_kind(first["loc"])
        return found

    def _place(self, location: _Location) -> Place:
        place = Place(self._content, self._shape, called=self._called)
        for step in location:
            place.walk(step)
        return place

    def _told(self, item: ErrorDetails, others: Sequence[ErrorDetails]) -> list[str]:
        """Return the lines of one mistake: a value that may be of several types is wrong as each of them."""
        place = self._place(item["loc"])
        if item["type"] in _UNION_ERRORS and isinstance(place.shape, Kinds):
            key = f"{place.key}.{place.shape.key}" if place.key else place.shape.key
            return [f"{key}: {_wrong_kind(place.shape, place.value)}"]
        if item["type"] == "value_error" and isinstance(cause := item["ctx"]["error"], ConfigError):
            return [_line(place.key, text) for text in cause.problems]
        if item["type"] == "value_error" and not place.key:
            # What is wrong between keys names them itself.
            return [str(item["ctx"]["error"])]
        return [_line(place.key or "(whole)", _message(place, item, others))]

    def _of_any_kind(self, location: _Location) -> list[str]:
        """Return what is wrong with a table whatever its kind, which nobody knows: so that all is told at once."""
        place = self._place(location)
        if not isinstance(place.value, dict) or not isinstance(place.shape, Kinds):
            return []
        common: list[str] | None = None
        for tag, model in place.shape.models.items():
            lines = self._of_kind(location, tag, model, {**place.value, place.shape.key: tag})
            common = lines if common is None else [line for line in common if line in lines]
        return common or []

    def _of_kind(self, location: _Location, tag: str, model: type[BaseModel], table: Mapping[str, object]) -> list[str]:
        try:
            model.model_validate(table)
        except ValidationError as error:
            items = error.errors(include_url=False)
            return self.lines([{**item, "loc": (*location, tag, *item["loc"])} for item in items])
        return []


def _line(key: str, text: str) -> str:
    return f"{key}: {text}" if key else text


def _message(place: Place, item: ErrorDetails, others: Sequence[ErrorDetails]) -> str:
    if item["type"] == "missing":
        return "is missing"
    if item["type"] == "extra_forbidden":
        return _unknown(place, str(item["loc"][-1]))
    also = [_expected(other).removeprefix("expected ") for other in others]
    return " or ".join([_expected(item), *also]) + _got(item["input"])


def _wrong_kind(kinds: Kinds, table: Any) -> str:  # noqa: ANN401 - whatever a file has
    if kinds.key not in table:
        return "is missing"
    return f"expected one of {', '.join(map(repr, kinds.models))}{_got(table[kinds.key])}"


def _unknown(place: Place, key: str) -> str:
    """Return why a key can't be there: it belongs to another kind of table, is mistyped, or nobody knows it."""
    if place.kinds is not None:
        others = [kind for kind, model in place.kinds.models.items() if key in keys(model)]
        if others:
            what = f"a {place.name} of {place.kinds.key} {place.tag!r}"
            return f"{what} has no such key, one of {' or '.join(map(repr, others))} has"
    close = difflib.get_close_matches(key, [] if place.table is None else keys(place.table), 1)
    return "unknown key" + (f"; did you mean {close[0]!r}?" if close else "")


def _expected(item: ErrorDetails) -> str:
    """Return pydantic's message as ours begin."""
    message = _EXPECTED.get(item["type"], item["msg"]).removeprefix("Value error, ")
    message = re.sub(r"^String should match pattern ", "expected text of the form ", message)
    return re.sub(r"^[A-Z][a-z ]+ should (?:be|have) ", "expected ", message)


def _got(value: Any) -> str:  # noqa: ANN401 - whatever a file has
    if isinstance(value, (Decimal, date, time)):
        shown = str(value)
    elif isinstance(value, (str, int, float)):
        shown = repr(value)
    else:
        return ""
    return f", got {shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + '…'}"
