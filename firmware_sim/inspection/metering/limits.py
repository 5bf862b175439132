"""Limits of error (误差限) from a limits file: by class, current, power factor and load."""

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field

from firmware_sim.inspection.metering.grid import power_factor
from firmware_sim.inspection.points import PPM, Balance, LoadPoint, Rating
from settings.load import load
from settings.values import Exact, Flag, Section

_OTHER: Final = "other"
DEFAULT_FILE: Final = Path(__file__).with_name("limits.toml")
_MULTIPLE: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3})?) (Itr|Imin|Imax)")

Percent = Annotated[Exact, Field(gt=0, le=100)]


def _multiple(value: str) -> str:
    if not _MULTIPLE.fullmatch(value):
        raise ValueError('expected a multiple of Itr, Imin or Imax, such as "2 Itr"')
    return value


def _some_power_factor(value: str) -> str:
    if value != _OTHER:
        power_factor(value)
    return value


class Rule(Section):
    """A limit and where it holds."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Annotated[str, AfterValidator(_multiple)] | None = Field(default=None, alias="from")
    below: Annotated[str, AfterValidator(_multiple)] | None = None
    power_factor: Annotated[str, AfterValidator(_some_power_factor)] | None = None
    load: Literal["balanced", "one phase"] | None = None
    limit_percent: Percent
    times_imin_by_current: Flag = False

    def fits(self, rating: Rating, point: LoadPoint) -> bool:
        """Return whether the rule speaks of this point."""
        balanced = point.balance is Balance.BALANCED or point.phases == 1
        return (
            (self.from_ is None or point.current_ma >= _current(self.from_, rating))
            and (self.below is None or point.current_ma < _current(self.below, rating))
            and (self.power_factor is None or self._fits_power_factor(point))
            and self.load in (None, "balanced" if balanced else "one phase")
        )

    def _fits_power_factor(self, point: LoadPoint) -> bool:
        assert self.power_factor is not None
        if self.power_factor == _OTHER:
            return point.power_factor_ppm != PPM
        return power_factor(self.power_factor) == (point.power_factor_ppm, point.character)


class ClassLimits(Section):
    """The limits of one accuracy class (准确度等级)."""

    interval_percent: Percent
    rules: list[Rule] = Field(min_length=1)


class CarbonLimits(Section):
    """What the carbon error may be, from the electricity limit."""

    times: Annotated[Exact, Field(gt=0, le=100)] = Decimal(1)
    plus_percent: Annotated[Exact, Field(ge=0, le=100)] = Decimal(0)


class Repeatability(Section):
    """The largest difference between readings at one point."""

    itr: Percent
    below_itr: Percent
    other_power_factor: Percent


class ClockLimits(Section):
    """The daily error of the clock (日计时误差)."""

    seconds_per_day: Annotated[Exact, Field(gt=0)] = Decimal("0.5")


class LimitsFile(Section):
    """The whole file."""

    name: str = Field(min_length=1, max_length=120)
    carbon: CarbonLimits = CarbonLimits()
    classes: dict[str, ClassLimits] = Field(alias="class", min_length=1)
    repeatability: dict[str, Repeatability] = Field(default_factory=dict)
    clock: ClockLimits = ClockLimits()


class NoLimitError(ValueError):
    """The limits file says nothing about a class or a load point."""


class FileLimits:
    """`firmware_sim.inspection.bench.Limits` from a file."""

    def __init__(self, file: LimitsFile, path: Path) -> None:
        self._file = file
        self._path = path

    @classmethod
    def load(cls, path: Path = DEFAULT_FILE) -> "FileLimits":
        """Read and check a limits file; ConfigError has every mistake."""
        return cls(load(path, LimitsFile), path)

    @property
    def name(self) -> str:
        """Which file, for the report, and what it makes the limit of the carbon error, as none is published."""
        times, plus = self.carbon_rule
        more = f" + {float(plus):g} %" if plus else ""
        return (
            f"{self._file.name} ({self._path.name}); carbon: no published limit, "
            f"{float(times):g} × that of electricity{more}"
        )

    @property
    def carbon_rule(self) -> tuple[Fraction, Fraction]:
        """Return (by what the electricity limit is multiplied, what is added in %) for the carbon error."""
        return Fraction(self._file.carbon.times), Fraction(self._file.carbon.plus_percent)

    @property
    def clock_seconds_per_day(self) -> Fraction:
        """Return the limit of the daily clock error, s."""
        return Fraction(self._file.clock.seconds_per_day)

    def energy_percent(self, rating: Rating, point: LoadPoint) -> Fraction:
        """Return the limit of the electricity error, without sign; NoLimitError where the file has none."""
        for rule in self._of(rating).rules:
            if rule.fits(rating, point):
                limit = Fraction(rule.limit_percent)
                return limit * Fraction(rating.imin_ma, point.current_ma) if rule.times_imin_by_current else limit
        raise NoLimitError(
            f"{self._path}: class {rating.accuracy_class} has no rule for {point.current_ma} mA, "
            f"power factor {Decimal(point.power_factor_ppm) / PPM}, {point.balance} load"
        )

    def carbon_percent(self, rating: Rating, point: LoadPoint, factor_mg: int) -> Fraction:
        """Return the limit of the carbon error, without sign."""
        times, plus = self.carbon_rule
        return times * self.energy_percent(rating, point) + plus

    def interval_percent(self, rating: Rating) -> Fraction:
        """Return the rounding interval (化整间距) of an error."""
        return Fraction(self._of(rating).interval_percent)

    def repeatability_percent(self, rating: Rating, point: LoadPoint) -> Fraction:
        """Return the largest difference that readings at one point may have."""
        found = self._file.repeatability.get(rating.accuracy_class)
        if found is None:
            raise NoLimitError(f"{self._path}: no repeatability for class {rating.accuracy_class}")
        if point.power_factor_ppm != PPM:
            return Fraction(found.other_power_factor)
        return Fraction(found.itr if point.current_ma >= rating.itr_ma else found.below_itr)

    def _of(self, rating: Rating) -> ClassLimits:
        found: Mapping[str, ClassLimits] = self._file.classes
        if rating.accuracy_class not in found:
            raise NoLimitError(f"{self._path}: no class {rating.accuracy_class}; it has {', '.join(found)}")
        return found[rating.accuracy_class]


def _current(text: str, rating: Rating) -> Fraction:
    match = _MULTIPLE.fullmatch(text)
    assert match is not None  # checked when the file was read
    of = {"Itr": rating.itr_ma, "Imin": rating.imin_ma, "Imax": rating.imax_ma}[match[2]]
    return Fraction(match[1]) * of
