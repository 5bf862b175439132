"""One slot: reconciled where that is possible, then solved."""

import math
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from cloud_receiver.grid.kept import FLOW, LOAD, SOURCE, TANK, Floats, Powers
from cloud_receiver.grid.model import Element
from cloud_receiver.grid.service import collect
from cloud_receiver.grid.service.plan import Plan, Variable
from cloud_receiver.grid.service.weigh import Sigmas
from diantan_core import CarbonFlow, CarbonFlowError, CarbonReconciliation, CarbonSlot, QuantityError


@dataclass(frozen=True)
class Solution:
    """What came of a slot."""

    used: Powers
    flow: CarbonFlow | None
    reconciliation: CarbonReconciliation | None
    estimated: tuple[Variable, ...] = ()
    """Missing powers that their nodes' others give."""
    error: str = ""
    """Why it was not reconciled, or not solved."""


def solve(plan: Plan, measured: Powers, sigmas: Sigmas) -> Solution:
    """Reconcile and solve a slot; an error of the core is told in the result."""
    used, reconciliation, error = measured, None, ""
    estimated: tuple[Variable, ...] = ()
    try:
        reconciliation = plan.core.reconcile(
            core_slot(measured),
            flow_sigmas=sigmas.flows,
            source_sigmas=sigmas.sources,
            load_sigmas=sigmas.loads,
            storage_sigmas=sigmas.storages,
        )
        used, estimated = _corrected(plan, measured, reconciliation)
    except CarbonFlowError as failure:
        error = f"not reconciled: {failure}"
    try:
        flow = plan.core.solve(core_slot(used))
        _ = flow.factors_mg_per_kwh  # QuantityError for a factor that can't be dispatched
        return Solution(used, flow, reconciliation, estimated, error)
    except (CarbonFlowError, QuantityError) as failure:
        return Solution(measured, None, reconciliation, (), f"not solved: {failure}")


def core_slot(powers: Powers) -> CarbonSlot:
    """Return measurements as the core takes them."""
    flows, sources, loads, storages = powers.flows, powers.sources, powers.loads, powers.storages
    return CarbonSlot(
        flows=[
            (_told(a), _told(b), _told(c), _told(d))
            for a, b, c, d in zip(*(flows[offset::FLOW] for offset in range(FLOW)), strict=True)
        ],
        sources=[
            (_told(power), _told(factor)) for power, factor in zip(sources[0::SOURCE], sources[1::SOURCE], strict=True)
        ],
        emissions=[_told(emission) for emission in sources[2::SOURCE]],
        loads=[(_told(power), _told(factor)) for power, factor in zip(loads[0::LOAD], loads[1::LOAD], strict=True)],
        storages=[
            (a, b, c, d, e, f, g)
            for a, b, c, d, e, f, g in zip(*(storages[offset::TANK] for offset in range(TANK)), strict=True)
        ],
        hours=powers.hours,
    )


def _told(number: float) -> float | None:
    return None if math.isnan(number) else number


def _corrected(
    plan: Plan, measured: Powers, reconciliation: CarbonReconciliation
) -> tuple[Powers, tuple[Variable, ...]]:
    """Return the corrected measurements, and which of them were missing.

    Each power is balanced at one node only, so a missing one is known if nothing else is missing there; where two
    are, the reconciliation would share them out by nothing but their standard deviations: they stay missing.
    """
    lacking = list(collect.missing(plan, measured))
    at_node = Counter(plan.variables[variable] for variable in lacking)
    estimated = tuple(variable for variable in lacking if at_node[plan.variables[variable]] == 1)
    unknown = set(lacking).difference(estimated)
    flows = array("d", (number for branch in reconciliation.slot.flows for number in _all(branch)))
    sources, loads, storages = measured.sources[:], measured.loads[:], measured.storages[:]
    for place, power in enumerate(reconciliation.sources):
        sources[SOURCE * place] = power
    for place, power in enumerate(reconciliation.loads):
        loads[LOAD * place] = power
    for place, net in enumerate(reconciliation.storages):
        charge, discharge = storages[TANK * place : TANK * place + 2]
        storages[TANK * place : TANK * place + 2] = array("d", _shared(charge, discharge, net))
    used = Powers(measured.hours, flows, sources, loads, storages, measured.open_branches)
    for variable in unknown:
        _unset(used, variable)
    return used, estimated


def _all(registers: tuple[float, ...]) -> Iterator[float]:
    for number in registers:
        yield number or 0.0


def _shared(charge: float, discharge: float, net: float) -> tuple[float, float]:
    """Return both registers of a storage with another net power, the correction in the larger one."""
    if math.isnan(charge) or math.isnan(discharge):
        return (net, 0.0) if net > 0 else (0.0, 0.0 - net)
    change = net - (charge - discharge)
    if charge >= discharge:
        charge += change
    else:
        discharge -= change
    if charge < 0 or discharge < 0:  # more than the register has: the rest goes to the other one
        charge, discharge = (max(net, 0.0), max(0.0 - net, 0.0))
    return charge, discharge


def _unset(powers: Powers, variable: Variable) -> None:
    element, place, end = variable
    at, count, values = _where(powers, element, place, end)
    values[at : at + count] = array("d", (math.nan,)) * count


def _where(powers: Powers, element: Element, place: int, end: int) -> tuple[int, int, Floats]:
    if element is Element.BRANCH:
        return FLOW * place + 2 * end, 2, powers.flows
    if element is Element.STORAGE:
        return TANK * place, 2, powers.storages
    return (SOURCE * place, 1, powers.sources) if element is Element.GENERATOR else (LOAD * place, 1, powers.loads)
