"""A link that stalls, for proving that no driver ever takes a late reply for the answer to another request.

`FarEnd` stands for everything behind a channel: it takes requests, lets an answering function make the replies at once,
and delivers them in order, each as late as the link is slow at that moment. It is reached through memory (with
`run_virtual`, where waiting costs no time and every run is the same), through a real TCP connection, or through a real
pseudo-terminal.

To prove a driver: give `FarEnd` an answering function whose values name what they are and count with every answer,
and read through the driver while the link stalls; `Watch` says what each value is.
"""

import asyncio
import os
import random
import selectors
import tty
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fieldbus.channels.base import Channel
from fieldbus.channels.serial import SerialChannel
from fieldbus.channels.tcp import TcpChannel
from fieldbus.exchange import LineDownError, LineError

T = TypeVar("T")

Answering = Callable[[bytes], Sequence[bytes]]
"""Takes octets as they come to the meters, returns the replies they make, in order."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that does not wait: when nothing is to be done now, its clock jumps to the next timer."""

    def __init__(self) -> None:
        self._virtual = 1000.0
        super().__init__(_Impatient(self))

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._virtual

    def skip(self, seconds: float) -> None:
        """Let time pass."""
        self._virtual += seconds


class _Impatient(selectors.DefaultSelector):  # type: ignore[misc,valid-type]  # its class depends on the platform
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen")
        self._loop.skip(timeout)
        return ready


def run_virtual(scenario: Awaitable[T]) -> T:
    """Run a scenario in virtual time; channels must be in memory."""

    async def main() -> T:
        async with asyncio.timeout(100_000):  # of virtual time
            return await scenario

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


@dataclass
class FarEnd:
    """The other end of a link; `delays` gives for each reply how long the link holds it back, in s (then none)."""

    answer: Answering
    delays: Iterator[float] = field(default_factory=lambda: iter(()))
    spoil: Callable[[bytes], Sequence[tuple[float, bytes]]] | None = None
    """Makes of a reply what is delivered instead: pieces, each so many seconds after the one before."""
    requests: list[bytes] = field(default_factory=list)  # octets as they came
    deliver: Callable[[bytes], None] = lambda _: None
    _free_at: float = 0.0
    _under_way: deque[bytes] = field(default_factory=deque)

    @property
    def asked(self) -> int:
        """How many times something was asked."""
        return len(self.requests)

    def received(self, data: bytes) -> None:
        """Take octets from the channel."""
        self.requests.append(data)
        loop = asyncio.get_running_loop()
        for reply in self.answer(data):
            self._free_at = max(self._free_at, loop.time() + next(self.delays, 0.0))
            for pause, piece in self.spoil(reply) if self.spoil is not None else [(0.0, reply)]:
                self._free_at += pause
                self._under_way.append(piece)
                loop.call_at(self._free_at, self._deliver_next)

    def _deliver_next(self) -> None:
        self.deliver(self._under_way.popleft())  # timers of the same instant come in any order, octets don't


class MemoryChannel(Channel):
    """A channel to a far end in this process."""

    def __init__(self, far: FarEnd) -> None:
        super().__init__("memory")
        self.opened = 0
        self.refuses = False
        self._open = False
        far.deliver = self._deliver
        self._far = far

    @property
    def connected(self) -> bool:
        return self._open

    async def open(self) -> None:
        if self.refuses:
            raise LineDownError("memory: refused")
        if not self._open:
            self.opened += 1
            await asyncio.sleep(0)
            self._open = True

    def hang_up(self) -> None:
        self._open = False

    def write(self, data: bytes) -> None:
        if not self._open:
            raise LineDownError("memory: not open")
        asyncio.get_running_loop().call_soon(self._far.received, data)

    def redial(self) -> None:
        """Let there be a connection that nobody has opened."""
        self._open = True

    def lose(self, reason: str = "memory: lost") -> None:
        """Let the connection end from the other side."""
        self._open = False
        self._on_lost(reason)

    def _deliver(self, data: bytes) -> None:
        if self._open:
            self._on_data(data)


@asynccontextmanager
async def over_tcp(far: FarEnd, timeout_s: float = 5.0) -> AsyncIterator[TcpChannel]:
    """Serve a far end on a real TCP port; as a serial server does, it gives every reply to the newest connection."""
    writers: list[asyncio.StreamWriter] = []

    def deliver(data: bytes) -> None:
        if writers:
            writers[-1].write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while data := await reader.read(4096):
                far.received(data)
        except ConnectionError:
            pass
        finally:
            writers.remove(writer)
            writer.close()

    far.deliver = deliver
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    channel = TcpChannel("127.0.0.1", server.sockets[0].getsockname()[1], timeout_s)
    try:
        yield channel
    finally:
        channel.close()
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()
        for _ in range(3):
            await asyncio.sleep(0)


@asynccontextmanager
async def over_pty(far: FarEnd, **settings: Any) -> AsyncIterator[SerialChannel]:
    """Put a far end behind a real pseudo-terminal."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    loop = asyncio.get_running_loop()
    far.deliver = lambda data: void(os.write(master, data))
    loop.add_reader(master, lambda: far.received(os.read(master, 4096)))
    channel = SerialChannel(os.ttyname(slave), **settings)
    try:
        yield channel
    finally:
        channel.close()
        loop.remove_reader(master)
        os.close(slave)
        os.close(master)


async def until(condition: Callable[[], object], limit_s: float = 20.0) -> None:
    """Wait for what another side does, with a limit for when it does not."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - sockets and terminals tell no event when the other side has read
            await asyncio.sleep(0.001)


def void(_: object) -> None:
    """Do nothing with it."""


@dataclass
class Watch:
    """What became of the reads of a scenario."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)  # another place's value
    old: list[str] = field(default_factory=list)  # the right place's, from before it was asked
    failed: list[LineError] = field(default_factory=list)
    last_ok: bool = False

    async def read(
        self,
        far: FarEnd,
        name: str,
        ask: Callable[[], Awaitable[Sequence[tuple[object, int]]]],
        place: Sequence[object],
    ) -> None:
        """Ask, and judge the answer: (place, number of the question it was made for) for each value.

        `place` is what should have been answered; the number is `FarEnd.asked` at the time the reply was made.
        """
        before = far.asked
        try:
            values = await ask()
        except LineError as error:
            self.failed.append(error)
            self.last_ok = False
            return
        self.last_ok = True
        if [where for where, _ in values] != list(place):
            self.wrong.append(f"{name}: {values}")
        elif any(number <= before for _, number in values):
            self.old.append(f"{name}: {values}, {before} asked before")
        else:
            self.right += 1


def bad_delays(source: random.Random) -> Iterator[float]:
    """Yield what a bad link does: mostly nothing, now and then a stall of any length up to several time-outs."""
    while True:
        yield source.choice((0.0, 0.0, 0.0, source.uniform(0, 2), source.choice((0.29, 0.3, 0.31, 0.6, 0.9))))


def spoilt(source: random.Random, reply: bytes, *, repeat: bool = True) -> list[tuple[float, bytes]]:
    """Return a reply, at times lost, twisted, cut in two by a pause, with noise around it, or (`repeat`) twice."""
    match source.randrange(12):
        case 0:
            return []
        case 1:
            where = source.randrange(len(reply))
            return [(0.0, reply[:where] + bytes((reply[where] ^ 1 << source.randrange(8),)) + reply[where + 1 :])]
        case 2:
            where = source.randrange(len(reply))
            return [(0.0, reply[:where]), (source.uniform(0, 0.8), reply[where:])]
        case 3:
            return [(0.0, source.randbytes(source.randrange(1, 6)) + reply + source.randbytes(source.randrange(3)))]
        case 4 if repeat:
            return [(0.0, reply), (source.uniform(0, 1.2), reply)]
        case _:
            return [(0.0, reply)]
