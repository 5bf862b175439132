"""The command line of the replay: what it can't replay is refused before anything runs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def replay(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    command = [sys.executable, "-m", "demo.replay", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--days", "0"), "expected 1 to 60, got 0"),
        (("--chargers", "3"), "expected 4 to 60, got 3"),
        (("--altered", "3,0"), "expected per cents such as 3.5,-3.0, none 0, got '3,0'"),
        (("--altered", "3,nan"), "none 0, got '3,nan'"),
        (("--altered", "3;4"), "none 0, got '3;4'"),
        (("--altered", "51"), "none 0, got '51'"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong: tuple[str, str], said: str) -> None:
    done = replay(*wrong)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_file_that_can_t_be_replayed_is_named(tmp_path: Path) -> None:
    kept = tmp_path / "replay" / "kept"
    kept.parent.mkdir()
    kept.touch()
    done = replay("--sessions", str(tmp_path / "none.csv"), "--directory", str(kept.parent))
    assert done.returncode == 2
    assert done.stderr.startswith(f"replay: {tmp_path / 'none.csv'}: can't be read")
    assert kept.exists()  # nothing was emptied for it
