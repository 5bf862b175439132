"""Reconciliation of noisy telemetry of IEEE case118 and case1354pegase, beside weighted least squares with scipy.

Every reading has noise from a seed; losses of branches are known as from their resistance. scipy solves the same
problem, its incidence matrix ready and told which losses are held at 0, as ours found by itself: the nodes' equations
by `splu`, for the corrected values alone, and then with the variances of all residuals, which ours tells always. Ours
is timed whole, from Python, with all results. Corrected values and normalised residuals must agree.
"""

import importlib
import importlib.util
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.carbon_flow import Network, seconds_text, shared_network
from bench.limits import LimitError
from diantan_core import CarbonGrid, CarbonReconciliation, CarbonSlot

Floats = NDArray[np.float64]

CASES = ("case118_ac", "case1354pegase_ac")
RELATIVE, FLOOR_MW = 0.005, 0.05  # standard deviation of a reading
LOSS_RELATIVE, LOSS_FLOOR_MW = 0.05, 0.005  # and of a loss from current and resistance
AGREED_MW, AGREED_RESIDUAL = 1e-6, 1e-4
SCIPY = importlib.util.find_spec("scipy") is not None


@dataclass(frozen=True)
class Telemetry:
    """Readings of a slot in MW, with standard deviations; injections are sources, then loads."""

    network: Network
    flows: Floats
    flow_sigmas: Floats
    losses: Floats
    loss_sigmas: Floats
    injections: Floats
    injection_sigmas: Floats


def telemetry(network: Network) -> Telemetry:
    """Return the network's powers with noise."""
    draw = np.random.default_rng(20261120)
    injections = np.concatenate([network.sources[:, 0], network.loads])
    losses = network.flows.sum(axis=1)
    sigmas = [RELATIVE * np.abs(values) + FLOOR_MW for values in (network.flows, injections)]
    loss_sigmas = LOSS_RELATIVE * np.abs(losses) + LOSS_FLOOR_MW
    return Telemetry(
        network,
        draw.normal(network.flows, sigmas[0]),
        sigmas[0],
        draw.normal(losses, loss_sigmas),
        loss_sigmas,
        draw.normal(injections, sigmas[1]),
        sigmas[1],
    )


def _ours(read: Telemetry, rounds: int) -> tuple[float, CarbonReconciliation]:
    net = read.network
    count = len(net.sources)
    grid = CarbonGrid(
        nodes=[str(node) for node in range(net.nodes)],
        branches=[(f"b{index}", str(ends[0]), str(ends[1])) for index, ends in enumerate(net.ends)],
        sources=[(f"s{index}", str(node)) for index, node in enumerate(net.source_nodes)],
        loads=[(f"l{index}", str(node)) for index, node in enumerate(net.load_nodes)],
    )
    powers, sigmas = read.injections.tolist(), read.injection_sigmas.tolist()
    slot = CarbonSlot(
        flows=[(one, other) for one, other in read.flows.tolist()],
        sources=list(zip(powers[:count], net.sources[:, 1].tolist(), strict=True)),
        loads=powers[count:],
    )
    flow_sigmas = [(one, other) for one, other in read.flow_sigmas.tolist()]
    losses = list(zip(read.losses.tolist(), read.loss_sigmas.tolist(), strict=True))
    best, found = float("inf"), None
    for _ in range(rounds):
        started = time.perf_counter()
        found = grid.reconcile(
            slot,
            flow_sigmas=flow_sigmas,
            source_sigmas=sigmas[:count],
            load_sigmas=sigmas[count:],
            losses=losses,
            max_bad_readings=0,
        )
        best = min(best, time.perf_counter() - started)
    assert found is not None
    return best, found


def _peer(read: Telemetry, held: list[int], rounds: int) -> tuple[float, float, Floats, Floats]:
    """Return the best seconds without and with variances, the corrected values, and all normalised residuals."""
    sparse: Any = importlib.import_module("scipy.sparse")
    splu = importlib.import_module("scipy.sparse.linalg").splu
    net = read.network
    branches, count = len(net.ends), len(net.sources)
    columns = np.arange(2 * branches + len(read.injections))
    signs = np.concatenate([np.full(2 * branches, -1.0), np.ones(count), np.full(len(net.loads), -1.0)])
    nodes = np.concatenate([net.ends.ravel(), net.source_nodes, net.load_nodes]).astype(np.int64)
    incidence = sparse.csr_matrix((signs, (nodes, columns)), shape=(net.nodes, len(columns)))
    measured = np.concatenate([read.flows.ravel(), read.injections])
    variances = np.concatenate([read.flow_sigmas.ravel(), read.injection_sigmas]) ** 2
    loss, loss_variance = read.losses.copy(), read.loss_sigmas**2
    loss[held], loss_variance[held] = 0.0, 0.0
    ends = np.arange(2 * branches)
    best = [float("inf")] * 2
    for _ in range(rounds):
        started = time.perf_counter()
        one, other = variances[0 : 2 * branches : 2], variances[1 : 2 * branches : 2]
        total = one + other + loss_variance
        missing = (loss - measured[0 : 2 * branches : 2] - measured[1 : 2 * branches : 2]) / total
        prior, spread = measured.copy(), variances.copy()
        prior[0 : 2 * branches : 2] += one * missing
        prior[1 : 2 * branches : 2] += other * missing
        spread[0 : 2 * branches : 2] -= one**2 / total
        spread[1 : 2 * branches : 2] -= other**2 / total
        shared = -np.repeat(one * other / total, 2)
        rows, places = np.concatenate([columns, ends]), np.concatenate([columns, ends ^ 1])
        covariance = sparse.csr_matrix((np.concatenate([spread, shared]), (rows, places)))
        gain = (covariance @ incidence.T).tocsr()
        solver = splu((incidence @ gain).tocsc())
        corrected = prior - gain @ solver.solve(incidence @ prior)
        best[0] = min(best[0], time.perf_counter() - started)
        inverse = solver.solve(np.eye(net.nodes))
        explained = np.asarray(gain.multiply(gain @ inverse).sum(axis=1)).ravel()
        deviations = np.sqrt(np.maximum(variances - spread + explained, 0.0))
        residuals = np.abs(corrected - measured) / np.where(deviations > 0, deviations, np.nan)
        best[1] = min(best[1], time.perf_counter() - started)
    return best[0], best[1], corrected, residuals


def _compare(name: str, network: Network) -> list[str]:
    read = telemetry(network)
    small = network.nodes < 1000
    ours, found = _ours(read, 200 if small else 30)
    after = max(map(abs, found.imbalances_after_megawatts))
    before = max(map(abs, found.imbalances_before_megawatts))
    done = (
        f"{name}: {2 * len(network.ends) + len(read.injections)} noisy readings and {len(network.ends)} losses: ours "
        f"{seconds_text(ours)}, all results; imbalances up to {before:.2g} MW become {after:.0e}; "
        f"χ² {found.chi_square:.0f} of {found.degrees_of_freedom} degrees of freedom; "
        f"{len(found.findings)} findings, {len(found.held)} losses held"
    )
    lines = [done]
    if not SCIPY:
        return [*lines, "  scipy is not installed: NOT COMPARED (pip install scipy)"]
    place = {f"b{index}": index for index in range(len(network.ends))}
    held = [place[branch] for branch in found.held]
    alone, judged, corrected, residuals = _peer(read, held, 50 if small else 5)
    values = np.concatenate([np.array(found.flows).ravel(), found.sources, found.loads])
    gap = float(np.abs(values - corrected).max())
    own = np.abs(np.array(found.flow_residuals, float).ravel())
    theirs = residuals[: len(own)]
    told = np.isfinite(own) & np.isfinite(theirs)
    apart = float(np.abs(own[told] - theirs[told]).max())
    agree = gap <= AGREED_MW and apart <= AGREED_RESIDUAL
    lines.append(
        f"  scipy {seconds_text(alone)} for the values alone: ratio {alone / ours:.1f}x; {seconds_text(judged)} with "
        f"residuals' variances: ratio {judged / ours:.1f}x; values {'agree' if agree else 'DO NOT AGREE'} to {gap:.0e} "
        f"MW, {int(told.sum())} normalised residuals to {apart:.0e}"
    )
    return lines


def run() -> list[str]:
    """Measure and return the lines to print; LimitError where the results differ."""
    lines: list[str] = []
    for name in CASES:
        network = shared_network(name)
        lines.extend([f"{name}: not in the shared data, NOT MEASURED"] if network is None else _compare(name, network))
    if any("DO NOT AGREE" in line for line in lines):
        raise LimitError([*lines, "ours and scipy's differ"])
    return lines


if __name__ == "__main__":
    print("\n".join(run()))
