"""From what was compared to the results of a load point: one for the registers, one for the pulses."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from firmware_sim.inspection.bench import Bench
from firmware_sim.inspection.metering.grid import Place
from firmware_sim.inspection.metering.judging import DIGITS, error_percent, judge, text
from firmware_sim.inspection.metering.measure import Compared, UncertainError
from firmware_sim.inspection.result import PointResult, Reading

MG_PER_KG = 10**6
_TENTH = 10


def factor_text(factor_mg: int | None) -> str:
    """Return a factor in kgCO2/kWh; "" for none."""
    return "" if factor_mg is None else f"{(Decimal(factor_mg) / MG_PER_KG).normalize():f}"


def key(place: Place, factor_mg: int | None, by: str, what: str = "") -> str:
    """Return what names a point's result within its item."""
    parts = (place.key, factor_text(factor_mg), by, what)
    return "/".join(part for part in parts if part)


def limit_of(bench: Bench, place: Place, factor_mg: int | None) -> Fraction:
    """Return the limit at a place, for carbon where there is a factor."""
    if factor_mg is None:
        return bench.limits.energy_percent(bench.rating, place.point)
    return bench.limits.carbon_percent(bench.rating, place.point, factor_mg)


def result(
    bench: Bench,
    place: Place,
    compared: Sequence[Compared],
    *,
    quantity: str,
    method: str,
    factor: str,
    limit: Fraction,
    name: str,
) -> PointResult:
    """Judge the readings that one comparison gave at a place.

    UncertainError where counting leaves open whether the mean conforms: then nothing is concluded, either way.
    """
    errors = [error_percent(item.device, item.standard) for item in compared]
    interval = bench.limits.interval_percent(bench.rating)
    judged = judge(errors, limit=limit, interval=interval, by_rounded=bench.selection.judge_rounded)
    counting = max(item.count_percent for item in compared)
    nearer = abs(judged.mean) + (counting if judged.good else -counting)  # to the limit, and perhaps beyond
    if _TENTH * counting > limit and judged.good != (nearer <= limit):
        raise UncertainError(
            f"{name}: the error is {text(judged.mean, 3)} % by up to {text(counting, 3)} % that counting may add; "
            f"the limit is {text(limit, 3)} %"
        )
    readings = tuple(
        Reading(
            quantity=quantity,
            method=method,
            by=item.by,
            run=run,
            factor=factor,
            power_factor=place.power_factor,
            current=place.current,
            current_ma=place.point.current_ma,
            balance=place.point.balance.value,
            voltage_mv=place.point.voltage_mv,
            duration_ms=text(item.duration_ms, 3),
            pulses=item.pulses,
            standard=text(item.standard),
            device=text(item.device),
            error_percent=text(error),
            limit_percent=text(limit, 4),
            count_error_percent=text(item.count_percent),
            uncertainty_percent=text(item.uncertain_percent),
        )
        for run, (item, error) in enumerate(zip(compared, errors, strict=True), 1)
    )
    return PointResult(
        name,
        readings,
        text(judged.mean, DIGITS),
        judged.shown,
        text(interval, 4),
        text(limit, 4),
        judged.good,
    )
