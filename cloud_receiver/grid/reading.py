"""Reads the text of a file with bounds, and JSON whose nesting and keys can be trusted."""

import json
from pathlib import Path
from typing import Any, Final

from cloud_receiver.mistakes import Mistake, quoted, refuse
from settings.files import ContentError, read_text

LARGEST: Final = 32 << 20
"""Bytes of one file. The largest public network, of 9241 nodes with its flows, has 10 MB as pandapower writes it."""


def text_of(path: Path, largest: int = LARGEST) -> str:
    """Return the text of a file; InputError when it can't be read, is too large or no UTF-8."""
    try:
        return read_text(path, largest)
    except OSError as error:
        raise refuse(Mistake.FORM, f"can't be read: {error.strerror or error}", file=str(path)) from None
    except ValueError as error:  # ContentError, and of a name with a NUL
        mistake = Mistake.TOO_LARGE if _too_large(error) else Mistake.FORM
        raise refuse(mistake, str(error), file=str(path)) from None


def _too_large(error: ValueError) -> bool:
    return isinstance(error, ContentError) and error.expected.startswith("at most")


def json_of(text: str, file: str, place: str = "") -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return a JSON value; InputError for one that is none, has a key twice or is nested too deep."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        where = ", ".join(part for part in (place, f"line {error.lineno}, column {error.colno}") if part)
        raise refuse(Mistake.FORM, f"not JSON: {error.msg}", file=file, place=where) from None
    except RecursionError:
        text = "not JSON: too many values inside one another"
        raise refuse(Mistake.FORM, text, file=file, place=place) from None
    except ValueError as error:  # a key twice, or an integer with more digits than Python reads
        raise refuse(Mistake.FORM, f"not JSON: {error}", file=file, place=place) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add returns None
        raise ValueError(f"the key {quoted(twice)} is there twice")
    return document
