"""A process that starts one configurator after another, with a clock that is moved by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway_support import context, until
from keeper_support import ModelDisk

from agent.configuration.base import BaseFile
from agent.configuration.configurator import Configurator, Reach
from agent.configuration.keeper import Keeper
from agent.configuration.store import Store, digest_of
from agent.journal import Journal
from agent.writer import JournalWriter
from clock import ManualClock
from wire.commands import Command, Outcome
from wire.orders import Configure, ConfigureAction
from wire.records import DetailKey, EventCode, EventRecord

START = 1_767_196_800_000


@dataclass
class Bench:
    """A process that starts one configurator after another."""

    own: BaseFile
    journal: Path
    disk: ModelDisk = field(default_factory=ModelDisk)
    clock: ManualClock = field(default_factory=lambda: ManualClock(wall_ms=START))
    connected: bool = True
    trouble: str | None = None
    commands: int = 0

    def __post_init__(self) -> None:
        self.restart_process()

    def restart_process(self) -> None:
        """Begin anew, with what the disk has."""
        self.keeper = Keeper(self.own, Store(self.disk), self.clock.now_ms)

    def text(self, poll: int) -> str:
        """Return a configuration that differs from the own file."""
        return self.own.content.decode().replace("poll_seconds = 60", f"poll_seconds = {poll}")

    def command(self, action: ConfigureAction, document: str | None = None, **more: Any) -> Any:
        """Return a new command of the centre's."""
        self.commands += 1
        order = Configure(action, document, **more)
        return Command("gw-1", self.commands.to_bytes(16), START, START + 1000, order)

    async def set(self, at: Configurator, text: str, **more: Any) -> Any:
        """Have a configuration sent."""
        command = self.command(ConfigureAction.SET, text, **more)
        return await at.set(command.order, command)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Configurator]:
        """Start the gateway, as far as the configurator is concerned."""
        journal = Journal.open(self.journal, now_ms=START, entropy=context)
        writer = JournalWriter(journal, self.clock, self.clock.now_ms, memory_records=100)
        configurator = Configurator(self.keeper, self.keeper.choose(), self.clock, hand_over_s=0)
        reach = Reach(lambda: self.connected, lambda: self.trouble)
        tasks = [asyncio.create_task(writer.run()), asyncio.create_task(configurator.run(writer, reach))]
        try:
            yield configurator
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await writer.close()

    def events(self) -> list[tuple[bytes, bytes | None, str]]:
        """Return what the journal says of configurations: digest, command, text."""
        journal = Journal.open(self.journal, now_ms=START, entropy=context)
        found = journal.read(1, 100).records
        journal.close()
        events = [record for record in found if isinstance(record, EventRecord)]
        assert {record.code for record in events} <= {EventCode.CONFIGURATION}
        return [
            (
                bytes.fromhex(str(record.details[DetailKey.DIGEST])),
                bytes.fromhex(str(command)) if (command := record.details.get(DetailKey.COMMAND)) else None,
                str(record.details[DetailKey.TEXT]),
            )
            for record in events
        ]

    async def pass_until(self, condition: Callable[[], bool], step_ms: int = 1000) -> int:
        """Let time pass until something is true; return how much."""
        begun = self.clock.monotonic_ms()
        async with asyncio.timeout(20):
            while not condition():
                await self.clock.advance(step_ms)
                await asyncio.sleep(0.002)
        return self.clock.monotonic_ms() - begun


def digest(text: str) -> bytes:
    """Return the digest of a configuration."""
    return digest_of(text.encode())


async def taken(bench: Bench, text: str) -> bytes:
    """Have a configuration sent, tried and confirmed; return the command's id."""
    async with bench.run() as first:
        outcome, _, _ = await bench.set(first, text)
        assert outcome == Outcome.UNDER_WAY
        await asyncio.wait_for(first.restart.wait(), 5)
    async with bench.run() as second:
        second.heard_centre()
        await bench.pass_until(lambda: second.pending is not None)
        pending = second.pending
        assert pending is not None
        assert (pending.outcome, pending.text) == (Outcome.DONE, "")
        second.told()
        await until(lambda: bench.keeper.state.verdict is not None and bench.keeper.state.verdict.told, 5)
        await until(lambda: not bench.keeper.state.changes, 5)
    return pending.command
