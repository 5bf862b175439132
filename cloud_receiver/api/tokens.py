"""Who may use the HTTP interface: tokens with a name and a role, of which the file has the hashes only.

A token is 32 bytes of the operating system's randomness; its hash needs no salt, since nobody can guess one.
"""

import fcntl
import hashlib
import hmac
import os
import secrets
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError, model_validator

from settings.errors import ConfigError
from settings.files import ContentError, toml_of
from settings.problems import problems_of
from settings.values import Name, Section

PREFIX: Final = "diantan_"
_BYTES: Final = 32
_LARGEST_FILE: Final = 1 << 20
_OTHERS: Final = 0o077


class TokenError(ValueError):
    """A token can't be made or withdrawn as asked."""


class Role(StrEnum):
    """What a token is for."""

    MEASURE = "measure"  # tells measurements of its own feed, and nothing else
    READ = "read"  # reads, and tells nothing


class Token(Section):
    """A token as the file has it."""

    name: Name
    """Whose it is; the name of the feed of what it tells."""
    role: Role
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Tokens(Section):
    """All tokens of a file."""

    token: tuple[Token, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> "Tokens":
        twice = [name for name, count in Counter(item.name for item in self.token).items() if count > 1]
        if twice:
            raise ValueError(f"the name {twice[0]} is there twice")
        return self

    def find(self, secret: str) -> Token | None:
        """Return the token of a secret, in a time that doesn't depend on which it is."""
        digest = digest_of(secret)
        found = None
        for item in self.token:
            if hmac.compare_digest(item.sha256, digest):
                found = item
        return found


def digest_of(secret: str) -> str:
    """Return the hash of a token, as the file has it."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def load(path: Path) -> Tokens:
    """Read a file of tokens; ConfigError when it is none, or others than its owner may use it."""
    content = _read(path)
    try:
        document = toml_of(content)
    except ConfigError as error:
        raise ConfigError([f"{path}: {problem}" for problem in error.problems]) from None
    try:
        return Tokens.model_validate(document)
    except ValidationError as error:
        raise ConfigError(problems_of(path, document, error, Tokens)) from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            # Of the open file, so that it can't be exchanged between check and use.
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & _OTHERS:
                expected = "expected a file of tokens that only its owner can access (mode 0600)"
                raise ConfigError([f"{path}: {expected}, got mode {mode:04o}"])
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError([f"{path}: can't be read: {error.strerror or error}"]) from None
    if len(content) > _LARGEST_FILE:
        raise ConfigError([f"{path}: {ContentError(f'at most {_LARGEST_FILE} bytes', 'more')}"])
    return content


def make(path: Path, name: str, role: Role) -> str:
    """Make a token, enter its hash into the file, and return it: it is nowhere else. TokenError for a name in use."""
    secret = PREFIX + secrets.token_urlsafe(_BYTES)
    with _alone(path):
        known = load(path).token if path.exists() else ()
        if any(item.name == name for item in known):
            raise TokenError(f"{path}: there is a token {name} already: revoke it, or take another name")
        _write(path, (*known, Token(name=name, role=role, sha256=digest_of(secret))))
    return secret


def revoke(path: Path, name: str) -> None:
    """Take a token out of the file; TokenError when it isn't there."""
    with _alone(path):
        known = load(path).token
        left = tuple(item for item in known if item.name != name)
        if len(left) == len(known):
            names = ", ".join(item.name for item in known) or "none"
            raise TokenError(f"{path}: there is no token {name} (known: {names})")
        _write(path, left)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other commands from writing the file between reading and writing: one of two tokens would be lost."""
    try:
        descriptor = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise TokenError(f"{path}: can't be written: {error.strerror or error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, tokens: Sequence[Token]) -> None:
    """Write the file anew beside the old one, and put it in its place: a reader sees either."""
    lines = ["# Tokens of the HTTP interface (docs/api.md): hashes only.\n"]
    lines += [f'\n[[token]]\nname = "{item.name}"\nrole = "{item.role}"\nsha256 = "{item.sha256}"\n' for item in tokens]
    other = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(other, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            other.replace(path)
        except OSError:
            other.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise TokenError(f"{path}: can't be written: {error.strerror or error}") from error
