"""The carbon factors (碳因子) of nodes over a day's slots and over a month's days, as PNG or SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from cloud_receiver.figures.style import FigureError, Form, drawn, extra, form_of, save

MOST_NODES: Final = 8
"""Of one figure: as many lines as can be told apart."""
MOST_SLOTS: Final = 4000
"""Of one node: a month of quarters of an hour has 2976, and one more hour where clocks go back."""
_WIDTH: Final = 760.0
_FACTOR_HEIGHT: Final = 230.0
_AMOUNT_HEIGHT: Final = 110.0
_HEAD: Final = 76.0


class SlotQuality(StrEnum):
    """Where a slot's factor is from."""

    SOLVED = "solved"  # 求解
    HELD = "held"  # 沿用
    OFFICIAL = "official"  # 官方因子
    UNDEFINED = "undefined"  # 未定义: there is none


@dataclass(frozen=True, slots=True)
class SlotFactor:
    """A slot: when it begins in ms UTC, its factor in kgCO₂/kWh, and what the node used in it where that is known."""

    start_ms: int
    factor: float | None
    quality: SlotQuality = SlotQuality.SOLVED
    energy_kwh: float | None = None
    carbon_kg: float | None = None


@dataclass(frozen=True, slots=True)
class NodeSlots:
    """A node and its slots, in any order; one that isn't there is a gap."""

    node: str
    slots: Sequence[SlotFactor]
    name: str = ""


@dataclass(frozen=True, slots=True)
class DayPicture:
    """A day of one or several nodes in a time zone."""

    day: date
    zone: str
    nodes: Sequence[NodeSlots]
    slot_minutes: int = 15


@dataclass(frozen=True, slots=True)
class MonthPicture:
    """A month of one or several nodes in a time zone, by means of its days."""

    year: int
    month: int
    zone: str
    nodes: Sequence[NodeSlots]
    slot_minutes: int = 15


@dataclass(frozen=True, slots=True)
class DayMean:
    """A day's factor in kgCO₂/kWh: of the carbon of its slots by their energy if `weighted`, else of slots alike."""

    day: date
    factor: float | None
    lowest: float | None
    highest: float | None
    weighted: bool
    slots: int
    """With a factor."""
    expected: int


def render(picture: DayPicture | MonthPicture, form: Form) -> bytes:
    """Return the picture; FigureError for data that can't be drawn, or without the extra."""
    check(picture)
    with extra():
        from cloud_receiver.figures import day_drawing  # noqa: PLC0415 - it imports what draws

        rows = 0 if isinstance(picture, MonthPicture) else sum(day_drawing.amounts_of(picture))
        height = _HEAD + _FACTOR_HEIGHT + rows * _AMOUNT_HEIGHT + (60.0 if isinstance(picture, MonthPicture) else 34.0)
        return drawn(
            lambda sheet: day_drawing.draw(sheet, picture),
            form=form,
            width=_WIDTH,
            height=height,
            title=f"Carbon factors 碳因子 {', '.join(node.node for node in picture.nodes)}",
        )


def draw(picture: DayPicture | MonthPicture, path: Path) -> None:
    """Write the picture to a file whose name ends in .png or .svg; FigureError, OSError."""
    save(path, render(picture, form_of(path)))


def check(picture: DayPicture | MonthPicture) -> None:
    """FigureError for what can't be drawn."""
    if not 1 <= len(picture.nodes) <= MOST_NODES:
        raise FigureError(f"figure of nodes: expected 1 to {MOST_NODES} nodes, found {len(picture.nodes)}")
    if not 1 <= picture.slot_minutes <= 24 * 60:
        raise FigureError(f"figure of nodes: expected slots of 1 to 1440 minutes, found {picture.slot_minutes}")
    for node in picture.nodes:
        count = len(node.slots)
        if count > MOST_SLOTS:
            raise FigureError(f"figure of node {node.node}: expected at most {MOST_SLOTS} slots, found {count}")
        starts = [slot.start_ms for slot in node.slots]
        if len(set(starts)) != len(starts):
            twice = next(start for start in starts if starts.count(start) > 1)
            raise FigureError(f"figure of node {node.node}: the slot at {twice} ms is there twice")
    try:
        bounds_of(picture)
    except (KeyError, ValueError, OSError, OverflowError) as error:  # what zoneinfo raises for a name that is none
        raise FigureError(f"figure of nodes: no such day or time zone: {error}") from None


def bounds_of(picture: DayPicture | MonthPicture) -> tuple[int, int]:
    """Return when a picture's day or month begins and ends, in ms UTC."""
    if isinstance(picture, DayPicture):
        return midnight(picture.day, picture.zone), midnight(picture.day + timedelta(days=1), picture.zone)
    days = days_of(picture)
    return midnight(days[0], picture.zone), midnight(days[-1] + timedelta(days=1), picture.zone)


def midnight(day: date, zone: str) -> int:
    """Return when a day begins in a zone, in ms UTC."""
    return round(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def days_of(picture: MonthPicture) -> list[date]:
    """Return the days of a month."""
    first = date(picture.year, picture.month, 1)
    return [day for number in range(31) if (day := first + timedelta(days=number)).month == picture.month]


def day_means(node: NodeSlots, picture: MonthPicture) -> list[DayMean]:
    """Return the mean factor of each day of a month.

    It is Σ factor·energy / Σ energy where every slot that has a factor has its energy and some was used; else the mean
    of the slots with a factor, each counting alike.
    """
    means = []
    for day in days_of(picture):
        begin, end = midnight(day, picture.zone), midnight(day + timedelta(days=1), picture.zone)
        slots = [slot for slot in node.slots if begin <= slot.start_ms < end]
        pairs = [(factor, slot.energy_kwh) for slot in slots if (factor := factor_of(slot)) is not None]
        factors = [factor for factor, _ in pairs]
        energies = [energy for _, energy in pairs if energy is not None and math.isfinite(energy) and energy >= 0]
        weighted = len(energies) == len(pairs) and sum(energies) > 0
        mean: float | None = None
        if weighted:
            products = (factor * energy for factor, energy in zip(factors, energies, strict=True))
            mean = math.fsum(products) / math.fsum(energies)
        elif factors:
            mean = math.fsum(factors) / len(factors)
        expected = (end - begin) // (picture.slot_minutes * 60_000)
        low, high = min(factors, default=None), max(factors, default=None)
        means.append(DayMean(day, mean, low, high, weighted, len(factors), expected))
    return means


def factor_of(slot: SlotFactor) -> float | None:
    """Return a slot's factor; what is undefined or no number is none."""
    if slot.quality is SlotQuality.UNDEFINED or slot.factor is None or not math.isfinite(slot.factor):
        return None
    return slot.factor
