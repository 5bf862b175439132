"""What is said of a charger's branch (支路), as it is stored and shown."""

from collections.abc import Mapping
from dataclasses import dataclass

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.branch_losses import uncertainty
from cloud_receiver.estimation.model import Setup


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


@dataclass(frozen=True, slots=True)
class VoltageBlocks:
    """How many blocks of voltage means measurements rest on, and how many were left out, by the reason."""

    used: int
    left_out: Mapping[str, int]


def branch_result(context: Context, setup: Setup, number: int) -> BranchResult | None:
    """Return what is said of a charger's branch; None where none was measured."""
    one = setup.branches.by_meter.get(number)
    if one is None:
        return None
    if one.loss is None:
        return BranchResult(None, None, None, one.quarters, one.reference, one.reason)
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
    )


def voltage_blocks(setup: Setup) -> VoltageBlocks | None:
    """Return what measurements rest on; None where nobody measured."""
    found = setup.branches
    return VoltageBlocks(found.blocks, dict(found.left_out)) if found.by_meter else None
