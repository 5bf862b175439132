"""The pulse outputs of a real device (脉冲输出), as a pulse head or counter tells them over TCP: a line a pulse.

A line is `energy` or `carbon`; a number behind it says how many microseconds ago the pulse came, where the head knows.
Several heads may connect. What comes while nobody waits is forgotten.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from firmware_sim.inspection.bench import BenchError, BenchTime

KINDS: Final = ("energy", "carbon")
KEPT_MS: Final = 500
"""How long after a pulse was handed out the next ones are kept for whoever asks again: a gate asks without a pause."""
_LINE: Final = re.compile(rb"(energy|carbon)(?: (\d{1,9}))?\r?\n")
_LONGEST: Final = 64
_US_PER_MS: Final = 1000


class PulseInput:
    """The pulses that heads tell at a port; an instant is when its line came, less its age."""

    def __init__(self, time: BenchTime, *, host: str, port: int, tell: Callable[[str], None] = lambda _: None) -> None:
        self.port = port
        self._time = time
        self._host = host
        self._tell = tell
        self._server: asyncio.Server | None = None
        self._heads: set[asyncio.StreamWriter] = set()
        self._came: dict[str, deque[Fraction]] = {kind: deque() for kind in KINDS}
        self._handed: dict[str, Fraction] = {}
        self._more = asyncio.Event()
        self._wrong: str | None = None

    async def open(self) -> None:
        """Listen; `port` 0 becomes a free one. BenchError."""
        try:
            self._server = await asyncio.start_server(self._accept, self._host, self.port, limit=_LONGEST)
        except OSError as error:
            raise BenchError(f"the pulse input can't listen on {self._host}:{self.port}: {error.strerror}") from None
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._tell(f"pulses are taken at {self._host}:{self.port}")

    async def close(self) -> None:
        """Hang up and listen no more."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._heads):
            writer.transport.abort()

    async def next(self, kind: str, longest_ms: Fraction) -> Fraction | None:
        """Wait for the next pulse of `energy` or `carbon`; return its instant, None when `longest_ms` is over.

        BenchError when a head sent something else, or none is connected.
        """
        now = self._time.now()
        came, handed = self._came[kind], self._handed.get(kind)
        if handed is None or now - handed > KEPT_MS:
            came.clear()
        until = now + longest_ms
        while not came:
            if self._wrong is not None:
                raise BenchError(f"pulse input: {self._wrong}")
            if (left := until - self._time.now()) <= 0:
                if not self._heads:
                    raise BenchError(f"no pulse head is connected to {self._host}:{self.port}")
                return None
            await self._wait(left)
        self._handed[kind] = self._time.now()
        return came.popleft()

    async def _wait(self, longest_ms: Fraction) -> None:
        self._more.clear()
        waits = [asyncio.ensure_future(self._more.wait()), asyncio.ensure_future(self._time.wait(longest_ms))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._heads.add(writer)
        try:
            while line := await _line(reader):
                found = _LINE.fullmatch(line)
                if found is None:
                    self._wrong = f"expected a line such as 'energy' or 'carbon 1500', got {line[:_LONGEST]!r}"
                    self._more.set()
                    break
                age_ms = Fraction(int(found[2] or 0), _US_PER_MS)
                self._wrong = None
                self._came[found[1].decode()].append(self._time.now() - age_ms)
                self._more.set()
        except OSError:
            pass
        finally:
            self._heads.discard(writer)
            writer.close()


async def _line(reader: asyncio.StreamReader) -> bytes:
    """Return the next line; octets without an end of line as they are, so that they are told; nothing at the end."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError:
        return await reader.read(_LONGEST)
