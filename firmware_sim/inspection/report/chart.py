"""An error curve (误差曲线) as SVG: mean error over current, a line for each carbon factor, the limits beside it.

Coordinates are floats: they are pixels. The figures stand in the table of readings.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from firmware_sim.inspection.report.model import ALL_FACTORS

Line = Sequence[tuple[int, str, str]]  # current in mA, mean error in %, limit in %

_WIDTH: Final = 640
_HEIGHT: Final = 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 116, 28, 40
_COLOURS: Final = ("#0b6e99", "#c25b00", "#2a7d2e", "#7a3e9d", "#a3123a", "#5c5c00")
_TICKS: Final = 4


def chart(title: str, lines: Mapping[str, Line]) -> str:
    """Return the curve; currents on a logarithmic axis, the error's axis wide enough for limits and points."""
    points = [point for line in lines.values() for point in line]
    if not points:
        return ""
    currents = sorted({current for current, _, _ in points})
    largest = max(max(abs(float(error)), float(limit)) for _, error, limit in points) * 1.15 or 1.0
    low, high = math.log(currents[0]), math.log(currents[-1])

    def x(current: int) -> float:
        share = 0.5 if high == low else (math.log(current) - low) / (high - low)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(error: float) -> float:
        return _TOP + (1 - error / largest) / 2 * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">',
        f'<text class="title" x="{_LEFT}" y="18">{escape(title)}</text>',
    ]
    for step in range(-_TICKS, _TICKS + 1):
        value = largest * step / _TICKS
        parts.append(
            f'<line class="{"zero" if step == 0 else "grid"}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" '
            f'y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
            f'<text class="tick" x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:+.2f}</text>'
        )
    below, middle = _HEIGHT - _BOTTOM + 16, (_LEFT + _WIDTH - _RIGHT) / 2
    parts += [
        f'<text class="tick" x="{x(current):.1f}" y="{below}" text-anchor="middle">{current / 1000:g}</text>'
        for current in currents
    ]
    parts.append(f'<text class="tick" x="{middle:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">I / A</text>')
    parts.append(f'<text class="tick" x="8" y="{_TOP - 12}">ε / %</text>')
    limits = sorted({(current, float(limit)) for current, _, limit in points})
    for sign in (1, -1):
        path = " ".join(f"{x(current):.1f},{y(sign * limit):.1f}" for current, limit in limits)
        parts.append(f'<polyline class="limit" points="{path}"/>')
    for number, (name, line) in enumerate(lines.items()):
        parts += _line(name, number, [(x(current), y(float(error))) for current, error, _ in line])
    return "".join([*parts, "</svg>"])


def _line(name: str, number: int, places: Sequence[tuple[float, float]]) -> list[str]:
    colour = _COLOURS[number % len(_COLOURS)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    row = _TOP + 12 + 18 * number
    label = f"{name} kg/kWh" if name else "kWh"
    label = "全部 all factors" if name == ALL_FACTORS else label
    return [
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="{path}"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in places),
        f'<text class="tick" x="{_WIDTH - _RIGHT + 10}" y="{row}" fill="{colour}">{escape(label)}</text>',
    ]
