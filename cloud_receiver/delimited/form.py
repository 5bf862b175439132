"""How a file is written, as people say it: of a command's options and of a request's parameters alike."""

from collections.abc import Mapping
from typing import Final

from cloud_receiver.delimited.numbers import COMMA, POINT
from cloud_receiver.mistakes import quoted

ENCODINGS: Final = ("utf-8", "gb18030", "latin-1", "utf-16")
"""UTF-8 with a byte order mark or without one."""
SEPARATORS: Final[Mapping[str, str]] = {",": ",", ";": ";", "tab": "\t", "\t": "\t"}
DECIMALS: Final[Mapping[str, str]] = {"point": POINT, "comma": COMMA, ".": POINT, ",": COMMA}


class FormError(ValueError):
    """What was said of a file's form can't be; the message names it."""


def separator(text: str | None) -> str | None:
    """Return what separates cells; None where it is to be found out. FormError for anything else."""
    return None if text is None else _one("separator", text, SEPARATORS, ", ; tab")


def decimal(text: str | None) -> str | None:
    """Return the decimal mark; None where the separator tells. FormError for anything else."""
    return None if text is None else _one("decimal", text, DECIMALS, "point (.), comma (,)")


def encoding(text: str | None) -> str:
    """Return an encoding, UTF-8 by default; FormError for one that is not read."""
    return _one("encoding", text or ENCODINGS[0], {name: name for name in ENCODINGS}, ", ".join(ENCODINGS))


def _one(name: str, text: str, known: Mapping[str, str], expected: str) -> str:
    found = known.get(text)
    if found is None:
        raise FormError(f"{name}: expected one of {expected}; found {quoted(text)}")
    return found
