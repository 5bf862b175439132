"""What a demonstration simulates: which day, how fast, with which chargers and carbon factors."""

import csv
import gzip
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000
SLOT_MS = 900_000

# The simulation starts before the day, so that every meter has been read before the first midnight,
# and ends after it, so that the last slot is closed, delivered and checked, but before another slot closes.
LEAD_MS = HOUR_MS // 2
TAIL_MS = 12 * 60_000

GENERATED_DAY = date(2026, 6, 15)
GENERATED_ZONE = "Asia/Shanghai"


class PlanError(ValueError):
    """The session file can't be used; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One demonstration."""

    day: date
    timezone: str
    chargers: int
    hours: int
    sessions: Path | None
    seed: int

    @property
    def zone(self) -> ZoneInfo:
        """The station's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def day_start_ms(self) -> int:
        """Local midnight, ms UTC."""
        return midnight_ms(self.day, self.zone)

    @property
    def day_end_ms(self) -> int:
        """The end of what is simulated of the day: the next local midnight, or sooner for a short run."""
        midnight = midnight_ms(self.day + timedelta(days=1), self.zone)
        return min(midnight, self.day_start_ms + self.hours * HOUR_MS)

    @property
    def origin_ms(self) -> int:
        """Where the simulated clock starts."""
        return self.day_start_ms - LEAD_MS

    @property
    def end_ms(self) -> int:
        """Where the simulated clock may stop."""
        return self.day_end_ms + TAIL_MS

    def factors(self, node: str) -> Iterator[tuple[str, str, str]]:
        """Yield (node, slot start, factor) rows.

        Longer than the run at both ends: programs that start early or end late still find factors.
        """
        return factors(node, self.origin_ms - 3 * HOUR_MS, self.end_ms + 12 * HOUR_MS, self.zone, self.seed)


def factors(node: str, first_ms: int, end_ms: int, zone: ZoneInfo, seed: int) -> Iterator[tuple[str, str, str]]:
    """Yield (node, slot start, factor) rows: made-up days with much solar power at noon, not a real grid's."""
    noise = random.Random(seed)  # noqa: S311 - a demonstration's data, no secret
    for start_ms in range(first_ms, end_ms, SLOT_MS):
        local = datetime.fromtimestamp(start_ms / 1000, zone)
        sun = max(0.0, math.sin((local.hour + local.minute / 60 - 6) / 12 * math.pi))
        factor = 0.62 - 0.27 * sun + noise.uniform(-0.01, 0.01)
        yield node, local.isoformat(), f"{factor:.6f}"


def generated(*, chargers: int, hours: int, seed: int) -> Plan:
    """Return the plan whose sessions the simulator makes up from the seed."""
    return Plan(GENERATED_DAY, GENERATED_ZONE, chargers, hours, None, seed)


def from_sessions(path: Path, day: date | None, *, chargers: int, hours: int, seed: int) -> Plan:
    """Return the plan that replays a day of a session file: the one given, or the one with most arrivals.

    The station's time zone is the fixed offset in which the file writes that day's arrivals.
    """
    arrivals = list(_arrivals(path))
    per_day = Counter(arrival.date() for arrival in arrivals)
    if not per_day:
        raise PlanError(f"{path}: no sessions")
    chosen = day or max(per_day, key=lambda candidate: (per_day[candidate], candidate))
    if chosen not in per_day:
        raise PlanError(f"{path}: no sessions on {chosen}; the file has {min(per_day)} to {max(per_day)}")
    timezone = _zone_of(path, next(arrival for arrival in arrivals if arrival.date() == chosen))
    return Plan(chosen, timezone, chargers, hours, path.resolve(), seed)


def offset_zone(path: Path) -> str:
    """Return the zone of the fixed offset in which a session file writes its first arrival; PlanError."""
    for arrival in _arrivals(path):
        return _zone_of(path, arrival)
    raise PlanError(f"{path}: no sessions")


def _zone_of(path: Path, arrival: datetime) -> str:
    offset = arrival.utcoffset()
    if offset is None:
        raise PlanError(f"{path}: arrival {arrival} has no offset from UTC")
    hours_east, rest = divmod(offset, timedelta(hours=1))
    if rest:
        raise PlanError(f"{path}: arrivals are written with the offset {offset}, expected whole hours")
    # The sign of the zones named Etc/GMT±N is inverted: POSIX counts west of Greenwich.
    return f"Etc/GMT{-hours_east:+d}" if hours_east else "UTC"


def _arrivals(path: Path) -> Iterator[datetime]:
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8", newline="") as text:
            yield from _arrivals_of(path, text)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: can't be read: {error}") from error


def _arrivals_of(path: Path, text: Iterable[str]) -> Iterator[datetime]:
    rows = csv.DictReader(text)
    if "arrival" not in (rows.fieldnames or []):
        raise PlanError(f"{path}: line 1: expected a column 'arrival', found {rows.fieldnames}")
    for row in rows:
        try:
            yield datetime.fromisoformat(row["arrival"])
        except (TypeError, ValueError) as error:
            raise PlanError(f"{path}: line {rows.line_num}: arrival: {error}") from error


def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """Return when a local day begins, ms UTC."""
    return int(datetime.combine(day, time(), zone).astimezone(UTC).timestamp() * 1000)
