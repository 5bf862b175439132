"""A line's bus (总线): the one owner of its channel, which asks one thing at a time, and only what can be told apart.

What is asked waits for its turn, and for everything that could be taken for its answer to be out of the way. How it
is sent and what becomes of each frame is the conversation's (fieldbus.conversation).
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Final

from clock import Clock
from fieldbus.channels.base import Channel
from fieldbus.conversation import Conversation
from fieldbus.exchange import (
    REFUSED,
    BadReplyError,
    Framing,
    Heard,
    LineCounters,
    LineError,
    NoReplyError,
    RefusedError,
    Request,
    Traced,
)
from fieldbus.line_channel import LineChannel
from fieldbus.line_timing import LineTiming

_PROBES: Final = 2  # the second only where the first was refused like something else that may still come


class LineBus:
    """Requests of any protocol on one channel."""

    def __init__(self, channel: Channel, timing: LineTiming, clock: Clock) -> None:
        """`clock` dates what is traced."""
        self.counters = LineCounters()
        self._timing = timing
        self._channel = LineChannel(channel, self.counters)
        self._conversation = Conversation(self._channel, timing, clock, self.counters)
        self._turn = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Whether the channel is open."""
        return self._channel.connected

    @property
    def timing(self) -> LineTiming:
        """The line's times."""
        return self._timing

    @property
    def tap(self) -> Callable[[Traced], None] | None:
        """Who is told of everything that passes."""
        return self._conversation.tap

    @tap.setter
    def tap(self, tap: Callable[[Traced], None] | None) -> None:
        self._conversation.tap = tap

    def attach(self, framing: Framing) -> None:
        """Listen with this framing from now on."""
        self._conversation.attach(framing)

    async def connect(self) -> None:
        """Open the channel; LineDownError when that fails."""
        await self._channel.connect(self._conversation.restart)

    def close(self) -> None:
        """Close the channel; a request under way ends with LineDownError."""
        self._channel.close()
        self._conversation.end(f"{self._channel.name} was closed")

    def unanswered(self, device: Hashable) -> frozenset[Hashable]:
        """Return the signatures of a device's requests whose replies may still come."""
        return self._conversation.unanswered.signatures(device)

    async def exchange(self, request: Request) -> Heard | None:
        """Send a request and return the frame that answers it, None for a broadcast; else a LineError.

        Waits for its turn. Cancelled, it leaves the line in order: what may still be answered stays known.
        """
        async with self._turn:
            self.attach(request.framing)
            self._channel.need(self._conversation.restart)
            if request.signature is None:
                await self._conversation.broadcast(request)
                return None
            self._conversation.forget_old()
            await self._synchronise(request)
            heard = await self._conversation.ask(request)
            self._count(request, heard)
            return heard

    async def raw(self, octets: bytes, silence_s: float) -> None:
        """Put octets of any kind on the line and wait for so much silence, or the end of the connection.

        What comes back answers nothing that was asked. LineDownError.
        """
        async with self._turn:
            self._channel.need()
            await self._conversation.raw(octets, silence_s)

    def _count(self, request: Request, heard: Heard) -> None:
        try:
            if request.verify is not None:
                request.verify(heard)
        except RefusedError:
            self.counters.exception += 1
            raise
        except LineError:
            self.counters.corrupt += 1
            raise
        if heard.signature is None:
            self.counters.exception += 1
        else:
            self.counters.ok += 1

    async def _synchronise(self, request: Request) -> None:
        """See to it that nothing is under way that could be taken for the request's answer."""
        unanswered, echo = self._conversation.unanswered, self._conversation.echo
        for _ in range(_PROBES):
            in_the_way = unanswered.in_the_way(request)
            unsure = REFUSED in in_the_way or request.signature in in_the_way
            if not unsure and not (request.mirrored and echo.known is None):
                return
            probe = request.probe(in_the_way) if request.probe is not None else None
            if probe is None:
                if not unsure:
                    return
                self._conversation.count_silence()
                raise NoReplyError(f"{request.about}: earlier requests may still be answered, so it was not asked")
            self.counters.probes += 1
            try:
                await self._conversation.ask(probe, "probe")
            except LineError:
                if REFUSED not in unanswered.signatures(request.device):
                    raise
                continue
            if not request.mirrored or echo.known is not None:
                return
        if REFUSED in unanswered.in_the_way(request):
            raise BadReplyError(f"{request.about}: the meter refuses, and what it refuses is not known")
        raise BadReplyError(f"{request.about}: too much noise to know its echo from the answer, so it was not asked")
