"""Which clock the sessions' times are by: an hour in which no vehicle was plugged in must have next to no energy.

Both files have local times without an offset. Were those of the sessions by another clock (no summer time, UTC), the
meter would count a charge before its session begins.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final
from zoneinfo import ZoneInfo

from demo.garage.files import GARAGE, ZONE, Source, lines_of

_FORMAT: Final = "%d.%m.%Y %H:%M"
_HOUR_S: Final = 3600
_CHARGES_KWH: Final = 0.3
"""More than anything but a vehicle takes in an hour here."""
_NONE: Final = ("", "NA")
SHIFTS: Final = (-1, 0, 1)


@dataclass(frozen=True, slots=True)
class Free:
    """Hours without a vehicle if sessions were so many hours later, and those of them in which something charged."""

    summer: bool
    shift_h: int
    hours: int
    charging: int


def free_hours(source: Source) -> list[Free]:
    """Return the count for summer and winter time, and for each shift."""
    zone = ZoneInfo(ZONE)
    energies = _energies(source, zone)
    sessions = sorted(_sessions(source, zone))
    found = []
    for summer in (False, True):
        for shift in SHIFTS:
            starts = [start + shift * _HOUR_S for start, _ in sessions]
            # The latest end of all sessions that began by then.
            ends = list(accumulate((end + shift * _HOUR_S for _, end in sessions), max))
            free = [
                energy
                for begin, energy in energies.items()
                if _is_summer(begin, zone) == summer and _is_free(begin, starts, ends)
            ]
            found.append(Free(summer, shift, len(free), sum(energy > _CHARGES_KWH for energy in free)))
    return found


def _is_summer(time_s: int, zone: ZoneInfo) -> bool:
    return bool(datetime.fromtimestamp(time_s, zone).dst())


def _is_free(begin: int, starts: Sequence[int], ends: Sequence[int]) -> bool:
    place = bisect_left(starts, begin + _HOUR_S)
    # Times are whole minutes: one that ends at 12:00 may end at 12:00:59.
    return not place or ends[place - 1] + 60 <= begin


def _energies(source: Source, zone: ZoneInfo) -> dict[int, float]:
    """Return the meter's energy by the beginning of its hour; clocks that are put back show an hour twice."""
    found: dict[int, float] = {}
    for line in lines_of(source.master):
        if line["AMS_kWh"] in _NONE:
            continue
        shown = datetime.strptime(line["date_from"], _FORMAT).replace(tzinfo=zone)
        begin = int(shown.timestamp())
        if begin in found:
            begin = int(shown.replace(fold=1).timestamp())
        found[begin] = float(line["AMS_kWh"].replace(",", "."))
    return found


def _sessions(source: Source, zone: ZoneInfo) -> list[tuple[int, int]]:
    found = []
    for line in lines_of(source.sessions):
        if line["Garage_ID"] != GARAGE:
            continue
        start = datetime.strptime(line["Start_plugin"], _FORMAT).replace(tzinfo=zone)
        # Five have no end: none of them was longer than a day, as the same vehicles came again.
        end = start + timedelta(days=1)
        if line["End_plugout"] not in _NONE:
            end = datetime.strptime(line["End_plugout"], _FORMAT).replace(tzinfo=zone)
        found.append((int(start.timestamp()), int(end.timestamp())))
    return found
