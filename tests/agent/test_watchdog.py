"""The watchdog is fed while lines make progress and the journal is written, and not when either is stuck."""

import asyncio
import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gateway_support import Running, until

from agent import watchdog
from agent.config_file import load_config
from agent.gateway import Gateway
from agent.journal import Journal
from agent.watchdog import PATIENCE_S, LifeSigns
from fieldbus.exchange import LineCounters
from supervision.systemd import Notifier

PATIENCE = PATIENCE_S + 4


class Scene:
    """Two lines and a writer whose signs of life the test makes."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.lines: list[Any] = [
            SimpleNamespace(name=name, steps=0, bus=SimpleNamespace(counters=LineCounters())) for name in "ab"
        ]
        self.writer: Any = SimpleNamespace(attempts=0, waiting_operations=0)
        self.signs = LifeSigns(self.lines, self.writer, longest_timeout_ms=1000, seconds=lambda: self.now_s)
        assert self.signs.trouble() is None

    def after(self, seconds: float) -> str | None:
        self.now_s += seconds
        return self.signs.trouble()


def test_one_line_that_moves_is_enough() -> None:
    scene = Scene()
    assert scene.after(PATIENCE) is None
    scene.lines[0].steps += 1
    assert scene.after(1) is None
    assert scene.after(PATIENCE) is None
    assert scene.after(0.1) == "no line has made progress"
    scene.lines[1].bus.counters.timeout += 1  # a request that came to nothing is progress too
    assert scene.after(0) is None


def test_a_writer_that_is_stuck_is_trouble_and_an_idle_one_is_not() -> None:
    scene = Scene()
    for _ in range(5):
        scene.lines[0].steps += 1
        assert scene.after(PATIENCE) is None
    scene.writer.waiting_operations = 3
    scene.lines[0].steps += 1
    assert scene.after(PATIENCE) is None
    scene.lines[0].steps += 1
    assert scene.after(PATIENCE) is None  # it has had work for no longer than that
    scene.lines[0].steps += 1
    assert scene.after(0.1) == "the journal's writer is stuck, with 3 operations waiting"
    scene.writer.attempts += 1  # refused by a full disk, say: it works all the same
    assert scene.after(0) is None


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def heard(listening: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(listening.recv(4096).decode())
        except BlockingIOError:
            return found


class Watched(Running):
    """A gateway that systemd watches, fed every 20 ms."""

    def __init__(self, config: Path, clock: Any, systemd: socket.socket) -> None:
        loaded = load_config(config)
        loaded.config.gateway.data_dir.mkdir(exist_ok=True)
        journal = Journal.open(loaded.config.journal_file, now_ms=clock.now_ms(), entropy=bytes)
        notifier = Notifier(systemd.getsockname(), 0.08)
        self.gateway = Gateway(loaded, journal, clock, chance=random.Random(1), notifier=notifier)
        self.stop = asyncio.Event()


@pytest.fixture
def make(site: Any, responder: Any, fast_clock: Any, systemd: socket.socket) -> Callable[[], Watched]:
    """Return the maker of a gateway; to be called while the responder listens."""
    return lambda: Watched(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock, systemd)


def test_a_gateway_is_ready_fed_and_stopping(
    make: Callable[[], Watched], responder: Any, systemd: socket.socket
) -> None:
    async def scenario() -> list[str]:
        said: list[str] = []
        async with responder.listening(), make():
            await until(lambda: said.extend(heard(systemd)) or said.count("WATCHDOG=1") >= 3)
        return said + heard(systemd)

    said = asyncio.run(scenario())
    assert said.count("READY=1") == said.count("STOPPING=1") == 1
    assert said[0] == "READY=1"
    assert said[-1] == "STOPPING=1"
    assert set(said) == {"READY=1", "WATCHDOG=1", "STOPPING=1"}


def test_a_gateway_whose_lines_hang_starves_the_watchdog(
    make: Callable[[], Watched],
    responder: Any,
    systemd: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The loop runs, the journal is written, only the lines' one step never ends."""
    monkeypatch.setattr(watchdog, "PATIENCE_S", 0.2)
    monkeypatch.setattr(watchdog, "_TIMEOUTS", 0)

    async def scenario() -> None:
        async with responder.listening():
            running = make()
            for line in running.gateway.lines:
                monkeypatch.setattr(line, "_step", asyncio.Event().wait)
            async with running:
                await until(lambda: "the watchdog is not fed: no line has made progress" in caplog.text)
                heard(systemd)
                await asyncio.sleep(0.1)  # five feeds would have come
                assert "WATCHDOG=1" not in heard(systemd)

    asyncio.run(scenario())


def test_a_gateway_whose_disk_hangs_starves_the_watchdog(
    make: Callable[[], Watched],
    responder: Any,
    systemd: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A write that does not return blocks the journal's thread alone; once it returns, the watchdog is fed again."""
    monkeypatch.setattr(watchdog, "PATIENCE_S", 0.5)
    monkeypatch.setattr(watchdog, "_TIMEOUTS", 0)
    released = threading.Event()

    async def scenario() -> None:
        async with responder.listening():
            running = make()
            commit = running.gateway.writer.journal.commit

            def hanging(*arguments: Any, **more: Any) -> int:
                assert released.wait(60)
                return commit(*arguments, **more)

            monkeypatch.setattr(running.gateway.writer.journal, "commit", hanging)
            async with running:
                try:
                    await until(lambda: "the watchdog is not fed: the journal's writer is stuck" in caplog.text)
                    heard(systemd)
                    await asyncio.sleep(0.1)
                    assert "WATCHDOG=1" not in heard(systemd)
                finally:
                    released.set()
                await until(lambda: "WATCHDOG=1" in heard(systemd))

    asyncio.run(scenario())


def test_the_program_tells_systemd_that_asks_for_it(site: Any, systemd: socket.socket) -> None:
    """As a process of its own, with the environment that systemd gives; no meter and no broker is there."""
    config = site.configure(broker_port=1, meter_ports=[1])
    environment = {**os.environ, "NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "400000"}
    command = [sys.executable, "-m", "agent.cli", "run", "--config", str(config)]
    systemd.settimeout(60)
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            said = [systemd.recv(4096).decode() for _ in range(3)]
            assert said == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
        finally:
            process.terminate()
        while said[-1] != "STOPPING=1":
            said.append(systemd.recv(4096).decode())
        assert process.wait(60) == 0
    assert set(said) == {"READY=1", "WATCHDOG=1", "STOPPING=1"}
