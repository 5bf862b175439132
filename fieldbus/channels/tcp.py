"""A connection to a TCP server: a Modbus TCP meter, a gateway, or a serial server (串口服务器) that passes octets."""

import asyncio
import socket
from typing import Any

from fieldbus.channels.base import Channel, reason
from fieldbus.exchange import LineDownError


class TcpChannel(Channel):
    """One connection at a time."""

    def __init__(self, host: str, port: int, connect_timeout_s: float) -> None:
        super().__init__(f"{host}:{port}")
        self._host = host
        self._port = port
        self._timeout_s = connect_timeout_s
        self._connection: _Connection | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    async def open(self) -> None:
        """Connect within the time-out, or LineDownError."""
        if self._connection is not None:
            return
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                transport, connection = await loop.create_connection(lambda: _Connection(self), self._host, self._port)
        except TimeoutError:
            raise LineDownError(f"no connection to {self.name} within {self._timeout_s:g} s") from None
        except OSError as error:
            raise LineDownError(f"no connection to {self.name}: {reason(error)}") from None
        keep_alive(transport)
        if connection.ended is not None:
            raise LineDownError(connection.ended)
        self._connection = connection

    def hang_up(self) -> None:
        """Drop the connection without waiting for what is still to be sent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()

    def write(self, data: bytes) -> None:
        """Send octets."""
        if self._connection is None:
            raise LineDownError(f"no connection to {self.name}")
        self._connection.write(data)

    def received(self, connection: "_Connection", data: bytes) -> None:
        """Pass octets on, unless they are an old connection's."""
        if connection is self._connection:
            self._on_data(data)

    def ended(self, connection: "_Connection", reason: str) -> None:
        """Pass the end on, unless it is an old connection's."""
        if connection is self._connection:
            self._connection = None
            self._on_lost(reason)


class _Connection(asyncio.Protocol):
    def __init__(self, channel: TcpChannel) -> None:
        self.ended: str | None = None
        self._channel = channel
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._channel.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        detail = f": {exc}" if exc is not None else ""
        self.ended = f"{self._channel.name} closed the connection{detail}"
        self._transport = None
        self._channel.ended(self, self.ended)

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Let the system find out when the other side is gone for good; a line may be quiet for minutes."""
    connection: Any = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
