"""`diantan-sim fault`: faults of a running simulator, over its control socket."""

import argparse
import json
import socket
from pathlib import Path
from typing import Any, Final

from firmware_sim.faults.control import LONGEST_LINE
from settings.errors import ConfigError

_ANSWER_S: Final = 30.0

Json = dict[str, Any]


def ask(path: Path, request: Json) -> Json:
    """Return the simulator's answer to a request; ConfigError when it refuses, OSError when nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_ANSWER_S)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as stream:
                line = stream.readline()
        except OSError as error:
            raise OSError(f"no simulator answers at {path}: {error.strerror or error}") from None
    try:
        answer: Json = json.loads(line)
    except ValueError:
        raise OSError(f"{path}: expected an answer of a simulator, found {line[:40]!r}") from None
    if not answer.get("ok"):
        raise ConfigError([f"{problem['key']}: {problem['text']}" for problem in answer["problems"]])
    return answer


def fault_command(options: argparse.Namespace) -> int:
    """Carry out the command; print what the simulator answers, one JSON object a line."""
    if options.do == "set":
        document: Json = {"kind": options.kind}
        for key, value in options.setting:
            if key in document:
                raise ConfigError([f"{key}: expected it once, found it twice"])
            document[key] = value
        _print(ask(options.control, {"do": "set", "fault": document})["fault"])
    elif options.do == "clear":
        cleared = []
        for number in options.id or [None]:
            cleared += ask(options.control, {"do": "clear", "id": number})["cleared"]
        _print({"cleared": cleared})
    elif options.do == "list":
        for fault in ask(options.control, {"do": "list"})["faults"]:
            _print(fault)
    else:
        for meter, counters in ask(options.control, {"do": "counters"})["meters"].items():
            _print({"meter": meter, **counters})
    return 0


def setting(text: str) -> tuple[str, Any]:
    """Read KEY=VALUE; the value is JSON (a number, a list), or else text. Numbers with a point stay exact as text."""
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, got {text!r}")
    if len(value) > LONGEST_LINE:
        raise argparse.ArgumentTypeError(f"{key}: expected a shorter value")
    try:
        return key, json.loads(value, parse_float=str)
    except ValueError:
        return key, value.split(",") if "," in value else value


def add_fault_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser of `diantan-sim`."""
    command = commands.add_parser("fault", help="make a running simulator misbehave")
    command.add_argument("control", type=Path, metavar="PATH", help="its --control socket")
    what = command.add_subparsers(dest="do", required=True, metavar="set|clear|list|counters")
    one = what.add_parser("set", help="set a fault, for example: set late meter=c01 delay_ms=800 count=3")
    one.add_argument("kind", metavar="KIND")
    one.add_argument("setting", nargs="*", type=setting, metavar="KEY=VALUE")
    clear = what.add_parser("clear", help="clear faults: those with these numbers, or all")
    clear.add_argument("id", nargs="*", type=int, metavar="ID")
    what.add_parser("list", help="print the faults that are set")
    what.add_parser("counters", help="print what each meter was asked and given")
    command.set_defaults(command=fault_command)


def _print(entry: Json) -> None:
    print(json.dumps(entry, ensure_ascii=False))  # noqa: T201 - the command's output
