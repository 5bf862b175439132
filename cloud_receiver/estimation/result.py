"""What is said of a station's chargers, as it is stored and shown: in per cent, and with what no balance can tell."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.estimation.model import Setup
from cloud_receiver.estimation.registers import Registers
from cloud_receiver.estimation.windows import serves
from diantan_core import ErrorEstimate, ErrorEstimation, day_start_ms

DAY_MS = 86_400_000
_K = 2.0
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


@dataclass(frozen=True, slots=True)
class StationFinding:
    """What to know before any charger is judged; `blocks`: none can be judged with it."""

    name: str
    meters: tuple[str, ...]
    numbers: Mapping[str, float | str]
    blocks: bool


@dataclass(frozen=True, slots=True)
class Completeness:
    """Share of the registers that are known, by meter and local day."""

    meters: tuple[str, ...]
    days: tuple[str, ...]
    shares: tuple[tuple[float | None, ...], ...]


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

    @property
    def common_mode(self) -> tuple[str, str]:
        """Return, in English and Chinese, what the balance can't tell, and how large it may be."""
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
        if self.anchored:
            english += f"Verified: {', '.join(self.anchored)}."
            chinese += f"已检定：{'、'.join(self.anchored)}。"
        if not self.certified and not self.anchored:
            english += "Neither a certificate of the master nor a verified charger lowers it."
            chinese += "尚无总表证书或已检定的充电桩可减小它。"
        return english.rstrip(), chinese

    def content(self, *, series: bool = True) -> dict[str, Any]:
        """Return it as JSON takes it; without `series` neither residuals nor completeness."""
        result = asdict(self)
        english, chinese = self.common_mode
        result["common_mode"] = {"en": english, "zh": chinese}
        if not series:
            del result["residuals"], result["completeness"]
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
) -> StationResult:
    """Return what an estimation says, with the names of meters."""
    span = estimation.span_ms or (setup.first_ms, setup.first_ms)
    findings = [
        StationFinding(name, tuple(context.name(setup.chargers[place]) for place in about), dict(numbers), blocks)
        for name, about, numbers, blocks in estimation.findings
    ]
    if silent:
        findings.insert(0, StationFinding("silent", tuple(context.name(number) for number in silent), {}, blocks=True))
    starts, _, kwh, _, _ = estimation.residuals
    return StationResult(
        context.station.id,
        *span,
        full,
        tuple(_charger(context, setup, one) for one in estimation.chargers),
        tuple(_charger(context, setup, one, earlier=True) for one in estimation.earlier),
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
    )


def _charger(context: Context, setup: Setup, one: ErrorEstimate, *, earlier: bool = False) -> ChargerResult:
    number = setup.chargers[one.charger]
    limit = setup.limits[number]
    return ChargerResult(
        context.name(number),
        number,
        limit,
        100 * one.error,
        100 * one.u,
        100 * one.u_common,
        100 * one.u_own,
        one.probability,
        one.decision,
        one.reason,
        _SUITABLE_SHARE * _K * 100 * one.u <= limit,
        one.identified,
        one.altered,
        one.active_windows,
        one.excluded_windows,
        one.energy_kwh,
        one.offset_s,
        number in setup.anchored and not earlier,
        None if earlier else setup.epochs.get(number),
    )


def completeness(context: Context, registers: Registers, first_ms: int, end_ms: int) -> Completeness:
    """Return which share of the instants of each local day each meter's register is known at."""
    zone = context.station.timezone
    times = range(first_ms + -first_ms % SLOT_MS, end_ms, SLOT_MS)
    day_of = {time_ms: day_start_ms(time_ms, zone) for time_ms in times}
    days = sorted(set(day_of.values()))
    shares = []
    meters = [number for number in sorted(context.balanced()) if serves(context.meters[number], first_ms, end_ms)]
    for number in meters:
        meter = context.meters[number]
        known = {item.time_ms for item in registers.of(number).known}
        counts = {day: [0, 0] for day in days}
        for time_ms, day in day_of.items():
            if meter.in_service(time_ms):
                counts[day][0] += time_ms in known
                counts[day][1] += 1
        shares.append(tuple(found / expected if expected else None for found, expected in counts.values()))
    return Completeness(
        tuple(context.name(number) for number in meters), tuple(_local(day, zone) for day in days), tuple(shares)
    )


def _local(day_ms: int, zone: str) -> str:
    return local_date(day_ms, zone).isoformat()


def local_date(time_ms: int, zone: str) -> date:
    """Return the local date of an instant."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(ZoneInfo(zone)).date()
