"""A directory of small files, in the steps whose order decides what a power cut leaves."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

_FILE_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700


class Disk(Protocol):
    """Files by name. OSError when the disk refuses; FileNotFoundError where there is no such file."""

    def names(self) -> Sequence[str]:
        """Return what is there."""

    def read(self, name: str, largest: int) -> bytes:
        """Return a file's content, its first `largest` octets."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file; its content is on the disk when this returns, its name perhaps not."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in place of the file that has it."""

    def remove(self, name: str) -> None:
        """Remove a file."""

    def sync(self) -> None:
        """Have the names on the disk when this returns."""


class Directory:
    """A directory of the file system, made when something is first written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> Sequence[str]:
        """Return what is there."""
        try:
            return [path.name for path in self._path.iterdir()]
        except FileNotFoundError:
            return ()

    def read(self, name: str, largest: int) -> bytes:
        """Return a file's content, its first `largest` octets."""
        with (self._path / name).open("rb") as file:
            return file.read(largest)

    def write(self, name: str, content: bytes) -> None:
        """Write a file, readable by its owner only, and sync it."""
        self._make()
        descriptor = os.open(self._path / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, _FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in place of the file that has it."""
        (self._path / old).rename(self._path / new)

    def remove(self, name: str) -> None:
        """Remove a file."""
        (self._path / name).unlink()

    def sync(self) -> None:
        """Sync the directory."""
        _sync(self._path)

    def _make(self) -> None:
        with suppress(FileExistsError):
            self._path.mkdir(_DIRECTORY_MODE)
            _sync(self._path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(disk: Disk, name: str, content: bytes) -> None:
    """Have a file with a content on the disk; a power cut on the way leaves the one before, or none."""
    new = f"{name}.new"
    disk.write(new, content)
    disk.rename(new, name)
    disk.sync()
