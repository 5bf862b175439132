"""`diantan-receiver grid findings`: what was found about the grid and the boundaries to other centres."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import clock
from cloud_receiver import config, database, registry, service
from cloud_receiver.grid import findings
from cloud_receiver.grid.findings import GridFinding


class FindingsError(ValueError):
    """What was asked for is not there."""


def listed(options: argparse.Namespace) -> None:
    """List findings about the grid; FindingsError when the one to be acknowledged is not open."""
    settings = config.load(Path(options.config))
    engine = service.prepare(settings, registry.load(settings.registry))
    try:
        if options.acknowledge is not None:
            with database.writing(engine) as connection:
                now_ms = clock.from_spec(options.clock).now_ms()
                if not findings.acknowledge(connection, options.acknowledge, now_ms):
                    raise FindingsError(f"there is no open finding {options.acknowledge} about the grid")
        with database.reading(engine) as connection:
            found = findings.listed(connection, kind=options.kind, closed=options.all)
    finally:
        engine.dispose()
    if options.json:
        print(json.dumps([_object(item) for item in found], ensure_ascii=False, indent=2))  # noqa: T201  # the answer
        return
    for item in found:
        print(_line(item))  # noqa: T201  # the answer


def _object(item: GridFinding) -> dict[str, object]:
    return {
        "id": item.id,
        "day": _utc(item.day_ms),
        "kind": item.kind,
        "subject": item.subject,
        "first": _utc(item.first_ms),
        "last": _utc(item.last_ms),
        "severity": item.severity,
        "state": item.state,
        "opened": _utc(item.opened_ms),
        "updated": _utc(item.updated_ms),
        "evidence": dict(item.evidence),
    }


def _line(item: GridFinding) -> str:
    subject = "".join(sign if sign.isprintable() else "?" for sign in item.subject)
    span = f"{_utc(item.first_ms)} .. {_utc(item.last_ms)}"
    return f"{item.id}  {item.severity}  {item.state}  {item.kind}  {subject}  {span}"


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="minutes")
