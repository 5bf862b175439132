"""What is expected of a device where no text known here says it: settings, each with a documented default."""

from dataclasses import dataclass
from typing import Final, Literal

Missing = Literal["held", "undefined", "default"]
Far = Literal["refused", "stored", "either"]

YEAR_DAYS: Final = 365
DAILY_ROWS: Final = 30
MONTHLY_ROWS: Final = 12


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the maker says of the device; T/CIMA 0079.4 is known from one secondary source, which leaves these open.

    `missing`: what holds in a slot whose factor has not come: the last one (held 沿用), none (undefined 未定义: no
    carbon is counted), or `default_mg`. `carbon_decimals` of kg and `factor_decimals` of kg/kWh are the fewest digits
    after the point; how many the standard asks for is not known, two of a kg are those of energy registers, four those
    of official factors. `largest_factor_mg`: the largest factor (mg/kWh) that the device may take; None: it may take
    what it can be told, but must then count with it. `far`: what is done with a factor of a slot 400 days away.
    `year_days` of rows are filled and read; `every_days`: of the days, which ones are read back (1: all).
    """

    missing: Missing = "held"
    default_mg: int | None = None
    carbon_decimals: int = 2
    factor_decimals: int = 4
    largest_factor_mg: int | None = None
    far: Far = "refused"
    year_days: int = YEAR_DAYS
    every_days: int = 1

    def __post_init__(self) -> None:
        if self.missing == "default" and self.default_mg is None:
            raise ValueError('missing = "default" needs default_mg')
        if not 1 <= self.year_days <= YEAR_DAYS or not 1 <= self.every_days <= YEAR_DAYS:
            raise ValueError(f"year_days and every_days: expected 1 to {YEAR_DAYS}")
