"""Run the benchmarks: `python -m bench [NAME…]`; without a name, all but those that install other packages."""

import argparse
import importlib
import sys

from bench.limits import LimitError

BENCHES = {
    "integration": "register steps a second, beside the same sums in numpy float64",
    "codecs": "DL/T frames a second from Rust and through Python, beside dlt645 and dlt698",
    "wire_size": "bytes an interval record on the wire, beside JSON and row-wise CBOR",
    "signatures": "envelopes signed and verified a second with SM2, beside Ed25519",
    "agent_poll": "200 meters read every second: CPU, memory, lateness, beside plain pymodbus",
    "serial_line": "requests a second on a 9600-baud line beside the line's limit, and beside plain pymodbus",
    "late_replies": "wrong and old values over a link that stalls, beside plain pymodbus",
    "receiver_intake": "records a second through Mosquitto into SQLite, beside plain executemany",
    "store": "records a second into a durable PostgreSQL beside SQLite, in the intake's own transactions",
    "completeness": "completeness and timeliness of a station's year and of a thousand stations' day",
    "drain": "a day of 100 meters drained in under a minute, while fresh records keep arriving on time",
    "inspection": "all load points of a carbon meter by both methods on the simulated bench, in under a minute",
    "grid_year": "a year of 104 nodes through Mosquitto and by import in under 5 minutes, beside executemany and csv",
    "carbon_flow": "seconds a solve of nodal carbon factors, beside scipy's sparse LU",
    "carbon_flow_peers": "a slot of case118 beside gridemissions and netallocation, in environments made for the run",
    "carbon_reconcile": "seconds to reconcile noisy telemetry, beside weighted least squares with scipy",
    "grid_service": "a slot of the grid from stored measurements to signed factors of all nodes, and a year of them",
    "hostile_input": "good gateways' rate with and without a flood of hostile messages, and the receiver's memory",
}

INSTALLING = {"carbon_flow_peers"}
"""They make environments of their own from a package index: only when they are asked for."""


def main() -> int:
    """Run what was asked for and print each result as it comes."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", nargs="*", help=", ".join(BENCHES))
    names = parser.parse_args().name or [name for name in BENCHES if name not in INSTALLING]
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"bench: no benchmark named {', '.join(unknown)}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    broken = False
    for name in names:
        print(f"== {name}: {BENCHES[name]}", flush=True)
        try:
            lines = importlib.import_module(f"bench.{name}").run()
        except LimitError as error:
            lines, broken = error.lines, True
        for line in lines:
            print(f"   {line}", flush=True)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
