"""`diantan-agent run`: one gateway until SIGTERM or SIGINT, and again with each configuration that the centre sends."""

import asyncio
import fcntl
import random
import secrets
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from agent.config_file import Loaded
from agent.configuration.base import BaseFile
from agent.configuration.configurator import Configurator, Reach
from agent.configuration.keeper import STOPPED, Chosen, Keeper
from agent.gateway import Gateway
from agent.journal import Journal
from agent.journal_schema import JournalError
from agent.logs import log
from agent.trace import line_trace
from clock import Clock
from fieldbus.bus import LineBus
from settings.errors import ConfigError
from supervision.systemd import STOPPING, Notifier
from wire.tasks import end

_RELOADING: Final = "RELOADING=1"


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
    """Run the gateway with the configuration in force until it is told to stop.

    That is the file at `path`, or what the centre sent over it. The frames of the lines named in `trace` are shown with
    their meaning as they pass; ConfigError for unknown names.
    """
    base = BaseFile.read(path)
    with locked(base.data_dir):
        keeper = Keeper(base, base.store, clock.now_ms)
        chosen = keeper.choose()
        if keeper.state.on_trial is None:  # a slip of whoever starts the agent is no reason against what is on trial
            _check_names(path, chosen.loaded, trace)
        while _go_on(keeper, chosen, clock, trace):
            chosen = keeper.choose()


def _check_names(path: Path, loaded: Loaded, trace: Collection[str]) -> None:
    names = [line.name for line in loaded.config.line]
    if unknown := [name for name in trace if name not in names]:
        raise ConfigError([f"{path}: no line {name!r}; there are {', '.join(names)}" for name in unknown])


def _go_on(keeper: Keeper, chosen: Chosen, clock: Clock, trace: Collection[str]) -> bool:
    """Run once; return whether to run again. What ends a trial is a reason to go back, and no other end is one."""
    try:
        again = _run_once(keeper, chosen, clock, trace)
    except Exception as error:
        if not keeper.fail_run(str(error) or type(error).__name__):
            raise
        log.info("what ended the trial:", exc_info=error)
        return True
    if not again:
        keeper.fail_run(STOPPED)
    return again


def _run_once(keeper: Keeper, chosen: Chosen, clock: Clock, trace: Collection[str]) -> bool:
    config = chosen.loaded.config
    journal = Journal.open(config.journal_file, now_ms=clock.now_ms(), entropy=secrets.token_bytes)
    if chosen.digest != keeper.base.digest:
        log.info("configuration %s, sent by the centre", chosen.digest.hex())
    log.info(
        "gateway %s: %d lines, %d meters, records from %d",
        config.gateway.id,
        len(config.line),
        sum(len(line.meter) for line in config.line),
        journal.header.next_sequence,
    )
    try:
        return asyncio.run(_work(keeper, chosen, journal, clock, trace))
    except BaseException:
        # Where the gateway did not come to close it: one that was not closed is checked at length when it is opened.
        with suppress(JournalError):
            journal.close()
        raise
    finally:
        journal.connection.close()


async def _work(keeper: Keeper, chosen: Chosen, journal: Journal, clock: Clock, trace: Collection[str]) -> bool:
    told_to_stop, ending = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        told_to_stop.set()
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    configurator = Configurator(keeper, chosen, clock)
    gateway = Gateway(
        chosen.loaded,
        journal,
        clock,
        chance=random.SystemRandom(),
        notifier=_Notifier(
            Notifier.from_environment(),
            lambda: not told_to_stop.is_set() and _another_run(keeper, configurator),
        ),
        configurator=configurator,
    )
    _show_frames(gateway, chosen.loaded, trace)
    reach = Reach(lambda: gateway.link.connected, lambda: gateway.link.trouble)
    watching = asyncio.create_task(configurator.run(gateway.writer, reach), name="configuration")
    restarting = asyncio.create_task(configurator.restart.wait(), name="restart")
    for task in (watching, restarting):
        task.add_done_callback(lambda _: ending.set())
    try:
        await gateway.run(ending)
    finally:
        failed = watching.done()
        await end({watching, restarting})
    if failed:
        watching.result()  # nobody would ever end the trial
    return not told_to_stop.is_set()


def _another_run(keeper: Keeper, configurator: Configurator) -> bool:
    """Return whether the gateway will be started again: asked to, or because its end is that of a trial."""
    return configurator.restart.is_set() or keeper.state.on_trial is not None


class _Notifier(Notifier):
    """Says that the gateway reloads where it starts again: a program that says that it stops is killed in the end."""

    def __init__(self, systemd: Notifier, another_run: Callable[[], bool]) -> None:
        super().__init__(watchdog_s=systemd.watchdog_s)
        self._systemd = systemd
        self._another_run = another_run

    def tell(self, *messages: str) -> None:
        """Send the messages."""
        self._systemd.tell(*(_RELOADING if said == STOPPING and self._another_run() else said for said in messages))


def _show_frames(gateway: Gateway, loaded: Loaded, trace: Collection[str]) -> None:
    for line, configured in zip(gateway.lines, loaded.config.line, strict=True):
        if line.name in trace:
            assert isinstance(line.bus, LineBus)
            line.bus.tap = line_trace(configured, loaded.profiles, loaded.config.gateway.timezone)
