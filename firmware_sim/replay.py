"""Recorded sessions from a CSV file, plain or gzip: some days of them, mapped to the chargers of a station.

Columns: arrival, departure (ISO 8601 with an offset), delivered_energy (kWh), station_id; session_id is optional,
others are ignored. These are the columns of ACN-Data as published for the Caltech and JPL garages.
"""

import csv
import gzip
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import accumulate
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
    """Recorded sessions of `days` local days from `day` on, by charger.

    `plugs` has the plug of each charger; `left_out` counts the sessions at plugs beyond the station's chargers.
    """

    day: date
    days: int
    plugs: tuple[str, ...]
    left_out: int
    by_day: tuple[Mapping[date, Sequence[Session]], ...]

    @property
    def count(self) -> int:
        """Return how many sessions are replayed."""
        return sum(len(group) for charger in self.by_day for group in charger.values())

    def of(self, charger: int, day: date) -> Sequence[Session]:
        """Return the sessions of a charger, by its number, on a local day."""
        return self.by_day[charger].get(day, ()) if charger < len(self.by_day) else ()


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


def replay(
    path: Path, chargers: int, zone: ZoneInfo, day: date | None = None, onto: date | None = None, *, days: int = 1
) -> Replay:
    """Return `days` local days of a file from `day` on, or those with most arrivals; moved to begin `onto` if given.

    The busiest plugs (most sessions in that time, then by name) get the first chargers. Days are moved one by one,
    each to its own local midnight.
    """
    recorded = read_sessions(path)
    per_day = Counter(_day(item.session, zone) for item in recorded)
    if not per_day:
        raise SessionFileError(f"{path}: no sessions")
    chosen = _busiest(per_day, days) if day is None else day
    if days == 1 and chosen not in per_day:
        raise SessionFileError(f"{path}: no session arrives on {chosen}; the file has {min(per_day)} to {max(per_day)}")
    if chosen < min(per_day) or (max(per_day) - chosen).days < days - 1:
        raise SessionFileError(
            f"{path}: no sessions of {days} days from {chosen}; the file has {min(per_day)} to {max(per_day)}"
        )
    last = chosen + timedelta(days=days - 1)
    taken = [(found, item) for item in recorded if chosen <= (found := _day(item.session, zone)) <= last]
    counts = Counter(item.plug for _, item in taken)
    plugs = sorted(counts, key=lambda plug: (-counts[plug], plug))[:chargers]
    target = onto or chosen
    by_day: tuple[dict[date, list[Session]], ...] = tuple({} for _ in plugs)
    for found, item in taken:
        if item.plug in plugs:
            moved = target + (found - chosen)
            session = _shifted(item.session, _midnight_ms(moved, zone) - _midnight_ms(found, zone))
            by_day[plugs.index(item.plug)].setdefault(moved, []).append(session)
    left_out = sum(item.plug not in plugs for _, item in taken)
    return Replay(target, days, tuple(plugs), left_out, by_day)


def _busiest(per_day: Mapping[date, int], days: int) -> date:
    """Return the first of the days in a row with most arrivals, the last of several such; else the file's first day."""
    ordered = sorted(per_day)
    before = [0, *accumulate(per_day[day] for day in ordered)]
    # Days in a row with most arrivals begin with one on which somebody arrives, or end with the last of the file.
    latest = ordered[-1].toordinal() - days + 1
    starts = {day.toordinal() for day in ordered if day.toordinal() <= latest} | {latest}
    arrivals = {
        date.fromordinal(start): before[bisect_right(ordered, date.fromordinal(start + days - 1))]
        - before[bisect_left(ordered, date.fromordinal(start))]
        for start in starts
        if start >= ordered[0].toordinal()
    }
    return max(arrivals, key=lambda start: (arrivals[start], start), default=ordered[0])


def _shifted(session: Session, by_ms: int) -> Session:
    return replace(session, arrival_ms=session.arrival_ms + by_ms, departure_ms=session.departure_ms + by_ms)


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
