"""`GET /v1/findings/changes`: what becomes of findings (发现变更), for whoever asks on from the last one that they had.

Changes have numbers that rise in the order in which they were committed: writers have the store one after another. So
nobody who goes on from the last number misses one.
"""

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import Engine

from cloud_receiver import database, finding_history, findings
from cloud_receiver.api.answers import Sending
from cloud_receiver.api.parameters import Form, only
from cloud_receiver.api.problems import bad_request
from cloud_receiver.finding_history import Numbered
from cloud_receiver.findings import Finding
from cloud_receiver.grid.analysis.periods import utc
from cloud_receiver.registry import Registry
from cloud_receiver.report_text import finding_object

PATH: Final = "/v1/findings/changes"
MOST_ROWS: Final = 500
"""Of one answer: a finding's evidence may list a day's slots."""
DEFAULT_ROWS: Final = 100
_LARGEST: Final = (1 << 63) - 1
_UTC: Final = ZoneInfo("UTC")


class Findings:
    """Answers what became of findings."""

    def __init__(self, engine: Engine, registry: Registry, sending: Sending) -> None:
        self._engine = engine
        self._sending = sending
        self._zones: Mapping[str, ZoneInfo] = {item.id: ZoneInfo(item.timezone) for item in registry.station}

    async def changes(self, request: web.Request) -> web.StreamResponse:
        """Answer the changes after a number, each with its finding as it is now."""
        only(request, {"after", "limit"})
        after = _number(request, "after", 0, least=0, most=_LARGEST)
        limit = _number(request, "limit", DEFAULT_ROWS, least=1, most=MOST_ROWS)
        with database.reading(self._engine) as connection:
            found = finding_history.after(connection, after, limit + 1)
            known = {item.id: item for item in findings.numbered(connection, {item.finding for item in found})}
        rows = [self._row(item, known[item.finding]) for item in found[:limit]]
        last = found[len(rows) - 1].number if rows else after
        more = str(request.rel_url.update_query({"after": str(last)})) if len(found) > limit else None

        async def make() -> tuple[object, str | None]:
            return {"rows": rows, "last": last, "next": more}, more

        return await self._sending.of_rows(request, Form.JSON, tag=None, make=make)

    def _row(self, item: Numbered, about: Finding) -> dict[str, Any]:
        return {
            "number": item.number,
            "change": item.change.change,
            "at_utc": utc(item.change.changed_ms),
            "cause": dict(item.change.cause),
            "finding": finding_object(about, self._zones.get(about.station, _UTC)),
        }


def _number(request: web.Request, name: str, default: int, *, least: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise bad_request(f"{name}: expected {least} to {most}, found {text[:40]!r}")
    return int(text)
