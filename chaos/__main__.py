"""Play seeded rounds of the kill matrix: `make chaos ROUNDS=5 SEED=1`, or `python -m chaos --help`."""

import argparse
import asyncio
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from chaos.broker import NoBrokerError
from chaos.disk import way
from chaos.faults import FAULTS
from chaos.rounds import Result, draw, play
from demo.processes import DemoError

_SHOWN = 5  # sequences of a journal that are named


def main() -> int:
    """Play; 0 when nothing was lost, doubled or unnoticed, 1 otherwise."""
    options = _parser().parse_args()
    if options.list:
        for fault in FAULTS.values():
            print(f"{fault.__name__:<38} {(fault.__doc__ or '').splitlines()[0]}")
        return 0
    directory = Path(options.directory).resolve()
    results = []
    print(way())
    print(f"{'seed':>12} {'records':>8} {'lost':>5} {'told':>5} {'doubled':>8} {'recovery':>9}  faults")
    for seed in range(options.seed, options.seed + options.rounds):
        shutil.rmtree(directory, ignore_errors=True)
        lanes = {name: [name] for name in options.fault} if options.fault else draw(seed)
        try:
            result = asyncio.run(play(directory, seed, lanes))
        except NoBrokerError as error:
            print(f"chaos: {error}", file=sys.stderr)
            return 1
        except DemoError as error:
            print(f"chaos: seed {seed} ({_names(lanes.values())}): {error}", file=sys.stderr)
            return 1
        results.append(result)
        _show(seed, result)
    lost = sum(_count(result.reckoning.lost) for result in results)
    doubled = sum(_count(result.reckoning.doubled) for result in results)
    longest = max((result.recovery_s for result in results), default=0.0)
    records = sum(result.reckoning.records for result in results)
    print(f"{len(results)} rounds: {records} records, {lost} lost, {doubled} doubled, recovery at most {longest:.1f} s")
    return 0 if all(result.sound for result in results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how many (default 3)")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first round; the next has the next seed (default 1)"
    )
    parser.add_argument(
        "--fault", action="append", choices=sorted(FAULTS), help="this fault instead of drawn ones; repeatable"
    )
    parser.add_argument("--list", action="store_true", help="name the faults and end")
    parser.add_argument(
        "--directory", default=".chaos", help="where configurations, stores and logs go (emptied first)"
    )
    return parser


def _show(seed: int, result: Result) -> None:
    found = result.reckoning
    counts = f"{found.records:>8} {_count(found.lost):>5} {_count(found.reported):>5} {_count(found.doubled):>8}"
    print(f"{seed:>12} {counts} {result.recovery_s:>7.1f} s  {', '.join(result.faults)}", flush=True)
    for what in ("lost", "doubled", "altered", "invented", "slandered"):
        for journal, sequences in getattr(found, what).items():
            shown = ", ".join(map(str, sequences[:_SHOWN]))
            print(f"  {what}: {len(sequences)} of journal {journal}: {shown}", file=sys.stderr)
    for what in result.unnoticed:
        print(f"  not as it should be: {what}", file=sys.stderr)


def _count(by_journal: dict[str, list[int]]) -> int:
    return sum(map(len, by_journal.values()))


def _names(lanes: Iterable[list[str]]) -> str:
    return ", ".join(name for names in lanes for name in names)


if __name__ == "__main__":
    sys.exit(main())
