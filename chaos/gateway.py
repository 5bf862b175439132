"""One gateway of a round: its files, its process and the journals it has had."""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from chaos import journals
from chaos.journals import Kept
from clock import SimulatedClock
from demo.processes import Program, Programs

KILL_S = 10


@dataclass(slots=True)
class Gateway:
    """A `diantan-agent`; `ahead_ms` is how far its clock is ahead of everybody else's when it next starts."""

    name: str
    config: Path
    data: Path
    programs: Programs
    clock: SimulatedClock
    ahead_ms: int = 0
    buried: list[Path] = field(default_factory=list)
    _program: Program | None = None
    _starts: int = 0

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

    def start(self) -> None:
        """Start it (again)."""
        self._starts += 1
        clock = replace(self.clock, origin_ms=self.clock.origin_ms + self.ahead_ms)
        arguments = ("run", "--log", "json", "--config", str(self.config), "--clock", clock.spec())
        self._program = self.programs.start(f"{self.name}-{self._starts}", "diantan-agent", *arguments)

    def kill(self) -> None:
        """End it as a power cut would."""
        if (program := self._taken()) is not None:
            program.process.kill()
            program.process.wait(KILL_S)

    def stop(self) -> None:
        """End it properly; DemoError when it does not."""
        if (program := self._taken()) is not None:
            program.stop()

    def bury(self) -> None:
        """Take its journal away, as if it had been deleted; what was in it is remembered. Not while it runs."""
        grave = self.data.parent / f"{self.data.name}-buried-{len(self.buried) + 1}"
        grave.mkdir()
        for file in self.data.glob("journal.db*"):
            shutil.move(file, grave / file.name)
        self.buried.append(grave / "journal.db")

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
