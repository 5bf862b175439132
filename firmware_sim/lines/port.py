"""What every transport of a line offers."""

from typing import Any, Protocol


class PortError(OSError):
    """A port, device or path that is not to be had."""


class Port(Protocol):
    """The end of a line at which the master is."""

    async def start(self) -> None:
        """Open it; PortError."""

    async def stop(self) -> None:
        """Close it and drop the connections."""

    def where(self) -> dict[str, Any]:
        """Return how to reach it, once it is open, as the ready file has it (`transport`, `host`, `port`, `path`)."""
