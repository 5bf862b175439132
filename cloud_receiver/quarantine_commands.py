"""`diantan-receiver quarantine`: what was refused, why, and how much of it there was."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from cloud_receiver import config, database
from cloud_receiver.quarantine import STRANGER
from cloud_receiver.report_text import printable
from cloud_receiver.schema import quarantine, quarantine_dropped, verification

_SHOWN_BYTES = 512
_LINE_BYTES = 16


class QuarantineError(ValueError):
    """There is no such entry."""


def list_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `quarantine ls`."""
    command.add_argument("--gateway", help="only on topics of this enrolled gateway")
    command.add_argument("--reason", help="only for this reason")
    command.add_argument("--limit", type=_number, default=50, metavar="N", help="entries at most (default: 50)")
    command.add_argument("--counts", action="store_true", help="only the counts, by gateway and result of verification")
    command.add_argument("--json", action="store_true")


def show_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `quarantine show`."""
    command.add_argument("id", type=_number, metavar="ID")
    command.add_argument("--output", metavar="FILE", help="write the message's bytes, as far as kept, to FILE")
    command.add_argument("--json", action="store_true")


def _number(text: str) -> int:
    number = int(text)
    if not 0 < number < 1 << 63:
        raise ValueError(text)
    return number


_number.__name__ = "number"  # as argparse names it in its message


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a command's answer


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")


def listed(options: argparse.Namespace) -> None:
    """List entries, and the counts."""
    engine = _open(options)
    with database.reading(engine) as connection:
        rows = [] if options.counts else _rows(connection, options)
        counts = _counts(connection, options)
        dropped = connection.execute(select(quarantine_dropped).order_by(quarantine_dropped.c.reason)).all()
    engine.dispose()
    gone = [
        {"reason": row.reason, "entries": row.entries, "messages": row.messages, "last": _time(row.last_ms)}
        for row in dropped
        if options.reason in {None, row.reason}
    ]
    if options.json:
        _say(
            json.dumps(
                {"entries": [_entry(row) for row in rows], "verification": counts, "dropped": gone},
                ensure_ascii=False,
                indent=2,
            )
        )
        return
    for row in rows:
        _say(
            f"{row.id}  {_time(row.received_ms)}  {row.reason}  {row.gateway or '-'}  {row.size} bytes  x{row.count}  "
            f"{printable(row.topic)}  {printable(row.detail)}"
        )
    for count in counts:
        _say(
            f"{count['gateway'] or '(no enrolled gateway)'}  {count['result']}  {count['messages']} messages  "
            f"{count['first']} .. {count['last']}"
        )
    for drop in gone:
        _say(f"dropped to make room  {drop['reason']}  {drop['entries']} entries of {drop['messages']} messages")


def shown(options: argparse.Namespace) -> None:
    """Show an entry with the first of its bytes."""
    engine = _open(options)
    with database.reading(engine) as connection:
        row = connection.execute(select(quarantine).where(quarantine.c.id == options.id)).one_or_none()
    engine.dispose()
    if row is None:
        raise QuarantineError(
            f"quarantine has no entry {options.id}: it never had, or the entry made room for newer ones"
        )
    kept = bytes(row.envelope)
    if options.output is not None:
        Path(options.output).write_bytes(kept)
    if options.json:
        _say(json.dumps({**_entry(row), "kept": len(kept), "envelope": kept.hex()}, ensure_ascii=False, indent=2))
        return
    for name, value in _entry(row).items():
        _say(f"{name:<9} {printable(str(value if value is not None else '-'))}")
    _say(f"{'kept':<9} {len(kept)} bytes")
    for start in range(0, min(len(kept), _SHOWN_BYTES), _LINE_BYTES):
        part = kept[start : start + _LINE_BYTES]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)  # noqa: PLR2004  # printable ASCII
        _say(f"{start:08x}  {part.hex(' '):<47}  {text}")
    if len(kept) > _SHOWN_BYTES:
        _say(f"… {len(kept) - _SHOWN_BYTES} bytes more: --output FILE writes all of them")


def _open(options: argparse.Namespace) -> Engine:
    settings = config.load(Path(options.config))
    engine = database.open_store(settings.centre.database, settings.centre.data_dir)
    database.require_current(engine)
    return engine


def _rows(connection: Connection, options: argparse.Namespace) -> list[Row[Any]]:
    # Without the envelopes: they may be 64 KiB each.
    statement = select(*(column for column in quarantine.c if column.name != "envelope"))
    if options.gateway is not None:
        statement = statement.where(quarantine.c.gateway == options.gateway)
    if options.reason is not None:
        statement = statement.where(quarantine.c.reason == options.reason)
    return list(connection.execute(statement.order_by(quarantine.c.id.desc()).limit(options.limit)).all())


def _counts(connection: Connection, options: argparse.Namespace) -> list[dict[str, Any]]:
    statement = select(verification).order_by(verification.c.gateway, verification.c.result)
    if options.gateway is not None:
        statement = statement.where(verification.c.gateway == options.gateway)
    if options.reason is not None:
        statement = statement.where(verification.c.result == options.reason)
    return [
        {
            "gateway": None if row.gateway == STRANGER else row.gateway,
            "result": row.result,
            "messages": row.messages,
            "first": _time(row.first_ms),
            "last": _time(row.last_ms),
        }
        for row in connection.execute(statement)
    ]


def _entry(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "received": _time(row.received_ms),
        "reason": row.reason,
        "gateway": row.gateway,
        "topic": row.topic,
        "detail": row.detail,
        "size": row.size,
        "messages": row.count,
    }
