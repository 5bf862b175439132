"""How a file of readings is written: its columns, numbers, dates, time zone. What is not said has a default."""

from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Final

from cloud_receiver.delimited.form import ENCODINGS
from cloud_receiver.delimited.times import Dates


class Stamps(StrEnum):
    """What the time of an energy is."""

    START = "start"
    END = "end"


class Lone(StrEnum):
    """Which one a time is that the clock showed twice and the file has once (clocks put back)."""

    REFUSE = "refuse"
    FIRST = "first"
    SECOND = "second"


class Unit(StrEnum):
    """The unit of a file's numbers."""

    WH = "Wh"
    KWH = "kWh"
    MWH = "MWh"

    @property
    def mwh(self) -> int:
        """Return how many mWh (milliwatt-hours) it is."""
        return {Unit.WH: 1_000, Unit.KWH: 1_000_000, Unit.MWH: 1_000_000_000}[self]


class Column(StrEnum):
    """What a column says."""

    TIME = "time"
    UNTIL = "until"  # the end of the interval that `time` begins
    CLOCK = "time-of-day"  # the time of day, where `time` is the date alone
    FORWARD = "forward"  # energy of the interval
    REVERSE = "reverse"
    REGISTER = "register"  # cumulative energy at the time
    REVERSE_REGISTER = "reverse-register"


HEADINGS: Final[dict[Column, tuple[str, ...]]] = {
    Column.TIME: ("time", "start", "timestamp", "时间", "开始时间"),
    Column.UNTIL: ("end", "until", "结束时间"),
    Column.CLOCK: (),
    Column.FORWARD: ("forward_kwh", "energy_kwh", "kwh", "正向电量", "电量"),
    Column.REVERSE: ("reverse_kwh", "反向电量"),
    Column.REGISTER: ("register_kwh", "forward_register_kwh", "正向示数", "示数"),
    Column.REVERSE_REGISTER: ("reverse_register_kwh", "反向示数"),
}
"""By which a column is known that no option names."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a file of readings."""

    zone: tzinfo
    """Of times that don't say their own offset."""
    columns: "dict[Column, str]"
    """By heading, or by number from 1 as text."""
    headings: bool = True
    """Whether the first line has headings."""
    stamps: Stamps = Stamps.START
    dates: Dates = Dates.AUTO
    time_format: str | None = None
    """Of times, as strptime has it; None: one of the common ones."""
    lone: Lone = Lone.REFUSE
    unit: Unit = Unit.KWH
    separator: str | None = None
    """None: found out of the first line."""
    decimal: str | None = None
    """None: `,` where `;` separates, else `.`."""
    encoding: str = ENCODINGS[0]
    rounded: bool = False
    """Whether finer numbers than 1 mWh are rounded, half to even, instead of a mistake."""
    rollover: Decimal | None = None
    """At which value a register starts again from 0, in the file's unit; None: one that falls is a mistake."""
