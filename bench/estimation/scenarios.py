"""The rows of the acceptance, and one station of each: what was true, what was estimated."""

import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.estimation import bound, branches, least_squares, recorded, voltages
from bench.estimation.branches import Branches
from bench.estimation.readings import Conditions, Shown, Truth, drawn_errors, read
from bench.estimation.recorded import ACN
from bench.estimation.sites import AC, DC, UNEVEN, Floats, Site, Station, station
from diantan_core import ErrorCharger, ErrorEstimation, ErrorEstimator, ErrorWindows

SEED = 20261120
DECISIONS = ("clear", "undetermined", "flag")


@dataclass(frozen=True)
class Scenario:
    """A row: conditions, targets, and what the estimator is told beyond the nameplates and the design."""

    name: str
    says: str
    conditions: Conditions = field(default_factory=Conditions)
    site: Site = DC
    mae: float = 0.0010
    rmse: float | None = None
    certificate: float | None = None  # u of the master's gain by its certificate
    verified: int = 0  # chargers freshly verified, u 0.1 %
    voltages: bool = True  # whether gateways send what meters show of voltage, as they do where nobody says otherwise
    master_voltages: bool = True  # whether the master shows any
    phases: bool = True  # whether gateways tell each phase of chargers for three, or their mean
    like: str | None = None  # the row of the same truth and readings

    @property
    def drawn_as(self) -> str:
        """Return the row by whose name truth and readings are drawn."""
        return self.like or self.name


B = Conditions()
MAIN = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "A30", "30 d, white noise 0.25 %", Conditions(days=30, gain_sd=0.0, white=0.0025, curve=0.0), mae=0.0015
        ),
        Scenario("B90", "90 d, master direct", B),
        Scenario("C30", "30 d, master by CT 80:1", replace(B, days=30, master_step=0.8)),
        Scenario("E90", "90 d, jitter 10 s, clocks 30 s", replace(B, jitter_s=10.0, offset_sd_s=30.0)),
        Scenario("F30", "30 d, AC", replace(B, days=30), AC),
        Scenario("G90", "90 d, AC, recorded sessions", B, ACN, mae=0.0015),
        Scenario("clocks-60", "clock offsets of 60 s", replace(B, offset_sd_s=60.0)),
        Scenario("clocks-180", "clock offsets of 180 s", replace(B, offset_sd_s=180.0)),
        Scenario("gross", "5 kWh wrong in 1 % of windows", replace(B, gross_share=0.01)),
        Scenario("missing", "20 % of readings lost", replace(B, lost_share=0.2)),
        Scenario("auxiliary", "lamps and a heater nobody told of", replace(B, auxiliaries=True)),
        Scenario(
            "dc-output-0.2",
            "efficiency differs by 0.2 %",
            replace(B, conversion_spread=0.002),
            mae=0.004,
            voltages=False,
        ),
        Scenario(
            "dc-output-0.4",
            "efficiency differs by 0.4 %",
            replace(B, conversion_spread=0.004),
            mae=0.004,
            voltages=False,
        ),
        Scenario(
            "fine",
            "0.0001 kWh, clocks 5 s",
            replace(B, master_step=1e-4, charger_step=1e-4, jitter_s=0.1, offset_sd_s=5.0),
            rmse=0.0009,
        ),
        Scenario(
            "fine-certified",
            "and a master certificate, u 0.05 %",
            replace(B, master_step=1e-4, charger_step=1e-4, jitter_s=0.1, offset_sd_s=5.0),
            rmse=0.0009,
            certificate=0.0005,
        ),
        Scenario("cohort", "all chargers +0.3 %", replace(B, cohort=0.003)),
        Scenario("cohort-verified", "and three of them verified", replace(B, cohort=0.003), verified=3),
    )
}
# beyond what was asked: what would help, and what hurts
_BEYOND = {
    scenario.name: scenario
    for scenario in (
        Scenario("no-orders", "B90, nobody tells of sessions", replace(B, orders=False)),
        Scenario(
            "clocks-60-no-orders", "clocks-60, nobody tells of sessions", replace(B, offset_sd_s=60.0, orders=False)
        ),
        Scenario("F30-no-orders", "F30, nobody tells of sessions", replace(B, days=30, orders=False), AC),
        Scenario("cohort-0.1", "a cohort 3 times as wide as the prior expects, sd 0.1 %", replace(B, cohort_sd=0.001)),
        Scenario("design-30", "losses of the design off by 30 %", replace(B, design_sd=0.3)),
        Scenario(
            "certified-even",
            "as fine-certified, errors do not change with load",
            replace(B, master_step=1e-4, charger_step=1e-4, jitter_s=0.1, offset_sd_s=5.0, curve=0.0),
            rmse=0.0009,
            certificate=0.0005,
        ),
        Scenario("curve-0.3", "errors change by 0.3 % with load", replace(B, curve=0.003)),
        Scenario(
            "F30-no-master",
            "F30, the master shows no voltage",
            replace(B, days=30),
            AC,
            master_voltages=False,
            like="F30",
        ),
        Scenario(
            "F30-uneven",
            "30 d, AC for three phases, half of the vehicles on one",
            replace(B, days=30),
            UNEVEN,
            mae=0.0015,
        ),
        Scenario(
            "F30-uneven-mean",
            "F30-uneven, gateways tell the mean of the phases",
            replace(B, days=30),
            UNEVEN,
            mae=0.0015,
            phases=False,
            like="F30-uneven",
        ),
        Scenario("days-3", "3 d", replace(B, days=3)),
        Scenario("days-7", "7 d", replace(B, days=7)),
        Scenario("days-3-clocks-60", "3 d, clock offsets of 60 s", replace(B, days=3, offset_sd_s=60.0)),
        Scenario("days-7-clocks-60", "7 d, clock offsets of 60 s", replace(B, days=7, offset_sd_s=60.0)),
        Scenario("days-3-jitter-15", "3 d, jitter of 15 s nobody told of", replace(B, days=3, jitter_s=15.0)),
        Scenario("days-7-jitter-15", "7 d, jitter of 15 s nobody told of", replace(B, days=7, jitter_s=15.0)),
    )
}
_SILENT = {
    name + "-no-voltages": replace(
        MAIN[name], name=name + "-no-voltages", says=f"{name}, no meter shows voltage", voltages=False, like=name
    )
    for name in ("A30", "C30", "F30", "G90", "clocks-180", "fine")
}
SCENARIOS = MAIN | _SILENT | _BEYOND


@dataclass(frozen=True)
class Outcome:
    """One station of one row; everything by charger."""

    true: Floats
    error: Floats
    u: Floats
    decision: NDArray[np.int64]
    reasons: tuple[str | None, ...]
    squares: Floats  # by ordinary least squares
    u_common: float
    findings: tuple[str, ...]
    gain: float = 0.0
    by_load: Floats | None = None
    by_branch: Floats | None = None
    least: bound.Bound | None = None
    branches: Branches | None = None
    conversion_spread: float | None = None  # of chargers that meter their output


def tell(
    scenario: Scenario, shown: Shown, truth: Truth, dice: np.random.Generator, found: Branches | None = None
) -> ErrorEstimator:
    """Return the estimator with its priors as shipped, and what is on nameplates, in the design and in certificates."""
    conditions = shown.conditions
    verified = {
        int(number): (float(truth.errors[number] + 0.001 * dice.standard_normal()), 0.001)
        for number in dice.choice(len(truth.errors), scenario.verified, replace=False)
    }
    told: dict[str, Any] = {"cohort_sd": 0.003} if verified else {}  # `cohort_verified_percent`
    if scenario.certificate is not None:
        told["gain"] = (truth.gain + scenario.certificate * dice.standard_normal(), scenario.certificate)
    chargers = []
    for number in range(len(shown.chargers)):
        design, drop, uneven = (shown.design_branch, None, None) if found is None else found.told(number)
        chargers.append(
            ErrorCharger(
                branch_loss=design,
                branch_measured=drop,
                uneven_loss=uneven,
                dc_output=conditions.conversion_spread is not None,
                step_kwh=conditions.charger_step,
                verified=verified.get(number),
            )
        )
    return ErrorEstimator(chargers, trunk_loss=shown.design_trunk, master_step_kwh=conditions.master_step, **told)


def windows_of(shown: Shown) -> ErrorWindows:
    """Return what the estimator is given."""
    columns = [column.data for column in shown.chargers]
    return ErrorWindows.from_registers(shown.times_ms, shown.master.data, columns, sessions_ms=shown.sessions_ms)


def run_station(number: int, names: list[str]) -> dict[str, Outcome]:
    """Return the outcome of each row for its station of this number; rows with the same site share the truth."""
    outcomes = {}
    for site in (DC, AC, ACN, UNEVEN):
        rows = [SCENARIOS[name] for name in names if SCENARIOS[name].site is site]
        if not rows:
            continue
        # always as long as the longest row there is, so that a row alone gives the same numbers
        days = max(each.conditions.days for each in SCENARIOS.values() if each.site is site)
        dice = _dice(number, site.name)
        held = recorded.station(days, dice) if site is ACN else station(site, days, dice)
        mains = None
        if any(row.voltages for row in rows):
            mains = voltages.mains(held, _dice(number, site.name + "-voltages"))
        for row in rows:
            own = _dice(number, row.drawn_as)
            drawn = drawn_errors(site.chargers, own)
            shown, truth = read(held, drawn, row.conditions, own)
            found = None
            if mains is not None and row.voltages:
                means = voltages.show(
                    mains, shown, truth, _dice(number, row.drawn_as + "-voltages"), by_phase=row.phases
                )
                measured = branches.measured(mains, means, shown.design_branch, with_master=row.master_voltages)
                if np.isfinite(measured.loss).any():
                    found = measured
                    truth = replace(truth, by_branch=(truth.branches - mains.drops / voltages.DROP) * truth.mean_kw)
            estimation = tell(row, shown, truth, own, found).estimate(windows_of(shown))
            outcome = _outcome(estimation, truth, least_squares.ordinary(shown))
            outcomes[row.name] = replace(
                outcome,
                least=_bound(row, held, drawn, found),
                branches=found,
                conversion_spread=row.conditions.conversion_spread,
            )
    return outcomes


def _dice(number: int, name: str) -> np.random.Generator:
    return np.random.default_rng([SEED, number, zlib.crc32(name.encode())])


def _bound(row: Scenario, held: Station, drawn: Floats, found: Branches | None) -> bound.Bound | None:
    """Return the bound of a row whose readings it models, and where nothing is known but what was drawn."""
    told = row.certificate is not None or row.verified > 0
    if told or row.site.single_share or not bound.applies(row.conditions):
        return None
    sd = None if found is None else np.hypot(found.u_drop, voltages.trust(held) * held.losses.branches)
    return bound.of(held, drawn, row.conditions, sd)


def _outcome(estimation: ErrorEstimation, truth: Truth, squares: Floats) -> Outcome:
    chargers = estimation.chargers
    return Outcome(
        truth.errors,
        np.array([one.error for one in chargers]),
        np.array([one.u for one in chargers]),
        np.array([DECISIONS.index(one.decision) for one in chargers]),
        tuple(one.reason for one in chargers),
        squares,
        estimation.u_common,
        tuple(found[0] for found in estimation.findings),
        truth.gain,
        truth.by_load,
        truth.by_branch,
    )
