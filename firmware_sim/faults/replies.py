"""What becomes of a reply on its way from the meter to the master."""

from dataclasses import dataclass

from firmware_sim.faces.base import Answer, Face
from firmware_sim.faults.book import ActiveFault, FaultBook
from firmware_sim.faults.model import (
    BadChecksum,
    Echo,
    FaultSpec,
    Late,
    Merged,
    Noise,
    Repeated,
    Silent,
    Truncated,
    WrongAddress,
)

# In which order several faults of one reply are applied: content, length, what stands around it, when it comes.
_ORDER: tuple[type[FaultSpec], ...] = (
    Silent,
    WrongAddress,
    BadChecksum,
    Truncated,
    Noise,
    Repeated,
    Echo,
    Merged,
    Late,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A reply, the line it goes to, its protocol, and what the master sent for it."""

    line: str
    face: Face
    answer: Answer
    request: bytes


@dataclass(slots=True)
class Treated:
    """A reply as the line carries it. `held`: until the next one comes; `stalls`: nothing may pass it."""

    octets: bytes
    delay_ms: int = 0
    stalls: bool = False
    held: bool = False


def treat(book: FaultBook, sent: Sent, now_ms: int) -> Treated | None:
    """Return what comes instead of a reply; None: nothing."""
    answer = sent.answer
    treated = Treated(answer.octets)
    struck = [
        fault
        for fault in book.on_replies
        if fault.hits(answer.meter, sent.line) and _suits(book, fault, answer) and fault.strikes(now_ms)
    ]
    for fault in sorted(struck, key=lambda fault: _ORDER.index(type(fault.spec))):
        book.count(answer.meter, fault.spec.kind)
        if isinstance(fault.spec, Silent):
            return None
        _apply(fault, treated, sent)
    return treated


def echoes(book: FaultBook, line: str, now_ms: int) -> int:
    """Return how often a request is heard again because of faults of the whole line, whoever it is for."""
    return sum(
        isinstance(fault.spec, Echo)
        and fault.spec.meter is None
        and fault.spec.line in (None, line)
        and fault.strikes(now_ms)
        for fault in book.on_replies
    )


def _suits(book: FaultBook, fault: ActiveFault, answer: Answer) -> bool:
    if isinstance(fault.spec, BadChecksum):
        return book.has_check(answer.meter)
    return not isinstance(fault.spec, Echo) or fault.spec.meter is not None


def _apply(fault: ActiveFault, treated: Treated, sent: Sent) -> None:
    spec, octets, draw = fault.spec, treated.octets, fault.random
    if isinstance(spec, WrongAddress):
        treated.octets = sent.face.misaddressed(octets)
    elif isinstance(spec, BadChecksum):
        # The last but one octet belongs to the check in RTU, DL/T 645 and DL/T 698.45 alike.
        treated.octets = octets[:-2] + bytes((octets[-2] ^ 0x55,)) + octets[-1:]
    elif isinstance(spec, Truncated):
        kept = draw.randint(1, max(len(octets) - 1, 1)) if spec.octets is None else spec.octets
        treated.octets = octets[: min(kept, len(octets) - 1)]
    elif isinstance(spec, Noise):
        noise = draw.randbytes(spec.octets) if spec.hex is None else bytes.fromhex(spec.hex)
        at = {"before": 0, "after": len(octets)}.get(spec.where) or 0
        if spec.where == "inside":
            at = draw.randint(1, max(len(octets) - 1, 1))
        treated.octets = octets[:at] + noise + octets[at:]
    elif isinstance(spec, Repeated):
        treated.octets = octets * 2
    elif isinstance(spec, Echo):
        treated.octets = sent.request + octets
    elif isinstance(spec, Merged):
        treated.held = True
    elif isinstance(spec, Late):
        treated.delay_ms += draw.randint(*spec.delay_ms)
        # A late meter is overtaken by its neighbours; on a line that is late as a whole everything waits.
        treated.stalls |= spec.meter is None
