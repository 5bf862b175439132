"""A charger's log of charge orders (充电订单): what it counted, sold and charged for, and the last ones it keeps."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final

from profiles.modbus.orders import NEWEST_FIRST, RegisterOrders
from profiles.rounding import half_even

# What one hundredth of the currency's unit is in mWh times 10^-6 of the unit per kWh: 10^6 mWh a kWh, 10^4 such prices.
_HUNDREDTH: Final = 10**10
STEP: Final = 100
"""A hundredth (分) in the unit of amounts, 10^-4 of the currency's unit."""

Shown = Mapping[str, int | str | None]


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of the tariffs 1 to 4 (尖峰平谷), 10^-6 of the currency's unit per kWh."""

    electricity: tuple[int, ...] = (1_200_000, 1_000_000, 700_000, 350_000)
    service: tuple[int, ...] = (400_000, 400_000, 400_000, 400_000)


@dataclass(frozen=True, slots=True)
class SoldPeriod:
    """A part of a charge within one tariff; times in ms by the charger's clock, energy in mWh, prices as in Prices."""

    start_ms: int
    end_ms: int
    energy_mwh: int
    price: int
    service_price: int

    @property
    def amount(self) -> int:
        """Return what the energy costs (电费), 10^-4 of the unit, rounded half to even to hundredths."""
        return half_even(self.energy_mwh * self.price, _HUNDREDTH) * STEP

    @property
    def service_amount(self) -> int:
        """Return what the service costs (服务费), likewise."""
        return half_even(self.energy_mwh * self.service_price, _HUNDREDTH) * STEP


@dataclass(frozen=True, slots=True)
class Sold:
    """A charge that was settled. The amounts are the sums of its periods'; `surcharge` is what a fault adds to them."""

    number: str
    start_ms: int
    end_ms: int
    start_total_mwh: int
    end_total_mwh: int
    periods: tuple[SoldPeriod, ...]
    stop_reason: int
    connector: str
    surcharge: int = 0

    @property
    def energy_mwh(self) -> int:
        """Return the energy sold."""
        return sum(period.energy_mwh for period in self.periods)

    @property
    def electricity_amount(self) -> int:
        """Return what the energy costs."""
        return sum(period.amount for period in self.periods)

    @property
    def service_amount(self) -> int:
        """Return what the service costs."""
        return sum(period.service_amount for period in self.periods)

    @property
    def amount(self) -> int:
        """Return what is to be paid."""
        return self.electricity_amount + self.service_amount + self.surcharge

    def scaled(self, by: Fraction, step_mwh: int) -> "Sold":
        """Return the charge with its energies times 1 + `by`, in whole steps: the registers stay as they are."""
        factor = 1 + by
        periods = tuple(
            replace(
                period,
                energy_mwh=half_even(period.energy_mwh * factor.numerator, factor.denominator * step_mwh) * step_mwh,
            )
            for period in self.periods
        )
        return replace(self, periods=periods)

    def values(self) -> dict[str, int | str | None]:
        """Return the fields by standard name (profiles.points), those of the k-th period as `periods.k.name`."""
        shown: dict[str, int | str | None] = {
            "number": self.number,
            "connector": self.connector,
            "start": self.start_ms,
            "end": self.end_ms,
            "energy": self.energy_mwh,
            "start_total": self.start_total_mwh,
            "end_total": self.end_total_mwh,
            "amount": self.amount,
            "electricity_amount": self.electricity_amount,
            "service_amount": self.service_amount,
            "stop_reason": self.stop_reason,
        }
        for number, period in enumerate(self.periods, 1):
            for name in ("energy", "price", "service_price", "amount", "service_amount"):
                value = period.energy_mwh if name == "energy" else getattr(period, name)
                shown[f"periods.{number}.{name}"] = value
            shown[f"periods.{number}.start"] = period.start_ms
            shown[f"periods.{number}.end"] = period.end_ms
        return shown


@dataclass(slots=True)
class OrderLog:
    """The log as the registers of a profile show it."""

    layout: RegisterOrders
    count: int = 0
    kept: deque[Sold] = field(default_factory=deque)  # newest last

    def add(self, sold: Sold) -> None:
        """Count and keep an order; the oldest goes when the log is full."""
        self.count += 1
        self.kept.append(sold)
        if len(self.kept) > self.layout.rows:
            self.kept.popleft()

    def shown_count(self) -> int | None:
        """Return what the counter shows; None: no value, as there is no order yet."""
        if self.count == 0 and self.layout.first == 0:
            return None
        return (self.count - 1 + self.layout.first) % self.layout.wraps_at

    def row(self, row: int) -> Shown:
        """Return what stands in a row, from 0; empty where nothing does."""
        rows = self.layout.rows
        behind = row if self.layout.placement == NEWEST_FIRST else (self.count - 1 - row) % rows
        if behind >= len(self.kept):
            return {}
        sold = self.kept[-1 - behind]
        index = (self.count - behind - 1 + self.layout.first) % self.layout.wraps_at
        shown = sold.values() | {"index": index}
        if len(sold.periods) > len(self.layout.periods):
            # More than there is room for: a part of them would look like all.
            return {name: value for name, value in shown.items() if not name.startswith("periods.")}
        return shown
