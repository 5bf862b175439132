"""Answers that say what is wrong: problem details (RFC 9457), in JSON, with every mistake and its place."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import PurePath
from typing import Final

from aiohttp import web

from cloud_receiver.mistakes import InputError, Problem

CONTENT_TYPE: Final = "application/problem+json"
MOST_TOLD: Final = 100
"""Mistakes that an answer lists; it counts the others."""


class ProblemError(Exception):
    """A request that can't be answered as asked."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        mistakes: Sequence[Problem] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.mistakes = tuple(mistakes)

    def response(self) -> web.Response:
        """Return the answer."""
        document: dict[str, object] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
        }
        if self.mistakes:
            document["mistakes"] = [_told(item) for item in self.mistakes[:MOST_TOLD]]
            document["mistake_count"] = len(self.mistakes)
        return web.Response(
            status=self.status.value,
            body=json.dumps(document, ensure_ascii=False).encode(errors="replace"),
            headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", **self.headers},
        )


def bad_request(detail: str) -> ProblemError:
    """Return the error of a request that asks for what there can't be."""
    return ProblemError(HTTPStatus.BAD_REQUEST, detail)


def mistakes_of(error: InputError) -> ProblemError:
    """Return the error of measurements that are none."""
    first = error.problems[0]
    count = len(error.problems)
    more = "" if count == 1 else f" (and {count - 1} more mistake{'s' * (count > 2)})"  # noqa: PLR2004 - one more is one
    detail = f"{': '.join(part for part in (first.place, first.element, first.text) if part)}{more}"
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, mistakes=error.problems)


def _told(problem: Problem) -> dict[str, str]:
    # Where the body was put meanwhile is nobody's business.
    told = {"mistake": problem.mistake.value, "text": problem.text, "table": PurePath(problem.file).name}
    told |= {"place": problem.place, "element": problem.element}
    return {key: value for key, value in told.items() if value}
