"""The demonstration's processes: started with a log file each, watched, and stopped in order."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


class DemoError(RuntimeError):
    """A process of the demonstration did not do its part; the message carries the end of its log."""


@dataclass(slots=True)
class Program:
    """One running process and where it writes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def fail(self, what: str) -> DemoError:
        """Return the error to raise, with the last lines of the log."""
        tail = self.log.read_text(errors="replace").splitlines()[-15:]
        return DemoError(f"{self.name} {what}; the end of its log ({self.log}):\n" + "\n".join(tail))

    def check(self) -> None:
        """Raise DemoError if the process has ended."""
        code = self.process.poll()
        if code is not None:
            raise self.fail(f"ended early with exit code {code}")

    def stop(self, limit_s: float = 15) -> None:
        """Ask it to end, wait, and raise DemoError unless it ended in time and well."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise self.fail(f"did not end within {limit_s:.0f} s of being asked to") from None
        if code not in (0, -signal.SIGTERM):
            raise self.fail(f"ended with exit code {code}")


@dataclass(slots=True)
class Programs:
    """All processes of one demonstration; leaving the context kills what still runs."""

    directory: Path
    running: list[Program] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in reversed(self.running):
            if program.process.poll() is None:
                program.process.kill()
                program.process.wait()

    def start(self, name: str, *arguments: str) -> Program:
        """Start `python -m …` or a console script of this environment; its output goes to NAME.log."""
        log = self.directory / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(*arguments), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        program = Program(name, process, log)
        self.running.append(program)
        return program

    def check(self) -> None:
        """Raise DemoError if any process has ended."""
        for program in self.running:
            program.check()

    def wait_until(self, what: str, ready: Callable[[], bool], limit_s: float = 30) -> None:
        """Poll until something has come about, while every process lives."""
        deadline = time.monotonic() + limit_s
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(f"{what}: not within {limit_s:.0f} s")
            time.sleep(0.02)


def command(*arguments: str) -> list[str]:
    """Return the command line for a console script beside this interpreter, or for `-m MODULE` with it."""
    if arguments[0] == "-m":
        return [sys.executable, *arguments]
    return [str(Path(sys.executable).parent / arguments[0]), *arguments[1:]]


def output_of(*arguments: str) -> str:
    """Run a command line to its end and return what it printed; DemoError with its errors otherwise."""
    return outputs_of([arguments])[0]


def outputs_of(command_lines: Sequence[Sequence[str]]) -> list[str]:
    """Run command lines, as many at a time as there are processors, and return what each printed; DemoError.

    For commands that print little: what one prints beyond the buffer of a pipe waits for those before it.
    """
    outputs = []
    at_once = os.cpu_count() or 1
    for first in range(0, len(command_lines), at_once):
        lines = command_lines[first : first + at_once]
        started = [
            subprocess.Popen(command(*line), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for line in lines
        ]
        ended = [(process.communicate(), process.returncode) for process in started]
        for line, ((output, errors), code) in zip(lines, ended, strict=True):
            if code != 0:
                raise DemoError(f"`{' '.join(line)}` ended with {code}: {errors.strip()}")
            outputs.append(output)
    return outputs


def free_port() -> int:
    """Return a TCP port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Return whether somebody accepts connections on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
