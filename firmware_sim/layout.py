"""Which register of a profile belongs to what: worked out once for all meters of a model."""

from dataclasses import dataclass
from typing import Final

from profiles import Profile
from profiles.modbus.model import RegisterTable
from profiles.modbus.order_cells import Cell
from profiles.modbus.orders import RegisterOrders
from profiles.modbus.plan import DEFAULT_GAP_COST
from profiles.modbus.profile import ModbusProfile

ORDERS: Final = "orders"
_CACHED_REQUESTS: Final = 512


class AddressError(LookupError):
    """Registers that the meter does not have (Modbus exception code 2)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A point, or a column in a row of a table, `offset` registers after the start of a request (or before it).

    Of an order log (`table` ORDERS), `row` 0 is the counter and the rows count from 1.
    """

    offset: int
    point: Cell
    table: str | None
    row: int


@dataclass(frozen=True, slots=True)
class _Owner:
    start: int
    point: Cell
    table: str | None
    row: int


class Layout:
    """The registers of a meter model.

    Between two points that are no further apart than the profile's gap cost, unused registers read as 0: the agent's
    plan reads over such gaps, and so do real masters. A profile with gap cost 0 has a meter that refuses them.
    """

    def __init__(self, profile: Profile) -> None:
        if not isinstance(profile, ModbusProfile):
            raise TypeError(f"{profile.name}: registers are for meters on Modbus, this one speaks {profile.protocol}")
        self.profile = profile
        self._gap = DEFAULT_GAP_COST if profile.gap_cost is None else profile.gap_cost
        self._owners: dict[int, dict[int, _Owner]] = {3: {}, 4: {}}
        self._areas: dict[int, list[tuple[int, int]]] = {}
        self._requests: dict[tuple[int, int, int], tuple[Part, ...]] = {}
        for function, owners in self._owners.items():
            self._areas[function] = self._lay_out(function, owners)

    def locate(self, function: int, address: int, count: int) -> tuple[Part, ...]:
        """Return what a request touches; AddressError when one of its registers does not exist."""
        key = (function, address, count)
        parts = self._requests.get(key)
        if parts is None:
            parts = self._locate(function, address, count)
            # Somebody may try every address there is.
            if len(self._requests) >= _CACHED_REQUESTS:
                self._requests.clear()
            self._requests[key] = parts
        return parts

    def _locate(self, function: int, address: int, count: int) -> tuple[Part, ...]:
        areas = self._areas.get(function, [])
        if not any(start <= address and address + count <= end for start, end in areas):
            raise AddressError(f"function {function}: no registers {address}..{address + count - 1}")
        owners = self._owners[function]
        found = dict.fromkeys(owners[position] for position in range(address, address + count) if position in owners)
        return tuple(Part(owner.start - address, owner.point, owner.table, owner.row) for owner in found)

    def _lay_out(self, function: int, owners: dict[int, _Owner]) -> list[tuple[int, int]]:
        spans: list[tuple[int, int]] = []
        for point in self.profile.points.values():
            if point.function == function:
                spans.append((point.address, point.end))
                _own(owners, _Owner(point.address, point, None, 0))
        for table in self.profile.tables.values():
            if table.function == function:
                spans.append((table.address, table.end))
                for owner in _cells(table):
                    _own(owners, owner)
        if self.profile.orders is not None:
            spans += _lay_out_orders(self.profile.orders, function, owners)
        areas: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if areas and start - areas[-1][1] <= self._gap:
                areas[-1] = (areas[-1][0], max(end, areas[-1][1]))
            else:
                areas.append((start, end))
        return areas


def _own(owners: dict[int, _Owner], owner: _Owner) -> None:
    owners.update(dict.fromkeys(range(owner.start, owner.start + owner.point.count), owner))


def _cells(table: RegisterTable) -> list[_Owner]:
    return [
        _Owner(column.address + table.row_address(row) - table.address, column, table.name, row)
        for row in range(table.first_row, table.last_row + 1)
        for column in table.columns
    ]


def _lay_out_orders(orders: RegisterOrders, function: int, owners: dict[int, _Owner]) -> list[tuple[int, int]]:
    spans = []
    if orders.counter.function == function:
        spans.append((orders.counter.address, orders.counter.end))
        _own(owners, _Owner(orders.counter.address, orders.counter, ORDERS, 0))
    if orders.function == function:
        spans.append((orders.address, orders.end))
        for row in range(orders.rows):
            for cell in orders.cells:
                _own(owners, _Owner(cell.address + row * orders.stride, cell, ORDERS, row + 1))
    return spans
