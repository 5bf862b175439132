"""The grid service in a receiver's process, behind a real Mosquitto: a gateway measures, others get factors."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from key_support import BOTH_ALGORITHMS
from receiver_support import FakeGateway, until

from clock import SystemClock
from cloud_receiver import database
from cloud_receiver.cli import main
from cloud_receiver.grid import shelf
from cloud_receiver.grid.model import Branch, Generator, Grid, Load, Node
from wire import keys, topics
from wire.envelope import KeyRing, open_envelope
from wire.grid_feed import GridSlot
from wire.link import Link, LinkSettings, Received
from wire.messages import Factors, Origin
from wire.records import FactorQuality, IntervalRecord, Quality

pytestmark = [pytest.mark.mosquitto, *BOTH_ALGORITHMS]

SLOT_MS = 900_000
DAY_MS = 1_782_835_200_000
SPEED = 600
OFFICIAL = 530_600
GRID = Grid((Node("P1"), Node("S1")), (Branch("L1", "P1", "S1"),), (Generator("G1", "P1"),), (Load("town", "S1"),))
METERS = {"unit": "generator G1", "begin": "branch L1 from", "end": "branch L1 to", "town": "load town"}
RECEIVER_TOML = """
[centre]
key_file = "centre.key"
data_dir = "data"
[broker]
host = "{host}"
port = {port}
[grid]
hold_slots = 1
{more}
"""


@dataclass
class Centre:
    """A receiver's directory, and the processes started in it."""

    directory: Path
    broker: Any
    gateway: FakeGateway
    anchor_ms: int = field(default_factory=lambda: SystemClock().monotonic_ms())
    process: subprocess.Popen[bytes] | None = None
    sent: int = 0

    @property
    def config(self) -> Path:
        return self.directory / "receiver.toml"

    def start(self) -> None:
        clock = f"simulated:{DAY_MS + SLOT_MS + 1000}:{SPEED}:{self.anchor_ms}"
        command = [sys.executable, "-m", "cloud_receiver.cli", "run", "--config", str(self.config), "--clock", clock]
        with (self.directory / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log)

    def end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(20)

    def batch(self, slot: int, factor: float) -> bytes:
        """Return what the gateway's four meters say of a slot: 100 MW made with a factor, 98 delivered."""
        energies = {"unit": (100, 0), "begin": (100, 0), "end": (0, 98), "town": (98, 0)}
        records = []
        for name, (forward, reverse) in energies.items():
            carbon = round(100 * 0.25 * factor * 10**12) if name == "unit" else 0
            mwh = [power * 250_000_000 for power in (forward, reverse)]
            quality = FactorQuality.UNDEFINED
            start = DAY_MS + slot * SLOT_MS
            amounts = (*mwh, *(amount * (slot + 1) for amount in mwh), None, quality, carbon, 0, carbon * (slot + 1), 0)
            records.append(IntervalRecord(name, start, SLOT_MS, *amounts, 15, Quality.MEASURED))
        first = self.sent + 1
        self.sent += len(records)
        return self.gateway.envelope(first, records)


@pytest.fixture
def centre(tmp_path: Path, algorithm: str, mosquitto: Any, capsys: pytest.CaptureFixture[str]) -> Iterator[Centre]:
    meters = "".join(
        f'[[station.meter]]\nid = "{name}"\nrole = "{"generation" if name == "unit" else "flow"}"\n'
        f'gateway = "gw1"\nrated_kw = 200000\nmeasures = "{measures}"\n'
        for name, measures in METERS.items()
    )
    (tmp_path / "registry.toml").write_text(f'[[station]]\nid = "S1"\nnode = "S1"\n{meters}')
    for name in ("centre.key", "gw1.key"):
        assert main(["key", "new", "--algorithm", algorithm, str(tmp_path / name)]) == 0
    centre = Centre(tmp_path, mosquitto, FakeGateway("gw1", keys.load_private(tmp_path / "gw1.key")))
    centre.config.write_text(RECEIVER_TOML.format(host=mosquitto.host, port=mosquitto.port, more=""))
    add = ["gateway", "add", "--config", str(centre.config), "gw1", str(tmp_path / "gw1.key.pub"), "--station", "S1"]
    assert main(add) == 0
    capsys.readouterr()
    engine = database.open_store("sqlite:///receiver.sqlite", tmp_path / "data")
    with database.writing(engine) as connection:
        shelf.enter_grid(connection, GRID, DAY_MS, "two", DAY_MS)
    engine.dispose()
    yield centre
    if centre.process is not None and centre.process.poll() is None:
        centre.process.kill()
        centre.process.wait(10)


class Listener:
    """Somebody who knows the centre's key and listens to factors and feed."""

    def __init__(self, centre: Centre, name: str) -> None:
        self.factors: dict[str, list[Factors]] = {}
        self.feed: list[GridSlot] = []
        self._ring = KeyRing()
        self._ring.add(keys.load_public(centre.directory / "centre.key.pub"), "centre")
        broker = LinkSettings(centre.broker.host, centre.broker.port, name)
        self.link = Link(broker, SystemClock(), on_message=self._take)
        for topic in (topics.factor("P1"), topics.factor("S1"), topics.GRID_FEED):
            self.link.subscribe(topic, 1)

    def _take(self, message: Received) -> None:
        payload = open_envelope(message.payload, message.topic, self._ring).payload
        if message.topic == topics.GRID_FEED:
            self.feed.append(GridSlot.decode(payload))
        else:
            told = Factors.decode(payload)
            self.factors.setdefault(told.node, []).append(told)
        message.ack()

    def of(self, node: str, slot: int) -> tuple[int | None, Origin] | None:
        """Return the factor of a slot that was issued last, and where it is from."""
        found = None
        for message in sorted(self.factors.get(node, ()), key=lambda message: message.issued_ms):
            place = (DAY_MS + slot * SLOT_MS - message.first_start_ms) // SLOT_MS
            if 0 <= place < len(message.factors):
                found = message.factors[place], message.origin_of(place)
        return found


@contextlib.asynccontextmanager
async def listening(centre: Centre, name: str) -> Any:
    listener = Listener(centre, name)
    await listener.link.start()
    try:
        await listener.link.wait_connected()
        yield listener
    finally:
        await listener.link.stop()


def test_from_the_plants_gateway_to_the_factor_of_the_town(centre: Centre) -> None:
    def is_told(listener: Listener, slot: int, expected: tuple[int | None, Origin]) -> Callable[[], bool]:
        return lambda: all(listener.of(node, slot) == expected for node in ("P1", "S1"))

    async def scenario() -> None:
        async with listening(centre, "gw1") as gateway:
            centre.start()

            async def send(slot: int, factor: float) -> None:
                await gateway.link.publish(topics.records("gw1"), centre.batch(slot, factor), 1)

            # The receiver's session must stand before the gateway sends: its first fallback shows that it does.
            await until(lambda: "S1" in gateway.factors)
            await send(0, 0.8)
            await until(is_told(gateway, 0, (800_000, Origin.SOLVED)))
            # Silence: held for a slot, then the official factor.
            await until(is_told(gateway, 1, (800_000, Origin.HELD)))
            await until(is_told(gateway, 2, (OFFICIAL, Origin.OFFICIAL)))
            await send(1, 0.5)
            await until(is_told(gateway, 1, (500_000, Origin.SOLVED)))
            # What was held from the slot before the correction is held from the correction.
            await until(is_told(gateway, 2, (500_000, Origin.HELD)))
            centre.end(signal.SIGKILL)
            await send(2, 0.6)
            centre.start()
            await until(is_told(gateway, 2, (600_000, Origin.SOLVED)))

            def versions() -> list[int]:
                return [told.version for told in gateway.feed if told.start_ms == DAY_MS + 2 * SLOT_MS]

            await until(lambda: max(versions(), default=0) >= 3)
            assert versions() == sorted(versions())
            assert gateway.feed[-1].centre == "centre"
            async with listening(centre, "late") as late:
                # The broker retains the newest message of each node.
                await until(is_told(late, 2, (600_000, Origin.SOLVED)))
                assert late.feed == [] or late.feed[0].start_ms > DAY_MS + 2 * SLOT_MS

    asyncio.run(scenario())
    assert centre.end(signal.SIGTERM) == 0


def test_a_schedule_with_a_node_of_the_grid_is_a_mistake(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    (centre.directory / "factors.csv").write_text("node,start,factor\nS1,2026-07-01T00:00:00+08:00,0.5\n")
    more = '[dispatch]\nschedule = "factors.csv"\n'
    centre.config.write_text(RECEIVER_TOML.format(host=centre.broker.host, port=centre.broker.port, more=more))
    assert main(["run", "--config", str(centre.config)]) == 1
    assert "node S1, whose factor is the grid's: expected one source" in capsys.readouterr().err
