"""The gateway with real sockets: a Modbus responder, a real broker, and a centre that verifies and acknowledges."""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.config_file import load_config
from agent.gateway import Gateway
from agent.journal import Journal
from agent.journal_check import open_read_only, records, verify
from clock import Clock
from wire.messages import Status, StatusState
from wire.records import EventCode, IntervalRecord


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


@dataclass
class Scene:
    """What every test here needs."""

    broker: Any
    site: Any
    responder: Any
    clock: Clock


def journal_records(file: Path) -> dict[int, Any]:
    """Return the records of a journal by sequence."""
    connection = open_read_only(file)
    try:
        return dict(records(connection))
    finally:
        connection.close()


@pytest.fixture
def scene(mosquitto: Any, site: Any, responder: Any, fast_clock: Any, registers_of: Any) -> Scene:
    """Return a broker, keys, a responder that meters constant power, and a fast clock."""
    responder.registers = registers_of(fast_clock)
    return Scene(mosquitto, site, responder, fast_clock)


@pytest.mark.mosquitto
def test_every_record_arrives_once_and_energy_is_exact(scene: Scene, make_centre: Any) -> None:
    """Two meters, several slots, factors dispatched: the centre has what the journal has, and the sums agree."""

    async def scenario() -> Path:
        centre = make_centre(scene.broker.port)
        async with scene.responder.listening(), centre.running():
            config = scene.site.configure(broker_port=scene.broker.port, meter_ports=[scene.responder.port] * 2)
            centre.dispatch(scene.clock.now_ms() // 900_000 * 900_000, *[500_000] * 96)
            running = Running(config, scene.clock)
            async with running:
                await centre.until(lambda: len(centre.stored) >= 12)
            assert Status.decode(centre.statuses[0]).state == StatusState.BIRTH
            await centre.until(lambda: Status.decode(centre.statuses[-1]).state == StatusState.OFFLINE)
        assert sorted(centre.stored) == list(range(1, len(centre.stored) + 1))
        return running.file

    file = asyncio.run(scenario())
    assert verify(file).problems == []
    found = journal_records(file).values()
    assert next(iter(found)).code == EventCode.CONTEXT_OPENED
    for meter in ("meter-1", "meter-2"):
        rows = [row for row in found if isinstance(row, IntervalRecord) and row.meter == meter]
        assert rows[-1].forward_total_mwh - rows[0].forward_total_mwh == sum(row.forward_mwh for row in rows[1:])
        assert all(14_000_000 < row.forward_mwh < 16_000_000 for row in rows[1:])
        assert {row.factor for row in rows[1:]} == {500_000}
