"""What has arrived and is not yet stored: bounded in number and bytes, and shared out evenly among those who send.

Each enrolled gateway has a lane of its own and all strangers together have one, so that nobody gains a second share by
inventing topics, and who sends more than the store takes displaces his own messages and nobody else's.
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """A message with its bytes."""

    @property
    def payload(self) -> bytes:
        """Return the bytes."""


M = TypeVar("M", bound=Sized)


class Waiting(Generic[M]):
    """Messages by lane, taken in turn; `lane_of` says whose a message is."""

    def __init__(self, limit: int, limit_bytes: int, lane_of: Callable[[M], str]) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._lane_of = lane_of
        self._lanes: dict[str, deque[M]] = {}
        self._bytes: dict[str, int] = {}
        self._count = 0
        self._total = 0

    def __len__(self) -> int:
        """Return the number of messages."""
        return self._count

    @property
    def bytes(self) -> int:
        """Return their bytes."""
        return self._total

    def put(self, message: M) -> list[M]:
        """Take a message in; return those it displaced, the oldest of the lane that holds the most."""
        name = self._lane_of(message)
        self._lanes.setdefault(name, deque()).append(message)
        self._account(name, 1, len(message.payload))
        displaced = []
        while self._count > 1 and (self._count > self._limit or self._total > self._limit_bytes):
            by_number = self._count > self._limit
            worst = max(self._lanes, key=lambda name: len(self._lanes[name]) if by_number else self._bytes[name])
            displaced.append(self._pop(worst))
        return displaced

    def take(self, count: int) -> list[M]:
        """Return up to so many messages, from each lane in turn, in the order in which the lane's came."""
        taken: list[M] = []
        while self._lanes and len(taken) < count:
            for name in list(self._lanes)[: count - len(taken)]:
                taken.append(self._pop(name))
                if name in self._lanes:
                    # Behind the others, so that a count smaller than the number of lanes favours none.
                    self._lanes[name] = self._lanes.pop(name)
        return taken

    def clear(self) -> None:
        """Forget everything."""
        self._lanes.clear()
        self._bytes.clear()
        self._count = self._total = 0

    def _pop(self, name: str) -> M:
        message = self._lanes[name].popleft()
        self._account(name, -1, -len(message.payload))
        if not self._lanes[name]:
            del self._lanes[name], self._bytes[name]
        return message

    def _account(self, name: str, count: int, size: int) -> None:
        self._count += count
        self._total += size
        self._bytes[name] = self._bytes.get(name, 0) + size
