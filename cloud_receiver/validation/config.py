"""`[validation]` of receiver.toml: the parameters of the rules and of estimation.

Every default is this program's own choice, made on simulated stations; none is the number of a standard.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, field_validator

from settings.values import Exact, Flag, Section, Whole

Count = Annotated[Whole, Field(ge=1, le=100_000)]
Percent = Annotated[Exact, Field(ge=0, le=1000)]
Above1 = Annotated[Exact, Field(gt=1, le=10_000)]


class IntervalLength(Section):
    """Length of intervals (时段长度)."""

    divisors_minutes: tuple[Annotated[Whole, Field(ge=1, le=15)], ...] = (1, 3, 5, 15)
    """Lengths that gateways are set to; others are suspect where the slot is not covered."""


class High(Section):
    """More than the rated power allows (超上限)."""

    margin_percent: Percent = Decimal(10)
    """By how much a charger may exceed its rated power; clocks and the register's step come on top."""


class Low(Section):
    """Less than anything that charges takes (低于下限); chargers only."""

    low_percent: Percent = Decimal("0.5")
    """Of the rated power: the largest slot of the span is below it."""
    idle_percent: Percent = Decimal("0.1")
    """Of the rated power: below it is the charger's own consumption."""
    minimum_slots: Count = 4


class Spike(Section):
    """One slot far above all others (突变)."""

    ratio: Above1 = Decimal(4)
    """Of the highest slot to the third highest, those of the days before included."""
    floor_percent: Percent = Decimal(20)
    """Of the rated power: no spike below it."""
    minimum_slots: Count = 20
    """Slots with energy that must be known before one is called a spike."""


class Decreasing(Section):
    """Negative or decreasing (示数倒走)."""

    minimum_slots: Count = 4
    """Slots with reverse energy that close the balance with the other sign only."""
    closed_percent: Annotated[Exact, Field(gt=0, le=100)] = Decimal(80)
    """Of the slots with reverse energy that don't balance."""


class Zero(Section):
    """Zero while the station shows load (有负荷零电量)."""

    minimum_slots: Count = 4
    """Slots in which the grid side shows load that no meter counted."""
    share_percent: Percent = Decimal(20)
    """Of the grid side's energy: less may be an error of a meter that counts."""
    floor_percent: Percent = Decimal(1)
    """Of the meter's rated power: less is no load of its kind."""
    usual_percent: Percent = Decimal(50)
    """Of a load: what the station took at the same time of most days before is its own, not that of a meter."""


class Prolonged(Section):
    """Estimated for too long (长时间估算)."""

    suspect_slots: Count = 8
    failed_slots: Count = 96


class Partial(Section):
    """Intervals that lack part of their energy (缺量)."""

    suspect_slots: Count = 4
    """With a reason, as an event of the register; without one a single interval is suspect."""
    failed_slots: Count = 24
    """Whatever the reason."""


class Multiplier(Section):
    """Unit and multiplier (量纲与倍率)."""

    ct_ratios: Annotated[tuple[Count, ...], Field(max_length=100)] = (
        10,
        15,
        20,
        30,
        40,
        50,
        60,
        80,
        100,
        120,
        160,
        200,
    )
    """Current transformers (互感器) in use here, beside the powers of ten."""
    match_percent: Percent = Decimal(15)
    """How near a ratio must be to one of these."""
    beyond: Above1 = Decimal(4)
    """A meter is off against the balance from this ratio on, up or down."""
    minimum_slots: Annotated[Whole, Field(ge=2, le=100_000)] = 4
    """Slots with energy that the ratio is formed of."""


class GatewayClock(Section):
    """Clock of the gateway (网关时钟)."""

    limit_s: Annotated[Exact, Field(gt=0, le=86_400)] = Decimal(5)
    """Beyond it an offset, or a step, is suspect."""
    ahead_failed_s: Annotated[Exact, Field(gt=0, le=86_400)] = Decimal(60)
    """A message that was made so much later than it came: the clock is ahead, for certain."""
    require_synchronised: Flag = False
    """Whether a gateway that doesn't know the state of its clock is suspect."""


class Estimation(Section):
    """Estimates for slots that are missing or failed (估补)."""

    automatic: Flag = True
    """Whether the day-end run makes them; a person always can."""
    like_days: Annotated[Whole, Field(ge=1, le=12)] = 4
    """Weeks looked back for the same day of the week."""
    like_days_minimum: Annotated[Whole, Field(ge=1, le=12)] = 2
    balance_slots: Count = 24
    """Slots of the span that must balance before an estimate rests on the balance."""


class Validation(Section):
    """The whole section."""

    enabled: Flag = True
    """Whether the rules run when a day is over; `validate` runs them in any case."""
    off: tuple[str, ...] = ()
    """Rules that are not run when a day is over."""
    history_days: Annotated[Whole, Field(ge=0, le=60)] = 7
    interval_length: IntervalLength = IntervalLength()
    high: High = High()
    low: Low = Low()
    spike: Spike = Spike()
    decreasing: Decreasing = Decreasing()
    zero: Zero = Zero()
    prolonged_estimation: Prolonged = Prolonged()
    partial: Partial = Partial()
    multiplier: Multiplier = Multiplier()
    gateway_clock: GatewayClock = GatewayClock()
    estimation: Estimation = Estimation()

    @field_validator("off")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(names) - set(NAMES))
        if unknown:
            raise ValueError(f"expected names of rules ({', '.join(NAMES)}), found {', '.join(unknown)}")
        return names


NAMES = (
    *("continuity", "duplicate", "gap", "interval_length", "high", "low", "spike", "decreasing", "zero"),
    *("prolonged_estimation", "partial", "sum", "multiplier", "meter_exchange", "gateway_clock", "meter_clock"),
)
"""The rules, in the order in which they are told (cloud_receiver.validation.catalogue has them)."""
