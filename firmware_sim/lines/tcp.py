"""A line on a listening TCP port, for any number of clients: Modbus TCP, or a serial server's transparent port."""

import asyncio
import os
from typing import Any, Literal

from firmware_sim.lines.line import Line, Session
from firmware_sim.lines.port import PortError, stop_listening


def reason_of(error: OSError) -> str:
    """Return the system's words for an error; asyncio wraps them in its own."""
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error)


class TcpPort:
    """A listening port."""

    def __init__(self, line: Line, host: str, port: int, transport: Literal["tcp", "modbus-tcp"] = "tcp") -> None:
        self.host = host
        self.port = port
        self._line = line
        self._transport = transport
        self._server: asyncio.Server | None = None
        self._clients: set[Client] = set()

    async def start(self) -> None:
        """Listen; port 0 becomes a free one. PortError when the port is not to be had."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Client(self._line, self._clients), self.host, self.port)
        except OSError as error:
            raise PortError(f"can't listen on {self.host}:{self.port}: {reason_of(error)}") from None
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and drop the connections."""
        if self._server is None:
            return
        await stop_listening(self._server)
        for client in list(self._clients):
            client.abort()
        self._server = None

    def where(self) -> dict[str, Any]:
        """Return transport, host and port."""
        return {"transport": self._transport, "host": self.host, "port": self.port}


class Client(asyncio.Protocol):
    """One connection, whoever opened it."""

    def __init__(self, line: Line, clients: "set[Client]") -> None:
        self._line = line
        self._clients = clients
        self._transport: asyncio.Transport | None = None
        self.session: Session | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the line."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._clients.add(self)
        self.session = self._line.open(transport.write)

    def data_received(self, data: bytes) -> None:
        """Pass on what the master sends."""
        assert self.session is not None
        self.session.receive(data)

    def pause_writing(self) -> None:
        """Listen no more to a master that does not read its replies."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Listen again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the line."""
        self._clients.discard(self)
        if self.session is not None:
            self.session.close()

    def abort(self) -> None:
        """Break the connection off."""
        if self._transport is not None:
            self._transport.abort()
