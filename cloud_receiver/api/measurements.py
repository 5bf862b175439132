"""`POST /v1/grid/measurements`: what was measured on the grid, as series in CSV or JSON, from one feed.

All of a body is checked before anything is stored, and it is answered after the commit. What was told before is known
already: whoever gets no answer sends again.
"""

import asyncio
import tempfile
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from aiohttp import web
from sqlalchemy import Engine

from cloud_receiver import database
from cloud_receiver.api.bodies import LARGEST_JSON, Bodies
from cloud_receiver.api.parameters import only
from cloud_receiver.api.problems import ProblemError, bad_request, mistakes_of
from cloud_receiver.grid import series, shelf, telemetry
from cloud_receiver.grid.analysis.periods import utc
from cloud_receiver.grid.series_told import Check, Told
from cloud_receiver.grid.telemetry import TelemetryError
from cloud_receiver.mistakes import InputError

AHEAD_MS: Final = 86_400_000
"""How far ahead of the centre's clock a slot may be."""
_ONE_TRANSACTION: Final = 32
"""Slots."""
CLIENT: Final = web.RequestKey("client", str)


class Measurements:
    """Takes measurements in."""

    def __init__(self, engine: Engine, bodies: Bodies, max_factor: float, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._bodies = bodies
        self._max_factor = max_factor
        self._now_ms = now_ms
        self._turn = asyncio.Lock()

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Store a body, and answer how much of it is new."""
        only(request, {"table"})
        name, largest = self._form(request)
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / name
            await self._bodies.received(request, path, largest)
            # One body at a time: what it is checked against and stored in is one store.
            async with self._turn:
                return await self._enter(request[CLIENT], path)

    def _form(self, request: web.Request) -> tuple[str, int]:
        """Return as what a body is read, and its largest size."""
        table, content_type = request.query.get("table"), request.content_type
        if content_type == "application/json":
            if table is not None:
                raise bad_request("table: is for text/csv; a document of JSON names its elements")
            return "body.json", min(LARGEST_JSON, self._bodies.limits.body_bytes)
        if content_type == "text/csv":
            name = f"{table}.csv"
            if name not in series.TABLES:
                known = ", ".join(item.removesuffix(".csv") for item in series.TABLES)
                found = "none" if table is None else repr(table[:40])
                raise bad_request(f"table: expected one of {known}, found {found}")
            return name, self._bodies.limits.body_bytes
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"expected Content-Type: application/json or text/csv, found {content_type[:80]!r}",
            headers={"Accept": "application/json, text/csv"},
        )

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
        except InputError as error:
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
