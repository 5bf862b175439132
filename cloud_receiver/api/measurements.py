"""`POST /v1/grid/measurements`: what was measured on the grid, as series in CSV or JSON, from one feed.

All of a body is checked before anything is stored, and it is answered after the commit. What was told before is known
already: whoever gets no answer sends again.
"""

import asyncio
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Final

from aiohttp import web
from sqlalchemy import Engine

from cloud_receiver import database
from cloud_receiver.api.parameters import only
from cloud_receiver.api.problems import ProblemError, bad_request, mistakes_of
from cloud_receiver.grid import series, shelf, telemetry
from cloud_receiver.grid.analysis.periods import utc
from cloud_receiver.grid.errors import GridError
from cloud_receiver.grid.series_told import Check, Told
from cloud_receiver.grid.telemetry import TelemetryError

LARGEST_JSON: Final = 2 << 20
"""Its text is parsed at once, and the intake waits meanwhile; all else is read line by line, slot by slot."""
WHOLE: Final = 10
"""How many times as long as a part of it a body may take."""
AHEAD_MS: Final = 86_400_000
"""How far ahead of the centre's clock a slot may be."""
_BODIES: Final = 8  # received at a time, each in a file
_MIB: Final = 1 << 20
_ONE_TRANSACTION: Final = 32
"""Slots."""
_GZIP: Final = 31  # zlib: gzip, a window of any size
_CHUNK: Final = 1 << 16
CLIENT: Final = web.RequestKey("client", str)


@dataclass(frozen=True)
class Limits:
    """Bounds of a body: size uncompressed, and how long each part of it may take; the whole, `WHOLE` times as long."""

    body_bytes: int
    timeout_s: float


class Measurements:
    """Takes measurements in."""

    def __init__(self, engine: Engine, limits: Limits, max_factor: float, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._limits = limits
        self._max_factor = max_factor
        self._now_ms = now_ms
        self._bodies = asyncio.Semaphore(_BODIES)
        self._turn = asyncio.Lock()

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Store a body, and answer how much of it is new."""
        only(request, {"table"})
        name, largest = self._form(request)
        declared = request.content_length
        if declared is not None and declared > largest:
            raise _too_large(largest)
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / name
            await self._received(request, path, largest)
            # One body at a time: what it is checked against and stored in is one store.
            async with self._turn:
                return await self._enter(request[CLIENT], path)

    def _form(self, request: web.Request) -> tuple[str, int]:
        """Return as what a body is read, and its largest size."""
        table, content_type = request.query.get("table"), request.content_type
        if content_type == "application/json":
            if table is not None:
                raise bad_request("table: is for text/csv; a document of JSON names its elements")
            return "body.json", min(LARGEST_JSON, self._limits.body_bytes)
        if content_type == "text/csv":
            name = f"{table}.csv"
            if name not in series.TABLES:
                known = ", ".join(item.removesuffix(".csv") for item in series.TABLES)
                found = "none" if table is None else repr(table[:40])
                raise bad_request(f"table: expected one of {known}, found {found}")
            return name, self._limits.body_bytes
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"expected Content-Type: application/json or text/csv, found {content_type[:80]!r}",
            headers={"Accept": "application/json, text/csv"},
        )

    async def _received(self, request: web.Request, path: Path, largest: int) -> None:
        """Write a body to a file; ProblemError for one that takes too long, a few bytes at a time."""
        longest_s = self._limits.timeout_s * WHOLE
        try:
            async with self._bodies, asyncio.timeout(longest_s):
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
            raise bad_request("expected measurements, found an empty body")

    async def _chunks(self, request: web.Request, largest: int) -> AsyncIterator[bytes]:
        """Yield a body as it comes; what is compressed may not be larger than what it may become."""
        size = 0
        while True:
            try:
                async with asyncio.timeout(self._limits.timeout_s):
                    chunk = await request.content.readany()
            except TimeoutError:
                raise _too_slow(f"nothing of the body came in {self._limits.timeout_s:g} s") from None
            if not chunk:
                return
            size += len(chunk)
            if size > largest:
                raise _too_large(largest)
            yield chunk

    def _refuse_the_future(self, start_ms: int) -> None:
        # A feed whose year is wrong would fill slots that are to come, and be taken for them when they are there.
        limit_ms = self._now_ms() + AHEAD_MS
        if start_ms > limit_ms:
            text = f"slot {utc(start_ms)}: expected slots up to a day from now, {utc(limit_ms)}"
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, text)

    async def _enter(self, feed: str, path: Path) -> web.Response:
        told = Told()
        with database.reading(self._engine) as connection:
            check = Check(shelf.grids(connection), told, self._max_factor)
        packed: list[tuple[int, bytes]] = []
        try:
            for slot in series.steps(path, check):
                if slot is not None:
                    packed.append(telemetry.packed(*slot))
                await asyncio.sleep(0)
            told.raise_any()
        except GridError as error:
            raise mistakes_of(error) from None
        except TelemetryError as error:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        if not packed:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "expected measurements of slots, found none")
        self._refuse_the_future(max(start_ms for start_ms, _ in packed))
        new = 0
        for first in range(0, len(packed), _ONE_TRANSACTION):
            with database.writing(self._engine) as connection:
                part = packed[first : first + _ONE_TRANSACTION]
                new += telemetry.enter_packed(connection, feed, part, self._now_ms())
            await asyncio.sleep(0)
        starts = [start_ms for start_ms, _ in packed]
        return web.json_response(
            {
                "feed": feed,
                "slots": len(packed),
                "new": new,
                "known": len(packed) - new,
                "first_interval_start_utc": utc(min(starts)),
                "last_interval_start_utc": utc(max(starts)),
            },
            headers={"Cache-Control": "no-store"},
        )


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
