"""The server side of the agent benchmark: many light Modbus TCP meters in one process, one port each.

`python -m bench.modbus_server COUNT` prints the ports as a JSON array and serves until it is terminated.
"""

import asyncio
import json
import struct
import sys
import time

_REQUEST = struct.Struct(">HHHBBHH")


class Meter(asyncio.Protocol):
    """One connection; register 3 of the energy counts up so that the agent integrates something."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer a read; the client sends one request at a time."""
        transaction, _, _, unit, function, _, count = _REQUEST.unpack_from(data)
        energy = 10**9 + time.monotonic_ns() // 10**7
        body = struct.pack(">Q", energy) + bytes(2 * count - 8)
        assert self._transport is not None
        self._transport.write(struct.pack(">HHHBBB", transaction, 0, 3 + len(body), unit, function, len(body)) + body)


async def _serve(count: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Meter, "127.0.0.1", 0, backlog=8) for _ in range(count)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
