"""What a fleet brings: `python -m bench.estimation.fleet [--stations N] [--days N]`, `--only-speed` and `--only-steps`.

Each row's stations are estimated alone; what they show is solved together; each is estimated again with what the others
say of its make. Then the time is measured that a fleet of 50,000 stations takes to solve. Nothing is read or written.
"""

import argparse
import random
import time
import zlib
from collections.abc import Mapping
from dataclasses import replace
from math import hypot
from typing import Any

import numpy as np

from bench.estimation.readings import Conditions, Shown, drawn_errors, read
from bench.estimation.scenarios import SCENARIOS, SEED, windows_of
from bench.estimation.sites import DC, Floats, station
from cloud_receiver.estimation.fleet.gather import Member, Spread, gathering
from cloud_receiver.estimation.fleet.levels import Heard, Level
from cloud_receiver.estimation.fleet.solve import Known, Solution, solving
from cloud_receiver.estimation.fleet.steps import at_once
from cloud_receiver.estimation.fleet.told import expected, told
from cloud_receiver.estimation.fleet.view import ALONE, Seen, View, only_data
from diantan_core import ErrorCharger, ErrorEstimation, ErrorEstimator, ErrorWindows

SPREAD, GAIN = Spread(0.35, 0.05), 0.25
KNOWN = Known(0.1, 0.05, 0.05)
LEAST = 3
ROWS = ("B90", "cohort", "cohort-0.1")


def _estimator(shown: Shown, told: Mapping[str, Any]) -> ErrorEstimator:
    chargers = [
        ErrorCharger(branch_loss=shown.design_branch, step_kwh=shown.conditions.charger_step) for _ in shown.chargers
    ]
    known: dict[str, Any] = {"trunk_loss": shown.design_trunk, "master_step_kwh": shown.conditions.master_step}
    return ErrorEstimator(chargers, **{**known, **told})


def _dice(number: int, name: str) -> np.random.Generator:
    return np.random.default_rng([SEED, number, zlib.crc32(name.encode())])


def _view(shown: Shown, windows: ErrorWindows, found: ErrorEstimation) -> View:
    alone = only_data(_estimator(shown, ALONE), windows, found)
    chargers = tuple(
        Seen(one.charger, 100 * plain.error, 100 * plain.u_own, one.altered < 0.5, one.decision == "flag")
        for one, plain in zip(found.chargers, alone.chargers, strict=True)
    )
    return View(0, (0.0, GAIN), certified=False, u_common=100 * alone.u_common, chargers=chargers)


def _row(name: str, stations: int, days: int) -> None:
    conditions: Conditions = replace(SCENARIOS[name].conditions, days=days)
    held: list[tuple[Shown, ErrorWindows, Floats]] = []
    first: list[ErrorEstimation] = []
    members = []
    for number in range(stations):
        site, own = station(DC, days, _dice(number, DC.name)), _dice(number, name)
        shown, truth = read(site, drawn_errors(DC.chargers, own), conditions, own)
        windows = windows_of(shown)
        first.append(_estimator(shown, {}).estimate(windows))
        held.append((shown, windows, truth.errors))
        makes = dict.fromkeys(range(DC.chargers), "make")
        members.append(Member(number, "", makes, DC.chargers, _view(shown, windows, first[-1])))
    fleet = at_once(gathering(members, SPREAD))
    solution = at_once(solving(fleet.levels, 1, KNOWN))
    heard = {one.station: one for one in told(solution, LEAST, SPREAD.station) if one is not None}
    second = []
    for number, (shown, windows, _) in enumerate(held):
        pair = expected(heard[number], {0: DC.chargers}, 0, solution.cohort)
        knows = {} if pair is None else {"cohort_mean": pair[0] / 100, "cohort_sd": pair[1] / 100}
        second.append(_estimator(shown, knows).estimate(windows))
    error, u = solution.make(0)
    print(f"{name}, {stations} stations, {days} d: make {error:+.3f} %, u {u:.3f} %")
    for words, found in (("alone", first), ("with the others", second)):
        off = np.array([[one.error for one in each.chargers] for each in found]) - [errors for *_, errors in held]
        stated = np.array([[one.u for one in each.chargers] for each in found])
        mae, rmse = 100 * np.mean(np.abs(off)), 100 * np.sqrt(np.mean(off**2))
        coverage = 100 * np.mean(np.abs(off) < 1.96 * stated)
        common = 100 * np.sqrt(np.mean(off.mean(axis=1) ** 2)), 100 * np.mean([each.u_common for each in found])
        print(
            f"  {words:16} MAE {mae:.3f} %  RMSE {rmse:.3f} %  coverage {coverage:.1f} %  "
            f"common {common[0]:.3f} % (stated {common[1]:.3f})",
            flush=True,
        )


def _levels(stations: int, makes: int, operators: int, each: int = 10) -> list[Level]:
    """Draw what stations show; each operator has `each` makes, or all there are."""
    dice = random.Random(3)
    errors = [dice.gauss(0, 0.15) for _ in range(makes)]
    bought = [dice.sample(range(makes), min(each, makes)) for _ in range(operators)]
    levels = []
    for number in range(stations):
        operator, gain = dice.randrange(operators), dice.gauss(0, GAIN)
        chosen = sorted(dice.sample(bought[operator], min(len(bought[operator]), dice.randint(1, 3))))
        sd = hypot(hypot(SPREAD.sound, 0.06) / 6**0.5, SPREAD.station)
        heard = tuple(Heard(make, errors[make] - gain + dice.gauss(0, sd), sd**-2, 6) for make in chosen)
        levels.append(Level(number, f"operator {operator}", heard, (0.0, GAIN)))
    return levels


def _speed(stations: int, makes: int, operators: int) -> None:
    levels = _levels(stations, makes, operators)
    begun, longest, solution = time.process_time(), 0.0, None
    before = begun
    for found in solving(levels, makes, KNOWN):
        longest, before = max(longest, time.process_time() - before), time.process_time()
        solution = found or solution
    assert isinstance(solution, Solution)
    solved = time.process_time()
    count = sum(one is not None for one in told(solution, LEAST, SPREAD.station))
    print(
        f"{stations} stations, {makes} makes, {operators} operators: {solved - begun:.1f} s in {solution.rounds} "
        f"rounds, the longest step {1000 * longest:.0f} ms; "
        f"{time.process_time() - solved:.1f} s to tell {count} stations",
        flush=True,
    )


def _steps(stations: int, makes: int, operators: int, seconds: float) -> None:
    """Print the longest of the steps of a while, where each operator has all makes."""
    levels = _levels(stations, makes, operators, makes)
    begun = before = time.process_time()
    took = []
    for _ in solving(levels, makes, KNOWN):
        took.append(time.process_time() - before)
        before = time.process_time()
        if before - begun > seconds:
            break
    print(
        f"{stations} stations, {makes} makes at each of {operators} operators, the first {before - begun:.0f} s: "
        f"{len(took)} steps, the longest {1000 * max(took):.0f} ms",
        flush=True,
    )


def main() -> None:
    """Run it and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.estimation.fleet", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--stations", type=int, default=100, help="of each row (default 100)")
    parser.add_argument("--days", type=int, default=30, help="of readings (default 30)")
    parser.add_argument("--only-speed", action="store_true", help="leave the rows out")
    parser.add_argument("--only-steps", action="store_true", help="measure steps with many makes at each operator only")
    parser.add_argument("--seconds", type=float, default=60, help="for how long these are watched (default 60)")
    asked = parser.parse_args()
    if asked.stations < 1 or asked.days < 1:
        parser.error("--stations and --days: at least 1")
    for name in () if asked.only_speed or asked.only_steps else ROWS:
        _row(name, asked.stations, asked.days)
    _steps(50_000, 400, 4, asked.seconds)
    for makes, operators in () if asked.only_steps else ((50, 1), (200, 500), (1000, 500)):
        _speed(50_000, makes, operators)


if __name__ == "__main__":
    main()
