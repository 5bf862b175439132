"""The bench's parts as its items see them: time, source, standard meter, device under test, pulses.

Each part may be simulated or real. Items know none of that: they ask the device what it can do (`Ability`) and wait by
the bench's time, which passes at once where everything is simulated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

from firmware_sim.inspection.points import LoadPoint, Rating
from firmware_sim.inspection.result import ItemInfo, ItemResult, PointResult


class BenchError(Exception):
    """The bench, not the device, failed: source, standard meter, line; the text names which and what came."""


class DutError(Exception):
    """The device gave no usable answer; the text is what the line said."""


class DutRefusedError(DutError):
    """The device answered that it won't."""


class Ability(StrEnum):
    """What a device, or the bench with it, can do."""

    PULSES = "pulses"  # energy pulses
    CARBON_PULSES = "carbon pulses"
    CARBON = "carbon"  # carbon registers
    FACTOR = "factor"  # a factor can be written
    CLOCK_READ = "clock read"
    CLOCK_SET = "clock set"
    FAST = "fast"  # time can be run forward: days take seconds
    POWER_CUT = "power cut"  # the bench can take the supply away and give it back
    RAW = "raw"  # octets of any kind can be put on the line
    REVERSE = "reverse"
    DAILY_FREEZES = "daily freezes"
    MONTHLY_FREEZES = "monthly freezes"
    DAILY_CARBON = "daily carbon"
    FACTOR_HISTORY = "factor history"
    ROLLOVER = "rollover"  # registers can be brought near their end


class BenchTime(Protocol):
    """True time as the bench has it."""

    def now(self) -> Fraction:
        """Return ms UTC."""

    async def wait(self, duration_ms: Fraction | int) -> None:
        """Let time pass."""

    async def wait_until(self, time_ms: Fraction | int) -> None:
        """Let time pass until an instant; at once when it is past."""


class Source(Protocol):
    """What sets the load point (功率源)."""

    async def set(self, point: LoadPoint | None) -> None:
        """Give the point, or (None) voltage without current; returns when it is stable. BenchError."""

    async def cut(self) -> None:
        """Take the supply away (Ability.POWER_CUT)."""

    async def restore(self) -> None:
        """Give the supply back, and with it the load point as it was."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What flowed between two instants: mWh exactly, or with what uncertainty (mWh, k = 1)."""

    forward_mwh: Fraction
    reverse_mwh: Fraction
    uncertainty_mwh: Fraction = Fraction(0)


class Standard(Protocol):
    """The standard meter (标准表)."""

    async def start(self) -> None:
        """Begin to keep what `between` may be asked for."""

    async def between(self, first_ms: Fraction, last_ms: Fraction) -> Truth:
        """Return what flowed between two instants that have passed since `start`. BenchError."""


class Pulses(Protocol):
    """The device's pulse outputs (脉冲输出)."""

    async def next(self, kind: str, longest_ms: Fraction) -> Fraction | None:
        """Wait for the next pulse of `energy` or `carbon`; return its instant, None when `longest_ms` is over."""


class Dut(Protocol):
    """The device under test (被检表), by its profile; DutError when it gives no usable answer."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """What can be done with it."""

    def resolution(self, point: str) -> int:
        """Return the step of a point in canonical units; KeyError when the profile has no such point."""

    async def read(self, *points: str) -> Mapping[str, int]:
        """Read points by standard name, in canonical units; what the device has no value for is absent."""

    async def row(self, table: str, number: int) -> Mapping[str, int]:
        """Read a row of a table (profiles.points.TABLES); empty when the device has nothing there."""

    async def write(self, name: str, fields: Mapping[str, int | None]) -> None:
        """Write (profiles.points.WRITES); DutRefusedError when the device does not take it."""

    async def raw(self, octets: bytes) -> None:
        """Put octets on the line and let silence follow (Ability.RAW)."""


class FastForward(Protocol):
    """Brings the device's clock to an instant (Ability.FAST), every midnight and slot on the way lived through."""

    async def to(self, device_ms: int) -> None:
        """Return when the device's clock shows at least that."""


class Registers(Protocol):
    """Sets the device's registers otherwise than by metering (Ability.ROLLOVER): by a maker's command, or simulated."""

    def end(self, point: str) -> int:
        """Return at what value, in canonical units, a register starts again from 0; KeyError when it never does."""

    async def preset(self, registers: Mapping[str, int]) -> None:
        """Bring registers (`energy_forward` …) to values in canonical units. BenchError, DutError."""


class Limits(Protocol):
    """Limits of error (误差限) by class and load point, from the limits file."""

    @property
    def name(self) -> str:
        """Which file, for the report; it says that no published limit for carbon exists."""

    def energy_percent(self, rating: Rating, point: LoadPoint) -> Fraction:
        """Return the limit of the electricity error, without sign."""

    def carbon_percent(self, rating: Rating, point: LoadPoint, factor_mg: int) -> Fraction:
        """Return the limit of the carbon error, without sign."""

    def interval_percent(self, rating: Rating) -> Fraction:
        """Return the rounding interval (化整间距) of an error."""

    def repeatability_percent(self, rating: Rating, point: LoadPoint) -> Fraction:
        """Return the largest difference that readings at one point may have (重复性)."""

    @property
    def clock_seconds_per_day(self) -> Fraction:
        """Return the limit of the daily clock error (日计时误差)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which load points the plan asks for; the defaults are those of T/CIMA 0079.4, 5.6.2.

    `factors` in mg/kWh; `currents` as multiples, in falling order; `power_factors` as "1.0", "0.5L", "0.8C";
    `voltages_mv`: none are given, the rated one. `runs` readings at a point (5.6.2.4: at least two). `dwell_ms`: how
    long a current or a factor stands at least before the next. `settle_ms`: how long after a change of the load the
    device is left alone, as meters show means of a second or so.
    """

    factors: tuple[int, ...] = (100_000, 200_000, 500_000, 1_000_000)
    power_factors: tuple[str, ...] = ("1.0", "0.5L", "0.8C")
    currents: tuple[str, ...] = ("Imax", "0.5Imax", "10Itr", "Itr", "Imin")
    balances: tuple[str, ...] = ("balanced", "a")
    voltages_mv: tuple[int, ...] = ()
    runs: int = 2
    dwell_ms: int = 120_000
    settle_ms: int = 5_000
    judge_rounded: bool = True  # conformity by the rounded mean (recalled practice, facts: a setting)


@dataclass(slots=True)
class Bench:
    """Everything that an item uses."""

    rating: Rating
    timezone: str
    time: BenchTime
    source: Source
    standard: Standard
    dut: Dut
    limits: Limits
    pulses: Pulses | None = None
    fast: FastForward | None = None
    registers: Registers | None = None
    ends: Mapping[str, int] = field(default_factory=dict)  # at what value registers start again from 0, where known
    jitter_ms: Fraction = Fraction(1)  # of an edge of the pulse outputs
    renewed_ms: int = 0  # how often the device renews what its registers show
    clock_ppm: Fraction | None = Fraction(0)  # what the bench's time may be wrong by, 10^-6; None: nobody knows
    tell: Callable[[str], None] = lambda _: None  # progress, one line
    done: Callable[[PointResult], None] = lambda _: None  # a point is finished: it need not be measured again
    known: Mapping[str, PointResult] = field(default_factory=dict)  # points of an interrupted run
    selection: Selection = field(default_factory=Selection)


class Item(Protocol):
    """One inspection item."""

    @property
    def info(self) -> ItemInfo:
        """What it is."""

    def estimate_ms(self, bench: Bench) -> int:
        """Return how long it takes by the bench's time, about."""

    async def run(self, bench: Bench) -> ItemResult:
        """Perform it. DutError and BenchError become the verdicts FAILED and ERROR by whoever runs items."""


Items = Sequence[Item]
