"""What the pictures of days and months need of the solved slots in the store."""

from collections import defaultdict
from collections.abc import Iterable

from cloud_receiver.figures.day import NodeSlots, SlotFactor, SlotQuality
from cloud_receiver.grid.analysis.fields import Row, Value
from cloud_receiver.grid.analysis.tally import Table

_MWH, _UG, _MG = 1e-6, 1e-9, 1e-6


def node_slots(tables: Iterable[Table]) -> list[NodeSlots]:
    """Return the slots of each node in the tables of the analysis `nodes` by slot, in the order nodes come first.

    The energy is the through-flow of the node, the carbon that of it. A node's name is the newest.
    """
    slots: defaultdict[str, list[SlotFactor]] = defaultdict(list)
    names: dict[str, str] = {}
    for table in tables:
        for row in table.rows:
            node = str(row["node"])
            names[node] = str(row["name"] or "")
            slots[node].append(_slot(table.period.start_ms, row))
    return [NodeSlots(node, own, names[node]) for node, own in slots.items()]


def _slot(start_ms: int, row: Row) -> SlotFactor:
    factor, origin = _number(row["factor_kg_per_kwh"], _MG), row["origin"]
    undefined = factor is None or origin is None
    return SlotFactor(
        start_ms,
        None if undefined else factor,
        SlotQuality.UNDEFINED if undefined else SlotQuality(str(origin)),
        _number(row["energy_kwh"], _MWH),
        None if undefined else _number(row["carbon_kg"], _UG),
    )


def _number(value: Value, unit: float) -> float | None:
    return value * unit if isinstance(value, int) else None
