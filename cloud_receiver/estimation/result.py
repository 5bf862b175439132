"""What is said of a station's chargers, as it is stored and shown: in per cent, and with what no balance can tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import Any

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.branch_result import BranchResult, VoltageBlocks, branch_result, voltage_blocks
from cloud_receiver.estimation.changes import CHANGED, Turned
from cloud_receiver.estimation.completeness import Completeness
from cloud_receiver.estimation.gross import BEYOND_POWER
from cloud_receiver.estimation.halves import ODD, Halves, widened
from cloud_receiver.estimation.mirrors import MIRRORED
from cloud_receiver.estimation.missing import MISSING, LeftOut, by_month
from cloud_receiver.estimation.model import Setup
from cloud_receiver.estimation.noticed import Noticed, collinear
from cloud_receiver.estimation.orders import only_orders
from cloud_receiver.estimation.plain import plain
from cloud_receiver.estimation.told_apart import told_apart
from cloud_receiver.estimation.windows import StationWindows
from cloud_receiver.estimation.withheld import EXCHANGED, OUTSIDE
from diantan_core import ErrorEstimate, ErrorEstimation

DAY_MS = 86_400_000
LONG = "long_windows"
"""What looks like daily readings, where windows are long since some order is open nearly always."""
_WORSE = frozenset({"station", "implausible", "offset"})
"""Reasons that say more than that a decision is withdrawn,"""
_WORST = frozenset({BEYOND_POWER})
"""and why they are so."""
_FEW = "few_windows"
"""Fewer than unknowns: decisions would be those of priors."""
WITHHELD = "withheld"
_NONE: Mapping[int, float] = {}
_TURNED: Mapping[int, Turned] = {}
_K = 2.0
_MAD = 1.4826
_SUITABLE_SHARE = 3.0
"""U = 2u of at most a third of the limit (the habit of JJF 1094, recalled) is suitable for a decision."""


@dataclass(frozen=True, slots=True)
class ChargerResult:
    """What is said of one charger. `error`, `u`...: per cent; `u`² = `u_common`² + `u_own`²."""

    meter: str
    number: int
    limit: float
    error: float
    u: float
    u_common: float
    u_own: float
    probability: float
    decision: str
    reason: str | None
    suitable: bool
    """Whether the uncertainty is small enough for its class."""
    identified: float
    altered: float
    active_windows: int
    excluded_windows: int
    energy_kwh: float
    offset_s: tuple[float, float] | None
    verified: bool
    since_ms: int | None
    """When what is said begins, where its meter was exchanged or adjusted in the span."""
    branch: BranchResult | None = None
    """What its voltage drop says of its branch."""
    nights: int = 0
    """Of what a night says: how many running it was undetermined, this one included."""
    u_factor: float = 1.0
    """What halves of the span made of its own u."""
    changed_ms: int | None = None
    """Since when it is beyond its limit, where its error changed in the span: what is said is of the time since, and
    what it was before is among `earlier`."""


@dataclass(frozen=True, slots=True)
class StationFinding:
    """What to know before any charger is judged; `blocks`: none can be judged with it."""

    name: str
    meters: tuple[str, ...]
    numbers: Mapping[str, float | str]
    blocks: bool
    about: tuple[int, ...] = ()
    """The numbers of `meters`, of what is found in windows;"""
    withdrawn: tuple[int, ...] = ()
    """and those of the chargers of which nothing may be decided because of it."""


@dataclass(frozen=True, slots=True)
class HalvesResult:
    """What two halves of the span say of stated uncertainties; `split_ms`: where the second begins."""

    split_ms: int
    full_ms: int
    """Up to when the windows reach that were compared."""
    chargers: tuple[tuple[str, int, float, float], ...]
    """Name and number of each charger, by how much its error changed less what all have in common, and u of that."""
    rms: float
    z_rms: float
    z_limit: float
    agree: bool
    """Whether the halves agree at the stated confidence: `z_rms` is not beyond `z_limit`."""
    needed: float
    """The smallest factor on u with which they would."""
    factor: float
    """What `u_own` of each charger was multiplied by."""


@dataclass(frozen=True, slots=True)
class StationResult:
    """What is said of a station; `first_ms`, `end_ms`: of the windows that were used."""

    station: str
    first_ms: int
    end_ms: int
    full: bool
    chargers: tuple[ChargerResult, ...]
    earlier: tuple[ChargerResult, ...]
    findings: tuple[StationFinding, ...]
    u_common: float
    gain: tuple[float, float]
    certified: bool
    anchored: tuple[str, ...]
    windows: int
    hours: float
    master_kwh: float
    energy_kwh: float
    scale: float
    breaks: int
    unsynchronised: int
    completeness: Completeness | None = None
    residuals: tuple[tuple[int, float], ...] = field(default=())
    halves: HalvesResult | None = None
    left_out: tuple[LeftOut, ...] = ()
    """Windows in which orders and the master don't match."""
    spread: float | None = None
    """Robust standard deviation of the residuals of windows in which at least 1 kWh was sold, per cent of that."""
    voltage_blocks: VoltageBlocks | None = None
    """What measurements of branches rest on; None where none was asked for."""
    expected: tuple[float, float] | None = None
    """What other stations tell of the error that all its chargers have in common, and u of that."""
    conversion: tuple[float, float] | None = None
    """Of chargers that meter their DC output: what conversion loses, and u of that, per cent of the output."""
    conversion_spread: tuple[float, float] | None = None
    """How far that differs from one of them to another (sd), and u of that; per cent of the output."""
    supposed: tuple[tuple[str, int], ...] = ()
    """Meters that are only supposed to have been exchanged (what-if), and when."""

    @property
    def common_mode(self) -> tuple[str, str]:
        """Return, in English and Chinese, what the balance can't tell, and how large it may be."""
        if not self.windows:
            return (
                "No window: nothing was estimated. Errors and u are what is believed of any charger beforehand.",
                "无可用时段：未作任何估计，所列误差与不确定度仅为先验。",
            )
        english = (
            "All errors are relative to the master meter: an error of the master, or one that all chargers have in "
            f"common, can't be told by the energy balance. Up to ±{_K * self.u_common:.2f} % (k = 2) of every error "
            "may be that; it is part of every u. "
        )
        chinese = (
            f"各误差均相对于总表：总表误差及各桩共有的误差无法由能量平衡得出，每个误差中可能含有不超过 "
            f"±{_K * self.u_common:.2f} %（k = 2）的公共部分，已计入各不确定度。"
        )
        if self.certified:
            english += "The master has a certificate. "
            chinese += "总表有检定证书。"
        if self.expected is not None:
            error, u = self.expected
            english += f"Other stations say of chargers of these makes: {error:+.2f} % ± {_K * u:.2f} % (k = 2). "
            chinese += f"据其他场站，同型充电桩的平均误差为 {error:+.2f} % ± {_K * u:.2f} %（k = 2）。"
        if self.anchored:
            english += f"Verified: {', '.join(self.anchored)}."
            chinese += f"已检定：{'、'.join(self.anchored)}。"
        if not self.certified and not self.anchored:
            english += "Neither a certificate of the master nor a verified charger lowers it."
            chinese += "尚无总表证书或已检定的充电桩可减小它。"
        return english.rstrip(), chinese

    def content(self, *, series: bool = True) -> dict[str, Any]:
        """Return it as JSON takes it; without `series` what there is of every window or day is not in it."""
        # Every night, of every station: `asdict` would copy each value on its own.
        result = plain(self)
        if not series:
            del result["residuals"], result["completeness"], result["left_out"]
        for name in ("chargers", "earlier"):
            result[name] = tuple(
                plain(one) | {"branch": None if one.branch is None else plain(one.branch)} for one in result[name]
            )
        result["findings"] = tuple(plain(item) | {"numbers": dict(item.numbers)} for item in self.findings)
        if "left_out" in result:
            result["left_out"] = tuple(map(plain, self.left_out))
        for name in ("halves", "voltage_blocks", "completeness"):
            if result.get(name) is not None:
                result[name] = plain(result[name])
        english, chinese = self.common_mode
        result["common_mode"] = {"en": english, "zh": chinese}
        return result


def result(
    context: Context,
    setup: Setup,
    estimation: ErrorEstimation,
    *,
    full: bool,
    silent: tuple[int, ...] = (),
    breaks: int = 0,
    unsynchronised: int = 0,
    completeness: Completeness | None = None,
    halves: HalvesResult | None = None,
    own_factors: Mapping[int, float] = _NONE,
    noticed: Sequence[Noticed] = (),
    left_out: tuple[LeftOut, ...] = (),
    doubtful: bool = False,
    spread: float | None = None,
    turned: Mapping[int, Turned] = _TURNED,
) -> StationResult:
    """Return what an estimation says, with the names of meters, and its own u as large as halves show it to be.

    `own_factors`: of chargers that changed, which stand apart in `halves`; `turned`: those of them that are judged by
    what they are now.
    """
    span = estimation.span_ms or (setup.first_ms, setup.end_ms)
    by_core, noticed = told_apart(estimation, setup, noticed)
    long = bool(only_orders(context))
    findings = [
        StationFinding(
            LONG if long and name == "daily" else name,
            tuple(context.name(setup.chargers[place]) for place in about),
            dict(numbers),
            blocks,
            tuple(setup.chargers[place] for place in about),
        )
        for name, about, numbers, blocks in by_core
        if estimation.windows or name != "never_charged"  # without windows nobody knows
    ]
    if silent:
        findings.insert(0, StationFinding("silent", tuple(context.name(number) for number in silent), {}, blocks=True))
    findings += [
        StationFinding(name, (), numbers, blocks=doubtful and name == MISSING)
        for name, numbers in by_month(left_out, context.station.timezone)
    ]
    findings += [
        StationFinding(
            item.name, tuple(map(context.name, item.meters)), item.numbers, item.blocks, item.meters, item.withdrawn
        )
        for item in noticed
    ]
    few = any(item.name == _FEW for item in findings)
    reasons = dict.fromkeys(setup.chargers, _FEW) if few else {}
    reasons |= dict.fromkeys(collinear(estimation, setup), "collinear")
    reasons |= {number: WITHHELD for item in noticed if item.name == OUTSIDE for number in item.meters}
    reasons |= {item.meters[0]: MIRRORED for item in noticed if item.name == MIRRORED}
    reasons |= {
        number: item.name
        for item in noticed
        for number in item.withdrawn
        if item.name != CHANGED or number not in turned
    }
    mixed = {number for item in noticed if item.name == EXCHANGED for number in item.meters}
    judge = partial(
        _charger,
        context,
        setup,
        factors=own_factors,
        factor=1.0 if halves is None else halves.factor,
        doubtful=doubtful or not estimation.windows or any(item.blocks for item in findings),
    )
    if halves is not None and not halves.agree:
        numbers: dict[str, float | str] = {"z_rms": halves.z_rms, "z_limit": halves.z_limit, "factor": halves.factor}
        odd = tuple(name for name, _, change, u in halves.chargers if abs(change) > ODD * u)
        findings.append(StationFinding("halves", odd, numbers, blocks=False))
    chargers = {
        number: judge(one, withdrawn=reasons.get(number))
        for number, one in zip(setup.chargers, estimation.chargers, strict=True)
    }
    former = [
        judge(one, withdrawn="exchanged" if setup.chargers[one.charger] in mixed else None, earlier=True)
        for one in estimation.earlier
    ]
    for number, one in turned.items():
        judged = partial(judge, factors=_NONE, withdrawn=reasons.get(number))
        chargers[number] = replace(judged(one.after), changed_ms=one.since_ms)
        former.append(replace(judged(one.before, earlier=True), changed_ms=one.since_ms))
    starts, _, kwh, _, _ = estimation.residuals
    return StationResult(
        context.station.id,
        *span,
        full,
        tuple(chargers.values()),
        tuple(former),
        tuple(findings),
        100 * estimation.u_common,
        (100 * estimation.gain[0], 100 * estimation.gain[1]),
        setup.certified,
        tuple(context.name(number) for number in setup.anchored),
        estimation.windows,
        estimation.hours,
        estimation.master_kwh,
        estimation.energy_kwh,
        estimation.scale,
        breaks,
        unsynchronised,
        completeness,
        tuple(zip(starts, kwh, strict=True)),
        halves,
        left_out,
        spread,
        voltage_blocks(setup),
        (100 * setup.cohort_mean, 100 * setup.cohort_sd) if setup.cohort_mean else None,
        _percent(estimation.conversion),
        _percent(estimation.conversion_spread),
    )


def _percent(pair: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if pair is None else (100 * pair[0], 100 * pair[1])


def spread_of(found: StationWindows, estimation: ErrorEstimation) -> float | None:
    """Return how far residuals scatter: 1.4826 times the median of their size, per cent of what was sold."""
    windows = found.windows
    sold = dict(zip(windows.starts_ms, windows.weighted_kwh([1.0] * windows.chargers), strict=True))
    starts, _, kwh, _, _ = estimation.residuals
    sizes = [abs(value) / sold[start] for start, value in zip(starts, kwh, strict=True) if sold[start] >= 1]
    return 100 * _MAD * median(sizes) if sizes else None


def named(context: Context, halves: Halves | None, full_ms: int) -> HalvesResult | None:
    """Return what halves say, with the names of meters."""
    if halves is None:
        return None
    return HalvesResult(
        halves.split_ms,
        full_ms,
        tuple((context.name(item.meter), item.meter, item.change, item.u) for item in halves.differences),
        halves.rms,
        halves.z_rms,
        halves.z_limit,
        halves.agree,
        halves.needed,
        halves.factor,
    )


def _charger(
    context: Context,
    setup: Setup,
    one: ErrorEstimate,
    *,
    factor: float,
    factors: Mapping[int, float],
    doubtful: bool,
    withdrawn: str | None,
    earlier: bool = False,
) -> ChargerResult:
    """Return what is said of a charger; `withdrawn`: why nothing may be decided, whatever the numbers say."""
    number = setup.chargers[one.charger]
    limit = setup.limits[number]
    factor = factors.get(number, factor)
    u, probability, decision, reason = widened(one, factor, limit / 100, (setup.clear_below, setup.flag_above))
    # What is withheld may be worse than what is shown: of that it can be accused, not cleared.
    stands = (withdrawn, decision) == (WITHHELD, "flag") or (withdrawn, reason) == (_FEW, "never_charged")
    if withdrawn is not None and (reason not in _WORSE or withdrawn in _WORST) and not stands:
        decision, reason = "undetermined", withdrawn
    if doubtful:
        decision, reason = "undetermined", "station"
    if reason == "daily" and only_orders(context):
        reason = LONG
    return ChargerResult(
        context.name(number),
        number,
        limit,
        100 * one.error,
        100 * u,
        100 * one.u_common,
        100 * factor * one.u_own,
        probability,
        decision,
        reason,
        _SUITABLE_SHARE * _K * 100 * u <= limit,
        one.identified,
        one.altered,
        one.active_windows,
        one.excluded_windows,
        one.energy_kwh,
        one.offset_s,
        number in setup.anchored and not earlier,
        None if earlier else setup.epochs.get(number),
        None if earlier else branch_result(context, setup, number),
        u_factor=factor,
    )
