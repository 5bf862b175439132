"""A slot of the store as the measurements of a network, by ids again."""

import math
from collections.abc import Iterator, Sequence

from cloud_receiver.grid.kept import FLOW, LOAD, SOURCE, TANK, Powers
from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.snapshot import Charge, Demand, EndPowers, EndRegisters, Flow, Generation, Snapshot


def snapshot_of(grid: Grid, powers: Powers, start_ms: int) -> Snapshot:
    """Return the measurements that the store has in the order of a grid."""
    return Snapshot(
        flows={
            item.id: _flow(row)
            for item, row in zip(grid.branches, _rows(powers.flows, FLOW), strict=True)
            if not all(map(math.isnan, row))
        },
        generators={
            item.id: Generation(*map(_number, row))
            for item, row in zip(grid.generators, _rows(powers.sources, SOURCE), strict=True)
        },
        loads={
            item.id: Demand(*map(_number, row)) for item, row in zip(grid.loads, _rows(powers.loads, LOAD), strict=True)
        },
        storages={item.id: _charge(row) for item, row in zip(grid.storages, _rows(powers.storages, TANK), strict=True)},
        open_branches=frozenset(grid.branches[place].id for place in powers.open_branches),
        hours=powers.hours,
        start_ms=start_ms,
    )


def _flow(registers: Sequence[float]) -> Flow:
    from_in, from_out, to_in, to_out = map(_number, registers)
    if (from_in and from_out) or (to_in and to_out):
        return EndRegisters(from_in, from_out, to_in, to_out)
    return EndPowers(_net(from_in, from_out), _net(to_in, to_out))


def _net(inward: float | None, outward: float | None) -> float | None:
    return None if inward is None or outward is None else inward - outward


def _charge(row: Sequence[float]) -> Charge:
    charge, discharge, into, out, stored, tonnes, unknown = row
    return Charge(
        *(_number(charge), _number(discharge)),
        *(default if math.isnan(share) else share for share, default in ((into, 1.0), (out, 1.0))),
        *(0.0 if math.isnan(amount) else amount for amount in (stored, tonnes, unknown)),
    )


def _rows(numbers: Sequence[float], width: int) -> Iterator[Sequence[float]]:
    for place in range(0, len(numbers), width):
        yield numbers[place : place + width]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
