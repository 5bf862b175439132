"""Nights made by real processes: by the command, and by those that a receiver starts and ends."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from receiver_support import until
from shared_nights_support import NIGHT_MS, Sharing
from sqlalchemy import Engine, create_engine

from clock import SystemClock
from cloud_receiver.cli import main
from cloud_receiver.estimation.claims import LEASE_MS, MOST_TRIES
from cloud_receiver.estimation.processes import OF_RECEIVER, Processes
from settings.errors import ConfigError

COUNT = 6

# Makes its first station only when the other process has taken one, too.
TOGETHER = """
import sys, time
from pathlib import Path
from cloud_receiver import cli
from cloud_receiver.estimation import night
mine, other, nightly = Path(sys.argv.pop(1)), Path(sys.argv.pop(1)), night.nightly
def together(*arguments):
    mine.touch()
    while not other.exists():
        time.sleep(0.01)
    yield from nightly(*arguments)
night.nightly = together
sys.exit(cli.main(sys.argv[1:]))
"""

# Is killed in the midst of a station whose name is given.
KILLED = """
import os, signal, sys
from cloud_receiver import cli
from cloud_receiver.estimation import night
name, nightly = sys.argv.pop(1), night.nightly
def killed(engine, context, *others):
    for step in nightly(engine, context, *others):
        if context.station.id == name:
            os.kill(os.getpid(), signal.SIGKILL)
        yield step
night.nightly = killed
sys.exit(cli.main(sys.argv[1:]))
"""

# Says that it has begun, and then makes no step any more.
STUCK = """
import sys, time
from pathlib import Path
from cloud_receiver import cli
from cloud_receiver.estimation import night
begun = Path(sys.argv.pop(1))
def stuck(*_):
    begun.touch()
    while True:
        yield
night.nightly = stuck
sys.exit(cli.main(sys.argv[1:]))
"""


@dataclass
class Centre:
    """Stations, the files of their receiver, and processes that work on its store."""

    sharing: Sharing
    directory: Path
    store: str
    started: list["subprocess.Popen[str]"] = field(default_factory=list)

    @property
    def log(self) -> str:
        return (self.directory / "log.txt").read_text()

    def script(self, text: str) -> str:
        path = self.directory / "script.py"
        path.write_text(text)
        return str(path)

    def options(self, late_ms: int = 0) -> list[str]:
        clock = f"simulated:{NIGHT_MS + late_ms}:1:{SystemClock().monotonic_ms()}"
        return ["--config", str(self.directory / "receiver.toml"), "--clock", clock]

    def start(self, program: list[str], command: list[str], late_ms: int = 0) -> "subprocess.Popen[str]":
        with (self.directory / "log.txt").open("a") as log:
            line = [sys.executable, *program, *command, *self.options(late_ms)]
            process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=log, text=True)
        self.started.append(process)
        return process

    def once(self, *program: str, late_ms: int = 0) -> "subprocess.Popen[str]":
        return self.start([*(program or ("-m", "cloud_receiver.cli"))], ["nights", "--once"], late_ms)


@pytest.fixture
def centre(engine: Engine, tmp_path: Path, store_address: Callable[[Path], str]) -> Iterator[Centre]:
    address = store_address(tmp_path / "store.sqlite")
    sharing = Sharing(engine, COUNT)
    sharing.configured(tmp_path, address)
    centre = Centre(sharing, tmp_path, address)
    yield centre
    for process in centre.started:
        process.kill()
        process.communicate()


def test_two_processes_share_the_stations(centre: Centre) -> None:
    script = centre.script(TOGETHER)
    files = [str(centre.directory / name) for name in ("one", "two")]
    both = [centre.once(script, *order) for order in (files, files[::-1])]
    said = [process.communicate(timeout=60)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    counts = [int(words[0]) for words in said]
    assert sum(counts) == COUNT
    assert min(counts) > 0
    assert [words[1:] for words in said] == [["stations", "estimated,", "0", "failed"]] * 2
    assert centre.sharing.estimated() == dict.fromkeys(centre.sharing.names, 1)
    assert centre.sharing.fleets() == 1


def test_what_a_killed_one_had_is_taken_over(centre: Centre) -> None:
    killed = centre.once(centre.script(KILLED), "S03")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert centre.sharing.estimated() == dict.fromkeys(centre.sharing.names[:3], 1)
    after = centre.once(late_ms=LEASE_MS)
    said = after.communicate(timeout=60)[0]
    assert (after.returncode, said) == (0, f"{COUNT - 3} stations estimated, 0 failed\n")
    assert centre.sharing.estimated() == dict.fromkeys(centre.sharing.names, 1)
    again = centre.once(late_ms=LEASE_MS)
    assert again.communicate(timeout=60)[0] == "0 stations estimated, 0 failed\n"
    assert centre.sharing.fleets() == 1


def test_one_that_is_told_to_end_says_that_the_night_is_not_over(centre: Centre) -> None:
    begun = centre.directory / "begun"
    stuck = centre.once(centre.script(STUCK), str(begun))
    asyncio.run(until(begun.exists))
    stuck.terminate()
    said = stuck.communicate(timeout=60)[0]
    assert (stuck.returncode, said) == (1, "0 stations estimated, 0 failed; ended before the night was over\n")
    # It has left everything to others.
    assert centre.once().communicate(timeout=60)[0] == f"{COUNT} stations estimated, 0 failed\n"


def children(process: int) -> list[psutil.Process]:
    """Return the processes that a receiver has started to make nights."""
    return [child for child in psutil.Process(process).children() if OF_RECEIVER in child.cmdline()]


async def ended_when(processes: Processes, condition: Callable[[], bool]) -> None:
    work = asyncio.create_task(processes.run())
    await until(lambda: condition() or work.done())
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


def test_a_process_that_is_killed_is_started_again_and_what_kills_it_given_up(
    centre: Centre, caplog: pytest.LogCaptureFixture
) -> None:
    # As a shell would: what it says goes to the log.
    line = ["/bin/sh", "-c", f'exec "$@" 2>>{centre.directory}/log.txt', "sh"]
    line += [sys.executable, centre.script(KILLED), "S03", "nights", *centre.options()]
    (centre.directory / "log.txt").touch()
    processes = Processes(centre.sharing.engine, 1, line, pause_s=0.001)
    caplog.set_level("INFO")
    asyncio.run(ended_when(processes, lambda: " makes known from " in (centre.directory / "log.txt").read_text()))
    assert centre.sharing.estimated() == {name: 1 for name in centre.sharing.names if name != "S03"}
    ends = [text for text in caplog.messages if "process 1 of error estimation ended with status -9" in text]
    assert len(ends) == MOST_TRIES
    assert "error estimation in 1 processes" in caplog.messages
    assert children(os.getpid()) == []


def test_processes_that_cant_be_started_are_told_of(centre: Centre, caplog: pytest.LogCaptureFixture) -> None:
    processes = Processes(centre.sharing.engine, 2, [str(centre.directory / "none")], pause_s=0.001)
    asyncio.run(ended_when(processes, lambda: len(caplog.messages) >= 6))
    assert "process 1 of error estimation can't be started: " in caplog.text
    assert "process 2 of error estimation can't be started: " in caplog.text


def test_a_process_that_does_not_end_is_killed(
    centre: Centre, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud_receiver.estimation.processes.STOP_S", 0.001)
    begun = centre.directory / "begun"
    deaf = (
        "import signal, sys; from pathlib import Path; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "Path(sys.argv[1]).touch(); signal.pause()"
    )
    processes = Processes(centre.sharing.engine, 1, [sys.executable, "-c", deaf, str(begun)])
    asyncio.run(ended_when(processes, begun.exists))
    assert "did not end in 0 s and is killed" in caplog.text
    assert children(os.getpid()) == []


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_receiver_lets_processes_make_its_nights_and_they_end_with_it(end: signal.Signals, centre: Centre) -> None:
    assert main(["key", "new", str(centre.directory / "centre.key")]) == 0
    centre.sharing.configured(centre.directory, centre.store, estimation="processes = 2")
    receiver = centre.start(["-m", "cloud_receiver.cli"], ["run", "--log", "json"])
    asyncio.run(until(lambda: " makes known from " in centre.log))
    assert centre.sharing.estimated() == dict.fromkeys(centre.sharing.names, 1)
    assert centre.sharing.fleets() == 1
    found = children(receiver.pid)
    assert len(found) == 2
    assert {child.nice() for child in found} == {psutil.Process(receiver.pid).nice() + 10}
    receiver.send_signal(end)
    receiver.communicate(timeout=30)
    assert receiver.returncode == (0 if end is signal.SIGTERM else -end)
    _, alive = psutil.wait_procs(found, timeout=30)
    assert alive == []
    assert '"message": "error estimation in 2 processes"' in centre.log
    assert "started again" not in centre.log


def test_a_store_in_memory_has_no_processes() -> None:
    with pytest.raises(ConfigError, match=r"estimation.processes: expected 0 where centre.database is in memory"):
        Processes(create_engine("sqlite://"), 1, [])


def test_nights_are_refused_where_they_are_not_to_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "nice", lambda _: 0)
    (tmp_path / "registry.toml").write_text("station = []\n")
    config = tmp_path / "receiver.toml"
    head = f'[centre]\nkey_file = "k"\ndata_dir = "{tmp_path}"\n[estimation]\n'
    config.write_text(f"{head}enabled = false\n")
    assert main(["nights", "--once", "--config", str(config)]) == 1
    assert "estimation.enabled: expected true where nights are made" in capsys.readouterr().err
    config.write_text(f"{head}processes = 65\n")
    assert main(["nights", "--once", "--config", str(config)]) == 1
    assert "estimation.processes: expected less than or equal to 64, got 65" in capsys.readouterr().err


def test_without_stations_a_night_is_over_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: int) -> Any:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "nice", refused)
    (tmp_path / "registry.toml").write_text("station = []\n")
    config = tmp_path / "receiver.toml"
    config.write_text('[centre]\nkey_file = "k"\n')
    assert main(["nights", "--once", "--config", str(config)]) == 0
    told = capsys.readouterr()
    assert told.out == "0 stations estimated, 0 failed\n"
    assert "error estimation runs at the priority of others" in told.err
