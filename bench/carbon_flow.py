"""Nodal carbon flow: seconds a solve in Rust, beside scipy's sparse LU of the same equations in the same run.

Networks: those of the shared data, and a synthetic one of a million nodes with loops, its nodes numbered by area and at
random. Our whole is from measured flows to the results of nodes, branches, sources and loads and the balance; its three
steps are told too. Like is set against like: scipy's `splu` (COLAMD) and `solve` against our step from equations to
factors, which is the ratio of the target; the same with its equations made by numpy against both our steps; and `splu`
and `solve` alone against our whole, which does more. Grids and indices that serve all slots are not timed of either.
scipy's factors must agree with ours to 1e-9 where the through-flow is at least 1e-3 MW.
"""

import ctypes
import importlib
import importlib.util
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.limits import LimitError

Ints = NDArray[np.uint32]
Floats = NDArray[np.float64]

ROOT = Path(__file__).parent.parent
SHARED = ("case118_ac", "case1354pegase_ac", "case9241pegase_ac")
SIDE = 1000  # nodes along each side of the synthetic network
SLOTS = 96
DEAD_MW = 1e-6
COMPARED_MW = 1e-3
FACTORS = np.array([0.875, 0.525, 0.0, 0.52, 0.0])  # kg/kWh
TARGET_S = {"case118_ac": 5e-6, "million": 0.3}
SCIPY = importlib.util.find_spec("scipy") is not None  # not among the pinned requirements
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEPT_BYTES = 1 << 30
TARGET_RATIO = 15.0  # from 1000 nodes on


@dataclass(frozen=True)
class Network:
    """A network and what was measured in a slot; powers in MW."""

    name: str
    nodes: int
    ends: Ints  # (branches, 2)
    flows: Floats  # (branches, 2), into the branch
    source_nodes: Ints
    sources: Floats  # (sources, 2): power, factor
    load_nodes: Ints
    loads: Floats

    def write(self, path: Path) -> None:
        """Write it as the Rust example reads it."""
        counts = [self.nodes, len(self.ends), len(self.sources), len(self.loads)]
        parts = [
            np.array(counts, "<u8"),
            self.ends.astype("<u4"),
            self.flows.astype("<f8"),
            self.source_nodes.astype("<u4"),
            self.sources.astype("<f8"),
            self.load_nodes.astype("<u4"),
            self.loads.astype("<f8"),
        ]
        path.write_bytes(b"".join(part.tobytes() for part in parts))


def _sums(places: NDArray[Any], values: Floats, nodes: int) -> Floats:
    """Return the sum of the values at each node."""
    return np.bincount(places, values, nodes).astype(np.float64)


def shared_network(name: str) -> Network | None:
    """Return a network of the shared data, None where there is none."""
    shared = Path(os.environ.get("DIANTAN_SHARED", "../shared"))
    path = shared / "data" / "carbon_flow_reference" / f"{name}.json"
    if not path.exists():
        return None
    data = json.loads(path.read_text())
    place = {bus: index for index, bus in enumerate(data["bus"])}
    return Network(
        name,
        len(place),
        np.array([[place[row[1]], place[row[2]]] for row in data["branch"]], np.uint32),
        np.array([row[3:5] for row in data["branch"]], float),
        np.array([place[row[1]] for row in data["gen"]], np.uint32),
        np.array([row[2:4] for row in data["gen"]], float),
        np.array([place[row[1]] for row in data["load"]], np.uint32),
        np.array([row[2] for row in data["load"]], float),
    )


def synthetic_network(*, shuffled: bool) -> Network:
    """Make a network of a million nodes: a lattice with half its columns' branches, losses, and 20 000 loops.

    Power flows down a hilly potential; around 20 000 squares it circulates besides. What a node then lacks is its
    source, what it has too much its load.
    """
    random = np.random.default_rng(20261120)
    number = np.arange(SIDE * SIDE, dtype=np.int64).reshape(SIDE, SIDE)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    potential = 300 * (np.sin(9 * rows) * np.cos(7 * columns) + rows) + random.normal(0.0, 0.5, (SIDE, SIDE))
    across = np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], axis=1)
    down = np.stack([number[:-1].ravel(), number[1:].ravel()], axis=1)
    corner = random.choice((SIDE - 1) * (SIDE - 1), 20_000, replace=False)
    top, left = corner // (SIDE - 1), corner % (SIDE - 1)
    square = [number[top, left], number[top, left + 1], number[top + 1, left + 1], number[top + 1, left]]
    kept = random.random(len(down)) < 0.5
    ends = np.concatenate([across, down[kept]])
    circles = np.concatenate([np.stack([square[at], square[(at + 1) % 4]], axis=1) for at in range(4)])
    height = potential.ravel()
    power = np.concatenate([np.abs(height[ends[:, 0]] - height[ends[:, 1]]) + 0.01, np.full(len(circles), 2.0)])
    downhill = height[ends[:, 0]] > height[ends[:, 1]]
    ends = np.concatenate([np.where(downhill[:, None], ends, ends[:, ::-1]), circles])
    received = power * (1 - random.uniform(0.0, 0.02, len(power)))
    net = _sums(ends[:, 1], received, SIDE * SIDE) - _sums(ends[:, 0], power, SIDE * SIDE)
    flows = np.stack([power, -received], axis=1)
    turned = random.random(len(ends)) < 0.5  # measured from the other end: the sign, not the order, says the direction
    ends = np.where(turned[:, None], ends[:, ::-1], ends)
    flows = np.where(turned[:, None], flows[:, ::-1], flows)
    if shuffled:
        order = random.permutation(SIDE * SIDE)
        branches = random.permutation(len(ends))
        ends, flows = order[ends][branches], flows[branches]
        net = net[np.argsort(order)]
    plants, towns = np.flatnonzero(net < 0), np.flatnonzero(net > 0)
    return Network(
        f"million, numbered {'at random' if shuffled else 'by area'}",
        SIDE * SIDE,
        ends.astype(np.uint32),
        flows,
        plants.astype(np.uint32),
        np.stack([-net[plants], FACTORS[np.arange(len(plants)) % len(FACTORS)]], axis=1),
        towns.astype(np.uint32),
        net[towns],
    )


def _equations(network: Network) -> tuple[Any, Floats, Floats, NDArray[np.bool_]]:
    """Return scipy's matrix and right side, the through-flows, and which nodes are alive."""
    first, second = network.flows[:, 0], network.flows[:, 1]
    ahead, back = (first > 0) & (second < 0), (second > 0) & (first < 0)
    starts = np.concatenate([network.ends[ahead, 0], network.ends[back, 1]]).astype(np.int64)
    stops = np.concatenate([network.ends[ahead, 1], network.ends[back, 0]]).astype(np.int64)
    received = np.concatenate([-second[ahead], -first[back]])
    powers = np.maximum(network.sources[:, 0], 0.0)
    own = _sums(network.source_nodes, powers, network.nodes)
    carbon = _sums(network.source_nodes, powers * network.sources[:, 1], network.nodes)
    while True:
        flux = own + _sums(stops, received, network.nodes)
        alive = flux >= DEAD_MW
        kept = alive[starts] & alive[stops]
        if kept.all():
            break
        starts, stops, received = starts[kept], stops[kept], received[kept]
    everyone = np.arange(network.nodes)
    matrix = importlib.import_module("scipy.sparse").csc_matrix(
        (
            np.concatenate([np.where(alive, flux, 1.0), -received]),
            (np.concatenate([everyone, stops]), np.concatenate([everyone, starts])),
        ),
        shape=(network.nodes, network.nodes),
    )
    return matrix, carbon, flux, alive


def _keep_memory() -> None:
    """Have glibc keep what is freed, as our workspace does: else scipy waits for the system's pages in each round."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)


def _peer(network: Network, rounds: int) -> tuple[float, float, Floats, Floats]:
    """Return scipy's best seconds of the equations and of solving them, its factors (NaN: none), the through-flows."""
    splu = importlib.import_module("scipy.sparse.linalg").splu
    _keep_memory()
    made = solved = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        matrix, carbon, flux, alive = _equations(network)
        made = min(made, time.perf_counter() - started)
    # Of one matrix again and again: splu sorts what is not sorted, and caches are warm, as ours are.
    for _ in range(rounds):
        started = time.perf_counter()
        factors = splu(matrix, permc_spec="COLAMD").solve(carbon)
        solved = min(solved, time.perf_counter() - started)
    return made, solved, np.where(alive, factors, np.nan), flux


def build_example(name: str = "carbon_flow") -> Path:
    """Return the Rust program that times the core, built."""
    build = ["cargo", "build", "--release", "--quiet", "--locked", "--package", "diantan-core", "--example", name]
    subprocess.run(build, cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "examples" / name


def solve_in_rust(program: Path, network: Network, directory: Path) -> tuple[dict[str, float], Floats]:
    """Return the best seconds by what was timed, and the factors (NaN for none)."""
    source, factors = directory / "network", directory / "factors"
    network.write(source)
    large = network.nodes >= 100_000
    arguments = [program, source, factors, "9" if large else "15", "4" if large else str(SLOTS)]
    run = subprocess.run(arguments, check=True, capture_output=True, text=True)
    return json.loads(run.stdout), np.frombuffer(factors.read_bytes(), "<f8")


def seconds_text(seconds: float) -> str:
    """Return the time as it is printed."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def _measure(network: Network, program: Path, directory: Path) -> Iterator[str]:
    times, factors = solve_in_rust(program, network, directory)
    large = network.nodes >= 100_000
    limit = TARGET_S.get("million" if large else network.name)
    missed = limit is not None and times["solve"] > limit
    target = f" ({'MISSES' if missed else 'meets'} {seconds_text(limit)})" if limit is not None else ""
    slots = 4 if large else SLOTS
    yield (
        f"{network.name}: {network.nodes} nodes, {len(network.ends)} branches: "
        f"Rust {seconds_text(times['solve'])} a solve{target}: {seconds_text(times['equations'])} equations, "
        f"{seconds_text(times['factors'])} factors, {seconds_text(times['results'])} results; {slots} slots "
        f"{seconds_text(times['day_one'])} on one thread, {seconds_text(times['day_all'])} on all; "
        f"balance closes to {times['residual']:.0e}"
    )
    if not SCIPY:
        yield "  scipy is not installed: NOT COMPARED (pip install scipy)"
        return
    made, solved, theirs, flux = _peer(network, 2 if large else 100)
    through = flux >= COMPARED_MW
    gap = np.abs(factors[through] - theirs[through]) / np.maximum(np.abs(theirs[through]), 1e-6)
    assert np.isfinite(gap).all(), network.name
    assert gap.max() <= 1e-9, (network.name, gap.max())
    ratio = solved / times["factors"]
    target = f" ({'meets' if ratio >= TARGET_RATIO else 'MISSES'} {TARGET_RATIO:g}x)" if network.nodes >= 1000 else ""
    ours = times["equations"] + times["factors"]
    yield (
        f"  scipy splu and solve {seconds_text(solved)}: ratio {ratio:.1f}x to our factors{target}, "
        f"{solved / times['solve']:.1f}x to our whole; its equations too {seconds_text(made + solved)}: "
        f"{(made + solved) / ours:.1f}x to our equations and factors; factors agree to {gap.max():.0e}"
    )


def run() -> list[str]:
    """Measure and return the lines to print; LimitError where a target is missed."""
    program = build_example()
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        for case in SHARED:
            network = shared_network(case)
            if network is None:
                lines.append(f"{case}: not in the shared data, NOT MEASURED")
            else:
                lines.extend(_measure(network, program, Path(name)))
        for shuffled in (False, True):
            lines.extend(_measure(synthetic_network(shuffled=shuffled), program, Path(name)))
    if any("MISSES" in line for line in lines):
        raise LimitError([*lines, "a target is missed"])
    return lines


if __name__ == "__main__":
    print("\n".join(run()))
