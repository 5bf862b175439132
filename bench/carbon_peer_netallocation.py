"""A slot with netallocation, in an environment of its own: `carbon_peer_netallocation.py CASE.json ROUNDS`.

It is handed a PyPSA network with the flows of the slot, and timed for the shares of the sources in the loads (flow
tracing by average participation, branches left out) and from them the factors. Prints one JSON object: the best
seconds, and the factor of each node that has a load; others it doesn't tell.
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

SLOT = "slot"


def network(data: dict[str, Any]) -> Any:  # noqa: ANN401 - PyPSA is not there where types are checked
    """Return the PyPSA network of a case, its powers those of the case."""
    pandas, pypsa = importlib.import_module("pandas"), importlib.import_module("pypsa")
    made = pypsa.Network()
    made.set_snapshots([SLOT])

    def add(kind: str, rows: list[list[Any]], powers: dict[str, list[float]], **more: list[str] | str) -> None:
        names = [str(row[0]) for row in rows]
        made.madd(kind, names, **more)
        for name, values in powers.items():
            made.pnl(kind)[name] = pandas.DataFrame([values], index=[SLOT], columns=names)

    made.madd("Bus", [str(bus) for bus in data["bus"]])
    made.madd("Carrier", ["generation", "demand"])
    at = {kind: [str(row[1]) for row in data[kind]] for kind in ("branch", "gen", "load")}
    ends = {"bus0": at["branch"], "bus1": [str(row[2]) for row in data["branch"]]}
    add("Line", data["branch"], {f"p{end}": [row[3 + end] for row in data["branch"]] for end in (0, 1)}, **ends)
    powers = [row[2] for row in data["gen"]]
    add("Generator", data["gen"], {"p": powers}, bus=at["gen"], carrier="generation")
    add("Load", data["load"], {"p": [row[2] for row in data["load"]]}, bus=at["load"], carrier="demand")
    return made


def main() -> None:
    """Measure, and print."""
    data = json.loads(Path(sys.argv[1]).read_text())
    made = network(data)
    flow = importlib.import_module("netallocation.flow")
    power, carbon = dict.fromkeys(data["bus"], 0.0), dict.fromkeys(data["bus"], 0.0)
    for _, bus, megawatts, factor in data["gen"]:
        power[bus] += megawatts
        carbon[bus] += megawatts * factor
    own = np.array([carbon[bus] / power[bus] if power[bus] else 0.0 for bus in data["bus"]])
    demand = dict.fromkeys(data["bus"], 0.0)
    for _, bus, megawatts in data["load"]:
        demand[bus] += megawatts
    drawn = np.array(list(demand.values()))
    buses = [str(bus) for bus in data["bus"]]
    best, factors = float("inf"), np.zeros(len(buses))
    for _ in range(int(sys.argv[2])):
        started = time.perf_counter()
        shares = flow.average_participation(
            made, SLOT, dims=["source", "sink"], branch_components=["Line"], aggregated=False
        )
        table = shares.peer_to_peer.transpose("source", "sink").sel(source=buses, sink=buses).to_numpy()
        with np.errstate(invalid="ignore"):
            factors = own @ np.nan_to_num(table) / drawn
        best = min(best, time.perf_counter() - started)
    told = {bus: value for bus, value in zip(data["bus"], factors.tolist(), strict=True) if demand[bus] > 0}
    print(json.dumps({"seconds": best, "factors": told}))


if __name__ == "__main__":
    main()
