"""A disk that is really full: for whoever is started on it, and for nobody else."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.disk import NoNamespaceError, SmallDisk, can_mount, limit_files, way

WRITE = "import sys; sys.stdout.write(open(sys.argv[1], 'ab', buffering=0).write(b'x' * 8192).__str__())"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a directory with something in it."""
    directory = tmp_path / "data"
    (directory / "deep").mkdir(parents=True)
    (directory / "kept").write_text("old")
    (directory / "deep" / "kept").write_text("old")
    return directory


@pytest.fixture
def disk(data: Path) -> Iterator[SmallDisk]:
    """Mount a small disk over it; machines that allow no namespace use the other way, which has its own test."""
    if not can_mount():
        pytest.skip(way())
    made = SmallDisk.mount(data)
    yield made
    made.unmount()


def write(disk: SmallDisk, file: Path) -> subprocess.CompletedProcess[str]:
    """Let a process that is started on the disk append to a file."""
    line = [*disk.prefix, sys.executable, "-c", WRITE, str(file)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_a_program_on_it_finds_what_was_there_and_no_room(disk: SmallDisk, data: Path) -> None:
    assert "ENOSPC" in way()
    assert (disk.root / "deep" / "kept").read_text() == "old"
    assert write(disk, data / "new").stdout == "8192"
    disk.fill()
    full = write(disk, data / "new")
    assert full.returncode != 0
    assert f"[Errno {errno.ENOSPC}]" in full.stderr
    # Where the rest of the machine lives there is room, and nothing has changed.
    assert sorted(path.name for path in data.iterdir()) == ["deep", "kept"]
    (data / "kept").write_text("x" * 8192)
    disk.make_room()
    assert write(disk, data / "new").stdout == "8192"


def test_what_was_written_on_it_takes_the_place_of_what_was_there(disk: SmallDisk, data: Path) -> None:
    write(disk, data / "new")
    (disk.root / "kept").unlink()
    disk.fill()
    disk.bring_home()
    assert sorted(path.relative_to(data) for path in data.rglob("*")) == [Path("deep"), Path("deep/kept"), Path("new")]
    assert (data / "new").read_bytes() == b"x" * 8192


def test_without_namespaces_the_reason_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(data))
    with pytest.raises(NoNamespaceError, match="not installed"):
        SmallDisk.mount(data)
    false = data / "unshare"
    false.write_text("#!/bin/sh\necho unshare failed: Operation not permitted >&2\nexit 1\n")
    false.chmod(0o755)
    (data / "nsenter").symlink_to(false)
    monkeypatch.setenv("PATH", f"{data}:/usr/bin:/bin")
    with pytest.raises(NoNamespaceError, match="Operation not permitted"):
        SmallDisk.mount(data)


def test_the_other_way_lets_no_file_grow(tmp_path: Path) -> None:
    script = f"import sys; sys.stdin.readline(); {WRITE}"
    for full, returncode in ((True, 1), (False, 0)):
        line = [sys.executable, "-c", script, str(tmp_path / "file")]
        with subprocess.Popen(line, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, stdout=subprocess.PIPE) as one:
            limit_files(one.pid, full=True)
            limit_files(one.pid, full=full)
            (tmp_path / "file").write_bytes(bytes(4096))
            one.communicate(b"\n")
        assert one.returncode == returncode
