"""A slot with gridemissions, in an environment of its own: `carbon_peer_gridemissions.py CASE.json ROUNDS`.

It is handed its matrices ready, and timed for `consumption_emissions` alone: the linear system of nodes, solved dense.
Prints one JSON object: the best seconds, and the factor of each node.
"""

import importlib
import json
import sys
import time
from pathlib import Path

import numpy as np


def main() -> None:
    """Measure, and print."""
    data = json.loads(Path(sys.argv[1]).read_text())
    place = {bus: index for index, bus in enumerate(data["bus"])}
    production, emissions = np.zeros(len(place)), np.zeros(len(place))
    for _, bus, power, factor in data["gen"]:
        production[place[bus]] += power
        emissions[place[bus]] += power * factor
    # What a node gives another, negative for what it gets: here what is delivered, so that who sends bears the loss.
    exchange = np.zeros((len(place), len(place)))
    for _, one, other, at_one, at_other in data["branch"]:
        sender, receiver, delivered = (one, other, -at_other) if at_one > 0 else (other, one, -at_one)
        exchange[place[receiver], place[sender]] -= delivered
    trace = importlib.import_module("gridemissions.emissions").consumption_emissions
    best, factors = float("inf"), np.zeros(len(place))
    for _ in range(int(sys.argv[2])):
        started = time.perf_counter()
        factors, _ = trace(emissions.copy(), production, exchange)
        best = min(best, time.perf_counter() - started)
    print(json.dumps({"seconds": best, "factors": dict(zip(data["bus"], factors.tolist(), strict=True))}))


if __name__ == "__main__":
    main()
