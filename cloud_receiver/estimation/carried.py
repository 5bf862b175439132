"""What only all windows show, told by the nights that add a day until all windows are taken again.

Sums know nothing of it. Nor need they: they may say of a charger what was said the night before, or that it is
undetermined, and what was withdrawn because of a finding stays so for as long as it is told. Taking all windows every
night because of it would cost many times as much, and tell the same: a span of weeks is another one after some days.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cloud_receiver.estimation import alike, changes, gross, mirrors, ratio, swaps, withheld
from cloud_receiver.estimation.branch_findings import AGAINST, HOT
from cloud_receiver.estimation.branch_result import BranchResult
from cloud_receiver.estimation.last_night import LastNight
from cloud_receiver.estimation.noticed import LEVEL, Noticed
from cloud_receiver.estimation.result import ChargerResult, StationResult
from cloud_receiver.estimation.unjudged import UNJUDGED
from diantan_core import ErrorEstimation

SHOWN_BY_SUMS: Final = frozenset(
    {
        *("excluded", "few_windows", "daily", "never_charged", "negative", "collinear", "gain"),
        *("master_register", "charger_register", "halves", LEVEL, UNJUDGED, HOT, AGAINST),
    }
)
"""Findings that a run of a day makes as well as one over all windows, or has from what that left."""

CARRIED: Final = frozenset(
    {
        *(changes.CHANGED, changes.EXCHANGED, changes.CLOCK_DRIFT, changes.LEVEL_CHANGED),
        *(ratio.RATIO, ratio.RATIO_CHANGED, gross.BEYOND_POWER, gross.FAR_OFF, alike.TOGETHER),
        *(swaps.REGISTERS_EXCHANGED, mirrors.MIRRORED, withheld.EXCHANGED),
        *("generation", "unexplained_load", "unexplained", "clock_shift"),
    }
)
"""Findings that leave windows and estimator as they are: told again as they were found.

Those of the core are of residuals and leave nobody judged. Not its others, on which its own decisions about single
chargers rest; nor those by which orders or verifications aren't used, so that a day added would be another than with
all windows (`swapped`, `orders_not_borne_out`, `verification_contradicted`), nor those that a day's readings may end
(`held_up`, `rarely_read`, `began_anew`, `outside_windows`).
"""


@dataclass(frozen=True, slots=True)
class Carried:
    """What the last night told that all windows showed; `factors`: on the own u of chargers that changed.

    `turned`, `former`: what was said of those that are judged by what they are since they changed, and were before.
    """

    noticed: tuple[Noticed, ...] = ()
    factors: Mapping[int, float] = field(default_factory=dict)
    turned: Mapping[int, ChargerResult] = field(default_factory=dict)
    former: tuple[ChargerResult, ...] = ()

    def standing(self, found: StationResult) -> StationResult:
        """Return a night's result in which what was said of them stands: sums are of the mean of before and since."""
        if not self.turned or any(item.blocks for item in found.findings):
            return found
        chargers = tuple(self.turned.get(one.number, one) for one in found.chargers)
        return replace(found, chargers=chargers, earlier=(*found.earlier, *self.former))

    def beside(self, estimation: ErrorEstimation) -> list[Noticed]:
        """Return what sums don't say themselves."""
        said = {name for name, *_ in estimation.findings}
        return [item for item in self.noticed if item.name not in said]


def charger_of(content: Mapping[str, Any]) -> ChargerResult:
    """Return what was said of a charger from what was kept of it; KeyError of what another version kept."""
    values = {name: content[name] for name in ChargerResult.__dataclass_fields__}
    offset, branch = values["offset_s"], values["branch"]
    values["offset_s"] = None if offset is None else tuple(offset)
    values["branch"] = None if branch is None else BranchResult(**branch)
    return ChargerResult(**values)


def goes_on(findings: Collection[str]) -> bool:
    """Return whether a day may be added to what was found last."""
    return not set(findings) - SHOWN_BY_SUMS - CARRIED


def carried(last: LastNight) -> Carried | None:
    """Return what the last night told and this one goes on telling; None of one by another version."""
    found = [item for item in last.about.get("findings", ()) if item["name"] in CARRIED]
    try:
        noticed = tuple(
            Noticed(item["name"], tuple(item["about"]), item["numbers"], item["blocks"], tuple(item["withdrawn"]))
            for item in found
        )
        changed = {number for item in noticed if item.name == changes.CHANGED for number in item.meters}
        kept = {number: charger_of(last.chargers[number]) for number in changed}
        return Carried(
            noticed,
            {number: one.u_factor for number, one in kept.items()},
            {number: one for number, one in kept.items() if one.changed_ms is not None},
            tuple(charger_of(one) for one in last.about["earlier"] if one["changed_ms"] is not None),
        )
    except KeyError:
        return None
