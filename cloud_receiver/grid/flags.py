"""What the reader of a grid's factors has to know, and what was solved in spite of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cloud_receiver.grid.snapshot import EndPowers, EndRegisters, Flow, Network, Snapshot
from cloud_receiver.grid.topology import islands

_OPEN_MEGAWATTS: Final = 0.001


class FlagKind(StrEnum):
    """What a flag says."""

    ISLAND = "island_without_source"  # 无电源孤岛
    FAULT = "fault"
    OPEN_FLOW = "flow_on_open_branch"
    MISSING = "missing_measurement"
    IMBALANCE = "imbalance"


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that a slot is solved in spite of: `where` is the element, or the first node of an island."""

    kind: FlagKind
    where: str
    text: str
    nodes: tuple[str, ...] = ()


def island_flags(network: Network) -> Iterator[Flag]:
    """Flag each island in which nothing feeds in."""
    for island in islands(network.grid, network.snapshot):
        if not island.fed:
            count = f"{len(island.nodes)} node{'s' * (len(island.nodes) > 1)}"
            what = "and loads that take power" if island.consuming else "and nothing takes power"
            text = f"island of {count} has no source, {what}: no factor"
            yield Flag(FlagKind.ISLAND, f"node {island.nodes[0]}", text, island.nodes)


def open_flags(snapshot: Snapshot) -> Iterator[Flag]:
    """Flag each branch that is said to be open and on which power was measured."""
    for name in sorted(snapshot.open_branches):
        largest = max((abs(value) for value in powers(snapshot.flows.get(name)) if value is not None), default=0.0)
        if largest > _OPEN_MEGAWATTS:
            text = f"is open, and {largest:g} MW are measured on it: taken as 0"
            yield Flag(FlagKind.OPEN_FLOW, f"branch {name}", text)


def missing_flags(network: Network) -> Iterator[Flag]:
    """Flag each element of which a measurement is not there; open branches need none."""
    grid, snapshot = network.grid, network.snapshot
    values: list[tuple[str, tuple[float | None, ...]]] = [
        (f"branch {item.id}", powers(snapshot.flows.get(item.id)))
        for item in grid.branches
        if item.id not in snapshot.open_branches
    ]
    for generator in grid.generators:
        made = snapshot.generators.get(generator.id)
        values.append((f"generator {generator.id}", (None if made is None else made.megawatts,)))
    for load in grid.loads:
        used = snapshot.loads.get(load.id)
        values.append((f"load {load.id}", (None if used is None else used.megawatts,)))
    for storage in grid.storages:
        charge = snapshot.storages.get(storage.id)
        both = (None,) if charge is None else (charge.charge_megawatts, charge.discharge_megawatts)
        values.append((f"storage {storage.id}", both))
    for where, numbers in values:
        if None in numbers:
            yield Flag(FlagKind.MISSING, where, "a power was not measured: its nodes get no factor")


def powers(flow: Flow | None) -> tuple[float | None, ...]:
    """Return the powers or registers of a flow; a missing one for no flow."""
    if isinstance(flow, EndRegisters):
        return flow.from_in_megawatts, flow.from_out_megawatts, flow.to_in_megawatts, flow.to_out_megawatts
    if isinstance(flow, EndPowers):
        return flow.from_megawatts, flow.to_megawatts
    return (None,)
