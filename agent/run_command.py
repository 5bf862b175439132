"""`diantan-agent run`: one gateway until SIGTERM or SIGINT."""

import asyncio
import fcntl
import random
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.config_file import Loaded, load_config
from agent.gateway import Gateway
from agent.journal import Journal
from agent.logs import log
from clock import Clock


class AlreadyRunningError(Exception):
    """Another process uses the data directory."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the data directory for this process alone: two agents on one journal would repeat sequences."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "agent.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunningError(f"{directory}: another diantan-agent is using this data directory") from None
        yield


def run(path: Path, clock: Clock) -> None:
    """Run the gateway that a configuration describes until it is told to stop."""
    loaded = load_config(path)
    config = loaded.config
    with locked(config.gateway.data_dir):
        journal = Journal.open(config.journal_file, now_ms=clock.now_ms(), entropy=secrets.token_bytes)
        log.info(
            "gateway %s: %d lines, %d meters, records from %d",
            config.gateway.id,
            len(config.line),
            sum(len(line.meter) for line in config.line),
            journal.header.next_sequence,
        )
        try:
            asyncio.run(_work(loaded, journal, clock))
        finally:
            journal.connection.close()


async def _work(loaded: Loaded, journal: Journal, clock: Clock) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Gateway(loaded, journal, clock, chance=random.SystemRandom()).run(stop)
