"""The files that the demonstration writes are those of a user: each program reads its own and what is planned."""

import json
import shutil
from pathlib import Path

import pytest
from centre_support import DAY_START, SAMPLE

from agent.config_file import load_config
from cloud_receiver import config as receiver_config
from cloud_receiver import registry
from cloud_receiver.grid import tables as grid_tables
from cloud_receiver.grid.topology import stations
from demo.files import Broker
from demo.grid import files as grid_files
from demo.grid.files import GridFiles
from demo.grid.fleet import SOURCES
from demo.grid.plan import GridPlan, load
from demo.grid.tables import SLOT_MS
from firmware_sim.grid import Grid
from firmware_sim.grid_config import load_grid

UJ_PER_MWH = 3_600_000


@pytest.fixture
def plan(flow_directory: Path) -> GridPlan:
    """Return a plan with four users."""
    return load(flow_directory, users=4)


@pytest.fixture
def files(tmp_path: Path) -> GridFiles:
    """Return where the files go."""
    directory = tmp_path / "demo"
    directory.mkdir()
    shutil.copytree(SAMPLE / "topology", directory / "power-flow" / "topology")
    return GridFiles(directory)


def test_simulated_meters_count_what_was_solved(files: GridFiles, plan: GridPlan) -> None:
    """In each slot exactly the mean power times a quarter of an hour, and the emission of the fleet."""
    grid_files.write_simulator(files, plan)
    config = load_grid(files.simulator)
    points = {point.section.id: point for point in Grid(config, plan.origin_ms).points}
    assert len(points) == 19 + 4
    lines = {point.section.line for point in points.values()}
    assert lines == set(points)
    source = next(source for source in SOURCES if source.kind == "coal")
    start_ms = round(DAY_START.timestamp()) * 1000
    unit = points[f"unit-{source.bus:03}"]
    for slot in (1, 95):
        first_ms = start_ms + slot * SLOT_MS
        before, after = (unit.load.energy_at(time)[0] for time in (first_ms, first_ms + SLOT_MS))
        assert (after - before) // UJ_PER_MWH == plan.day.generators[source.id][slot][0] // 4
        emitted = [unit.meter.carbon(time)[0] for time in (first_ms, first_ms + SLOT_MS)]
        power_w = plan.day.generators[source.id][slot][0] // 1000
        # Read at 1 g: the register's step.
        assert abs((emitted[1] - emitted[0]) // 1000 - source.emission(power_w) // 4) <= 10**6
    park = points["entry-014"]
    energy = [park.load.energy_at(time)[0] for time in (start_ms, start_ms + SLOT_MS)]
    assert (energy[1] - energy[0]) // UJ_PER_MWH == 7_000_000_000 // 4


def test_each_gateway_reads_its_own_meters(files: GridFiles, plan: GridPlan) -> None:
    """Ports as the simulator says, its own node, units with their emission register."""
    gateways = plan.gateways
    names = [meter.id for gateway in gateways for meter in gateway.meters]
    ports = {name: 5000 + number for number, name in enumerate(names)}
    ready = [{"id": name, "port": port} for name, port in ports.items()]
    files.ready.write_text(json.dumps({"meters": ready}))
    files.centre_key.with_name("centre.key.pub").write_text("key")
    for gateway in gateways:
        files.key(gateway).parent.mkdir()
        files.key(gateway).write_text("key")
    grid_files.write_agents(files, plan, Broker(1883, "3.1.1"))
    for gateway in gateways:
        config = load_config(files.agent(gateway)).config
        assert (config.gateway.id, config.gateway.station, config.factor.node) == (
            *(gateway.id, gateway.station),
            gateway.node,
        )
        assert [(line.name, line.port) for line in config.line] == [  # type: ignore[union-attr]  # all are Modbus TCP
            (meter.id, ports[meter.id]) for meter in gateway.meters
        ]
        meters = [meter for line in config.line for meter in line.meter]
        assert [meter.id for meter in meters] == [meter.id for meter in gateway.meters]
        assert [meter.has_emission_register for meter in meters] == [meter.generates for meter in gateway.meters]


def test_the_centre_knows_what_each_meter_measures(files: GridFiles, plan: GridPlan) -> None:
    """Its registry has every meter with its element; telemetry of the others comes over HTTP."""
    grid_files.write_receiver(files, plan, Broker(1883, "3.1.1"), 8080)
    settings = receiver_config.load(files.receiver)
    assert settings.grid is not None
    assert settings.dispatch is None
    stations = registry.load(settings.registry).station
    measured = {meter.measures for station in stations for meter in station.meter}
    assert measured == {meter.element for gateway in plan.gateways for meter in gateway.meters}
    assert {station.id: station.node for station in stations} == {
        gateway.station: gateway.node for gateway in plan.gateways
    }
    assert (settings.api.host, settings.api.port) == ("127.0.0.1", 8080)


def test_the_centre_s_grid_fits_its_registry(files: GridFiles, plan: GridPlan) -> None:
    """Users without a gateway are loads like others there; those with one are stations at their nodes."""
    grid_files.write_receiver(files, plan, Broker(1883, "3.1.1"), 8080)
    grid = grid_tables.read(files.topology).grid
    assert {load.station for load in grid.loads} == {"", *(gateway.station for gateway in plan.gateways[2:])}
    places = stations(grid, registry.load(files.directory / "registry.toml"))
    assert places == {gateway.station: gateway.node for gateway in plan.gateways}
