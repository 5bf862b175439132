"""A DL/T 645-2007 profile: the reading plan and the commands of a meter with data identifiers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from profiles.dlt645.codec import encode_moment
from profiles.dlt645.formats import DataItem
from profiles.dlt645.model import ClockWrite, Dlt645Command, ItemPoint, ItemTable, SyncStep, WriteStep
from profiles.dlt645.moments import to_moment
from profiles.dlt645.plan import plan_reads
from profiles.dlt645.rows import row_block
from profiles.model import Block, CodecError, Point, Profile

CLOCK_LAYOUTS: Final = {"date": "YYMMDDWW", "time": "hhmmss", "moment": "YYMMDDWWhhmmss"}
SYNC_PARTS: Final = ("year", "month", "day", "hour", "minute", "second")
_DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, kw_only=True)
class Dlt645Profile(Profile):
    """A meter on DL/T 645-2007."""

    protocol: ClassVar[str] = "dlt645"

    points: Mapping[str, ItemPoint]
    tables: Mapping[str, ItemTable]
    writes: Mapping[str, ClockWrite]
    blocks: tuple[DataItem, ...]  # FF blocks (数据块) that the meter is known to serve
    turnaround: int  # what a turnaround of the line is worth, in octets

    def plan(self, points: Iterable[Point], timezone: str) -> list[Block]:
        """Return the fewest requests that bring these points of this profile; KeyError for one of another."""
        wanted = (self.points[point.name] for point in points)
        return list(plan_reads(wanted, self.points, self.blocks, timezone, self.turnaround))

    def plan_row(self, table: str, row: int, timezone: str) -> list[Block]:
        """Return the one request, of several exchanges, for a row; KeyError for the table, IndexError for the row."""
        return [row_block(self.tables[table], row, timezone)]

    def command(self, name: str, fields: Mapping[str, int | None], timezone: str) -> Dlt645Command:
        """Return how the clock is set to the field `time`, ms UTC.

        KeyError for another write. CodecError for other fields, for a time outside 2000..2099, and for a time within a
        minute of midnight where date and time are written apart: the day could turn between the two.
        """
        write = self.writes[name]
        time_ms = fields.get("time")
        if set(fields) != {"time"} or time_ms is None:
            raise CodecError(f"{name}: expected a value for the field time, got {dict(fields)}")
        moment = to_moment(time_ms, timezone)
        if write.authority is None:
            return Dlt645Command(name, (SyncStep({part: moment[part] for part in SYNC_PARTS}),))
        if write.moment is None and not 1 <= moment["hour"] * 60 + moment["minute"] < _DAY_MINUTES - 1:
            raise CodecError(
                f"{name}: expected a time at least a minute from midnight, since date and time are written apart, got "
                f"{moment['hour']:02}:{moment['minute']:02}"
            )
        layouts = {write.date: "date", write.time: "time", write.moment: "moment"}
        steps = [
            WriteStep(di, encode_moment(di, CLOCK_LAYOUTS[layouts[di]], moment), write.authority) for di in write.items
        ]
        return Dlt645Command(name, tuple(steps))
