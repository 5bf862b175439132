"""A chain of substations that carries the power of ten plants to fourteen users, with a meter at each of 104 nodes.

Every power flows for the middle third of a slot, so that no reading's delay moves energy over its bounds.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

MINUTE, SLOT_MS = 60_000, 900_000
LEAD_MS = 30 * MINUTE  # simulated: gateways that start late have this long
FIRST_MS = 1_782_871_200_000  # 2026-07-01T10:00+08:00
SLOTS = (FIRST_MS, FIRST_MS + SLOT_MS)
PLANTS, SUBSTATIONS, USERS = range(1, 11), range(1, 81), range(1, 15)
OWN_GATEWAY = (1, 5, 10, 14)  # the users whose gateways meter with the factors of their nodes
MOST_ON_A_LINE = 20
UNIT_W = 1200  # of which a third of a slot, and a hundredth of that, are whole Wh


def utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()


@dataclass(frozen=True)
class Network:
    """What flows in the middle third of a slot, in W."""

    slot: int

    @property
    def plants(self) -> dict[int, int]:
        return {i: (50_000 + 4_000 * ((i * 7 + self.slot * 3) % 10)) * UNIT_W for i in PLANTS}

    @property
    def users(self) -> dict[int, int]:
        return {j: (15_000 + 1_000 * ((j * 5 + self.slot) % 14)) * UNIT_W for j in USERS}

    @staticmethod
    def factor(plant: int) -> Fraction:
        """Factor of a plant in kg/kWh: coal to wind."""
        return Fraction((plant * 37) % 100, 100)

    @property
    def chain(self) -> dict[int, int]:
        """What flows from each substation into the next; the last one's rest is a load that no gateway meters."""
        flows, flow = {}, 0
        for k in SUBSTATIONS:
            flow += self.plants.get((k + 7) // 8, 0) if k % 8 == 1 else 0
            flow -= self.users[k // 5] * 101 // 100 if k % 5 == 0 and k // 5 in USERS else 0
            assert flow > 0
            flows[k] = flow
        return flows

    def factors(self) -> dict[str, Fraction]:
        """Return the factor of each node in kg/kWh, by the definition: the mean of what flows in."""
        found: dict[str, Fraction] = {}
        carbon, power = Fraction(0), 0
        for k in SUBSTATIONS:
            if k % 8 == 1:
                plant = (k + 7) // 8
                found[f"P{plant:02}"] = self.factor(plant)
                carbon += self.plants[plant] * self.factor(plant)
                power += self.plants[plant]
            found[f"S{k:02}"] = carbon / power
            if k % 5 == 0 and k // 5 in USERS:
                found[f"U{k // 5:02}"] = carbon / power
            carbon, power = carbon / power * self.chain[k], self.chain[k]
        return found

    def metered(self) -> dict[str, int]:
        """Return the power at each meter, by its node."""
        last = self.chain[79]  # what the last but one sends, lossless
        return (
            {f"P{i:02}": power for i, power in self.plants.items()}
            | {f"S{k:02}": self.chain[k] if k < 80 else last for k in SUBSTATIONS}
            | {f"U{j:02}": power for j, power in self.users.items()}
        )

    def telemetry(self) -> dict[str, Any]:
        """Return what no gateway meters, as mean powers of the slot in MW."""

        def mean(watts: int) -> float:
            return watts / 3 / 10**6

        branches = {f"B{k:02}": {"to": -mean(self.chain[k])} for k in SUBSTATIONS if k < 79}
        branches |= {f"L{i:02}": {"from": mean(power), "to": -mean(power)} for i, power in self.plants.items()}
        branches |= {
            f"D{j:02}": {"from": mean(power * 101 // 100), "to": -mean(power)} for j, power in self.users.items()
        }
        start = utc(FIRST_MS + self.slot * SLOT_MS)
        return {"time": start, "branch": branches, "load": {"rest": {"p": mean(self.chain[80])}}}


def measures(node: str) -> str:
    """Return the element that the meter of a node measures."""
    number = int(node[1:])
    if node.startswith("P"):
        return f"generator G{number:02}"
    if node.startswith("U"):
        return f"load user-{number:02}"
    return f"branch B{number:02} from" if number < 80 else "branch B79 to"


def topology() -> dict[str, Any]:
    branches = [[f"L{i:02}", f"P{i:02}", f"S{8 * i - 7:02}"] for i in PLANTS]
    branches += [[f"B{k:02}", f"S{k:02}", f"S{k + 1:02}"] for k in SUBSTATIONS if k < 80]
    branches += [[f"D{j:02}", f"S{5 * j:02}", f"U{j:02}"] for j in USERS]
    kinds = {"P": "plant", "S": "substation", "U": "load"}
    nodes = list(Network(0).metered())
    return {
        "case": "chain",
        "bus": nodes,
        "node_columns": ["id", "kind"],
        "node": [[node, kinds[node[0]]] for node in nodes],
        "branch": [[*branch, None, None] for branch in branches],
        "gen": [[f"G{i:02}", f"P{i:02}", None, None] for i in PLANTS],
        "load_columns": ["id", "bus", "station", "p_mw"],
        "load": [
            *([f"user-{j:02}", f"U{j:02}", f"park-{j:02}" if j in OWN_GATEWAY else "", None] for j in USERS),
            ["rest", "S80", "", None],
        ],
    }


def gateways() -> dict[str, tuple[str, str, list[str]]]:
    """Return station, node and meters of each gateway: one of the grid, and those of users."""
    own = {f"U{j:02}": f"park-{j:02}" for j in OWN_GATEWAY}
    result = {"gw-grid": ("grid", "S01", [node for node in Network(0).metered() if node not in own])}
    return result | {f"gw-{station}": (station, node, [node]) for node, station in own.items()}


def role(node: str) -> str:
    return (
        "generation"
        if node.startswith("P")
        else "grid"
        if int(node[1:]) in OWN_GATEWAY and node.startswith("U")
        else "flow"
    )


def points(node: str) -> list[str]:
    return ["energy_forward", "energy_reverse", *(["carbon_forward"] if node.startswith("P") else [])]


def registry() -> Iterator[str]:
    for gateway, (station, node, nodes) in gateways().items():
        yield f'[[station]]\nid = "{station}"\nnode = "{node}"\n'
        for meter in nodes:
            inverted = "inverted = true\n" if meter == "S80" else ""
            yield (
                f'[[station.meter]]\nid = "{meter}"\nrole = "{role(meter)}"\ngateway = "{gateway}"\n'
                f'measures = "{measures(meter)}"\nrated_kw = 2_000_000\nresolution_kwh = "0.001"\n{inverted}'
            )


def write_meters(directory: Path) -> None:
    """Describe the meters, and what flows at each."""
    powers = [Network(slot).metered() for slot in range(len(SLOTS))]
    with (directory / "powers.csv").open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["time", *powers[0]])
        writer.writerow([utc(FIRST_MS - LEAD_MS), *[0] * len(powers[0])])
        for start, megawatts in zip(SLOTS, powers, strict=True):
            writer.writerow([utc(start + 5 * MINUTE), *(f"{watts / 10**6:f}" for watts in megawatts.values())])
            writer.writerow([utc(start + 10 * MINUTE), *[0] * len(megawatts)])
    lines = [f'[grid]\nid = "chain"\nstart = {utc(FIRST_MS - LEAD_MS)}\n']
    for gateway, (_, _, nodes) in gateways().items():
        for place, node in enumerate(nodes):
            line = f"{gateway}-{place // MOST_ON_A_LINE}"
            if not place % MOST_ON_A_LINE:
                lines.append(f'[[line]]\nname = "{line}"\ntransport = "modbus-tcp"\n')
            fuel = f'fuel_factor = "{float(Network.factor(int(node[1:])))}"\n' if node.startswith("P") else ""
            lines.append(
                f'[[{"unit" if fuel else "load"}]]\nid = "{node}"\nline = "{line}"\n'
                f"unit = {place % MOST_ON_A_LINE + 1}\n"
                f'file = "powers.csv"\npower_unit = "MW"\nresolution_kwh = "0.001"\n{fuel}'
            )
    (directory / "meters.toml").write_text("\n".join(lines))


def write_agents(root: Path, broker_port: int) -> None:
    """Configure the gateways for the ports of the meters."""
    served = {item["id"]: item for item in json.loads((root / "ready.json").read_text())["meters"]}
    for gateway, (station, node, nodes) in gateways().items():
        directory = root / gateway
        directory.mkdir()
        text = (
            f'[gateway]\nid = "{gateway}"\nstation = "{station}"\ndata_dir = "."\n'
            f'key_file = "../{gateway}.key"\n[centre]\nkey_file = "../centre.key.pub"\n[broker]\n'
            f'host = "127.0.0.1"\nport = {broker_port}\n[factor]\nnode = "{node}"\nforward_to_meters = false\n'
            "[report]\nlive_seconds = 0\n"
        )
        for line in dict.fromkeys(served[meter]["line"] for meter in nodes):
            members = [served[meter] for meter in nodes if served[meter]["line"] == line]
            text += (
                f'[[line]]\nname = "{line}"\ntransport = "modbus-tcp"\nhost = "127.0.0.1"\n'
                f"port = {members[0]['port']}\n"
            )
            text += "".join(
                f'[[line.meter]]\nid = "{item["id"]}"\nunit = {item["unit"]}\nprofile = "sim-grid-meter"\n'
                f'role = "{role(item["id"])}"\npoll_seconds = 300\nrated_kw = 2_000_000\n'
                f'resolution_kwh = "0.001"\npoints = {json.dumps(points(item["id"]))}\n'
                for item in members
            )
        (directory / "agent.toml").write_text(text)
