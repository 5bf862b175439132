"""The reading plan: the cheapest set of requests that covers the wanted points.

A request costs as much time as a number of registers does, so reading over a gap of unused registers pays while the
gap is shorter than that. At 9600 Bd a Modbus RTU exchange costs 13 bytes of frame, two silences of 3.5 characters and
about 20 ms until the meter answers, together as long as 20 registers on the line: the default. Over TCP it costs more.

Not every meter answers for registers that its map does not name. Of such a meter (a cost of 0) only registers of known
points are read over.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from profiles.modbus.codec import decode_registers, pack_words
from profiles.modbus.model import RegisterPoint, RegisterTable
from profiles.model import CodecError

MAX_REGISTERS: Final = 125  # Modbus application protocol 1.1b3, 6.3 and 6.4
DEFAULT_GAP_COST: Final = 20


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """One request: `count` registers from `address` by `function`, and the points they contain in order of address."""

    function: int
    address: int
    count: int
    points: tuple[RegisterPoint, ...]

    def decode(self, reply: bytes) -> dict[str, int]:
        """Return the values by name from the registers' octets as they came; CodecError for another number of them."""
        if len(reply) != 2 * self.count:
            raise CodecError(f"block at {self.address}: expected {2 * self.count} bytes, got {len(reply)}")
        return decode_registers(self.points, self.address, reply)


@dataclass(frozen=True, slots=True)
class RowBlock:
    """One request for whole rows of a table."""

    function: int
    address: int
    count: int
    first_row: int
    rows: int


def plan_reads(
    points: Iterable[RegisterPoint],
    max_registers: int = MAX_REGISTERS,
    gap_cost: int | None = None,
    known: Iterable[RegisterPoint] = (),
) -> list[ReadBlock]:
    """Return the blocks of least total cost (requests times `gap_cost` plus registers), in order of address.

    Every point is in exactly one block, whole; the result does not depend on the order of the points, and equal ones
    are read once. `gap_cost` None stands for the default; 0 for the default too, with no register read that neither
    one of the points nor a `known` one has. ValueError when a point alone does not fit `max_registers`, or that is
    not 1..125.
    """
    if not 1 <= max_registers <= MAX_REGISTERS:
        raise ValueError(f"max_registers: expected 1..{MAX_REGISTERS}, got {max_registers}")
    cost = gap_cost or DEFAULT_GAP_COST
    unique = sorted(set(points), key=lambda point: (point.function, point.address, point.count, point.name))
    named = _registers([*unique, *known]) if gap_cost == 0 else None
    blocks: list[ReadBlock] = []
    for _, group in groupby(unique, key=lambda point: point.function):
        blocks += _plan_function(list(group), max_registers, cost, named)
    return blocks


def _registers(points: Iterable[RegisterPoint]) -> frozenset[tuple[int, int]]:
    return frozenset((point.function, address) for point in points for address in range(point.address, point.end))


def _plan_function(
    points: list[RegisterPoint], max_registers: int, cost: int, named: frozenset[tuple[int, int]] | None
) -> list[ReadBlock]:
    # best[i]: least (cost, requests) to read the first i points; cut[i]: where the last block of that plan starts.
    # A tie goes to fewer requests. `named`: the registers that may be read; None: all of them.
    function = points[0].function
    best: list[tuple[int, int]] = [(0, 0)]
    cut: list[int] = [0]
    for stop in range(1, len(points) + 1):
        candidates: list[tuple[int, int, int]] = []
        end = after = points[stop - 1].address
        for start in range(stop - 1, -1, -1):
            gap = range(points[start].end, after)
            if named is not None and any((function, address) not in named for address in gap):
                break
            end, after = max(end, points[start].end), points[start].address
            count = end - after
            if count > max_registers:
                break
            before, requests = best[start]
            candidates.append((before + cost + count, requests + 1, start))
        if not candidates:
            point = points[stop - 1]
            raise ValueError(f"{point.name}: {point.count} registers don't fit a request of {max_registers}")
        total, requests, start = min(candidates)
        best.append((total, requests))
        cut.append(start)
    blocks: list[ReadBlock] = []
    stop = len(points)
    while stop:
        members = tuple(points[cut[stop] : stop])
        address = members[0].address
        blocks.append(ReadBlock(function, address, max(point.end for point in members) - address, members))
        stop = cut[stop]
    return blocks[::-1]


def plan_rows(table: RegisterTable, first: int, last: int, max_registers: int = MAX_REGISTERS) -> list[RowBlock]:
    """Return the requests for the rows `first` to `last` of a table, as many whole rows in each as fit.

    IndexError for a row the table does not have, ValueError when a row does not fit a request.
    """
    per_request = max_registers // table.stride
    if per_request == 0:
        raise ValueError(f"{table.name}: a row of {table.stride} registers does not fit a request of {max_registers}")
    table.row_address(first)
    table.row_address(last)
    return [
        RowBlock(
            table.function,
            table.row_address(row),
            min(per_request, last - row + 1) * table.stride,
            row,
            min(per_request, last - row + 1),
        )
        for row in range(first, last + 1, per_request)
    ]


def decode_rows(table: RegisterTable, block: RowBlock, words: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return the rows of a block of a table by row number, each as column name to value; absent where there is none."""
    data = pack_words(words, block.count)
    rows = {}
    for number in range(block.first_row, block.first_row + block.rows):
        offset = 2 * (table.row_address(number) - block.address)
        rows[number] = decode_registers(table.columns, table.address, data[offset : offset + 2 * table.stride])
    return rows
