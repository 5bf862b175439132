"""What entries of the registry are made of."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from settings.values import Exact

NonNegative = Annotated[Exact, Field(ge=0)]
PositiveDecimal = Annotated[Exact, Field(gt=0)]


def _with_zone(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("expected a time with its zone, such as 2026-07-01T00:00:00+08:00")
    return value


AwareDatetime = Annotated[datetime, AfterValidator(_with_zone)]


def ms(time: datetime) -> int:
    """Return an instant in ms UTC, to whole seconds."""
    return int(time.timestamp()) * 1000
