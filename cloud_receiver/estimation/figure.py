"""A station's estimate as a figure: errors against class limits, residuals over time, completeness."""

from datetime import date
from zoneinfo import ZoneInfo

from cloud_receiver.checks.day import local_time
from cloud_receiver.estimation.result import StationResult
from cloud_receiver.figures.errors import ChargerError, Completeness, Decision, ErrorPicture, Residual


def picture(found: StationResult, zone: str) -> ErrorPicture:
    """Return what to draw; without data of its own a charger has no error, only its limit."""
    table = found.completeness
    place = ZoneInfo(zone)
    return ErrorPicture(
        found.station,
        [
            ChargerError(
                one.meter,
                one.error if one.active_windows else None,
                one.u if one.active_windows else None,
                one.limit,
                Decision(one.decision),
            )
            for one in found.chargers
        ],
        [Residual(start_ms, kwh) for start_ms, kwh in found.residuals],
        None
        if table is None
        else Completeness(table.meters, [date.fromisoformat(day) for day in table.days], table.shares),
        period=f"{local_time(found.first_ms, place)[:10]} .. {local_time(found.end_ms - 1, place)[:10]}",
        note=f"common to all 公共部分 ±{2 * found.u_common:.2f} % (k = 2){_supposed(found, place) or _halves(found)}",
        zone=zone,
    )


def _supposed(found: StationResult, place: ZoneInfo) -> str:
    """Return what is only supposed: there is room for one more thing, and nothing matters more."""
    if not found.supposed:
        return ""
    times = (f"{name} {local_time(at_ms, place)[:16]}" for name, at_ms in found.supposed)
    return f"   supposed exchanged 假设换表: {', '.join(times)}"


def _halves(found: StationResult) -> str:
    halves = found.halves
    if halves is None:
        return ""
    verdict = "agree 一致" if halves.agree else f"don't agree 不一致, own u x {halves.factor:.2f}"
    return f"   halves 前后两半: z rms {halves.z_rms:.2f} (95 %: {halves.z_limit:.2f}), {verdict}"
