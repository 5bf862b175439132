"""Who makes which station's night: processes, and receivers of one store, share a night by claims in it.

A process takes some stations at once, for a time that is renewed as long as it works; what became of them is written
when it takes the next ones. A claim whose time is over is of a process that was killed: others make these stations,
each of them alone, since one of them may be what kills. What was tried in vain is left alone until the next night.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Engine, Row, and_, delete, exists, func, insert, select, update

from cloud_receiver.database import reading, writing
from cloud_receiver.estimation.due import AHEAD_MS
from cloud_receiver.estimation.fleet import store as fleet_store
from cloud_receiver.schema import error_state, night_claim

LEASE_MS: Final = 600_000
"""For how long stations are taken: much longer than one of them takes, or than a process waits for the store."""
_RENEW_MS: Final = LEASE_MS // 3
MOST_TRIES: Final = 3
"""How often a station is taken by processes that are killed; but for the first time it is alone with them."""
AT_ONCE: Final = 50
_SHARES: Final = 16
FLEET: Final = 0
"""In the place of a station: what all of them say together."""


class State(IntEnum):
    """What became of a station's night."""

    TAKEN = 0
    DONE = 1
    FAILED = 2


class Kind(Enum):
    """What a process may do about a station's night."""

    OVER = "it is made, or was tried"
    ANOTHERS = "another process has it"
    FREE = "take it"
    LEFT = "take it alone: whoever had it is gone"
    GIVEN_UP = "tell: too many who had it are gone"


_Row: TypeAlias = Row[Any] | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken, with the midnights up to which, and what nobody takes any more."""

    stations: Mapping[int, int]
    given_up: tuple[int, ...]


def portion(left: int) -> int:
    """Return how many stations to take at once, of so many: ever fewer, so that all processes end together."""
    return min(max(left // _SHARES, 1), AT_ONCE)


class Claims:
    """What a process, the owner, has taken of the night."""

    def __init__(self, engine: Engine, now_ms: Callable[[], int], owner: str) -> None:
        self._engine = engine
        self._now_ms = now_ms
        self._owner = owner
        self._own = and_(night_claim.c.owner == owner, night_claim.c.state == State.TAKEN)
        self._mine: set[int] = set()
        self._settled: dict[int, State] = {}
        self._renewed_ms = 0

    def look(self, wanted: Mapping[int, int]) -> dict[int, Kind]:
        """Return what may be done about stations, given with the midnight up to which they are wanted."""
        with reading(self._engine) as connection:
            return {number: kind for number, (kind, _) in self._found(connection, wanted, self._now_ms()).items()}

    def take(self, wanted: Mapping[int, int]) -> Taken:
        """Take those of the stations that are free; where none is, one that whoever had it has left."""
        now_ms = self._now_ms()
        with self._writing() as connection:
            found = self._found(connection, wanted, now_ms)
            of = {each: [number for number, (kind, _) in found.items() if kind is each] for each in Kind}
            mine, given_up = of[Kind.FREE] or of[Kind.LEFT][:1], of[Kind.GIVEN_UP]
            rows = [self._row(number, wanted[number], found[number][1], now_ms) for number in mine]
            rows += [
                self._row(number, wanted[number], found[number][1], now_ms) | {"state": State.FAILED}
                for number in given_up
            ]
            _enter(connection, rows)
        self._took(mine, now_ms)
        return Taken({number: wanted[number] for number in mine}, tuple(given_up))

    def take_fleet(self, within_ms: int) -> Kind:
        """Take what stations say together, unless it was made or tried within such a time; return what it was."""
        now_ms = self._now_ms()
        with self._writing() as connection:
            if made_within(connection, within_ms, now_ms):
                return Kind.OVER
            row = connection.execute(select(night_claim).where(night_claim.c.station == FLEET)).first()
            recent = row is not None and 0 <= now_ms - row.through_ms < within_ms
            through_ms = row.through_ms if row is not None and recent else now_ms
            kind = self._kind(row, None, through_ms, now_ms)
            if kind in (Kind.OVER, Kind.ANOTHERS):
                return kind
            mine = self._row(FLEET, through_ms, row, now_ms)
            _enter(connection, [mine | ({"state": State.FAILED} if kind is Kind.GIVEN_UP else {})])
        if kind is not Kind.GIVEN_UP:
            self._took([FLEET], now_ms)
        return kind

    def holds(self, station: int) -> bool:
        """Return whether a station is still this process's; what is gets its time renewed when that is due."""
        now_ms = self._now_ms()
        if not 0 <= now_ms - self._renewed_ms < _RENEW_MS:  # or the clock was set back
            with self._writing() as connection:
                connection.execute(update(night_claim).where(self._own).values(until_ms=now_ms + LEASE_MS))
                still = set(connection.execute(select(night_claim.c.station).where(self._own)).scalars())
            self._mine &= still
            self._renewed_ms = now_ms
        return station in self._mine

    def settle(self, station: int, state: State) -> None:
        """Note what became of a station; it is written with what is taken next, or by `write`."""
        self._settled[station] = state

    def write(self) -> None:
        """Write what became of stations."""
        if self._settled:
            with self._writing():
                pass

    def close(self) -> None:
        """Write what became of stations, and leave the others to whoever wants them."""
        if self._mine:
            with self._writing() as connection:
                connection.execute(delete(night_claim).where(self._own))
            self._mine.clear()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Open a write transaction that begins with what became of stations."""
        with writing(self._engine) as connection:
            for state in State:
                numbers = [number for number, each in self._settled.items() if each is state]
                for place in range(0, len(numbers), AT_ONCE):
                    some = night_claim.c.station.in_(numbers[place : place + AT_ONCE])
                    connection.execute(update(night_claim).where(some, self._own).values(state=state))
            yield connection
        self._mine -= self._settled.keys()
        self._settled.clear()

    def _took(self, stations: list[int], now_ms: int) -> None:
        if not self._mine:
            self._renewed_ms = now_ms
        self._mine.update(stations)

    def _found(self, connection: Connection, wanted: Mapping[int, int], now_ms: int) -> dict[int, tuple[Kind, _Row]]:
        numbers = list(wanted)
        asked = select(error_state.c.station, error_state.c.through_ms).where(error_state.c.station.in_(numbers))
        made = {row.station: row.through_ms for row in connection.execute(asked)}
        rows = connection.execute(select(night_claim).where(night_claim.c.station.in_(numbers)))
        claims = {row.station: row for row in rows}
        return {
            number: (self._kind(claims.get(number), made.get(number), wanted[number], now_ms), claims.get(number))
            for number in numbers
        }

    def _kind(self, row: _Row, made_ms: int | None, through_ms: int, now_ms: int) -> Kind:
        if made_ms is not None and 0 <= made_ms - through_ms <= AHEAD_MS:
            return Kind.OVER
        if row is None or (row.owner == self._owner and row.state == State.TAKEN):
            return Kind.FREE
        if (
            row.state == State.TAKEN and now_ms < row.until_ms <= now_ms + 2 * LEASE_MS
        ):  # later: of a clock that was wrong
            return Kind.ANOTHERS
        if not 0 <= row.through_ms - through_ms <= AHEAD_MS:
            return Kind.FREE
        if row.state != State.TAKEN:
            return Kind.OVER
        return Kind.LEFT if row.tries < MOST_TRIES else Kind.GIVEN_UP

    def _row(self, station: int, through_ms: int, before: _Row, now_ms: int) -> dict[str, Any]:
        tries = 1
        if before is not None and before.state == State.TAKEN and before.through_ms >= through_ms:
            tries = before.tries + (before.owner != self._owner)
        until_ms = now_ms + LEASE_MS
        mine = {"owner": self._owner, "until_ms": until_ms, "tries": tries}
        return {"station": station, "through_ms": through_ms, "state": State.TAKEN, **mine}


def made_within(connection: Connection, within_ms: int, now_ms: int) -> bool:
    """Return whether there is something that stations said together within such a time."""
    before = fleet_store.last_night(connection)
    return before is not None and 0 <= now_ms - before.made_ms < within_ms


def begin(connection: Connection) -> None:
    """Let what failed, and what has no windows, be tried anew in this night: a start may bring what was put right."""
    kept = exists().where(
        error_state.c.station == night_claim.c.station, error_state.c.through_ms >= night_claim.c.through_ms
    )
    connection.execute(delete(night_claim).where(night_claim.c.state != State.TAKEN, ~kept))


def end(connection: Connection, owner: str) -> None:
    """Take note that a process is gone, and works no more on what it has taken."""
    own = and_(night_claim.c.owner == owner, night_claim.c.state == State.TAKEN)
    connection.execute(update(night_claim).where(own).values(until_ms=0))


def counts(connection: Connection, after_ms: int) -> dict[State, int]:
    """Return what became of stations up to midnights after a time, and how many are taken."""
    asked = select(night_claim.c.state, func.count()).where(
        night_claim.c.through_ms > after_ms, night_claim.c.station != FLEET
    )
    found: dict[int, int] = {row[0]: row[1] for row in connection.execute(asked.group_by(night_claim.c.state))}
    return {state: found.get(state, 0) for state in State}


def _enter(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(delete(night_claim).where(night_claim.c.station.in_([row["station"] for row in rows])))
        connection.execute(insert(night_claim), rows)
