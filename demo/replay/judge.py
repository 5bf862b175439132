"""Judges a replay: what the centre says of each charger against what really flowed, as the simulator says."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from demo.files import STATION, Files
from demo.processes import output_of
from demo.replay.files import RATED_KW, VOLTAGE_V
from demo.replay.plan import CABLE_MILLIOHM, ReplayPlan, local

FLAG: Final = "flag"
CANDIDATE: Final = "charger_suspect"
K95: Final = 1.96
DAY_MS: Final = 86_400_000
_UJ_PER_MWH: Final = 3_600_000
_MW_PER_KW: Final = 10**6


@dataclass(frozen=True, slots=True)
class Judged:
    """One charger. Errors in per cent; `truth` of what its meter registered against what flowed."""

    id: str
    plug: str
    sessions: int
    energy_kwh: float
    altered: bool
    truth: float
    error: float
    u: float
    probability: float
    decision: str
    reason: str | None
    suspected: bool
    """Whether it is a candidate for re-verification by the nightly runs."""
    accused: bool
    """Whether it ever was one."""
    branch_truth: float
    """What its cable truly loses of rated power, in per cent of that; 0 of one that did not charge."""
    branch: float | None
    """Likewise by its voltage drop (电压降), as far as the estimate rests on that."""
    branch_reason: str | None
    """Why it does not."""

    @property
    def covered(self) -> bool:
        """Whether the truth lies in the 95 % interval."""
        return abs(self.error - self.truth) <= K95 * self.u

    @property
    def branch_deviation(self) -> float | None:
        """How far the measured branch is off, in per cent of the truth."""
        return _off(self.branch, self.branch_truth)

    @property
    def right(self) -> bool:
        """Whether estimate and findings say of it what is true."""
        return all(said == self.altered for said in (self.decision == FLAG, self.suspected, self.accused))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a replay."""

    chargers: tuple[Judged, ...]
    windows: int
    known_percent: float
    """Share of all quarters of an hour at which a meter's register was known by measurement."""
    written: int
    unacknowledged: int
    nights: int
    """How many of the nightly runs the centre has made."""
    findings: tuple[str, ...]
    """What the estimate says of the station."""
    branch_design: float
    """What every branch loses of rated power by design, in per cent of that."""

    @property
    def flagged(self) -> frozenset[str]:
        """The chargers that the estimate flags."""
        return frozenset(charger.id for charger in self.chargers if charger.decision == FLAG)

    @property
    def suspected(self) -> frozenset[str]:
        """The chargers that the nightly runs have ever named."""
        return frozenset(charger.id for charger in self.chargers if charger.accused)

    @property
    def branch_deviations(self) -> tuple[float, ...]:
        """How far each measured branch is off, in per cent of the truth."""
        found = (charger.branch_deviation for charger in self.chargers)
        return tuple(one for one in found if one is not None)

    @property
    def design_deviations(self) -> tuple[float, ...]:
        """How far the design of each is off, likewise."""
        found = (_off(self.branch_design, charger.branch_truth) for charger in self.chargers)
        return tuple(one for one in found if one is not None)

    @property
    def passed(self) -> bool:
        """Whether exactly the altered chargers are flagged and found, and every record was delivered."""
        return all(charger.right for charger in self.chargers) and not self.unacknowledged


def _off(said: float | None, truth: float) -> float | None:
    return None if said is None or not truth else 100 * (said / truth - 1)


def judge(plan: ReplayPlan, files: Files, clock: str) -> Verdict:
    """Ask each program for its view of the days, and compare; DemoError."""
    span = ("--from", local(plan.first_ms, plan.zone), "--to", local(plan.last_ms, plan.zone))
    centre = ("--config", str(files.receiver))
    estimate = json.loads(
        output_of("diantan-receiver", "estimate", *centre, STATION, *span, "--json", "--clock", clock)
    )
    nights = nights_of(history(plan, files, clock))
    findings = json.loads(output_of("diantan-receiver", "findings", *centre, "--station", STATION, "--all", "--json"))
    truth = json.loads(output_of("diantan-sim", "truth", str(files.station), *span, "--json"))
    journal = json.loads(output_of("diantan-agent", "journal", "ls", "--config", str(files.agent), "--json"))
    return compare(plan, estimate, findings, truth, nights=nights, journal=journal)


def history(plan: ReplayPlan, files: Files, clock: str) -> Mapping[str, Any]:
    """Return what the centre says of its nightly runs; DemoError."""
    said = output_of(
        *("diantan-receiver", "estimate", "--config", str(files.receiver), STATION, "--history", "--json"),
        *("--from", local(plan.origin_ms, plan.zone), "--clock", clock),
    )
    return dict(json.loads(said))


def nights_of(told: Mapping[str, Any]) -> frozenset[int]:
    """Return when nightly runs were made, ms UTC, by what the centre says of them."""
    return frozenset(item["made_ms"] for item in told["estimates"])


def compare(
    plan: ReplayPlan,
    estimate: Mapping[str, Any],
    findings: Iterable[Mapping[str, Any]],
    truth: Mapping[str, Any],
    *,
    nights: frozenset[int],
    journal: Mapping[str, Any],
) -> Verdict:
    """Return the verdict on what the programs said."""
    said = {one["meter"]: one for one in estimate["chargers"]}
    true = {one["id"]: one for one in truth["meters"]}
    candidates = [item for item in findings if item["kind"] == CANDIDATE]
    accused = {item["meter"] for item in candidates}
    suspected = {item["meter"] for item in candidates if item["state"] != "closed"}
    branches = {one["charger"]: one for one in truth["branches"]}
    judged = []
    for charger in plan.chargers:
        one = said[charger.id]
        flowed = true[charger.id]["true_forward_uj"]
        registered = true[charger.id]["registered_forward_mwh"] * _UJ_PER_MWH
        branch = one["branch"] or {"percent": None, "reason": None}
        lost, squares = (branches[charger.id][name] for name in ("loss_uj", "squares_mw2_ms"))
        judged.append(
            Judged(
                charger.id,
                charger.plug,
                charger.sessions,
                one["energy_kwh"],
                charger.is_altered,
                100 * (registered / flowed - 1) if flowed else 0.0,
                one["error"],
                one["u"],
                one["probability"],
                one["decision"],
                one["reason"],
                charger.id in suspected,
                charger.id in accused,
                100 * RATED_KW * _MW_PER_KW * lost / squares if squares else 0.0,
                None if branch["reason"] else branch["percent"],
                branch["reason"],
            )
        )
    shares = [share for meter in estimate["completeness"]["shares"] for share in meter if share is not None]
    return Verdict(
        tuple(judged),
        estimate["windows"],
        100 * sum(shares) / len(shares) if shares else 0.0,
        journal["next_sequence"] - 1,
        journal["unacknowledged"],
        sum(any(night <= made < night + DAY_MS for made in nights) for night in plan.nights_ms),
        tuple(item["name"] for item in estimate["findings"]),
        100 * RATED_KW * float(CABLE_MILLIOHM) / VOLTAGE_V**2,
    )
