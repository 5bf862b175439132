"""`diantan-receiver commands`: what was ordered, by whom, and what became of it (审计)."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

import clock
from cloud_receiver import config, database, registry
from cloud_receiver.config import Settings
from cloud_receiver.orders import answer, book
from cloud_receiver.orders.issue import OrderError
from cloud_receiver.registry import Registry
from wire.commands import ID_BYTES
from wire.keys import PublicKey, load_private, load_public

_SHORTEST_PREFIX = 4
_SHOWN = 5


def listed(options: argparse.Namespace) -> None:
    """List commands, the newest first."""
    with _opened(options) as (connection, _, stations):
        now_ms = clock.from_spec(options.clock).now_ms()
        found = book.listed(
            connection,
            gateway_name=options.gateway,
            open_at_ms=now_ms if options.open else None,
            limit=options.limit,
        )
    zones = {name: answer.zone_of(stations, name) for name in {entry.station for entry in found}}
    if options.json:
        _say(answer.json_text([answer.entry_object(entry, zones[entry.station], now_ms) for entry in found]))
        return
    for entry in found:
        _say(answer.entry_line(entry, zones[entry.station], now_ms))


def shown(options: argparse.Namespace) -> int:
    """Show a command; return 1 where its signed messages don't prove it."""
    with _opened(options) as (connection, settings, stations):
        keys: list[PublicKey] = [load_private(settings.centre.key_file).public_key()]
        keys += [load_public(path) for path in options.key]
        found = answer.account(connection, _id(connection, options.id), stations, keys)
    assert found is not None  # no row is ever deleted
    now_ms = clock.from_spec(options.clock).now_ms()
    if options.json:
        _say(answer.json_text(answer.account_object(found, now_ms)))
    else:
        for line in answer.account_lines(found, now_ms):
            _say(line)
    return 0 if found.evidence.sound else 1


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[tuple[Connection, Settings, Registry]]:
    settings = config.load(Path(options.config))
    stations = registry.load(settings.registry)
    engine = database.open_store(settings.centre.database, settings.centre.data_dir)
    try:
        database.require_current(engine)
        with database.reading(engine) as connection:
            yield connection, settings, stations
    finally:
        engine.dispose()


def _id(connection: Connection, text: str) -> bytes:
    """Return the id that is meant: all of it, or enough of its beginning."""
    expected = f"command {text!r}: expected the {2 * ID_BYTES} hexadecimal digits of its id, or the first few"
    try:
        prefix = bytes.fromhex(text[: len(text) // 2 * 2])
        int(text, 16)
    except ValueError:
        raise OrderError(expected) from None
    if not _SHORTEST_PREFIX <= len(text) <= 2 * ID_BYTES:
        raise OrderError(expected)
    found = [item for item in book.beginning_with(connection, prefix, 1000) if item.hex().startswith(text.lower())]
    if not found:
        raise OrderError(f"there is no command {text}")
    if len(found) > 1:
        several = ", ".join(item.hex() for item in found[:_SHOWN])
        raise OrderError(f"command {text}: {len(found)} begin so: {several}")
    return found[0]


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a command's answer
