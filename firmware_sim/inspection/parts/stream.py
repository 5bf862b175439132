"""The bench's end of a sample stream to host-built firmware: it listens, sends samples, and hears pulses."""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import ceil
from typing import Final

from clock import Clock
from firmware_sim.inspection.bench import BenchError, DutError
from firmware_sim.inspection.parts.stream_frames import (
    LONGEST_REST,
    PULSES,
    SAMP_INDEX,
    VERSION,
    Can,
    FrameError,
    Takes,
    failure,
    hello_of_bench,
    passing,
    phasors,
    registers,
    samples_head,
    want,
)
from firmware_sim.inspection.parts.stream_heard import Hello, Listener, Pulses, Said
from firmware_sim.inspection.parts.waveform import OCTETS, Flow, Nothing, PhasorFlow, Waveform, waveform
from firmware_sim.inspection.points import LoadPoint, Rating

DEFAULT_RATE: Final = 6_400  # 128 samples a period of 50 Hz
CONNECT_S: Final = 60.0
PATIENCE_S: Final = 30.0  # without any acknowledgement
_QUARTER_MS: Final = 900_000
_FRAMES_A_SECOND: Final = 10
_PULSE_FRAMES_A_SECOND: Final = 50  # while a pulse is waited for, so that time goes hardly beyond it
_WINDOW_FRAMES: Final = 8  # sent and not yet acknowledged
_PART: Final = 2**32
_CHUNK: Final = 1 << 16


class SampleStream:
    """One firmware on one connection. Load and supply are those that were set last; nothing flows by itself."""

    def __init__(
        self,
        rating: Rating,
        start_ms: int,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        rate: int = DEFAULT_RATE,
        prefer: Takes = Takes.SAMPLES,
        pace: Clock | None = None,
        connect_s: float = CONNECT_S,
        patience_s: float = PATIENCE_S,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`start_ms` is the time of sample 0; `prefer` decides where the firmware takes both kinds of load.

        With `pace` samples are sent no faster than that clock goes, for firmware that also needs time of its own.
        """
        self.port = port
        self.rate = rate
        self.start_ms = start_ms
        self.hello: Hello | None = None
        self._rating = rating
        self._host = host
        self._prefer = prefer
        self._pace = pace
        self._connect_s = connect_s
        self._patience_s = patience_s
        self._tell = tell
        self._server: asyncio.Server | None = None
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._greeted: asyncio.Future[None] | None = None
        self._wrong: DutError | None = None
        self._more = asyncio.Event()
        self._sent = 0
        self._metered = 0
        self._acknowledged = 0  # how many times
        self._anchor_ms = 0
        self._flow: Flow = Nothing()
        self._supply = True
        self._waits = True  # for pulses: what the firmware takes for granted
        self._begins = [0]  # of each load, in samples
        self._flows: list[Flow] = [self._flow]
        self._before = [(Fraction(0), Fraction(0))]  # forward and reverse mWh until each begin
        self.pulses: deque[tuple[int, Fraction]] = deque()  # kind, instant in samples

    # Connection

    async def listen(self) -> None:
        """Listen; `port` 0 becomes a free one. BenchError."""
        self._greeted = asyncio.get_running_loop().create_future()
        try:
            self._server = await asyncio.start_server(self._accept, self._host, self.port)
        except OSError as error:
            raise BenchError(f"the sample stream can't listen on {self._host}:{self.port}: {error.strerror}") from None
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def open(self) -> None:
        """Wait until the firmware has connected and said what it can; BenchError when it does not come."""
        if self._server is None:
            await self.listen()
        assert self._greeted is not None
        self._tell(f"waiting for the firmware to connect to the sample stream at {self._host}:{self.port}")
        try:
            async with asyncio.timeout(self._connect_s):
                await asyncio.shield(self._greeted)
        except TimeoutError:
            raise BenchError(
                f"no firmware has connected to the sample stream at {self._host}:{self.port} in {self._connect_s:g} s"
            ) from None
        self._anchor_ms = 0 if self._pace is None else self._pace.monotonic_ms()

    async def close(self) -> None:
        """Hang up and listen no more."""
        if self._server is not None:
            self._server.close()
        if self._writer is not None:
            self._writer.transport.abort()
        if self._reader is not None:
            await asyncio.wait([self._reader])  # it hears of that
        if self._greeted is not None:
            self._greeted.cancel()

    @property
    def can(self) -> Can:
        """What the firmware has said that it can."""
        return Can(0) if self.hello is None else self.hello.can

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:
            writer.write(failure("another firmware is on the stream"))
            writer.close()
            return
        self._writer = writer
        self._reader = asyncio.current_task()
        writer.write(hello_of_bench(self._rating, self.rate, self.start_ms))
        listener = Listener()
        try:
            while octets := await reader.read(_CHUNK):
                for said in listener.take(octets):
                    self._take(said)
            listener.end()
            self._fail("closed the connection")
        except FrameError as error:
            writer.write(failure(str(error)))
            self._fail(str(error))
        except OSError as error:
            self._fail(f"is gone: {error.strerror or error}")
        writer.close()

    def _take(self, said: Said) -> None:
        if isinstance(said, Hello):
            self._greet(said)
        elif self.hello is None:
            raise FrameError(f"expected HELO first, got {said}")
        elif isinstance(said, Pulses):
            self._take_pulses(said)
        else:
            if not self._metered <= said.index <= self._sent:
                raise FrameError(f"expected ACK from {self._metered} to {self._sent}, got {said.index}")
            self._metered = said.index
            self._acknowledged += 1
        self._more.set()

    def _take_pulses(self, said: Pulses) -> None:
        for index in said.span():
            if not self._metered <= index < self._sent:
                raise FrameError(f"expected a pulse in a sample from {self._metered} to {self._sent - 1}, got {index}")
        if self._waits:
            self.pulses.extend((kind, index + Fraction(part, _PART)) for index, kind, part in said.each())

    def _greet(self, hello: Hello) -> None:
        if self.hello is not None:
            raise FrameError("expected one HELO, got another")
        if hello.version != VERSION:
            raise FrameError(f"expected version {VERSION} of the stream, got {hello.version}")
        if not hello.takes:
            raise FrameError("expected firmware that takes SAMP (1) or PHAS (2), got 0")
        self.hello = hello
        assert self._greeted is not None
        if not self._greeted.done():
            self._greeted.set_result(None)

    def _fail(self, why: str) -> None:
        self._wrong = DutError(f"sample stream, after {self._metered} samples: the firmware {why}")
        self._more.set()
        if self._greeted is not None and not self._greeted.done():
            self._greeted.set_exception(self._wrong)
            self._greeted.exception()  # heard, also where nobody waits any more

    # Time, load and what it came to; instants in samples

    @property
    def now(self) -> int:
        """How many samples there have been: all of them are metered."""
        return self._metered

    def set(self, point: LoadPoint | None, *, supply: bool = True) -> None:
        """Let another load flow from now on; BenchError for one that can't be sent."""
        if self.hello is None:
            raise BenchError("the sample stream is not open")
        if point is None:
            self._flow = Nothing()
        elif point.phases != self._rating.phases:
            raise BenchError(f"expected a load point of {self._rating.phases} phases, got {point.phases}")
        elif self.as_samples:
            self._flow = waveform(point, self.rate)
        else:
            self._flow = PhasorFlow(point, self.rate)
        self._supply = supply
        self._before.append(self._flowed_until(Fraction(self._sent)))
        self._begins.append(self._sent)
        self._flows.append(self._flow)
        self.pulses.clear()

    @property
    def as_samples(self) -> bool:
        """Whether load is sent as samples, not as phasors."""
        takes = Takes(0) if self.hello is None else self.hello.takes
        return Takes.SAMPLES in takes and (self._prefer is Takes.SAMPLES or Takes.PHASORS not in takes)

    def flowed(self, first: Fraction, last: Fraction) -> tuple[Fraction, Fraction]:
        """Return the (forward, reverse) energy in mWh between two instants; what one load brings has one direction."""
        (forward, reverse), (forward_before, reverse_before) = self._flowed_until(last), self._flowed_until(first)
        return forward - forward_before, reverse - reverse_before

    def _flowed_until(self, instant: Fraction) -> tuple[Fraction, Fraction]:
        """Return the (forward, reverse) energy in mWh since sample 0; at no cost also after thousands of loads."""
        number = bisect_right(self._begins, instant) - 1
        flow, (forward, reverse) = self._flows[number], self._before[number]
        energy = flow.energy_mwh(Fraction(self._begins[number]), instant)
        return (forward, reverse - energy) if flow.reverse else (forward + energy, reverse)

    async def preset(self, values: Sequence[int | None]) -> None:
        """Set registers (energies in mWh, carbons in ng, None: not this one), and return when they are; DutError."""
        assert self._writer is not None
        await self._metered_up_to(self._sent)
        before = self._acknowledged
        self._writer.write(registers(values))
        await self._heard(lambda: self._acknowledged > before)

    async def run(self, until: int) -> None:
        """Send samples up to an index, and return when all are metered; pulses meanwhile are lost. DutError."""
        while self._sent < until:
            self._wait_for_pulses(wait=False)
            await self._send(until, self._samples(_FRAMES_A_SECOND))
        await self._metered_up_to(self._sent)

    async def run_to_pulse(self, kind: int, until: int) -> Fraction | None:
        """Send samples until a pulse of a kind has come, and return its instant; None when there was none."""
        while (found := self._pulse(kind)) is None and self._sent < until:
            self._wait_for_pulses(wait=True)
            await self._send(until, self._samples(_PULSE_FRAMES_A_SECOND))
        await self._metered_up_to(self._sent)
        return self._pulse(kind) if found is None else found

    def _pulse(self, kind: int) -> Fraction | None:
        """Take the next pulse of a kind, and with it what came before."""
        while self.pulses:
            found, instant = self.pulses.popleft()
            if found == kind:
                return instant
        return None

    def _wait_for_pulses(self, *, wait: bool) -> None:
        """Tell the firmware once whether pulses are waited for; all that it was sent before is metered then."""
        assert self._writer is not None
        if wait is not self._waits and self.can & PULSES:
            self._writer.write(want(PULSES if wait else Can(0)))
            self._waits = wait

    def _samples(self, frames_a_second: int) -> int:
        """Return how many samples a frame has at most."""
        longest = (LONGEST_REST - SAMP_INDEX.size) // (OCTETS * self._rating.phases)
        return max(min(self.rate // frames_a_second, longest), 1)

    async def _send(self, until: int, most: int) -> None:
        """Send one frame, as soon as the firmware has room for it."""
        assert self._writer is not None
        end = min(until, self._next_quarter())
        if isinstance(self._flow, Waveform):
            end = min(end, self._sent + most)
            await self._metered_up_to(end - _WINDOW_FRAMES * most)
            octets = self._flow.samples(self._sent, end - self._sent)
            self._writer.write(samples_head(self._sent, len(octets)))
            self._writer.write(bytes(octets))
        elif isinstance(self._flow, PhasorFlow):
            await self._metered_up_to(self._sent)
            self._writer.write(phasors(self._sent, end - self._sent, self._flow.frequency_mhz, self._flow.phases))
        else:
            await self._metered_up_to(self._sent)
            self._writer.write(passing(self._sent, end - self._sent, supply=self._supply))
        self._sent = end
        await self._keep_pace()
        try:
            async with asyncio.timeout(self._patience_s):
                await self._writer.drain()
        except TimeoutError:
            raise DutError(f"sample stream: the firmware has read nothing for {self._patience_s:g} s") from None
        except OSError as error:
            self._fail(f"is gone: {error.strerror or error}")

    def _next_quarter(self) -> int:
        present_ms = self.start_ms + Fraction(self._sent * 1000, self.rate)
        quarter_ms = (present_ms // _QUARTER_MS + 1) * _QUARTER_MS
        return ceil((quarter_ms - self.start_ms) * self.rate / 1000)

    async def _keep_pace(self) -> None:
        if self._pace is not None:
            due_ms = self._anchor_ms + self._sent * 1000 / self.rate
            await self._pace.sleep_ms(due_ms - self._pace.monotonic_ms())

    async def _metered_up_to(self, index: int) -> None:
        await self._heard(lambda: self._metered >= index)

    async def _heard(self, enough: Callable[[], bool]) -> None:
        """Wait until the firmware has said enough; DutError."""
        while not enough():
            self._more.clear()
            if self._wrong is not None:
                raise self._wrong
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._more.wait()
            except TimeoutError:
                raise DutError(
                    f"sample stream: the firmware has metered {self._metered} of {self._sent} samples, and for "
                    f"{self._patience_s:g} s no more"
                ) from None
        if self._wrong is not None:
            raise self._wrong
