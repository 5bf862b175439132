"""The command line of the grid's demonstration, where what it needs is not there."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def demo(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    command = [sys.executable, "-m", "demo.grid", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_without_pandapower_s_environment_it_says_how_to_make_it(tmp_path: Path) -> None:
    """No traceback, and no books that nobody drew up."""
    done = demo("--power-flow", str(tmp_path / "none"), "--directory", str(tmp_path / "demo"))
    assert done.returncode == 1
    assert done.stderr == f"grid demo: {tmp_path / 'none'}: there is no such interpreter; `make grid-demo` makes it\n"
    assert done.stdout == ""


def test_a_power_flow_that_fails_ends_it(tmp_path: Path) -> None:
    """Its own errors come before."""
    done = demo("--power-flow", "/bin/false", "--directory", str(tmp_path / "demo"))
    assert done.returncode == 1
    assert done.stderr.endswith("grid demo: the power flow ended with 1\n")


@pytest.mark.parametrize("wrong", [("--users", "3"), ("--users", "15"), ("--hours", "25"), ("--hours", "0")])
def test_numbers_out_of_range_are_refused(wrong: tuple[str, str]) -> None:
    """As a wrong command line."""
    done = demo(*wrong)
    assert (done.returncode, "invalid choice" in done.stderr) == (2, True)
