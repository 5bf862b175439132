"""Figures of a row from the outcomes of its stations, each beside its target."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import erfc

import numpy as np

from bench.estimation import bound, branches, floor
from bench.estimation.floor import Conversion
from bench.estimation.scenarios import SCENARIOS, Outcome, Scenario
from bench.estimation.sites import Floats

LIMIT = 0.02  # class 2
DETECTED, FALSE_ALARMS, COVERAGE = 0.98, 0.005, (0.90, 0.98)
HEADER = (
    f"{'':24}{'stations':>8} {'MAE % (target)':>22} {'OLS':>6} {'centred':>7} {'RMSE %':>7} {'found %':>13} {'OLS':>5} "
    f"{'false %':>8} {'OLS':>5} {'guarded: found, false':>21} {'open':>6} {'coverage %':>14} {'common, stated':>14}"
)


@dataclass(frozen=True)
class Figures:
    """What came out of a row; relative errors, and shares."""

    stations: int
    mae: float
    mae_error: float  # standard error from station to station
    rmse: float
    own_rmse: float  # less each station's mean error
    detected: float
    beyond: int  # chargers that truly are
    largest_missed: float  # the largest true error among those that were not found, 0 where all were
    false_alarms: float
    guarded: tuple[float, float]
    undetermined: float
    coverage: float
    coverage_error: float
    common: tuple[float, float]  # of a station's mean error: root mean square, and the standard uncertainty stated
    squares_mae: float
    centred_mae: float  # ordinary least squares less its median
    squares_detected: float
    squares_false_alarms: float
    findings: dict[str, int]  # in how many stations
    floor: tuple[float, float] = (0.0, 0.0)  # of the RMSE: what all chargers share, and what is their own
    u_own: float = 0.0  # root mean square of what is stated for a charger's own part
    least: bound.Least | None = None
    known: branches.Known | None = None
    conversion: Conversion | None = None  # what can be found where chargers meter their output
    expected: float = 1.0  # share found of those beyond, if errors of estimates were normal with this RMSE

    @property
    def detected_error(self) -> float:
        """Return the standard error of the share that was detected."""
        return float((self.detected * (1 - self.detected) / max(self.beyond, 1)) ** 0.5)


def figures(outcomes: list[Outcome]) -> Figures:
    """Return the figures of a row."""
    true, error, u, squares = (
        np.array([getattr(each, name) for each in outcomes]) for name in ("true", "error", "u", "squares")
    )
    flagged = np.array([each.decision == 2 for each in outcomes])
    off, beyond = error - true, np.abs(true) > LIMIT
    covered = np.abs(off) <= branches.NORMAL_95 * u
    centred = squares - np.median(squares, axis=1, keepdims=True)
    false_alarms = _share((np.abs(error) > LIMIT)[~beyond])
    return Figures(
        stations=len(outcomes),
        mae=float(np.abs(off).mean()),
        mae_error=_station_error(np.abs(off)),
        rmse=float(np.sqrt((off**2).mean())),
        own_rmse=float((off - off.mean(axis=1, keepdims=True)).std()),
        detected=_share((np.abs(error) > LIMIT)[beyond]),
        beyond=int(beyond.sum()),
        largest_missed=float(np.abs(true)[beyond & (np.abs(error) <= LIMIT)].max(initial=0.0)),
        false_alarms=false_alarms,
        guarded=(_share(flagged[beyond]), _share(flagged[~beyond])),
        undetermined=float(np.mean([np.mean(each.decision == 1) for each in outcomes])),
        coverage=float(covered.mean()),
        coverage_error=_station_error(covered.astype(np.float64)),
        common=(float(np.sqrt((off.mean(axis=1) ** 2).mean())), float(np.mean([each.u_common for each in outcomes]))),
        squares_mae=float(np.abs(squares - true).mean()),
        centred_mae=float(np.abs(centred - true).mean()),
        squares_detected=_share((np.abs(squares) > LIMIT)[beyond]),
        squares_false_alarms=_share((np.abs(squares) > LIMIT)[~beyond]),
        findings=dict(Counter(name for each in outcomes for name in sorted(set(each.findings)))),
        floor=(floor.shared(outcomes), floor.own(outcomes)) if outcomes[0].by_load is not None else (0.0, 0.0),
        least=bound.over([each.least for each in outcomes]),
        known=branches.over([each.branches for each in outcomes]),
        u_own=float(np.sqrt(np.maximum(u**2 - np.array([[each.u_common**2] for each in outcomes]), 0.0).mean())),
        conversion=_conversion(outcomes, false_alarms),
        expected=_expected(np.abs(true)[beyond], float(np.sqrt((off**2).mean()))),
    )


def _conversion(outcomes: list[Outcome], here: float) -> Conversion | None:
    spread = outcomes[0].conversion_spread
    return None if spread is None else floor.conversion(outcomes, spread, LIMIT, FALSE_ALARMS, here)


def _expected(beyond: Floats, rmse: float) -> float:
    if not beyond.size or rmse <= 0:
        return 1.0
    return float(np.mean([0.5 * erfc((LIMIT - each) / rmse / 2**0.5) for each in beyond]))


def _share(which: Floats) -> float:
    return float(which.mean()) if which.size else float("nan")


def _station_error(values: Floats) -> float:
    """Return the standard error of a mean over stations: chargers of one station share a master."""
    return float(values.mean(axis=1).std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def missed(scenario: Scenario, found: Figures) -> list[str]:
    """Name the targets that were missed."""
    rules: dict[str, Callable[[], bool]] = {
        "MAE": lambda: found.mae <= scenario.mae,
        "RMSE": lambda: scenario.rmse is None or found.rmse <= scenario.rmse,
        "detection": lambda: not found.detected < DETECTED,
        "false alarms": lambda: not found.false_alarms > FALSE_ALARMS,
        "coverage": lambda: COVERAGE[0] <= found.coverage <= COVERAGE[1],
    }
    return [name for name, met in rules.items() if not met()]


def line(name: str, found: Figures) -> str:
    """Return a row of the table; a missed target bears an exclamation mark."""
    scenario = SCENARIOS[name]
    broken = missed(scenario, found)

    def marked(rule: str, text: str) -> str:
        return text + ("!" if rule in broken else " ")

    mae = f"{100 * found.mae:.3f} ± {100 * found.mae_error:.3f} ({100 * scenario.mae:.2f})"
    detected = f"{100 * found.detected:.2f} ± {100 * found.detected_error:.1f}"
    guarded = f"{100 * found.guarded[0]:.1f}, {100 * found.guarded[1]:.2f}"
    coverage = f"{100 * found.coverage:.1f} ± {100 * found.coverage_error:.1f}"
    common = f"{100 * found.common[0]:.3f}, {100 * found.common[1]:.3f}"
    return (
        f"{name:24}{found.stations:8} {marked('MAE', mae):>22} {100 * found.squares_mae:6.2f} "
        f"{100 * found.centred_mae:7.2f} {marked('RMSE', f'{100 * found.rmse:.3f}'):>7} "
        f"{marked('detection', detected):>13} {100 * found.squares_detected:5.1f} "
        f"{marked('false alarms', f'{100 * found.false_alarms:.2f}'):>8} {100 * found.squares_false_alarms:5.2f} "
        f"{guarded:>21} {100 * found.undetermined:6.1f} {marked('coverage', coverage):>14} {common:>14}"
    )


def verdict(name: str, found: Figures) -> str:
    """Say in words what a row is, and whether it met its targets."""
    scenario = SCENARIOS[name]
    broken = missed(scenario, found)
    parts = [f"{name}: {scenario.says}: {'missed ' + ', '.join(broken) if broken else 'met'}"]
    own = f"{100 * found.own_rmse:.3f} % less the station's mean (stated {100 * found.u_own:.3f} %)"
    beside = "" if scenario.rmse is None else f", beside {100 * scenario.rmse:.2f} %"
    parts.append(f"RMSE {100 * found.rmse:.3f} %, {own}{beside}")
    if floor.holds(scenario):
        common, rest = found.floor
        parts.append(
            f"no reading gets below {100 * (common**2 + rest**2) ** 0.5:.3f} %: {100 * common:.3f} % shared with the "
            f"master's gain, {100 * rest:.3f} % of load and branch"
        )
    if found.least is not None:
        parts.append(str(found.least))
    if found.conversion is not None:
        parts.append(str(found.conversion))
    if found.known is not None:
        parts.append(str(found.known))
    parts.append(f"at this RMSE {100 * found.expected:.1f} % are found")
    if found.largest_missed:
        parts.append(f"largest error not found {100 * found.largest_missed:.2f} %")
    parts += [f"finding {each} in {count} of {found.stations} stations" for each, count in found.findings.items()]
    return "; ".join(parts)
