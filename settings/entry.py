"""The console scripts: each says plainly when the installation lacks what its program needs."""

import sys
from collections.abc import Collection
from importlib import import_module
from io import TextIOWrapper


def write_what_can_be() -> None:
    """Let standard output write what its encoding doesn't have as an escape, which is also JSON's.

    Answers have Chinese in them, and the locale may know none: no reason to answer nothing.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def start(program: str, module: str, *, extra: str, needs: Collection[str]) -> int:
    """Run `main` of a module and return its status; 1, after a message, where the extra is not installed.

    `needs` are the modules that the extra brings, loaded now or by a command: another one that is missing is raised.
    """
    write_what_can_be()
    try:
        return int(import_module(module).main())
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in needs:
            raise
        print(f"{program}: {missing} is not installed: pip install 'diantan[{extra}]'", file=sys.stderr)  # noqa: T201
        return 1
