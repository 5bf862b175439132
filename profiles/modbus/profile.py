"""A Modbus profile: the reading plan and the commands of a meter in registers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from profiles.modbus.codec import encode, encode_missing
from profiles.modbus.model import RegisterCommand, RegisterPoint, RegisterTable, RegisterWrite
from profiles.modbus.orders import RegisterOrders
from profiles.modbus.plan import plan_reads
from profiles.model import Block, CodecError, Point, Profile


@dataclass(frozen=True, kw_only=True)
class ModbusProfile(Profile):
    """A meter on Modbus."""

    protocol: ClassVar[str] = "modbus"

    points: Mapping[str, RegisterPoint]
    tables: Mapping[str, RegisterTable]
    writes: Mapping[str, RegisterWrite]
    orders: RegisterOrders | None = None
    max_registers: int
    gap_cost: int | None  # None: the planner's default; 0: the meter answers for no register but those of its points

    def plan(self, points: Iterable[Point], timezone: str) -> list[Block]:
        """Return the fewest requests that bring these points of this profile."""
        wanted = [self.points[point.name] for point in points]
        return list(plan_reads(wanted, self.max_registers, self.gap_cost, self.points.values()))

    def plan_row(self, table: str, row: int, timezone: str) -> list[Block]:
        """Return the requests for one row of a table; KeyError for the table, IndexError for the row."""
        found = self.tables[table]
        shift = found.row_address(row) - found.address
        columns = [replace(column, address=column.address + shift) for column in found.columns]
        return list(plan_reads(columns, self.max_registers, self.gap_cost))

    def command(self, name: str, fields: Mapping[str, int | None], timezone: str) -> RegisterCommand:
        """Return the registers to write; a field of None is its "no value" pattern, CodecError where it has none."""
        write = self.writes[name]
        if {field.name for field in write.fields} != set(fields):
            wanted = [field.name for field in write.fields]
            raise CodecError(f"{name}: expected the fields {wanted}, got {sorted(fields)}")
        words: list[int] = []
        for field in write.fields:
            value = fields[field.name]
            if value is None and field.missing is None:
                raise CodecError(f"{name}: the meter has no way to say that {field.name} is undefined")
            words += encode_missing(field) if value is None else encode(field, value)
        return RegisterCommand(name, write.function, write.address, tuple(words))
