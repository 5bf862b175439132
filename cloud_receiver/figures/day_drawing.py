"""Draws factors over slots as steps, what was used in them, and the means of a month's days."""

import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final
from zoneinfo import ZoneInfo

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator

from cloud_receiver.figures.day import (
    DayMean,
    DayPicture,
    MonthPicture,
    NodeSlots,
    SlotFactor,
    SlotQuality,
    bounds_of,
    day_means,
    factor_of,
)
from cloud_receiver.figures.style import FAINT, HATCH, INK, LARGE, LINES, SMALL, UNDEFINED, Sheet, shortened

_LEFT: Final = 72.0
_COLUMN: Final = 178.0
_BOTTOM: Final = 40.0
_HEAD: Final = 62.0
_GAP: Final = 16.0
_HOUR: Final = 3_600_000
_DASHES: Final[dict[SlotQuality, Any]] = {
    SlotQuality.SOLVED: "solid",
    SlotQuality.HELD: (0, (4, 1.5)),
    SlotQuality.OFFICIAL: (0, (1, 1.2)),
}
_WORDS: Final = {
    SlotQuality.SOLVED: ("solved", "求解"),
    SlotQuality.HELD: ("held", "沿用"),
    SlotQuality.OFFICIAL: ("official", "官方因子"),
    SlotQuality.UNDEFINED: ("undefined", "未定义"),
}
_EMPTY: Final = "#f0f0f0"


def amounts_of(picture: DayPicture) -> tuple[bool, bool]:
    """Return whether any slot has an energy, and whether any has a carbon amount."""
    slots = [slot for node in picture.nodes for slot in node.slots]
    return any(_known(slot.energy_kwh) for slot in slots), any(_known(slot.carbon_kg) for slot in slots)


def _known(amount: float | None) -> bool:
    return amount is not None and math.isfinite(amount)


def draw(sheet: Sheet, picture: DayPicture | MonthPicture) -> None:
    """Draw a day or a month."""
    if isinstance(picture, DayPicture):
        _draw_day(sheet, picture)
    else:
        _draw_month(sheet, picture)


def _head(sheet: Sheet, when: str, picture: DayPicture | MonthPicture) -> None:
    names = ", ".join(f"{node.node} {node.name}".rstrip() for node in picture.nodes)
    sheet.write(16, sheet.height - 24, f"{sheet.say('Carbon factor', '碳因子')}  {names}", size=LARGE, bold=True)
    sheet.write(16, sheet.height - 40, f"{when}   {sheet.say('time zone', '时区')} {picture.zone}")


def _draw_day(sheet: Sheet, picture: DayPicture) -> None:
    begin, end = bounds_of(picture)
    _head(sheet, picture.day.isoformat(), picture)
    panels = 1 + sum(amounts_of(picture))
    factor_share = 2.1 if panels > 1 else 1.0
    room = sheet.height - _HEAD - _BOTTOM - _GAP * (panels - 1)
    unit = room / (factor_share + panels - 1)
    width = sheet.width - _LEFT - _COLUMN
    top = sheet.height - _HEAD - factor_share * unit
    axes = [sheet.axes(_LEFT, top, width, factor_share * unit)]
    for _ in range(panels - 1):
        top -= unit + _GAP
        axes.append(sheet.axes(_LEFT, top, width, unit))
    span = picture.slot_minutes * 60_000
    slots = [
        sorted((slot for slot in node.slots if begin <= slot.start_ms < end), key=lambda slot: slot.start_ms)
        for node in picture.nodes
    ]
    for own, colour in zip(slots, LINES, strict=False):
        _draw_steps(axes[0], own, span, colour)
    missing = _draw_gaps(axes[0], (begin, end), slots, span)
    axes[0].set_ylabel("kgCO₂/kWh")
    below = iter(axes[1:])
    for shown, amount, text in zip(
        amounts_of(picture),
        ("energy_kwh", "carbon_kg"),
        (f"{sheet.say('energy', '电量')}\nkWh", f"{sheet.say('carbon', '碳量')}\nkg"),
        strict=True,
    ):
        if shown:
            panel = next(below)
            _draw_amounts(panel, slots, span, amount)
            panel.set_ylabel(text)
    for panel in axes:
        _from_zero(panel)
        _hours(panel, (begin, end), picture.zone, labels=panel is axes[-1])
        panel.yaxis.set_label_coords(-41 / width, 0.5)
    axes[-1].set_xlabel(sheet.say("local time", "当地时间"))
    entries = _node_lines(picture)
    entries += _quality_lines(sheet, {slot.quality for own in slots for slot in own}, several=bool(entries))
    if missing:
        entries.append((Patch(facecolor=_EMPTY, edgecolor=FAINT, linewidth=0.4), sheet.say("no slot", "缺失")))
    _beside(axes[0], entries)


def _draw_steps(axes: Axes, slots: list[SlotFactor], span: int, colour: str) -> None:
    """Draw factors as steps: level over a slot, a thin upright where another quality begins, nothing over a gap."""
    last: tuple[int, float] | None = None
    for quality, run in _runs(slots, span):
        x = [time for start, _ in run for time in (start, start + span)]
        y = [factor for _, factor in run for _ in (0, 1)]
        axes.plot(x, y, color=colour, linewidth=1.8, linestyle=_DASHES[quality], solid_capstyle="butt", zorder=3)
        if last is not None and last[0] == x[0]:
            axes.plot([x[0], x[0]], [last[1], y[0]], color=colour, linewidth=0.6, zorder=3)
        last = x[-1], y[-1]


def _runs(slots: Iterable[SlotFactor], span: int) -> Iterator[tuple[SlotQuality, list[tuple[int, float]]]]:
    """Return starts and factors of consecutive slots of a quality that have one."""
    usable = [(slot, factor) for slot in slots if (factor := factor_of(slot)) is not None]
    # Of consecutive slots, start less number is the same.
    for (quality, _), run in groupby(
        enumerate(usable), key=lambda item: (item[1][0].quality, item[1][0].start_ms - item[0] * span)
    ):
        yield quality, [(slot.start_ms, factor) for _, (slot, factor) in run]


def _draw_gaps(axes: Axes, bounds: tuple[int, int], slots: list[list[SlotFactor]], span: int) -> bool:
    """Draw bands where a node has no factor (hatched) and no slot (grey); return whether there are any of the latter.

    Of several nodes each has a band of its own, from the top in their order.
    """
    begin, end = bounds
    missing = False
    for number, own in enumerate(slots):
        low, high = 1 - (number + 1) / len(slots), 1 - number / len(slots)
        there = {(slot.start_ms - begin) // span: factor_of(slot) is not None for slot in own}
        for state, run in groupby(range(-(-(end - begin) // span)), key=there.get):
            if state is True:
                continue
            places = list(run)
            missing = missing or state is None
            look: dict[str, Any] = {"facecolor": _EMPTY} if state is None else {"facecolor": UNDEFINED, "hatch": HATCH}
            look |= {"edgecolor": LINES[number], "linewidth": 0.4 if len(slots) > 1 else 0.0, "zorder": 1}
            last = min(begin + (places[-1] + 1) * span, end)
            axes.axvspan(begin + places[0] * span, last, low, high, **look)
    return missing


def _draw_amounts(axes: Axes, slots: list[list[SlotFactor]], span: int, amount: str) -> None:
    """Draw what was used in each slot: of one node as bars, of several as steps."""
    for own, colour in zip(slots, LINES, strict=False):
        known = [(slot.start_ms, value) for slot in own if _known(value := getattr(slot, amount))]
        if len(slots) == 1:
            starts = [start for start, _ in known]
            axes.bar(starts, [value for _, value in known], width=span * 0.92, align="edge", color=colour, linewidth=0)
            continue
        for _, run in groupby(enumerate(known), key=lambda item: item[1][0] - item[0] * span):
            pairs = [pair for _, pair in run]
            x = [time for start, _ in pairs for time in (start, start + span)]
            axes.plot(x, [value for _, value in pairs for _ in (0, 1)], color=colour, linewidth=1.1)


def _from_zero(axes: Axes) -> None:
    low, high = axes.get_ylim()
    axes.set_ylim(low if axes.dataLim.y0 < 0 else 0.0, high if high > 0 else 1.0)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.5, zorder=0)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _hours(axes: Axes, bounds: tuple[int, int], zone: str, *, labels: bool) -> None:
    """Mark every third hour of the local day, which has 23 or 25 hours where clocks change."""
    begin, end = bounds
    local = datetime.fromtimestamp(begin / 1000, ZoneInfo(zone))
    marks: dict[int, str] = {}
    for hour in range(0, 25, 3):
        wall = (local.replace(hour=0, minute=0, tzinfo=None) + timedelta(hours=hour)).replace(tzinfo=ZoneInfo(zone))
        time = round(wall.timestamp() * 1000)
        if begin <= time <= end:
            marks[time] = f"{hour:02}:00"
    axes.set_xlim(begin, end)
    axes.xaxis.set_major_locator(FixedLocator(list(marks)))
    axes.xaxis.set_minor_locator(FixedLocator(range(begin, end + 1, _HOUR)))
    axes.set_xticklabels(list(marks.values()) if labels else [""] * len(marks))
    axes.grid(axis="x", color="#ececec", linewidth=0.5, zorder=0)


def _node_lines(picture: DayPicture | MonthPicture) -> list[tuple[Line2D | Patch, str]]:
    if len(picture.nodes) == 1:
        return []
    found: list[tuple[Line2D | Patch, str]] = []
    for number, node in enumerate(picture.nodes):
        text = shortened(f"{node.node} {node.name}".rstrip(), _COLUMN - 40, SMALL)
        found.append((Line2D([], [], color=LINES[number], linewidth=1.8), text))
    return found


def _quality_lines(sheet: Sheet, seen: set[SlotQuality], *, several: bool) -> list[tuple[Line2D | Patch, str]]:
    found: list[tuple[Line2D | Patch, str]] = []
    for quality in (quality for quality in SlotQuality if quality in seen):
        if quality is SlotQuality.UNDEFINED:
            handle: Line2D | Patch = Patch(facecolor=UNDEFINED, edgecolor=FAINT, hatch=HATCH, linewidth=0.4)
        else:
            colour = INK if several else LINES[0]
            handle = Line2D([], [], color=colour, linewidth=1.8, linestyle=_DASHES[quality])
        found.append((handle, sheet.say(*_WORDS[quality])))
    return found


def _beside(axes: Axes, entries: list[tuple[Line2D | Patch, str]]) -> None:
    if not entries:
        return
    axes.legend(
        [handle for handle, _ in entries],
        [text for _, text in entries],
        loc="upper left",
        bbox_to_anchor=(1.02, 1.0),
        borderaxespad=0,
        frameon=False,
        fontsize=SMALL,
        handlelength=2.6,
        labelspacing=0.6,
    )


def _draw_month(sheet: Sheet, picture: MonthPicture) -> None:
    _head(sheet, f"{picture.year}-{picture.month:02}", picture)
    width = sheet.width - _LEFT - _COLUMN
    bars = 56.0
    axes = sheet.axes(_LEFT, _BOTTOM + bars + _GAP, width, sheet.height - _HEAD - _BOTTOM - bars - _GAP)
    below = sheet.axes(_LEFT, _BOTTOM, width, bars)
    weighted = unweighted = False
    for number, node in enumerate(picture.nodes):
        means = day_means(node, picture)
        weighted |= any(mean.weighted for mean in means)
        unweighted |= any(mean.factor is not None and not mean.weighted for mean in means)
        _draw_means(axes, means, LINES[number], ranges=len(picture.nodes) == 1)
        wide = 0.8 / len(picture.nodes)
        share = [100 * mean.slots / mean.expected for mean in means]
        days = [mean.day.day - 0.4 + number * wide for mean in means]
        below.bar(days, share, width=wide, align="edge", color=LINES[number], linewidth=0)
    _from_zero(axes)
    axes.set_ylabel("kgCO₂/kWh")
    below.set(ylim=(0, 100), yticks=(0, 50, 100), ylabel=f"{sheet.say('slots', '时段')}\n%")
    below.spines[["top", "right"]].set_visible(False)
    below.set_xlabel(sheet.say("day of month", "日"))
    last = len(day_means(NodeSlots("", ()), picture))
    for panel in (axes, below):
        panel.set_xlim(0.4, last + 0.6)
        panel.xaxis.set_major_locator(FixedLocator([1, *range(5, last + 1, 5)]))
        panel.yaxis.set_label_coords(-41 / width, 0.5)
    axes.set_xticklabels([])
    entries = _node_lines(picture)
    colour = LINES[0] if len(picture.nodes) == 1 else INK
    look: dict[str, Any] = {"color": colour, "linewidth": 1.2, "marker": "o", "markersize": 4}
    if weighted:
        entries.append((Line2D([], [], **look), sheet.say("weighted by energy", "电量加权")))
    if unweighted:
        entries.append((Line2D([], [], markerfacecolor="white", **look), sheet.say("mean of slots", "时段平均")))
    if len(picture.nodes) == 1:
        entries.append((Patch(facecolor=colour, alpha=0.22), sheet.say("lowest to highest", "最低至最高")))
    _beside(axes, entries)


def _draw_means(axes: Axes, means: list[DayMean], colour: str, *, ranges: bool) -> None:
    for has_factor, run in groupby(means, key=lambda mean: mean.factor is not None):
        if has_factor:
            days = list(run)
            factors = [mean.factor for mean in days if mean.factor is not None]
            axes.plot([mean.day.day for mean in days], factors, color=colour, linewidth=1.2)
    for mean in means:
        if mean.factor is None or mean.lowest is None or mean.highest is None:
            continue
        if ranges:
            high = mean.highest - mean.lowest
            axes.bar(mean.day.day, high, bottom=mean.lowest, width=0.8, color=colour, alpha=0.22, linewidth=0)
        face = colour if mean.weighted else "white"
        axes.plot(
            mean.day.day, mean.factor, marker="o", markersize=4.5, color=colour, markerfacecolor=face, linestyle="none"
        )
