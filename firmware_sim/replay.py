"""Recorded sessions from a CSV file, plain or gzip: one day of them, mapped to the chargers of a station.

Columns: arrival, departure (ISO 8601 with an offset), delivered_energy (kWh), station_id; session_id is optional,
others are ignored. These are the columns of ACN-Data as published for the Caltech and JPL garages.
"""

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from firmware_sim.sessions import Session

ENERGY_COLUMN: Final = "delivered_energy (kWh)"
_REQUIRED: Final = ("arrival", "departure", ENERGY_COLUMN, "station_id")
_MWH_PER_KWH: Final = 10**6
_MOST_KWH: Final = 10_000
_LARGEST_LINE: Final = 100_000


class SessionFileError(ValueError):
    """A session file that can't be used; the message names file, line and column."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded session and the plug it happened at."""

    plug: str
    session: Session


@dataclass(frozen=True, slots=True)
class Replay:
    """One day of recorded sessions by charger; `left_out` counts those at plugs beyond the station's chargers."""

    day: date
    sessions: tuple[tuple[Session, ...], ...]
    plugs: tuple[str, ...]
    left_out: int

    def of(self, charger: int, day: date) -> Sequence[Session]:
        """Return the sessions of a charger, by its number, on a local day."""
        return self.sessions[charger] if day == self.day and charger < len(self.sessions) else ()


def read_sessions(path: Path) -> list[Recorded]:
    """Return every session of a file in the order of its lines; SessionFileError for the first bad line."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", newline="") as text:
            return list(_rows(path, text))
    except (OSError, EOFError, zlib.error) as error:
        raise SessionFileError(f"{path}: can't be read: {error}") from None
    except UnicodeDecodeError as error:
        raise SessionFileError(f"{path}: not UTF-8 text: {error}") from None
    except csv.Error as error:
        raise SessionFileError(f"{path}: not CSV: {error}") from None


def replay(path: Path, chargers: int, zone: ZoneInfo, day: date | None = None, onto: date | None = None) -> Replay:
    """Return one local day of a file: `day`, or the one with most arrivals; moved to the day `onto` if given.

    The busiest plugs (most sessions that day, then by name) get the first chargers.
    """
    recorded = read_sessions(path)
    per_day = Counter(_day(item.session, zone) for item in recorded)
    if not per_day:
        raise SessionFileError(f"{path}: no sessions")
    chosen = day or max(per_day, key=lambda candidate: (per_day[candidate], candidate))
    if chosen not in per_day:
        raise SessionFileError(f"{path}: no session arrives on {chosen}; the file has {min(per_day)} to {max(per_day)}")
    today = [item for item in recorded if _day(item.session, zone) == chosen]
    counts = Counter(item.plug for item in today)
    plugs = sorted(counts, key=lambda plug: (-counts[plug], plug))[:chargers]
    target = onto or chosen
    shift_ms = _midnight_ms(target, zone) - _midnight_ms(chosen, zone)
    sessions = tuple(
        tuple(
            replace(
                item.session,
                arrival_ms=item.session.arrival_ms + shift_ms,
                departure_ms=item.session.departure_ms + shift_ms,
            )
            for item in today
            if item.plug == plug
        )
        for plug in plugs
    )
    return Replay(target, sessions, tuple(plugs), len(today) - sum(len(group) for group in sessions))


def _rows(path: Path, text: Iterable[str]) -> Iterator[Recorded]:
    csv.field_size_limit(_LARGEST_LINE)
    rows = csv.DictReader(text)
    missing = [column for column in _REQUIRED if column not in (rows.fieldnames or [])]
    if missing:
        raise SessionFileError(f"{path}: line 1: columns missing: {', '.join(missing)}; found {rows.fieldnames}")
    for row in rows:
        where = f"{path}: line {rows.line_num}"
        arrival, departure = (_time(row, column, where) for column in ("arrival", "departure"))
        if departure <= arrival:
            raise SessionFileError(f"{where}: departure: expected after the arrival {arrival}, found {departure}")
        plug = (row["station_id"] or "").strip()
        if not plug:
            raise SessionFileError(f"{where}: station_id: expected a name, found nothing")
        name = row.get("session_id") or f"line {rows.line_num}"
        yield Recorded(plug, Session(_ms(arrival), _ms(departure), _energy(row, where), name))


def _time(row: dict[str, str], column: str, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(row[column] or "")
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise SessionFileError(f"{where}: {column}: expected an ISO 8601 time with an offset, found {row[column]!r}")
    return moment


def _energy(row: dict[str, str], where: str) -> int:
    text = row[ENERGY_COLUMN] or ""
    try:
        energy = Decimal(text)
    except InvalidOperation:
        energy = Decimal("NaN")
    if not energy.is_finite() or not 0 <= energy <= _MOST_KWH:
        raise SessionFileError(f"{where}: {ENERGY_COLUMN}: expected a number 0..{_MOST_KWH}, found {text!r}")
    return int((energy * _MWH_PER_KWH).to_integral_value())


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _day(session: Session, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(session.arrival_ms / 1000, zone).date()


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
