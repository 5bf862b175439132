"""A station on a supply: what each meter shows is the voltage at its place, and the energies still balance."""

from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.config import StationConfig
from firmware_sim.station import Station, voltage_error
from firmware_sim.truth import as_json, as_table, truth
from settings.errors import ConfigError

START = int(datetime(2026, 6, 15, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
HOUR = 3_600_000
DAY = 24 * HOUR
SINGLE = {"phase_shares": [1], "sessions_per_day": 12}


def config(**sections: Any) -> StationConfig:
    document: dict[str, Any] = {
        "station": {"id": "s"},
        "grid": {"id": "g", "startup_current_ma": 0},
        "charger": [{"id": f"c{number}", **SINGLE} for number in range(1, 4)],
        "loss": {"cable_milliohm": 60, "cable_reactance_milliohm": "7.5"},
        "auxiliary": {"load_w": 300},
        **sections,
    }
    return StationConfig.model_validate(document)


def shown(station: Station, name: str, now_ms: int) -> list[int]:
    """Return the voltages that a meter shows, in mV."""
    (item,) = [item for item in station.meters if item.section.id == name]
    values = item.meter.values(now_ms)
    return [values[f"voltage_{phase}"] or 0 for phase in "abc"]


@settings(max_examples=10)
@given(st.integers(0, DAY), st.integers(1, DAY))
def test_any_period_balances_exactly_on_a_wandering_supply(offset: int, length: int) -> None:
    station = Station(
        config(
            supply={"trunk_milliohm": "8.5", "trunk_reactance_milliohm": 3},
            charger=[
                {"id": "c1", "v2g_share": "0.5", **SINGLE},
                {"id": "c2", "v2g_share": "0.5"},
                {"id": "c3", "voltage_v": 400, "phase_shares": [1], "rated_kw": 30, "kind": "dc"},
            ],
        ),
        START,
    )
    result = truth(station, START + offset, START + offset + length)
    assert result.imbalance_uj == 0
    assert result.losses_uj == result.trunk_loss_uj + sum(branch.loss_uj for branch in result.branches)


def test_without_a_supply_all_is_as_it_was() -> None:
    station = Station(config(), START)
    for time in range(START, START + DAY, HOUR):
        assert shown(station, "c2", time) == [220_000, 0, 0]
        assert shown(station, "g", time) == [220_000] * 3
    assert all(item.meter.settings.tap is None for item in station.meters)
    assert truth(station, START, START + DAY).trunk_loss_uj == 0


def test_the_grid_meter_shows_the_supply_and_chargers_what_is_left_of_their_phase() -> None:
    station = Station(config(supply={"trunk_milliohm": 10}), START)
    falls: dict[str, list[float]] = {"c1": [], "c2": [], "c3": []}
    for time in range(START, START + DAY, HOUR // 6):
        source = shown(station, "g", time)
        for number, load in enumerate(station.charger_loads):
            (voltage, *none) = shown(station, f"c{number + 1}", time)
            assert none == [0, 0]
            power_kw = load.power_at(time) / 1e6
            trunk = 0.3 / 3 + power_kw  # the auxiliary load of each phase, and the only charger on this one
            expected = 1e6 / source[number] * ((60 + 7.5 * 0.1425) * power_kw + 10 * trunk) / 1e3
            assert (source[number] - voltage) / 1e3 == pytest.approx(expected, rel=0.03, abs=2e-3)
            falls[f"c{number + 1}"].append(power_kw)
    assert all(max(powers) == 7 and min(powers) == 0 for powers in falls.values())


def test_the_unbalance_is_seen_in_the_phase_of_each_charger() -> None:
    station = Station(config(supply={}, auxiliary={}), START)
    grid = station.meters[-1].meter
    busy = 0
    for time in range(START, START + DAY, HOUR // 4):
        values = grid.values(time)
        phases = [values[f"power_{phase}"] or 0 for phase in "abc"]
        assert sum(phases) == values["power"] == station.grid.power_at(time)
        for power, load, loss in zip(phases, station.charger_loads, station.losses, strict=True):
            assert power == load.power_at(time) + loss.power_at(time)
            busy += power > 0
    assert busy > 20


def test_chargers_are_on_the_phases_in_turn_or_where_they_are_said_to_be() -> None:
    chargers = [{"id": f"c{number}", **SINGLE} for number in range(5)]
    chargers[1]["phase"] = "a"
    station = Station(config(charger=chargers, supply={"phase_wander_percent": 1}), START)
    source = shown(station, "g", START)
    assert len(set(source)) == 3
    assert [shown(station, f"c{number}", START)[0] for number in range(5)] == [source[n] for n in (0, 0, 2, 0, 1)]


def test_a_single_phase_station_has_all_on_its_phase() -> None:
    grid = {"id": "g", "phase_shares": [1], "phase": "b"}
    station = Station(config(grid=grid, supply={"phase_wander_percent": 1}), START)
    assert len({tuple(shown(station, name, START)) for name in ("g", "c1", "c2", "c3")}) == 1
    three = Station(config(supply={"phase_wander_percent": 1}), START)
    assert shown(station, "g", START)[0] == shown(three, "g", START)[1]


def test_the_auxiliary_meter_is_at_the_busbar() -> None:
    meter = {"id": "aux", "phase_shares": [1], "phase": "c"}
    station = Station(
        config(auxiliary={"load_w": 20_000, "meter": meter}, supply={"trunk_milliohm": 20}, charger=[{"id": "c1"}]),
        START,
    )
    source, here = shown(station, "g", START)[2], shown(station, "aux", START)[0]
    assert source - here == pytest.approx(20 * 20_000 / here * 1000, rel=0.01)


def test_a_meter_with_a_voltage_of_its_own_is_not_on_the_supply() -> None:
    """A direct current: what is before it draws from all phases."""
    dc = {"id": "dc", "voltage_v": 750, "phase_shares": [1], "kind": "dc", "rated_kw": 60, "cable_milliohm": 5}
    station = Station(config(charger=[dc], supply={}, auxiliary={}), START)
    alone = Station(config(charger=[dc], auxiliary={}), START)
    busy = 0
    for time in range(START, START + DAY, HOUR // 4):
        assert shown(station, "dc", time) == [750_000, 0, 0]
        assert station.grid.power_at(time) == alone.grid.power_at(time)
        values = station.meters[-1].meter.values(time)
        phases = [values[f"power_{phase}"] or 0 for phase in "abc"]
        assert max(phases) - min(phases) <= 1
        busy += station.grid.power_at(time) > 0
    assert busy > 5
    assert truth(station, START, START + DAY).losses_uj == truth(alone, START, START + DAY).losses_uj > 0


@pytest.mark.parametrize("supply", [None, {}])
def test_a_meter_shows_voltages_with_an_error_of_its_own(supply: dict[str, str] | None) -> None:
    sections = {} if supply is None else {"supply": supply}
    true = Station(config(**sections), START)
    chargers = [{"id": "c1", "voltage_error": "0.01", **SINGLE}, *({"id": f"c{n}", **SINGLE} for n in (2, 3))]
    off = Station(config(charger=chargers, **sections), START)
    for time in range(START, START + DAY, HOUR):
        assert abs(shown(off, "c1", time)[0] - shown(true, "c1", time)[0] * Fraction(101, 100)) <= 1
        assert shown(off, "c2", time) == shown(true, "c2", time)
        assert off.grid.energy_at(time) == true.grid.energy_at(time)
        assert off.meters[0].meter.energy(time) == true.meters[0].meter.energy(time)


def test_a_random_error_of_voltage_stays_within_half_of_the_class_and_is_not_that_of_energy() -> None:
    (section,) = config(charger=[{"id": "c1", "voltage_error": "random", "gain_error": "random"}]).charger
    station = Station(config(charger=[section.model_dump(by_alias=True)]), START)
    errors = [voltage_error(section, seed) for seed in range(50)]
    assert max(map(abs, errors)) <= Fraction(1, 200)
    assert len(set(errors)) > 30
    assert station.meters[0].meter.settings.gain_error != voltage_error(section, 1)


def test_a_multi_function_meter_shows_its_mean_voltage_and_the_current_of_it() -> None:
    meter = {"id": "g", "line": "bus", "profile": "dlt645-three-phase", "startup_current_ma": 0}
    station = Station(config(grid=meter, supply={}, line=[{"name": "bus", "transport": "pty"}]), START)
    for time in range(START, START + DAY, HOUR):
        values = station.meters[-1].meter.values(time)
        voltages = [values[f"voltage_{phase}"] or 0 for phase in "abc"]
        assert abs((values["voltage"] or 0) - sum(voltages) / 3) <= 1
        currents = [values[f"current_{phase}"] or 0 for phase in "abc"]
        assert (values["neutral_current"] or 0) <= max(currents)
        assert values["current"] == (values["power"] or 0) * 1000 // (values["voltage"] or 1)


def test_a_multi_function_meter_counts_the_energy_of_each_phase() -> None:
    meter = {"id": "g", "line": "bus", "profile": "dlt645-three-phase", "startup_current_ma": 0, "gain_error": "0.01"}
    chargers = [{"id": f"c{number}", **SINGLE, "phase": "ab"[number % 2]} for number in range(3)]
    line = {"name": "bus", "transport": "pty"}
    initial = {"initial_forward_kwh": 30}
    station = Station(config(grid={**meter, **initial}, charger=chargers, supply={}, line=[line]), START)
    values = station.meters[-1].meter.values(START + DAY)
    phases = [values[f"energy_forward_{phase}"] or 0 for phase in "abc"]
    total = values["energy_forward"] or 0
    assert total - 30_000 <= sum(phases) <= total
    for phase, energy in enumerate(phases):
        flowed = sum(
            curve.energy_at(START + DAY)[0]
            for number in range(3)
            if number % 2 == phase
            for curve in (station.charger_loads[number], station.losses[number])
        )
        own = (flowed + 100_000 * DAY) * 101 // 100 // 3_600_000 + 10_000_000
        assert energy == pytest.approx(own, abs=10_000)
    assert phases[2] == 10_000_000 + 2_420_000  # the auxiliary load's third


def test_a_station_is_the_same_however_often_it_is_read() -> None:
    one, other = (Station(config(supply={"trunk_milliohm": 5}), START) for _ in range(2))
    for before, after in pairwise(range(START, START + DAY, HOUR // 3)):
        for item in one.meters:
            item.meter.values((before + after) // 2)
    assert [item.meter.values(START + DAY) for item in one.meters] == [
        item.meter.values(START + DAY) for item in other.meters
    ]


def test_cables_that_cannot_carry_their_load_are_named() -> None:
    chargers = [{"id": "c1", "cable_milliohm": 1_000, **SINGLE}, {"id": "c2", "cable_milliohm": 500, **SINGLE}]
    text = "expected that the voltage falls by at most 10 % at rated power"
    with pytest.raises(ConfigError) as caught:
        Station(config(charger=chargers, supply={"trunk_milliohm": 1_000}), START, file="st.toml")
    assert caught.value.problems == (
        f"st.toml: charger c1: cable_milliohm: {text}",
        f"st.toml: supply.trunk_milliohm: {text} of all chargers",
    )
    Station(config(charger=chargers), START)  # where there are no voltages, nothing falls


def test_the_answer_key_tells_what_each_cable_lost() -> None:
    chargers = [{"id": "c1", "power_factor": 1, **SINGLE}, {"id": "c2", "sessions_per_day": 0}]
    station = Station(config(charger=chargers, supply={"trunk_milliohm": 5}), START)
    result = truth(station, START, START + DAY)
    busy, idle = result.branches
    assert busy.per_kw == pytest.approx(0.060 * 1000 / 220**2, rel=0.05)  # R/U²: 1.24 per mille for each kW
    assert (idle.loss_uj, idle.squares, idle.per_kw) == (0, 0, None)
    load, _ = station.charger_loads
    by_second = sum(load.power_at(time) ** 2 * 1000 for time in range(START, START + DAY, 1000))
    assert busy.squares == pytest.approx(by_second, rel=1e-3)
    plain = as_json(result)
    assert plain["branches"][0] == {"charger": "c1", "loss_uj": busy.loss_uj, "squares_mw2_ms": busy.squares}
    assert plain["trunk_loss_uj"] == result.trunk_loss_uj > 0
    assert "trunk " in as_table(result)
