"""Listens to what all gateways say of themselves on the broker."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from clock import SystemClock
from wire import topics
from wire.connection import LinkSettings, Received
from wire.envelope import EnvelopeError, KeyRing, open_envelope
from wire.keys import load_public
from wire.link import Link
from wire.messages import MessageError, Status


class StatusesWatch:
    """The latest status of each gateway, its signature verified."""

    def __init__(self, port: int, public_keys: Mapping[str, Path]) -> None:
        self.latest: dict[str, Status] = {}
        self._gateways = tuple(public_keys)
        self._keys = KeyRing()
        for gateway, key in public_keys.items():
            self._keys.add(load_public(key), gateway)
        settings = LinkSettings(host="127.0.0.1", port=port, client_id="grid-demo", protocol="3.1.1")
        self._link = Link(settings, SystemClock(), will=None, on_message=self._take)

    async def __aenter__(self) -> Self:
        for gateway in self._gateways:
            self._link.subscribe(topics.status(gateway), 0)
        await self._link.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._link.stop()

    @property
    def together(self) -> Status | None:
        """Return a status with the sums of all: records written and unacknowledged."""
        return sum_of(self.latest.values())

    def delivered_after(self, time_ms: int) -> bool:
        """Return whether each gateway said, after that time, that nothing of it is unacknowledged."""
        return all(
            (status := self.latest.get(gateway)) is not None
            and status.time_ms >= time_ms
            and status.unacknowledged == 0
            for gateway in self._gateways
        )

    def _take(self, received: Received) -> None:
        received.ack()
        with contextlib.suppress(EnvelopeError, MessageError):
            status = Status.decode(open_envelope(received.payload, received.topic, self._keys).payload)
            self.latest[status.gateway] = status


def sum_of(statuses: Iterable[Status]) -> Status | None:
    """Return a status that has the records of all of them; None of none."""
    listed = list(statuses)
    if not listed:
        return None
    written = sum(status.next_sequence - 1 for status in listed)
    unacknowledged = sum(status.unacknowledged for status in listed)
    return replace(listed[0], next_sequence=written + 1, unacknowledged=unacknowledged)
