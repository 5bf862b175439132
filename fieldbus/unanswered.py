"""What was asked on a line and never answered, and so may still come: the bus's memory against late replies (迟到应答).

A reply is known by its signature. Meters answer in order, so when one has answered, nothing that it was asked earlier
is still to come from it.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum

from fieldbus.exchange import REFUSED, Heard, Request


class Verdict(Enum):
    """What a frame is, seen from the request that is waiting."""

    ANSWER = "answer"
    LATE = "late"  # the reply to a request that was given up
    UNSURE = "unsure"  # a refusal that may be one or the other
    STRANGE = "strange"  # nobody asked for it


@dataclass(frozen=True, slots=True)
class _Entry:
    request: Request
    since: float
    connection: int
    passed: set[Hashable] = field(default_factory=set)  # of one to any device: those that have answered something since


def _refuses(heard: Heard, signature: Hashable) -> bool:
    return heard.refuses is None or heard.refuses(signature)


def _fits(heard: Heard, request: Request) -> bool:
    if request.answers is not None:
        return request.answers(heard)
    if heard.device != request.device:
        return False
    if heard.signature is None:
        return _refuses(heard, request.signature)
    return heard.signature == request.signature


class Unanswered:
    """The requests of one line whose replies are still possible, by device, oldest first."""

    def __init__(self, keep_s: float) -> None:
        """Remember each request for at least `keep_s`."""
        self._keep_s = keep_s
        self._entries: dict[Hashable, list[_Entry]] = {}
        self._wild: list[_Entry] = []  # those that any device may answer
        self._unsure: set[Hashable] = set()  # devices that refused we know not what

    def __len__(self) -> int:
        return sum(map(len, self._entries.values())) + len(self._wild)

    def add(self, request: Request, now: float, connection: int) -> None:
        """Remember a request that was sent and given up; `connection` numbers the connections of the line."""
        entry = _Entry(request, now, connection)
        if request.answers is None:
            self._entries.setdefault(request.device, []).append(entry)
        else:
            self._wild.append(entry)

    def signatures(self, device: Hashable) -> frozenset[Hashable]:
        """Return what a device may still answer, requests to any device included."""
        found: set[Hashable] = {entry.request.signature for entry in self._entries.get(device, ())}
        found.update(entry.request.signature for entry in self._wild if device not in entry.passed)
        if device in self._unsure:
            found.add(REFUSED)
        return frozenset(found)

    def in_the_way(self, request: Request) -> frozenset[Hashable]:
        """Return what may still come that could be taken for part of an exchange with this request's device."""
        if not self._entries and not self._wild:
            return frozenset()
        if request.answers is None:
            return self.signatures(request.device)
        return self.signatures(request.device).union(*map(self.signatures, self._entries))

    def judge(self, heard: Heard, current: Request | None) -> Verdict:
        """Say what a frame is, and forget what it shows to be answered or lost."""
        fits = current is not None and _fits(heard, current)
        if heard.signature is None:
            return self._judge_refusal(heard, fits=fits)
        if self._is_late(heard):
            return Verdict.LATE
        if not fits:
            return Verdict.STRANGE
        self._answered(heard.device)
        return Verdict.ANSWER

    def echoed(self, octets: bytes) -> bool:
        """Say whether these are the octets of one of the requests."""
        return any(
            entry.request.octets.endswith(octets)
            for entries in (*self._entries.values(), self._wild)
            for entry in entries
        )

    def forget(self, now: float, connection: int, last_heard: float) -> None:
        """Forget what is too old to be still under way.

        Time alone proves nothing: a link that has stalled all the while may deliver everything when it wakes. So
        something must have come through it at that age, or another connection must have taken its place. Times are in
        seconds with a connection.
        """
        if not self._entries and not self._wild:
            return

        def keep(entry: _Entry) -> bool:
            moved = entry.connection != connection or last_heard - entry.since >= self._keep_s
            return not moved or now - entry.since < self._keep_s

        self._wild = [entry for entry in self._wild if keep(entry)]
        for device, entries in list(self._entries.items()):
            self._store(device, [entry for entry in entries if keep(entry)])

    def _store(self, device: Hashable, entries: list[_Entry]) -> None:
        if entries:
            self._entries[device] = entries
        else:
            self._entries.pop(device, None)
            self._unsure.discard(device)

    def _is_late(self, heard: Heard) -> bool:
        entries = self._entries.get(heard.device, [])
        for index, entry in enumerate(entries):
            if entry.request.signature == heard.signature:
                self._store(heard.device, entries[index + 1 :])
                return True
        return any(heard.device not in entry.passed and _fits(heard, entry.request) for entry in self._wild)

    def _judge_refusal(self, heard: Heard, *, fits: bool) -> Verdict:
        entries = self._entries.get(heard.device, [])
        for index, entry in enumerate(entries):
            if _refuses(heard, entry.request.signature):
                # The first that it may be, and all before it, are answered or lost; the later ones stay possible.
                if fits:
                    self._unsure.add(heard.device)
                    self._entries[heard.device] = entries[index + 1 :]
                    return Verdict.UNSURE
                self._store(heard.device, entries[index + 1 :])
                return Verdict.LATE
        if any(heard.device not in entry.passed and _fits(heard, entry.request) for entry in self._wild):
            return Verdict.UNSURE if fits else Verdict.LATE
        if not fits:
            return Verdict.STRANGE
        self._answered(heard.device)
        return Verdict.ANSWER

    def _answered(self, device: Hashable) -> None:
        self._entries.pop(device, None)
        self._unsure.discard(device)
        for entry in self._wild:
            entry.passed.add(device)
