"""The bytes of a file, uncompressed if it is compressed (gzip), and their digest."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from cloud_receiver.mistakes import InputError, Mistake, refuse

_MAGIC: Final = b"\x1f\x8b"
"""With which a gzip file begins (RFC 1952, 2.3.1)."""


@contextmanager
def opened(path: Path, *, looked_into: bool = False) -> Iterator[BinaryIO]:
    """Open a file; InputError when it can't be read, then or later.

    It is compressed if its name ends in .gz, or, `looked_into`, if it begins as gzip does. What came from elsewhere is
    not looked into: its size was bounded before, and must not grow.
    """
    try:
        with _stream(path, looked_into=looked_into) as stream:
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise refuse(Mistake.FORM, f"can't be uncompressed: {error}", file=str(path)) from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _stream(path: Path, *, looked_into: bool) -> BinaryIO:
    packed = path.suffix == ".gz"
    if looked_into:
        with path.open("rb") as file:
            packed = file.read(len(_MAGIC)) == _MAGIC
    return cast("BinaryIO", gzip.open(path, "rb")) if packed else path.open("rb")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file as it is, compressed or not, in hexadecimal; InputError when it can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> InputError:
    return refuse(Mistake.FORM, f"can't be read: {error.strerror or error}", file=str(path))
