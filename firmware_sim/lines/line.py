"""One line with all its meters: it lets them answer, applies what goes wrong on the way, and keeps the line's time.

Without timing a reply is sent at once, within the call that brought the request. Otherwise it begins when the request
has been on the line for as long as its octets take there, and the meter's turnaround (应答延时 Td) and what faults add
are over; its own octets then follow at the speed of the line. A meter answers in order, and two meters never talk at
the same time: what would collide on a real line waits.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from clock import Clock
from firmware_sim.faces.base import Answer, DialInFace, Face
from firmware_sim.faults.book import FaultBook
from firmware_sim.faults.replies import Sent, Treated, echoes, treat

_LONGEST_REQUEST: Final = 4_096
_SAME_REQUEST_S: Final = 0.05  # of real time: pieces of one request come closer together
_PIECE_S: Final = 0.01  # of real time: shorter waits than that are not kept exactly


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take on a line, in ms of the simulated clock.

    `octet_ms` is how long one octet takes, 0: no time. `turnaround_ms` is the least and the most a meter thinks before
    it answers; the line draws from the seed. `silence_s` is in real time: after it, what was begun is given up.
    """

    octet_ms: float = 0.0
    turnaround_ms: tuple[int, int] = (0, 0)
    silence_s: float = 0.5
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """Octets that wait to be sent, and from when on they may be."""

    octets: bytes
    meter: str
    begin_ms: float
    session: "Session"


class Line:
    """A line. `faces` makes the faces of a new connection; `is_dark` tells which meters are without power.

    With `hands_over`, a reply whose asker has gone goes to who is connected now, as a serial server (串口服务器) sends
    on whatever its serial side says.
    """

    def __init__(
        self,
        name: str,
        faces: Callable[[], Sequence[Face]],
        book: FaultBook,
        clock: Clock,
        *,
        timing: Timing | None = None,
        turnarounds: Mapping[str, tuple[int, int]] | None = None,
        is_dark: Callable[[str, int], bool] = lambda _meter, _now_ms: False,
        hands_over: bool = False,
    ) -> None:
        self.name = name
        self.clock = clock
        self.timing = timing or Timing()
        self.requests = 0
        self._faces = faces
        self._book = book
        self._turnarounds = turnarounds or {}
        self._is_dark = is_dark
        self._hands_over = hands_over
        self._random = random.Random(f"{self.timing.seed}/{name}")  # noqa: S311 - repeatable, no secret
        self._sessions: list[Session] = []
        self._waiting: set[asyncio.Task[None]] = set()
        self._last: dict[str, asyncio.Task[None]] = {}  # of each meter, the last reply that still waits
        self._stall: asyncio.Task[None] | None = None  # the reply of a stalled line, before which nothing passes
        self._medium = asyncio.Lock()
        self._free_ms = float("-inf")  # when the last octet that was sent is over

    def open(self, send: Callable[[bytes], None]) -> "Session":
        """Return a new connection to the line; `send` takes what goes to the master."""
        session = Session(self, self._faces(), send)
        self._sessions.append(session)
        return session

    def close(self) -> None:
        """Forget every reply that still waits."""
        for task in self._waiting:
            task.cancel()

    def forget(self, session: "Session") -> None:
        """Take a connection off the line."""
        self._sessions.remove(session)

    def hear(self, data: bytes, now_ms: int) -> bytes:
        """Return what of the master's own octets comes back at once."""
        return data * echoes(self._book, self.name, now_ms) if self._book.on_replies else b""

    def say(self, session: "Session", face: Face, answer: Answer, request: bytes, now_ms: int) -> None:
        """Send a reply, as soon as the line and its faults let it pass."""
        counters = self._book.counters.get(answer.meter)
        if request:
            self.requests += 1
            if counters is not None:
                counters.requests += 1
        if self._is_dark(answer.meter, now_ms):
            return
        treated: Treated | None = Treated(answer.octets)
        if self._book.on_replies:
            treated = treat(self._book, Sent(self.name, face, answer, request), now_ms)
        if treated is None:
            return
        session.held.append((answer.meter, treated.octets))
        if treated.held:
            return
        octets = b"".join(part for _, part in session.held)
        for meter, _ in session.held:
            if meter in self._book.counters:
                self._book.counters[meter].answers += 1
        session.held.clear()
        wait_ms = treated.delay_ms + session.last * self.timing.octet_ms + self._turnaround(answer.meter)
        if wait_ms == 0 and self._stall is None and answer.meter not in self._last:
            self._pass_on(octets, session)
        else:
            reply = Reply(octets, answer.meter, self.clock.monotonic_ms() + wait_ms, session)
            self._schedule(reply, stalls=treated.stalls)

    def _turnaround(self, meter: str) -> int:
        least, most = self._turnarounds.get(meter, self.timing.turnaround_ms)
        return self._random.randint(least, most) if most else 0

    def _schedule(self, reply: Reply, *, stalls: bool) -> None:
        before = [task for task in (self._last.get(reply.meter), self._stall) if task is not None]
        task = asyncio.get_running_loop().create_task(self._deliver(reply, before), name=f"reply of {reply.meter}")
        self._waiting.add(task)
        self._last[reply.meter] = task
        if stalls:
            self._stall = task
        task.add_done_callback(lambda done: self._delivered(reply.meter, done))

    def _delivered(self, meter: str, task: asyncio.Task[None]) -> None:
        self._waiting.discard(task)
        if self._last.get(meter) is task:
            del self._last[meter]
        if self._stall is task:
            self._stall = None

    async def _deliver(self, reply: Reply, before: Sequence[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        await self._until(reply.begin_ms)
        octet_ms = self.timing.octet_ms
        if not octet_ms:
            self._pass_on(reply.octets, reply.session)
            return
        async with self._medium:
            # Reckoned, not measured: a timer that is late must not make the line slower than it is.
            begin_ms = max(reply.begin_ms, self._free_ms)
            self._free_ms = begin_ms + len(reply.octets) * octet_ms
            piece = max(int(self.clock.from_real_seconds(_PIECE_S) / octet_ms), 1)
            for start in range(0, len(reply.octets), piece):
                octets = reply.octets[start : start + piece]
                await self._until(begin_ms + (start + len(octets)) * octet_ms)
                self._pass_on(octets, reply.session)

    async def _until(self, time_ms: float) -> None:
        left_ms = time_ms - self.clock.monotonic_ms()
        if left_ms > 0:
            await self.clock.sleep_ms(left_ms)

    def _pass_on(self, octets: bytes, session: "Session") -> None:
        if not session.is_open:
            if not self._hands_over or not self._sessions:
                return
            session = self._sessions[-1]
        session.send(octets)


class Session:
    """One connection to a line: a TCP client, or whoever is at the other end of a serial line."""

    def __init__(self, line: Line, faces: Sequence[Face], send: Callable[[bytes], None]) -> None:
        self.send = send
        self.is_open = True
        self.held: list[tuple[str, bytes]] = []  # replies that a fault keeps for the next one, and whose they are
        self.last = 0  # how many octets came last: the time of earlier ones has passed already
        self._line = line
        self._faces = faces
        self._request = b""
        self._time = asyncio.get_running_loop().time
        self._heard_s = 0.0

    def receive(self, data: bytes) -> None:
        """Take octets of the master."""
        line = self._line
        heard_s = self._time()
        silence_s, self._heard_s = heard_s - self._heard_s, heard_s
        if silence_s > line.timing.silence_s:
            # Only what comes after it shows that a silence was one.
            for face in self._faces:
                face.flush()
        if silence_s > _SAME_REQUEST_S:
            self._request = b""
        self.last = len(data)
        now_ms = line.clock.now_ms()
        echo = line.hear(data, now_ms)
        if echo:
            self.send(echo)
        self._request = request = (self._request + data)[-_LONGEST_REQUEST:]
        for face in self._faces:
            for answer in face.feed(data, now_ms):
                line.say(self, face, answer, request, now_ms)
                self._request = b""

    def begin(self) -> int | None:
        """Let meters that call the centre say so; return when to call `due`."""
        now_ms = self._line.clock.now_ms()
        for face in self._faces:
            if isinstance(face, DialInFace):
                for answer in face.opened(now_ms):
                    self._line.say(self, face, answer, b"", now_ms)
        return self.due()

    def due(self) -> int | None:
        """Let meters say what they say by themselves; return the instant at which to ask again."""
        now_ms = self._line.clock.now_ms()
        self.last = 0
        nexts = []
        for face in self._faces:
            if isinstance(face, DialInFace):
                answers, next_ms = face.due(now_ms)
                for answer in answers:
                    self._line.say(self, face, answer, b"", now_ms)
                nexts.append(next_ms)
        return min((next_ms for next_ms in nexts if next_ms is not None), default=None)

    def close(self) -> None:
        """End the connection; what is still to come is lost, or comes to the next one."""
        if self.is_open:
            self.is_open = False
            self._line.forget(self)
