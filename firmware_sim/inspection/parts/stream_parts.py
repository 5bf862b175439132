"""Time, source, standard meter and pulses of host-built firmware on a sample stream."""

from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from math import ceil, floor, gcd
from typing import Final

from firmware_sim.inspection.bench import Ability, BenchError, Dut, DutError, FastForward, Truth
from firmware_sim.inspection.parts.fast import JumpForward
from firmware_sim.inspection.parts.stream import SampleStream
from firmware_sim.inspection.parts.stream_frames import Can
from firmware_sim.inspection.points import LoadPoint
from profiles import Profile

REGISTERS: Final = ("energy_forward", "energy_reverse", "carbon_forward", "carbon_reverse")
_KINDS: Final = {"energy": (1, Can.ENERGY_PULSES), "carbon": (2, Can.CARBON_PULSES)}


def abilities_of(stream: SampleStream) -> frozenset[Ability]:
    """Return what the firmware can by its stream."""
    found = {Ability.FAST}
    for flag, ability in (
        (Can.ENERGY_PULSES, Ability.PULSES),
        (Can.CARBON_PULSES, Ability.CARBON_PULSES),
        (Can.NO_SUPPLY, Ability.POWER_CUT),
        (Can.REGISTERS, Ability.ROLLOVER),
    ):
        if flag in stream.can:
            found.add(ability)
    return frozenset(found)


class StreamTime:
    """Time by samples: it passes while the bench waits, as fast as the firmware meters."""

    def __init__(self, stream: SampleStream) -> None:
        self._stream = stream

    def now(self) -> Fraction:
        """Return ms UTC, the time of the next sample."""
        return self.instant(Fraction(self._stream.now))

    async def wait(self, duration_ms: Fraction | int) -> None:
        """Let time pass, until the next sample."""
        await self.wait_until(self.now() + duration_ms)

    async def wait_until(self, time_ms: Fraction | int) -> None:
        """Let time pass until an instant, or the next sample; at once when it is past."""
        until = ceil(self.samples(Fraction(time_ms)))
        if until > self._stream.now:
            await self._stream.run(until)
            self._stream.pulses.clear()

    def samples(self, time_ms: Fraction) -> Fraction:
        """Return an instant in samples."""
        return (time_ms - self._stream.start_ms) * self._stream.rate / 1000

    def instant(self, samples: Fraction) -> Fraction:
        """Return ms UTC of an instant in samples."""
        return self._stream.start_ms + samples * 1000 / self._stream.rate


class StreamSource:
    """Puts load points into the stream, from the next sample on that begins with a ms.

    Between such samples the load stays what it was: 5 ms at 6400 samples a second, never more than a second. Firmware
    with a clock in ms can't tell a load, or a look at its clock, that lies inside of one from one at its begin.
    """

    def __init__(self, stream: SampleStream) -> None:
        self.point: LoadPoint | None = None
        self._stream = stream
        self._is_cut = False

    async def set(self, point: LoadPoint | None) -> None:
        """Give the point, or (None) voltage without current; BenchError while the supply is cut."""
        if self._is_cut:
            raise BenchError("the source can't set a load point: the supply is cut")
        await self._begin_of_ms()
        self._stream.set(point)
        self.point = point

    async def cut(self) -> None:
        """Take the supply away; BenchError when the firmware has not said that it knows such a thing."""
        if Can.NO_SUPPLY not in self._stream.can:
            raise BenchError("the firmware has not said in its HELO that it takes PASS without supply")
        await self._begin_of_ms()
        self._stream.set(None, supply=False)
        self._is_cut = True

    async def restore(self) -> None:
        """Give the supply back, and with it the load point as it was."""
        await self._begin_of_ms()
        self._is_cut = False
        self._stream.set(self.point)

    async def _begin_of_ms(self) -> None:
        """Let time pass until a sample begins with a ms, as sample 0 does."""
        apart = self._stream.rate // gcd(self._stream.rate, 1000)
        # That the firmware is gone is no fault of the source: whoever waits next hears of it.
        with suppress(DutError):
            await self._stream.run(-(-self._stream.now // apart) * apart)


class StreamForward:
    """Lets sample time pass without current, in 96 frames a day; the load is put back when the time has come.

    With current each sample would have to be sent and metered: hours for a month.
    """

    def __init__(self, source: StreamSource, time: StreamTime, dut: Dut) -> None:
        self._source = source
        self._jump = JumpForward(time, dut)

    async def to(self, device_ms: int) -> None:
        """Return when the device's clock shows at least that; DutError when it stands still."""
        point = self._source.point
        await self._source.set(None)
        try:
            await self._jump.to(device_ms)
        finally:
            await self._source.set(point)


def forward_of(stream: SampleStream, source: StreamSource, time: StreamTime, dut: Dut) -> FastForward:
    """Return what runs time forward: for firmware that is sent phasors with its load, which costs no more frames."""
    return StreamForward(source, time, dut) if stream.as_samples else JumpForward(time, dut)


class StreamStandard:
    """Sums up the very samples that were sent, exactly."""

    def __init__(self, stream: SampleStream, time: StreamTime) -> None:
        self._stream = stream
        self._time = time
        self._started: Fraction | None = None

    async def start(self) -> None:
        """Begin."""
        if self._started is None:
            self._started = self._time.now()

    async def between(self, first_ms: Fraction, last_ms: Fraction) -> Truth:
        """Return what flowed between two instants since `start`, without uncertainty."""
        if self._started is None or not self._started <= first_ms <= last_ms <= self._time.now():
            raise BenchError(
                f"the standard meter was asked for {first_ms} to {last_ms} ms; it has run from {self._started} ms, and "
                f"now is {self._time.now()} ms"
            )
        return Truth(*self._stream.flowed(self._time.samples(first_ms), self._time.samples(last_ms)))


class StreamRegisters:
    """Registers that the firmware sets on request."""

    def __init__(self, stream: SampleStream, profile: Profile) -> None:
        """`profile` knows where the registers end."""
        self._stream = stream
        self._profile = profile

    def end(self, point: str) -> int:
        """Return at what value a register starts again from 0; KeyError when the profile does not say."""
        end = self._profile.points[point].rollover
        if end is None:
            raise KeyError(point)
        return end

    async def preset(self, registers: Mapping[str, int]) -> None:
        """Bring registers to values in canonical units; BenchError when the firmware knows no such thing."""
        if Can.REGISTERS not in self._stream.can:
            raise BenchError("the firmware has not said in its HELO that it takes REGS")
        for name, value in registers.items():
            if name not in REGISTERS or not 0 <= value < 2**63:
                raise BenchError(f"expected {', '.join(REGISTERS)} from 0 to 2^63 - 1, found {name} = {value}")
        await self._stream.preset([registers.get(name) for name in REGISTERS])


class StreamPulses:
    """The pulses that the firmware tells."""

    def __init__(self, stream: SampleStream, time: StreamTime) -> None:
        self._stream = stream
        self._time = time

    async def next(self, kind: str, longest_ms: Fraction) -> Fraction | None:
        """Wait for the next pulse of `energy` or `carbon`; return its instant, None when `longest_ms` is over.

        Time may go on beyond it by a fiftieth of a second or some; pulses in that come at the next call, unless the
        bench has waited or set another load meanwhile.
        """
        number, flag = _KINDS.get(kind, (0, Can(0)))
        if flag not in self._stream.can or not flag:
            raise BenchError(f"the firmware has not said in its HELO that it gives {kind} pulses")
        until = floor(self._time.samples(self._time.now() + longest_ms))
        instant = await self._stream.run_to_pulse(number, until)
        return None if instant is None else self._time.instant(instant)
