"""Who is let in: tokens, roles, and how many requests a minute of each."""

import base64
import binascii
import ipaddress
import logging
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from aiohttp import web

from cloud_receiver.api import tokens
from cloud_receiver.api.problems import ProblemError
from cloud_receiver.api.tokens import Role, Token, Tokens
from settings.errors import ConfigError

log = logging.getLogger("diantan.api")

_MOST_CLIENTS: Final = 10_000
_FAILURES_PER_MINUTE: Final = 20
"""Wrong tokens of an address that are told apart from too many requests; nobody guesses one in a lifetime."""
_MINUTE_S: Final = 60.0
_LONGEST_HEADER: Final = 1024
_CHALLENGE: Final = 'Bearer realm="diantan"'
_PROXIED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP")
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


class Budget:
    """So many requests a minute of each client, with as many at once; clients that are forgotten start anew."""

    def __init__(self, per_minute: int, seconds: Callable[[], float]) -> None:
        self._most = float(per_minute)
        self._seconds = seconds
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """Take one of a client's requests; return 0, or after how many seconds there will be one."""
        now = self._seconds()
        left, since = self._left.pop(client, (self._most, now))
        left = min(self._most, left + (now - since) * self._most / _MINUTE_S)
        granted = left >= 1
        self._left[client] = (left - granted, now)
        while len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        return 0.0 if granted else (1 - left) * _MINUTE_S / self._most


class Gate:
    """Lets requests in, or raises why not."""

    def __init__(self, path: Path | None, requests_per_minute: int, seconds: Callable[[], float]) -> None:
        """ConfigError for a file of tokens that is none: the receiver doesn't start with it."""
        self._path = path
        self._budget = Budget(requests_per_minute, seconds)
        self._failures = Budget(_FAILURES_PER_MINUTE, seconds)
        self._stamp: tuple[int, ...] | None = None
        self._tokens: Tokens | None = None
        if path is not None:
            self._stamp = _stamp(path)
            self._tokens = tokens.load(path)

    def let_in(self, request: web.Request, role: Role) -> str:
        """Return the client's name: its token's, or its address; ProblemError for one that may not."""
        address = _address(request)
        if self._path is None:
            name = self._neighbour(request, address, role)
        else:
            name = self._holder(request, address, role).name
        if (wait := self._budget.wait_s(f"{role}:{name}")) > 0:
            raise _too_many(wait)
        return name

    def _neighbour(self, request: web.Request, address: str, role: Role) -> str:
        """Without tokens, programs of this machine may read, and nobody that a proxy or a foreign page speaks for."""
        host = request.headers.get("Host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        local = _is_loopback(address) and name.lower() in LOOPBACK_NAMES
        if role is not Role.READ:
            raise ProblemError(HTTPStatus.FORBIDDEN, "without tokens ([api] tokens_file) nothing can be told here")
        if not local or any(header in request.headers for header in _PROXIED):
            detail = "without tokens ([api] tokens_file) only programs of this machine may read"
            raise ProblemError(HTTPStatus.FORBIDDEN, detail)
        return address

    def _holder(self, request: web.Request, address: str, role: Role) -> Token:
        secret = _secret(request.headers.get("Authorization", ""))
        token = None if secret is None else self._known().find(secret)
        if token is None:
            # Who has a token is let in whatever others of the address guess: behind a proxy all are of one address.
            if secret is not None and (wait := self._failures.wait_s(address)) > 0:
                raise _too_many(wait)
            detail = "expected a token: Authorization: Bearer TOKEN" if secret is None else "the token is unknown"
            error = "" if secret is None else ', error="invalid_token"'
            # A browser asks for a name and a password: the password is the token.
            challenge = f'{_CHALLENGE}{error}, Basic realm="diantan", charset="UTF-8"'
            raise ProblemError(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})
        if token.role is not role:
            detail = f"token {token.name} has the role {token.role}, expected {role}"
            challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{role}"'
            raise ProblemError(HTTPStatus.FORBIDDEN, detail, headers={"WWW-Authenticate": challenge})
        return token

    def _known(self) -> Tokens:
        """Return the tokens, read again when the file is another one; nobody is believed while it can't be read."""
        assert self._path is not None
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._tokens = tokens.load(self._path)
            except ConfigError as error:
                self._tokens = None
                log.error("no token is believed: %s", error)  # noqa: TRY400  # one line
        if self._tokens is None:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "the file of tokens can't be read")
        return self._tokens


def _too_many(wait_s: float) -> ProblemError:
    headers = {"Retry-After": str(int(wait_s) + 1)}
    return ProblemError(HTTPStatus.TOO_MANY_REQUESTS, "too many requests", headers=headers)


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode


def _secret(header: str) -> str | None:
    """Return the token of an Authorization header; None when there is none."""
    scheme, _, value = header.partition(" ")
    if not value or len(header) > _LONGEST_HEADER:
        return None
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


def _address(request: web.Request) -> str:
    transport = request.transport
    peer = None if transport is None else transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else ""


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
