"""Windows in which orders and the master don't match: orders that are missing, or of another time than they say.

A charger that is known by its orders only sells unseen what has no order. One missing order is worth many times the
noise of a window, and weights alone would leave it a say in every error: such a window is named and left out. What a
charger's error explains stays in, since residuals are those of an estimate with all errors in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median, quantiles
from zoneinfo import ZoneInfo

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.registers import RegisterHistory, Registers
from cloud_receiver.estimation.windows import MWH_PER_KWH, StationWindows
from cloud_receiver.registry import Role
from diantan_core import ErrorEstimation, ErrorEstimator, ErrorWindows

MISSING = "missing_orders"
ELSEWHERE = "orders_elsewhere"
"""More was sold than the master counted: times that are wrong, or another station's orders."""
_FAR = 6.0
"""Standard deviations: among a year of hours chance has none."""
_LEAST_KWH = 0.25
"""Less is no order that anybody would miss."""
_STEPS = 3
"""A register that steps within a window of nearly nothing is no order, either."""
_ROUNDS = 8
_SLACK = 0.05
"""Of what was sold: errors and losses of a window that no estimate speaks of."""
_FEW_IDLE = 8
_TOO_MANY = 0.25
"""Share of the energy, and of the windows with orders: where more doesn't match, the rest isn't to be trusted."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A window that was left out; `excess_kwh`: what the master counted beyond orders, errors and losses."""

    start_ms: int
    end_ms: int
    master_kwh: float
    orders_kwh: float
    excess_kwh: float
    whole: bool = True
    """Whether the master is known all the time; else the excess is the least it can be."""


@dataclass(frozen=True, slots=True)
class Screened:
    """An estimation from the windows that match, and the others. `doubtful`: too many of these for any judgement."""

    windows: StationWindows
    estimation: ErrorEstimation
    left_out: tuple[LeftOut, ...]
    doubtful: bool


def screen(estimator: ErrorEstimator, found: StationWindows, master_step_kwh: float) -> Screened:
    """Estimate, leave out what doesn't match, and estimate again until all that is left does.

    `master_step_kwh`: of the master's register.
    """
    least_kwh = max(_LEAST_KWH, _STEPS * master_step_kwh)
    windows = found.windows
    sold = windows.weighted_kwh([1.0] * windows.chargers)
    by_start = {start: place for place, start in enumerate(windows.starts_ms)}
    gone = _unsold(windows, sold, least_kwh)
    kept, estimation = found, estimator.estimate(windows)
    for turn in range(_ROUNDS):
        if turn or gone:
            kept = found.part([place for place in range(len(windows)) if place not in gone])
            estimation = estimator.estimate(kept.windows)
        starts, _, plain_kwh, whitened, _ = estimation.residuals
        limit = _FAR * max(1.0, estimation.scale)
        more = {
            by_start[start]: kwh
            for start, kwh, size in zip(starts, plain_kwh, whitened, strict=True)
            if abs(size) > limit and abs(kwh) > least_kwh
        }
        if not more or turn == _ROUNDS - 1:
            break
        gone |= more
    left_out = tuple(
        LeftOut(windows.starts_ms[place], windows.ends_ms[place], windows.master_kwh[place], sold[place], gone[place])
        for place in sorted(gone)
    )
    shares = [
        (sum(sold[place] > 0 for place in gone), sum(value > 0 for value in sold)),
        (sum(map(abs, gone.values())), sum(windows.master_kwh)),
    ]
    return Screened(kept, estimation, left_out, any(part > _TOO_MANY * whole for part, whole in shares))


def _unsold(windows: ErrorWindows, sold: Sequence[float], least_kwh: float) -> dict[int, float]:
    """Return windows without any order in which the master counted far more than in most of those.

    Before the noise is known: what the master counts while nothing is sold would pass for it.
    """
    idle = [place for place, value in enumerate(sold) if value == 0]
    if len(idle) < _FEW_IDLE:
        return {}
    starts, ends, master = windows.starts_ms, windows.ends_ms, windows.master_kwh
    hours = {place: (ends[place] - starts[place]) / 3.6e6 for place in idle}
    powers = [master[place] / hours[place] for place in idle]
    most, usual = quantiles(powers, n=4)[2], median(powers)
    return {
        place: master[place] - usual * hours[place] for place in idle if master[place] - most * hours[place] > least_kwh
    }


def over_gaps(
    context: Context, registers: Registers, found: StationWindows, fixed_load_kw: float
) -> tuple[LeftOut, ...]:
    """Return what lies between windows, where the master isn't always known and yet counted more than was sold.

    Nothing is estimated from it; the excess is the least it can be. Only of a station whose chargers are all known by
    their orders, behind grid-side meters and nothing else.
    """
    masters = context.numbers(Role.GRID)
    alone = found.orders.alone
    if len(alone) + len(masters) < len(context.balanced()):
        return ()
    result = []
    for first_ms, last_ms in zip(found.windows.ends_ms, found.windows.starts_ms[1:], strict=False):
        if first_ms == last_ms:
            continue
        totals = [(one.total_mwh(first_ms) or 0, one.total_mwh(last_ms) or 0) for one in alone.values()]
        sold = sum(after - before for before, after in totals) / MWH_PER_KWH
        counted = sum(_counted(registers.of(number), first_ms, last_ms) for number in masters)
        fixed = max(fixed_load_kw, 0.0) * (last_ms - first_ms) / 3.6e6
        if counted - sold * (1 + _SLACK) - 2 * fixed > _LEAST_KWH:
            result.append(LeftOut(first_ms, last_ms, counted, sold, counted - sold - fixed, whole=False))
    return tuple(result)


def by_month(left_out: Sequence[LeftOut], zone: str) -> list[tuple[str, dict[str, float | str]]]:
    """Return what was left out as findings, one for each local month in which such windows begin."""
    groups: dict[tuple[str, str], list[LeftOut]] = {}
    for item in left_out:
        month = datetime.fromtimestamp(item.start_ms / 1000, ZoneInfo(zone)).strftime("%Y-%m")
        groups.setdefault((month, MISSING if item.excess_kwh > 0 else ELSEWHERE), []).append(item)
    return [
        (
            name,
            {
                "month": month,
                "windows": float(len(items)),
                "kwh": sum(item.excess_kwh for item in items),
                "master_kwh": sum(item.master_kwh for item in items),
                "orders_kwh": sum(item.orders_kwh for item in items),
            },
        )
        for (month, name), items in sorted(groups.items())
    ]


def _counted(history: RegisterHistory, first_ms: int, last_ms: int) -> float:
    """Return what is known of the energy of a span, kWh."""
    known = [item for item in history.between(first_ms, last_ms) if first_ms <= item.time_ms <= last_ms]
    return sum(
        (after.net_mwh - before.net_mwh) / MWH_PER_KWH
        for before, after in pairwise(known)
        if before.segment == after.segment
    )
