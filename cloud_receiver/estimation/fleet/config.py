"""`[estimation.fleet]` of receiver.toml: what is told of makes, and what is known of them before."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from settings.values import Exact, Flag, Section, Whole

Percent = Annotated[Exact, Field(gt=0, le=50)]


class Fleet(Section):
    """What stations together tell of the makes of chargers. None of the defaults is a standard's number."""

    enabled: Flag = True
    """Learn from all stations every night, and tell each of them what the others say of its makes."""
    days: Annotated[Whole, Field(ge=1, le=400)] = 35
    """How old a station's last run over all windows may be."""
    stations: Annotated[Whole, Field(ge=1, le=1000)] = 3
    """Of how many other stations a make must be known before anything of it is told to one."""
    master_bias_percent: Annotated[Exact, Field(ge=0, le=10)] = Decimal("0.05")
    """Standard uncertainty of the mean error of all masters (总表) without a certificate: no fleet lowers it."""
    make_percent: Percent = Decimal("0.1")
    """What chargers of one make have in common, before anything is learnt of how makes differ: standard deviation."""
    operator_percent: Percent = Decimal("0.05")
    """What the chargers of one make have in common at one operator (运营商) beyond their make: standard deviation."""
    station_percent: Annotated[Exact, Field(ge=0, le=10)] = Decimal("0.05")
    """What they have in common at one station beyond that: standard deviation. No fleet tells it from the master."""
    biased_percent: Percent = Decimal("0.2")
    """A make is named whose error is beyond this by two standard uncertainties."""
