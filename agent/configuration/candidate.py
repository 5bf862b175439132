"""Whether a configuration that the centre sent may be tried at all."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.build import link_settings
from agent.config import AgentConfig
from agent.config_file import Loaded
from agent.configuration.base import BaseFile
from settings.errors import ConfigError
from wire.domain import MAX_DETAIL_BYTES
from wire.link_settings import LinkError, LinkSettings, read_password, tls_context
from wire.results import MAX_PROBLEMS

FIXED: Final = ("gateway.id", "gateway.data_dir", "gateway.key_file", "centre.key_file")
"""Who the gateway is and whom it believes: whoever could change that from afar could take it away from its owner."""


def check(document: bytes, base: BaseFile, now: AgentConfig) -> Loaded:
    """Return a document that may take the place of the configuration `now`; ConfigError has every mistake by key."""
    loaded = base.check(document)
    problems = [
        f"{key}: can't be changed from afar: expected {_value(now, key)!s}, got {_value(loaded.config, key)!s}"
        for key in FIXED
        if _value(loaded.config, key) != _value(now, key)
    ]
    problems += _given_away(loaded.config)
    settings = link_settings(loaded.config)
    for key, usable in (("broker.password_file", read_password), ("broker.tls", tls_context)):
        try:
            usable(settings)
        except LinkError as error:
            problems.append(f"{key}: {error}")
    problems += _no_password(settings)
    if problems:
        raise ConfigError(problems)
    return loaded


def _value(config: AgentConfig, key: str) -> object:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)


def _given_away(config: AgentConfig) -> list[str]:
    """Return why the password's file may not be what it is: a broker, which anybody may run, is told what it has."""
    broker = config.broker
    keys = {"gateway.key_file": config.gateway.key_file, "broker.key_file": broker.key_file}
    return [
        f"broker.password_file: expected a file of its own, got that of {name}"
        for name, file in keys.items()
        if broker.password_file is not None and file is not None and _same(broker.password_file, file)
    ]


def _no_password(settings: LinkSettings) -> list[str]:
    """Return why the password's file can be none: a key of before, or a list of users, has more than one line."""
    with suppress(LinkError):
        if len((read_password(settings) or "").splitlines()) > 1:
            return ["broker.password_file: expected a password, which has one line"]
    return []


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one == other


def fitting(problems: tuple[str, ...]) -> tuple[str, ...]:
    """Return problems as they may travel: no more than that, none longer."""
    if len(problems) > MAX_PROBLEMS:
        left = len(problems) - MAX_PROBLEMS + 1
        problems = (*problems[: MAX_PROBLEMS - 1], f"and {left} more")
    return tuple(shortened(problem, MAX_DETAIL_BYTES) for problem in problems)


def shortened(text: str, most_bytes: int) -> str:
    """Return the beginning of a text that has at most so many bytes of UTF-8, with a mark where it was cut."""
    octets = text.encode(errors="replace")
    if len(octets) <= most_bytes:
        return octets.decode()
    mark = "…"
    return octets[: most_bytes - len(mark.encode())].decode(errors="ignore") + mark
