"""`GET /v1/grid/…`: nodes, factors, generation, flows, users, balance and slots from the store.

Analyses are made some slots at a time, so that the intake, which runs on the same loop, gets its turn between.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from aiohttp import web
from sqlalchemy import Connection, Engine, func, select

from cloud_receiver.api.answers import Sending, not_found, tag_of
from cloud_receiver.api.parameters import Form, Page, bounded, by_of, form_of, ids_of, only, page_of, zone_of
from cloud_receiver.api.problems import bad_request
from cloud_receiver.database import reading as reading_transaction
from cloud_receiver.grid import history, history_text, shelf, show_slot
from cloud_receiver.grid.analysis import reading
from cloud_receiver.grid.analysis.fields import Row
from cloud_receiver.grid.analysis.periods import SLOT_MS, By, Span, SpanError, period_of, utc
from cloud_receiver.grid.analysis.tally import Table, Tally
from cloud_receiver.grid.history import HistoryError, Query
from cloud_receiver.grid.model import NodeKind
from cloud_receiver.grid.shelf import KeptGrids
from cloud_receiver.schema import grid as grid_table

AT_ONCE: Final = 2
"""Analyses at a time; others wait."""
_VALUES_A_TURN: Final = 2000
"""Elements of slots that are looked at before others get their turn: a few milliseconds."""
_SPAN: Final = frozenset({"from", "to", "zone", "format"})
_ROWS: Final = _SPAN | {"by", "limit", "cursor"}
_LEVELS: Final = {"unit": "generators", "plant": "plants"}


class GridReads:
    """Answers what is asked about the grid."""

    def __init__(self, engine: Engine, sending: Sending, zone: str) -> None:
        """`zone`: whose days are meant unless the request says so."""
        self._engine = engine
        self._sending = sending
        self._zone = zone
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._grids: tuple[object, KeptGrids] | None = None

    async def factors(self, request: web.Request) -> web.StreamResponse:
        """Answer the factors of one node."""
        name = request.match_info["node"]
        with reading_transaction(self._engine) as connection:
            grids = self.grids(connection)
        ids = {kept.grid.node_ids[name] for kept in grids.all if name in kept.grid.node_ids}
        if not ids:
            raise not_found(f"no grid has a node {name[:80]!r}")
        only(request, _ROWS)
        return await self._rows(request, "nodes", By.SLOT, frozenset(ids))

    async def all_factors(self, request: web.Request) -> web.StreamResponse:
        """Answer the factors of all nodes."""
        only(request, _ROWS | {"id"})
        return await self._rows(request, "nodes", By.DAY, ids_of(request))

    async def classes(self, request: web.Request) -> web.StreamResponse:
        """Answer the factors of plants, substations and loads together."""
        only(request, _ROWS)
        return await self._rows(request, "classes", By.DAY, None)

    async def generation(self, request: web.Request) -> web.StreamResponse:
        """Answer the generation side, by unit or by plant."""
        only(request, _ROWS | {"id", "level"})
        level = request.query.get("level", "unit")
        if level not in _LEVELS:
            raise bad_request(f"level: expected unit or plant, found {level[:40]!r}")
        return await self._rows(request, _LEVELS[level], By.DAY, ids_of(request))

    async def flows(self, request: web.Request) -> web.StreamResponse:
        """Answer the flows of branches."""
        only(request, _ROWS | {"id"})
        return await self._rows(request, "branches", By.DAY, ids_of(request))

    async def users(self, request: web.Request) -> web.StreamResponse:
        """Answer loads."""
        only(request, _ROWS | {"id"})
        return await self._rows(request, "loads", By.DAY, ids_of(request))

    async def storages(self, request: web.Request) -> web.StreamResponse:
        """Answer storages."""
        only(request, _ROWS | {"id"})
        return await self._rows(request, "storages", By.DAY, ids_of(request))

    async def balance(self, request: web.Request) -> web.StreamResponse:
        """Answer the whole's balance."""
        only(request, _ROWS)
        return await self._rows(request, "balance", By.DAY, None)

    async def nodes(self, request: web.Request) -> web.StreamResponse:
        """Answer all nodes with their newest factors."""
        only(request, {"kind", "format"})
        kind, form = request.query.get("kind"), form_of(request)
        if kind is not None and kind not in {item.value for item in NodeKind}:
            raise bad_request(f"kind: expected plant, substation, load or star, found {kind[:40]!r}")
        with reading_transaction(self._engine) as connection:
            known = reading.bounds(connection)
            if known is None:
                raise not_found("no slot of the grid is stored yet")
            query = Query("nodes", Span(known[1], known[1] + SLOT_MS), By.SLOT)
            stored = reading.stored(connection, query.span)
            found = history.tables(connection, query, grids=self.grids(connection))
            rows = [row for table in found for row in history.records(table)]
        rows = [row for row in rows if kind in {None, row["kind"]}]

        async def make() -> tuple[object, None]:
            write = _writer(query, form)
            return _content(query, [write(row) for row in rows], form, None), None

        tag = tag_of(request.rel_url, form, stored, known)
        return await self._sending.of_rows(request, form, tag=tag, make=make)

    async def slot(self, request: web.Request) -> web.StreamResponse:
        """Answer one slot with all that is known of it; as CSV its nodes."""
        only(request, {"version", "format", "zone"})
        form, zone = form_of(request), zone_of(request, self._zone)
        text = request.query.get("version")
        if text is not None and not (text.isascii() and text.isdigit() and len(text) <= 9):  # noqa: PLR2004 - of a number of 32 bits
            raise bad_request(f"version: expected a number, found {text[:40]!r}")
        try:
            span = history.slot_of(request.match_info["time"], zone)
        except SpanError as error:
            raise bad_request(str(error)) from None
        with reading_transaction(self._engine) as connection:
            try:
                stored = show_slot.read(connection, span, None if text is None else int(text))
            except HistoryError as error:
                raise not_found(str(error)) from None

        async def make() -> tuple[object, None]:
            if form is Form.JSON:
                return show_slot.document(stored), None
            return history_text.plain_csv(show_slot.nodes(stored)), None

        tag = tag_of(request.rel_url, form, stored.slot.solve_id, len(stored.versions))
        return await self._sending.of_rows(request, form, tag=tag, make=make)

    def grids(self, connection: Connection) -> KeptGrids:
        """Return all grids, read again when there is another one: none ever changes."""
        known = connection.execute(select(func.count(), func.max(grid_table.c.id))).one()
        stamp = tuple(known)
        if self._grids is None or self._grids[0] != stamp:
            self._grids = stamp, shelf.grids(connection)
        return self._grids[1]

    async def _rows(
        self, request: web.Request, kind: str, default: By, ids: frozenset[str] | None
    ) -> web.StreamResponse:
        form, page, by, zone = form_of(request), page_of(request), by_of(request, default), zone_of(request, self._zone)
        with reading_transaction(self._engine) as connection:
            first, end = request.query.get("from"), request.query.get("to")
            try:
                span = history.span(connection, first, end, zone)
            except SpanError as error:
                plus = " (in a URL + is %2B)" if " " in f"{first}{end}" else ""
                raise bad_request(f"{error}{plus}") from None
            query = Query(kind, bounded(span, by), by, zone, ids)
            stored = reading.stored(connection, span)

        async def make() -> tuple[object, str | None]:
            async with self._turns:
                rows, more = await self._page(query, page, _writer(query, form))
            if more is None:
                return _content(query, rows, form, None), None
            asked = {"cursor": more}
            if "from" not in request.query:
                # The newest day may be another one when the next page is asked for.
                asked |= {"from": utc(span.first_ms), "to": utc(span.end_ms)}
            following = str(request.rel_url.update_query(asked))
            return _content(query, rows, form, following), following

        tag = tag_of(request.rel_url, query, form, stored)
        return await self._sending.of_rows(request, form, tag=tag, make=make)

    async def _page(self, query: Query, page: Page, write: Callable[[Row], str]) -> tuple[list[str], str | None]:
        """Return the rows of a page as they are written, and where the next one begins."""
        rows: list[str] = []
        with reading_transaction(self._engine) as connection:
            grids = self.grids(connection)
            try:
                tally = query.tally(grids)
            except HistoryError as error:
                raise not_found(str(error)) from None
            span, offset = query.span, 0
            if page.start_ms is not None:
                if not span.first_ms <= page.start_ms < span.end_ms and page.start_ms != _begin(query):
                    raise bad_request("cursor: is not of this span")
                span, offset = replace(span, first_ms=max(page.start_ms, span.first_ms)), page.offset
            largest = max((len(kept.grid.nodes) + len(kept.grid.branches) for kept in grids.all), default=1)
            turn = max(1, min(reading.AT_ONCE, _VALUES_A_TURN // largest))
            for window in (*reading.windows(reading.clipped(connection, span), turn), None):
                found = tally.finish() if window is None else _tables(connection, tally, window)
                for table in found:
                    for number, row in enumerate(history.records(table)):
                        if number < offset:
                            continue
                        if len(rows) == page.limit:
                            return rows, page.cursor(table.period.start_ms, number)
                        rows.append(write(row))
                    offset = 0
                    await asyncio.sleep(0)
                await asyncio.sleep(0)
        return rows, None


def _begin(query: Query) -> int:
    """Return when the first period of a query begins: before its span, if that begins within the period."""
    return period_of(query.span.first_ms, query.by, query.zone).start_ms


def _tables(connection: Connection, tally: Tally, window: Span) -> Iterator[Table]:
    for versions in reading.versions(connection, window):
        yield from tally.take(versions)


def _writer(query: Query, form: Form) -> Callable[[Row], str]:
    """Return what writes a row: each by itself, so that others get their turn between them."""
    columns = query.fields
    if form is Form.CSV:
        return lambda row: history_text.csv_row(columns, row)
    return lambda row: json.dumps(history_text.exact(columns, row), ensure_ascii=False)


def _content(query: Query, rows: list[str], form: Form, following: str | None) -> str:
    if form is Form.CSV:
        return "".join((history_text.csv_head(query.fields), *rows))
    head = json.dumps({**history_text.heading(query), "next": following}, ensure_ascii=False)
    return f'{head.removesuffix("}")}, "rows": [{", ".join(rows)}]}}'
