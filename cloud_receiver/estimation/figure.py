"""A station's estimate as a figure: errors against class limits, residuals over time, completeness."""

from collections.abc import Callable
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
        note=_note(found, place, _both),
        note_english=_note(found, place, _english),
        zone=zone,
    )


def _both(english: str, chinese: str) -> str:
    return f"{english} {chinese}"


def _english(english: str, _: str) -> str:
    return english


def _note(found: StationResult, place: ZoneInfo, say: Callable[[str, str], str]) -> str:
    more = _supposed(found, place, say) or _halves(found, say)
    if not found.windows:
        return f"{say('no window: nothing was estimated', '无可用时段')}{more}"
    return f"{say('common to all', '公共部分')} ±{2 * found.u_common:.2f} % (k = 2){more}"


def _supposed(found: StationResult, place: ZoneInfo, say: Callable[[str, str], str]) -> str:
    """Return what is only supposed: there is room for one more thing, and nothing matters more."""
    if not found.supposed:
        return ""
    times = (f"{name} {local_time(at_ms, place)[:16]}" for name, at_ms in found.supposed)
    return f"   {say('supposed exchanged', '假设换表')}: {', '.join(times)}"


def _halves(found: StationResult, say: Callable[[str, str], str]) -> str:
    halves = found.halves
    if halves is None:
        return ""
    apart = say("don't agree", "不一致")
    verdict = say("agree", "一致") if halves.agree else f"{apart}, own u x {halves.factor:.2f}"
    return f"   {say('halves', '前后两半')}: z rms {halves.z_rms:.2f} (95 %: {halves.z_limit:.2f}), {verdict}"
