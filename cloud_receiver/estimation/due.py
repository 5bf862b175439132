"""Which stations' night has come: by the clock of each, some time after its midnight."""

from typing import Final

from sqlalchemy import Engine, select

from cloud_receiver.database import reading
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.registry import Registry, Role, Station
from cloud_receiver.schema import station as station_table
from diantan_core import day_start_ms

AHEAD_MS: Final = 2 * 86_400_000
"""What is of a time so much later than it can be was made by a clock that was ahead, and is made anew."""
_MINUTE_MS: Final = 60_000


def offset_ms(settings: Estimation) -> int:
    """Return how long after a midnight the days before it are estimated."""
    hours, minutes = settings.nightly.split(":")
    return (60 * int(hours) + int(minutes)) * _MINUTE_MS


class Due:
    """Stations that take part in error estimation, by number, and those of them that a process has to look after.

    `left`: stations that are not known to be made or tried, with the midnight up to which they are wanted.
    """

    def __init__(self, registry: Registry, settings: Estimation) -> None:
        self._offset_ms = offset_ms(settings)
        self._taking_part = {
            station.id: station
            for station in registry.station
            if station.estimation.enabled and station.meters(Role.CHARGER) and station.meters(Role.GRID)
        }
        self._zones = {station.timezone for station in self._taking_part.values()}
        self._midnights: dict[str, int] = {}
        """By time zone: the midnight up to which its stations are wanted."""
        self.stations: dict[int, Station] = {}
        self.left: dict[int, int] = {}

    def note(self, engine: Engine, now_ms: int) -> bool:
        """Note what is due; return whether a night has come since the last time."""
        wanted = {zone: day_start_ms(now_ms - self._offset_ms, zone) for zone in self._zones}
        known = {zone: self._midnights.get(zone, -1) for zone in wanted}
        new = {zone: midnight for zone, midnight in wanted.items() if not 0 <= known[zone] - midnight <= AHEAD_MS}
        if not new:
            return False
        if not self.stations:
            with reading(engine) as connection:
                numbers = {row.id: row.name for row in connection.execute(select(station_table))}
            part = self._taking_part
            self.stations = {number: part[name] for number, name in sorted(numbers.items()) if name in part}
        for number, station in self.stations.items():
            if station.timezone in new:
                self.left[number] = new[station.timezone]
        self._midnights |= new
        return True
