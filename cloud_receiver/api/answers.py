"""Answers: JSON or CSV with a tag that tells one state of the store from another, and no client that never reads."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from cloud_receiver.api.parameters import Form
from cloud_receiver.api.problems import ProblemError

_CHUNK: Final = 1 << 16
_WHOLE: Final = 10  # times as long as a part of it an answer may take
_HEADERS: Final = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}
"""A correction may come for weeks: whoever keeps an answer asks with its tag whether it still holds."""


@dataclass(frozen=True)
class Sending:
    """How answers are sent: to clients that take each part of one within a time."""

    timeout_s: float

    async def send(
        self, request: web.Request, content: bytes, content_type: str, headers: Mapping[str, str] | None = None
    ) -> web.StreamResponse:
        """Send an answer; a client that takes none is left."""
        response = web.StreamResponse(headers={"Content-Type": content_type, **(headers or {})})
        response.content_length = len(content)
        try:
            async with asyncio.timeout(self.timeout_s * _WHOLE):
                await response.prepare(request)
                if request.method != "HEAD":
                    for place in range(0, len(content), _CHUNK):
                        async with asyncio.timeout(self.timeout_s):
                            await response.write(content[place : place + _CHUNK])
                async with asyncio.timeout(self.timeout_s):
                    await response.write_eof()
        except TimeoutError:
            response.force_close()
            if request.transport is not None:
                request.transport.abort()
        return response

    async def of_rows(
        self,
        request: web.Request,
        form: Form,
        *,
        tag: str | None,
        make: Callable[[], Any],
    ) -> web.StreamResponse:
        """Send what `make` awaits and returns, text or a document, unless the client has it already."""
        headers = {**_HEADERS} if tag is None else {**_HEADERS, "ETag": tag}
        if tag is not None and _has(request, tag):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        found, more = await make()
        if more is not None:
            headers["Link"] = f'<{more}>; rel="next"'
        if isinstance(found, str):
            content = found.encode(errors="replace")
        else:
            content = json.dumps(found, ensure_ascii=False, allow_nan=False).encode(errors="replace")
        return await self.send(request, content, form.value, headers)


def tag_of(*parts: object) -> str:
    """Return the tag of an answer: of all that it depends on."""
    return f'"{hashlib.sha256(repr(parts).encode(errors="replace")).hexdigest()[:32]}"'


def _has(request: web.Request, tag: str) -> bool:
    known = request.headers.get("If-None-Match", "")
    return any(part.strip().removeprefix("W/") in {tag, "*"} for part in known.split(","))


def not_found(detail: str) -> ProblemError:
    """Return the error of what isn't there."""
    return ProblemError(HTTPStatus.NOT_FOUND, detail)
