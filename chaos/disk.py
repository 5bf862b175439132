"""A disk that is full: a small file system of its own under a program's data, or a limit where there can't be one.

The file system is a tmpfs in a mount namespace that the program is started in (namespaces(7)), so writes fail with
ENOSPC as on a real disk. Where the machine lets nobody make one, no file of the program may grow: then write(2) fails
with EFBIG, which SQLite tells as an I/O error.
"""

import errno
import functools
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

_ROOM = 512 * 1024  # beyond what is in the directory
_BALLAST = "ballast"
_PIECES = (65_536, 4096)
_LIMIT_BYTES = 4096  # no file may grow or be written beyond this: neither a journal nor its log
_STOP_S = 10


class NoNamespaceError(RuntimeError):
    """The machine lets this user make no mount namespace."""


class SmallDisk:
    """A tmpfs with a copy of a directory, in its place for whatever is started with `prefix`."""

    def __init__(self, directory: Path, holder: subprocess.Popen[str]) -> None:
        self._directory = directory
        self._holder = holder

    @classmethod
    def mount(cls, directory: Path) -> Self:
        """Mount one over an existing directory, which nobody may be using; NoNamespaceError."""
        unshare = shutil.which("unshare")
        if unshare is None or shutil.which("nsenter") is None:
            raise NoNamespaceError("unshare or nsenter is not installed")
        used = sum(file.stat().st_size + _PIECES[-1] for file in directory.rglob("*") if file.is_file())
        script = 'mount -t tmpfs -o "size=$2" tmpfs "$1" && echo mounted && exec cat'
        arguments = (
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
            str(directory),
            str(used + _ROOM),
        )
        holder = subprocess.Popen(
            [unshare, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None
        assert holder.stderr is not None
        if holder.stdout.readline() != "mounted\n":
            _, words = holder.communicate(timeout=_STOP_S)
            raise NoNamespaceError(words.strip() or f"unshare ended with {holder.returncode}")
        disk = cls(directory, holder)
        shutil.copytree(directory, disk.root, dirs_exist_ok=True)
        return disk

    @property
    def root(self) -> Path:
        """The directory as it is on the small disk, seen from outside."""
        return Path(f"/proc/{self._holder.pid}/root{self._directory}")

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command line, so that the program sees the small disk."""
        nsenter = shutil.which("nsenter")
        assert nsenter is not None
        return nsenter, "--target", str(self._holder.pid), "--user", "--mount", "--preserve-credentials", "--"

    def fill(self) -> None:
        """Write until not one more page fits."""
        with (self.root / _BALLAST).open("ab", buffering=0) as ballast:
            for piece in _PIECES:
                try:
                    while True:
                        ballast.write(bytes(piece))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def make_room(self) -> None:
        """Delete what `fill` has written."""
        (self.root / _BALLAST).unlink(missing_ok=True)

    def bring_home(self) -> None:
        """Put what is on the small disk in the place of what was in the directory; not while a program uses it."""
        self.make_room()
        for file in self._directory.iterdir():
            shutil.rmtree(file) if file.is_dir() else file.unlink()
        shutil.copytree(self.root, self._directory, dirs_exist_ok=True)

    def unmount(self) -> None:
        """End the namespace, and the tmpfs with it."""
        self._holder.communicate(timeout=_STOP_S)


@functools.cache
def way() -> str:
    """Return in words how a full disk is made on this machine; found out once."""
    if (reason := _refusal()) is not None:
        return f"disks are filled by RLIMIT_FSIZE (EFBIG), as there is no mount namespace: {reason}"
    return "disks are filled in truth (ENOSPC), each a tmpfs in a mount namespace"


@functools.cache
def _refusal() -> str | None:
    with tempfile.TemporaryDirectory() as directory:
        try:
            SmallDisk.mount(Path(directory)).unmount()
        except NoNamespaceError as error:
            return str(error)
    return None


def can_mount() -> bool:
    """Return whether this machine lets small disks be made."""
    return _refusal() is None


def limit_files(pid: int, *, full: bool) -> None:
    """Let every write of a process fail beyond the first page of a file, or let it write again.

    The soft RLIMIT_FSIZE can be set for a running process without root.
    """
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (_LIMIT_BYTES if full else hard, hard))
