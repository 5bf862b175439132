"""Run the acceptance of remote error estimation: `python -m bench.estimation [--stations N] [--scenario NAME]...`.

Prints each row beside its targets and beside ordinary least squares, then the speed. Ends with 0 when it ran: whether
targets were met is what it prints.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial

from bench.estimation import judge, markdown, recorded, speed
from bench.estimation.judge import Figures
from bench.estimation.scenarios import MAIN, SCENARIOS, SEED, Outcome, run_station

STATIONS, PROCESSES = 100, 2
_EVERY_S = 60.0


def main() -> int:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.estimation", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--stations", type=int, default=STATIONS, help=f"stations of each row (default {STATIONS})")
    parser.add_argument("--first", type=int, default=0, help="number of the first station: other seeds (default 0)")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only this row; may be repeated")
    parser.add_argument("--main", action="store_true", help="only the rows that were asked for")
    parser.add_argument("--markdown", action="store_true", help="print the tables of docs/estimation.md too")
    parser.add_argument("--processes", type=int, default=PROCESSES, help=f"side by side (default {PROCESSES})")
    parser.add_argument("--no-speed", action="store_true", help="leave the speed out")
    parser.add_argument("--only-speed", action="store_true", help="leave the rows out")
    asked = parser.parse_args()
    if asked.stations < 1 or asked.processes < 1 or asked.first < 0:
        parser.error("--stations and --processes: at least 1, --first: at least 0")
    if not asked.only_speed:
        names = possible([*(MAIN if asked.main else ()), *(asked.scenario or ())] or list(SCENARIOS))
        outcomes = _outcomes(range(asked.first, asked.first + asked.stations), names, asked.processes)
        found = {name: judge.figures(outcomes[name]) for name in names}
        _show(found)
        if asked.markdown:
            print("\n\n".join(markdown.tables(found)), flush=True)
    if not asked.no_speed:
        for text in speed.measure(asked.processes):
            print(text, flush=True)
    return 0


def possible(names: list[str]) -> list[str]:
    """Leave out the rows whose records are not there, and say so."""
    missing = recorded.missing()
    left_out = [name for name in names if missing and SCENARIOS[name].site is recorded.ACN]
    for name in left_out:
        print(f"{name}: left out: no {missing[0]}; DIANTAN_SHARED names the directory with data/sessions", flush=True)
    return [name for name in names if name not in left_out]


def _outcomes(numbers: range, names: list[str], processes: int) -> dict[str, list[Outcome]]:
    began = said = time.monotonic()
    done: dict[int, dict[str, Outcome]] = {}
    with ProcessPoolExecutor(processes) as pool:
        waiting = {pool.submit(partial(run_station, number, names)): number for number in numbers}
        for future in as_completed(waiting):
            done[waiting[future]] = future.result()
            now = time.monotonic()
            text = f"{len(done)} of {len(numbers)} stations, {len(names)} rows each, {now - began:.0f} s"
            if sys.stderr.isatty():
                print(f"\r{text}", end="" if len(done) < len(numbers) else "\n", file=sys.stderr, flush=True)
            elif now - said >= _EVERY_S:
                said = now
                print(text, file=sys.stderr, flush=True)
    return {name: [done[number][name] for number in numbers] for name in names}


def _show(found: dict[str, Figures]) -> None:
    low, high = judge.COVERAGE
    print(
        f"seed {SEED}; found and false: share of |e| > 2 % and of the others estimated beyond 2 %, targets >= "
        f"{100 * judge.DETECTED:.0f} and <= {100 * judge.FALSE_ALARMS:.1f}; guarded: the same for decision flag; open: "
        f"undetermined; coverage of the 95 % interval, target {100 * low:.0f} to {100 * high:.0f}; common: root mean "
        "square of a station's mean error, and its stated uncertainty. ± is a standard error; ! is a target missed."
    )
    print(judge.HEADER)
    for name, each in found.items():
        print(judge.line(name, each))
    print()
    for name, each in found.items():
        print(judge.verdict(name, each))
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
