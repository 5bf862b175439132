"""A receiver as a process, and a gateway played by the test on the other side of the broker."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from receiver_support import DAY_MS, SLOT_MS, FakeGateway, interval, until
from sqlalchemy import Engine

from clock import SystemClock
from cloud_receiver import database
from cloud_receiver.cli import main
from wire import keys, topics
from wire.envelope import KeyRing, open_envelope
from wire.link import Link, LinkSettings, Received
from wire.messages import Acknowledgement

RECEIVER_TOML = """
registry = "registry.toml"
[centre]
key_file = "centre.key"
data_dir = "data"
database = "{store}"
[broker]
host = "{host}"
port = {port}
client_id = "{client}"
{group}
[dispatch]
schedule = "factors.csv"
"""

REGISTRY_TOML = """
[[station]]
id = "S1"
node = "node1"
[[station.meter]]
id = "C01"
role = "charger"
gateway = "gw1"
rated_kw = 60
[[station.meter]]
id = "G"
role = "grid"
gateway = "gw1"
rated_kw = 400
"""


@dataclass
class Centre:
    """A receiver's directory, and the processes started in it."""

    directory: Path
    broker: Any
    gateway: FakeGateway
    database: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def config(self, client: str = "receiver", group: str = "") -> Path:
        path = self.directory / f"{client}.toml"
        names = {"host": self.broker.host, "port": self.broker.port, "client": client, "group": group}
        path.write_text(RECEIVER_TOML.format(store=self.database, **names))
        return path

    def start(self, config: Path, program: list[str] | None = None) -> subprocess.Popen[bytes]:
        # Half a slot into the day, and standing practically still.
        clock = f"simulated:{DAY_MS + 10 * SLOT_MS + 1000}:1:{SystemClock().monotonic_ms()}"
        with (self.directory / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    *(program or ["-m", "cloud_receiver.cli"]),
                    "run",
                    "--config",
                    str(config),
                    "--clock",
                    clock,
                ],
                stderr=log,
            )
        self.processes.append(process)
        return process

    def store(self) -> Engine:
        return database.open_store(self.database, self.directory / "data")

    def centre_ring(self) -> KeyRing:
        ring = KeyRing()
        ring.add(keys.load_public(self.directory / "centre.key.pub"), "centre")
        return ring


@contextmanager
def a_centre(directory: Path, broker: Any, algorithm: str, store: str) -> Iterator[Centre]:
    """Prepare a centre with an enrolled gateway; what was started of it ends."""
    (directory / "registry.toml").write_text(REGISTRY_TOML)
    (directory / "factors.csv").write_text(
        "node,start,factor\n"
        + "".join(f"node1,2026-07-01T{slot // 4:02}:{slot % 4 * 15:02}:00+08:00,0.5703\n" for slot in range(40))
    )
    for name in ("centre.key", "gw1.key"):
        assert main(["key", "new", "--algorithm", algorithm, str(directory / name)]) == 0
    gateway = FakeGateway("gw1", keys.load_private(directory / "gw1.key"))
    centre = Centre(directory, broker, gateway, store)
    enrol = ["gateway", "add", "--config", str(centre.config()), "gw1", str(directory / "gw1.key.pub")]
    assert main([*enrol, "--station", "S1"]) == 0
    yield centre
    for process in centre.processes:
        if process.poll() is None:
            process.kill()
        process.wait(10)


@dataclass
class Field:
    """The gateway's side of the broker."""

    link: Link
    received: list[tuple[str, bytes]]
    ring: KeyRing

    async def send(self, envelope: bytes, topic: str = topics.records("gw1")) -> None:
        await self.link.publish(topic, envelope, 1)

    def acknowledged(self) -> int:
        """Return up to where the centre has acknowledged the gateway's journal."""
        found = [
            Acknowledgement.decode(open_envelope(payload, topic, self.ring).payload)
            for topic, payload in self.received
            if topic == topics.acknowledgement("gw1")
        ]
        return max((item.up_to for item in found if item.context == b"journal1"), default=0)


def in_the_field(centre: Centre, scenario: Callable[[Field], Awaitable[None]]) -> None:
    """Run a scenario with a connected gateway."""

    async def run() -> None:
        received: list[tuple[str, bytes]] = []

        def take(message: Received) -> None:
            received.append((message.topic, message.payload))
            message.ack()

        link = Link(LinkSettings(centre.broker.host, centre.broker.port, "gw1"), SystemClock(), on_message=take)
        link.subscribe(topics.acknowledgement("gw1"), 1)
        link.subscribe(topics.factor("node1"), 1)
        await link.start()
        try:
            await link.wait_connected()
            await scenario(Field(link, received, centre.centre_ring()))
        finally:
            await link.stop()

    asyncio.run(run())


def batch(gateway: FakeGateway, first: int, count: int) -> bytes:
    """Return an envelope of the records first..first+count-1, record n being slot n - 1."""
    return gateway.envelope(first, [interval(number - 1) for number in range(first, first + count)])


async def subscribed(field: Field) -> None:
    """Wait until the receiver serves: it dispatches when it is connected, after it has asked for its subscription."""
    await until(lambda: any(topic == topics.factor("node1") for topic, _ in field.received))


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a receiver as systemd does."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
