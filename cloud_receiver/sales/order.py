"""A charge order (充电订单): what a charger or its operator says that a charge came to."""

from typing import Final

from wire.charge_order import ChargeOrder as Order
from wire.charge_order import Period

__all__ = ["CSV", "GATEWAY", "HTTP", "Order", "Period", "beyond"]

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
