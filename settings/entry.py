"""The console scripts: each says plainly when the installation lacks what its program needs."""

import sys
from collections.abc import Collection
from importlib import import_module


def start(program: str, module: str, *, extra: str, needs: Collection[str]) -> int:
    """Run `main` of a module and return its status; 1, after a message, where the extra is not installed.

    `needs` are the modules that the extra brings, loaded now or by a command: another one that is missing is raised.
    """
    try:
        return int(import_module(module).main())
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in needs:
            raise
        print(f"{program}: {missing} is not installed: pip install 'diantan[{extra}]'", file=sys.stderr)  # noqa: T201
        return 1
