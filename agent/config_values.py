"""The kinds of value that only the gateway's configuration has, each checked as it is read."""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from diantan_core import Energy, Factor, QuantityError
from settings.values import Exact

_MAX_KW: Final = 1_000_000_000  # 1 TW
_MAX_KG: Final = 2_000_000_000_000  # 2 Gt: what fits 2^61 mg


def _factor(value: Decimal) -> Decimal:
    try:
        Factor.from_kg_per_kwh(value)
    except QuantityError as error:
        raise ValueError(f"expected kgCO2/kWh with at most 6 decimals: {error}") from None
    return value


def _energy(value: Decimal) -> Decimal:
    try:
        Energy.from_kwh(value)
    except QuantityError as error:
        raise ValueError(f"expected kWh with at most 6 decimals: {error}") from None
    return value


def _milligrams(value: Decimal) -> Decimal:
    if value * 10**6 != int(value * 10**6):
        raise ValueError("expected kg with at most 6 decimals")
    return value


FactorValue = Annotated[Exact, AfterValidator(_factor)]
Kilowatts = Annotated[Exact, Field(gt=0, le=_MAX_KW)]
KilowattHours = Annotated[Exact, Field(gt=0), AfterValidator(_energy)]
Kilograms = Annotated[Exact, Field(gt=0, le=_MAX_KG), AfterValidator(_milligrams)]
