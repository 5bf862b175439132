"""A station's errors against class limits: each charger by what is decided, residuals by day, and what is missing."""

import math
import random
from dataclasses import replace
from datetime import date, timedelta

import pytest
from figure_support import group, points, texts
from matplotlib.figure import Figure

from cloud_receiver.figures.day import midnight
from cloud_receiver.figures.errors import (
    ChargerError,
    Completeness,
    Decision,
    ErrorPicture,
    Residual,
    render,
)
from cloud_receiver.figures.errors_drawing import draw
from cloud_receiver.figures.style import FAINT, LIMIT, LINES, FigureError, Form, Sheet

FIRST = date(2026, 7, 1)
THREE = ErrorPicture(
    "ST1",
    [
        ChargerError("C1", 0.5, 0.1, 2.0, Decision.CLEAR),
        ChargerError("C2", -3.0, 0.2, 2.0, Decision.FLAG),
        ChargerError("C3", 1.9, 0.3, 2.0, Decision.UNDETERMINED),
    ],
    period="2026-07",
    note="common mode ±0.08 % 公共偏差",
)


def svg(picture: ErrorPicture) -> bytes:
    return render(picture, Form.SVG)


def spans(content: bytes, colour: str, width: str = "1.6") -> list[tuple[float, float]]:
    """Return left and right end of the lines of a colour in the panels."""
    paths = [path for path in group(content, "line2d") if path.get("clip-path")]
    found = [path for path in paths if f"stroke: {colour}; stroke-width: {width}" in path.get("style", "")]
    return [(points(path)[0][0], points(path)[-1][0]) for path in found]


def test_each_charger_has_its_interval_and_its_decision() -> None:
    content = svg(THREE)
    ((clear_left, clear_right),) = spans(content, LINES[0])
    ((flag_left, flag_right),) = spans(content, LIMIT)
    ((open_left, open_right),) = spans(content, FAINT)
    limits = sorted({left for left, _ in spans(content, LIMIT, "1.1")})
    assert len(limits) == 2
    percent = (limits[1] - limits[0]) / 4
    middle = sum(limits) / 2
    assert (clear_left - middle) / percent == pytest.approx(0.5 - 0.196, abs=1e-3)
    assert (clear_right - middle) / percent == pytest.approx(0.5 + 0.196, abs=1e-3)
    assert (flag_left - middle) / percent == pytest.approx(-3 - 0.392, abs=1e-3)
    assert flag_right < limits[0]
    assert open_left < limits[1] < open_right
    written = texts(content)
    assert {"C1", "C2", "C3", "flagged 超差", "clear 合格", "undetermined 未定", "class limit 等级限值"} <= set(written)
    assert {"Metering errors 计量误差  ST1", "2026-07   common mode ±0.08 % 公共偏差", "interval 区间 ±1.96 u"} <= set(
        written
    )
    assert content == svg(THREE)


def test_an_interval_is_as_wide_as_its_coverage() -> None:
    # All limits are the widest thing, so that the scale is the same.
    chargers = [ChargerError("C1", 0.0, 0.1, 9.0, Decision.CLEAR)]
    ((left, right),) = spans(svg(ErrorPicture("S", chargers, coverage=1.0)), LINES[0])
    ((far_left, far_right),) = spans(svg(ErrorPicture("S", chargers, coverage=3.0)), LINES[0])
    assert far_right - far_left == pytest.approx(3 * (right - left), rel=1e-4)


def test_a_charger_without_estimate_is_hatched() -> None:
    for lacking in (
        ChargerError("C4", None, None, 2.0),
        ChargerError("C4", math.nan, 0.1, 2.0),
        ChargerError("C4", 0.1, math.inf, 2.0),
    ):
        content = svg(replace(THREE, chargers=[*THREE.chargers, lacking]))
        assert b"<pattern" in content
        assert {"C4", "no estimate 无估计"} <= set(texts(content))
    assert "no estimate 无估计" not in texts(svg(THREE))
    assert "Metering errors 计量误差  S" in texts(svg(ErrorPicture("S", [])))


def test_residuals_have_the_days_of_the_zone_below() -> None:
    chance = random.Random(1)
    start = midnight(FIRST, "Asia/Shanghai")
    residuals = [Residual(start + number * 900_000, chance.gauss(0, 1)) for number in range(96 * 16)]
    content = svg(replace(THREE, residuals=[*residuals, Residual(start, math.nan)][::-1]))
    written = texts(content)
    assert {"residual 残差 kWh", "local time 当地时间, Asia/Shanghai", "07-01", "07-03", "07-15"} <= set(written)
    assert "07-02" not in written
    assert "residual 残差 kWh" not in texts(svg(THREE))
    assert content == svg(replace(THREE, residuals=residuals))
    assert "residual 残差 kWh" in texts(svg(replace(THREE, residuals=[Residual(start, math.nan)])))


def test_many_residuals_are_a_picture_within_the_file() -> None:
    start = midnight(FIRST, "Asia/Shanghai")
    content = svg(
        replace(THREE, residuals=[Residual(start + number * 900_000, number % 7) for number in range(35_000)])
    )
    assert b"<image" in content
    assert len(content) < 600_000


def test_completeness_is_a_cell_for_each_meter_and_day() -> None:
    days = [FIRST + timedelta(days=number) for number in range(10)]
    shares = [[1.0] * 10, [0.0] * 5 + [0.5] * 5, [None] * 9 + [math.nan]]
    content = svg(replace(THREE, completeness=Completeness(["M1", "M2", "M3"], days, shares)))
    cells = group(content, "PatchCollection")
    assert len(cells) == 20
    colours = [cell.get("style", "").partition("fill: ")[2][:7] for cell in cells]
    assert len(set(colours[:10])) == len(set(colours[10:15])) == len(set(colours[15:])) == 1
    assert len(set(colours)) == 3
    assert {"M1", "M3", "readings there, by day 每日数据完整率", "07-01", "100 %"} <= set(texts(content))


def test_hostile_names_are_text() -> None:
    content = svg(ErrorPicture("<S>&\x00", [ChargerError("<$x$>\n", 0.1, 0.1, 2.0)], note="]]>"))
    assert {"Metering errors 计量误差  <S>&\\x00", "<$x$>\\n", "]]>"} <= set(texts(content))
    assert [
        text for text in texts(svg(ErrorPicture("S", [ChargerError("充" * 64, 0.1, 0.1, 2.0)]))) if text.endswith("充…")
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"chargers": [ChargerError("C", 0.1, 0.1, 0.0)]}, "charger C: expected a limit above 0 %, found 0.0"),
        ({"chargers": [ChargerError("C", 0.1, 0.1, math.nan)]}, "limit above 0 %, found nan"),
        ({"chargers": [ChargerError("C", 0.1, -0.1, 2.0)]}, "uncertainty of 0 % or more, found -0.1"),
        ({"chargers": [ChargerError("C", 0.1, 0.1, 2.0)] * 201}, "at most 200 chargers, found 201"),
        ({"residuals": [Residual(-1, 0.0)]}, "found one at -1 ms"),
        ({"residuals": [Residual(10**18, 0.0)]}, "expected residuals of 1970 to 9998"),
        ({"residuals": [Residual(0, 0.0)] * 40_001}, "at most 40000 residuals, found 40001"),
        ({"completeness": Completeness(["M"], [FIRST], [])}, "a share for each of 1 meters and 1 days"),
        ({"completeness": Completeness(["M"], [FIRST], [[1.0, 1.0]])}, "a share for each"),
        ({"zone": "Mars/Base"}, "no such time zone"),
    ],
)
def test_what_can_not_be_drawn_is_told(change: dict[str, object], said: str) -> None:
    with pytest.raises(FigureError, match=f"figure of station ST1: .*{said}"):
        svg(replace(THREE, **change))


def test_without_a_font_for_it_there_is_no_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(Sheet, "write", lambda _self, _x, _y, text, **_named: said.append(text))
    for chinese in (True, False):
        draw(Sheet(Figure(), 600.0, 300.0, chinese), replace(THREE, note_english="common mode ±0.08 %"))
    assert [text for text in said if "common" in text] == [
        "2026-07   common mode ±0.08 % 公共偏差",
        "2026-07   common mode ±0.08 %",
    ]
