"""A line that dials out: meters behind a modem call the centre over TCP, and call again when it is gone."""

import asyncio
import logging
from typing import Any, Final

from firmware_sim.lines.line import Line
from firmware_sim.lines.tcp import Client, reason_of

log = logging.getLogger(__name__)
_LONGEST_CONNECT_S: Final = 10.0


class _Caller(Client):
    """A connection that we opened; `gone` is set when it has ended."""

    def __init__(self, line: Line) -> None:
        super().__init__(line, set())
        self.gone = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the line."""
        super().connection_lost(exc)
        self.gone.set()


class DialPort:
    """A connection to a listening master, made anew `retry_ms` after it failed or ended."""

    def __init__(self, line: Line, host: str, port: int, retry_ms: int) -> None:
        self._line = line
        self._host = host
        self._port = port
        self._retry_ms = retry_ms
        self._task: asyncio.Task[None] | None = None
        self.calls = 0

    async def start(self) -> None:
        """Begin to call; nobody there is no error, the meter calls again."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"line {self._line.name}")

    async def stop(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def where(self) -> dict[str, Any]:
        """Return transport, and the host and port that are called."""
        return {"transport": "dial-out", "host": self._host, "port": self._port}

    async def _run(self) -> None:
        clock = self._line.clock
        while True:
            try:
                async with asyncio.timeout(_LONGEST_CONNECT_S):
                    _, caller = await asyncio.get_running_loop().create_connection(
                        lambda: _Caller(self._line), self._host, self._port
                    )
            except (OSError, TimeoutError) as error:
                why = reason_of(error) if isinstance(error, OSError) else "no answer"
                log.info("line %s: can't call %s:%d: %s", self._line.name, self._host, self._port, why)
            else:
                self.calls += 1
                try:
                    await self._talk(caller)
                finally:
                    caller.abort()
            await clock.sleep_ms(self._retry_ms)

    async def _talk(self, caller: _Caller) -> None:
        """Let the meters say what they have to until the connection is gone."""
        assert caller.session is not None
        loop = asyncio.get_running_loop()
        gone = loop.create_task(caller.gone.wait())
        try:
            next_ms = caller.session.begin()
            while not gone.done():
                turn = loop.create_task(self._turn(next_ms))
                try:
                    await asyncio.wait({gone, turn}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    turn.cancel()
                if not gone.done():
                    next_ms = caller.session.due()
        finally:
            gone.cancel()

    async def _turn(self, next_ms: int | None) -> None:
        """Wait until the meters have something to say."""
        if next_ms is None:
            await asyncio.Event().wait()
            return
        clock = self._line.clock
        await clock.sleep_ms(max(next_ms - clock.now_ms(), 1))
