"""What the gateway tells without guarantee: the latest values of its meters, and its own state."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from agent.reading import Reading
from agent.uplink import Publisher
from agent.writer import JournalWriter
from wire import topics
from wire.envelope import Signer
from wire.messages import Live, Status, StatusState
from wire.records import ClockState

_INT64: Final = 1 << 63


class LiveValues:
    """Keeps each meter's latest reading and publishes those that are new and fresh."""

    def __init__(
        self, gateway: str, link: Publisher, signer: Signer, *, now_ms: Callable[[], int], stale_ms: int
    ) -> None:
        self.dropped = 0  # readings that became stale before they could be published
        self._gateway = gateway
        self._topic = topics.live(gateway)
        self._link = link
        self._signer = signer
        self._now_ms = now_ms
        self._stale_ms = stale_ms
        self._latest: dict[str, Reading] = {}
        self._under_way: asyncio.Future[None] | None = None

    def update(self, reading: Reading) -> None:
        """Remember a reading; the one before it is superseded."""
        self._latest[reading.meter] = reading

    def publish(self) -> bool:
        """Publish what came since the last time; what is too old by now is dropped, never sent with a new time."""
        now = self._now_ms()
        fresh = [reading for reading in self._latest.values() if now - reading.time_ms <= self._stale_ms]
        # A link that does not get rid of one message would only pile up the next ones in memory.
        stuck = self._under_way is not None and not self._under_way.done()
        if not self._link.connected or stuck or not fresh:
            self.dropped += len(self._latest) - len(fresh)
            self._latest = {reading.meter: reading for reading in fresh}
            return False
        self._latest = {}
        meters = tuple((reading.meter, reading.time_ms, _bounded(reading.values())) for reading in fresh)
        message = Live(self._gateway, now, meters).encode()
        self._under_way = self._link.publish(self._topic, self._signer.sign(message, self._topic), 0)
        return True


def _bounded(values: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in values.items() if -_INT64 <= value < _INT64}


class StatusReporter:
    """Birth, health and will, retained: what a subscriber sees of this gateway at any time."""

    def __init__(
        self,
        gateway: str,
        signer: Signer,
        *,
        now_ms: Callable[[], int],
        writer: JournalWriter,
        clock_state: Callable[[], ClockState],
    ) -> None:
        self.topic = topics.status(gateway)
        self._gateway = gateway
        self._signer = signer
        self._now_ms = now_ms
        self._writer = writer
        self._clock_state = clock_state
        self.facts: Callable[[], Mapping[str, Any]] = dict  # further fields; the will, made first, has none

    def envelope(self, state: StatusState) -> bytes:
        """Return the signed status as of now."""
        message = Status(
            self._gateway,
            state,
            self._now_ms(),
            self._writer.journal.header.context,
            self._writer.next_sequence,
            self._writer.unacknowledged,
            self._clock_state(),
            self._writer.journal.header.dropped,
            **self.facts(),
        )
        return self._signer.sign(message.encode(), self.topic)
