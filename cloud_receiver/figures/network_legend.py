"""The head of a network's picture, its colour bar and its legend."""

import math
from collections import Counter
from typing import Any, Final

from matplotlib.cm import ScalarMappable
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cloud_receiver.figures.network import NetworkPicture, Shape, known
from cloud_receiver.figures.style import FAINT, HATCH, INK, LARGE, PLAIN, SMALL, UNDEFINED, Sheet

_WORDS: Final = {
    Shape.PLANT: ("plant", "电厂"),
    Shape.SUBSTATION: ("substation", "变电站"),
    Shape.LOAD: ("load", "用户"),
    Shape.STAR: ("star point", "变压器星点"),
}
_QUALITIES: Final = {
    "dead": ("no through-flow", "无潮流"),
    "no_source": ("no source", "无电源"),
    "unknown_origin": ("origin unknown", "来源不明"),
    "bad_input": ("bad measurement", "量测不可用"),
    "unsolved": ("not solved", "未求解"),
}
_BAR: Final = 150.0
MARKERS: Final = {
    Shape.PLANT: ("s", 0.92),
    Shape.SUBSTATION: ("o", 1.0),
    Shape.LOAD: ("v", 1.5),
    Shape.STAR: ("d", 0.9),
}
"""Marker and size of each kind, so that all look alike large."""


def draw_head(sheet: Sheet, picture: NetworkPicture, left: float, top: float) -> None:
    """Write the title and what is known of the slot."""
    title = sheet.say("Nodal carbon factors", "节点碳势")
    sheet.write(left, top, f"{title}  {picture.title}".rstrip(), size=LARGE, bold=True)
    nodes, branches = len(picture.nodes), len(picture.branches)
    facts = [
        f"{_count(sheet, nodes, 'node', '节点')}, {_count(sheet, branches, 'branch', '支路')}",
        picture.time,
        f"{sheet.say('solve', '求解号')} {picture.solve_id}" if picture.solve_id else "",
    ]
    sheet.write(left, top - 16, "   ".join(fact for fact in facts if fact))
    if (balance := picture.balance) is not None:
        terms = [
            f"{sheet.say('sources', '电源')} {balance.sources:.3f}",
            f"= {sheet.say('loads', '负荷')} {balance.loads:.3f}",
            f"+ {sheet.say('losses', '网损')} {balance.losses:.3f}",
            f"+ {sheet.say('other', '其他')} {balance.other:.3f} tCO₂/h".replace("-0.000", "0.000"),
            f"({sheet.say('relative residual', '相对残差')} {balance.relative_residual:.0e})",
        ]
        sheet.write(left, top - 30, f"{sheet.say('Balance', '碳平衡')}: {' '.join(terms)}")


def _count(sheet: Sheet, number: int, english: str, chinese: str) -> str:
    plural = "" if number == 1 else "es" if english.endswith("ch") else "s"
    return f"{number} {sheet.say(english + plural, chinese)}"


def width_for(megawatts: float, largest: float) -> float:
    """Return the width of a branch in pt."""
    return 0.5 + 3.7 * math.sqrt(abs(megawatts) / largest) if largest > 0 else 0.5


def largest_power(picture: NetworkPicture) -> float:
    """Return the largest power of a branch in MW; 0 where none is known."""
    powers = (abs(branch.megawatts) for branch in picture.branches if branch.megawatts is not None and not branch.open)
    return max((power for power in powers if math.isfinite(power)), default=0.0)


def draw_column(
    sheet: Sheet, picture: NetworkPicture, top_left: tuple[float, float], shades: ScalarMappable, *, left_out: bool
) -> None:
    """Draw the colour bar and below it what shapes, hatching and widths mean."""
    left, top = top_left
    sheet.write(left, top, sheet.say("carbon factor", "碳因子"), size=PLAIN)
    sheet.write(left, top - 12, "kgCO₂/kWh", size=PLAIN)
    bar = sheet.axes(left, top - 24 - _BAR, 13, _BAR)
    sheet.figure.colorbar(shades, cax=bar)
    bar.tick_params(labelsize=SMALL, width=0.6)
    entries = [*_kinds(sheet, picture), *_undefined(sheet, picture), *_lines(sheet, picture)]
    box = sheet.axes(left, 8, sheet.width - left, top - 40 - _BAR - 8)
    box.set_axis_off()
    look: dict[str, Any] = {
        "frameon": False,
        "fontsize": SMALL,
        "borderaxespad": 0,
        "borderpad": 0,
        "handlelength": 1.8,
    }
    box.legend(
        [handle for handle, _ in entries],
        [text for _, text in entries],
        loc="upper left",
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0)},
        labelspacing=0.55,
        **look,
    )
    if left_out:
        sheet.write(left, 14, sheet.say("named: plants, extremes", "标注电厂与极值"), size=SMALL)


def _kinds(sheet: Sheet, picture: NetworkPicture) -> list[tuple[Line2D | Patch, str]]:
    counts = Counter(node.kind for node in picture.nodes)
    look: dict[str, Any] = {
        "linestyle": "none",
        "markerfacecolor": "white",
        "markeredgecolor": INK,
        "markeredgewidth": 0.6,
    }
    return [
        (Line2D([], [], marker=MARKERS[kind][0], markersize=7, **look), f"{sheet.say(*words)} ({counts[kind]})")
        for kind, words in _WORDS.items()
        if counts[kind]
    ]


def _undefined(sheet: Sheet, picture: NetworkPicture) -> list[tuple[Line2D | Patch, str]]:
    without = [node for node in picture.nodes if known(node) is None]
    if not without:
        return []
    patch = Patch(facecolor=UNDEFINED, edgecolor=INK, hatch=HATCH, linewidth=0.5)
    found: list[tuple[Line2D | Patch, str]] = [(patch, f"{sheet.say('undefined', '未定义')} ({len(without)})")]
    blank = Patch(facecolor="none", edgecolor="none")
    for quality, count in sorted(Counter(node.quality for node in without).items()):
        if quality in _QUALITIES:
            found.append((blank, f"{sheet.say(*_QUALITIES[quality])} ({count})"))
    return found


def _lines(sheet: Sheet, picture: NetworkPicture) -> list[tuple[Line2D | Patch, str]]:
    found: list[tuple[Line2D | Patch, str]] = []
    largest = largest_power(picture)
    for power in _steps(largest):
        line = Line2D([], [], color=FAINT, linewidth=width_for(power, largest), marker=">", markersize=4)
        found.append((line, f"{power:,g} MW"))
    if any(branch.open for branch in picture.branches):
        found.append((Line2D([], [], color=FAINT, linewidth=0.9, linestyle=(0, (3, 2))), sheet.say("open", "断开")))
    if any(branch.megawatts is None and not branch.open for branch in picture.branches):
        line = Line2D([], [], color=FAINT, linewidth=0.9, linestyle=(0, (1, 1.5)))
        found.append((line, sheet.say("not measured", "无量测")))
    return found


def _steps(largest: float) -> list[float]:
    """Return up to three round powers, the greatest near the largest one."""
    if largest <= 0:
        return []
    unit = 10.0 ** math.floor(math.log10(largest))
    top = unit * max(digit for digit in (1, 2, 5) if digit * unit <= largest)
    return [top, top / 4, top / 20]
