"""Estimates and the sums they go on from, in the store. Nothing that was said is overwritten."""

import json
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, bindparam, delete, insert, select

from cloud_receiver.checks.model import STATION
from cloud_receiver.database import enter_rows
from cloud_receiver.estimation.branches import Branches, decoded
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.schema import error_estimate, error_state


@dataclass(frozen=True, slots=True)
class State:
    """Sums over a station's windows in [first, end]; `through_ms`: the midnight up to which was looked."""

    first_ms: int
    end_ms: int
    through_ms: int
    full_ms: int
    """The midnight up to which all windows were taken at last."""
    digest: str
    rows: int
    state: bytes
    branches: str
    """What voltage drops said when all windows were taken: `Branches.encoded`."""


_ONE: Final = error_state.c.station == bindparam("_station", type_=BigInteger)
_STATE: Final = select(*(error_state.c[name] for name in State.__dataclass_fields__)).where(_ONE)
_FORGET: Final = delete(error_state).where(_ONE)
_KEY: Final = ("station", "end_ms", "made_ms")
_SAME: Final = delete(error_estimate).where(
    *(error_estimate.c[name] == bindparam(f"_{name}", type_=BigInteger) for name in _KEY)
)
_COLUMNS: Final = (*_KEY, *("first_ms", "meter", "error", "u", "probability", "decision", "content"))
_JSON: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def state_of(connection: Connection, station: int) -> State | None:
    """Return a station's sums."""
    row = connection.execute(_STATE, {"_station": station}).first()
    return None if row is None else State(**row._mapping)  # noqa: SLF001  # its public name for rows as mappings


def branches_of(connection: Connection, station: int) -> Branches:
    """Return what voltage drops said of a station's branches when a night took all windows at last."""
    found = connection.execute(select(error_state.c.branches).where(error_state.c.station == station)).scalar()
    return decoded(found or "") or Branches()


def keep_state(connection: Connection, station: int, state: State) -> None:
    """Keep a station's sums in the place of those before."""
    connection.execute(_FORGET, {"_station": station})
    values = {name: getattr(state, name) for name in State.__dataclass_fields__}
    connection.execute(insert(error_state), {"station": station, **values})


def keep(connection: Connection, station: int, found: StationResult, made_ms: int) -> None:
    """Keep an estimate beside those before; one of the same windows made in the same millisecond is kept once."""
    key = dict(zip(_KEY, (station, found.end_ms, made_ms), strict=True))
    connection.execute(_SAME, {f"_{name}": value for name, value in key.items()})
    whole = found.content(series=False)
    about = {name: value for name, value in whole.items() if name != "chargers"}
    rows: list[tuple[Any, ...]] = [
        (one["number"], one["error"] / 100, one["u"] / 100, one["probability"], one["decision"], _JSON(one))
        for one in whole["chargers"]
    ]
    rows.append((STATION, None, None, None, None, _JSON(about)))
    same = (*key.values(), found.first_ms)
    enter_rows(connection, error_estimate, _COLUMNS, [(*same, *row) for row in rows])


@dataclass(frozen=True, slots=True)
class Past:
    """What was said of a charger of windows that end at a time; relative errors."""

    meter: int
    first_ms: int
    end_ms: int
    made_ms: int
    error: float
    u: float
    probability: float
    decision: str
    u_own: float
    reason: str | None
    nights: int
    active_windows: int
    since_ms: int | None = None
    """When it became another one, by an exchange or adjustment in the span."""
    changed_ms: int | None = None
    """Since when what is said is true, where its error changed in the span."""
    u_common: float = 0.0
    verified: bool = False

    @property
    def begin_ms(self) -> int:
        """Return when what is said begins."""
        return max(self.first_ms, self.since_ms or 0, self.changed_ms or 0)


def history(connection: Connection, station: int, first_ms: int, end_ms: int) -> list[Past]:
    """Return what was said of each charger, the last word on each span, in order of time."""
    within = ("u_own", "reason", "nights", "active_windows", "since_ms", "changed_ms", "u_common", "verified")
    columns = [name for name in Past.__dataclass_fields__ if name not in within]
    rows = connection.execute(
        select(*(error_estimate.c[name] for name in columns), error_estimate.c.content)
        .where(
            error_estimate.c.station == station,
            error_estimate.c.end_ms >= first_ms,
            error_estimate.c.end_ms <= end_ms,
            error_estimate.c.meter != STATION,
        )
        .order_by(error_estimate.c.end_ms, error_estimate.c.meter, error_estimate.c.made_ms)
    )
    last = {(row.end_ms, row.meter): row for row in rows}
    return [_past({name: getattr(row, name) for name in columns}, json.loads(row.content)) for row in last.values()]


def _past(columns: dict[str, Any], content: dict[str, Any]) -> Past:
    return Past(
        **columns,
        u_own=content["u_own"] / 100,
        reason=content["reason"],
        nights=content.get("nights", 0),
        active_windows=content["active_windows"],
        since_ms=content.get("since_ms"),
        changed_ms=content.get("changed_ms"),
        u_common=content["u_common"] / 100,
        verified=content["verified"],
    )


@dataclass(frozen=True, slots=True)
class Drift:
    """How a charger's error changed between two estimates without a common window; relative, with its u.

    `first_ms`, `last_ms`: up to when the windows of either reach.
    """

    meter: int
    first_ms: int
    last_ms: int
    change: float
    u: float


def drifts(found: list[Past]) -> list[Drift]:
    """Return the change from each charger's first estimate from data to its last, where no window is in both.

    What is common to all is in both, and drops out as long as the master stays the same and as much is known of it;
    what a verification or certificate tells since, u holds. A charger that was exchanged or adjusted is another one
    since: estimates of it begin anew. One that is verified is what its verification says, which doesn't change.
    """
    by_meter: dict[int, list[Past]] = {}
    for item in found:
        if not item.active_windows:
            continue
        by_meter.setdefault(item.meter, []).append(item)
    pairs = []
    for _, items in sorted(by_meter.items()):
        another_ms = max((item.since_ms for item in items if item.since_ms is not None), default=0)
        same = [item for item in items if item.begin_ms >= another_ms and not item.verified]
        if same:
            pairs.append((same[0], same[-1]))
    return [
        Drift(
            first.meter,
            first.end_ms,
            last.end_ms,
            last.error - first.error,
            sqrt(first.u_own**2 + last.u_own**2 + abs(first.u_common**2 - last.u_common**2)),
        )
        for first, last in pairs
        if last.begin_ms >= first.end_ms
    ]
