"""What the tests of the whole gateway share: a running gateway, a scene around it, and what must hold at the end."""

import asyncio
import dataclasses
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import diantan_core
from agent.config_file import load_config
from agent.gateway import Gateway
from agent.journal import Journal
from agent.journal_check import open_read_only, records, verify
from agent.journal_entry import Append
from clock import Clock, ManualClock, SimulatedClock
from wire.records import IntervalRecord

SLOT = 900_000
ORIGIN_MS = 1_767_196_800_000


def context(length: int) -> bytes:
    """Return a context that differs each time, as a real one does."""
    return random.Random().randbytes(length)


class Running:
    """A gateway in this process."""

    def __init__(self, config: Path, clock: Clock) -> None:
        loaded = load_config(config)
        loaded.config.gateway.data_dir.mkdir(exist_ok=True)
        self.file = loaded.config.journal_file
        journal = Journal.open(self.file, now_ms=clock.now_ms(), entropy=context)
        self.gateway = Gateway(loaded, journal, clock, chance=random.Random(1))
        self.stop = asyncio.Event()

    async def __aenter__(self) -> Gateway:
        self.task = asyncio.create_task(self.gateway.run(self.stop))
        return self.gateway

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await self.task


@contextmanager
def at_rest(site: Any, monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> Iterator[tuple[Gateway, list[Any]]]:
    """Yield a gateway that nothing drives but the test, and what it would write."""
    gateway = Running(site.configure(broker_port=1, meter_ports=[1]), clock).gateway
    written: list[Append] = []
    monkeypatch.setattr(gateway.writer, "submit", written.append)
    try:
        yield gateway, written
    finally:
        gateway.writer.journal.close()


@dataclass
class Scene:
    """What every test here needs."""

    broker: Any
    site: Any
    responder: Any
    clock: SimulatedClock

    def configure(self, meters: int = 1, extra: str = "") -> Path:
        """Write the configuration; to be called while the responder listens."""
        ports = [self.responder.port] * meters
        return Path(self.site.configure(broker_port=self.broker.port, meter_ports=ports, extra=extra))

    def gateway(self, meters: int = 1, extra: str = "") -> Running:
        """Return a gateway in this process."""
        return Running(self.configure(meters, extra), self.clock)


async def until(condition: Callable[[], bool], limit_s: float = 40) -> None:
    """Look every few milliseconds whether something has become true."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - counters and files have no event to wait for
            await asyncio.sleep(0.005)


async def silence(_request: Any, _reply: bytes) -> None:
    """Answer nothing."""


def intervals(found: list[Any], meter: str) -> list[IntervalRecord]:
    """Return a meter's intervals."""
    return [record for record in found if isinstance(record, IntervalRecord) and record.meter == meter]


def assert_delivered(centre: Any, file: Path) -> None:
    """Every sequence that the centre has is there once and without gap, and says what the journal says."""
    assert verify(file).problems == []
    kept = journal_records(file)
    assert sorted(centre.stored) == list(range(1, len(centre.stored) + 1))
    assert set(centre.stored) <= set(kept)
    for sequence, payload in centre.stored.items():
        batch = diantan_core.decode_batch(payload)
        meters = batch.meters
        rows = {row[0]: row for row in batch.interval_rows(range(len(meters)))}
        record = kept[sequence]
        if isinstance(record, IntervalRecord):
            assert (meters[rows[sequence][1]], *rows[sequence][2:]) == dataclasses.astuple(record)
        else:
            assert sequence not in rows


def journal_records(file: Path) -> dict[int, Any]:
    """Return the records of a journal by sequence."""
    connection = open_read_only(file)
    try:
        return dict(records(connection))
    finally:
        connection.close()
