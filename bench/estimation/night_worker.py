"""A process that makes nights for the bench: `python -m bench.estimation.night_worker STORE REGISTRY`.

Each line of its standard input is a time (ms UTC) and after how many days stations take all windows, to which it
answers, when it finds no station more that is due and free, with how many it estimated and what CPU time it took (ms).
It takes ten stations at once (of many, it would be fifty): else of the few that there are each would be claimed by
itself.
"""

import asyncio
import sys
import time
from pathlib import Path

from clock import ManualClock
from cloud_receiver import database
from cloud_receiver.estimation import claims
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.fleet.config import Fleet
from cloud_receiver.estimation.night import Nights
from cloud_receiver.registry import Registry

AT_ONCE = 10


def main(store: str, registry: str) -> None:
    """Answer until the input ends; a first answer tells that it's ready."""
    claims.portion = lambda left: min(left, AT_ONCE)
    stations = Registry.model_validate_json(Path(registry).read_text(encoding="utf-8"))
    engine = database.open_store("sqlite:///store.sqlite", Path(store))
    clock = ManualClock(wall_ms=0)
    nights: dict[int, Nights] = {}
    print("ready", flush=True)
    for line in sys.stdin:
        clock.wall_ms, every = map(int, line.split())
        if every not in nights:
            settings = Estimation(share_percent=100, full_every_days=every, fleet=Fleet(enabled=False))
            nights[every] = Nights(engine, stations, clock, settings, anew=False)
        began = time.process_time()
        count = asyncio.run(nights[every].round())
        print(count, 1000 * (time.process_time() - began), flush=True)
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
