"""The files of a demonstration: station, gateway, centre, registry, factors and keys, as a user would write them."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from demo.plan import Plan
from demo.processes import output_of

STATION = "station-1"
GATEWAY = "gateway-1"
NODE = "node-1"
GRID = "grid"
OVER_REGISTERING = "c03"
GAIN_ERROR = "0.03"

# Four serial servers with three or four meters each.
PORTS = 4
CABLE_MILLIOHM = 15
AUXILIARY_W = 350
PHASE_VOLTAGE_V = 220
LINE_VOLTAGE_V = 381
POLL_SECONDS = 60
# The gateway makes no more than one status in five real seconds of it; the display is the livelier.
STATUS_SECONDS = 5
# At a thousand times real time a delay of 5 ms in one of six processes on two cores is 5 s.
TIME_UNCERTAINTY_S = 5


@dataclass(frozen=True, slots=True)
class Files:
    """Where everything is."""

    directory: Path

    @property
    def station(self) -> Path:
        """The simulated station."""
        return self.directory / "station.toml"

    @property
    def ready(self) -> Path:
        """Written by the simulator when it listens."""
        return self.directory / "ready.json"

    @property
    def agent(self) -> Path:
        """The gateway's configuration."""
        return self.directory / "agent.toml"

    @property
    def receiver(self) -> Path:
        """The centre's configuration."""
        return self.directory / "receiver.toml"

    @property
    def gateway_key(self) -> Path:
        """The gateway's private key; the public one lies beside it."""
        return self.directory / "gateway.key"

    @property
    def centre_key(self) -> Path:
        """The centre's private key; the public one lies beside it."""
        return self.directory / "centre.key"


@dataclass(frozen=True, slots=True)
class Broker:
    """The MQTT broker on loopback; a known protocol version saves the two seconds of trying the newer one."""

    port: int
    protocol: str


@dataclass(frozen=True, slots=True)
class ChargerKind:
    """A charger of the station."""

    name: str
    rated_kw: int
    kind: str


def chargers(plan: Plan) -> list[ChargerKind]:
    """Return the station's chargers: AC ones, the last two of a generated station DC ones."""
    direct = 2 if plan.sessions is None and plan.chargers > 2 else 0  # noqa: PLR2004 - two of three or more
    result = []
    for number in range(1, plan.chargers + 1):
        is_direct = number > plan.chargers - direct
        result.append(ChargerKind(f"c{number:02}", 60 if is_direct else 7, "dc" if is_direct else "ac"))
    return result


def write_keys(files: Files, algorithm: str = "ed25519") -> None:
    """Make both key pairs with the programs' own commands."""
    output_of("diantan-agent", "key", "new", "--algorithm", algorithm, str(files.gateway_key))
    output_of("diantan-receiver", "key", "new", "--algorithm", algorithm, str(files.centre_key))


def write_station(files: Files, plan: Plan) -> None:
    """Describe the station that the simulator serves."""
    start = datetime.fromtimestamp(plan.origin_ms / 1000, plan.zone).isoformat()
    if plan.sessions is None:
        sessions = 'model = "generated"'
    else:
        sessions = f'model = "file"\nfile = {json.dumps(str(plan.sessions))}\nday = {plan.day.isoformat()}'
    lines = [
        f'[station]\nid = "{STATION}"\ntimezone = "{plan.timezone}"\nseed = {plan.seed}\nstart = {start}',
        f'voltage_v = "{PHASE_VOLTAGE_V}"\n',
        f"[simulate]\nports = {PORTS}\n",
        f"[sessions]\n{sessions}\n",
        f'[loss]\ncable_milliohm = "{CABLE_MILLIOHM}"\n',
        f'[auxiliary]\nload_w = "{AUXILIARY_W}"\n',
        "[supply]\n",
        f'[grid]\nid = "{GRID}"\nunit = 100\nclass = "0.5"\ngain_error = "random"\nvoltage_error = "random"\n',
    ]
    for unit, charger in enumerate(chargers(plan), 1):
        gain = GAIN_ERROR if charger.name == OVER_REGISTERING else "random"
        lines.append(
            f'[[charger]]\nid = "{charger.name}"\nunit = {unit}\nrated_kw = {charger.rated_kw}\n'
            f'kind = "{charger.kind}"\nclass = "1"\ngain_error = "{gain}"\n'
            'voltage_error = "random"\n'
        )
    files.station.write_text("\n".join(lines))


def write_agent(files: Files, plan: Plan, broker: Broker) -> None:
    """Configure the gateway for the ports that the simulator's ready file names."""
    served = json.loads(files.ready.read_text())["meters"]
    rated = {charger.name: charger.rated_kw for charger in chargers(plan)}
    total = sum(rated.values())
    lines = [
        f'[gateway]\nid = "{GATEWAY}"\nstation = "{STATION}"\ntimezone = "{plan.timezone}"\ndata_dir = "gateway"',
        f'key_file = "{files.gateway_key.name}"\n',
        f'[centre]\nkey_file = "{files.centre_key.name}.pub"\n',
        f'[broker]\nhost = "127.0.0.1"\nport = {broker.port}\nprotocol = "{broker.protocol}"\n',
        f'[factor]\nnode = "{NODE}"\n',
        f"[report]\nstatus_seconds = {STATUS_SECONDS}\n",
    ]
    for port in sorted({meter["port"] for meter in served}):
        lines.append(f'[[line]]\nname = "line-{port}"\ntransport = "modbus-tcp"\nhost = "127.0.0.1"\nport = {port}\n')
        lines += [
            f'[[line.meter]]\nid = "{meter["id"]}"\nunit = {meter["unit"]}\nprofile = "{meter["profile"]}"\n'
            f"poll_seconds = {POLL_SECONDS}\nrated_kw = {rated.get(meter['id'], total)}\n"
            f'role = "{"grid" if meter["id"] == GRID else "charger"}"\n'
            for meter in served
            if meter["port"] == port
        ]
    files.agent.write_text("\n".join(lines))
    (files.directory / "gateway").mkdir(exist_ok=True)


def write_receiver(files: Files, plan: Plan, broker: Broker) -> None:
    """Configure the centre, its registry and the factors it dispatches."""
    files.receiver.write_text(
        f'registry = "registry.toml"\n\n[centre]\ndata_dir = "centre"\nkey_file = "{files.centre_key.name}"\n\n'
        f'[broker]\nhost = "127.0.0.1"\nport = {broker.port}\nprotocol = "{broker.protocol}"\n\n'
        f'[dispatch]\nschedule = "factors.csv"\n\n'
        "[checks]\ngrace_minutes = 10\n"
    )
    (files.directory / "centre").mkdir(exist_ok=True)
    since = datetime.fromtimestamp(plan.day_start_ms / 1000, plan.zone).isoformat()
    lines = [
        f'[[station]]\nid = "{STATION}"\nname = "Demonstration 演示站"\ntimezone = "{plan.timezone}"\nnode = "{NODE}"',
        f"since = {since}\ntime_uncertainty_s = {TIME_UNCERTAINTY_S}",
        f'loss = {{ branch_ohm = "0.{CABLE_MILLIOHM:03}", line_voltage_v = "{LINE_VOLTAGE_V}" }}',
        f'auxiliary = {{ load_w = "{AUXILIARY_W}" }}\n',
    ]
    total = sum(charger.rated_kw for charger in chargers(plan))
    meters = [(charger.name, "charger", "1", charger.rated_kw) for charger in chargers(plan)]
    for name, role, accuracy, rated_kw in [*meters, (GRID, "grid", "0.5", total)]:
        lines.append(
            f'[[station.meter]]\nid = "{name}"\nrole = "{role}"\ngateway = "{GATEWAY}"\naccuracy_class = "{accuracy}"\n'
            f'resolution_kwh = "0.001"\nrated_kw = "{rated_kw}"\n'
        )
    (files.directory / "registry.toml").write_text("\n".join(lines))
    write_factors(files.directory / "factors.csv", plan.factors(NODE))


def write_factors(path: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """Write a schedule of factors to dispatch."""
    with path.open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(("node", "start", "factor"))
        writer.writerows(rows)


def enrol(files: Files, clock: str) -> None:
    """Make the gateway's public key known to the centre."""
    key = f"{files.gateway_key}.pub"
    arguments = (
        "diantan-receiver",
        "gateway",
        "add",
        "--config",
        str(files.receiver),
        GATEWAY,
        key,
        "--station",
        STATION,
    )
    output_of(*arguments, "--clock", clock)
