"""Processes of their own for the nightly run: started by the receiver, begun again when they end, and ended with it.

Each is this program's command `nights` and takes its share of the stations from the store (`claims`). Either side
knows of the other's end, however it came, by the end of a pipe: the process by that of its standard input, the receiver
by that of the process's standard output, to which it writes nothing.
"""

import asyncio
import logging
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from cloud_receiver.database import writing
from cloud_receiver.estimation import claims
from settings.errors import ConfigError

log = logging.getLogger(__name__)

NICE: Final = 10
"""By how much a process that makes nights is nicer than others."""
OF_RECEIVER: Final = "--of-receiver"
"""The option by which a process is told its name in the store, and that it ends with its standard input."""
PAUSE_S: Final = 10.0  # real time
LONGEST_PAUSE_S: Final = 320.0
"""Before a process that ended is begun again: twice as long each time, unless it lived so long."""
STOP_S: Final = 15.0
"""For how long a process that is told to end may go on; some steps of it take a second."""


def command(*arguments: str) -> list[str]:
    """Return how a process of this program is started that makes nights."""
    return [sys.executable, "-m", "cloud_receiver.cli", "nights", *arguments]


class Processes:
    """So many processes that make nights; `program`: how one is started (`command`).

    ConfigError where the store is in this process's memory.
    """

    def __init__(self, engine: Engine, count: int, program: Sequence[str], pause_s: float = PAUSE_S) -> None:
        if engine.url.get_backend_name() == "sqlite" and engine.url.database in (None, "", ":memory:"):
            raise ConfigError(["estimation.processes: expected 0 where centre.database is in memory"])
        self._engine = engine
        self._count = count
        self._program = program
        self._pause_s = pause_s

    async def run(self) -> None:
        """Keep them going until cancelled; then end them."""
        try:
            with writing(self._engine) as connection:
                claims.begin(connection)
        except (SQLAlchemyError, OSError) as error:
            log.warning("what failed in this night waits for the next: %s", str(error).splitlines()[0])
        log.info("error estimation in %d processes", self._count)
        async with asyncio.TaskGroup() as group:
            for number in range(1, self._count + 1):
                group.create_task(self._keep_going(number), name=f"estimation {number}")

    async def _keep_going(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        pause_s = self._pause_s
        while True:
            owner, begun = secrets.token_hex(8), loop.time()
            try:
                ended = f"ended with status {await self._process(owner)}"
            except OSError as error:
                ended = f"can't be started: {error}"
            if loop.time() - begun >= LONGEST_PAUSE_S:
                pause_s = self._pause_s
            log.warning("process %d of error estimation %s; it is started again in %.0f s", number, ended, pause_s)
            self._release(owner)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _process(self, owner: str) -> int:
        """Run a process until it ends, and return its status; cancelled, end it."""
        process = _started([*self._program, OF_RECEIVER, owner])
        assert process.stdout is not None
        assert process.stdin is not None
        over = asyncio.Event()
        loop, output = asyncio.get_running_loop(), process.stdout.fileno()

        def heard() -> None:
            if not os.read(output, 4096):
                loop.remove_reader(output)
                over.set()

        loop.add_reader(output, heard)
        try:
            await over.wait()
            return process.wait()  # at once: its files were closed because it ended
        finally:
            if not over.is_set():
                await _stop(process, over)
            loop.remove_reader(output)
            process.stdin.close()
            process.stdout.close()

    def _release(self, owner: str) -> None:
        try:
            with writing(self._engine) as connection:
                claims.end(connection, owner)
        except (SQLAlchemyError, OSError) as error:
            log.warning("stations that it had taken stay so for a while: %s", str(error).splitlines()[0])


def _started(program: Sequence[str]) -> "subprocess.Popen[bytes]":
    # Not by asyncio's own: before Python 3.12 it waits for each process in a thread.
    return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  # this very program


async def _stop(process: "subprocess.Popen[bytes]", over: asyncio.Event) -> None:
    process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await over.wait()
    except TimeoutError:
        log.warning("a process of error estimation did not end in %.0f s and is killed", STOP_S)
        process.kill()
    process.wait()
