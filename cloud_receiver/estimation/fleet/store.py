"""What the fleet needs and says, in the store: what stations show, and night by night what they say together."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.fleet.view import View, decoded
from cloud_receiver.schema import fleet_make, fleet_night, fleet_prior, fleet_view
from wire.domain import MAX_TIME_MS

Pair = tuple[float, float]
_DIGITS = 8
"""Of a relative error that an estimator is told: so many are the same to the bit when they are read again."""
_AT_ONCE = 500


def keep_view(connection: Connection, station: int, view: View | None) -> None:
    """Keep what a station shows in the place of what it showed before."""
    connection.execute(delete(fleet_view).where(fleet_view.c.station == station))
    if view is not None:
        connection.execute(insert(fleet_view).values(station=station, end_ms=view.end_ms, content=view.encoded()))


def views(connection: Connection, stations: Sequence[int], since_ms: int) -> dict[int, View]:
    """Return what stations show whose windows end at `since_ms` or later."""
    rows = connection.execute(
        select(fleet_view.c.station, fleet_view.c.content).where(
            fleet_view.c.station.in_(stations), fleet_view.c.end_ms >= since_ms
        )
    )
    found = ((station, decoded(content)) for station, content in rows)
    return {station: view for station, view in found if view is not None}


def keep_told(connection: Connection, told: Mapping[int, Pair], made_ms: int) -> None:
    """Keep what stations are told (per cent) in the place of what they were told before."""
    connection.execute(delete(fleet_prior))
    rows = [
        {"station": station, "made_ms": made_ms, "error": round(error / 100, _DIGITS), "u": round(u / 100, _DIGITS)}
        for station, (error, u) in told.items()
    ]
    for place in range(0, len(rows), _AT_ONCE):
        connection.execute(insert(fleet_prior), rows[place : place + _AT_ONCE])


def told_now(connection: Connection, context: Context, settings: Estimation) -> Pair | None:
    """Return what a station is told of its makes now: mean error and u, relative. None where that is nothing."""
    if not settings.fleet.enabled:
        return None
    row = connection.execute(
        select(fleet_prior.c.error, fleet_prior.c.u).where(fleet_prior.c.station == context.number)
    ).first()
    return None if row is None else (row.error, row.u)


def told_last(about: Mapping[str, Any], settings: Estimation) -> Pair | None:
    """Return what a station was told when all its windows were taken at last; a run of a day carries it on.

    `about`: what its last night says of it.
    """
    found = about.get("expected") if settings.fleet.enabled else None
    return None if found is None else (round(found[0] / 100, _DIGITS), round(found[1] / 100, _DIGITS))


@dataclass(frozen=True, slots=True)
class MakeResult:
    """What stations say of a make (厂家型号); relative. `content`: which stations, and chargers to verify."""

    make: str
    error: float
    u: float
    stations: int
    operators: int
    chargers: int
    judged: int
    flagged: int
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Night:
    """What was made in a night. `content`: how many stations and makes, what was learnt of them."""

    made_ms: int
    content: Mapping[str, Any]


def keep_night(connection: Connection, night: Night, makes: Iterable[MakeResult]) -> None:
    """Keep a night beside those before; one made in the same millisecond is kept once."""
    for table in (fleet_make, fleet_night):
        connection.execute(delete(table).where(table.c.made_ms == night.made_ms))
    connection.execute(insert(fleet_night).values(made_ms=night.made_ms, content=_json(night.content)))
    rows = [
        {name: getattr(item, name) for name in MakeResult.__dataclass_fields__}
        | {"made_ms": night.made_ms, "content": _json(item.content)}
        for item in makes
    ]
    if rows:
        connection.execute(insert(fleet_make), rows)


def last_night(connection: Connection, until_ms: int = MAX_TIME_MS) -> Night | None:
    """Return the newest night; what was made later than `until_ms` was by a clock that was ahead."""
    made = select(fleet_night).where(fleet_night.c.made_ms <= until_ms)
    row = connection.execute(made.order_by(fleet_night.c.made_ms.desc()).limit(1)).first()
    return None if row is None else Night(row.made_ms, json.loads(row.content))


def makes_of(connection: Connection, night: Night) -> Sequence[MakeResult]:
    """Return what a night said of makes, in order of their names."""
    names = MakeResult.__dataclass_fields__
    rows = connection.execute(
        select(*(fleet_make.c[name] for name in names))
        .where(fleet_make.c.made_ms == night.made_ms)
        .order_by(fleet_make.c.make)
    )
    return [
        MakeResult(**{name: getattr(row, name) for name in names} | {"content": json.loads(row.content)})
        for row in rows
    ]


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False)
