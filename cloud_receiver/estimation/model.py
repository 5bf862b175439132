"""What is known of a station before its readings: from the registry (台账), exchanges, verification and settings."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from math import ceil, hypot, sqrt
from typing import Any, Final
from zoneinfo import ZoneInfo

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.branch_losses import OWN_SD, BranchLoss, drop_sd_of, losses
from cloud_receiver.estimation.branches import Branches
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.orders import only_orders
from cloud_receiver.estimation.registers import inverted
from cloud_receiver.estimation.verification import Verification
from cloud_receiver.estimation.windows import chargers_of, serves, shaped
from cloud_receiver.registry import Meter, Role
from diantan_core import ErrorCharger, ErrorEstimator, ErrorPair

TURNS_MS: Final = 400 * 86_400_000
"""How far before a span it is told how often a charger became another one, as long as gateways keep records."""
_LEAST_MS = 7 * 86_400_000
"""Of windows, that exchanges of a charger leave to its station."""
_QUARTER_MS = 365.25 / 4 * 86_400_000
_SQRT3 = sqrt(3)
_SMALLEST_SD = 0.01
_UNSTEADY_KWH = 0.05
_NIGHT_KW = (0.0, 2.0)
_NIGHT_FROM, _NIGHT_TO = 18 * 60, 6 * 60
_FREE_SD = 3.0
"""How far single branches lie about their level, where nothing but energies shall say what they lose."""
_UNMEASURED = Branches()
_STATES = 3
"""Version of what a night keeps to go on from: since 3, it counts rows as `row_counts` does."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened to a station's meters, by meter: when each was exchanged, and what verifications found."""

    exchanges: Mapping[int, Sequence[int]] = field(default_factory=dict)
    verifications: Mapping[int, Sequence[Verification]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setup:
    """An estimator for a span. `digest`: of all that it was told, so that a state is not taken up by another."""

    first_ms: int
    end_ms: int
    chargers: tuple[int, ...]
    estimator: ErrorEstimator
    digest: str
    limits: Mapping[int, float]
    """Class limit of each charger, in per cent."""
    anchored: tuple[int, ...]
    """Chargers with a verification that holds."""
    certified: bool
    """Whether every master has a certificate that holds."""
    epochs: Mapping[int, int]
    """When what is said of a charger begins, where its meter was exchanged or adjusted in the span."""
    sound_sd: float
    altered_sd: float
    """What chargers are known to be before any reading, relative."""
    clear_below: float
    flag_above: float
    master_step_kwh: float
    anchors: Mapping[int, ErrorPair]
    """Of each of `anchored`: its error and u; relative."""
    turns: Mapping[int, Sequence[int]]
    """When each charger became another one in the time looked at, also before the span: exchanged, or adjusted."""
    gain: ErrorPair
    cohort_sd: float
    """What is known of the masters, and of what all chargers have in common, before any reading or verification."""
    branches: Branches = _UNMEASURED
    """What voltage drops said of branches, whether it is used or not."""
    branch_design: float | None = None
    drop_sd: float = 0.0
    """How well a voltage drop says what a branch loses, relative."""
    branch_losses: tuple[BranchLoss, ...] = ()
    """What is known of the branch of each of `chargers`; 1/kW."""
    cohort_mean: float = 0.0
    """What other stations tell of what all chargers have in common; relative."""
    again: Callable[..., ErrorEstimator] | None = None
    """Make an estimator that knows of no verification, and is told otherwise what is given."""


def limit_percent(meter: Meter) -> float:
    """Return the class limit of a charger in per cent: its own, else its meter's accuracy class."""
    return float(meter.accuracy_class if meter.class_limit_percent is None else meter.class_limit_percent)


def epochs_of(number: int, facts: Facts) -> list[int]:
    """Return when a meter became another one as to its error: exchanged, or adjusted at a verification."""
    adjusted = [item.at_ms for item in facts.verifications.get(number, ()) if item.left_percent is not None]
    return sorted({*facts.exchanges.get(number, ()), *adjusted})


def anchor(number: int, meter: Meter, facts: Facts, settings: Estimation, end_ms: int) -> ErrorPair | None:
    """Return the error by the newest certificate or verification that holds at `end_ms`, and its u; relative.

    It grows less sure with its age. One from before an exchange or adjustment says nothing of what came then.
    """
    # A certificate from before the meter was put in its place holds (`since`); an exchange makes it another meter.
    floor = max((time_ms for time_ms in epochs_of(number, facts) if time_ms <= end_ms), default=None)
    results = [
        (int(item.at.timestamp() * 1000), float(item.error_percent), float(item.u_percent)) for item in meter.verified
    ]
    results += [
        (
            item.at_ms,
            float(item.error_percent if item.left_percent is None else item.left_percent),
            float(item.u_percent),
        )
        for item in facts.verifications.get(number, ())
    ]
    found = max((item for item in results if item[0] <= end_ms and (floor is None or item[0] >= floor)), default=None)
    if found is None:
        return None
    at_ms, error, u = found
    # In quarters begun: what changed by the day would make every night's sums useless.
    drift = float(settings.anchor_drift_percent_per_year) * ceil((end_ms - at_ms) / _QUARTER_MS) / 4
    return error / 100, hypot(u, drift) / 100


def setup(
    context: Context,
    settings: Estimation,
    facts: Facts,
    first_ms: int,
    end_ms: int,
    *,
    without: Collection[int] = frozenset(),
    branches: Branches = _UNMEASURED,
    free: bool = False,
    expected: ErrorPair | None = None,
) -> Setup:
    """Return the estimator of a station; the span begins where its master is the present one.

    Of a charger that became another more than once, what was before the last but one is left out with all windows of
    that time, as long as a week of them stays: what one charger does must not take every other's judgement. `without`:
    chargers whose verifications are not believed. `branches`: as measured; `free`: nothing is taken for known of single
    branches and errors, so that energies say what branches lose. `expected`: what other stations tell of the error that
    all chargers have in common, and its u; relative, used where the registry says nothing of it. EstimationError for
    what can't be estimated with.
    """
    turns_ms = first_ms - TURNS_MS
    masters = [number for number in context.numbers(Role.GRID) if serves(context.meters[number], end_ms - 1, end_ms)]
    for number in context.numbers(Role.GRID):
        meter = context.meters[number]
        edges = [int(time.timestamp() * 1000) for time in (meter.since, meter.until) if time is not None]
        first_ms = max([first_ms, *(time for time in (*edges, *epochs_of(number, facts)) if time < end_ms)])
    chargers = chargers_of(context, first_ms, end_ms)
    changes = {number: [time for time in epochs_of(number, facts) if time < end_ms] for number in chargers}
    turns = {number: [time for time in times if time >= turns_ms] for number, times in changes.items()}
    latest_ms = max(first_ms, end_ms - _LEAST_MS)
    first_ms = max([first_ms, *(time for times in changes.values() for time in times[:-1] if time <= latest_ms)])
    chargers = chargers_of(context, first_ms, end_ms)
    epochs = {number: changes[number][-1] for number in chargers if changes[number] and changes[number][-1] > first_ms}
    loss = context.station.loss
    per_kw = 1000 / float(loss.line_voltage_v) ** 2
    branch = float(loss.branch_ohm) * per_kw or None
    spread = max(float(loss.uncertainty_percent) / 100 / _SQRT3, _SMALLEST_SD)
    anchors = {
        number: None if number in without else anchor(number, context.meters[number], facts, settings, end_ms)
        for number in chargers
    }
    known_losses = losses(context, chargers, _UNMEASURED if free else branches, settings, branch)
    tell: list[dict[str, Any]] = [
        {
            "class_limit": limit_percent(meter) / 100,
            "branch_loss": known_loss.design,
            "branch_measured": known_loss.measured,
            "uneven_loss": known_loss.uneven,
            "dc_output": meter.dc_output,
            "from_ms": epochs.get(number),
            "verified": anchors[number],
            "step_kwh": float(meter.resolution_kwh),
            "max_kw": float(meter.rated_kw) * 1.5,
        }
        for number, meter, known_loss in zip(
            chargers, (context.meters[number] for number in chargers), known_losses, strict=True
        )
    ]
    gain, certified = _gain(context, masters, settings, facts, end_ms)
    cohort = context.station.estimation.cohort_percent
    believed = settings.cohort_percent if cohort is None else cohort
    shared = believed
    if cohort is None and any(anchors.values()):
        # They tell what all have in common: nothing has to be believed of it.
        shared = max(believed, settings.cohort_verified_percent)
    offset = datetime.fromtimestamp(end_ms / 1000, UTC).astimezone(ZoneInfo(context.station.timezone)).utcoffset()
    known: dict[str, Any] = {
        "gain": gain,
        "cohort_sd": float(shared) / 100,
        # A sound charger would lay its branch's loss on its error, an altered one its error on its branch.
        "sound_sd": float(settings.altered_percent if free else settings.sound_percent) / 100,
        "altered_sd": float(settings.altered_percent) / 100,
        "altered_share": float(settings.altered_share),
        "trunk_loss": float(loss.trunk_ohm) * per_kw or None,
        "trunk_sd": spread,
        "branch_sd": spread,
        "branch_own_sd": _FREE_SD if free else OWN_SD,
        "offset_sd_s": float(settings.offset_s),
        "fixed_load_kw": (_fixed_kw(context), 10.0),
        "night": (_NIGHT_FROM, _NIGHT_TO, int(offset.total_seconds() // 60) if offset else 0, _NIGHT_KW),
        "master_step_kwh": max(
            [hypot(*(float(context.meters[number].resolution_kwh) for number in masters)), _SMALLEST_SD / 100]
        ),
        "u_factor": float(settings.u_factor),
        "flag_above": float(settings.flag_above),
        "clear_below": float(settings.clear_below),
    }
    if expected is not None and cohort is None:
        known |= {"cohort_mean": expected[0], "cohort_sd": expected[1]}
    told_sd = expected[1] if expected is not None and cohort is None else float(believed) / 100
    alone = only_orders(context)
    if alone:
        # Steps of a small load while nobody charges: between orders that is all the noise there is.
        known["floor_kwh"] = min(known["master_step_kwh"] / 2, _UNSTEADY_KWH)
    if set(chargers) <= set(alone):
        # Windows close where no order is open: nothing flows at their ends that a clock could move.
        known["fit_offsets"] = False
    content = [_STATES, known, tell, context.number, first_ms, chargers, masters, sorted(context.balanced()), alone]
    # Last, and only where there are any: a station without keeps the sums that it has.
    content += [*inverted(context), *shaped(context)]
    return Setup(
        first_ms,
        end_ms,
        chargers,
        _estimator(tell, known),
        hashlib.sha256(json.dumps(content).encode()).hexdigest(),
        {number: limit_percent(context.meters[number]) for number in chargers},
        tuple(number for number in chargers if anchors[number] is not None),
        certified,
        epochs,
        float(known["sound_sd"]),
        float(known["altered_sd"]),
        float(settings.clear_below),
        float(settings.flag_above),
        known["master_step_kwh"],
        {number: pair for number, pair in anchors.items() if pair is not None},
        {number: times for number, times in turns.items() if times},
        gain,
        told_sd,
        branches,
        branch,
        drop_sd_of(settings),
        tuple(known_losses),
        known.get("cohort_mean", 0.0),
        partial(_estimator, [one | {"verified": None} for one in tell], known),
    )


def _estimator(tell: Sequence[Mapping[str, Any]], known: Mapping[str, Any], **otherwise: Any) -> ErrorEstimator:  # noqa: ANN401  # as known
    # What is None has the core's default.
    chargers = [ErrorCharger(**{name: value for name, value in one.items() if value is not None}) for one in tell]
    return ErrorEstimator(chargers, **{**known, **otherwise})


def _gain(
    context: Context, masters: Sequence[int], settings: Estimation, facts: Facts, end_ms: int
) -> tuple[ErrorPair, bool]:
    """Return the error of the masters together, weighted by rated power, and whether all have a certificate."""
    total = sum(float(context.meters[number].rated_kw) for number in masters)
    mean, squares, certified = 0.0, 0.0, bool(masters)
    for number in masters:
        found = anchor(number, context.meters[number], facts, settings, end_ms)
        certified = certified and found is not None
        error, u = found or (0.0, float(settings.master_gain_percent) / 100)
        weight = float(context.meters[number].rated_kw) / total
        mean += weight * error
        squares += (weight * u) ** 2
    return ((mean, sqrt(squares)) if masters else (0.0, float(settings.master_gain_percent) / 100)), certified


def _fixed_kw(context: Context) -> float:
    metered = bool(context.numbers(Role.AUXILIARY))
    load = 0 if metered else context.station.auxiliary.load_w
    return float(context.station.loss.fixed_w + load) / 1000
