"""The files of the grid's demonstration: simulated meters, gateways, centre, registry and keys, as users write them."""

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from demo.files import TIME_UNCERTAINTY_S, Broker
from demo.grid.fleet import SOURCES, Source
from demo.grid.plan import Gateway, GridPlan, Meter
from demo.grid.tables import decimal_text, read_rows, write_day
from demo.processes import output_of, outputs_of

POLL_SECONDS: Final = 300
# The gateway makes no more than one status in five real seconds of it.
STATUS_SECONDS: Final = 5
METER_PROFILE: Final = "sim-grid-meter"
RESOLUTION_KWH: Final = "0.001"
ACCURACY_CLASS: Final = "1"
"""The simulated meters have no error, but at a thousand times real time a reading is late by simulated seconds."""
WAIT_S: Final = 600
"""How long after its end a slot waits for records and telemetry that are missing: less than a second of real time."""
FEED: Final = "telemetry"
"""The name of the token that telemetry is told with, and so of its feed."""


@dataclass(frozen=True, slots=True)
class GridFiles:
    """Where everything is."""

    directory: Path

    @property
    def power_flow(self) -> Path:
        """What the power flow writes: topology, series, day.json."""
        return self.directory / "power-flow"

    @property
    def simulator(self) -> Path:
        """The simulated meters."""
        return self.directory / "meters.toml"

    @property
    def simulated(self) -> Path:
        """The series that they follow."""
        return self.directory / "simulated"

    @property
    def topology(self) -> Path:
        """The grid as the centre is told of it."""
        return self.directory / "topology"

    @property
    def ready(self) -> Path:
        """Written by the simulator when it listens."""
        return self.directory / "ready.json"

    @property
    def receiver(self) -> Path:
        """The centre's configuration."""
        return self.directory / "receiver.toml"

    @property
    def store(self) -> Path:
        """The centre's store."""
        return self.directory / "centre" / "receiver.sqlite"

    @property
    def centre_key(self) -> Path:
        """The centre's private key; the public one lies beside it."""
        return self.directory / "centre.key"

    def agent(self, gateway: Gateway) -> Path:
        """Return a gateway's configuration."""
        return self.directory / gateway.id / "agent.toml"

    def key(self, gateway: Gateway) -> Path:
        """Return a gateway's private key; the public one lies beside it."""
        return self.directory / gateway.id / "gateway.key"


def write_keys(files: GridFiles, plan: GridPlan) -> None:
    """Make all key pairs with the programs' own commands."""
    for gateway in plan.gateways:
        files.key(gateway).parent.mkdir(exist_ok=True)
    outputs_of(
        [
            ("diantan-receiver", "key", "new", str(files.centre_key)),
            *(("diantan-agent", "key", "new", str(files.key(gateway))) for gateway in plan.gateways),
        ]
    )


def write_simulator(files: GridFiles, plan: GridPlan) -> None:
    """Describe the simulated meters, each on a line of its own and following its column of the series.

    On one line they would be read one after the other, and at a thousand times real time a millisecond is a second.
    """
    write_day(files.simulated, plan.simulated)
    start = datetime.fromtimestamp(plan.origin_ms / 1000, plan.zone).isoformat()
    lines = [f'[grid]\nid = "ieee-118"\ntimezone = "{plan.timezone}"\nstart = {start}\n']
    meters = [meter for gateway in plan.gateways for meter in gateway.meters]
    lines += [f'[[line]]\nname = "{meter.id}"\ntransport = "modbus-tcp"\n' for meter in meters]
    units = {source.id: source for source in SOURCES}
    for meter in meters:
        section, table = ("unit", "generators") if meter.generates else ("load", "loads")
        lines.append(
            f'[[{section}]]\nid = "{meter.id}"\nline = "{meter.id}"\nunit = 1\nprofile = "{METER_PROFILE}"\n'
            f'resolution_kwh = "{RESOLUTION_KWH}"\npower_unit = "MW"\n'
            f'file = "{files.simulated.name}/{table}.csv"\ncolumn = "{meter.element_id}.p"\n'
            + (_fuel(units[meter.element_id]) if meter.generates else "")
        )
    files.simulator.write_text("\n".join(lines), encoding="utf-8")


def _fuel(source: Source) -> str:
    factor, no_load = decimal_text(source.fuel_mg_per_kwh, 6), decimal_text(source.no_load_g_per_h, 3)
    return f'fuel_factor = "{factor}"\nno_load_kg_per_h = "{no_load}"\n'


def write_agents(files: GridFiles, plan: GridPlan, broker: Broker) -> None:
    """Configure each gateway for the ports that the simulator's ready file names."""
    ports = {meter["id"]: meter["port"] for meter in json.loads(files.ready.read_text(encoding="utf-8"))["meters"]}
    for gateway in plan.gateways:
        path = files.agent(gateway)
        path.parent.mkdir(exist_ok=True)
        lines = [
            f'[gateway]\nid = "{gateway.id}"\nstation = "{gateway.station}"\ntimezone = "{plan.timezone}"',
            f'data_dir = "journal"\nkey_file = "{files.key(gateway).name}"\n',
            f'[centre]\nkey_file = "../{files.centre_key.name}.pub"\n',
            f'[broker]\nhost = "127.0.0.1"\nport = {broker.port}\nprotocol = "{broker.protocol}"\n',
            f'[factor]\nnode = "{gateway.node}"\nforward_to_meters = false\n',
            f"[report]\nlive_seconds = 0\nstatus_seconds = {STATUS_SECONDS}\n",
        ]
        lines += [
            f'[[line]]\nname = "{meter.id}"\ntransport = "modbus-tcp"\nhost = "127.0.0.1"\nport = {ports[meter.id]}\n'
            f'[[line.meter]]\nid = "{meter.id}"\nunit = 1\nprofile = "{METER_PROFILE}"\nrole = "{meter.role}"\n'
            f"poll_seconds = {POLL_SECONDS}\nrated_kw = {meter.rated_kw}\n"
            f'resolution_kwh = "{RESOLUTION_KWH}"\npoints = {json.dumps(_points(meter))}\n'
            for meter in gateway.meters
        ]
        path.write_text("\n".join(lines), encoding="utf-8")
        (path.parent / "journal").mkdir(exist_ok=True)


def _points(meter: Meter) -> list[str]:
    return ["energy_forward", "energy_reverse", *(["carbon_forward"] if meter.generates else [])]


def write_receiver(files: GridFiles, plan: GridPlan, broker: Broker, api_port: int) -> None:
    """Configure the centre, its HTTP interface and its registry, and write its grid."""
    files.receiver.write_text(
        f'registry = "registry.toml"\n\n[centre]\ndata_dir = "centre"\nkey_file = "{files.centre_key.name}"\n\n'
        f'[broker]\nhost = "127.0.0.1"\nport = {broker.port}\nprotocol = "{broker.protocol}"\n\n'
        f"[grid]\nwait_s = {WAIT_S}\n\n[checks]\ngrace_minutes = 10\n\n"
        f'[api]\nport = {api_port}\ntokens_file = "tokens.toml"\n',
        encoding="utf-8",
    )
    (files.directory / "centre").mkdir(exist_ok=True)
    (files.directory / "registry.toml").write_text("\n".join(_registry(plan)), encoding="utf-8")
    _write_topology(files, plan)


def _write_topology(files: GridFiles, plan: GridPlan) -> None:
    """Write the grid of the power flow, in which only those loads are stations that the registry has."""
    shutil.copytree(files.power_flow / "topology", files.topology)
    stations = {gateway.station for gateway in plan.gateways}
    path = files.topology / "loads.csv"
    rows = read_rows(path)
    with path.open("w", newline="", encoding="utf-8") as text:
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"station": row["station"] if row["station"] in stations else ""} for row in rows)


def _registry(plan: GridPlan) -> Iterator[str]:
    since = datetime.fromtimestamp(plan.day_start_ms / 1000, plan.zone).isoformat()
    for gateway in plan.gateways:
        yield (
            f'[[station]]\nid = "{gateway.station}"\nname = "{gateway.station_name}"\ntimezone = "{plan.timezone}"\n'
            f'node = "{gateway.node}"\nsince = {since}\ntime_uncertainty_s = {TIME_UNCERTAINTY_S}\n'
        )
        for meter in gateway.meters:
            yield (
                f'[[station.meter]]\nid = "{meter.id}"\nrole = "{meter.role}"\ngateway = "{gateway.id}"\n'
                f'measures = "{meter.element}"\nresolution_kwh = "{RESOLUTION_KWH}"\nrated_kw = "{meter.rated_kw}"\n'
                f'accuracy_class = "{ACCURACY_CLASS}"\n'
            )


def enrol(files: GridFiles, plan: GridPlan, clock: str) -> None:
    """Make the gateways' public keys known to the centre."""
    common = ("--config", str(files.receiver), "--clock", clock)
    output_of("diantan-receiver", "database", "upgrade", *common[:2])
    outputs_of(
        [
            (
                *("diantan-receiver", "gateway", "add", *common),
                *(gateway.id, f"{files.key(gateway)}.pub", "--station", gateway.station),
            )
            for gateway in plan.gateways
        ]
    )


def enter_grid(files: GridFiles, plan: GridPlan, clock: str) -> None:
    """Enter the grid at the centre; what is measured on it comes while the day runs."""
    valid_from = datetime.fromtimestamp(plan.origin_ms / 1000, plan.zone).isoformat()
    common = ("--config", str(files.receiver), "--clock", clock)
    names = ("--valid-from", valid_from, "--name", "ieee-118")
    output_of("diantan-receiver", "grid", "import", str(files.topology), *names, *common)


def make_token(files: GridFiles) -> str:
    """Return a token with which telemetry may be told."""
    arguments = ("token", "new", FEED, "--role", "measure", "--config", str(files.receiver))
    return output_of("diantan-receiver", *arguments).strip()
