"""Nodal carbon flow on IEEE case118: ours beside the PyPI packages gridemissions and netallocation.

Both ask for libraries of years that don't go together, and not for those of this project: each gets a throw-away
environment of its own, from requirements/peers-*.txt, which costs a download. They run on the same slot as ours, and
their factors must agree with ours; ours is timed in Rust and, since they are called from Python, from Python too.
Without the shared data, or where an environment can't be made, nothing is compared, and that is said.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.carbon_flow import build_example, seconds_text, shared_network, solve_in_rust
from bench.limits import LimitError
from diantan_core import CarbonGrid, CarbonSlot

ROOT = Path(__file__).parent.parent
CASE = "case118_ac"
AGREED = 1e-9  # relative
INSTALL_S = 900


@dataclass(frozen=True)
class Peer:
    """A package, what it is timed for, and how often it is run."""

    name: str
    version: str
    what: str
    rounds: int


PEERS = (
    Peer("gridemissions", "0.1.10", "its dense system solved, matrices ready", 200),
    Peer("netallocation", "0.0.8", "shares and factors of loads, network ready", 10),
)


def _interpreter(peer: Peer, directory: Path) -> Path | str:
    """Return the Python of an environment with the peer, or why there is none."""
    place = directory / peer.name
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    install: list[str | Path] = [
        *(python, "-m", "pip", "install", "--quiet", "--retries", "1", "--require-hashes"),
        *("--requirement", ROOT / "requirements" / f"peers-{peer.name}.txt"),
    ]
    try:
        done = subprocess.run(install, check=False, capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.TimeoutExpired:
        return f"not installed within {INSTALL_S} s"
    if done.returncode:
        said: list[str] = [line for line in str(done.stderr).splitlines() if line.startswith("ERROR")]
        return said[-1] if said else "pip failed"
    return python


def _ours(data: dict[str, Any], rounds: int) -> tuple[float, list[float | None]]:
    """Return the best seconds of a solve from Python, and the factors."""
    grid = CarbonGrid(
        nodes=[str(bus) for bus in data["bus"]],
        branches=[(row[0], str(row[1]), str(row[2])) for row in data["branch"]],
        sources=[(row[0], str(row[1])) for row in data["gen"]],
        loads=[(row[0], str(row[1])) for row in data["load"]],
    )
    slot = CarbonSlot(
        flows=[(row[3], row[4]) for row in data["branch"]],
        sources=[(row[2], row[3]) for row in data["gen"]],
        loads=[row[2] for row in data["load"]],
    )
    best, factors = float("inf"), grid.solve(slot).factors
    for _ in range(rounds):
        started = time.perf_counter()
        factors = grid.solve(slot).factors
        best = min(best, time.perf_counter() - started)
    return best, factors


def _compare(peer: Peer, case: Path, directory: Path, ours: tuple[float, float, dict[str, float]]) -> Iterator[str]:
    print(f"   installing {peer.name} {peer.version} for this run", file=sys.stderr, flush=True)
    python = _interpreter(peer, directory)
    if isinstance(python, str):
        yield f"{peer.name} {peer.version}: NOT COMPARED: {python}"
        return
    command: list[str | Path] = [
        python,
        "-W",
        "ignore",
        ROOT / "bench" / f"carbon_peer_{peer.name}.py",
        case,
        str(peer.rounds),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=directory)
    if done.returncode:
        yield f"{peer.name} {peer.version}: NOT COMPARED: {done.stderr.strip().splitlines()[-1]}"
        return
    told = json.loads(done.stdout.splitlines()[-1])
    rust, python_s, factors = ours
    gaps = [abs(value - factors[bus]) / max(factors[bus], 1e-6) for bus, value in told["factors"].items()]
    agree = "agree" if all(gap <= AGREED for gap in gaps) else "DO NOT AGREE"
    seconds = told["seconds"]
    yield (
        f"{peer.name} {peer.version} {seconds_text(seconds)} ({peer.what}): ratio {seconds / rust:.0f}x to Rust, "
        f"{seconds / python_s:.0f}x to Python; {len(told['factors'])} factors {agree}, to {max(gaps):.0e}"
    )


def run() -> list[str]:
    """Measure and return the lines to print."""
    network = shared_network(CASE)
    if network is None:
        return [f"{CASE}: not in the shared data, NOT MEASURED"]
    shared = Path(os.environ.get("DIANTAN_SHARED", "../shared")).absolute()
    case = shared / "data" / "carbon_flow_reference" / f"{CASE}.json"
    data = json.loads(case.read_text())
    program = build_example()
    with tempfile.TemporaryDirectory(prefix="diantan-bench-") as name:
        times, _ = solve_in_rust(program, network, Path(name))
        python_s, found = _ours(data, 2000)
        factors = {str(bus): factor for bus, factor in zip(data["bus"], found, strict=True) if factor is not None}
        rust = times["solve"]
        lines = [f"{CASE}: ours {seconds_text(rust)} in Rust, {seconds_text(python_s)} from Python with all factors"]
        for peer in PEERS:
            lines.extend(_compare(peer, case, Path(name), (rust, python_s, factors)))
    if any("DO NOT AGREE" in line for line in lines):
        raise LimitError([*lines, "factors differ by more than 1e-9"])
    return lines


if __name__ == "__main__":
    print("\n".join(run()))
