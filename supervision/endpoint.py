"""A little HTTP server that answers `GET /metrics` on loopback, and nothing else.

One request a connection, bounded in size, time and number: whoever may connect can't make the program large or slow.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from supervision.exposition import CONTENT_TYPE

log = logging.getLogger("diantan.metrics")

PATH: Final = "/metrics"
MOST_REQUEST_BYTES: Final = 8192
MOST_CONNECTIONS: Final = 8
TIMEOUT_S: Final = 5.0  # real time for the request, and again for taking the answer

_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_REQUEST_PARTS: Final = 3


class MetricsEndpoint:
    """Serves the text that `page` makes."""

    def __init__(
        self, host: str, port: int, page: Callable[[], Awaitable[str]], *, timeout_s: float = TIMEOUT_S
    ) -> None:
        """Port 0: any free one, then told by `port`."""
        self.host = host
        self.port = port
        self._page = page
        self._timeout_s = timeout_s
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> bool:
        """Listen; return False, with the reason in the log, where that fails: no program stops working for it."""
        try:
            self._server = await asyncio.start_server(self._connected, self.host, self.port, limit=MOST_REQUEST_BYTES)
        except OSError as error:
            log.error("no metrics: %s:%d can't be listened on: %s", self.host, self.port, error)  # noqa: TRY400  # one line
            return False
        self.port = self._server.sockets[0].getsockname()[1]
        host = f"[{self.host}]" if ":" in self.host else self.host
        log.info("metrics on http://%s:%d%s", host, self.port, PATH)
        return True

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        tasks = set(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MOST_CONNECTIONS:
            writer.write(_answer(503))
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="metrics")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = _answer(408)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timeout_s):
                    answer = await self._respond(reader)
            async with asyncio.timeout(self._timeout_s):
                writer.write(answer)
                writer.close()
                await writer.wait_closed()
        except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
            pass  # whoever asked has gone, or takes no answer
        finally:
            writer.transport.abort()

    async def _respond(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _answer(431)
        parts = head.split(b"\r\n", 1)[0].split(b" ")
        if len(parts) != _REQUEST_PARTS or not parts[2].startswith(b"HTTP/1."):
            return _answer(400)
        method, target = parts[0], parts[1].split(b"?", 1)[0]
        if target != PATH.encode():
            return _answer(404)
        if method not in {b"GET", b"HEAD"}:
            return _answer(405, headers=("Allow: GET, HEAD",))
        try:
            body = (await self._page()).encode()
        except Exception:
            log.exception("the metrics can't be told")
            return _answer(500)
        return _answer(200, body, (f"Content-Type: {CONTENT_TYPE}",), with_body=method == b"GET")


def _answer(status: int, body: bytes | None = None, headers: tuple[str, ...] = (), *, with_body: bool = True) -> bytes:
    if body is None:
        body = f"{status} {_REASONS[status]}\n".encode()
        headers = (*headers, "Content-Type: text/plain; charset=utf-8")
    fields = (f"HTTP/1.1 {status} {_REASONS[status]}", *headers, f"Content-Length: {len(body)}", "Connection: close")
    return "".join(f"{field}\r\n" for field in (*fields, "")).encode() + (body if with_body else b"")
