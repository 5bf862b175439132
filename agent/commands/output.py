"""Where the commands speak: results on standard output, all else on standard error."""

import io
import os
import sys
from typing import Final

FAILED: Final = 1
WRONG: Final = 2
INTERRUPTED: Final = 130  # as shells have it: 128 and SIGINT


class CommandError(Exception):
    """A command could not do what it was asked; the text says why."""


class UsageError(CommandError):
    """The command line or a file named there is wrong; the command ends with status 2."""


def take_any_text() -> None:
    """Let no octet that comes, and no Chinese character that goes to a terminal that has none, end a command."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if stream is sys.stdin else "backslashreplace")


def say(*lines: str) -> None:
    """Print lines on standard error."""
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201 - the command's own output


def show(text: str) -> None:
    """Print a result on standard output at once, since it may go into a pipe that somebody watches."""
    try:
        print(text, flush=True)  # noqa: T201 - the command's own output
    except BrokenPipeError:
        # The interpreter writes what is left once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
