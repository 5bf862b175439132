"""Bodies of requests: received into a file, bounded in size and time, plain or gzip."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Final

from aiohttp import web

from cloud_receiver.api.problems import ProblemError, bad_request

LARGEST_JSON: Final = 2 << 20
"""Its text is parsed at once, and the intake waits meanwhile; all else is read line by line, slot by slot."""
WHOLE: Final = 10
"""How many times as long as a part of it a body may take."""
_AT_ONCE: Final = 8  # received at a time, each in a file
_MIB: Final = 1 << 20
_GZIP: Final = 31  # zlib: gzip, a window of any size
_CHUNK: Final = 1 << 16


@dataclass(frozen=True)
class Limits:
    """Bounds of a body: size uncompressed, and how long each part of it may take; the whole, `WHOLE` times as long."""

    body_bytes: int
    timeout_s: float


class Bodies:
    """Receives bodies, a few at a time."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def received(self, request: web.Request, path: Path, largest: int) -> None:
        """Write a body to a file; ProblemError for one that is too large, or takes too long, a few bytes at a time."""
        declared = request.content_length
        if declared is not None and declared > largest:
            raise _too_large(largest)
        longest_s = self.limits.timeout_s * WHOLE
        try:
            async with self._room, asyncio.timeout(longest_s):
                with path.open("wb") as file:
                    await self._receive(request, file, largest)
        except TimeoutError:
            raise _too_slow(f"the body did not come in {longest_s:g} s") from None

    async def _receive(self, request: web.Request, file: IO[bytes], largest: int) -> None:
        encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", "x-gzip"}:
            raise ProblemError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"expected Content-Encoding: gzip or none, found {encoding[:40]!r}",
                headers={"Accept-Encoding": "gzip"},
            )
        unpack = None if encoding == "identity" else _Gzip()
        size = 0
        async for chunk in self._chunks(request, largest):
            for part in (chunk,) if unpack is None else unpack.parts(chunk):
                size += len(part)
                if size > largest:
                    raise _too_large(largest)
                file.write(part)
            await asyncio.sleep(0)
        if unpack is not None:
            unpack.finish()
        if not size:
            raise bad_request("expected measurements or orders, found an empty body")

    async def _chunks(self, request: web.Request, largest: int) -> AsyncIterator[bytes]:
        """Yield a body as it comes; what is compressed may not be larger than what it may become."""
        size = 0
        while True:
            try:
                async with asyncio.timeout(self.limits.timeout_s):
                    chunk = await request.content.readany()
            except TimeoutError:
                raise _too_slow(f"nothing of the body came in {self.limits.timeout_s:g} s") from None
            if not chunk:
                return
            size += len(chunk)
            if size > largest:
                raise _too_large(largest)
            yield chunk


class _Gzip:
    """Uncompresses a body a part at a time, so that no part of it is larger than a chunk."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False

    def parts(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what a part of the body becomes; ProblemError for one that is no gzip."""
        try:
            while chunk:
                self._begun = True
                part = self._member.decompress(chunk, _CHUNK)
                yield part
                if self._member.eof:  # another member may follow (RFC 1952, 2.2)
                    chunk, self._member = self._member.unused_data, zlib.decompressobj(_GZIP)
                    self._begun = bool(chunk)
                else:
                    chunk = self._member.unconsumed_tail
        except zlib.error as error:
            raise bad_request(f"the body is not gzip: {error}") from None

    def finish(self) -> None:
        """ProblemError for a body that ended too soon."""
        if self._begun:
            raise bad_request("the body is not gzip: it ends too soon")


def _too_slow(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.REQUEST_TIMEOUT, detail, headers={"Connection": "close"})


def _too_large(largest: int) -> ProblemError:
    detail = f"expected at most {largest // _MIB} MiB, uncompressed: send parts"
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, headers={"Connection": "close"})
