"""What a line's bus and the drivers of the protocols say to each other: requests, frames heard, and the errors.

A request carries the signature that every reply to it has. A reply that is not there in time is remembered by its
signature, so that whatever comes late is known for what it is and never taken for the answer to a later question. A
request whose signature is that of one still unanswered can't be told from it, so the bus first asks the same meter
something else (`probe`): meters answer in order, and the probe's answer proves that nothing older is under way.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol


class LineError(Exception):
    """A request that yielded no value."""

    silent = True  # whether it means that the meter did not answer


class LineDownError(LineError):
    """There is no connection."""


class NoReplyError(LineError):
    """Nothing, or no whole frame, came within the time-out."""


class BadReplyError(LineError):
    """The meter answered, but not what it was asked."""


class RefusedError(LineError):
    """The meter refused the request; `code` is the protocol's (Modbus exception, 645 error byte, 698 DAR)."""

    def __init__(self, code: int, text: str, *, silent: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.silent = silent  # a gateway's "target does not respond" means a silent meter


class UnsupportedError(LineError):
    """The protocol, or the profile of the meter, has no such thing; nothing was sent."""

    silent = False


@dataclass(slots=True)
class LineCounters:
    """What became of a line's requests."""

    ok: int = 0
    timeout: int = 0
    exception: int = 0  # refusals of the meters
    late: int = 0  # replies to requests that were given up, never used
    foreign: int = 0  # frames of another meter, or that nobody asked for, never used
    corrupt: int = 0  # octets that are no frame, or one with a bad check, never used
    echo: int = 0  # our own requests, heard again
    probes: int = 0  # requests made only to see what is still under way
    unreachable: int = 0
    connects: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """A valid frame that came. `signature` None: a refusal that does not say, or not fully, what it refuses."""

    device: Hashable  # who says it: protocol and address
    signature: Hashable | None
    frame: object  # in the form of its protocol
    octets: bytes
    is_request: bool = False  # from the master: our echo, or another master on the line
    is_part: bool = False  # brings a message further whose next part is still to come
    refuses: Callable[[Hashable], bool] | None = None
    """For a refusal: whether a request with this signature may be what it refuses (None: any may be)."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Octets that are no frame, or one that is broken."""

    octets: bytes
    reason: str
    lost: bool = False  # the framing can't find its place again: only a new connection helps (Modbus TCP)


class Framing(Protocol):
    """Finds the frames of one protocol in a stream of octets; one for each line and protocol."""

    protocol: str
    longest_pause_s: float  # that the protocol allows inside a frame; where the line waits longer, that counts

    def feed(self, data: bytes) -> Sequence[Heard | Noise]:
        """Take octets as they come; return what is complete, in order."""

    def flush(self) -> Sequence[Heard | Noise]:
        """Give up what waits for more octets: the line was silent. A whole frame behind noise is still found."""

    @property
    def pending(self) -> int:
        """How many octets wait for more."""

    def respond(self, heard: Heard) -> bytes | None:
        """Return what to send at once for a frame that no request waits for (a 698 heartbeat, say); usually nothing."""


class Refused(Enum):
    """Stands among the signatures given to `probe` when a refusal came that may be any request's.

    The next probe should then be one whose refusal, too, is unlike those of the other signatures.
    """

    UNSURE = "unsure"


REFUSED: Final = Refused.UNSURE


@dataclass(frozen=True, slots=True)
class Request:
    """One question to one meter, and how its answer is known."""

    device: Hashable
    octets: bytes
    signature: Hashable | None  # None: never answered (a broadcast)
    framing: Framing
    about: str  # for messages: "unit 3, registers 0..59"
    answers: Callable[[Heard], bool] | None = None  # instead of equal device and signature, for wildcard addresses
    probe: "Callable[[frozenset[Hashable]], Request | None] | None" = None
    """Returns a harmless request to the same meter whose signature is not among the given ones; None: there is none."""
    verify: Callable[[Heard], None] | None = None
    """Raises RefusedError or BadReplyError for an answer that brings nothing; so the bus counts it as what it is."""
    mirrored: bool = False  # its answer is the very same octets (Modbus function 6), as its echo would be


@dataclass(frozen=True, slots=True)
class Traced:
    """A sequence of octets that passed on a line, and what the bus took it for."""

    time_ms: int  # ms UTC
    sent: bool
    octets: bytes
    verdict: str  # sent: request, probe, broadcast, response, raw; heard: answer, late, foreign, echo, corrupt, event
    protocol: str  # "" for corrupt octets: they are nobody's
    reason: str = ""  # what is wrong with corrupt octets


class Bus(Protocol):
    """A line's one owner of its channel: one request at a time (fieldbus.bus.LineBus)."""

    counters: LineCounters

    @property
    def connected(self) -> bool:
        """Whether the channel is open."""

    def attach(self, framing: Framing) -> None:
        """Listen with this framing from now on; a driver does so when it is made."""

    async def connect(self) -> None:
        """Open the channel; LineDownError."""

    def close(self) -> None:
        """Close it; what is unanswered stays known, since a serial server may deliver it to the next connection."""

    def unanswered(self, device: Hashable) -> frozenset[Hashable]:
        """Return the signatures of a device's requests whose replies may still come."""

    async def exchange(self, request: Request) -> Heard | None:
        """Send a request and return the frame that answers it, None for a broadcast; else a LineError.

        A refusal without signature is returned only when nothing else that it may refuse is unanswered. When the
        answer does not please the request's `verify`, its error is raised.
        """
