"""The firmware's end of a sample stream (parts.stream_frames): the simulated meter, with samples for time and load."""

import asyncio
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from firmware_sim.inspection.device.metered import CARBON, ENERGY, PART, Outputs, SampledLoad
from firmware_sim.inspection.device.signal import Signal, energy_of, of_phasors, of_samples
from firmware_sim.inspection.parts.stream_frames import (
    HEAD,
    LONGEST_REST,
    PULSES,
    VERSION,
    Can,
    FrameError,
    Phasor,
    Takes,
    frame,
    hello_of_bench,
)
from firmware_sim.inspection.points import Rating
from firmware_sim.meter import Meter

_HELLO: Final = struct.Struct("<10Iq")
_FRAME: Final = struct.Struct("<QQI")  # index, samples, frequency or supply
_INDEX: Final = struct.Struct("<Q")
_WANT: Final = struct.Struct("<I")
_PHASOR: Final = struct.Struct("<IIii")
_PULSE: Final = struct.Struct("<4sIQII")  # a whole frame
_SAMPLE: Final = 8  # octets of a phase
_NOTHING: Final = Fraction(0)


async def next_frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes] | None:
    """Return letters and rest of what the bench says next, None when it has hung up; FrameError, OSError."""
    try:
        letters, length = HEAD.unpack(await reader.readexactly(HEAD.size))
        if length > LONGEST_REST:
            raise FrameError(f"expected a frame of at most {LONGEST_REST} octets, got {letters!r} with {length}")
        return letters, await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise FrameError(f"expected a whole frame, got {len(error.partial)} octets and the end") from None
        return None


def greeted(letters: bytes, rest: bytes, rating: Rating) -> tuple[int, int]:
    """Return sample rate and time of sample 0 of the bench's HELO; FrameError when it is for another meter."""
    if letters != b"HELO" or len(rest) < _HELLO.size:
        raise FrameError(f"expected HELO with {_HELLO.size} octets first, got {letters!r} with {len(rest)}")
    version, rate, *_, start_ms = _HELLO.unpack_from(rest)
    if version != VERSION or not rate:
        raise FrameError(f"expected version {VERSION} and a sample rate, got {version} and {rate} a second")
    if frame(letters, rest[: _HELLO.size]) != hello_of_bench(rating, rate, start_ms):
        raise FrameError("expected the rating of the plan that this firmware serves, got another one")
    return int(rate), int(start_ms)


class Device:
    """The meter on the stream. `bring` brings it, with its faults, to an instant and moves the clock of its line."""

    def __init__(
        self,
        meter: Meter,
        load: SampledLoad,
        rating: Rating,
        rate: int,
        *,
        starting_ma: int,
        bring: Callable[[int], None],
    ) -> None:
        settings = meter.settings
        constants = {
            ENERGY: None if rating.constant is None else settings.pulse_constant or settings.meter_constant,
            CARBON: settings.carbon_constant,
        }
        given = {kind: constant for kind, constant in constants.items() if constant is not None}
        self.can = Can.NO_SUPPLY
        for kind, flag in ((ENERGY, Can.ENERGY_PULSES), (CARBON, Can.CARBON_PULSES)):
            self.can |= flag if kind in given else Can(0)
        self._meter = meter
        self._load = load
        self._outputs = Outputs(meter, load, given)
        self._phases = rating.phases
        self._frequency_mhz = rating.frequency_mhz
        self._period = max(round(rate * 1000 / rating.frequency_mhz), 1) * _SAMPLE * rating.phases
        self._starting_ma = starting_ma
        self._bring = bring
        self._recent = b""  # the last period of samples
        self._wanted = PULSES

    def hello(self) -> bytes:
        """Return what the firmware says first."""
        return frame(b"HELO", struct.pack("<3I", VERSION, Takes.SAMPLES | Takes.PHASORS, self.can))

    def take(self, letters: bytes, rest: bytes) -> bytes:
        """Meter a frame; return its pulses and ACK, nothing for a frame that is not known. FrameError."""
        if letters == b"FAIL":
            raise FrameError(f"the bench says: {rest.decode(errors='replace')}")
        if letters not in (b"SAMP", b"PHAS", b"PASS", b"WANT"):
            return b""
        try:
            if letters == b"WANT":
                self._wanted = Can(_WANT.unpack_from(rest)[0]) & PULSES
                return b""
            pulses = self._metered(letters, rest)
        except struct.error:
            raise FrameError(f"expected more than {len(rest)} octets in {letters.decode()}") from None
        return pulses + frame(b"ACK ", _INDEX.pack(self._load.index))

    def _metered(self, letters: bytes, rest: bytes) -> bytes:
        if letters == b"SAMP":
            return self._samples(_INDEX.unpack_from(rest)[0], rest[_INDEX.size :])
        index, count, third = _FRAME.unpack_from(rest)
        self._recent = b""
        if letters == b"PASS":
            self._begin(index, count, supply=bool(third))
            return self._pass(count)
        places = range(_FRAME.size, _FRAME.size + _PHASOR.size * self._phases, _PHASOR.size)
        signal = of_phasors([Phasor(*_PHASOR.unpack_from(rest, place)) for place in places], third)
        return self._flow(index, count, signal, signal.power * count)

    def _samples(self, index: int, octets: bytes) -> bytes:
        count, odd = divmod(len(octets), _SAMPLE * self._phases)
        if odd:
            raise FrameError(f"expected whole samples of {self._phases} phases in SAMP, got {len(octets)} octets")
        self._recent = (self._recent + octets if len(octets) < self._period else octets)[-self._period :]
        signal = of_samples(self._recent, self._phases, self._frequency_mhz) if count else None
        return b"" if signal is None else self._flow(index, count, signal, Fraction(energy_of(octets, self._phases)))

    def _flow(self, index: int, count: int, signal: Signal, energy: Fraction) -> bytes:
        self._begin(index, count, supply=True)
        if signal.circuit != self._meter.circuit:
            self._meter.set_circuit(self._load.now_ms, signal.circuit)
        starts = signal.starts(self._starting_ma)
        return self._pass(count, signal.power, energy) if starts else self._pass(count)

    def _begin(self, index: int, count: int, *, supply: bool) -> None:
        if index != self._load.index or not count:
            raise FrameError(f"expected samples from {self._load.index} on, got {count} from {index} on")
        if supply != self._meter.powered:
            (self._meter.restore if supply else self._meter.cut)(self._load.now_ms)

    def _pass(self, count: int, power: Fraction = _NOTHING, energy: Fraction = _NOTHING) -> bytes:
        load, first, begin_ms = self._load, self._load.index, self._load.now_ms
        load.feed(count, power, energy)
        pulses = self._outputs.since(first, begin_ms, self._wanted) if self._wanted else []
        self._bring(load.now_ms)
        return b"".join(_PULSE.pack(b"PULS", 16, place // PART, kind, place % PART) for place, kind in pulses)
