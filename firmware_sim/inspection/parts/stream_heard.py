"""What the firmware says on the sample stream (parts.stream_frames), out of octets as they come."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from firmware_sim.inspection.parts.stream_frames import HEAD, MOST_OCTETS, Can, FrameError, Takes

_HELLO: Final = struct.Struct("<3I")
_PULSE: Final = struct.Struct("<QII")
_ACK: Final = struct.Struct("<Q")
_PULSE_HEAD: Final = HEAD.pack(b"PULS", _PULSE.size)
_RUN: Final = re.compile(rb"(?:%b.{%d})++" % (re.escape(_PULSE_HEAD), _PULSE.size), re.DOTALL)
_EACH: Final = struct.Struct("<8xQII")
_INDEX_OF_EACH: Final = struct.Struct("<8xQ8x")


@dataclass(frozen=True, slots=True)
class Hello:
    """What the firmware says of itself."""

    version: int
    takes: Takes
    can: Can


@dataclass(frozen=True, slots=True)
class Pulses:
    """One PULS frame or several in a row, not yet taken apart: there may be millions that nobody waits for."""

    octets: bytes

    def span(self) -> tuple[int, int]:
        """Return the least and the greatest index of a sample in them."""
        indexes = [index for (index,) in _INDEX_OF_EACH.iter_unpack(self.octets)]
        return min(indexes), max(indexes)

    def each(self) -> Iterator[tuple[int, int, int]]:
        """Yield the sample in which it came, what kind (1 energy, 2 carbon), and how far in it, in 2^-32 of it."""
        return _EACH.iter_unpack(self.octets)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """All samples before an index are metered."""

    index: int


Said = Hello | Pulses | Acknowledged


class Listener:
    """Takes octets apart into frames; what is not a whole frame yet is kept for the next octets."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, octets: bytes) -> Iterator[Said]:
        """Yield what has been said; FrameError."""
        octets = self._rest + octets
        place, self._rest = 0, b""
        while len(octets) - place >= HEAD.size:
            if run := _RUN.match(octets, place):
                place = run.end()
                yield Pulses(run[0])
                continue
            letters, length = HEAD.unpack_from(octets, place)
            if length > MOST_OCTETS:
                raise FrameError(f"expected a frame of at most {MOST_OCTETS} octets, got {letters!r} with {length}")
            end = place + HEAD.size + length
            if end > len(octets):
                break
            said = _read(letters, octets[place + HEAD.size : end])
            place = end
            if said is not None:
                yield said
        self._rest = octets[place:]

    def end(self) -> None:
        """Hear that the firmware has closed the connection; FrameError in the middle of a frame."""
        if self._rest:
            raise FrameError(f"expected a whole frame, got {self._rest[:32].hex(' ')} ({len(self._rest)} octets)")


def _read(letters: bytes, rest: bytes) -> Said | None:
    match letters:
        case b"HELO":
            version, takes, can = _fields(_HELLO, letters, rest)
            return Hello(version, Takes(takes & 3), Can(can & 15))
        case b"PULS":
            return Pulses(_PULSE_HEAD + _PULSE.pack(*_fields(_PULSE, letters, rest)))
        case b"ACK ":
            return Acknowledged(*_fields(_ACK, letters, rest))
        case b"FAIL":
            raise FrameError(f"says: {rest.decode(errors='replace')}")
    return None


def _fields(layout: struct.Struct, letters: bytes, rest: bytes) -> tuple[int, ...]:
    """Return the fields; what a later version adds behind them is passed over."""
    if len(rest) < layout.size:
        raise FrameError(f"expected {layout.size} octets in {letters.decode()}, got {len(rest)}: {rest.hex(' ')}")
    return layout.unpack_from(rest)
