"""Collection: records of gateways and telemetry of a slot, in the order of the grid, and what of them is not taken."""

from dataclasses import replace
from math import isnan, sqrt
from pathlib import Path
from typing import Any

import pytest
from grid_service_support import DAY_MS, MWH, SLOT_MS, SNAPSHOT, STORING, Bench, registry, station, storing, without

from cloud_receiver import database
from cloud_receiver.grid.config import Grid as GridSettings
from cloud_receiver.grid.kept import FLOW, LOAD, TANK
from cloud_receiver.grid.model import Element
from cloud_receiver.grid.service.collect import Collected, Collector, missing, with_tanks
from cloud_receiver.grid.service.weigh import sigmas
from cloud_receiver.grid.snapshot import EndPowers, EndRegisters, Generation, Snapshot
from wire.records import FactorQuality, Quality

UNIT = {"id": "M1", "role": "generation", "measures": "generator G1"}
END = {"id": "M2", "role": "flow", "measures": "branch L1 from"}
OWN = FactorQuality.DEFAULT


def plant(directory: Path, *meters: dict[str, Any], stations: tuple[Any, ...] = ()) -> Bench:
    return Bench(directory, STORING, registry(station(*meters, name="PLANT", node="P1"), *stations))


def collect(bench: Bench, number: int = 0) -> Collected:
    with database.reading(bench.engine) as connection:
        plan = bench.plan()
        start = DAY_MS + number * SLOT_MS
        return Collector(connection, plan, start, start + SLOT_MS).slot(start)


def flags(collected: Collected) -> dict[str, str]:
    return dict(collected.flags)


def test_telemetry_in_the_order_of_the_grid(bench: Bench) -> None:
    bench.tell({0: SNAPSHOT})
    collected = collect(bench)
    assert list(collected.powers.flows) == [100.0, 0.0, 0.0, 98.0, 38.0, 0.0, 0.0, 37.0]
    assert list(collected.powers.sources[:2]) == [100.0, 0.8]
    assert isnan(collected.powers.sources[2])
    assert list(collected.powers.loads[0::LOAD]) == [60.0, 50.0]
    assert (collected.told, collected.flags) == (6, [])
    assert list(missing(bench.plan(), collected.powers)) == []


def test_of_telemetry_the_last_value_counts(bench: Bench) -> None:
    bench.tell({0: SNAPSHOT})
    turned = EndRegisters(100.0, 2.0, 1.5, 98.0)
    bench.tell({0: Snapshot(flows={"L1": turned}, open_branches=frozenset({"L2"}))}, feed="later")
    collected = collect(bench)
    assert list(collected.powers.flows) == [100.0, 2.0, 1.5, 98.0, 0.0, 0.0, 0.0, 0.0]
    assert collected.powers.open_branches == {1}
    # A flow that is told of later closes it again.
    bench.tell({0: Snapshot(flows={"L2": EndPowers(38.0, -37.0)})}, feed="later")
    assert collect(bench).powers.open_branches == frozenset()


def test_a_gateways_record_counts_before_telemetry(tmp_path: Path) -> None:
    bench = plant(tmp_path, UNIT, END)
    bench.record("M1", 0, 101.0, 1.0, carbon_forward_ug=20 * 10**12)
    bench.record("M2", 0, 99.0, 0.5)
    bench.tell({0: SNAPSHOT})
    powers = collect(bench).powers
    assert powers.sources[0] == 100.0
    assert isnan(powers.sources[1])
    assert powers.sources[2] == 80.0  # 20 t in a quarter of an hour
    # Both registers of the end are kept; the other end is telemetry's.
    assert list(powers.flows[:FLOW]) == [99.0, 0.5, 0.0, 98.0]
    bench.engine.dispose()


def test_an_energy_that_no_grid_has_leaves_the_element_to_telemetry(tmp_path: Path) -> None:
    bench = plant(tmp_path, END)
    bench.record("M2", 0, 2**61 / MWH)
    bench.tell({0: SNAPSHOT})
    collected = collect(bench)
    assert "expected at most 1e+09 MW" in flags(collected)["branch L1 from"]
    assert collected.powers.flows[0] == 100.0
    bench.engine.dispose()


def test_an_inverted_meter(tmp_path: Path) -> None:
    bench = plant(tmp_path, {**END, "inverted": True})
    bench.record("M2", 0, 0.5, 99.0)
    assert list(collect(bench).powers.flows[:2]) == [99.0, 0.5]
    bench.engine.dispose()


def test_intervals_of_minutes_are_summed(tmp_path: Path) -> None:
    bench = plant(tmp_path, END)
    for minute in range(0, 15, 5):
        bench.record(*("M2", 0, 30.0), offset_ms=minute * 60_000, duration_ms=300_000)
    assert collect(bench).powers.flows[0] == 90.0
    bench.engine.dispose()


@pytest.mark.parametrize(
    ("intervals", "said"),
    [
        ([(0, 300_000), (600_000, 300_000)], "leave a gap"),
        ([(300_000, 600_000)], "leave a gap"),
        ([(0, 300_000)], "reach to"),
        ([(0, 900_000), (300_000, 300_000)], "overlap"),
        ([(0, 960_000)], "reach to"),
    ],
    ids=["inside", "before", "behind", "twice", "beyond"],
)
def test_only_a_covered_slot_counts(intervals: list[tuple[int, int]], said: str, tmp_path: Path) -> None:
    bench = plant(tmp_path, END)
    for offset, duration in intervals:
        bench.record("M2", 0, 30.0, offset_ms=offset, duration_ms=duration)
    collected = collect(bench)
    assert said in flags(collected)["branch L1 from"]
    assert isnan(collected.powers.flows[0])
    # Telemetry of the end stands in.
    bench.tell({0: SNAPSHOT})
    assert collect(bench).powers.flows[0] == 100.0
    bench.engine.dispose()


def test_what_a_second_journal_repeats_counts_once_and_what_it_contradicts_not_at_all(tmp_path: Path) -> None:
    bench = plant(tmp_path, END)
    bench.record("M2", 0, 30.0)
    bench.record("M2", 0, 30.0, journal=2)
    assert collect(bench).powers.flows[0] == 30.0
    bench.record("M2", 0, 31.0, journal=3)
    collected = collect(bench)
    assert isnan(collected.powers.flows[0])
    assert "different things" in flags(collected)["branch L1 from"]
    bench.engine.dispose()


@pytest.mark.parametrize(
    ("values", "emission"),
    [
        ({"carbon_forward_ug": 5 * 10**12}, 20.0),
        ({"carbon_forward_ug": 0}, 0.0),  # the sun
        ({"carbon_forward_ug": 5 * 10**12, "factor": 200_000, "factor_quality": OWN}, 20.0),
        # A gateway without the emission register: partial, and without carbon.
        ({"carbon_forward_ug": 0, "quality": Quality.PARTIAL}, None),
        # Carbon by the factor of its node is what the unit took, not what it emitted.
        ({"carbon_forward_ug": 5 * 10**12, "factor": 200_000, "factor_quality": FactorQuality.DISPATCHED}, None),
        ({"carbon_forward_ug": 5 * 10**12, "factor": 200_000, "factor_quality": FactorQuality.HELD}, None),
    ],
    ids=["register", "none", "own factor", "lacking", "of the node", "held"],
)
def test_emissions(values: dict[str, Any], emission: float | None, tmp_path: Path) -> None:
    bench = plant(tmp_path, UNIT)
    bench.record("M1", 0, 100.0, **values)
    collected = collect(bench)
    found = collected.powers.sources[2]
    assert collected.powers.sources[0] == 100.0
    assert (None if isnan(found) else found) == emission
    assert ("generator G1" in flags(collected)) == (emission is None)
    bench.engine.dispose()


@pytest.mark.parametrize(
    ("carbon", "said"), [(-1, "negative emission"), (1001 * 25 * 10**10, "expected at most 10 kgCO2/kWh")]
)
def test_an_emission_that_cannot_be_costs_the_unit(carbon: int, said: str, tmp_path: Path) -> None:
    bench = plant(tmp_path, UNIT)
    bench.record("M1", 0, 100.0, carbon_forward_ug=carbon)
    collected = collect(bench)
    assert said in flags(collected)["generator G1"]
    assert isnan(collected.powers.sources[0])
    bench.engine.dispose()


def test_an_emission_without_power_is_told_of(tmp_path: Path) -> None:
    bench = plant(tmp_path, UNIT)
    bench.record("M1", 0, 0.0, 2.0, carbon_forward_ug=10**12)
    collected = collect(bench)
    assert collected.powers.sources[0] == -2.0
    assert isnan(collected.powers.sources[2])
    assert "no power carries it" in flags(collected)["generator G1"]
    bench.engine.dispose()


def test_telemetry_with_an_emission_beyond_its_power(bench: Bench) -> None:
    bench.tell({0: replace(SNAPSHOT, generators={"G1": Generation(0.001, None, 50.0)})})
    collected = collect(bench)
    assert "found 50000" in flags(collected)["generator G1"]
    assert isnan(collected.powers.sources[0])


def test_a_load_that_is_a_station_has_its_grid_side_meters(tmp_path: Path) -> None:
    both = ({"id": "A", "role": "grid"}, {"id": "B", "role": "grid"}, {"id": "C", "role": "charger"})
    bench = plant(tmp_path, stations=(station(*both),))
    bench.record("A", 0, 30.0)
    assert isnan(collect(bench).powers.loads[LOAD])  # one of two
    bench.record("B", 0, 21.0, 1.0)
    bench.record("C", 0, 7.0)
    assert collect(bench).powers.loads[LOAD] == 50.0
    bench.engine.dispose()


def test_a_meter_that_measures_the_load_goes_before_the_stations(tmp_path: Path) -> None:
    meters = ({"id": "A", "role": "grid"}, {"id": "B", "role": "flow", "measures": "load park"})
    bench = plant(tmp_path, stations=(station(*meters),))
    bench.record("A", 0, 30.0)
    bench.record("B", 0, 31.0)
    assert collect(bench).powers.loads[LOAD] == 31.0
    bench.engine.dispose()


def test_a_meter_out_of_service_is_not_waited_for(tmp_path: Path) -> None:
    old = {"id": "A", "role": "flow", "measures": "load park", "until": "2026-07-01T00:15:00+08:00"}
    new = {"id": "B", "role": "flow", "measures": "load park", "since": "2026-07-01T00:15:00+08:00"}
    bench = plant(tmp_path, stations=(station(old, new),))
    bench.record("A", 0, 30.0)
    bench.record("B", 1, 31.0)
    assert [collect(bench, number).powers.loads[LOAD] for number in (0, 1)] == [30.0, 31.0]
    bench.engine.dispose()


def test_a_storage_of_a_gateway_keeps_what_telemetry_knows_of_it(tmp_path: Path) -> None:
    bench = plant(tmp_path, {"id": "B1", "role": "flow", "measures": "storage B"})
    bench.record("B1", 0, 8.0, 3.0)
    powers = collect(bench).powers
    assert list(with_tanks(powers, {}).storages) == [8.0, 3.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    carried = with_tanks(powers, {0: (5.0, 4.0, 1.0)}, {0: (0.8, 0.7)})
    assert list(carried.storages) == [8.0, 3.0, 0.8, 0.7, 5.0, 4.0, 1.0]
    told = replace(storing(1.0, 0.0).storages["B"], charge_efficiency=0.9, stored_megawatt_hours=4.0)
    bench.tell({0: Snapshot(storages={"B": told})})
    assert list(collect(bench).powers.storages[:TANK]) == [8.0, 3.0, 0.9, 1.0, 4.0, 0.0, 0.0]
    bench.engine.dispose()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path, STORING)
    bench.tell({0: replace(without(storing(1.0, 0.0), "L2", "B"), flows={"L1": EndPowers(None, -98.0)})})
    plan = bench.plan()
    found = [plan.label(variable) for variable in missing(plan, collect(bench).powers)]
    assert found == ["branch L1 from", "branch L2 from", "branch L2 to", "storage B"]
    bench.engine.dispose()


def test_weights_are_those_of_the_meters_where_they_are_known(tmp_path: Path) -> None:
    meter = {**END, "accuracy_class": "0.5", "resolution_kwh": 6}
    bench = plant(tmp_path, meter, UNIT)
    bench.record("M2", 0, 90.0, 10.0)
    bench.record("M1", 0, 100.0, carbon_forward_ug=10**12, quality=Quality.ESTIMATED)
    bench.tell({0: without(storing(1.0, 0.0), "park")})
    collected = collect(bench)
    plan = bench.plan()
    settings = GridSettings(sigma_percent=2, sigma_floor_kw=30)
    found = sigmas(plan, collected, settings)
    step = 0.006 / 0.25
    assert found.flows[0][0] == pytest.approx(sqrt(0.5**2 / 3 + step**2 / 6))  # of 100 MW through both registers
    assert found.flows[0][1] == pytest.approx(sqrt((0.02 * 99.0) ** 2 + 0.03**2))
    # The default class 1 and step 0.01 kWh, and a tenth more for what is estimated.
    assert found.sources[0] == pytest.approx(sqrt(1.0**2 / 3 + 10.0**2), rel=1e-6)
    assert found.loads == pytest.approx([sqrt((0.02 * 60) ** 2 + 0.03**2), 0.03])
    assert (Element.GENERATOR, 0, 0) in collected.doubtful
    assert found.digest == sigmas(plan, collected, settings).digest
    assert found.digest != sigmas(plan, collected, GridSettings()).digest
    bench.engine.dispose()


def test_energies_are_exact_to_the_last_bit(tmp_path: Path) -> None:
    bench = plant(tmp_path, END)
    bench.record("M2", 0, 12345.678901)
    assert collect(bench).powers.flows[0] == round(12345.678901 * MWH) / 250_000_000
    bench.engine.dispose()
