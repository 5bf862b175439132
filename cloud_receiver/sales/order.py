"""A charge order (充电订单): what a charger or its operator says that a charge came to."""

from dataclasses import dataclass
from typing import Final

GATEWAY: Final = "gateway"
CSV: Final = "csv"
HTTP: Final = "http"
"""Where an order came from."""


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
