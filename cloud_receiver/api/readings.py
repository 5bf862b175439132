"""`POST /v1/readings`: a meter's readings (读数), imported as `diantan-receiver readings import` does: CSV or JSON.

A token tells readings of the meters of the gateway that has its name, and no others.
"""

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from cloud_receiver.api.bodies import LARGEST_JSON, Bodies
from cloud_receiver.api.measurements import CLIENT
from cloud_receiver.api.parameters import only
from cloud_receiver.api.problems import ProblemError, bad_request, mistakes_of
from cloud_receiver.enrolment import EnrolmentError
from cloud_receiver.exact_json import parse_json
from cloud_receiver.metered_import import choices, importing, shown
from cloud_receiver.metered_import.choices import ReadingsError
from cloud_receiver.metered_import.form import Column
from cloud_receiver.metered_import.journal import BRISK, ImportBusyError, ImportConflictError
from cloud_receiver.metered_import.signing import ImportKeyError
from cloud_receiver.metered_import.source import Objects
from cloud_receiver.metered_import.wish import Outcome, Surroundings, Wish
from cloud_receiver.mistakes import InputError, quoted
from wire.domain import RecordError
from wire.keys import KeyFileError

PATH: Final = "/v1/readings"
LARGEST: Final = 4 << 20
"""Bytes of a body, uncompressed: more than a year of quarter hours. The intake waits while it is put in order."""
_OTHERS: Final = ("station", "meter", "file", "base", "by_slot", "skip_bad", "dry_run")
_PARAMETERS: Final = frozenset({*choices.FORM, *_OTHERS}) - {"time_format"}
"""No form as strptime has it: its expressions take long over texts that are made for it."""
MOST_READINGS: Final = 50_000
"""Of one document of JSON."""
_JSON: Final = "application/json"
_TYPES: Final = ("text/csv", _JSON)
_COLUMNS: Final = tuple(name for name, column in choices.COLUMNS.items() if column is not Column.CLOCK)
_KEYS: Final = _PARAMETERS - {*choices.COLUMNS, "no_headings", "separator", "decimal", "encoding"}
"""Of a document of JSON, beside its readings."""
_LONGEST_NAME: Final = 100


class Readings:
    """Takes readings in."""

    def __init__(self, bodies: Bodies, around: Surroundings | None) -> None:
        self._bodies = bodies
        self._around = None if around is None else replace(around, pace=BRISK)
        self._turn = asyncio.Lock()

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Import a body, and answer what came of it."""
        if self._around is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "no readings are taken here")
        if request.content_type not in _TYPES:
            raise ProblemError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"expected Content-Type: {' or '.join(_TYPES)}, found {request.content_type[:80]!r}",
                headers={"Accept": ", ".join(_TYPES)},
            )
        is_json = request.content_type == _JSON
        only(request, () if is_json else _PARAMETERS)
        wish = None if is_json else _wish(request.query, self._around, request[CLIENT])
        source: Objects | None = None
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "body"
            largest = LARGEST_JSON if is_json else LARGEST
            await self._bodies.received(request, path, min(largest, self._bodies.limits.body_bytes))
            if wish is None:
                texts, items = _document(path.read_bytes())
                wish = _wish(texts, self._around, request[CLIENT])
                source = _objects(items, wish.name)
                wish = _wish(texts | {key: key for key in source.keys}, self._around, request[CLIENT])
            async with self._turn:
                outcome = await self._import(path, wish, self._around, source)
        return _answer(outcome, wish)

    async def _import(self, path: Path, wish: Wish, around: Surroundings, source: Objects | None) -> Outcome:
        try:
            return await importing.run(path, wish, around, source=source)
        except InputError as error:
            raise mistakes_of(error) from None
        except (ImportKeyError, KeyFileError) as error:
            raise ProblemError(HTTPStatus.CONFLICT, f"gateway {wish.meter.gateway}: no key signs for it") from error
        except (ImportBusyError, ImportConflictError) as error:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers={"Retry-After": "10"}) from None
        except RecordError as error:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        except EnrolmentError as error:
            raise ProblemError(HTTPStatus.CONFLICT, str(error)) from None


def _document(content: bytes) -> tuple[dict[str, str], list[Any]]:
    """Return what a document of JSON says beside its readings, as parameters say it, and the readings."""
    try:
        found = parse_json(content)
    except ValueError as error:
        raise _unusable(f"expected JSON: {str(error)[:200]}") from None
    if not isinstance(found, dict):
        raise _unusable(f"expected an object, found {quoted(found)}")
    items = found.pop("readings", None)
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_READINGS:
        raise _unusable(f"readings: expected a list of 1 to {MOST_READINGS} readings")
    texts: dict[str, str] = {}
    for key, value in found.items():
        if key not in _KEYS:
            raise _unusable(f"expected readings, {', '.join(sorted(_KEYS))}; found {quoted(key)}")
        if not isinstance(value, (str, bool)):
            raise _unusable(f"{key}: expected a text, a number, true or false, found {quoted(value)}")
        texts[key] = value if isinstance(value, str) else str(int(value))
    return texts, items


def _objects(items: list[Any], name: str) -> Objects:
    try:
        return Objects(items, _COLUMNS, name)
    except InputError as error:
        raise mistakes_of(error) from None


def _unusable(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def _wish(query: Mapping[str, str], around: Surroundings, client: str) -> Wish:
    name = query.get("file", "body")
    if not name.isprintable() or not 1 <= len(name) <= _LONGEST_NAME:
        raise bad_request(f"file: expected a name of 1 to {_LONGEST_NAME} characters, found {quoted(name)}")
    try:
        station, meter = choices.find(around.registry, query.get("station", ""), query.get("meter", ""), client)
    except ReadingsError:
        # What other gateways have is not told to whoever may not tell readings of it.
        detail = f"station, meter: expected a meter of gateway {client}, the token's name"
        raise ProblemError(HTTPStatus.FORBIDDEN, detail) from None
    try:
        form = choices.form({key: query[key] for key in query if key in choices.FORM}, station)
        return Wish(
            *(station, meter, form),
            by=f"token {client}",
            name=name,
            base_mwh=choices.base(query.get("base")),
            skip_bad=choices.flag(query, "skip_bad"),
            dry_run=choices.flag(query, "dry_run"),
            by_slot=choices.flag(query, "by_slot"),
        )
    except ReadingsError as error:
        raise bad_request(str(error)) from None


def _answer(outcome: Outcome, wish: Wish) -> web.Response:
    if outcome.refused:
        stored = "" if wish.dry_run else f"; {outcome.new} new ones are stored, {outcome.same} known already"
        detail = f"{outcome.refused} intervals are stored with other values, and stay{stored}"
        raise ProblemError(HTTPStatus.CONFLICT, detail, mistakes=outcome.contradictions)
    return web.json_response(shown.document(outcome, wish), headers={"Cache-Control": "no-store"})
