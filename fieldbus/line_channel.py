"""A line's channel with what a bus must know of its connections: how many there were, and how long there was none."""

import asyncio
from collections.abc import Callable

from fieldbus.channels.base import Channel
from fieldbus.exchange import LineCounters, LineDownError


class LineChannel:
    """A channel whose connections are counted and timed, by the event loop's clock."""

    def __init__(self, channel: Channel, counters: LineCounters) -> None:
        self.connection = 0  # counts them
        self._channel = channel
        self._counters = counters
        self._connecting = asyncio.Lock()
        self._down_since: float | None = None
        self._down_s = 0.0  # how long there was no connection, in all

    def attach(self, on_data: Callable[[bytes], None], on_lost: Callable[[str], None]) -> None:
        """Name who is told of octets, and of the end of a connection that was not closed here, with its reason."""
        self._channel.attach(on_data, on_lost)

    @property
    def connected(self) -> bool:
        """Whether the channel is open."""
        return self._channel.connected

    @property
    def name(self) -> str:
        """What messages call the channel."""
        return self._channel.name

    async def connect(self, on_new: Callable[[], None]) -> None:
        """Open the channel, and call `on_new` if it was not open; LineDownError when that fails."""
        async with self._connecting:
            if self._channel.connected:
                return
            try:
                await self._channel.open()
            except LineDownError:
                self._counters.unreachable += 1
                raise
            self._begin()
            on_new()

    def need(self, on_new: Callable[[], None] | None = None) -> None:
        """LineDownError without a connection; `on_new` is called where a meter has dialled in again since the last."""
        if not self._channel.connected:
            self._counters.unreachable += 1
            raise LineDownError(f"no connection to {self._channel.name}")
        if on_new is not None and self._down_since is not None:
            self._begin()
            on_new()

    def write(self, octets: bytes) -> None:
        """Send octets without waiting; LineDownError when there is nothing to send them through."""
        self._channel.write(octets)

    def hang_up(self) -> None:
        """Drop the connection, so that the next is a new one."""
        self._channel.hang_up()
        self.note_end()

    def close(self) -> None:
        """Drop everything."""
        self._channel.close()
        self.note_end()

    def note_end(self) -> None:
        """See whether the connection has ended."""
        if self._down_since is None and not self._channel.connected:
            self._down_since = asyncio.get_running_loop().time()

    def line_time(self) -> float:
        """Return seconds in which there was a connection: without one, nothing that is under way can arrive."""
        now = asyncio.get_running_loop().time() if self._down_since is None else self._down_since
        return now - self._down_s

    def line_time_of(self, time: float) -> float:
        """Return the same for a time of the event loop at which there was this connection, or the last one."""
        return time - self._down_s

    def _begin(self) -> None:
        if self._down_since is not None:
            self._down_s += asyncio.get_running_loop().time() - self._down_since
            self._down_since = None
        self.connection += 1
        self._counters.connects += 1
