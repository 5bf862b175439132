"""The kinds of value that the programs' files share, each checked as it is read, and the table that holds them."""

from decimal import Decimal
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict

from settings.decimals import MOST_DIGITS, is_bounded
from settings.names import NAME_RULE, is_name

_MAX_PLAIN_BYTES: Final = 64


class Section(BaseModel):
    """A table of a file: a key that nobody knows is a mistake, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _name(value: str) -> str:
    if not is_name(value):
        raise ValueError(f"expected {NAME_RULE}")
    return value


def _plain_name(value: str) -> str:
    if not value.isprintable() or not 1 <= len(value.encode()) <= _MAX_PLAIN_BYTES:
        raise ValueError(f"expected 1 to {_MAX_PLAIN_BYTES} bytes of printable text")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("expected the name of a time zone, such as Asia/Shanghai") from None
    return value


def _no_flag(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004 - pydantic reports no TypeError
    return value


def _bounded(value: Decimal) -> Decimal:
    if not is_bounded(value):
        raise ValueError(f"expected at most {MOST_DIGITS} digits on either side of the point")
    return value


Name = Annotated[str, AfterValidator(_name)]
"""A name that can be one level of a topic."""

PlainName = Annotated[str, AfterValidator(_plain_name)]
"""A name as people give it: 1 to 64 bytes of printable text, Chinese included."""

Zone = Annotated[str, AfterValidator(_zone)]
"""The name of an IANA time zone (时区)."""

# Strict, since TOML has types: `true` is no number, and "60" none either.
Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]

Port = Annotated[Whole, Field(ge=1, le=65_535)]
"""A port that something connects to."""

FreePort = Annotated[Whole, Field(ge=0, le=65_535)]
"""A port to listen on; 0: one that is free."""

Host = Annotated[str, Field(min_length=1)]

Exact = Annotated[Decimal, Field(allow_inf_nan=False), AfterValidator(_bounded), BeforeValidator(_no_flag)]
"""An exact decimal number, as text or as a TOML number; never by way of a float."""
