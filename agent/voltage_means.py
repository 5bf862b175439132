"""Means of voltage and power (电压均值) by quarter of an hour, from the polls that are made anyway.

The centre measures with them what each branch (支路) loses: its voltage drops (电压降) as its power rises. They are
statistics, and nothing is billed by them: a block that is not over is not stored, and lost when the program ends. (Told
then, it would lie unsent in the journal of a gateway that has sent all else.)
"""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

from agent.build import polled_points
from agent.config_file import Loaded
from agent.journal_entry import Append, to_row
from agent.logs import log
from agent.reading import Reading
from agent.timekeeper import Timekeeper
from agent.writer import JournalWriter
from profiles import Block
from profiles.modbus.plan import ReadBlock
from profiles.model import CodecError
from profiles.rounding import half_even
from wire.records import ClockState, EventCode, EventRecord
from wire.voltage_means import MAX_POWER_MW, MAX_VOLTAGE_MV, QUARTER_MS, VoltageBlock, VoltageMean

BLOCK_HOURS: Final = 6  # of local time: four events a day and meter
TELL_MS: Final = 60_000  # how often to look for blocks that are over
STEP_MS: Final = 60_000  # a smaller step of the clock moves a quarter by nothing that matters
LEAST_MV: Final = 1_000  # less is no supply but what a dead input picks up
ROLES: Final = frozenset({"charger", "auxiliary", "grid"})  # of a station; plants and lines of a grid have no branches
BY_PHASE: Final = frozenset({"charger", "grid"})  # whose phases say more than their mean
_PHASES: Final = ("voltage_a", "voltage_b", "voltage_c")
_POWERS: Final = ("power_a", "power_b", "power_c")

# What means are rounded to, in mV and mW: powers of ten, larger where the largest of a block has more steps than these.
_VOLTAGE_STEP: Final = 10
_VOLTAGE_STEPS: Final = 99_999
_POWER_STEP: Final = 1_000
_POWER_STEPS: Final = 9_999


@dataclass(frozen=True, slots=True)
class MeterPoints:
    """What of a meter's polls is used."""

    voltages: tuple[str, ...]
    powers: tuple[str, ...]
    """Added up: the meter's own sum alone, where it has one."""
    by_phase: bool = False
    """Whether each phase is told where all three are there, or only their mean."""


@dataclass(slots=True)
class _Quarter:
    """The polls of one quarter of an hour."""

    number: int  # since 1970
    phases: tuple[bool, ...] = ()
    count: int = 0
    voltages: list[int] = field(default_factory=list)
    power: int = 0
    lowest: int = 0
    highest: int = 0
    halves: set[int] = field(default_factory=set)
    same: bool = True

    def add(self, half: int, voltages: Sequence[int], power: int) -> None:
        """Take a poll: its voltages, 0 for a phase that is not there."""
        phases = tuple(voltage > 0 for voltage in voltages)
        there = [voltage for voltage in voltages if voltage]
        if not self.count:
            self.phases, self.voltages = phases, [0] * len(there)
            self.lowest, self.highest = there[0], there[0]
        if phases != self.phases:
            self.same = False
            return
        self.count += 1
        self.voltages = [total + voltage for total, voltage in zip(self.voltages, there, strict=True)]
        self.power += power
        self.lowest, self.highest = min(self.lowest, *there), max(self.highest, *there)
        self.halves.add(half)

    @property
    def is_usable(self) -> bool:
        """Whether its means stand for all of it, with the same phases and no voltage twice another."""
        return self.same and len(self.halves) == 2 and self.highest <= 2 * self.lowest  # noqa: PLR2004 - halves

    @property
    def means(self) -> list[Fraction]:
        """The mean voltage of each phase that is there, mV."""
        return [Fraction(total, self.count) for total in self.voltages]

    @property
    def sum(self) -> Fraction:
        """Their sum."""
        return Fraction(sum(self.voltages), self.count)


class MeterMeans:
    """The quarters of one meter that have not been told."""

    def __init__(self, points: MeterPoints) -> None:
        self._points = points
        self._wanted = frozenset({*points.voltages, *points.powers})
        self._narrow: dict[int, tuple[Block, Block | None]] = {}  # by the identity of a poll's block
        self._open: _Quarter | None = None
        self._closed: dict[int, _Quarter] = {}
        self.window: object = None  # to which the closed quarters belong

    def values(self, blocks: Iterable[tuple[Block, bytes]]) -> dict[str, int]:
        """Return the values of a poll that are wanted; of registers, only these are decoded."""
        values: dict[str, int] = {}
        for block, data in blocks:
            # A block is the same object in every poll of its meter, and held here so that its identity stays its own.
            known = self._narrow.get(id(block))
            if known is None:
                known = self._narrow[id(block)] = (block, _narrowed(block, self._wanted))
            if known[1] is None:
                continue
            try:
                values |= known[1].decode(data)
            except CodecError:
                continue  # the live view, or the poll itself, has said so
        return values

    @property
    def quarter(self) -> int | None:
        """The quarter that polls are added to."""
        return None if self._open is None else self._open.number

    def begin(self, quarter: int) -> None:
        """Begin another quarter."""
        self.end()
        self._open = _Quarter(quarter)

    def end(self) -> None:
        """End the quarter that polls are added to, if there is one."""
        if self._open is not None and self._open.is_usable:
            self._closed[self._open.number] = self._open
        self._open = None

    def add(self, time_ms: int, values: Mapping[str, int]) -> None:
        """Add a poll to the open quarter; one that did not bring both voltage and power says nothing."""
        if self._open is None or any(name not in values for name in self._points.powers):
            return
        voltages = [values.get(name, 0) for name in self._points.voltages]
        power = sum(values[name] for name in self._points.powers)
        highest = max(voltages)
        if not LEAST_MV <= highest <= MAX_VOLTAGE_MV or abs(power) > MAX_POWER_MW:
            return
        # A phase that a meter does not have shows 0, or what its open input picks up from the others.
        there = [voltage if 2 * voltage >= highest else 0 for voltage in voltages]
        self._open.add(int(2 * (time_ms % QUARTER_MS) >= QUARTER_MS), there, power)

    def abandon(self) -> None:
        """Throw away the open quarter."""
        self._open = None

    def forget(self) -> None:
        """Throw away all that is not told."""
        self._open = None
        self._closed.clear()

    def take(self) -> VoltageBlock | None:
        """Return the block of the closed quarters, if there is anything to tell, and forget them."""
        quarters, self._closed = self._closed, {}
        if not quarters:
            return None
        # Where a phase came or went, the quarters with most in common are told: a mean of others is another quantity.
        common = Counter(quarter.phases for quarter in quarters.values())
        phases = max(common, key=lambda found: (common[found], sum(found)))
        alike = {number: quarter for number, quarter in quarters.items() if quarter.phases == phases}
        middle = statistics.median(quarter.sum for quarter in alike.values())
        return self._block(
            {number: quarter for number, quarter in alike.items() if middle <= 2 * quarter.sum <= 4 * middle}
        )

    def _block(self, quarters: Mapping[int, _Quarter]) -> VoltageBlock:
        each = self._points.by_phase and all(len(quarter.voltages) == len(_PHASES) for quarter in quarters.values())
        voltages = {
            number: quarter.means if each else [quarter.sum / len(quarter.voltages)]
            for number, quarter in quarters.items()
        }
        powers = {number: Fraction(quarter.power, quarter.count) for number, quarter in quarters.items()}
        highest = max(voltage for means in voltages.values() for voltage in means)
        voltage_step = _step(highest, _VOLTAGE_STEP, _VOLTAGE_STEPS)
        power_step = _step(max(map(abs, powers.values())), _POWER_STEP, _POWER_STEPS)
        told = {
            number: VoltageMean(
                tuple(_rounded(voltage, voltage_step) for voltage in voltages[number]),
                _rounded(powers[number], power_step),
            )
            for number in quarters
        }
        first, last = min(told), max(told)
        return VoltageBlock(first * QUARTER_MS, tuple(told.get(number) for number in range(first, last + 1)))


def _narrowed(block: Block, wanted: frozenset[str]) -> Block | None:
    """Return the block with what is wanted of it only, where its protocol saves something by that; None: nothing."""
    if all(point.name not in wanted for point in block.points):
        return None
    if isinstance(block, ReadBlock):
        return replace(block, points=tuple(point for point in block.points if point.name in wanted))
    return block


def _step(largest: Fraction, least: int, steps: int) -> int:
    step = least
    while largest > steps * step:
        step *= 10
    return step


def _rounded(value: Fraction, step: int) -> int:
    return half_even(value.numerator, value.denominator * step) * step


class VoltageMeans:
    """The means of all meters of a gateway."""

    def __init__(
        self,
        meters: Mapping[str, MeterPoints],
        timezone: str,
        *,
        now_ms: Callable[[], int],
        tell: Callable[[EventRecord], None],
        has_room: Callable[[], bool],
        trusted: Callable[[], bool],
    ) -> None:
        """`tell` takes each event; nothing is told without room for more, and no poll counts while time is in doubt."""
        self.meters = {name: MeterMeans(points) for name, points in meters.items()}
        self.dropped = 0  # blocks for which there was no room
        self._zone = ZoneInfo(timezone)
        self._now_ms = now_ms
        self._tell = tell
        self._has_room = has_room
        self._trusted = trusted

    def take(self, reading: Reading) -> None:
        """Take a poll of a meter; one that asked for the energies alone says nothing here."""
        means = self.meters.get(reading.meter)
        if means is None or reading.brief:
            return
        if reading.exchanged:
            # Another meter shows another voltage for the same one: a block has those of one meter.
            means.abandon()
            self._told(reading.meter, means)
        if not self._trusted():
            return
        quarter = reading.time_ms // QUARTER_MS
        if quarter != means.quarter:
            self._begin(reading.meter, means, quarter)
        means.add(reading.time_ms, means.values(reading.blocks))

    def _begin(self, meter: str, means: MeterMeans, quarter: int) -> None:
        means.end()
        if (window := self._window(quarter)) != means.window:
            self._told(meter, means)
            means.window = window
        means.begin(quarter)

    def _window(self, quarter: int) -> tuple[int, int]:
        """Return the day and the part of it, in local time, to which a quarter belongs."""
        time = datetime.fromtimestamp(quarter * QUARTER_MS / 1000, self._zone)
        return time.toordinal(), time.hour // BLOCK_HOURS

    def tell_due(self) -> None:
        """Tell the blocks that are over, also of meters that are silent since; to be called now and then."""
        now = self._now_ms() // QUARTER_MS
        window = self._window(now)
        for meter, means in self.meters.items():
            if means.quarter is not None and means.quarter < now:
                means.end()
            if means.window != window:
                self._told(meter, means)

    def stepped(self, step_ms: int) -> None:
        """Throw away what is not told, when the clock was wrong by more than matters.

        Voltage and power of a poll still belong together, but to the quarter of another time than that of the other
        meters, and nobody can say since when.
        """
        if abs(step_ms) >= STEP_MS:
            for means in self.meters.values():
                means.forget()

    def _told(self, meter: str, means: MeterMeans) -> None:
        block = means.take()
        if block is None:
            return
        if not self._has_room():
            # Statistics must never displace energies.
            self.dropped += 1
            log.warning(
                "its voltage means are dropped: the journal can't be written",
                extra={"about": meter, "details": {"dropped": self.dropped}},
            )
            return
        self._tell(EventRecord(meter, block.end_ms, EventCode.VOLTAGE_MEANS, block.to_details()))


def meter_points(loaded: Loaded) -> dict[str, MeterPoints]:
    """Return what is used of each meter whose polls bring alternating voltage and active power; not of the others."""
    if not loaded.config.report.voltage_means:
        return {}
    found: dict[str, MeterPoints] = {}
    for line in loaded.config.line:
        for meter in line.meter:
            names = {point.name for point in polled_points(meter, loaded.profiles[meter.id])}
            voltages = tuple(name for name in _PHASES if name in names)
            powers = ("power",) if "power" in names else tuple(name for name in _POWERS if name in names)
            if meter.role in ROLES and voltages and powers:
                by_phase = meter.role in BY_PHASE and len(voltages) == len(_PHASES)
                found[meter.id] = MeterPoints(voltages, powers, by_phase)
    return found


def build_means(loaded: Loaded, writer: JournalWriter, time: Timekeeper) -> VoltageMeans:
    """Return the means of a gateway's meters, whose events go into its journal."""
    return VoltageMeans(
        meter_points(loaded),
        loaded.config.gateway.timezone,
        now_ms=time.now_ms,
        tell=lambda record: writer.submit(Append([to_row(record)])),
        has_room=lambda: writer.has_room and not writer.full,
        # What came while the clock is being set right belongs to no quarter for certain.
        trusted=lambda: time.state != ClockState.STEPPED,
    )
