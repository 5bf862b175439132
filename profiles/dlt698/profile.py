"""A DL/T 698.45 profile: the reading plan and the commands of a meter made of objects."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from profiles.dlt698.model import Association, ClockWrite, FactorWrite, ObjectCommand, ObjectPoint, RecordTable
from profiles.dlt698.plan import plan_reads, plan_record
from profiles.dlt698.writes import clock_command, factor_command
from profiles.model import Block, Point, Profile


@dataclass(frozen=True, kw_only=True)
class Dlt698Profile(Profile):
    """A meter that speaks DL/T 698.45-2017."""

    protocol: ClassVar[str] = "dlt698"

    points: Mapping[str, ObjectPoint]
    tables: Mapping[str, RecordTable]
    writes: Mapping[str, ClockWrite | FactorWrite]
    association: Association
    elements: Mapping[int, int]
    """How many elements an attribute is expected to have, by its OAD: what a reply may be long."""

    def plan(self, points: Iterable[Point], timezone: str) -> list[Block]:
        """Return the fewest requests that bring these points of this profile."""
        own = (self.points[point.name] for point in points)
        return list(plan_reads(own, self.elements, self.association, timezone))

    def plan_row(self, table: str, row: int, timezone: str) -> list[Block]:
        """Return the request for the n-th last record of a table; KeyError for the table, IndexError for the row."""
        return list(plan_record(self.tables[table], row, self.association, timezone))

    def command(self, name: str, fields: Mapping[str, int | None], timezone: str) -> ObjectCommand:
        """Return what to set; KeyError for an unknown write, CodecError for its values."""
        write = self.writes[name]
        if isinstance(write, ClockWrite):
            return clock_command(write, fields, self.association, timezone)
        return factor_command(write, name, fields, self.association, timezone)
