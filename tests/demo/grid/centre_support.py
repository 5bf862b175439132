"""Four slots of the IEEE 118-bus day (`demo.grid.power_flow --slots 0 44 48 72`), and a centre that solved them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cloud_receiver.grid.kept import KeptSlot, NodeQuality, NodeResults, Powers, of
from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.solving import core_grid
from demo.grid.books import core_slot
from demo.grid.records import MeterSlot
from demo.grid.tables import SLOT_MS, Day
from diantan_core import CarbonFlow
from wire.messages import Origin

DAY_START = datetime.fromisoformat("2026-06-15T00:00:00+08:00")
SAMPLE = Path(__file__).parent / "sample"


@dataclass(frozen=True)
class Centre:
    """Solved slots, and the records of meters that received their factors."""

    grid: Grid
    kept: Sequence[KeptSlot]
    records: Mapping[int, Mapping[str, MeterSlot]]
    metered: frozenset[str]

    @property
    def slots_ms(self) -> list[int]:
        return [slot.start_ms for slot in self.kept]


def powers_of(day: Day, slot: int, grid: Grid, tank: tuple[float, float, float]) -> Powers:
    """Return what the telemetry and the meters say of a slot."""

    def mw(value: int) -> float:
        return value / 10**9

    def registers(pair: tuple[int, int]) -> list[float]:
        return [part for value in pair for part in (max(mw(value), 0.0), max(-mw(value), 0.0))]

    return Powers(
        0.25,
        of(value for item in grid.branches for value in registers(day.branches[item.id][slot])),
        of(
            value
            for item in grid.generators
            for value in (mw(day.generators[item.id][slot][0]), None, day.generators[item.id][slot][1] / 10**12)
        ),
        of(value for item in grid.loads for value in (mw(day.loads[item.id][slot]), None)),
        of(
            value
            for item in grid.storages
            for value in (
                *map(mw, day.storages[item.id][slot][:2]),
                *(efficiency / 1000 for efficiency in day.storages[item.id][slot][2:]),
                *tank,
            )
        ),
    )


def node_results(flow: CarbonFlow) -> NodeResults:
    """Return what the centre keeps and dispatches of a solution."""
    qualities = tuple(NodeQuality[name.upper()] for name in flow.qualities)
    origins = (Origin.SOLVED,) * len(qualities)
    return NodeResults(of(flow.factors), of(flow.flux_megawatts), qualities, tuple(flow.factors_mg_per_kwh), origins)


def recorded(power: int, factor: int, held: int) -> MeterSlot:
    """Return what a user's meter records at a power in mW: first by another slot's factor, then adjusted."""
    energy = power // 4
    first = energy * held // 1000
    return MeterSlot(SLOT_MS, energy, 0, first, energy * factor // 1000 - first, 2, 1)


Changes = Callable[[Powers], Powers]


def centre_of(day: Day, grid: Grid, metered: frozenset[str], correct: Changes = lambda powers: powers) -> Centre:
    """Solve the slots as the centre does, and meter with what came of it; `correct` makes the used powers."""
    kept, records = [], {}
    tank = (0.0, 0.0, 0.0)
    held = 500_000
    for slot, start in enumerate(day.starts):
        start_ms = round(start.timestamp()) * 1000
        measured = powers_of(day, slot, grid, tank)
        used = correct(measured)
        flow = core_grid(grid).solve(core_slot(used))
        nodes = node_results(flow)
        kept.append(KeptSlot(start_ms, 1, 1, bytes(32), start_ms + SLOT_MS, measured, used, nodes))
        tank = flow.tanks[0]
        factors = dict(zip((node.id for node in grid.nodes), nodes.dispatched, strict=True))
        records[start_ms] = {
            item.id: MeterSlot(SLOT_MS, power // 4, 0, emission // 4, 0, 1, 1)
            for item in grid.generators
            if item.id in metered
            for power, emission in [day.generators[item.id][slot]]
        } | {
            item.id: recorded(day.loads[item.id][slot], factors[item.node] or 0, held)
            for item in grid.loads
            if item.id in metered
        }
        held = factors["B118"] or 0
    return Centre(grid, kept, records, metered)


def with_record(centre: Centre, start_ms: int, element: str, **changes: int) -> Centre:
    """Return the centre with one meter's slot changed."""
    slot = dict(centre.records[start_ms])
    slot[element] = replace(slot[element], **changes)
    return replace(centre, records={**centre.records, start_ms: slot})
