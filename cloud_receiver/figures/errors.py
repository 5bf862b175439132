"""A station's metering errors (计量误差) with their intervals, the residuals, and what was read, as PNG or SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from cloud_receiver.figures.style import FigureError, Form, drawn, extra, form_of, save

MOST_CHARGERS: Final = 200
MOST_RESIDUALS: Final = 40_000
"""A year of quarters of an hour has 35,136."""
MOST_DAYS: Final = 400
_LAST_MS: Final = 253_370_000_000_000


class Decision(StrEnum):
    """What is decided about a charger."""

    FLAG = "flag"  # 超差
    CLEAR = "clear"  # 合格
    UNDETERMINED = "undetermined"  # 未定


@dataclass(frozen=True, slots=True)
class ChargerError:
    """A charger's error and its standard uncertainty in %, None where there is no estimate; its class limit in %."""

    name: str
    error: float | None
    u: float | None
    limit: float
    decision: Decision = Decision.UNDETERMINED


@dataclass(frozen=True, slots=True)
class Residual:
    """What the estimate leaves unexplained in a window that begins at a time in ms UTC, in kWh."""

    start_ms: int
    kwh: float


@dataclass(frozen=True, slots=True)
class Completeness:
    """The share of the readings that are there, 0 to 1: for each meter of each day; None where none was expected."""

    meters: Sequence[str]
    days: Sequence[date]
    shares: Sequence[Sequence[float | None]]


@dataclass(frozen=True, slots=True)
class ErrorPicture:
    """A station's estimate. `coverage`: by how many standard uncertainties an interval extends to either side."""

    station: str
    chargers: Sequence[ChargerError]
    residuals: Sequence[Residual] = ()
    completeness: Completeness | None = None
    period: str = ""
    note: str = ""
    note_english: str = ""
    """The note where no font has Chinese; empty: the same."""
    zone: str = "Asia/Shanghai"
    coverage: float = 1.96


def render(picture: ErrorPicture, form: Form) -> bytes:
    """Return the picture; FigureError for data that can't be drawn, or without the extra."""
    check(picture)
    with extra():
        from cloud_receiver.figures import errors_drawing  # noqa: PLC0415 - it imports what draws

        width, height = errors_drawing.size_of(picture)
        return drawn(
            lambda sheet: errors_drawing.draw(sheet, picture),
            form=form,
            width=width,
            height=height,
            title=f"Metering errors 计量误差 {picture.station}",
        )


def draw(picture: ErrorPicture, path: Path) -> None:
    """Write the picture to a file whose name ends in .png or .svg; FigureError, OSError."""
    save(path, render(picture, form_of(path)))


def check(picture: ErrorPicture) -> None:
    """FigureError for what can't be drawn."""
    where = f"figure of station {picture.station}"
    table = picture.completeness or Completeness((), (), ())
    for what, count, most in (
        ("chargers", len(picture.chargers), MOST_CHARGERS),
        ("residuals", len(picture.residuals), MOST_RESIDUALS),
        ("meters", len(table.meters), MOST_CHARGERS),
        ("days", len(table.days), MOST_DAYS),
    ):
        if count > most:
            raise FigureError(f"{where}: expected at most {most} {what}, found {count}")
    for charger in picture.chargers:
        if not 0 < charger.limit < math.inf:
            raise FigureError(f"{where}: charger {charger.name}: expected a limit above 0 %, found {charger.limit}")
        if charger.u is not None and not charger.u >= 0:
            raise FigureError(
                f"{where}: charger {charger.name}: expected an uncertainty of 0 % or more, found {charger.u}"
            )
    for residual in picture.residuals:
        if not 0 <= residual.start_ms < _LAST_MS:
            raise FigureError(f"{where}: expected residuals of 1970 to 9998, found one at {residual.start_ms} ms")
    if len(table.shares) != len(table.meters) or any(len(row) != len(table.days) for row in table.shares):
        raise FigureError(
            f"{where}: expected a share for each of {len(table.meters)} meters and {len(table.days)} days"
        )
    try:
        ZoneInfo(picture.zone)
    except (KeyError, ValueError, OSError) as error:  # what zoneinfo raises for a name that is none
        raise FigureError(f"{where}: no such time zone: {error}") from None
