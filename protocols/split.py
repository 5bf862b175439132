"""Finding the frames of several protocols in one stream of octets.

A frame is believed for its checks: DL/T 698.45 has two, DL/T 645 one and a fixed shape, Modbus RTU one and a length
that follows from its function; Modbus TCP has only its shape. Where one begins, the protocols are asked in that order,
and a frame that is complete is preferred to one that might still become one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from protocols import starts
from protocols.explained import Json, fault
from protocols.starts import Begun, Piece, Trial

_TRIALS: Final[dict[str, Trial]] = {
    "dlt698": starts.dlt698,
    "dlt645": starts.dlt645,
    "modbus-rtu": starts.modbus_rtu,
    "modbus-tcp": starts.modbus_tcp,
}
PROTOCOLS: Final = tuple(_TRIALS)
_PREAMBLE: Final = 0xFE
_MOST_KEPT: Final = 20_000  # more than the longest frame: beyond that, nothing in it is waited for


@dataclass(frozen=True, slots=True)
class _Wait:
    """A frame that is not complete; `firm` when a check of its own has shown that it is one."""

    protocol: str
    at: int
    firm: bool
    length: int | None


class Splitter:
    """Cuts a stream into frames and what is none; it keeps what may become a frame until more comes, or `flush`."""

    def __init__(self, protocols: Iterable[str] = PROTOCOLS) -> None:
        wanted = set(protocols)
        if unknown := wanted - set(PROTOCOLS):
            raise ValueError(f"protocols: expected some of {', '.join(PROTOCOLS)}, found {', '.join(sorted(unknown))}")
        self._trials = {name: trial for name, trial in _TRIALS.items() if name in wanted}
        self._alone = len(self._trials) == 1
        self._buffer = b""
        self._clear = bytearray()  # for each octet of the buffer whether it is known that no frame begins there

    @property
    def pending(self) -> int:
        """How many octets wait for more."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Piece]:
        """Take octets as they come; return what is complete, in order."""
        self._buffer += data
        self._clear += bytes(len(data))
        pieces = self._cut(final=False)
        return pieces + self.flush() if len(self._buffer) > _MOST_KEPT else pieces

    def flush(self) -> list[Piece]:
        """Give up what waits for more octets, as after a silence; frames inside it are still found."""
        pieces = self._cut(final=True)
        if self._buffer:
            pieces.append(self._unframed(self._buffer))
        self._drop(len(self._buffer))
        return pieces

    def _cut(self, *, final: bool) -> list[Piece]:
        pieces: list[Piece] = []
        while True:
            found = self._next(final=final)
            if found is None:
                return pieces
            at, piece = found
            if at:
                pieces.append(self._unframed(self._buffer[:at]))
            pieces.append(piece)
            self._drop(at + len(piece.octets))

    def _drop(self, count: int) -> None:
        self._buffer = self._buffer[count:]
        del self._clear[:count]

    def _next(self, *, final: bool) -> tuple[int, Piece] | None:
        """Return the first piece that can be told and where it begins; None: more octets are needed."""
        at = self._clear.find(0)
        while at >= 0:
            begun = self._at(at)
            if isinstance(begun, Piece):
                return at, begun if begun.fault is None else self._shortened(at, begun)
            if begun is None:
                self._clear[at] = 1
            elif begun.firm:
                return (at, self._truncated(at, begun)) if final else None
            at = self._clear.find(0, at + 1)
        return None

    def _at(self, at: int) -> Piece | _Wait | None:
        """Return what begins at a place in the buffer, preamble octets (前导字节) included."""
        start = at
        while start < len(self._buffer) and self._buffer[start] == _PREAMBLE:
            start += 1
        waits: _Wait | None = None
        for name, trial in self._trials.items():
            first = start if name.startswith("dlt") else at
            begun = trial(self._buffer, first, alone=self._alone)
            if isinstance(begun, Piece):
                octets = self._buffer[at:first] + begun.octets
                return Piece(octets, begun.protocol, begun.frame, begun.fault)
            if isinstance(begun, Begun) and (waits is None or (begun.firm and not waits.firm)):
                waits = _Wait(name, at, begun.firm, None if begun.length is None else begun.length + first - at)
        return waits

    def _inner(self, first: int, last: int) -> int:
        """Return where a whole frame begins among these places of the buffer, `last` if nowhere."""
        for at in range(first, last):
            begun = self._at(at)
            if isinstance(begun, Piece) and begun.fault is None:
                return at
        return last

    def _shortened(self, at: int, broken: Piece) -> Piece:
        """Return a broken frame without the whole one that began inside it, since octets were lost."""
        end = self._inner(at + 1, at + len(broken.octets))
        return Piece(self._buffer[at:end], broken.protocol, None, broken.fault)

    def _truncated(self, at: int, wait: _Wait) -> Piece:
        end = self._inner(at + 1, len(self._buffer))
        expected = "more" if wait.length is None else str(wait.length)
        error = fault(
            "truncated", f"expected {expected} octets, found {end - at}", expected=wait.length, found=end - at
        )
        return Piece(self._buffer[at:end], wait.protocol, None, error)

    def _unframed(self, octets: bytes) -> Piece:
        """Return octets that hold no frame: what they would be if it were not for a check, or noise."""
        for name in self._trials:
            if (nearly := starts.NEARLY[name](octets, alone=self._alone)) is not None:
                return nearly
        return Piece(octets, None, None, _noise(octets))


def _noise(octets: bytes) -> Json:
    return fault("noise", f"{len(octets)} octet{'s' if len(octets) > 1 else ''} in which no frame begins")


def split(octets: bytes, protocols: Iterable[str] = PROTOCOLS) -> Sequence[Piece]:
    """Return all pieces of octets to which nothing will be added."""
    splitter = Splitter(protocols)
    return splitter.feed(octets) + splitter.flush()
