"""A charge order (充电订单): what a charger or its operator says that a charge came to."""

from dataclasses import dataclass
from typing import Final

GATEWAY: Final = "gateway"
CSV: Final = "csv"
HTTP: Final = "http"
"""Where an order came from."""

FIRST_MS: Final = 946_684_800_000  # 2000-01-01T00:00:00Z
END_MS: Final = 4_102_444_800_000  # 2100-01-01T00:00:00Z
MOST_ENERGY_MWH: Final = 10**12
"""1 GWh: no charge takes as much, and sums of as many as there can be are whole numbers of 64 bits."""
MOST_MONEY: Final = 10**13
"""10^9 of the currency's unit."""
MOST_TOTAL_MWH: Final = 10**16
MOST_STOP_REASON: Final = 2**15 - 1
MOST_PERIODS: Final = 100


@dataclass(frozen=True, slots=True)
class Period:
    """A part of a charge with one price (分时段); prices in 10^-6 of the currency's unit per kWh, amounts in 10^-4."""

    start_ms: int
    end_ms: int
    energy_mwh: int
    price: int | None = None
    service_price: int | None = None
    amount: int | None = None
    service_amount: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order; times in ms UTC by the charger's clock, energies in mWh, amounts in 10^-4 of the currency's unit."""

    number: str
    start_ms: int
    end_ms: int
    energy_mwh: int
    amount: int | None = None
    electricity_amount: int | None = None
    service_amount: int | None = None
    start_total_mwh: int | None = None
    """The charger's register at the start (起示数), where it is told."""
    end_total_mwh: int | None = None
    stop_reason: int | None = None
    """After T/CEC 102 (one source): 0 user, 1 platform, 2 vehicle, 3 fault, 4 disconnected, from 5 the operator's."""
    connector: str | None = None
    periods: tuple[Period, ...] = ()

    @property
    def first_ms(self) -> int:
        """Return the earlier of start and end: a clock that was put back may have them the other way round."""
        return min(self.start_ms, self.end_ms)

    @property
    def last_ms(self) -> int:
        """Return the later of start and end."""
        return max(self.start_ms, self.end_ms)


def beyond(order: Order) -> str | None:
    """Return what of an order is beyond what any can be, None for nothing: such a one can't be entered."""
    bounds = (
        ("start", order.start_ms, FIRST_MS, END_MS),
        ("end", order.end_ms, FIRST_MS, END_MS),
        ("energy", order.energy_mwh, 0, MOST_ENERGY_MWH),
        ("amount", order.amount, -MOST_MONEY, MOST_MONEY),
        ("electricity amount", order.electricity_amount, -MOST_MONEY, MOST_MONEY),
        ("service amount", order.service_amount, -MOST_MONEY, MOST_MONEY),
        ("register at the start", order.start_total_mwh, -MOST_TOTAL_MWH, MOST_TOTAL_MWH),
        ("register at the end", order.end_total_mwh, -MOST_TOTAL_MWH, MOST_TOTAL_MWH),
        ("stop reason", order.stop_reason, 0, MOST_STOP_REASON),
        ("number of periods", len(order.periods), 0, MOST_PERIODS),
    )
    for name, value, low, high in bounds:
        if value is not None and not low <= value <= high:
            return f"{name}: expected {low} to {high}, found {value}"
    for place, period in enumerate(order.periods, 1):
        if (found := _beyond(period)) is not None:
            return f"period {place}: {found}"
    return None


def _beyond(period: Period) -> str | None:
    bounds = (
        ("start", period.start_ms, FIRST_MS, END_MS),
        ("end", period.end_ms, FIRST_MS, END_MS),
        ("energy", period.energy_mwh, 0, MOST_ENERGY_MWH),
        ("price", period.price, -MOST_MONEY, MOST_MONEY),
        ("service price", period.service_price, -MOST_MONEY, MOST_MONEY),
        ("amount", period.amount, -MOST_MONEY, MOST_MONEY),
        ("service amount", period.service_amount, -MOST_MONEY, MOST_MONEY),
    )
    for name, value, low, high in bounds:
        if value is not None and not low <= value <= high:
            return f"{name}: expected {low} to {high}, found {value}"
    return None
