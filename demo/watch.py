"""Listens to what the gateway says of itself on the broker, as any subscriber may."""

import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

from clock import SystemClock
from demo.files import GATEWAY
from wire import topics
from wire.connection import LinkSettings, Received
from wire.envelope import EnvelopeError, KeyRing, open_envelope
from wire.keys import load_public
from wire.link import Link
from wire.messages import MessageError, Status


class StatusWatch:
    """The gateway's latest status, its signature verified."""

    def __init__(self, port: int, public_key: Path) -> None:
        self.latest: Status | None = None
        self._keys = KeyRing()
        self._keys.add(load_public(public_key), GATEWAY)
        settings = LinkSettings(host="127.0.0.1", port=port, client_id="demo", protocol="3.1.1")
        self._link = Link(settings, SystemClock(), will=None, on_message=self._take)

    async def __aenter__(self) -> Self:
        self._link.subscribe(topics.status(GATEWAY), 0)
        await self._link.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._link.stop()

    def delivered_after(self, time_ms: int) -> bool:
        """Return whether the gateway said, after that time, that nothing of it is unacknowledged."""
        return self.latest is not None and self.latest.time_ms >= time_ms and self.latest.unacknowledged == 0

    def _take(self, received: Received) -> None:
        received.ack()
        with contextlib.suppress(EnvelopeError, MessageError):
            self.latest = Status.decode(open_envelope(received.payload, received.topic, self._keys).payload)
