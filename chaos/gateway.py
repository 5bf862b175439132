"""One gateway of a round: its files, its process and the journals it has had."""

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from chaos import journals
from chaos.journals import Kept
from clock import SimulatedClock, SteppedClock
from demo.processes import Program, Programs, command, output_of

KILL_S = 10


@dataclass(slots=True)
class Gateway:
    """A `diantan-agent`, whose wall clock may be wrong."""

    name: str
    config: Path
    data: Path
    programs: Programs
    clock: SimulatedClock
    buried: list[Path] = field(default_factory=list)
    _program: Program | None = None
    starts: int = 0  # how often it has been started

    @property
    def journal(self) -> Path:
        """The journal in use."""
        return self.data / "journal.db"

    @property
    def pid(self) -> int:
        """The process that runs."""
        assert self._program is not None
        return self._program.process.pid

    @property
    def runs(self) -> bool:
        """Whether it is supposed to run."""
        return self._program is not None

    @property
    def _stepped(self) -> SteppedClock:
        return SteppedClock(self.clock, self.config.with_name(f"{self.name}.ahead"))

    def start(self, prefix: tuple[str, ...] = ()) -> Program:
        """Start it (again), with something put before its command line."""
        self.starts += 1
        arguments = ("run", "--log", "json", "--config", str(self.config), "--clock", self._stepped.spec())
        line = (*prefix, *command("diantan-agent", *arguments))
        self._program = self.programs.start(f"{self.name}-{self.starts}", *line)
        return self._program

    def step_clock(self, ahead_ms: int) -> None:
        """Let its wall clock be ahead of everybody else's by so much, whether it runs or not."""
        self._stepped.set_ahead(ahead_ms)

    def kill(self) -> None:
        """End it as a power cut would."""
        if (program := self._taken()) is not None:
            program.process.kill()
            program.process.wait(KILL_S)

    async def stop(self) -> None:
        """End it properly; DemoError when it does not."""
        if (program := self._taken()) is not None:
            # In a thread, as the link over which it says goodbye is of this event loop.
            await asyncio.to_thread(program.stop)

    def bury(self) -> None:
        """Take its journal away, as if it had been deleted; what was in it is remembered. Not while it runs."""
        grave = self.data.parent / f"{self.data.name}-buried-{len(self.buried) + 1}"
        grave.mkdir()
        for file in self.data.glob("journal.db*"):
            shutil.move(file, grave / file.name)
        self.buried.append(grave / "journal.db")

    def set_aside(self) -> None:
        """Take its journal away as an operator does, who leaves word of it to the next one. Not while it runs."""
        output_of("diantan-agent", "journal", "set-aside", "--config", str(self.config))
        found = [file for file in self.data.glob("journal.db.aside-*") if not file.name.endswith(("-wal", "-shm"))]
        (aside,) = set(found) - set(self.buried)
        self.buried.append(aside)

    def reached(self) -> tuple[bytes, int] | None:
        """Return the context and the last sequence of the journal in use."""
        return journals.reached(self.journal)

    def kept(self) -> list[Kept]:
        """Return every journal it has had; not while it runs."""
        found = [journals.read(path, deleted=True) for path in self.buried]
        return [*found, journals.read(self.journal, deleted=False)]

    def _taken(self) -> Program | None:
        program, self._program = self._program, None
        if program is not None:
            self.programs.running.remove(program)
        return program
