"""A charge order (充电订单): what a charger or its operator says that a charge came to."""

from collections.abc import Iterable
from decimal import Decimal
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

_MS, _KWH, _MONEY, _PRICE, _COUNT = (0, " ms"), (6, " kWh"), (4, ""), (6, ""), (0, "")
"""Digits after the point, and unit, of what is told."""


def beyond(order: Order) -> str | None:
    """Return what of an order is beyond what any can be, None for nothing: such a one can't be entered."""
    bounds = (
        ("start", order.start_ms, FIRST_MS, END_MS, _MS),
        ("end", order.end_ms, FIRST_MS, END_MS, _MS),
        ("energy", order.energy_mwh, 0, MOST_ENERGY_MWH, _KWH),
        ("amount", order.amount, -MOST_MONEY, MOST_MONEY, _MONEY),
        ("electricity amount", order.electricity_amount, -MOST_MONEY, MOST_MONEY, _MONEY),
        ("service amount", order.service_amount, -MOST_MONEY, MOST_MONEY, _MONEY),
        ("register at the start", order.start_total_mwh, -MOST_TOTAL_MWH, MOST_TOTAL_MWH, _KWH),
        ("register at the end", order.end_total_mwh, -MOST_TOTAL_MWH, MOST_TOTAL_MWH, _KWH),
        ("stop reason", order.stop_reason, 0, MOST_STOP_REASON, _COUNT),
        ("number of periods", len(order.periods), 0, MOST_PERIODS, _COUNT),
    )
    if (found := _outside(bounds)) is not None:
        return found
    for place, period in enumerate(order.periods, 1):
        if (found := _beyond(period)) is not None:
            return f"period {place}: {found}"
    return None


def _beyond(period: Period) -> str | None:
    bounds = (
        ("start", period.start_ms, FIRST_MS, END_MS, _MS),
        ("end", period.end_ms, FIRST_MS, END_MS, _MS),
        ("energy", period.energy_mwh, 0, MOST_ENERGY_MWH, _KWH),
        ("price", period.price, -MOST_MONEY, MOST_MONEY, _PRICE),
        ("service price", period.service_price, -MOST_MONEY, MOST_MONEY, _PRICE),
        ("amount", period.amount, -MOST_MONEY, MOST_MONEY, _MONEY),
        ("service amount", period.service_amount, -MOST_MONEY, MOST_MONEY, _MONEY),
    )
    return _outside(bounds)


def _outside(bounds: Iterable[tuple[str, int | None, int, int, tuple[int, str]]]) -> str | None:
    """Return the first value that is not within its bounds, as whoever wrote it knows it."""
    for name, value, low, high, (digits, unit) in bounds:
        if value is not None and not low <= value <= high:
            least, most, found = (f"{Decimal(each).scaleb(-digits).normalize():f}" for each in (low, high, value))
            return f"{name}: expected {least} to {most}{unit}, found {found}{unit}"
    return None
