"""`[sales]` of receiver.toml: how charge orders are checked against what was metered (docs/sales.md).

Defaults are this program's own choice where no source is named.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from settings.values import Exact, Flag, Section, Whole


class Sales(Section):
    """The whole section."""

    enabled: Flag = True
    """Whether orders are checked when their day is; `sales show` computes in any case."""
    wait_hours: Annotated[Whole, Field(ge=0, le=2400)] = 24
    """How long after a day its orders may still come, unless one of a later time has."""
    clock_s: Annotated[Exact, Field(ge=0, le=3600)] = Decimal(180)
    """Limit of how far the clock of a charger's orders is off. JJG 1149-2022: 3 min in use (one source)."""
    time_resolution_s: Annotated[Exact, Field(ge=0, le=3600)] = Decimal(60)
    """Step of the times in orders: exports often have whole minutes."""
    energy_resolution_kwh: Annotated[Exact, Field(gt=0, le=10)] = Decimal("0.01")
    """Step of the energies in orders. T/CEC 102: two decimals (one source)."""
    minimum_pay: Annotated[Exact, Field(gt=0, le=1000)] = Decimal("0.01")
    """Minimum pay variable (最小付费变量), the limit of the payment error. JJG 1148-2018: 0.01 yuan (one source)."""
    power_margin_percent: Annotated[Exact, Field(ge=0, le=1000)] = Decimal(10)
    """By how much a charger may exceed its rated power."""
    longest_hours: Annotated[Whole, Field(ge=1, le=10_000)] = 72
    """A longer order is told of: a charge that was never ended, most likely."""
    own_consumption_w: Annotated[Exact, Field(ge=0, le=100_000)] = Decimal(50)
    """What a charger's meter may count without a charge (桩自用电)."""
    smallest_kwh: Annotated[Exact, Field(ge=0, le=10_000)] = Decimal("0.5")
    """Less energy is no missing order."""
    gross_ratio: Annotated[float, Field(ge=1)] = 2.0
    """A part of a day between idle moments makes a finding beyond so many tolerances: there are many parts in a day."""
