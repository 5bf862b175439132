"""What is said of a charger's branch (支路), as it is stored and shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.branch_losses import uncertainty
from cloud_receiver.estimation.branches import SINGLE_KW, Branch
from cloud_receiver.estimation.model import Setup
from cloud_receiver.registry import Meter

EVEN: Final = "even"
UNEVEN: Final = "uneven"
UNKNOWN: Final = "unknown"
MOST_AC_KW: Final = 44
"""Up to which a charger may give a vehicle alternating current (交流充电桩): 63 A on three phases."""


@dataclass(frozen=True, slots=True)
class BranchResult:
    """Its loss by voltage drop at rated power, in per cent of that power, with its standard uncertainty."""

    percent: float | None
    u: float | None
    milliohm: float | None
    """The resistance of one conductor, where the registry has the line voltage."""
    quarters: int
    """In which voltage and power are known."""
    reference: str
    """Whose voltage it follows: the mean of the master's phases, or one of them; empty where nothing was measured."""
    reason: str | None
    """Why the estimate doesn't rest on it; None where it does."""
    balance: str | None = None
    """Of a charger whose load may stand unevenly on three phases (三相不平衡): `even`, `uneven`, or `unknown`."""
    uneven_percent: float | None = None
    """What it is taken to lose more because its load does, in per cent of its energy."""
    uneven_u: float | None = None
    """The standard uncertainty of that."""


@dataclass(frozen=True, slots=True)
class VoltageBlocks:
    """How many blocks of voltage means measurements rest on, and how many were left out, by the reason."""

    used: int
    left_out: Mapping[str, int]
    kept_from_ms: int | None = None
    """Since when voltages are kept, where a part of the span lies before that: of the earlier ones none is there."""


def branch_result(context: Context, setup: Setup, number: int) -> BranchResult | None:
    """Return what is said of a charger's branch; None where none was measured."""
    one = setup.branches.by_meter.get(number)
    if one is None:
        return None
    balance = _balance(context.meters[number], one)
    uneven = setup.branch_losses[setup.chargers.index(number)].uneven if number in setup.chargers else None
    more = (None, None) if uneven is None else (100 * uneven[0], 100 * uneven[1])
    if one.loss is None:
        return BranchResult(None, None, None, one.quarters, one.reference, one.reason, balance, *more)
    rated = float(context.meters[number].rated_kw)
    loss = context.station.loss
    volts = float(loss.line_voltage_v) if "line_voltage_v" in loss.model_fields_set else None
    return BranchResult(
        100 * one.loss * rated,
        100 * uncertainty(one, setup.drop_sd, setup.branch_design) * rated,
        None if volts is None else one.loss * volts**2,
        one.quarters,
        one.reference,
        one.reason,
        balance,
        *more,
    )


def _balance(meter: Meter, one: Branch) -> str | None:
    if one.even is not None:
        return EVEN if one.even else UNEVEN
    if meter.single_phase_vehicles:
        return UNEVEN
    # Others are on one phase, or convert: a converter takes as much of each phase.
    return UNKNOWN if not meter.dc_output and SINGLE_KW < meter.rated_kw <= MOST_AC_KW else None


def voltage_blocks(setup: Setup) -> VoltageBlocks | None:
    """Return what measurements rest on; None where nobody measured."""
    found = setup.branches
    return VoltageBlocks(found.blocks, dict(found.left_out), found.kept_from_ms) if found.by_meter else None
