"""`[grid]` in receiver.toml: nodal carbon factors from what is measured on the grid, every 15 minutes."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from settings.values import Exact, Section, Whole, Zone


class Official(Section):
    """The official factor that stands in where nothing can be solved (电力二氧化碳排放因子)."""

    region: str = "national"
    year: Annotated[Whole, Field(ge=1990, le=2100)] | None = None
    """None: the newest year that the table has of the region."""
    table: Path | None = None
    """A table of one's own instead of the program's."""


class Grid(Section):
    """The grid service."""

    wait_s: Annotated[Whole, Field(ge=0, le=900)] = 90
    """How long after a slot's end measurements may come before it is solved for the first time."""
    correct_hours: Annotated[Whole, Field(ge=0, le=24 * 400)] = 24 * 35
    """How long after a slot measurements that come late still correct it."""
    correct_pause_s: Annotated[Whole, Field(ge=0, le=900)] = 30
    """The shortest time between two rounds of corrections: measurements that trickle in are corrected together."""
    slots: Annotated[Whole, Field(ge=1, le=2976)] = 96
    """How many slots a factor message carries, so that a gateway that was cut off catches up."""
    hold_slots: Annotated[Whole, Field(ge=0, le=96)] = 4
    """How long a node's last solved factor stands in, before the official one does."""
    official: Official = Official()
    sigma_percent: Annotated[Exact, Field(gt=0)] = Decimal(1)
    """Standard deviation of a measured power in per cent, where no accuracy class is known: the weight it has in the
    reconciliation."""
    sigma_floor_kw: Annotated[Exact, Field(gt=0)] = Decimal(10)
    """Added to it in quadrature."""
    max_factor: Annotated[Exact, Field(gt=0, le=1000)] = Decimal(10)
    """Largest factor of a source in kgCO2/kWh; what has more counts as missing."""
    publish: Literal["all", "stations"] = "all"
    """Of which nodes factors are dispatched: all, or those at which stations of the registry are."""
    timezone: Zone = "Asia/Shanghai"
    """Whose days the findings are grouped by."""
