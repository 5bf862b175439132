"""The files of a replay: each program reads its own, and only the simulator's tells who is altered."""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from replay_support import plan_of

from agent.config_file import load_config
from cloud_receiver import config as receiver_config
from cloud_receiver import factor_schedule, registry
from demo.files import GRID, Broker, Files
from demo.replay import files as replay_files
from demo.replay.plan import ReplayPlan
from firmware_sim.config import load_station
from firmware_sim.station import Station, start_of
from wire.keys import generate, save_private, save_public

UJ_PER_MWH = 3_600_000
DAY_MS = 86_400_000


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Return where the files go, with keys."""
    directory = tmp_path / "replay"
    directory.mkdir()
    made = Files(directory)
    for path in (made.gateway_key, made.centre_key):
        key = generate()
        save_private(key, path)
        save_public(key.public_key(), f"{path}.pub")
    return made


def written(files: Files, plan: ReplayPlan) -> dict[str, bytes]:
    """Write all files; return what was written, by name."""
    replay_files.write_station(files, plan)
    replay_files.write_receiver(files, plan, Broker(1883, "5"))
    names = [*(charger.id for charger in plan.chargers), GRID]
    meters = [
        {"id": name, "port": 5020 + number % 2, "unit": number, "profile": "sim-carbon-meter"}
        for number, name in enumerate(names, 1)
    ]
    files.ready.write_text(json.dumps({"meters": meters}))
    replay_files.write_agent(files, plan, Broker(1883, "5"))
    return {path.name: path.read_bytes() for path in files.directory.iterdir() if path.is_file()}


def test_the_simulator_has_every_error_and_every_session(files: Files, plan: ReplayPlan) -> None:
    written(files, plan)
    config = load_station(files.station)
    station = Station(config, start_of(config, 0))
    assert station.start_ms == plan.origin_ms
    assert station.replay is not None
    assert station.replay.plugs == tuple(charger.plug for charger in plan.chargers)
    for number, charger in enumerate(plan.chargers):
        load, meter = station.charger_loads[number], station.meters[number].meter
        true_uj = load.energy_at(plan.last_ms)[0]
        assert true_uj == charger.sessions * (int(charger.plug[1:]) * 1_000_000 + 500_000) * UJ_PER_MWH
        registered = Fraction(meter.energy(plan.last_ms)[0] * UJ_PER_MWH, true_uj)
        assert abs(registered - 1 - Fraction(charger.error_percent) / 100) < Fraction(1, 10**6)
        # It is read in whole steps.
        assert meter.values(plan.last_ms)["energy_forward"] % 10_000 == 0
    assert station.meters[-1].meter.settings.gain_error == Fraction(plan.master_percent) / 100


def test_losses_are_those_that_the_centre_is_told_within_its_limit(files: Files, plan: ReplayPlan) -> None:
    written(files, plan)
    config = load_station(files.station)
    station = Station(config, start_of(config, 0))
    told = registry.load(files.directory / "registry.toml").station[0].loss
    for number, load in enumerate(station.charger_loads):
        powers = [power for _, power in load.steps(plan.first_ms, plan.last_ms) if power > 10**6]
        for power in powers[:20]:
            time_ms = next(start for start, value in load.steps(plan.first_ms, plan.last_ms) if value == power)
            design_mw = Decimal(power) ** 2 / 1000 * told.branch_ohm / told.line_voltage_v**2
            share = station.losses[number].power_at(time_ms) / float(design_mw)
            # 2 % for the power factor of 0.99 that nobody tells the centre of, and some for the supply's voltage.
            assert abs(share / 1.0203 - float(plan.chargers[number].cable_milliohm) / 60) < 0.1
        assert powers
    assert min(charger.cable_milliohm for charger in plan.chargers) >= 42
    assert max(charger.cable_milliohm for charger in plan.chargers) <= 60 * (1 + told.uncertainty_percent / 100)


def test_the_trunk_loses_what_the_centre_is_told(files: Files, plan: ReplayPlan) -> None:
    """Were its load balanced; it is not, so it loses more."""
    written(files, plan)
    config = load_station(files.station)
    station = Station(config, start_of(config, 0))
    told = registry.load(files.directory / "registry.toml").station[0].loss
    span = range(plan.first_ms, plan.last_ms, 60_000)
    lost = sum(station.trunk_loss.power_at(time) for time in span)
    design = sum((station.grid.power_at(time) / 1e6) ** 2 for time in span) * float(told.trunk_ohm) / 220**2 * 1e9
    assert 1 < lost / design < 3


def test_only_the_simulator_knows_cables_and_voltage_errors(files: Files, plan: ReplayPlan) -> None:
    """What meters show is the voltage at their place, with an error."""
    written(files, plan)
    config = load_station(files.station)
    station = Station(config, start_of(config, 0))
    for number, charger in enumerate(plan.chargers):
        time_ms = next(
            start for start, power in station.charger_loads[number].steps(plan.first_ms, plan.last_ms) if power
        )
        phase = "abc"[number % 3]
        shown = station.meters[number].meter.values(time_ms)["voltage_a"] or 0
        upstream = station.meters[-1].meter.values(time_ms)[f"voltage_{phase}"] or 0
        errors = (1 + float(charger.voltage_percent) / 100) / (1 + float(plan.master_voltage_percent) / 100)
        fall = station.charger_loads[number].power_at(time_ms) / 1e6 * float(charger.cable_milliohm) / 220**2
        # Also what all of them lose in the trunk.
        assert 0.9 * fall < 1 - shown / upstream / errors < 1.5 * fall + 0.002
    for path in (files.agent, files.directory / "registry.toml"):
        text = path.read_text()
        assert not any(str(charger.cable_milliohm) in text for charger in plan.chargers)
        assert "voltage_error" not in text


def test_gateway_and_centre_read_theirs(files: Files, plan: ReplayPlan) -> None:
    written(files, plan)
    loaded = load_config(files.agent)
    meters = {meter.id: meter for line in loaded.config.line for meter in line.meter}
    assert set(meters) == {*(charger.id for charger in plan.chargers), GRID}
    assert {meter.poll_seconds for meter in meters.values()} == {450}
    three = ("power", "voltage_a", "voltage_b", "voltage_c")
    assert {name: tuple(meter.points or ()) for name, meter in meters.items()} == {
        name: three if name == GRID else three[:2] for name in meters
    }
    assert loaded.config.report.voltage_means
    assert [meter.id for meter in meters.values() if meter.role == "grid"] == [GRID]
    settings = receiver_config.load(files.receiver)
    assert settings.estimation.enabled
    assert settings.checks.enabled
    (station,) = registry.load(settings.registry).station
    assert {meter.id for meter in station.meter} == set(meters)
    assert {str(meter.accuracy_class) for meter in station.meter} == {"1", "0.5"}
    assert settings.dispatch is not None
    assert "node-1" in factor_schedule.load(settings.dispatch.schedule, 900_000).nodes


def test_neither_gateway_nor_centre_is_told_who_is_altered(files: Files, sessions: Path, plan: ReplayPlan) -> None:
    """With none but the simulator's file do alterations make a difference."""
    first = written(files, plan)
    other = written(files, plan_of(sessions, altered=("8", "-9")))
    assert {name for name in first if first[name] != other[name]} == {"station.toml"}
