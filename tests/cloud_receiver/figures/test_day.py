"""A node's day and month: steps by where a factor is from, gaps, and days of 23 and 25 hours."""

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from figure_support import group, png_size, points, texts

from cloud_receiver.figures.day import (
    MOST_SLOTS,
    DayPicture,
    MonthPicture,
    NodeSlots,
    SlotFactor,
    SlotQuality,
    day_means,
    midnight,
    render,
)
from cloud_receiver.figures.style import LINES, FigureError, Form

QUARTER = 15 * 60_000
DAY = date(2026, 7, 1)
SHANGHAI = "Asia/Shanghai"


def slots(day: date, zone: str, factors: Iterable[float | None], **more: float) -> list[SlotFactor]:
    start = midnight(day, zone)
    return [
        SlotFactor(
            start + number * QUARTER, factor, SlotQuality.UNDEFINED if factor is None else SlotQuality.SOLVED, **more
        )
        for number, factor in enumerate(factors)
    ]


def day(*nodes: NodeSlots, zone: str = SHANGHAI, when: date = DAY) -> DayPicture:
    return DayPicture(when, zone, nodes)


def svg(picture: DayPicture | MonthPicture) -> bytes:
    return render(picture, Form.SVG)


def lines(content: bytes, colour: str, width: str = "1.8") -> list[tuple[str, list[tuple[float, float]]]]:
    """Return style and corners of the factor lines of a colour in the panels; the legend's have a clip path less."""
    paths = [path for path in group(content, "line2d") if path.get("clip-path")]
    return [
        (style, points(path))
        for path in paths
        if f"stroke: {colour};" in (style := path.get("style", "")) and f"stroke-width: {width}" in style
    ]


def test_a_day_is_steps_of_its_slots() -> None:
    content = svg(day(NodeSlots("S1", slots(DAY, SHANGHAI, [0.2] * 48 + [0.6] * 48), "城东变电站")))
    ((style, corners),) = lines(content, LINES[0])
    assert "stroke-dasharray" not in style
    assert len({x for x, _ in corners}) == 97
    (low, high) = sorted({y for _, y in corners})
    assert high > low
    written = texts(content)
    assert "Carbon factor 碳因子  S1 城东变电站" in written
    assert "2026-07-01   time zone 时区 Asia/Shanghai" in written
    assert {"kgCO₂/kWh", "solved 求解", "local time 当地时间", "00:00", "12:00", "24:00"} <= set(written)
    assert not {"held 沿用", "official 官方因子", "undefined 未定义", "no slot 缺失"} & set(written)


def test_each_origin_of_a_factor_has_its_style_and_gaps_are_shown() -> None:
    own = slots(DAY, SHANGHAI, [0.4] * 96)
    marked = [
        replace(slot, quality=SlotQuality.HELD) if 10 <= number < 20
        else replace(slot, quality=SlotQuality.OFFICIAL) if 20 <= number < 30
        else replace(slot, factor=None, quality=SlotQuality.UNDEFINED) if 40 <= number < 50
        else slot
        for number, slot in enumerate(own) if not 60 <= number < 70
    ]  # fmt: skip
    content = svg(day(NodeSlots("S1", marked[::-1])))  # in any order
    drawn = lines(content, LINES[0])
    assert len(drawn) == 6
    assert len([1 for style, _ in drawn if "stroke-dasharray" in style]) == 2
    assert len({style.partition("stroke-dasharray")[2] for style, _ in drawn}) == 3
    step = (drawn[0][1][-1][0] - drawn[0][1][0][0]) / 10
    spans = [round((corners[-1][0] - corners[0][0]) / step) for _, corners in drawn]
    assert spans == [10, 10, 10, 10, 10, 26]
    assert b"<pattern" in content
    names = {"solved 求解", "held 沿用", "official 官方因子", "undefined 未定义", "no slot 缺失"}
    assert names <= set(texts(content))


def test_energy_and_carbon_stand_below_where_they_are_known() -> None:
    bare = day(NodeSlots("S1", slots(DAY, SHANGHAI, [0.4] * 96)))
    energy = day(NodeSlots("S1", slots(DAY, SHANGHAI, [0.4] * 96, energy_kwh=5.0)))
    both = day(NodeSlots("S1", slots(DAY, SHANGHAI, [0.4] * 96, energy_kwh=5.0, carbon_kg=2.0)))
    heights = [png_size(render(picture, Form.PNG))[1] for picture in (bare, energy, both)]
    assert heights[0] < heights[1] < heights[2]
    assert "energy 电量" not in texts(svg(bare))
    words = [
        [text for text in texts(svg(picture)) if text.startswith(("energy", "carbon"))] for picture in (energy, both)
    ]
    assert words == [["energy 电量"], ["energy 电量", "carbon 碳量"]]


def test_several_nodes_have_a_colour_each() -> None:
    nodes = [
        NodeSlots(f"N{number}", slots(DAY, SHANGHAI, [0.1 * number] * 96, energy_kwh=1.0)) for number in range(1, 9)
    ]
    content = svg(day(*nodes))
    assert [len(lines(content, colour)) for colour in LINES] == [1] * 8
    assert {node.node for node in nodes} <= set(texts(content))
    with pytest.raises(FigureError, match="expected 1 to 8 nodes, found 9"):
        svg(day(*nodes, NodeSlots("N9", ())))
    with pytest.raises(FigureError, match="found 0"):
        svg(day())


@pytest.mark.parametrize(
    ("when", "quarters", "marks"), [(date(2026, 3, 29), 92, 9), (date(2026, 10, 25), 100, 9), (date(2026, 7, 1), 96, 9)]
)
def test_a_day_on_which_clocks_change_has_its_own_length(when: date, quarters: int, marks: int) -> None:
    zone = "Europe/Berlin"
    content = svg(day(NodeSlots("B1", slots(when, zone, [0.4] * quarters)), zone=zone, when=when))
    assert "no slot 缺失" not in texts(content)
    assert len([text for text in texts(content) if text.endswith(":00") and len(text) == 5]) == marks
    ((_, corners),) = lines(content, LINES[0])
    assert len({x for x, _ in corners}) == quarters + 1
    short = svg(day(NodeSlots("B1", slots(when, zone, [0.4] * (quarters - 1))), zone=zone, when=when))
    assert "no slot 缺失" in texts(short)


def test_slots_of_other_days_are_not_drawn() -> None:
    around = [*slots(DAY - timedelta(days=1), SHANGHAI, [0.9] * 96), *slots(DAY, SHANGHAI, [0.4] * 96)]
    around += slots(DAY + timedelta(days=1), SHANGHAI, [0.9] * 96)
    assert svg(day(NodeSlots("S1", around))) == svg(day(NodeSlots("S1", slots(DAY, SHANGHAI, [0.4] * 96))))


def test_a_day_without_any_factor_is_drawn() -> None:
    nothing = svg(day(NodeSlots("S1", ())))
    assert "no slot 缺失" in texts(nothing)
    undefined = svg(day(NodeSlots("S1", slots(DAY, SHANGHAI, [None] * 96))))
    assert "undefined 未定义" in texts(undefined)
    assert not lines(undefined, LINES[0])
    odd = [SlotFactor(midnight(DAY, SHANGHAI), math.nan, energy_kwh=math.inf)]
    assert not lines(svg(day(NodeSlots("S1", odd))), LINES[0])


def test_hostile_names_and_times_are_told_or_shown() -> None:
    name = "<b>&\x00$x$"
    assert "Carbon factor 碳因子  S1 <b>&\\x00$x$" in texts(svg(day(NodeSlots("S1", (), name))))
    twice = slots(DAY, SHANGHAI, [0.4, 0.5])[:1] * 2
    with pytest.raises(FigureError, match="node S1: the slot at 1782835200000 ms is there twice"):
        svg(day(NodeSlots("S1", twice)))
    with pytest.raises(FigureError, match=f"at most {MOST_SLOTS} slots, found {MOST_SLOTS + 1}"):
        svg(day(NodeSlots("S1", [SlotFactor(number, 0.1) for number in range(MOST_SLOTS + 1)])))
    for zone in ("Mars/Base", "../../etc/passwd", "", "a\x00"):
        with pytest.raises(FigureError, match="no such day or time zone"):
            svg(day(NodeSlots("S1", ()), zone=zone))
    for wrong in (MonthPicture(2026, 13, SHANGHAI, [NodeSlots("S1", ())]), day(NodeSlots("S1", ()), when=date.max)):
        with pytest.raises(FigureError, match="no such day"):
            svg(wrong)
    with pytest.raises(FigureError, match="slots of 1 to 1440 minutes, found 0"):
        svg(replace(day(NodeSlots("S1", ())), slot_minutes=0))


def month(own: list[SlotFactor]) -> MonthPicture:
    return MonthPicture(2026, 7, SHANGHAI, [NodeSlots("S1", own)])


def test_a_mean_is_weighted_by_energy_where_all_is_known() -> None:
    own = slots(DAY, SHANGHAI, [0.2] * 48, energy_kwh=10.0)
    own += [replace(slot, start_ms=slot.start_ms + 48 * QUARTER, factor=0.8, energy_kwh=30.0) for slot in own]
    second = slots(DAY + timedelta(days=1), SHANGHAI, [0.2, 0.8], energy_kwh=1.0)
    second[1] = replace(second[1], energy_kwh=None)
    third = slots(DAY + timedelta(days=2), SHANGHAI, [0.3, None], energy_kwh=0.0)
    picture = month([*own, *second, *third])
    means = day_means(picture.nodes[0], picture)
    assert len(means) == 31
    assert means[0].factor == pytest.approx(0.65)
    assert (means[0].weighted, means[0].slots, means[0].expected) == (True, 96, 96)
    assert (means[0].lowest, means[0].highest) == (0.2, 0.8)
    assert means[1].factor == pytest.approx(0.5)
    assert not means[1].weighted
    assert (means[2].factor, means[2].weighted, means[2].slots) == (pytest.approx(0.3), False, 1)
    assert (means[3].factor, means[3].slots) == (None, 0)


def test_a_month_is_drawn_by_its_days() -> None:
    own = [
        slot
        for number in range(31)
        for slot in slots(DAY + timedelta(days=number), SHANGHAI, [0.4] * 96, energy_kwh=1.0)
    ]
    content = svg(month(own))
    written = texts(content)
    assert "2026-07   time zone 时区 Asia/Shanghai" in written
    assert {"weighted by energy 电量加权", "lowest to highest 最低至最高", "day of month 日", "30"} <= set(written)
    assert "mean of slots 时段平均" not in written
    assert content == svg(month(own[::-1]))
    gap = svg(month([replace(slot, energy_kwh=None) for slot in own if slot.start_ms % 7]))
    assert "weighted by energy 电量加权" not in texts(gap)
    ((_, corners),) = lines(content, LINES[0], "1.2")
    assert len(corners) == 31
    without = [slot for slot in own if not 960 * QUARTER <= slot.start_ms - midnight(DAY, SHANGHAI) < 1152 * QUARTER]
    assert [len(corners) for _, corners in lines(svg(month(without)), LINES[0], "1.2")] == [10, 19]
