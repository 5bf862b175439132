"""What a request asks for: its parameters, each there once and known, and the form of the answer."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Final

from aiohttp import web

from cloud_receiver.api.problems import ProblemError, bad_request
from cloud_receiver.grid.analysis.periods import SLOT_MS, By, Span, is_zone

_DAY_SLOTS: Final = 96
LONGEST_DAYS: Final = {By.SLOT: 31, By.DAY: 100, By.MONTH: 400}
"""Of one request. More is asked for in parts: the answer is made while readings are taken in."""
MOST_ROWS: Final = 10_000
DEFAULT_ROWS: Final = 1000


class Form(Enum):
    """The form of an answer."""

    JSON = "application/json"
    CSV = "text/csv; charset=utf-8"


_RANGES: Final[Mapping[Form, tuple[str, ...]]] = {
    Form.JSON: ("application/json", "application/*", "*/*"),
    Form.CSV: ("text/csv", "text/*", "*/*"),
}
_QUALITY: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows: `limit` of them, from the period that begins at `start_ms` and there from a row on."""

    limit: int = DEFAULT_ROWS
    start_ms: int | None = None
    offset: int = 0

    def cursor(self, start_ms: int, offset: int) -> str:
        """Return what names the next page."""
        return f"{start_ms}.{offset}"


def only(request: web.Request, names: Collection[str]) -> None:
    """ProblemError for a parameter that nobody knows, or that is there twice where it can't be."""
    for name in request.query:
        if name not in names:
            raise bad_request(f"unknown parameter {name[:40]!r} (known: {', '.join(sorted(names)) or 'none'})")
        if name != "id" and len(request.query.getall(name)) > 1:
            raise bad_request(f"{name}: is there twice")


def form_of(request: web.Request) -> Form:
    """Return the form of the answer: by `format`, else by Accept, else JSON."""
    wanted = request.query.get("format")
    if wanted is not None:
        if wanted.upper() not in Form.__members__:
            raise bad_request(f"format: expected json or csv, found {wanted[:40]!r}")
        return Form[wanted.upper()]
    accepted: dict[str, float] = {}
    for part in (request.headers.get("Accept") or "*/*").split(","):
        media, _, rest = part.partition(";")
        media = media.strip().lower()
        accepted[media] = max(_quality(rest), accepted.get(media, 0.0))
    # Of each form the range that says most of it counts (RFC 9110, 12.5.1).
    qualities = {
        form: next((accepted[media] for media in ranges if media in accepted), 0.0) for form, ranges in _RANGES.items()
    }
    best = max(qualities, key=qualities.__getitem__)  # JSON where they are equal
    if not qualities[best]:
        raise ProblemError(HTTPStatus.NOT_ACCEPTABLE, "expected Accept: application/json or text/csv")
    return best


def _quality(parameters: str) -> float:
    """Return the weight of a range, 0 to 1; of one that is no number 0."""
    for part in parameters.split(";"):
        name, _, value = part.partition("=")
        if name.strip().lower() == "q":
            return float(value) if _QUALITY.fullmatch(value.strip()) else 0.0
    return 1.0


def by_of(request: web.Request, default: By) -> By:
    """Return what is added up."""
    text = request.query.get("by", default.value)
    try:
        return By(text)
    except ValueError:
        raise bad_request(f"by: expected slot, day or month, found {text[:40]!r}") from None


def zone_of(request: web.Request, default: str) -> str:
    """Return whose days are meant."""
    text = request.query.get("zone", default)
    if not is_zone(text):
        raise bad_request(f"zone: expected a time zone such as Asia/Shanghai, found {text[:40]!r}")
    return text


def bounded(span: Span, by: By) -> Span:
    """Return a span; ProblemError for one that is too long for one answer."""
    days = LONGEST_DAYS[by]
    # An hour more than so many days: clocks are put back in some.
    if span.end_ms - span.first_ms > (days * _DAY_SLOTS + 4) * SLOT_MS:
        raise bad_request(f"expected at most {days} days by {by.value}, found more: ask for parts")
    return span


def page_of(request: web.Request) -> Page:
    """Return which rows are asked for."""
    text = request.query.get("limit", str(DEFAULT_ROWS))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST_ROWS)) and 1 <= int(text) <= MOST_ROWS):
        raise bad_request(f"limit: expected 1 to {MOST_ROWS} rows, found {text[:40]!r}")
    limit = int(text)
    cursor = request.query.get("cursor")
    if cursor is None:
        return Page(limit)
    start, dot, offset = cursor.partition(".")
    numbers = (start, offset)
    if not dot or not all(part.isascii() and part.isdigit() and len(part) <= 15 for part in numbers):  # noqa: PLR2004 - digits of a time in ms
        raise bad_request(f"cursor: expected that of an answer, found {cursor[:40]!r}")
    return Page(limit, int(start), int(offset))


def ids_of(request: web.Request) -> frozenset[str] | None:
    """Return the ids of the elements that are asked for; None: all."""
    found = request.query.getall("id", [])
    if len(found) > 1000:  # noqa: PLR2004 - as many as a line of a request holds anyway
        raise bad_request("id: expected at most 1000")
    return frozenset(found) if found else None
