"""What must hold between the parts of a Modbus profile: no two values share a register, every request has room."""

from collections.abc import Mapping
from typing import Protocol

from profiles.modbus.model import RegisterPoint, RegisterTable, RegisterWrite
from profiles.modbus.orders import RegisterOrders
from profiles.reader import Problems


class _Span(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def address(self) -> int: ...
    @property
    def end(self) -> int: ...


def _overlaps(problems: Problems, prefix: Mapping[str, str], spans: list[tuple[str, _Span]]) -> None:
    """Note every pair of spans that share a register; the later one (by address) is named."""
    spans.sort(key=lambda item: (item[1].address, item[1].end, item[0]))
    open_until: tuple[str, _Span] | None = None
    for key, span in spans:
        if open_until is not None and span.address < open_until[1].end:
            other, before = open_until
            problems.add(
                f"{key}.{prefix.get(key, 'address')}",
                f"registers of its own: {other} takes {before.address}..{before.end - 1}",
                f"{span.address}..{span.end - 1}",
            )
        if open_until is None or span.end > open_until[1].end:
            open_until = (key, span)


def check_overlaps(
    problems: Problems,
    points: Mapping[str, RegisterPoint],
    tables: Mapping[str, RegisterTable],
    writes: Mapping[str, RegisterWrite],
    orders: RegisterOrders | None = None,
) -> None:
    """Note every two of them that share a register."""
    for function in (3, 4):
        spans: list[tuple[str, _Span]] = [
            (f"points.{point.name}", point) for point in points.values() if point.function == function
        ]
        spans += [(f"tables.{table.name}", table) for table in tables.values() if table.function == function]
        if orders is not None:
            spans += [("orders", orders)] if orders.function == function else []
            spans += [("orders.counter", orders.counter)] if orders.counter.function == function else []
        _overlaps(problems, {}, spans)
    if orders is not None:
        # An order may be known by nothing but the number by which it is counted.
        cells: list[tuple[str, _Span]] = [
            (f"orders.fields.{cell.name}", cell)
            for cell in orders.cells
            if not (cell.name == "number" and isinstance(cell, RegisterPoint))
        ]
        _overlaps(problems, {key: "offset" for key, _ in cells}, cells)
    for table in tables.values():
        columns: list[tuple[str, _Span]] = [(f"tables.{table.name}.columns.{c.name}", c) for c in table.columns]
        _overlaps(problems, {key: "offset" for key, _ in columns}, columns)
    targets = {item.name: _WriteSpan(item.name, item.address, item.address + item.count) for item in writes.values()}
    _overlaps(problems, {}, [(f"writes.{name}", span) for name, span in targets.items()])


class _WriteSpan:
    def __init__(self, name: str, address: int, end: int) -> None:
        self.name, self.address, self.end = name, address, end


def check_together(
    problems: Problems,
    points: Mapping[str, RegisterPoint],
    tables: Mapping[str, RegisterTable],
    writes: Mapping[str, RegisterWrite],
    max_registers: int,
) -> None:
    """Note points that no request has room for, and tables whose selector does not exist."""
    for point in points.values():
        if point.count > max_registers:
            problems.add(f"points.{point.name}.type", f"at most {max_registers} registers (max_registers)", point.type)
    for table in tables.values():
        if table.selector is not None and table.selector not in writes:
            expected = "the name of one of the profile's writes: " + (", ".join(writes) or "it has none")
            problems.add(f"tables.{table.name}.selector", expected, table.selector)
