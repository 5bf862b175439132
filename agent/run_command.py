"""`diantan-agent run`: one gateway until SIGTERM or SIGINT."""

import asyncio
import fcntl
import random
import secrets
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.config_file import Loaded, load_config
from agent.gateway import Gateway
from agent.journal import Journal
from agent.logs import log
from agent.trace import line_trace
from clock import Clock
from fieldbus.bus import LineBus
from settings.errors import ConfigError
from supervision.systemd import Notifier


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


def run(path: Path, clock: Clock, trace: Collection[str] = ()) -> None:
    """Run the gateway that a configuration describes until it is told to stop.

    The frames of the lines named in `trace` are shown with their meaning as they pass; ConfigError for unknown names.
    """
    loaded = load_config(path)
    config = loaded.config
    names = [line.name for line in config.line]
    if unknown := [name for name in trace if name not in names]:
        raise ConfigError([f"{path}: no line {name!r}; there are {', '.join(names)}" for name in unknown])
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
            asyncio.run(_work(loaded, journal, clock, trace))
        finally:
            journal.connection.close()


async def _work(loaded: Loaded, journal: Journal, clock: Clock, trace: Collection[str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    gateway = Gateway(loaded, journal, clock, chance=random.SystemRandom(), notifier=Notifier.from_environment())
    _show_frames(gateway, loaded, trace)
    await gateway.run(stop)


def _show_frames(gateway: Gateway, loaded: Loaded, trace: Collection[str]) -> None:
    for line, configured in zip(gateway.lines, loaded.config.line, strict=True):
        if line.name in trace:
            assert isinstance(line.bus, LineBus)
            line.bus.tap = line_trace(configured, loaded.profiles, loaded.config.gateway.timezone)
