"""CSV files of power profiles (负荷曲线): one column of powers for each meter, with times or as equal parts of a day.

- With a first column `time`: ISO 8601 dates and times (local unless they have an offset), or times of day (HH:MM),
  which hold for every day.
- Without it: as many rows as divide a day into whole minutes, 96 for quarters of an hour. A single column may do
  without a header.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from firmware_sim.power_profiles import local_ms, step_of

LARGEST_BYTES: Final = 64 << 20
MOST_KW: Final = 10**9  # 1 TW
MW_PER: Final = {"kW": 10**6, "MW": 10**9}
"""mW in the units in which powers may be given."""
DEFAULT_COLUMN: Final = "kw"
_TIME: Final = "time"
_MOST_COLUMNS: Final = 10_000
_LONGEST_FIELD: Final = 64


class ProfileFileError(ValueError):
    """A file of power profiles that can't be used; the message names file, line and column."""


@dataclass(frozen=True, slots=True)
class PowerTable:
    """A file's profiles: the times of its rows, and the powers by column as they were written."""

    file: Path
    is_daily: bool
    times: tuple[int, ...]  # ms since local midnight of a daily one, else ms UTC
    columns: dict[str, tuple[Decimal, ...]]

    def steps(self, column: str, mw_per_unit: int) -> list[tuple[int, int]]:
        """Return (time, power in mW, rounded half to even) of a column; ProfileFileError."""
        powers = self.columns.get(column)
        if powers is None:
            known = ", ".join(list(self.columns)[:10])
            raise ProfileFileError(f"{self.file}: expected a column {column!r}, found {known}")
        return [(at, milliwatts(power, mw_per_unit)) for at, power in zip(self.times, powers, strict=True)]


def milliwatts(power: Decimal, mw_per_unit: int) -> int:
    """Return a power in mW, rounded half to even; ValueError beyond 1 TW."""
    if abs(power) * mw_per_unit > MOST_KW * MW_PER["kW"]:
        raise ProfileFileError(f"expected at most 1 TW, found {power}")
    return round(power * mw_per_unit)


def read_table(path: Path, zone: ZoneInfo) -> PowerTable:
    """Return a file's profiles; ProfileFileError for the first mistake."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ProfileFileError(f"{path}: expected at most {LARGEST_BYTES} bytes")
        with path.open(encoding="utf-8-sig", newline="") as text:
            rows = [(number, row) for number, row in enumerate(csv.reader(text), 1) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ProfileFileError(f"{path}: can't be read: {error}") from None
    if not rows:
        raise ProfileFileError(f"{path}: expected powers, found nothing")
    header = [name.strip() for name in rows[0][1]]
    if len(header) == 1 and _is_number(header[0]):
        header = [DEFAULT_COLUMN]
    else:
        rows = rows[1:]
    if not rows or len(header) > _MOST_COLUMNS or len(set(header)) != len(header):
        raise ProfileFileError(f"{path}: expected up to {_MOST_COLUMNS} columns, each name once, and rows of powers")
    has_time = header[0] == _TIME
    powers: list[list[Decimal]] = [[] for _ in header[has_time:]]
    for number, row in rows:
        if len(row) != len(header):
            raise ProfileFileError(f"{path}:{number}: expected {len(header)} columns, found {len(row)}")
        for column, name, field in zip(powers, header[has_time:], row[has_time:], strict=True):
            column.append(_power(field, f"{path}:{number}: {name}"))
    is_daily, times = _times(path, [(number, row[0]) for number, row in rows], zone) if has_time else (True, None)
    if times is None:
        times = _parts(path, len(rows))
    columns = {name: tuple(column) for name, column in zip(header[has_time:], powers, strict=True)}
    return PowerTable(path, is_daily, tuple(times), columns)


def _parts(path: Path, count: int) -> list[int]:
    step = step_of(count)
    if step is None:
        raise ProfileFileError(
            f"{path}: expected as many rows as divide a day into whole minutes (96), found {count} without times"
        )
    return [step * number for number in range(count)]


def _times(path: Path, fields: Sequence[tuple[int, str]], zone: ZoneInfo) -> tuple[bool, list[int]]:
    is_daily = "-" not in fields[0][1]
    times: list[int] = []
    for number, field in fields:
        try:
            at = _time_of_day(field) if is_daily else local_ms(datetime.fromisoformat(field.strip()), zone)
        except (ValueError, OverflowError):
            kind = "a time of day such as 08:15" if is_daily else "a time such as 2026-06-15T08:15"
            raise ProfileFileError(
                f"{path}:{number}: time: expected {kind}, found {field[:_LONGEST_FIELD]!r}"
            ) from None
        if times and at <= times[-1]:
            raise ProfileFileError(f"{path}:{number}: time: expected one after that of the row before, found {field!r}")
        times.append(at)
    return is_daily, times


def _time_of_day(field: str) -> int:
    found = time.fromisoformat(field.strip())
    if found.tzinfo is not None or found.microsecond:
        raise ValueError
    return 1000 * (3600 * found.hour + 60 * found.minute + found.second)


def _is_number(field: str) -> bool:
    try:
        return Decimal(field).is_finite()
    except InvalidOperation:
        return False


def _power(field: str, where: str) -> Decimal:
    try:
        value = Decimal(field.strip()) if len(field) <= _LONGEST_FIELD else None
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or value.adjusted() > 12:  # noqa: PLR2004 - beyond any power
        raise ProfileFileError(f"{where}: expected a power, found {field[:_LONGEST_FIELD]!r}")
    return value
