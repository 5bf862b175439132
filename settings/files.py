"""Reading files that people write: never more than a bound, UTF-8 only, exact decimals."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from settings.errors import ConfigError

LARGEST: Final = 4 << 20
"""Bytes that a configuration may have unless its program says otherwise."""


class ContentError(ValueError):
    """A file's content is none: what was `expected`, and what was `found`."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


def read_octets(path: Path, largest: int) -> bytes:
    """Return the content of a file of at most `largest` bytes; OSError, ContentError."""
    with path.open("rb") as stream:
        # Not by the size the system states: a device or a pipe has none and may never end.
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise ContentError(f"at most {largest} bytes", "more")
    return content


def read_text(path: Path, largest: int) -> str:
    """Return the text of a file of at most `largest` bytes; OSError, ContentError."""
    return decoded(read_octets(path, largest))


def decoded(content: bytes) -> str:
    """Return UTF-8 octets as text, without a byte order mark; ContentError names the line of the first wrong byte."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ContentError("UTF-8 text", f"byte {error.object[error.start]:#04x} in line {line}") from None


def read_toml(path: Path, largest: int = LARGEST) -> dict[str, Any]:
    """Return a TOML document, its decimal numbers exact; ConfigError names the file."""
    try:
        return toml_of(read_octets(path, largest))
    except OSError as error:
        raise ConfigError([f"{path}: can't be read: {error.strerror or error}"]) from None
    except ContentError as error:
        raise ConfigError([f"{path}: {error}"]) from None
    except ConfigError as error:
        raise ConfigError([f"{path}: {problem}" for problem in error.problems]) from None


def toml_of(content: bytes) -> dict[str, Any]:
    """Return octets as a TOML document, its decimal numbers exact; ConfigError, which names no file."""
    try:
        return tomllib.loads(decoded(content), parse_float=Decimal)
    except ContentError as error:
        raise ConfigError([str(error)]) from None
    except ValueError as error:  # also of an integer with more digits than Python reads
        raise ConfigError([f"not TOML: {error}"]) from None
    except RecursionError:
        raise ConfigError(["not TOML: too many values inside one another"]) from None
