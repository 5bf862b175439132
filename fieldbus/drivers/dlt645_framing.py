"""Frames of DL/T 645-2007 in what a line brings, and what identifies them."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from diantan_core import Dlt645Error, Dlt645Frame, Dlt645Message, Dlt645Noise, Dlt645Parser, dlt645_parse
from fieldbus.exchange import Heard, Noise

PROTOCOL: Final = "dlt645"
READ, READ_NEXT, READ_ADDRESS, WRITE, WRITE_ADDRESS, FREEZE, CHANGE_BAUD = 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17
_MOST_DATA: Final = 255  # what L can say: a meter that sends more than 200 is understood as well


@dataclass(frozen=True, slots=True)
class Said:
    """A frame and its meaning (diantan_core.dlt645_parse)."""

    frame: Dlt645Frame
    message: Dlt645Message


def device(address: str) -> Hashable:
    """Return how the bus knows a meter."""
    return (PROTOCOL, address)


def signature(function: int, di: int | None = None, seq: int | None = None) -> Hashable:
    """Return what a request and its reply have in common besides the address: function, identifier, SEQ."""
    return (function, di, seq)


class Dlt645Framing:
    """One parser a line."""

    protocol: str = PROTOCOL
    longest_pause_s: float = 0.5  # DL/T 645-2007 5.3.3: Tb between two octets

    def __init__(self) -> None:
        self._parser = Dlt645Parser(_MOST_DATA)

    @property
    def pending(self) -> int:
        """How many octets wait for more."""
        return self._parser.pending

    def feed(self, data: bytes) -> Sequence[Heard | Noise]:
        """Take octets as they come; return what is complete."""
        return _events(self._parser.feed(data))

    def flush(self) -> Sequence[Heard | Noise]:
        """Give up what waits for more octets."""
        return _events(self._parser.flush())

    def respond(self, heard: Heard) -> bytes | None:
        """Return nothing: a meter of DL/T 645 does not speak by itself."""
        del heard
        return None


def _events(events: Sequence[Dlt645Frame | Dlt645Noise]) -> list[Heard | Noise]:
    """Return what was found; noise in one piece, as a broken frame and the preamble before it are."""
    found: list[Heard | Noise] = []
    for event in map(_event, events):
        last = found[-1] if found else None
        if isinstance(event, Noise) and isinstance(last, Noise):
            found[-1] = Noise(last.octets + event.octets, event.reason)
        else:
            found.append(event)
    return found


def _event(event: Dlt645Frame | Dlt645Noise) -> Heard | Noise:
    if isinstance(event, Dlt645Noise):
        return Noise(event.data, _reason(event))
    try:
        message = dlt645_parse(event)
    except Dlt645Error as error:
        # A frame of 1997, or of a maker's own function, answers nothing that is asked here.
        return Noise(event.encode(0), f"control code {event.control:02X}H of {event.address}: {error}")
    function = event.function
    said = Said(event, message)
    if "error" in message:
        return Heard(device(event.address), None, said, event.encode(0), refuses=lambda found: _is_of(found, function))
    known = signature(function, message.get("di"), message.get("seq"))
    return Heard(device(event.address), known, said, event.encode(0), is_request=not event.from_meter)


def _is_of(found: Hashable, function: int) -> bool:
    """Return whether a signature is that of a request of a function; a refusal tells no more (D1H has only ERR)."""
    return isinstance(found, tuple) and found[0] == function


def _reason(noise: Dlt645Noise) -> str:
    match noise.cause:
        case "checksum":
            return f"a checksum of {noise.found:02X}H, not {noise.expected:02X}H"
        case "truncated":
            return "a frame that breaks off"
    return "octets that are no frame of DL/T 645-2007"
