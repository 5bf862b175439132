"""A station of the registry (场站台账): its meters, losses, prices and times."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from cloud_receiver.registry.meter import Meter, Role
from cloud_receiver.registry.values import AwareDatetime, NonNegative, PositiveDecimal, ms
from settings.values import Exact, Flag, Name, Section, Whole, Zone


class Loss(Section):
    """Modelled loss (线损) between the grid-side meter and the chargers, and its uncertainty.

    A cable's loss power is P²·R/U² of the power through it. Energies of slots know the mean power only; the form
    factors say how much the mean square exceeds the square of the mean.
    """

    trunk_ohm: NonNegative = Decimal(0)
    """Resistance of one conductor of the trunk, that carries the sum of all chargers."""
    branch_ohm: NonNegative = Decimal(0)
    """Resistance of one conductor of each charger's cable."""
    line_voltage_v: PositiveDecimal = Decimal(400)
    trunk_form: Annotated[Exact, Field(ge=1)] = Decimal("1.02")
    branch_form: Annotated[Exact, Field(ge=1)] = Decimal("1.10")
    fixed_w: NonNegative = Decimal(0)
    uncertainty_percent: NonNegative = Decimal(30)
    """Limit of the model's relative error (rectangular distribution)."""


class Auxiliary(Section):
    """Auxiliary consumption (辅助用电) where no meter measures it."""

    load_w: NonNegative = Decimal(0)
    uncertainty_percent: NonNegative = Decimal(20)


class Tariff(Section):
    """Prices (电价) of a part of the day, local time; where `end` is not after `begin` it goes on after midnight."""

    begin: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "00:00"
    end: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "00:00"
    price: Annotated[Exact, Field(ge=-1000, le=1000)]
    """Of energy (电费), the currency's unit per kWh."""
    service_price: Annotated[Exact, Field(ge=-1000, le=1000)] | None = None
    """Of service (服务费)."""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None

    @property
    def begin_minute(self) -> int:
        """Return the minute of the day at which it begins."""
        return _minute(self.begin)

    @property
    def end_minute(self) -> int:
        """Return the minute of the day at which it ends."""
        return _minute(self.end)

    def applies(self, time_ms: int, minute: int) -> bool:
        """Return whether it has the price at an instant, which is this minute of the local day."""
        if (self.since is not None and time_ms < ms(self.since)) or (
            self.until is not None and time_ms >= ms(self.until)
        ):
            return False
        begin, end = self.begin_minute, self.end_minute
        return begin <= minute < end if begin < end else minute >= begin or minute < end


class StationEstimation(Section):
    """What is this station's own in remote error estimation (远程误差估计)."""

    enabled: Flag = True
    days: Annotated[Whole, Field(ge=1, le=400)] | None = None
    cohort_percent: Annotated[Exact, Field(ge=0, le=10)] | None = None
    """What all its chargers may have in common, such as those of one make."""


class Station(Section):
    """A charging station."""

    id: Name
    name: str = ""
    operator: str = ""
    """Who runs it (运营商); completeness is told by operator as well."""
    timezone: Zone = "Asia/Shanghai"
    node: Name
    """The carbon node whose factor applies."""
    since: AwareDatetime | None = None
    """From when every meter is expected to report; without it, from the station's first record."""
    time_uncertainty_s: NonNegative = Decimal(2)
    """Limit of how far the boundaries of two meters' intervals lie apart: clocks, and polling between two readings."""
    loss: Loss = Loss()
    auxiliary: Auxiliary = Auxiliary()
    estimation: StationEstimation = StationEstimation()
    tariff: Annotated[tuple[Tariff, ...], Field(max_length=1000)] = ()
    """What orders are to be priced at, where it is to be checked."""
    meter: tuple[Meter, ...]

    @property
    def since_ms(self) -> int | None:
        """Return `since` in ms UTC."""
        return None if self.since is None else ms(self.since)

    def meters(self, role: Role) -> tuple[Meter, ...]:
        """Return the meters with a role."""
        return tuple(meter for meter in self.meter if meter.role is role)


class Registry(Section):
    """All stations."""

    station: tuple[Station, ...]

    def find(self, station: str) -> Station | None:
        """Return the station with this id."""
        return next((item for item in self.station if item.id == station), None)


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])
