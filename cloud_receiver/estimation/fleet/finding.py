"""The finding about a make whose chargers are off as a whole: verify three of them.

It stands at the first of these, one for as long as it lasts: until the make's error is within the limit again, by what
stations or verifications say.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, or_, select

from cloud_receiver import finding_history, finding_life
from cloud_receiver.checks.model import SLOT_MS, Kind, Severity
from cloud_receiver.estimation.fleet.gather import alike
from cloud_receiver.estimation.fleet.store import MakeResult
from cloud_receiver.finding_life import CLOSED, Key, Row
from cloud_receiver.schema import finding
from diantan_core import day_start_ms

KIND: Final = Kind.MAKE_BIASED.value
_K: Final = 2.0
_LATELY_MS: Final = 3 * 86_400_000
VERIFY: Final = 3
"""Chargers that settle whether a make is off."""


def biased(error: float, u: float, limit: float) -> bool:
    """Return whether a make is surely beyond the limit (all in the same unit)."""
    return abs(error) - _K * u > limit


def update_makes(
    connection: Connection, makes: Sequence[MakeResult], zones: Mapping[int, str], limit: float, now_ms: int
) -> tuple[int, int]:
    """Open, renew and close findings by a night's result; return (opened, closed). `limit`: relative."""
    rows = connection.execute(
        select(finding).where(
            finding.c.kind == KIND, or_(finding.c.state != CLOSED, finding.c.updated_ms >= now_ms - _LATELY_MS)
        )
    ).all()
    stored = {_key(row.station, row.day_ms, row.meter): row for row in rows}
    # However it is written now: the registry may have corrected that since.
    begun = {alike(json.loads(row.evidence)["details"][0]["make"]): row for row in rows if row.state != CLOSED}
    wanted = {}
    for one in makes:
        row = begun.get(alike(one.make))
        if not one.content["verify"] or not (
            biased(one.error, one.u, limit) or (row is not None and abs(one.error) > limit)
        ):
            continue
        first = one.content["verify"][0]
        key = (
            _key(first["station_number"], day_start_ms(now_ms, zones[first["station_number"]]), first["meter_number"])
            if row is None
            else _key(row.station, row.day_ms, row.meter)
        )
        wanted[key] = _values(one, limit, now_ms if row is None else row.first_ms, now_ms)

    def note(number: int, change: str, before: Row | None) -> None:
        finding_history.note(connection, number, change, before, {"fleet": True}, now_ms=now_ms, running=True)

    return finding_life.settle(connection, finding, stored, wanted, now_ms, note=note)


def _key(station: int, day_ms: int, meter: int) -> Key:
    return ("station", station), ("day_ms", day_ms), ("kind", KIND), ("meter", meter)


def _values(one: MakeResult, limit: float, first_ms: int, now_ms: int) -> dict[str, Any]:
    first_ms -= first_ms % SLOT_MS
    detail = {
        "make": one.make,
        "error_percent": round(100 * one.error, 4),
        "u_percent": round(100 * one.u, 4),
        "limit_percent": round(100 * limit, 4),
        "stations": one.stations,
        "operators": one.operators,
        "chargers": one.chargers,
        "flagged": one.flagged,
        "verify": [{name: item[name] for name in ("station", "meter")} for item in one.content["verify"]],
        "at_stations": one.content["at_stations"],
    }
    return {
        "first_ms": first_ms,
        "last_ms": max(first_ms, now_ms - now_ms % SLOT_MS),
        "severity": Severity.WARNING.value,
        "evidence": json.dumps({"slots": [], "count": 1, "details": [detail]}, ensure_ascii=False, allow_nan=False),
    }
