"""AC power flow of the IEEE 118-bus network for a day: `python -m demo.grid.power_flow DIRECTORY`, where pandapower is.

Loads go by their shapes, sun, wind and reactor give what they give, the others share the rest in proportion to their
rated power, and the slack takes what the loss was guessed wrong. Each slot is one Newton power flow. Powers that are
metered are whole watts; the slack's is rounded to one. Writes DIRECTORY/topology (the grid, docs/grid.md),
DIRECTORY/series (what was measured in each slot) and DIRECTORY/day.json (what made them).
"""

import argparse
import json
import sys
import time as wall
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pandapower  # type: ignore[import-not-found]  # it is in the environment of requirements/power-flow.txt only
from pandapower import networks

from demo.grid import fleet
from demo.grid.fleet import BATTERY, SLACK_BUS, SOURCES, WATTS, SourceKind
from demo.grid.load_shapes import SLOTS, load_shape, sun_shape, wind_shape
from demo.grid.tables import SLOT, Day, Topology, write_day, write_topology

MILLIWATTS: Final = 1_000_000_000
"""In a MW."""
LARGEST_LOADING: Final = 1.15
"""Of the slack's rated power: beyond it the dispatch is wrong."""
PROGRESS_EVERY_S: Final = 60


class PowerFlowError(RuntimeError):
    """There is no power flow of the day; the message names the slot."""


def main() -> int:
    """Compute a day and write it; 1 with the reason when a slot has no solution."""
    parser = argparse.ArgumentParser(prog="python -m demo.grid.power_flow", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--day", type=date.fromisoformat, default=date(2026, 6, 15))
    parser.add_argument("--timezone", type=ZoneInfo, default=ZoneInfo("Asia/Shanghai"))
    parser.add_argument("--seed", type=int, default=20260615, help="of the shapes of loads and wind")
    parser.add_argument(
        "--slots",
        type=int,
        nargs="+",
        choices=range(SLOTS),
        default=range(SLOTS),
        metavar="N",
        help="only these of 0 to 95",
    )
    options = parser.parse_args()
    flow = PowerFlow(options.seed)
    midnight = datetime.combine(options.day, time(), options.timezone)
    try:
        day = flow.day(midnight, options.slots)
    except PowerFlowError as error:
        print(f"power flow: {error}", file=sys.stderr)
        return 1
    write_topology(options.directory / "topology", flow.topology())
    write_day(options.directory / "series", day)
    about = {
        "case": "IEEE 118-bus, pandapower.networks.case118",
        "pandapower": pandapower.__version__,
        "power_flow": "AC, Newton",
        "day": options.day.isoformat(),
        "timezone": options.timezone.key,
        "seed": options.seed,
        "slots": len(options.slots),
    }
    (options.directory / "day.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return 0


@dataclass(frozen=True, slots=True)
class Solved:
    """Flows, generators, loads and storages of one slot by id, as `Day` has them."""

    branches: dict[str, tuple[int, int]]
    generators: dict[str, tuple[int, int]]
    loads: dict[str, int]
    storages: dict[str, tuple[int, int, int, int]]


class PowerFlow:
    """The network, and what its loads and sources do over the day."""

    def __init__(self, seed: int) -> None:
        self._net: Any = networks.case118()
        self._check_case()
        net = self._net
        self._load_buses = [int(bus) + 1 for bus in net.load.bus]
        self._full_loads = list(zip(net.load.p_mw.tolist(), net.load.q_mvar.tolist(), strict=True))
        self._shapes = [
            load_shape(fleet.load_class(bus, full), f"{seed} {bus}")
            for bus, (full, _) in zip(self._load_buses, self._full_loads, strict=True)
        ]
        self._sun = sun_shape()
        self._winds = {item.bus: wind_shape(f"{seed} {item.bus}") for item in SOURCES if item.kind is SourceKind.WIND}
        self._machines = {int(bus) + 1: row for row, bus in zip(net.gen.index, net.gen.bus, strict=True)}
        self._battery = pandapower.create_storage(net, BATTERY.bus - 1, p_mw=0.0, max_e_mwh=240.0)
        self._lost_megawatts: float | None = None

    def _check_case(self) -> None:
        net = self._net
        feeding = {int(bus) + 1 for bus, power in zip(net.gen.bus, net.gen.p_mw, strict=True) if power > 0}
        feeding |= {int(bus) + 1 for bus in net.ext_grid.bus}
        if feeding != {source.bus for source in SOURCES}:
            raise PowerFlowError(f"expected sources at the buses of the fleet, found them at {sorted(feeding)}")

    def topology(self) -> Topology:
        """Return the grid."""
        net = self._net
        plants = {source.bus: source for source in SOURCES}
        nodes = []
        for bus in (int(index) + 1 for index in net.bus.index):
            plant = plants.get(bus)
            if plant is not None:
                nodes.append((fleet.node_id(bus), "plant", plant.name))
            elif bus in fleet.USERS:
                nodes.append((fleet.node_id(bus), "load", f"park {bus} 充电园区"))
            else:
                nodes.append((fleet.node_id(bus), "substation", f"substation {bus} 变电站"))
        lines = zip(net.line.index, net.line.from_bus, net.line.to_bus, strict=True)
        transformers = zip(net.trafo.index, net.trafo.hv_bus, net.trafo.lv_bus, strict=True)
        branches = [
            *(
                (f"L{row + 1:03}", fleet.node_id(start + 1), fleet.node_id(end + 1), "line")
                for row, start, end in lines
            ),
            *(
                (f"T{row + 1:02}", fleet.node_id(high + 1), fleet.node_id(low + 1), "transformer")
                for row, high, low in transformers
            ),
        ]
        stations = {bus: fleet.station_id(bus) for bus in fleet.USERS}
        return Topology(
            nodes,
            branches,
            [(source.id, fleet.node_id(source.bus)) for source in SOURCES],
            [(fleet.load_id(bus), fleet.node_id(bus), stations.get(bus, "")) for bus in self._load_buses],
            [(BATTERY.id, fleet.node_id(BATTERY.bus))],
        )

    def day(self, midnight: datetime, slots: Sequence[int]) -> Day:
        """Solve the slots with these numbers of the day; PowerFlowError names the first one without a solution."""
        solved = []
        told = wall.monotonic()
        for done, slot in enumerate(slots):
            solved.append(self._solve(slot))
            if sys.stderr.isatty():
                print(f"\rpower flow of slot {done + 1} of {len(slots)}", end="", file=sys.stderr, flush=True)
            elif wall.monotonic() - told > PROGRESS_EVERY_S:
                told = wall.monotonic()
                print(f"power flow of slot {done + 1} of {len(slots)}", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            print(file=sys.stderr)
        return Day(
            [midnight + timedelta(seconds=slot * SLOT.total_seconds()) for slot in slots],
            {name: [item.branches[name] for item in solved] for name in solved[0].branches},
            {name: [item.generators[name] for item in solved] for name in solved[0].generators},
            {name: [item.loads[name] for item in solved] for name in solved[0].loads},
            {name: [item.storages[name] for item in solved] for name in solved[0].storages},
        )

    def _solve(self, slot: int) -> Solved:
        loads = self._set_loads(slot)
        charge, discharge = BATTERY.powers(slot * 24 / SLOTS)
        self._net.storage.loc[self._battery, "p_mw"] = (charge - discharge) / WATTS
        taken = sum(loads.values()) + charge - discharge
        if self._lost_megawatts is None:  # the loss of the first slot is known when it has been solved
            self._lost_megawatts = 0.03 * taken / WATTS
            self._dispatch(slot, taken)
            self._run(slot)
        powers = self._dispatch(slot, taken)
        self._run(slot)
        slack = round(float(self._net.res_ext_grid.p_mw.iloc[0]) * WATTS)
        rated = next(source.rated_megawatts for source in SOURCES if source.bus == SLACK_BUS) * WATTS
        if not 0 < slack < LARGEST_LOADING * rated:
            raise PowerFlowError(f"slot {slot}: the slack would give {slack / WATTS:.1f} MW of {rated / WATTS:.1f}")
        powers[SLACK_BUS] = slack
        generators = {source.id: (powers[source.bus] * 1000, source.emission(powers[source.bus])) for source in SOURCES}
        return Solved(
            self._flows(),
            generators,
            {fleet.load_id(bus): watts * 1000 for bus, watts in loads.items()},
            {BATTERY.id: (charge * 1000, discharge * 1000, BATTERY.thousandths, BATTERY.thousandths)},
        )

    def _set_loads(self, slot: int) -> dict[int, int]:
        watts = {}
        for row, bus in enumerate(self._load_buses):
            active, reactive = self._full_loads[row]
            watts[bus] = round(active * self._shapes[row][slot] * WATTS)
            index = self._net.load.index[row]
            self._net.load.loc[index, "p_mw"] = watts[bus] / WATTS
            self._net.load.loc[index, "q_mvar"] = reactive * self._shapes[row][slot]
        return watts

    def _dispatch(self, slot: int, taken: int) -> dict[int, int]:
        powers = {}
        for source in SOURCES:
            shape = {SourceKind.SOLAR: self._sun, SourceKind.WIND: self._winds.get(source.bus)}.get(source.kind)
            if not source.kind.follows:
                powers[source.bus] = round(source.rated_megawatts * WATTS * (shape[slot] if shape else 1))
        lost = round((self._lost_megawatts or 0) * WATTS)
        following = [source for source in SOURCES if source.kind.follows]
        share = (taken + lost - sum(powers.values())) / (sum(item.rated_megawatts for item in following) * WATTS)
        powers |= {source.bus: round(source.rated_megawatts * WATTS * share) for source in following}
        for bus, row in self._machines.items():
            self._net.gen.loc[row, "p_mw"] = powers.get(bus, 0) / WATTS
        return powers

    def _run(self, slot: int) -> None:
        try:
            pandapower.runpp(self._net, numba=False, tolerance_mva=1e-8)
        except pandapower.LoadflowNotConverged as error:
            raise PowerFlowError(f"slot {slot}: the power flow did not converge") from error
        self._lost_megawatts = float(self._net.res_line.pl_mw.sum() + self._net.res_trafo.pl_mw.sum())

    def _flows(self) -> dict[str, tuple[int, int]]:
        lines, transformers = self._net.res_line, self._net.res_trafo
        flows = {
            f"L{row + 1:03}": (round(start * MILLIWATTS), round(end * MILLIWATTS))
            for row, start, end in zip(lines.index, lines.p_from_mw, lines.p_to_mw, strict=True)
        }
        return flows | {
            f"T{row + 1:02}": (round(high * MILLIWATTS), round(low * MILLIWATTS))
            for row, high, low in zip(transformers.index, transformers.p_hv_mw, transformers.p_lv_mw, strict=True)
        }


if __name__ == "__main__":
    sys.exit(main())
