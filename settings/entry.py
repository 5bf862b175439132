"""The console scripts: each says plainly when the installation lacks what its program needs."""

import codecs
import json
import sys
from collections.abc import Collection
from importlib import import_module
from io import TextIOWrapper

_ESCAPES = "diantan-escapes"


def write_what_can_be() -> None:
    """Let standard output write what its encoding doesn't have as an escape of JSON.

    Answers have Chinese in them, and the locale may know none: no reason to answer nothing.
    """
    codecs.register_error(_ESCAPES, _escaped)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors=_ESCAPES)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    # Not as `backslashreplace`: JSON knows neither \xb1 nor \U0001f50c.
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


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
