"""Lets the shared time go on, a quarter of an hour at a time, as soon as its records have come to the broker."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from clock import SystemClock
from demo.files import GATEWAY, NODE
from diantan_core import DecodeError, decode_batch
from wire import topics
from wire.connection import LinkSettings, Received
from wire.envelope import EnvelopeError, KeyRing, open_envelope
from wire.keys import load_public
from wire.link import Link
from wire.messages import Acknowledgement, MessageError

PATIENCE_S: Final = 5.0
"""How long nothing at all may come before it is taken that what is waited for will not come now."""
CHECK_S: Final = 1.0


class Pace:
    """What gateway and centre have done, as any subscriber may see it, signatures verified."""

    def __init__(self, port: int, gateway_key: Path, centre_key: Path, meters: Iterable[str]) -> None:
        """Both keys are public ones."""
        self.gateway_is_up = self.centre_is_up = False
        self.written = 0
        self.acknowledged = 0
        self._ends_ms = dict.fromkeys(meters, 0)
        self._gateway, self._centre = KeyRing(), KeyRing()
        self._gateway.add(load_public(gateway_key), GATEWAY)
        self._centre.add(load_public(centre_key), "centre")
        self._news = asyncio.Event()
        settings = LinkSettings(host="127.0.0.1", port=port, client_id="replay", protocol="5")
        self._link = Link(settings, SystemClock(), will=None, on_message=self._take)

    async def __aenter__(self) -> Self:
        for topic in (topics.status, topics.records, topics.acknowledgement):
            self._link.subscribe(topic(GATEWAY), 1)
        self._link.subscribe(topics.factor(NODE), 1)
        await self._link.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._link.stop()

    def complete(self, until_ms: int) -> bool:
        """Return whether each meter's records up to an instant have come."""
        return all(end_ms >= until_ms for end_ms in self._ends_ms.values())

    @property
    def settled(self) -> bool:
        """Whether the centre has acknowledged all records that have come."""
        return self.acknowledged >= self.written

    async def comes(self, ready: Callable[[], bool], check: Callable[[], None], patience_s: float = PATIENCE_S) -> bool:
        """Wait until something has come about; False when nothing at all comes about any more.

        `check` is called now and then and may raise.
        """
        since = time.monotonic()
        while not ready():
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), CHECK_S)
                since = time.monotonic()
            except TimeoutError:
                check()
            if time.monotonic() - since > patience_s:
                return False
        return True

    def _take(self, received: Received) -> None:
        received.ack()
        with contextlib.suppress(EnvelopeError, MessageError, DecodeError):
            if received.topic == topics.records(GATEWAY):
                self._take_records(received)
            elif received.topic == topics.acknowledgement(GATEWAY):
                payload = open_envelope(received.payload, received.topic, self._centre).payload
                self.acknowledged = max(self.acknowledged, Acknowledgement.decode(payload).up_to)
            elif received.topic == topics.factor(NODE):
                open_envelope(received.payload, received.topic, self._centre)
                self.centre_is_up = True  # it listens, too: it dispatches on the connection on which it hears
            else:
                open_envelope(received.payload, received.topic, self._gateway)
                self.gateway_is_up = True
            self._news.set()

    def _take_records(self, received: Received) -> None:
        batch = decode_batch(open_envelope(received.payload, received.topic, self._gateway).payload)
        self.written = max(self.written, batch.first + batch.count - 1)
        for _, meter, start_ms, duration_ms, *_ in batch.interval_rows(range(len(batch.meters))):
            name = batch.meters[meter or 0]
            if name in self._ends_ms:
                self._ends_ms[name] = max(self._ends_ms[name], (start_ms or 0) + (duration_ms or 0))
