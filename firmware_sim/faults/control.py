"""The control socket: faults set, cleared and listed while the meters are being read.

A Unix socket; each request and each answer is one JSON object on a line of its own, in UTF-8.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from clock import Clock
from firmware_sim.faults.book import ActiveFault, FaultBook, FaultError
from firmware_sim.faults.model import Fault, parse_fault
from firmware_sim.lines.port import PortError, stop_listening
from settings.problems import lines_of

LONGEST_LINE: Final = 1 << 16
_COMMANDS: Final = ("set", "clear", "list", "counters")
_OWNER_ONLY: Final = 0o600

Json = dict[str, Any]


class RequestError(ValueError):
    """A request that is none; `problems` has one line for each mistake, its key in front."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Control:
    """What the requests do. `changed` is called with the meters that a fault was set on or taken from."""

    def __init__(self, book: FaultBook, clock: Clock, changed: Callable[[Sequence[str], int], None]) -> None:
        self._book = book
        self._clock = clock
        self._changed = changed

    def answer(self, line: bytes) -> Json:
        """Return the answer to one request: `ok` true and what it asked for, or false and the problems."""
        try:
            return {"ok": True, **self._carry_out(_request(line))}
        except FaultError as error:
            return _failure("fault", error.problems)
        except RequestError as error:
            return _failure("request", error.problems)

    def _carry_out(self, request: Json) -> Json:
        now_ms = self._clock.now_ms()
        command = request["do"]
        if command == "set":
            _only(request, "fault")
            fault = self._set(request.get("fault"), now_ms)
            self._changed(self._book.hit_by(fault), now_ms)
            return {"fault": fault.as_json(now_ms)}
        if command == "clear":
            _only(request, "id")
            number = request.get("id")
            if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
                raise RequestError(f"id: expected the number of a fault, found {number!r}")
            cleared = self._book.clear(number, now_ms)
            self._changed(list(self._book.counters), now_ms)
            return {"cleared": cleared}
        _only(request)
        if command == "list":
            return {"now_ms": now_ms, "faults": [fault.as_json(now_ms) for fault in self._book]}
        return {"meters": {meter: counters.as_json() for meter, counters in self._book.counters.items()}}

    def _set(self, document: object, now_ms: int) -> ActiveFault:
        try:
            return self._book.set(parse_fault(document), now_ms)
        except ValidationError as error:
            problems = lines_of(document, error, Fault)
        except FaultError as error:
            problems = error.problems
        raise FaultError([f"fault.{problem}" for problem in problems])


class ControlServer:
    """The socket at `path`."""

    def __init__(self, path: Path, control: Control) -> None:
        self._path = path
        self._control = control
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen, for the owner of the process only; PortError."""
        try:
            _check_free(self._path)
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LONGEST_LINE)
            self._path.chmod(_OWNER_ONLY)
        except OSError as error:
            raise PortError(f"--control: can't listen at {self._path}: {error.strerror or error}") from None

    async def stop(self) -> None:
        """Stop listening, drop the connections and take the socket away."""
        if self._server is None:
            return
        await stop_listening(self._server)
        talks = list(self._talks)
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        self._server = None
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            while line := await reader.readline():
                writer.write(_as_line(self._control.answer(line)))
                await writer.drain()
        except ValueError:
            # The stream's word for a line beyond its limit; where the next one begins is not known then.
            writer.write(_as_line(_failure("request", [f"(line): expected at most {LONGEST_LINE} bytes, found more"])))
        except OSError:
            pass
        finally:
            self._talks.discard(talk)
            if talk.cancelling():
                # Who does not read his answers must not keep the simulator from ending.
                writer.transport.abort()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _check_free(path: Path) -> None:
    """Raise OSError unless nothing is there, or the socket of a program that has gone: that is replaced."""
    if not path.exists():
        return
    if not path.is_socket():
        raise FileExistsError("something else is there")
    with socket.socket(socket.AF_UNIX) as trial:
        if trial.connect_ex(str(path)) == 0:
            raise FileExistsError("another simulator does")


def _request(line: bytes) -> Json:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"(line): expected a JSON object, found something else: {error}") from None
    if not isinstance(request, dict):
        raise RequestError("(line): expected a JSON object, found something else")
    if request.get("do") not in _COMMANDS:
        raise RequestError(f"do: expected one of {', '.join(_COMMANDS)}; found {request.get('do')!r}")
    return request


def _only(request: Json, *keys: str) -> None:
    unknown = sorted(set(request) - {"do", *keys})
    if unknown:
        raise RequestError(*(f"{key}: unknown key" for key in unknown))


def _failure(kind: str, problems: Sequence[str]) -> Json:
    split = [problem.partition(": ") for problem in problems]
    return {"ok": False, "error": kind, "problems": [{"key": key, "text": text} for key, _, text in split]}


def _as_line(answer: Json) -> bytes:
    return json.dumps(answer, ensure_ascii=False).encode() + b"\n"
