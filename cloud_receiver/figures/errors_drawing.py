"""Draws errors with their intervals against class limits, residuals over time, and a table of completeness."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator

from cloud_receiver.figures.day import midnight
from cloud_receiver.figures.errors import ChargerError, Completeness, Decision, ErrorPicture, Residual
from cloud_receiver.figures.style import FAINT, HATCH, INK, LARGE, LIMIT, LINES, SMALL, UNDEFINED, Sheet, shortened

_WIDTH: Final = 760.0
_LEFT: Final = 130.0
_COLUMN: Final = 178.0
_HEAD: Final = 62.0
_ROW: Final = 13.0
_FOOT: Final = 44.0
"""Below a panel: numbers and what they are."""
_RESIDUALS: Final = 130.0
_SHADES: Final = ("#5c1f00", "#e08a00", "#dde8f3")
"""From nothing to everything: what is complete recedes."""
_LOOKS: Final = {
    Decision.FLAG: ("D", LIMIT, "flagged", "超差"),
    Decision.CLEAR: ("o", LINES[0], "clear", "合格"),
    Decision.UNDETERMINED: ("o", FAINT, "undetermined", "未定"),
}


def size_of(picture: ErrorPicture) -> tuple[float, float]:
    """Return width and height of a picture in pt."""
    height = _HEAD + _rows(len(picture.chargers)) + _FOOT
    if picture.residuals:
        height += _RESIDUALS + _FOOT
    if picture.completeness is not None:
        height += _rows(len(picture.completeness.meters)) + _FOOT
    return _WIDTH, height


def _rows(count: int) -> float:
    return max(count, 4) * _ROW


def draw(sheet: Sheet, picture: ErrorPicture) -> None:
    """Draw a picture."""
    title = f"{sheet.say('Metering errors', '计量误差')}  {picture.station}"
    sheet.write(16, sheet.height - 24, title, size=LARGE, bold=True)
    note = picture.note if sheet.chinese else picture.note_english or picture.note
    sheet.write(16, sheet.height - 40, "   ".join(text for text in (picture.period, note) if text))
    width = sheet.width - _LEFT - _COLUMN
    top = sheet.height - _HEAD - _rows(len(picture.chargers))
    _draw_errors(sheet, sheet.axes(_LEFT, top, width, _rows(len(picture.chargers))), picture)
    if picture.residuals:
        top -= _FOOT + _RESIDUALS
        _draw_residuals(sheet, sheet.axes(_LEFT, top, width, _RESIDUALS), picture.residuals, picture.zone)
    if picture.completeness is not None:
        top -= _FOOT + _rows(len(picture.completeness.meters))
        height = _rows(len(picture.completeness.meters))
        axes = sheet.axes(_LEFT, top, width, height)
        _draw_completeness(sheet, axes, picture.completeness, (_LEFT + width + 14, top, height))


def _named(axes: Axes, names: Sequence[str], rows: int) -> None:
    """Name rows from the top on."""
    axes.set_ylim(rows - 0.5, -0.5)
    axes.yaxis.set_major_locator(FixedLocator(range(len(names))))
    axes.set_yticklabels([shortened(name, _LEFT - 22, SMALL) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_errors(sheet: Sheet, axes: Axes, picture: ErrorPicture) -> None:
    _named(axes, [charger.name for charger in picture.chargers], max(len(picture.chargers), 4))
    axes.axvline(0, color=FAINT, linewidth=0.6, zorder=1)
    reach = 0.0
    missing = False
    for row, charger in enumerate(picture.chargers):
        reach = max(reach, charger.limit)
        for limit in (-charger.limit, charger.limit):
            axes.plot([limit, limit], [row - 0.5, row + 0.5], color=LIMIT, linewidth=1.1, zorder=2)
        interval = _interval(charger, picture.coverage)
        if interval is None:
            missing = True
            look: dict[str, Any] = {"facecolor": UNDEFINED, "hatch": HATCH, "linewidth": 0, "alpha": 0.6, "zorder": 1}
            axes.barh(row, 2 * charger.limit, left=-charger.limit, height=0.7, **look)
            continue
        error, half = interval
        reach = max(reach, abs(error) + half)
        marker, colour, *_ = _LOOKS[charger.decision]
        axes.plot([error - half, error + half], [row, row], color=colour, linewidth=1.6, zorder=3)
        face = "white" if charger.decision is Decision.UNDETERMINED else colour
        axes.plot(error, row, marker=marker, markersize=4.5, color=colour, markerfacecolor=face, zorder=4)
    axes.set_xlim(-1.08 * (reach or 1.0), 1.08 * (reach or 1.0))
    axes.set_xlabel(f"{sheet.say('error', '误差')} %")
    axes.grid(axis="x", color="#ececec", linewidth=0.5, zorder=0)
    axes.set_axisbelow(True)
    entries: list[tuple[Line2D | Patch, str]] = []
    seen = {charger.decision for charger in picture.chargers}
    for decision, (marker, colour, *words) in _LOOKS.items():
        if decision in seen:
            face = "white" if decision is Decision.UNDETERMINED else colour
            look = {"marker": marker, "color": colour, "markerfacecolor": face, "markersize": 4.5, "linewidth": 1.6}
            entries.append((Line2D([], [], **look), sheet.say(*words)))
    entries.append((Line2D([], [], color=LIMIT, linewidth=1.1), sheet.say("class limit", "等级限值")))
    if missing:
        entries.append((Patch(facecolor=UNDEFINED, hatch=HATCH), sheet.say("no estimate", "无估计")))
    entries.append((Line2D([], [], linestyle="none"), f"{sheet.say('interval', '区间')} ±{picture.coverage:g} u"))
    axes.legend(
        [handle for handle, _ in entries],
        [text for _, text in entries],
        loc="upper left",
        bbox_to_anchor=(1.02, 1.0),
        borderaxespad=0,
        frameon=False,
        fontsize=SMALL,
    )


def _interval(charger: ChargerError, coverage: float) -> tuple[float, float] | None:
    """Return the error and half of its interval; None where there is no estimate."""
    if charger.error is None or charger.u is None or not math.isfinite(charger.error + charger.u):
        return None
    return charger.error, coverage * charger.u


def _draw_residuals(sheet: Sheet, axes: Axes, residuals: Sequence[Residual], zone: str) -> None:
    shown = sorted((item.start_ms, item.kwh) for item in residuals if math.isfinite(item.kwh))
    axes.axhline(0, color=FAINT, linewidth=0.6, zorder=1)
    # As a picture within an SVG: tens of thousands of points are no drawing to be edited.
    look: dict[str, Any] = {"s": 3, "linewidths": 0, "alpha": 0.5, "rasterized": len(shown) > 2000}  # noqa: PLR2004
    axes.scatter([start for start, _ in shown], [kwh for _, kwh in shown], color=LINES[0], **look)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    days = _midnights([start for start, _ in shown], zone)
    axes.xaxis.set_major_locator(FixedLocator([time for time, _ in days]))
    axes.set_xticklabels([text for _, text in days])
    axes.set_ylabel(f"{sheet.say('residual', '残差')} kWh")
    axes.set_xlabel(f"{sheet.say('local time', '当地时间')}, {zone}")
    axes.spines[["top", "right"]].set_visible(False)


def _midnights(starts: Sequence[int], zone: str) -> list[tuple[int, str]]:
    """Return about eight beginnings of local days that residuals are spread over, and their dates."""
    if not starts:
        return []
    first, last = (datetime.fromtimestamp(start / 1000, ZoneInfo(zone)).date() for start in (starts[0], starts[-1]))
    step = max(1, -(-((last - first).days + 1) // 8))
    days = [first + timedelta(days=number) for number in range(0, (last - first).days + 2, step)]
    return [(midnight(day, zone), f"{day:%m-%d}") for day in days]


def _draw_completeness(sheet: Sheet, axes: Axes, table: Completeness, place: tuple[float, float, float]) -> None:
    _named(axes, table.meters, max(len(table.meters), 4))
    axes.set_xlim(-0.5, max(len(table.days), 1) - 0.5)
    scale, boxes, colours = LinearSegmentedColormap.from_list("share", _SHADES), [], []
    for row, shares in enumerate(table.shares):
        for column, share in enumerate(shares):
            if share is not None and math.isfinite(share):
                boxes.append(Rectangle((column - 0.5, row - 0.5), 1, 1))
                colours.append(scale(min(max(share, 0.0), 1.0)))
    axes.add_collection(PatchCollection(boxes, facecolors=colours, edgecolors="white", linewidths=0.3))
    step = max(1, math.ceil(len(table.days) / 8))
    places = range(0, len(table.days), step)
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.set_xticklabels([f"{table.days[number]:%m-%d}" for number in places])
    axes.set_xlabel(sheet.say("readings there, by day", "每日数据完整率"))
    left, bottom, height = place
    bar = sheet.axes(left, bottom, 10, height)
    sheet.figure.colorbar(ScalarMappable(Normalize(0, 100), scale), cax=bar)
    bar.set_yticks([0, 50, 100], ["0 %", "50 %", "100 %"])
    bar.tick_params(labelsize=SMALL, width=0.6, color=INK)
