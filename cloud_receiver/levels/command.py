"""`diantan-receiver levels`: what this centre and those above and below it say of a day at their boundaries."""

import argparse
import json
from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

import clock
from cloud_receiver import config, database, registry, service
from cloud_receiver.grid import findings
from cloud_receiver.levels import book
from cloud_receiver.levels.checks import ALL_KINDS
from cloud_receiver.levels.compare import sums
from cloud_receiver.levels.partner import Partner, Rank, Side, partners
from cloud_receiver.levels.service import zone_of
from diantan_core import next_day_start_ms


def shown(options: argparse.Namespace) -> None:
    """Show each boundary: who it is with, what both sides say of the day, and what was found."""
    settings = config.load(Path(options.config))
    stations = registry.load(settings.registry)
    found = partners(settings.parent, settings.child, stations, settings.centre.name)
    zone = ZoneInfo(zone_of(settings))
    now = datetime.fromtimestamp(clock.from_spec(options.clock).now_ms() / 1000, UTC).astimezone(zone)
    begin = datetime.combine(options.day or now.date(), time(), zone)
    day_ms = int(begin.timestamp() * 1000)
    engine = service.prepare(settings, stations)
    try:
        with database.reading(engine) as connection:
            rows = [_boundary(connection, item, day_ms, next_day_start_ms(day_ms, zone.key)) for item in found]
    finally:
        engine.dispose()
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))  # noqa: T201  # the answer
        return
    for row in rows:
        print("\n".join(_lines(row)))  # noqa: T201  # the answer


def _boundary(connection: Connection, partner: Partner, day_ms: int, end_ms: int) -> dict[str, object]:
    sides = {side: book.newest(connection, partner.centre, side, day_ms, end_ms) for side in Side}
    both = sorted(sides[Side.OURS].keys() & sides[Side.THEIRS].keys())
    ours, theirs = sums((sides[Side.OURS][start], sides[Side.THEIRS][start]) for start in both)
    listed = findings.listed(connection, day_ms=day_ms)
    return {
        "centre": partner.centre,
        "rank": "parent" if partner.rank is Rank.PARENT else "child",
        "node": partner.node,
        "element": f"{partner.element.element} {partner.element.id}",
        "day": _utc(day_ms),
        "slots": {
            "ours": sum(item.forward_mwh is not None for item in sides[Side.OURS].values()),
            "theirs": sum(item.forward_mwh is not None for item in sides[Side.THEIRS].values()),
            "compared": len(both),
        },
        "compared": {"ours": _quantities(ours), "theirs": _quantities(theirs)},
        "last_said": _utc(book.last_issue(connection, partner.centre, Side.OURS)),
        "last_heard": _utc(book.last_issue(connection, partner.centre, Side.THEIRS)),
        "not_confirmed": book.unconfirmed(connection, partner.centre),
        "findings": [
            {"id": item.id, "kind": item.kind, "state": item.state}
            for item in listed
            if item.subject == f"centre {partner.centre}" and item.kind in ALL_KINDS
        ],
    }


def _quantities(amounts: Mapping[str, int]) -> dict[str, str]:
    """Return sums as exact decimals: energies in kWh, carbon in kg."""
    result = {}
    for name, amount in amounts.items():
        if name.endswith("_mwh"):
            result[name.replace("_mwh", "_kwh")] = f"{Decimal(amount).scaleb(-6):f}"
        else:
            result[name.replace("_ug", "_kg")] = f"{Decimal(amount).scaleb(-9):f}"
    return result


def _lines(row: Mapping[str, object]) -> list[str]:
    slots, compared = row["slots"], row["compared"]
    assert isinstance(slots, dict)
    assert isinstance(compared, dict)
    first = (
        f"{row['rank']} {row['centre']} at node {row['node']} ({row['element']}), {row['day']}: "
        f"{slots['compared']} slots compared; we know {slots['ours']}, they {slots['theirs']}; "
        f"{row['not_confirmed']} statements not confirmed"
    )
    result = [first]
    result += [
        f"  {side:6}  " + ", ".join(f"{name} {value}" for name, value in compared[side].items())
        for side in ("ours", "theirs")
    ]
    found = row["findings"]
    assert isinstance(found, list)
    result += [f"  finding {item['id']}: {item['kind']} ({item['state']})" for item in found]
    return result


def _utc(time_ms: int) -> str | None:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="minutes") if time_ms else None
