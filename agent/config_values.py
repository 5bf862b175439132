"""The kinds of value a configuration file has, each checked as it is read."""

from decimal import Decimal
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict

from diantan_core import Energy, Factor, QuantityError
from wire.topics import TopicError, checked_name

_MAX_NAME_BYTES: Final = 64
_MAX_KW: Final = 1_000_000_000  # 1 TW


def _topic_name(value: str) -> str:
    try:
        return checked_name(value)
    except TopicError as error:
        raise ValueError(str(error)) from None


def _plain_name(value: str) -> str:
    if not value.isprintable() or not 1 <= len(value.encode()) <= _MAX_NAME_BYTES:
        raise ValueError(f"expected 1 to {_MAX_NAME_BYTES} bytes of printable text")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("expected the name of a time zone, such as Asia/Shanghai") from None
    return value


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


TopicName = Annotated[str, AfterValidator(_topic_name)]
PlainName = Annotated[str, AfterValidator(_plain_name)]
# Strict, since TOML has types: `true` is no number, and "60" none either.
Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Port = Annotated[Whole, Field(ge=1, le=65535)]
FactorValue = Annotated[Decimal, AfterValidator(_factor)]
Zone = Annotated[str, AfterValidator(_zone)]
Kilowatts = Annotated[Decimal, Field(gt=0, le=_MAX_KW, allow_inf_nan=False)]
KilowattHours = Annotated[Decimal, Field(gt=0, allow_inf_nan=False), AfterValidator(_energy)]


class Section(BaseModel):
    """A table of the file; a key that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, validate_default=True)
