"""A charger's order log (充电订单) in registers: a counter, and a ring of the last orders."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from profiles.modbus.codec import decode_registers
from profiles.modbus.model import RegisterPoint
from profiles.modbus.order_cells import Cell, MomentCell, TextCell, read_again, read_moment, read_text
from profiles.modbus.plan import ReadBlock
from profiles.model import PERIODS, Block, CodecError, LoggedOrder, NoValueError
from profiles.points import ORDER_TEXTS

RING: Final = "ring"
NEWEST_FIRST: Final = "newest-first"
COUNT: Final = "count"


@dataclass(frozen=True, slots=True)
class CountBlock(ReadBlock):
    """The request for the counter: `first` is what it shows with one order (0 or 1), no value that there is none."""

    first: int = 1
    wraps_at: int = 1

    def decode(self, reply: bytes) -> dict[str, int]:
        """Return the number of the newest order as `count`."""
        shown = ReadBlock.decode(self, reply).get(COUNT)
        return {COUNT: 0 if shown is None else (shown + 1 - self.first) % self.wraps_at}


@dataclass(frozen=True, slots=True)
class OrderBlock(ReadBlock):
    """One request for a row, or for a part of it; texts and times in BCD come as the number that their octets are."""

    cells: tuple[Cell, ...] = ()

    def decode(self, reply: bytes) -> dict[str, int]:
        """Return the values by name; CodecError for another number of octets."""
        if len(reply) != 2 * self.count:
            raise CodecError(f"block at {self.address}: expected {2 * self.count} bytes, got {len(reply)}")
        values: dict[str, int] = {}
        for cell in self.cells:
            if isinstance(cell, RegisterPoint):
                values |= decode_registers((cell,), self.address, reply)
            else:
                offset = 2 * (cell.address - self.address)
                values[cell.name] = int.from_bytes(reply[offset : offset + 2 * cell.count], "big")
        return values


@dataclass(frozen=True, slots=True)
class RegisterOrders:
    """Where the orders stand; the addresses of cells are those in the first row.

    In a ring (`placement`), order n stands in row (n - 1) modulo `rows`, counted from 0; else the newest is in the
    first row. `periods` has the cells of each tariff period (分时段).
    """

    counter: RegisterPoint
    first: int
    function: int
    address: int
    rows: int
    stride: int
    placement: str
    fields: tuple[Cell, ...]
    periods: tuple[tuple[Cell, ...], ...] = ()
    max_registers: int = 125
    gap_cost: int | None = None

    @property
    def name(self) -> str:
        """Return what problems call it."""
        return "orders"

    @property
    def end(self) -> int:
        """Return the address after the last row."""
        return self.address + self.rows * self.stride

    @property
    def wraps_at(self) -> int:
        """How many orders the counter can tell apart."""
        return self.counter.encoding.greatest + 1

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All cells of a row, those of the k-th period named `periods.k.name`, in order of address."""
        found = [*self.fields]
        for number, cells in enumerate(self.periods, 1):
            found += [replace(cell, name=_period_cell(number, cell.name)) for cell in cells]
        return tuple(sorted(found, key=lambda cell: (cell.address, cell.end)))

    def row_of(self, order: int, count: int) -> int:
        """Return in which row, from 0, an order stands; IndexError when it is gone, or is none yet."""
        behind = (count - order) % self.wraps_at
        if behind >= self.rows:
            raise IndexError(f"order {order} is not among the last {self.rows} of {count}")
        return behind if self.placement == NEWEST_FIRST else (order - 1) % self.wraps_at % self.rows

    def count_block(self) -> Block:
        """Return the request for the counter."""
        counter = self.counter
        block = (counter.function, counter.address, counter.count, (replace(counter, name=COUNT),))
        return CountBlock(*block, self.first, self.wraps_at)

    def order_blocks(self, order: int, count: int, timezone: str) -> list[Block]:
        """Return the requests for an order's row, in order of address, and the one for the counter behind them."""
        shift = self.row_of(order, count) * self.stride
        cells = [replace(cell, address=cell.address + shift) for cell in self.cells]
        return [*self._blocks(cells), self.count_block()]

    def _blocks(self, cells: list[Cell]) -> list[Block]:
        """Return the fewest requests; one reads over a gap unless the meter answers for named registers only."""
        groups: list[list[Cell]] = []
        for cell in cells:
            group = groups[-1] if groups else []
            end = max((other.end for other in group), default=0)
            apart = self.gap_cost == 0 and cell.address > end
            if not group or apart or max(cell.end, end) - group[0].address > self.max_registers:
                groups.append([cell])
            else:
                group.append(cell)
        return [
            OrderBlock(
                self.function,
                group[0].address,
                max(cell.end for cell in group) - group[0].address,
                (),
                tuple(group),
            )
            for group in groups
        ]

    def order(self, values: Mapping[str, int], timezone: str) -> LoggedOrder:
        """Return what the values of an order's blocks say; CodecError for a text or time that is none."""
        texts: dict[str, str] = {}
        numbers: dict[str, int] = {}
        for cell in self.fields:
            _read(cell, values.get(cell.name), timezone, texts, numbers)
        local = {cell.name for cell in self.fields if isinstance(cell, MomentCell)}
        if "end" in local:
            _put_after(numbers, "end", numbers.get("start"), timezone)
        periods = []
        for number, cells in enumerate(self.periods, 1):
            found: dict[str, int] = {}
            for cell in cells:
                _read(cell, values.get(_period_cell(number, cell.name)), timezone, {}, found)
            local = {cell.name for cell in cells if isinstance(cell, MomentCell)}
            for name, earliest in (("start", numbers.get("start")), ("end", found.get("start"))):
                if name in local:
                    _put_after(found, name, earliest, timezone)
            if "start" in found:
                periods.append(found)
        index = numbers.pop("index", None)
        if index is not None:
            index = (index + 1 - self.first) % self.wraps_at
        return LoggedOrder(index, texts, numbers, tuple(periods))


def _put_after(numbers: dict[str, int], name: str, earliest_ms: int | None, timezone: str) -> None:
    """Take the later of the two instants of an hour that came twice, where the earlier is before what it follows."""
    time_ms = numbers.get(name)
    if time_ms is None or earliest_ms is None or time_ms >= earliest_ms:
        return
    later_ms = read_again(time_ms, timezone)
    if later_ms >= earliest_ms:
        numbers[name] = later_ms


def _period_cell(number: int, name: str) -> str:
    return f"{PERIODS}{number}.{name}"


def _read(cell: Cell, value: int | None, timezone: str, texts: dict[str, str], numbers: dict[str, int]) -> None:
    if value is None:
        return
    try:
        if isinstance(cell, TextCell):
            texts[cell.name] = read_text(cell, value.to_bytes(2 * cell.count, "big"))
        elif isinstance(cell, MomentCell):
            numbers[cell.name] = read_moment(cell, value.to_bytes(2 * cell.count, "big"), timezone)
        elif cell.name in ORDER_TEXTS:
            texts[cell.name] = str(value)
        else:
            numbers[cell.name] = value
    except NoValueError:
        return
