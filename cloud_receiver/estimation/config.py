"""`[estimation]` of receiver.toml: when errors are estimated, over what time, and what is known before (先验).

Defaults of what is known before are those of `diantan_core.ErrorEstimator`: made on simulated stations, no standard's.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from cloud_receiver.estimation.fleet.config import Fleet
from settings.values import Exact, Flag, Section, Whole

Share = Annotated[Exact, Field(gt=0, le=Decimal("0.5"))]
Uncertainty = Annotated[Exact, Field(ge=0, le=100)]
PositivePercent = Annotated[Exact, Field(gt=0, le=50)]


class Estimation(Section):
    """Remote error estimation of all stations."""

    enabled: Flag = True
    """Estimate every night."""
    days: Annotated[Whole, Field(ge=1, le=400)] = 30
    """How far back a run over all windows reaches."""
    full_every_days: Annotated[Whole, Field(ge=1, le=90)] = 14
    """Each station takes all windows again on one day of its own in so many; between, yesterday's are added."""
    nightly: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "02:30"
    """When the day before is added, by the station's clock: late enough that gateways have sent it."""
    share_percent: Annotated[Whole, Field(ge=1, le=100)] = 50
    """Of the process's time that the nightly run may take; it also waits while the intake has work."""
    processes: Annotated[Whole, Field(ge=0, le=64)] = 0
    """How many processes of their own the receiver lets make nights, which take no share of its time; 0: it makes them
    itself, between what else it does."""
    master_gain_percent: PositivePercent = Decimal("0.25")
    """Standard uncertainty of a master meter (总表) without a certificate."""
    cohort_percent: Uncertainty = Decimal("0.03")
    """Standard deviation of what all chargers may have in common; 0.3 where a whole make may be off. The default is
    what a calibrating device of class 0.05 leaves: 0.05 / √3."""
    cohort_verified_percent: Uncertainty = Decimal("0.3")
    """The same of a station with verified chargers, which tell it: at least `cohort_percent`."""
    sound_percent: PositivePercent = Decimal("0.35")
    altered_percent: PositivePercent = Decimal(3)
    altered_share: Share = Decimal("0.1")
    """The mixture: errors of sound chargers, of altered ones, and the share of those."""
    offset_s: Annotated[Exact, Field(gt=0, le=3600)] = Decimal(60)
    """Standard deviation of the chargers' clocks."""
    u_factor: Annotated[Exact, Field(ge=1, le=10)] = Decimal(1)
    """Multiplies every standard uncertainty."""
    voltage_drop: Flag = True
    """Measure branches (支路) by their voltage drop, where gateways send means of voltage."""
    voltage_drop_percent: Annotated[Exact, Field(ge=0, le=100)] = Decimal(4)
    """Standard uncertainty of the loss that a voltage drop says, relative: power factor, reactance, harmonics, warmth.

    Loss over drop is (1 + t²)(1 + h²)/(1 + xt). With t = tan φ even within ±0.15, x = X/R up to 0.25 and harmonics h of
    the current up to 15 % it is 2.2 % off 1 in the root mean square, with h up to 20 % 2.8 %, 95 % within 5.6 %.
    X/R is beyond that on cables from some 95 mm²: up to 0.5 it is 3.2 and 3.6 %. Voltmeters that read 0.015 % otherwise
    while their charger works add 2 to 3 % of a usual drop. None of it is a standard's number: more for chargers without
    correction of the power factor.
    """
    voltage_keep_days: Annotated[Whole, Field(ge=100, le=36_500)] = 400
    """How long means of voltage are kept to measure from; a run takes the last 90 days of its span, which may be long
    ago. What gateways signed stays."""
    branch_alarm_factor: Annotated[Exact, Field(ge=1, le=100)] = Decimal(2)
    """A branch that loses more than so many times what those of its station do is named (接触不良)."""
    split_halves: Flag = True
    """Compare the two halves of every run over all windows, and widen the chargers' own u where they don't agree."""
    flag_above: Annotated[Exact, Field(gt=Decimal("0.5"), lt=1)] = Decimal("0.95")
    clear_below: Annotated[Exact, Field(gt=0, lt=Decimal("0.5"))] = Decimal("0.05")
    """Probabilities of nonconformity beyond which a charger is flagged (超差), and below which it is clear (合格)."""
    anchor_drift_percent_per_year: Uncertainty = Decimal("0.1")
    """How much less sure a certificate or verification is for each year of its age; added as a square."""
    fleet: Fleet = Fleet()
