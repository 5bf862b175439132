"""A station: its true energies balance to the last µJ, and its meters err as they were told to."""

from datetime import datetime
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.config import CLASS_LIMITS, StationConfig, load_station
from firmware_sim.station import Station, gain_error, start_of
from firmware_sim.truth import Truth, as_json, as_table, kwh, truth
from settings.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "firmware_sim" / "examples" / "station.toml"
START = int(datetime(2026, 6, 15, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
DAY = 86_400_000


def example() -> Station:
    return Station(load_station(EXAMPLE), START)


def small(**sections: object) -> StationConfig:
    document = {"station": {"id": "s"}, "charger": [{"id": "c1"}], "grid": {"id": "g"}, **sections}
    return StationConfig.model_validate(document)


def test_a_day_balances_exactly_with_losses_and_feeding_back() -> None:
    result = truth(example(), START, START + DAY)
    assert result.imbalance_uj == 0
    assert result.losses_uj > 0
    assert result.auxiliary_uj == 350_000 * DAY
    assert result.chargers_uj[0] > 100 * 3_600_000 * 10**6  # more than 100 kWh


@given(st.integers(0, 3 * DAY), st.integers(1, DAY))
def test_any_period_balances_exactly(offset: int, length: int) -> None:
    station = Station(
        small(
            charger=[{"id": f"c{n}", "v2g_share": "0.5", "sessions_per_day": 8} for n in range(3)],
            loss={"cable_milliohm": "12.5"},
            auxiliary={"load_w": 123},
        ),
        START,
    )
    assert truth(station, START + offset, START + offset + length).imbalance_uj == 0


def test_over_registering_is_exactly_as_configured() -> None:
    result = truth(example(), START, START + DAY)
    meters = {meter.id: meter for meter in result.meters}
    bad = meters["c07"]
    assert bad.registered_mwh[0] == bad.true_uj[0] * 103 // 100 // 3_600_000
    for name, meter in meters.items():
        if name != "c07" and meter.true_uj[0]:
            assert abs(Fraction(meter.registered_mwh[0] * 3_600_000, meter.true_uj[0]) - 1) < Fraction(1, 200)


def test_a_random_error_stays_within_half_of_its_class_and_depends_on_the_seed() -> None:
    for name, limit in CLASS_LIMITS.items():
        (section,) = small(charger=[{"id": "c1", "class": name, "gain_error": "random"}]).charger
        errors = {gain_error(section, seed) for seed in range(50)}
        assert len(errors) > 30
        assert max(abs(error) for error in errors) <= Fraction(limit) / 200


def test_the_grid_meter_measures_the_true_sum() -> None:
    station = Station(small(grid={"id": "g", "startup_current_ma": 0}), START)
    grid = station.meters[-1]
    assert grid.role == "grid"
    forward, _ = station.grid.energy_at(START + DAY)
    assert grid.meter.energy(START + DAY)[0] == forward // 3_600_000


def test_an_auxiliary_meter_can_be_served_too() -> None:
    station = Station(small(auxiliary={"load_w": "500", "meter": {"id": "aux", "phase_shares": [1]}}), START)
    (meter,) = [item for item in station.meters if item.role == "auxiliary"]
    assert meter.meter.energy(START + 3_600_000) == (500_000, 0)


def test_a_wrong_profile_is_named_with_its_meter() -> None:
    config = small(charger=[{"id": "c1", "profile": "acrel-adl3000-e"}, {"id": "c2", "profile": "nonesuch"}])
    with pytest.raises(ConfigError) as caught:
        Station(config, START, file="st.toml")
    assert any(
        line.startswith("st.toml: meter c1: ") and "parameters.pt" in line and "found nothing" in line
        for line in caught.value.problems
    )
    assert any(line.startswith("st.toml: meter c2: nonesuch: profile") for line in caught.value.problems)


def test_recorded_sessions_drive_the_chargers(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(
        "arrival,departure,delivered_energy (kWh),station_id\n"
        "2026-06-15 08:00:00+08:00,2026-06-15 12:00:00+08:00,10.123,A\n"
        "2026-06-15 09:00:00+08:00,2026-06-15 12:00:00+08:00,5,B\n"
        "2026-06-15 13:00:00+08:00,2026-06-15 15:00:00+08:00,4,B\n"
    )
    chargers = [{"id": "c1"}, {"id": "c2"}, {"id": "c3"}]
    station = Station(small(charger=chargers, sessions={"model": "file", "file": str(path)}), START)
    energies = [load.energy_at(START + DAY)[0] for load in station.charger_loads]
    assert energies == [9_000_000 * 3_600_000, 10_123_000 * 3_600_000, 0]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (None, START),
        ("2026-06-14", START - DAY),
        ("2026-06-14T12:00:00", START - DAY // 2),
        ("2026-06-14T16:00:00Z", START),
    ],
)
def test_where_a_station_starts(start: str | None, expected: int) -> None:
    config = small(station={"id": "s", **({} if start is None else {"start": start})})
    assert start_of(config, START + 5 * 3_600_000) == expected


def test_the_answer_key_is_printed_for_people_and_programs() -> None:
    result: Truth = truth(example(), START, START + DAY)
    plain = as_json(result)
    assert plain["imbalance_uj"] == 0
    assert len(plain["meters"]) == 13
    assert plain["grid_forward_uj"] == result.grid_uj[0]
    table = as_table(result)
    assert len(table.splitlines()) == 1 + 13 + 4
    assert f"{kwh(result.meters[6].true_uj[0])}" in table
    assert str(kwh(3_600_000 * 1_234_567)) == "1.234567"


def test_a_dlt_meter_has_an_address_tariffs_and_a_step_that_it_shows() -> None:
    meter = {"line": "bus", "profile": "dlt645-three-phase"}
    hours = [1] * 12 + [4] * 12
    config = small(
        station={"id": "s", "tariff_hours": hours},
        charger=[{"id": "c1", **meter, "address": "42"}, {"id": "c2", **meter}, {"id": "c3"}],
        grid={"id": "g", **meter, "resolution_kwh": "0.001"},
        line=[{"name": "bus", "transport": "pty"}],
    )
    one, two, three, grid = Station(config, START).meters
    assert [item.address for item in (one, two, three, grid)] == ["000000000042", "000000000002", None, "000000000004"]
    assert one.meter.values(START)["communication_address"] == 42
    assert [item.meter.settings.resolution_mwh for item in (one, three, grid)] == [10_000, 1_000, 1_000]
    assert three.meter.settings.multi_function is None
    values = one.meter.values(START + DAY)
    shares = [values[f"energy_forward_t{number}"] or 0 for number in (1, 2, 3, 4)]
    assert shares[1:3] == [0, 0]
    assert shares[0] + shares[3] == values["energy_forward"]


def test_a_meter_may_have_a_voltage_of_its_own() -> None:
    station = Station(small(charger=[{"id": "c1", "voltage_v": 750}]), START)
    assert station.meters[0].meter.values(START)["voltage_a"] == 750_000
    assert station.meters[1].meter.values(START)["voltage_a"] == 220_000


def test_a_wrong_address_is_named_with_its_meter() -> None:
    with pytest.raises(ConfigError, match="station: meter c1: address: expected unit for a meter on Modbus, found '7'"):
        Station(small(charger=[{"id": "c1", "address": "7"}]), START)
