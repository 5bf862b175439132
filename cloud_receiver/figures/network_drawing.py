"""Draws a network: branches in the colour of the power's origin, nodes, and names."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.patches import Rectangle

from cloud_receiver.figures import network_legend as legend
from cloud_receiver.figures.labels import Standing, Wish, stand
from cloud_receiver.figures.network import NetworkPicture, PictureBranch, PictureNode, Shape, known
from cloud_receiver.figures.network_plan import HEAD, MARGIN, MOST_NAMED, Plan, plan_of, text_of, wide_of
from cloud_receiver.figures.placing import placed
from cloud_receiver.figures.style import FAINT, HATCH, INK, SCALE, SMALL, UNDEFINED, Sheet, width_of

_Line: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
_Shade: TypeAlias = tuple[float, float, float, float]

_SAME: Final = 1e-9
"""Factors that differ less are equal: all have the middle colour."""
_BESIDE: Final = 0.3
"""Of its width: a name whose middle is farther aside begins or ends beside its node."""
_BRIGHT: Final = 0.5
_STILL: Final = 1e-6
"""MW: 1 W. A branch with less has no direction."""


def draw(sheet: Sheet, picture: NetworkPicture) -> None:
    """Draw a picture."""
    plan = plan_of(picture)
    border = plan.diameter * 0.8 + (3 if plan.inside else 12)
    points = placed(
        picture,
        width=plan.width - 2 * border,
        height=plan.height - 2 * border,
        apart=plan.diameter * (1.75 if len(picture.nodes) <= MOST_NAMED else 1.25),
    )
    axes = sheet.axes(MARGIN, MARGIN, plan.width, plan.height)
    axes.set(xlim=(0, plan.width), ylim=(0, plan.height))
    axes.set_axis_off()
    span = _span(picture)
    shades = ScalarMappable(Normalize(*span), _colours())
    points = {name: (x + border, y + border) for name, (x, y) in points.items()}
    drawing = _Drawing(axes, picture, plan, points, shades, span)
    lines = drawing.branches()
    drawing.nodes()
    if plan.inside:
        drawing.names_inside()
    else:
        drawing.names_beside(lines)
    legend.draw_head(sheet, picture, MARGIN + 2, sheet.height - 24)
    column = (MARGIN + plan.width + 14, sheet.height - HEAD - 12)
    legend.draw_column(sheet, picture, column, shades, left_out=len(picture.nodes) > MOST_NAMED)


def _colours() -> LinearSegmentedColormap:
    # The lightest yellow is hard to see on white.
    scale = colormaps[SCALE]
    return LinearSegmentedColormap.from_list("factor", [scale(0.05 + 0.95 * step / 63) for step in range(64)])


def _span(picture: NetworkPicture) -> tuple[float, float]:
    if picture.scale is not None:
        return picture.scale
    factors = [factor for node in picture.nodes if (factor := known(node)) is not None] or [0.0, 1.0]
    low, high = min(factors), max(factors)
    if high - low < _SAME:
        half = max(0.1 * abs(low), 0.01)
        low, high = low - half, high + half
    return low, high


@dataclass(frozen=True, slots=True)
class _Drawing:
    axes: Axes
    picture: NetworkPicture
    plan: Plan
    points: dict[str, tuple[float, float]]
    shades: ScalarMappable
    span: tuple[float, float]

    def shade(self, factor: float) -> _Shade:
        low, high = self.span
        return self.shades.get_cmap()((factor - low) / (high - low))

    def branches(self) -> list[_Line]:
        """Draw the branches in the colours of the nodes that send, with heads that show which way; return the lines."""
        factors = {node.id: known(node) for node in self.picture.nodes}
        largest = legend.largest_power(self.picture)
        scale = min(1.0, self.plan.diameter / 8)
        lines: list[_Line] = []
        look: defaultdict[str, list[Any]] = defaultdict(list)
        tips: list[list[tuple[float, float]]] = []
        tip_shades: list[Any] = []
        for branch, line in self._apart(scale):
            power = _power(branch)
            backward = (power or 0.0) < 0
            factor = factors[branch.end if backward else branch.start]
            still = power is None or abs(power) < _STILL
            shade = FAINT if factor is None or still else self.shade(factor)
            width = legend.width_for(power or 0.0, largest) * scale
            lines.append(line)
            look["linewidths"].append(width)
            look["colors"].append(shade)
            look["linestyles"].append((0, (3, 2)) if branch.open else (0, (1, 1.5)) if power is None else "solid")
            if not still and (
                tip := _tip(line[::-1] if backward else line, 2.6 * scale + 1.3 * width, self.plan.diameter)
            ):
                tips.append(tip)
                tip_shades.append(shade)
        self.axes.add_collection(LineCollection(lines, zorder=1, **look))
        heads = PolyCollection(tips, facecolors=tip_shades, edgecolors="white", linewidths=0.35 * scale, zorder=2)
        self.axes.add_collection(heads)
        return lines

    def _apart(self, scale: float) -> list[tuple[PictureBranch, _Line]]:
        """Return the branches with their lines, those between the same nodes beside one another."""
        parallel: defaultdict[tuple[str, str], list[PictureBranch]] = defaultdict(list)
        for branch in self.picture.branches:
            parallel[min(branch.start, branch.end), max(branch.start, branch.end)].append(branch)
        result = []
        for (first, second), branches in parallel.items():
            step = min(5.0 * scale, 0.8 * self.plan.diameter / len(branches))
            for number, branch in enumerate(branches):
                line = _aside(self.points[first], self.points[second], (number - (len(branches) - 1) / 2) * step)
                result.append((branch, line if branch.start == first else line[::-1]))
        return result

    def nodes(self) -> None:
        """Draw the nodes in their colours, and those without a factor hatched."""
        groups: defaultdict[tuple[Shape, bool], list[PictureNode]] = defaultdict(list)
        for node in self.picture.nodes:
            groups[node.kind, known(node) is not None].append(node)
        for (kind, has_factor), nodes in sorted(groups.items()):
            marker, size = legend.MARKERS[kind]
            look: dict[str, Any] = {"marker": marker, "s": (self.plan.diameter * size) ** 2, "edgecolors": INK}
            look |= {"linewidths": min(0.6, self.plan.diameter / 12), "zorder": 3}
            if has_factor:
                look["c"] = [self.shade(factor) for node in nodes if (factor := known(node)) is not None]
            else:
                look |= {"c": UNDEFINED, "hatch": HATCH}
            places = [self.points[node.id] for node in nodes]
            self.axes.scatter([x for x, _ in places], [y for _, y in places], **look)

    def names_inside(self) -> None:
        """Write the ids into the nodes."""
        for node in self.plan.named:
            x, y = self.points[node.id]
            y += 2.2 if node.kind is Shape.LOAD else 0.0  # where a triangle is wide
            factor = known(node)
            if factor is None:  # hatching behind it makes a name hard to read
                wide = wide_of(node, self.picture)
                self.axes.add_patch(Rectangle((x - wide / 2, y - 3.5), wide, 7, facecolor=UNDEFINED, zorder=4))
            shade = INK if factor is None else _readable(self.shade(factor))
            self._write(x, y - 0.2, text_of(node, self.picture), ha="center", color=shade)

    def names_beside(self, lines: Sequence[_Line]) -> None:
        """Write the names beside the nodes, those that there is room for where there are many."""
        texts = [(self.points[node.id], text_of(node, self.picture)) for node in self.plan.named]
        standing = stand(
            [
                Wish(text, *point, width_of(text, SMALL) + 2, SMALL * 1.25, number >= self.plan.certain)
                for number, (point, text) in enumerate(texts)
            ],
            nodes=list(self.points.values()),
            radius=self.plan.diameter * 0.75,
            lines=[(*start, *end) for start, end in lines],
            sheet=(0, 0, self.plan.width, self.plan.height),
            farthest=30.0 if len(self.plan.named) > self.plan.certain else 90.0,
        )
        for item in standing:
            self._stand(item)

    def _stand(self, item: Standing) -> None:
        wish = item.wish
        if item.led is not None:
            self.axes.plot([wish.x, item.led[0]], [wish.y, item.led[1]], color=INK, linewidth=0.4, zorder=2.5)
        left, low = item.x - wish.width / 2, item.y - wish.height / 2
        patch = Rectangle((left, low), wish.width, wish.height, facecolor="white", alpha=0.72, linewidth=0, zorder=4)
        self.axes.add_patch(patch)
        # Towards its node, so that a font narrower than the estimate leaves no gap.
        aside = (item.x - wish.x) / wish.width
        if abs(aside) < _BESIDE:
            self._write(item.x, item.y, wish.text, ha="center")
        elif aside > 0:
            self._write(left + 1, item.y, wish.text, ha="left")
        else:
            self._write(left + wish.width - 1, item.y, wish.text, ha="right")

    def _write(self, x: float, y: float, text: str, **look: Any) -> None:  # noqa: ANN401 - whatever a text takes
        self.axes.text(x, y, text, va="center_baseline", fontsize=SMALL, zorder=5, **look)


def _power(branch: PictureBranch) -> float | None:
    power = 0.0 if branch.open else branch.megawatts
    return power if power is not None and math.isfinite(power) else None


def _aside(start: tuple[float, float], end: tuple[float, float], by: float) -> _Line:
    long = math.hypot(end[0] - start[0], end[1] - start[1]) or 1.0
    across = (-(end[1] - start[1]) / long * by, (end[0] - start[0]) / long * by)
    return (start[0] + across[0], start[1] + across[1]), (end[0] + across[0], end[1] + across[1])


def _tip(line: _Line, size: float, diameter: float) -> list[tuple[float, float]] | None:
    """Return an arrow head in the middle of a line; None where both nodes leave no room for it."""
    (x, y), (end_x, end_y) = line
    long = math.hypot(end_x - x, end_y - y)
    if long < diameter * 1.1 + 2:
        return None
    size = min(size, (long - diameter) * 0.7)
    along, up = (end_x - x) / long, (end_y - y) / long
    back_x, back_y = (x + end_x) / 2 - along * size * 0.5, (y + end_y) / 2 - up * size * 0.5
    half = size * 0.5
    return [
        (back_x + along * size, back_y + up * size),
        (back_x - up * half, back_y + along * half),
        (back_x + up * half, back_y - along * half),
    ]


def _readable(shade: _Shade) -> str:
    red, green, blue, _ = shade
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > _BRIGHT else "white"
