"""The frames of the sample stream (采样流): what bench and host-built firmware say to each other on one TCP connection.

Host-built firmware is the meter's own code, compiled for this machine; the samples stand for those of its converter.
It connects to the bench. Every frame is 4 ASCII letters, the length of the rest as uint32, and the rest, from the bench
at most 65536 octets; all integers are little-endian. A frame whose letters are not known is passed over.
docs/inspection.md has the whole of it.

    bench to firmware
    HELO  uint32 version (1), uint32 samples a second, uint32 phases, uint32 frequency in mHz, uint32 rated voltage in
          mV, uint32 Itr in mA, uint32 Imax in mA, uint32 constant in imp/kWh (0: none), uint32 carbon constant in
          imp/kgCO2 (0: none), uint32 0, int64 time of sample 0 in ms UTC
    SAMP  uint64 index of the first sample, then for each sample and each phase int32 u in uV, int32 i in uA
    PHAS  uint64 index, uint64 samples, uint32 frequency in mHz, then for each phase uint32 U in uV and uint32 I in uA
          (rms), int32 power factor in 10^-6 (below 0: reverse), int32 1 lagging, -1 leading, 0 neither
    PASS  uint64 index, uint64 samples, uint32 supply: so many samples in which no current flows; supply 0: the meter
          is without supply as well, answers nobody, and its clock goes on by its battery
    REGS  int64 forward and reverse energy in mWh, int64 forward and reverse carbon in ng: the registers are set to
          that (below 0: left as they are), to see them start again from 0; no time passes
    WANT  uint32 which pulses the bench waits for (sum of 1: energy, 2: carbon) from the next frame on, until it says
          otherwise; before the first WANT both. The firmware counts and gives its pulses as ever, and may leave out to
          tell those that nobody waits for: days with load have millions. No answer is needed, and none does harm

    firmware to bench
    HELO  uint32 version (1), uint32 what it takes (1: SAMP, 2: PHAS), uint32 what it can (1: energy pulses, 2: carbon
          pulses, 4: PASS without supply, 8: REGS)
    PULS  uint64 index of the sample in which the pulse came, uint32 1 energy or 2 carbon, uint32 how far into the
          sample, in 2^-32 of it
    ACK   with a space; uint64 index of the next sample: all before it are metered, and their wanted pulses sent

    either
    FAIL  a text in UTF-8: what was wrong, before the connection is closed

Time is the sample index: the bench sends as fast as the firmware acknowledges, and reads its registers over its own
line only when all samples are acknowledged. No frame crosses a quarter of an hour (UTC), so that neither a factor slot
nor a midnight lies inside of one.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from firmware_sim.inspection.points import Rating

VERSION: Final = 1
HEAD: Final = struct.Struct("<4sI")
LONGEST_REST: Final = 1 << 16  # that the bench sends
MOST_OCTETS: Final = 1 << 20  # that it takes
SAMP_INDEX: Final = struct.Struct("<Q")
_BENCH_HELLO: Final = struct.Struct("<10Iq")
_PHASORS: Final = struct.Struct("<QQI")
_PHASOR: Final = struct.Struct("<IIii")
_PASS: Final = struct.Struct("<QQI")
_REGISTERS: Final = struct.Struct("<4q")
_WANT: Final = struct.Struct("<I")


class FrameError(Exception):
    """A frame that is not what the protocol says; the text says what was expected and what came."""


class Takes(IntFlag):
    """Which frames of load the firmware takes."""

    SAMPLES = 1
    PHASORS = 2


class Can(IntFlag):
    """What the firmware can do."""

    ENERGY_PULSES = 1
    CARBON_PULSES = 2
    NO_SUPPLY = 4
    REGISTERS = 8


PULSES: Final = Can.ENERGY_PULSES | Can.CARBON_PULSES


@dataclass(frozen=True, slots=True)
class Phasor:
    """One phase of a load: rms values, power factor and which way the current lies."""

    voltage_uv: int
    current_ua: int
    power_factor_ppm: int
    lagging: int


def frame(letters: bytes, rest: bytes) -> bytes:
    """Return a frame."""
    return HEAD.pack(letters, len(rest)) + rest


def hello_of_bench(rating: Rating, rate: int, start_ms: int) -> bytes:
    """Return the bench's HELO."""
    plate = (rating.phases, rating.frequency_mhz, rating.voltage_mv, rating.itr_ma, rating.imax_ma)
    constants = (rating.constant or 0, rating.carbon_constant or 0)
    return frame(b"HELO", _BENCH_HELLO.pack(VERSION, rate, *plate, *constants, 0, start_ms))


def samples_head(index: int, octets: int) -> bytes:
    """Return the beginning of a SAMP frame with so many octets of samples."""
    return HEAD.pack(b"SAMP", SAMP_INDEX.size + octets) + SAMP_INDEX.pack(index)


def phasors(index: int, count: int, frequency_mhz: int, phases: Sequence[Phasor]) -> bytes:
    """Return a PHAS frame."""
    rest = _PHASORS.pack(index, count, frequency_mhz)
    for phase in phases:
        rest += _PHASOR.pack(phase.voltage_uv, phase.current_ua, phase.power_factor_ppm, phase.lagging)
    return frame(b"PHAS", rest)


def passing(index: int, count: int, *, supply: bool) -> bytes:
    """Return a PASS frame."""
    return frame(b"PASS", _PASS.pack(index, count, supply))


def registers(values: Sequence[int | None]) -> bytes:
    """Return a REGS frame: energies, then carbons; None: left as it is."""
    return frame(b"REGS", _REGISTERS.pack(*(-1 if value is None else value for value in values)))


def want(kinds: Can) -> bytes:
    """Return a WANT frame."""
    return frame(b"WANT", _WANT.pack(kinds & PULSES))


def failure(text: str) -> bytes:
    """Return a FAIL frame."""
    return frame(b"FAIL", text.encode())
