"""`/v1/orders`: charge orders (充电订单) of a station, told in JSON and read back.

All of a body is checked before anything is stored, and it is answered after the commit. What was told before is known
already: whoever gets no answer sends again.
"""

import asyncio
import tempfile
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Engine

from cloud_receiver import database
from cloud_receiver.api.bodies import LARGEST_JSON, Bodies
from cloud_receiver.api.measurements import CLIENT
from cloud_receiver.api.parameters import only, page_of
from cloud_receiver.api.problems import ProblemError, bad_request, mistakes_of
from cloud_receiver.checks.model import Context
from cloud_receiver.delimited.times import TimeTextError
from cloud_receiver.delimited.zone import zone_of
from cloud_receiver.exact_json import parse_json
from cloud_receiver.grid.analysis.periods import SpanError, instant
from cloud_receiver.mistakes import InputError, Mistake, Problems, quoted
from cloud_receiver.registry import Registry
from cloud_receiver.sales import listing, store
from cloud_receiver.sales.chargers import Chargers, context_of
from cloud_receiver.sales.order import HTTP
from cloud_receiver.sales.record import Reading, order_cells
from cloud_receiver.sales.store import Entered, Told
from cloud_receiver.sales.times import Times

PATH: Final = "/v1/orders"
MOST_ORDERS: Final = 10_000
"""Of one body."""
LONGEST_DAYS: Final = 100
"""Of one request."""
_ONE_TRANSACTION: Final = 500
_GIVE_WAY: Final = 100
_DAY_MS: Final = 86_400_000
_KEYS: Final = ("station", "orders", "zone")


class Orders:
    """Takes orders in, and lists them."""

    def __init__(self, engine: Engine, bodies: Bodies, registry: Registry, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._bodies = bodies
        self._registry = registry
        self._now_ms = now_ms
        self._turn = asyncio.Lock()

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Store the orders of a body, and answer how many are new."""
        only(request, ())
        if request.content_type != "application/json":
            raise ProblemError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"expected Content-Type: application/json, found {request.content_type[:80]!r}",
                headers={"Accept": "application/json"},
            )
        largest = min(LARGEST_JSON, self._bodies.limits.body_bytes)
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "body.json"
            await self._bodies.received(request, path, largest)
            content = path.read_bytes()
        async with self._turn:
            return await self._enter(request[CLIENT], content)

    async def _enter(self, client: str, content: bytes) -> web.Response:
        name, zone, items = _document(content)
        context = self._context(name, HTTPStatus.UNPROCESSABLE_ENTITY)
        problems = Problems()
        try:
            times = Times(zone_of(zone or context.station.timezone))
            reading = Reading(Chargers(context), times, problems)
            told: list[Told] = []
            for place, item in enumerate(items, 1):
                where = f"order {place}"
                cells = order_cells(item, where, problems)
                found = None if cells is None else reading.order(cells, where)
                if found is not None:
                    told.append(found)
                if place % _GIVE_WAY == 0:
                    await asyncio.sleep(0)
            _once(told, problems)
            problems.raise_any()
        except TimeTextError as error:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"zone: {error}") from None
        except InputError as error:
            raise mistakes_of(error) from None
        total = Entered()
        for first in range(0, len(told), _ONE_TRANSACTION):
            part = told[first : first + _ONE_TRANSACTION]
            with database.writing(self._engine) as connection:
                entered = store.enter(
                    connection, context.number, part, source=HTTP, made_by=client, now_ms=self._now_ms()
                )
            total.new += entered.new
            total.known += entered.known
            total.changed += entered.changed
            await asyncio.sleep(0)
        answer = {"station": name, "orders": len(told), "new": total.new, "known": total.known}
        return web.json_response(answer | {"changed": total.changed}, headers={"Cache-Control": "no-store"})

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer a page of the orders that end in a time, in order of their ends."""
        only(request, {"station", "from", "to", "all", "limit", "cursor"})
        query = request.query
        context = self._context(query.get("station", ""), HTTPStatus.NOT_FOUND)
        zone = context.station.timezone
        if "from" not in query:
            raise bad_request("from: expected a month, a day or a time")
        old = query.get("all", "0")
        if old not in {"0", "1"}:
            raise bad_request(f"all: expected 0 or 1, found {old[:40]!r}")
        try:
            first_ms = instant(query["from"], zone)
            end_ms = instant(query.get("to", query["from"]), zone, end=True)
        except SpanError as error:
            raise bad_request(str(error)) from None
        if not 0 < end_ms - first_ms <= (LONGEST_DAYS + 1) * _DAY_MS:
            raise bad_request(f"expected a time of at most {LONGEST_DAYS} days")
        page = page_of(request)
        after = None if page.start_ms is None else (page.start_ms, page.offset)
        with database.reading(self._engine) as connection:
            found = listing.kept(
                connection, context, first_ms, end_ms, limit=page.limit + 1, old=old == "1", after=after
            )
        more = None
        if len(found) > page.limit:
            found = found[: page.limit]
            changed = {"cursor": page.cursor(found[-1].order.end_ms, found[-1].id)}
            more = str(request.rel_url.update_query(changed))
        rows = [listing.document(item, context) for item in found]
        headers = {"Cache-Control": "private, no-cache"}
        if more is not None:
            headers["Link"] = f'<{more}>; rel="next"'
        return web.json_response({"station": context.station.id, "rows": rows, "next": more}, headers=headers)

    def _context(self, name: str, status: HTTPStatus) -> Context:
        with database.reading(self._engine) as connection:
            found = context_of(connection, self._registry, name)
        if found is None:
            raise ProblemError(status, f"station: expected one of the registry, found {quoted(name)}")
        return found


def _document(content: bytes) -> tuple[str, str | None, list[Any]]:
    """Return the station, the zone and the orders of a body; ProblemError for one that is none."""
    try:
        found = parse_json(content)
    except ValueError as error:
        raise _unusable(f"expected JSON: {str(error)[:200]}") from None
    if not isinstance(found, dict):
        raise _unusable(f"expected an object, found {quoted(found)}")
    unknown = sorted(set(found) - set(_KEYS))
    if unknown:
        raise _unusable(f"expected {', '.join(_KEYS)}, found {quoted(unknown[0])}")
    name, zone, orders = found.get("station"), found.get("zone"), found.get("orders")
    if not isinstance(name, str) or not (zone is None or isinstance(zone, str)):
        raise _unusable("station, zone: expected texts")
    if not isinstance(orders, list) or not 1 <= len(orders) <= MOST_ORDERS:
        raise _unusable(f"orders: expected a list of 1 to {MOST_ORDERS} orders")
    return name, zone, orders


def _once(told: list[Told], problems: Problems) -> None:
    seen: dict[tuple[int, str], Told] = {}
    for item in told:
        if seen.setdefault((item.meter, item.order.number), item) != item:
            text = "expected each number once, found it with two contents"
            problems.add(Mistake.DUPLICATE, text, element=f"number {item.order.number}")


def _unusable(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
