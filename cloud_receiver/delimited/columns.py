"""Which column of a file is meant: by its heading, or by its number."""

from collections.abc import Collection, Sequence
from typing import Final

from cloud_receiver.mistakes import quoted

_MOST_SHOWN: Final = 20
_MOST_DIGITS: Final = 4


class ColumnError(ValueError):
    """A column that isn't there, or that nobody knows; the message has those that there are."""


def place_of(text: str, names: Sequence[str], what: str, *, headings: bool = True) -> int:
    """Return the place of a column from 0; capitals don't matter unless two headings differ by them alone.

    `what`: by which the message names it; `headings`: whether `names` are headings, else a number is all there is.
    """
    if headings:
        exact = [place for place, name in enumerate(names) if name == text]
        here = exact or [place for place, name in enumerate(names) if name.casefold() == text.casefold()]
        if len(here) == 1:
            return here[0]
        if len(here) > 1:
            raise ColumnError(f"{what} {text}: is there {len(here)} times, expected once; a number names one too")
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and 1 <= int(text) <= len(names):
        return int(text) - 1
    expected = "a heading or a number from 1" if headings else "a number from 1"
    raise ColumnError(f"{what} {quoted(text)}: expected {expected}, found {shown(names)}")


def shown(names: Sequence[str]) -> str:
    """Return the columns of a file as messages list them."""
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return f"{len(names)} columns: {', '.join(quoted(name) for name in names[:_MOST_SHOWN])}{more}"


def columns_of(given: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """Return a file's own headings by our names, of texts NAME=HEADING; ColumnError for what is none."""
    result: dict[str, str] = {}
    for item in given:
        ours, separator, theirs = item.partition("=")
        if not separator or not theirs or ours not in known:
            raise ColumnError(f"--column {quoted(item)}: expected NAME=HEADING, NAME one of {', '.join(known)}")
        if ours in result:
            raise ColumnError(f"--column {ours}: is there twice")
        result[ours] = theirs
    return result
