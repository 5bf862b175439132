"""What a bus needs of a channel: octets there and back, and to be told when the connection is gone."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable


def reason(error: Exception) -> str:
    """Return what the system says failed, without what the caller names anyway."""
    number = error.errno if isinstance(error, OSError) else None
    # Resolving a name has error numbers of its own, which are negative.
    return os.strerror(number) if number is not None and number > 0 else str(getattr(error, "strerror", None) or error)


def _nobody_listens(_: object) -> None:
    """Drop what comes before a bus is there."""


class Channel(ABC):
    """A two-way stream of octets. It calls the bus from the event loop, never from inside `write`."""

    def __init__(self, name: str) -> None:
        """`name` is what messages call it: an address with its port, a device."""
        self.name = name
        self._on_data: Callable[[bytes], None] = _nobody_listens
        self._on_lost: Callable[[str], None] = _nobody_listens

    def attach(self, on_data: Callable[[bytes], None], on_lost: Callable[[str], None]) -> None:
        """Name who is told of octets, and of the end of a connection that was not closed here, with its reason."""
        self._on_data = on_data
        self._on_lost = on_lost

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether octets can be written."""

    @abstractmethod
    async def open(self) -> None:
        """Connect; LineDownError says what failed. Does nothing when connected."""

    @abstractmethod
    def hang_up(self) -> None:
        """Drop the connection at once, with whatever is still to be sent; `open` makes a new one."""

    def close(self) -> None:
        """Drop everything: for a channel that waits to be called, the port it listens on, too."""
        self.hang_up()

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send octets without waiting; LineDownError when there is nothing to send them through."""
