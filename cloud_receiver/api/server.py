"""The HTTP interface (docs/api.md), on the receiver's own loop: bounded in connections, requests, sizes and times."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from aiohttp import web
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from cloud_receiver.api import page
from cloud_receiver.api.access import LOOPBACK_NAMES, Gate
from cloud_receiver.api.answers import Sending
from cloud_receiver.api.bodies import Bodies, Limits
from cloud_receiver.api.config import Api as Settings
from cloud_receiver.api.findings import PATH as FINDINGS_PATH
from cloud_receiver.api.findings import Findings
from cloud_receiver.api.grid_reads import GridReads
from cloud_receiver.api.measurements import CLIENT, Measurements
from cloud_receiver.api.orders import PATH as ORDERS_PATH
from cloud_receiver.api.orders import Orders
from cloud_receiver.api.parameters import only
from cloud_receiver.api.problems import ProblemError
from cloud_receiver.api.readings import PATH as READINGS_PATH
from cloud_receiver.api.readings import Readings
from cloud_receiver.api.tokens import Role
from cloud_receiver.database import reading as reading_transaction
from cloud_receiver.grid import history, show_slot
from cloud_receiver.grid.analysis import reading
from cloud_receiver.grid.analysis.periods import By, Span
from cloud_receiver.grid.history import Query
from cloud_receiver.metered_import.wish import Surroundings as Importing
from cloud_receiver.registry import Registry

log = logging.getLogger("diantan.api")
_peers = logging.getLogger("diantan.api.peers")
_peers.setLevel(logging.CRITICAL)
"""What isn't even HTTP is answered, and fills no log: what goes wrong here is told by the guard."""

_LINGER_S: Final = 2.0
_STOP_S: Final = 5.0
_MOST_HEADERS: Final = 64
_MIB: Final = 1 << 20
_PREFIX: Final = "/v1/grid"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Surroundings:
    """What the interface needs to know of the receiver."""

    engine: Engine
    now_ms: Callable[[], int]
    centre: str
    zone: str = history.DEFAULT_ZONE
    """Whose days are meant where a request doesn't say."""
    max_factor: float = 10.0
    """Largest factor of a source in kgCO2/kWh."""
    registry: Registry = field(default_factory=lambda: Registry(station=()))
    """The stations whose orders may be told."""
    imports: Importing | None = None
    """What an import of readings needs; None: none are taken."""


class Api:
    """Serves the interface; without a port it does nothing."""

    def __init__(self, settings: Settings, surroundings: Surroundings) -> None:
        """ConfigError for a file of tokens that is none."""
        self._settings = settings
        self._around = surroundings
        self.host = settings.host
        self.port = settings.port
        self._gate: Gate | None = None
        if settings.port is not None:
            self._gate = Gate(settings.tokens_file, settings.requests_per_minute, self._seconds)
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None

    @staticmethod
    def _seconds() -> float:
        return asyncio.get_running_loop().time()

    async def start(self) -> bool:
        """Listen; return False, with the reason in the log, where that fails: the intake doesn't stop for it."""
        if self._settings.port is None:
            return False
        timeout_s = float(self._settings.timeout_s)
        self._runner = web.AppRunner(
            self._application(),
            handle_signals=False,
            access_log=None,
            logger=_peers,
            # Also how long the headers of a request may take.
            keepalive_timeout=timeout_s,
            lingering_time=_LINGER_S,
            max_headers=_MOST_HEADERS,
            auto_decompress=False,
            shutdown_timeout=_STOP_S,
        )
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._accept, self._settings.host, self._settings.port)
        except OSError as error:
            log.error("no interface: %s:%d can't be listened on: %s", self.host, self._settings.port, error)  # noqa: TRY400  # one line
            await self._runner.cleanup()
            self._runner = None
            return False
        self.port = self._listener.sockets[0].getsockname()[1]
        host = f"[{self.host}]" if ":" in self.host else self.host
        log.info("interface on http://%s:%d%s", host, self.port, _PREFIX)
        if self._settings.tokens_file is None:
            log.info("interface: no tokens_file, so only programs of this machine may read, and none may tell anything")
        elif self.host not in LOOPBACK_NAMES:
            log.warning("interface: tokens go over the network in the clear unless a proxy speaks TLS for it")
        return True

    async def stop(self) -> None:
        """Close the port, finish what is under way for some seconds, and close every connection."""
        if self._listener is not None:
            self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _accept(self) -> asyncio.BaseProtocol:
        assert self._runner is not None
        server = self._runner.server
        if server is None or len(server.connections) >= self._settings.connections:
            return _Full()
        return server()

    def _application(self) -> web.Application:
        settings, around = self._settings, self._around
        sending = Sending(float(settings.timeout_s))
        reads = GridReads(around.engine, sending, around.zone)
        bodies = Bodies(Limits(settings.body_mib * _MIB, float(settings.timeout_s)))
        told = Measurements(around.engine, bodies, around.max_factor, around.now_ms)
        orders = Orders(around.engine, bodies, around.registry, around.now_ms)
        application = web.Application(middlewares=[self._guard], client_max_size=0)
        application.on_response_prepare.append(_name)
        application.add_routes(
            [
                web.get("/", self._home),
                web.get("/grid", self._page(sending)),
                web.post(f"{_PREFIX}/measurements", told.post),
                web.get(f"{_PREFIX}/nodes", reads.nodes),
                web.get(f"{_PREFIX}/nodes/{{node}}/factors", reads.factors),
                web.get(f"{_PREFIX}/factors", reads.all_factors),
                web.get(f"{_PREFIX}/classes", reads.classes),
                web.get(f"{_PREFIX}/generation", reads.generation),
                web.get(f"{_PREFIX}/flows", reads.flows),
                web.get(f"{_PREFIX}/users", reads.users),
                web.get(f"{_PREFIX}/storages", reads.storages),
                web.get(f"{_PREFIX}/balance", reads.balance),
                web.get(f"{_PREFIX}/slots/{{time}}", reads.slot),
                web.post(ORDERS_PATH, orders.post),
                web.get(ORDERS_PATH, orders.get),
                web.get(FINDINGS_PATH, Findings(around.engine, around.registry, sending).changes),
                web.post(READINGS_PATH, Readings(bodies, around.imports).post),
            ]
        )
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Let a request in, and answer what goes wrong with it."""
        assert self._gate is not None
        try:
            request[CLIENT] = self._gate.let_in(request, Role.MEASURE if request.method == "POST" else Role.READ)
            return await handler(request)
        except ProblemError as problem:
            return problem.response()
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                raise
            headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
            return ProblemError(HTTPStatus(error.status), error.reason, headers=headers).response()
        except SQLAlchemyError as error:
            log.warning("%s: the store failed: %s", _asked(request), str(error).splitlines()[0])
            headers = {"Retry-After": "10"}
            return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "the store can't be used", headers=headers).response()
        except (ConnectionError, asyncio.CancelledError):
            raise
        except OSError as error:  # no room for a body, most likely
            log.warning("%s: %s", _asked(request), error.strerror or error)
            headers = {"Retry-After": "10"}
            return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "no file can be written", headers=headers).response()
        except Exception:
            log.exception("%s", _asked(request))
            return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "this can't be answered").response()

    @staticmethod
    async def _home(request: web.Request) -> web.StreamResponse:
        only(request, ())
        raise web.HTTPSeeOther("/grid")

    def _page(self, sending: Sending) -> _Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            only(request, ())
            with reading_transaction(self._around.engine) as connection:
                known = reading.bounds(connection)
                stored = balance = None
                if known is not None:
                    span = Span(known[1], known[1] + 1)
                    stored = show_slot.read(connection, span)
                    (table,) = history.tables(connection, Query("balance", span, By.SLOT))
                    balance = table.rows[0]
            content = page.page(stored, balance, self._around.centre).encode(errors="replace")
            headers = {"Content-Security-Policy": page.POLICY, "Cache-Control": "private, no-cache"}
            return await sending.send(request, content, page.CONTENT_TYPE, headers)

        return answer


def _asked(request: web.Request) -> str:
    # As it came, where a line end is %0A: none may write lines of a log.
    return f"{request.method} {request.rel_url.raw_path[:200]}"


class _Full(asyncio.Protocol):
    """Closes a connection that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        transport.close()


async def _name(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "diantan"
    response.headers["X-Content-Type-Options"] = "nosniff"
