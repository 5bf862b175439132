"""The `[supply]` of a station file: its voltage, how that wanders, and the trunk that carries everything."""

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from firmware_sim.sections import whole
from settings.values import Exact, Section, Whole

Percent = Annotated[Exact, Field(ge=0, le=10)]
SmallPercent = Annotated[Exact, Field(ge=0, le=2)]
MilliOhm = Annotated[Exact, Field(ge=0, le=10_000), AfterValidator(lambda value: whole(value, 1_000, "0.001 mΩ"))]


class SupplySection(Section):
    """The supply (供电) upstream of the grid-side meter; per cents are of the station's `voltage_v`.

    How real supplies wander differs from place to place: these are examples, and no source is claimed for them.
    """

    daily_percent: Percent = Decimal("1.5")
    """Amplitude of the daily course (日变化)."""
    highest_hour: Annotated[Whole, Field(ge=0, le=23)] = 3
    """Local hour at which the daily course is highest."""
    wander_percent: SmallPercent = Decimal("0.5")
    """Standard deviation of what all phases do together within the hour."""
    phase_wander_percent: SmallPercent = Decimal("0.2")
    """Likewise of what each phase does for itself."""
    step_seconds: Annotated[Whole, Field(ge=1, le=3_600)] = 60
    """How long the voltage stays before it is another."""
    trunk_milliohm: MilliOhm = Decimal(0)
    trunk_reactance_milliohm: MilliOhm = Decimal(0)
    """Of each conductor of the trunk (干线), from the grid-side meter to where the chargers' cables begin (母线)."""

    @field_validator("daily_percent", "wander_percent", "phase_wander_percent")
    @classmethod
    def _percent_is_whole(cls, value: Decimal) -> Decimal:
        return whole(value, 10_000, "0.0001 %")
