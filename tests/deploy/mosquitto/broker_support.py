"""A broker with the deployed configuration, and clients that remember what they were sent."""

import asyncio
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clock import SystemClock
from wire.link import Link, LinkSettings, Received

DEPLOY = Path(__file__).parents[3] / "deploy" / "mosquitto"


@dataclass(frozen=True)
class SecureBroker:
    """A running Mosquitto with the deployed configuration."""

    port: int
    authority: Path
    log: Path
    process: subprocess.Popen[bytes]

    def await_port(self) -> None:
        """Wait until it listens."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("the broker did not listen")

    def stop(self) -> None:
        """End it in good order, so that it writes its persistence."""
        self.process.terminate()
        self.process.wait(10)

    def settings(
        self,
        name: str,
        *,
        client_id: str | None = None,
        authority: Path | None = None,
        protocol: Literal["auto", "5", "3.1.1"] = "5",
    ) -> LinkSettings:
        """Return the settings of a client with the certificate of a name, by default of this broker's authority."""
        own = authority or self.authority
        return LinkSettings(
            "127.0.0.1",
            self.port,
            client_id or name,
            ca_file=self.authority / "ca.crt",
            cert_file=own / f"{name}.crt",
            key_file=own / f"{name}.key",
            protocol=protocol,
            reconnect_min_ms=50,
            reconnect_max_ms=100,
        )


class Client:
    """A link and what it received."""

    def __init__(self, settings: LinkSettings) -> None:
        self.link = Link(settings, SystemClock(), on_message=self._received)
        self.inbox: list[tuple[str, bytes]] = []
        self._arrival = asyncio.Event()

    def _received(self, message: Received) -> None:
        self.inbox.append((message.topic, message.payload))
        message.ack()
        self._arrival.set()

    async def until(self, topic: str, payload: bytes) -> None:
        """Wait until this message has come."""
        while (topic, payload) not in self.inbox:
            await self._arrival.wait()
            self._arrival.clear()


@asynccontextmanager
async def connected(settings: LinkSettings, *subscriptions: str) -> AsyncIterator[Client]:
    """Yield a client that is connected and whose subscriptions are answered."""
    client = Client(settings)
    for topic in subscriptions:
        client.link.subscribe(topic, 1)
    await client.link.start()
    try:
        await client.link.wait_connected()
        yield client
    finally:
        await client.link.stop()


async def refused(settings: LinkSettings) -> None:
    """Assert that three attempts to connect fail."""
    tries = asyncio.Queue[None]()

    def jitter() -> float:
        tries.put_nowait(None)
        return 1.0

    accepted = asyncio.Event()
    link = Link(settings, SystemClock(), on_connect=accepted.set, jitter=jitter)
    await link.start()
    try:
        for _ in range(3):
            await tries.get()
        assert not accepted.is_set()
    finally:
        await link.stop()
