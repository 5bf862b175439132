"""A running interface on a free port of loopback, and requests to it over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from stored_support import filled

from cloud_receiver.api import tokens
from cloud_receiver.api.config import Api as Settings
from cloud_receiver.api.server import Api, Surroundings
from cloud_receiver.api.tokens import Role

NOW_MS = 1_782_900_000_000


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    json: Any


@dataclass
class Client:
    """Asks the interface; `token` goes with every request that says nothing else."""

    session: aiohttp.ClientSession
    port: int
    token: str | None = None

    async def ask(self, method: str, path: str, **named: Any) -> Answer:
        headers = dict(named.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, headers=headers, allow_redirects=False, **named) as response:
            body = await response.read()
            document = await response.json(content_type=None) if "json" in response.content_type and body else None
            return Answer(response.status, response.headers.copy(), body, document)

    async def get(self, path: str, **named: Any) -> Answer:
        return await self.ask("GET", path, **named)

    async def post(self, path: str, body: bytes | str, content_type: str = "application/json", **named: Any) -> Answer:
        headers = {"Content-Type": content_type, **named.pop("headers", {})}
        return await self.ask("POST", path, data=body, headers=headers, **named)


@asynccontextmanager
async def serving(
    directory: Path, *, role: Role | None = None, fill: bool = True, **settings: Any
) -> AsyncIterator[Client]:
    """Serve a store with four slots; with a role, to those with a token, which the client has."""
    engine = filled(directory, range(4) if fill else ())
    token = None
    if role is not None:
        path = directory / "tokens.toml"
        token = tokens.make(path, "scada", role)
        settings["tokens_file"] = path
    api = Api(Settings(port=1, **settings).model_copy(update={"port": 0}), Surroundings(engine, lambda: NOW_MS, "省调"))
    await api.start()
    try:
        async with aiohttp.ClientSession(auto_decompress=True) as session:
            assert api.port is not None
            yield Client(session, api.port, token)
    finally:
        await api.stop()
        engine.dispose()


async def raw(port: int, *parts: bytes, wait: bool = True) -> bytes:
    """Send bytes as they are; return all that comes back until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if not wait:
            writer.write_eof()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
