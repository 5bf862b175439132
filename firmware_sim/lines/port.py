"""What every transport of a line offers."""

import asyncio
from typing import Any, Final, Protocol

_ACCEPT_STEPS: Final = 3


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


async def stop_listening(server: asyncio.Server) -> None:
    """Close a listening socket; connections that were taken before are whole then, and the caller's to end.

    asyncio makes a transport of an accepted connection in steps, and loses one whose server is closed between them.
    """
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        loop.remove_reader(listener.fileno())
    for _ in range(_ACCEPT_STEPS):
        await asyncio.sleep(0)
    server.close()
