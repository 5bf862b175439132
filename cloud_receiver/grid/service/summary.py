"""The summary of a slot: what its row in the store tells beside the columns of numbers. Sizes are bounded.

Amounts of the slot are integers: energy in mWh, carbon in µg, each rounded once from what was solved.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cloud_receiver.grid.kept import FLOW, LOAD, SOURCE, TANK, NodeQuality, Powers
from cloud_receiver.grid.official import OfficialFactor
from cloud_receiver.grid.service.collect import Collected
from cloud_receiver.grid.service.fallback import Results
from cloud_receiver.grid.service.plan import Plan
from cloud_receiver.grid.service.solve import Solution
from diantan_core import CarbonFlow, CarbonReconciliation
from wire.messages import Origin

MOST: Final = 100
"""Elements that are named of a kind; counts are of all."""
_UG_PER_TONNE: Final = 10**12
_MWH_PER_MEGAWATT_HOUR: Final = 10**9

Tanks = Mapping[str, tuple[float, float, float]]


def summary(
    plan: Plan,
    collected: Collected,
    solution: Solution,
    results: Results,
    *,
    missing: Sequence[str],
    late: Sequence[str],
    tanks: Tanks,
    official: OfficialFactor,
) -> dict[str, Any]:
    """Return the summary of a slot. `missing`, `late`: elements without a value, and those that came late."""
    told: dict[str, Any] = {
        "grid_digest": plan.grid.digest,
        "told": collected.told,
        "missing": _bounded(missing),
        "late": _bounded(late),
        "flagged": _bounded([list(flag) for flag in collected.flags]),
        "doubtful": _bounded(sorted(plan.label(variable) for variable in collected.doubtful)),
        "estimated": _bounded([plan.label(variable) for variable in solution.estimated]),
        "qualities": dict(sorted(Counter(quality.name.lower() for quality in results.nodes.qualities).items())),
        "origins": dict(sorted(Counter(origin.name.lower() for origin in results.nodes.origins).items())),
        "tanks": {name: list(tank) for name, tank in tanks.items()},
    }
    if solution.error:
        told["error"] = solution.error[:500]
    if solution.flow is not None:
        told["balance"] = balance(solution.used, solution.flow)
        told["faults"] = _bounded([list(fault) for fault in solution.flow.faults])
    if solution.reconciliation is not None:
        told["reconciliation"] = _reconciled(plan, collected, solution.used, solution.reconciliation)
    fallback = [
        (plan.grid.nodes[place].id, origin.name.lower())
        for place, origin in enumerate(results.nodes.origins)
        if origin is not Origin.SOLVED
    ]
    if fallback:
        told["fallback"] = _bounded([list(item) for item in fallback])
    if Origin.OFFICIAL in results.nodes.origins:
        told["official"] = official.model_dump(mode="json")
    unfed = [
        node.id
        for node, quality in zip(plan.grid.nodes, results.nodes.qualities, strict=True)
        if quality is NodeQuality.NO_SOURCE
    ]
    if unfed:
        told["no_source"] = _bounded(unfed)
    return {name: _finite(value) for name, value in told.items()}


def _finite(value: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
    """Return a value as JSON can have it: null for a number that is none."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def _bounded(items: Sequence[Any]) -> dict[str, Any]:
    return {"count": len(items), "first": list(items[:MOST])}


def balance(used: Powers, flow: CarbonFlow) -> dict[str, dict[str, int]]:
    """Return carbon in µg and energy in mWh of a slot by where they came from and went."""
    carbon = flow.balance
    ug = {
        name: _whole(carbon[name] * used.hours * _UG_PER_TONNE)
        for name in (
            *("sources", "loads", "losses", "negative_sources", "storages", "dropped", "imbalance"),
            *("without_factor", "untraced"),
        )
    }
    sources = [power for power in used.sources[0::SOURCE] if not math.isnan(power)]
    loads = [power for power in used.loads[0::LOAD] if not math.isnan(power)]
    flows = _net_flows(used)
    storages = [
        (charge, discharge)
        for charge, discharge in zip(used.storages[0::TANK], used.storages[1::TANK], strict=True)
        if not math.isnan(charge) and not math.isnan(discharge)
    ]
    # What discharges or feeds in is a source, in energy as in carbon.
    fed_in = [discharge for _, discharge in storages] + [0.0 - power for power in loads if power < 0]
    megawatts = {
        "sources": math.fsum(power for power in sources if power > 0) + math.fsum(fed_in),
        "loads": math.fsum(power for power in loads if power > 0),
        "negative_sources": 0.0 - math.fsum(power for power in sources if power < 0),
        "losses": math.fsum(flows),
        "storages": math.fsum(charge for charge, _ in storages),
        "imbalance": math.fsum(number for number in flow.imbalances_megawatts if not math.isnan(number)),
    }
    mwh = {name: _whole(power * used.hours * _MWH_PER_MEGAWATT_HOUR) for name, power in megawatts.items()}
    return {"carbon_ug": ug, "energy_mwh": mwh}


def _net_flows(used: Powers) -> Iterator[float]:
    registers = (used.flows[offset::FLOW] for offset in range(FLOW))
    for first_in, first_out, last_in, last_out in zip(*registers, strict=True):
        loss = (first_in - first_out) + (last_in - last_out)
        if not math.isnan(loss):
            yield loss


def _whole(number: float) -> int:
    return round(number) if math.isfinite(number) else 0


def _reconciled(plan: Plan, collected: Collected, used: Powers, reconciliation: CarbonReconciliation) -> dict[str, Any]:
    before = reconciliation.imbalances_before_megawatts
    after = reconciliation.imbalances_after_megawatts
    throughput = math.fsum(abs(power) for power in collected.powers.sources[0::SOURCE] if not math.isnan(power))
    before_sum = math.fsum(map(abs, before))
    worst = sorted(
        ((abs(imbalance), plan.grid.nodes[place].id, imbalance) for place, imbalance in enumerate(before)),
        reverse=True,
    )
    return {
        "before_megawatts": before_sum,
        "after_megawatts": math.fsum(map(abs, after)),
        "before_share": before_sum / throughput if throughput > 0 else None,
        "worst": [[node, imbalance] for size, node, imbalance in worst[:10] if size > 0],
        "corrections": _corrections(plan, collected.powers, used),
        "chi_square": reconciliation.chi_square,
        "degrees_of_freedom": reconciliation.degrees_of_freedom,
        "probability": reconciliation.probability,
        "ambiguous": reconciliation.ambiguous,
        "bad_data": _bounded([list(finding) for finding in reconciliation.findings]),
        "held_losses": _bounded(reconciliation.held),
    }


def _corrections(plan: Plan, measured: Powers, used: Powers) -> dict[str, Any]:
    """Return how many powers were corrected, the sum of the sizes, and the largest: used less measured."""
    found: list[tuple[float, str, float]] = []
    for variable, difference in _differences(plan, measured, used):
        if not math.isnan(difference) and difference:
            found.append((abs(difference), variable, difference))
    found.sort(reverse=True)
    total = math.fsum(size for size, _, _ in found)
    largest = [[label, difference] for _, label, difference in found[:10]]
    return {"count": len(found), "megawatts": total, "largest": largest}


def _differences(plan: Plan, measured: Powers, used: Powers) -> Iterator[tuple[str, float]]:
    grid = plan.grid
    for place, branch in enumerate(grid.branches):
        for end, name in enumerate(("from", "to")):
            at = FLOW * place + 2 * end
            old, new = measured.flows[at : at + 2], used.flows[at : at + 2]
            if old != new:
                yield f"branch {branch.id} {name}", (new[0] - new[1]) - (old[0] - old[1])
    for place, generator in enumerate(grid.generators):
        yield f"generator {generator.id}", used.sources[SOURCE * place] - measured.sources[SOURCE * place]
    for place, load in enumerate(grid.loads):
        yield f"load {load.id}", used.loads[LOAD * place] - measured.loads[LOAD * place]
    for place, storage in enumerate(grid.storages):
        at = TANK * place
        change = (used.storages[at] - used.storages[at + 1]) - (measured.storages[at] - measured.storages[at + 1])
        yield f"storage {storage.id}", change
