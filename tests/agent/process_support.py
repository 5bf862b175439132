"""`diantan-agent run` in a process of its own, and what can be seen of it from outside."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway_support import intervals, journal_records

from agent.configuration.base import BaseFile
from agent.configuration.keeper import Keeper
from agent.configuration.state import State
from agent.journal_schema import JournalError
from wire.records import DetailKey, EventCode, EventRecord, FactorQuality

COMMAND = b"c" * 16


@dataclass
class Process:
    """`diantan-agent run` in a process of its own, on a gateway's directory."""

    config: Path
    clock: Any
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base = BaseFile.read(self.config)
        self.journal = self.base.data_dir / "journal.db"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run it, and end it well unless that was done already."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agent.cli", "run", "--config", str(self.config), "--clock", self.clock.spec()),
            cwd=Path(__file__).parents[2],
            env={**os.environ, **self.environment},
        )
        try:
            yield process
            if process.returncode is None:
                process.terminate()
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def propose(self, document: str, trial_s: int) -> None:
        """Do what SET does, while no agent runs: the next start tries it."""
        self.base.data_dir.mkdir(exist_ok=True)
        Keeper(self.base, self.base.store, lambda: 1).propose(document.encode(), COMMAND, trial_s)

    @property
    def state(self) -> State:
        """Return what the agent has noted."""
        found = self.base.store.load()
        assert found is not None
        return found

    def dispatched(self) -> int:
        """Return how many intervals have a factor that the centre dispatched."""
        rows = intervals(list(journal_records(self.journal).values()), "meter-1")
        return sum(row.factor_quality == FactorQuality.DISPATCHED for row in rows)

    def most_readings(self) -> int:
        """Return the greatest number of readings in an interval."""
        return max(row.readings for row in intervals(list(journal_records(self.journal).values()), "meter-1"))

    def changes(self) -> list[tuple[bytes, str]]:
        """Return what the journal says of configurations."""
        try:
            found = journal_records(self.journal)
        except JournalError:
            return []  # it is just being made
        return [
            (bytes.fromhex(str(record.details[DetailKey.DIGEST])), str(record.details[DetailKey.TEXT]))
            for record in found.values()
            if isinstance(record, EventRecord) and record.code == EventCode.CONFIGURATION
        ]


def changed(config: Path, *replacements: tuple[str, str]) -> str:
    """Return a configuration like the own file, but for something."""
    text = config.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return text
