"""The meter against a slow exact oracle: energy, error, resolution, start-up, carbon, freezes, clock and history."""

from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.circuit import Circuit
from firmware_sim.curves import ConstantCurve, Curve, ManualCurve, RepeatedCurve
from firmware_sim.factors import SLOT_MS, FactorRefusedError
from firmware_sim.meter import Meter, MeterSettings, Row

ZONE = ZoneInfo("Asia/Shanghai")
DAY = 86_400_000
HOUR = 3_600_000


def at(year: int, month: int, day: int, hour: int = 0, *, zone: ZoneInfo = ZONE) -> int:
    return int(datetime(year, month, day, hour, tzinfo=zone).timestamp() * 1000)


def meter_on(load: Curve, **changes: object) -> Meter:
    return Meter(load, Circuit(), MeterSettings(**{"resolution_mwh": 1, "carbon_resolution_ng": 1, **changes}))  # type: ignore[arg-type]  # any setting


START = at(2026, 6, 15)


@given(
    st.lists(st.tuples(st.integers(10_000, 4 * HOUR), st.integers(-(10**8), 10**8)), min_size=1, max_size=6),
    st.fractions(Fraction(-1, 2), Fraction(1, 2), max_denominator=10_000),
    st.lists(st.integers(0, 3 * DAY), min_size=1, max_size=10),
)
def test_registers_are_the_floored_true_energy_times_gain(
    cycle: list[tuple[int, int]], gain: Fraction, readings: list[int]
) -> None:
    subject = meter_on(RepeatedCurve(START, cycle), gain_error=gain)
    true = RepeatedCurve(START, cycle)
    for elapsed in sorted(readings):
        expected = tuple(int(Fraction(uj) * (1 + gain) / 3_600_000) for uj in true.energy_at(START + elapsed))
        assert subject.energy(START + elapsed) == expected


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(60_000, 4 * HOUR), st.integers(-(10**8), 10**8)), min_size=1, max_size=4),
    st.lists(st.integers(0, 3 * DAY), max_size=20),
    st.dictionaries(st.integers(0, 280), st.integers(0, 10**6) | st.none(), max_size=30),
)
def test_how_often_it_is_read_changes_nothing(
    cycle: list[tuple[int, int]], readings: list[int], factors: dict[int, int | None]
) -> None:
    lazy, busy = (meter_on(RepeatedCurve(START, cycle), default_factor=400_000) for _ in range(2))
    arrivals = sorted((START + max(slot * SLOT_MS - HOUR, 0), START + slot * SLOT_MS) for slot in factors)
    for moment in sorted({START + reading for reading in readings} | {arrival for arrival, _ in arrivals}):
        busy.values(moment)
        for arrival, slot_start in arrivals:
            if arrival == moment:
                for subject in (lazy, busy):
                    subject.receive_factor(moment, slot_start, factors[(slot_start - START) // SLOT_MS])
    end = START + 3 * DAY + 1
    assert lazy.values(end) == busy.values(end)
    assert lazy.carbon(end) == busy.carbon(end)
    assert list(lazy.frozen.daily) == list(busy.frozen.daily)


@settings(max_examples=50)
@given(
    st.dictionaries(st.integers(0, 100), st.integers(0, 10**6) | st.none(), max_size=30),
    st.lists(st.tuples(st.integers(60_000, 4 * HOUR), st.integers(-(10**8), 10**8)), min_size=1, max_size=4),
)
def test_carbon_is_energy_times_the_factor_of_each_slot(
    factors: dict[int, int | None], cycle: list[tuple[int, int]]
) -> None:
    subject = meter_on(RepeatedCurve(START, cycle), default_factor=700_000)
    for slot, factor in factors.items():
        subject.receive_factor(START, START + slot * SLOT_MS, factor)
    true = RepeatedCurve(START, cycle)
    expected = [0, 0]
    factor: int | None = 700_000
    for slot in range(101):
        factor = factors.get(slot, factor)
        first, last = (true.energy_at(START + number * SLOT_MS) for number in (slot, slot + 1))
        for direction in (0, 1):
            if factor is not None:
                expected[direction] += (last[direction] // 3_600_000 - first[direction] // 3_600_000) * factor
    assert subject.carbon(START + 101 * SLOT_MS) == tuple(expected)


def test_a_factor_changes_at_its_slot_and_a_late_one_on_arrival() -> None:
    subject = meter_on(ConstantCurve(START, 3_600_000))  # 1 mWh a ms
    subject.receive_factor(START, START + SLOT_MS, 500_000)
    assert subject.carbon(START + SLOT_MS) == (0, 0)  # nothing before the slot: undefined
    assert subject.carbon(START + SLOT_MS + 10) == (10 * 500_000, 0)
    subject.receive_factor(START + SLOT_MS + 10, START + SLOT_MS, 900_000)
    assert subject.carbon(START + SLOT_MS + 20) == (10 * 500_000 + 10 * 900_000, 0)


def test_forward_and_reverse_are_never_netted() -> None:
    subject = meter_on(RepeatedCurve(START, [(HOUR, 5_000_000), (HOUR, -2_000_000)]), default_factor=1_000_000)
    assert subject.energy(START + 4 * HOUR) == (10_000_000, 4_000_000)
    assert subject.carbon(START + 4 * HOUR) == (10**13, 4 * 10**12)


def test_displayed_registers_are_cut_to_their_resolution() -> None:
    load = ConstantCurve(START, 1_000_000)
    subject = meter_on(load, resolution_mwh=10_000, carbon_resolution_ng=10**9, default_factor=581_234)
    shown = subject.values(START + HOUR + 12_345)
    energy, carbon = subject.energy(START + HOUR + 12_345)[0], subject.carbon(START + HOUR + 12_345)[0]
    assert shown["energy_forward"] == energy // 10_000 * 10_000 != energy
    assert shown["carbon_forward"] == carbon // 10**9 * 10**9 != carbon


def test_below_the_startup_current_nothing_is_registered() -> None:
    below, above = 13_199, 13_200  # 20 mA in each phase of 220 V is 13.2 W
    load = RepeatedCurve(START, [(HOUR, below), (HOUR, above)])
    subject = meter_on(load, startup_current_ma=20)
    assert subject.energy(START + HOUR) == (0, 0)
    assert subject.values(START)["power"] == 0
    assert subject.energy(START + 2 * HOUR) == (above, 0)


def test_registers_start_where_they_are_told_to() -> None:
    subject = meter_on(ConstantCurve(START, 10**6), initial_forward_mwh=5, initial_reverse_mwh=9)
    assert subject.energy(START) == (5, 9)
    assert subject.energy(START + HOUR) == (5 + 10**6, 9)


def test_a_reading_of_the_past_does_not_turn_registers_back() -> None:
    subject = meter_on(ConstantCurve(START, 10**6))
    after = subject.energy(START + HOUR)
    assert subject.energy(START) == after


@pytest.mark.parametrize("zone_name", ["Asia/Shanghai", "America/New_York", "Europe/Berlin", "UTC"])
def test_every_local_midnight_freezes_and_every_first_of_month(zone_name: str) -> None:
    zone = ZoneInfo(zone_name)
    start = at(2024, 1, 20, 7, zone=zone)  # a leap year, and two changes of daylight saving time
    subject = meter_on(ConstantCurve(start, 3_600_000), timezone=zone_name)  # 1 mWh a ms
    subject.advance(at(2024, 11, 5, 3, zone=zone))
    midnights = [at_day(datetime(2024, 11, 5, tzinfo=zone) - timedelta(days=back)) for back in range(30)]
    assert [row["time"] for row in subject.frozen.daily] == midnights
    assert [row["energy_forward"] for row in subject.frozen.daily] == [moment - start for moment in midnights]
    months = [at(2024, month, 1, zone=zone) for month in range(11, 1, -1)]
    assert [row["time"] for row in subject.frozen.monthly] == months
    assert [row["energy_forward"] for row in subject.frozen.monthly] == [moment - start for moment in months]


def at_day(local: datetime) -> int:
    return at(local.year, local.month, local.day, zone=local.tzinfo)  # type: ignore[arg-type]  # it is a ZoneInfo


def test_the_leap_day_has_its_freeze() -> None:
    subject = meter_on(ConstantCurve(at(2024, 2, 28), 10**6))
    subject.advance(at(2024, 3, 2))
    assert [row["time"] for row in subject.frozen.daily] == [at(2024, 3, 2), at(2024, 3, 1), at(2024, 2, 29)]
    assert [row["time"] for row in subject.frozen.monthly] == [at(2024, 3, 1)]


def test_a_freeze_shows_what_the_register_showed_at_midnight() -> None:
    load = RepeatedCurve(START, [(HOUR, 7_000_000), (HOUR, -1_234_567)])
    frozen, read = (meter_on(load, gain_error=Fraction(3, 100), default_factor=581_000) for _ in range(2))
    midnight = START + DAY
    values = read.values(midnight)
    frozen.advance(midnight + 5 * HOUR)
    row = frozen.row("daily_freezes", 1, midnight + 5 * HOUR)
    assert {name: row[name] for name in row if name != "time"} == {name: values[name] for name in row if name != "time"}


def test_365_days_of_carbon_are_kept_and_yesterdays_increment_shown() -> None:
    subject = meter_on(ConstantCurve(START, 10**6), default_factor=10**6)
    end = START + 400 * DAY + HOUR
    values = subject.values(end)
    assert len(subject.frozen.carbon_days) == 365
    assert len(subject.frozen.daily) == 30
    assert len(subject.frozen.monthly) == 12
    assert values["carbon_forward_previous_day"] == 24 * 10**12
    assert subject.row("daily_carbon", 365, end) == {
        "time": START + 35 * DAY,
        "carbon_forward": 24 * 10**12,
        "carbon_reverse": 0,
    }
    assert subject.row("daily_carbon", 1, end)["time"] == START + 399 * DAY


def test_a_young_meter_has_no_rows_yet() -> None:
    subject = meter_on(ConstantCurve(START, 10**6))
    assert subject.row("daily_freezes", 1, START + HOUR) == {}
    assert subject.values(START + HOUR)["carbon_forward_previous_day"] == 0


def test_a_clock_that_is_fast_freezes_early() -> None:
    subject = meter_on(ConstantCurve(START, 3_600_000), clock_offset_ms=60_000)
    subject.advance(START + DAY)
    assert subject.frozen.daily[0] == row(START + DAY, DAY - 60_000)
    assert subject.values(START + DAY)["device_time"] == START + DAY + 60_000


def row(time_ms: int, energy: int) -> Row:
    totals = {"energy_forward": energy, "energy_reverse": 0, "energy_total": energy}
    return {"time": time_ms, **totals, "carbon_forward": 0, "carbon_reverse": 0}


def test_a_clock_set_over_midnight_freezes_at_once() -> None:
    subject = meter_on(ConstantCurve(START, 3_600_000))
    subject.set_clock(START + 23 * HOUR, START + DAY + HOUR)
    assert list(subject.frozen.daily) == [row(START + DAY, 23 * HOUR)]
    subject.advance(START + 45 * HOUR)
    assert len(subject.frozen.daily) == 1
    subject.advance(START + 46 * HOUR)
    assert subject.frozen.daily[0] == row(START + 2 * DAY, 46 * HOUR)


def test_a_clock_set_back_over_midnight_does_not_freeze_twice() -> None:
    subject = meter_on(ConstantCurve(START, 3_600_000))
    subject.set_clock(START + DAY + HOUR, START + 23 * HOUR)
    subject.advance(START + DAY + 10 * HOUR)
    assert list(subject.frozen.daily) == [row(START + DAY, DAY)]


def test_the_factor_history_shows_each_slot_of_the_chosen_day() -> None:
    subject = meter_on(ConstantCurve(START, 10**6))
    for slot in range(2 * 96 + 40):
        now = START + slot * SLOT_MS
        subject.receive_factor(now, now, None if slot == 100 else 500_000 + slot)
    now = START + 2 * DAY + 39 * SLOT_MS
    subject.select_history_day(1)
    rows = [subject.row("factor_history", slot, now) for slot in range(1, 97)]
    assert [item["time"] for item in rows] == [START + DAY + slot * SLOT_MS for slot in range(96)]
    factors = [item["carbon_factor"] for item in rows]
    assert factors == [None if slot == 100 else 500_000 + slot for slot in range(96, 192)]
    subject.select_history_day(0)
    assert subject.row("factor_history", 40, now)["carbon_factor"] == 500_000 + 2 * 96 + 39
    assert subject.row("factor_history", 41, now) == {}  # still to come
    subject.select_history_day(3)
    assert subject.row("factor_history", 96, now) == {}  # before there was a meter
    with pytest.raises(ValueError, match=r"0\.\.365 days back, not 366"):
        subject.select_history_day(366)


def test_365_days_of_factors_can_be_read_back() -> None:
    subject = meter_on(ConstantCurve(START, 10**6))
    for slot in range(366 * 96):
        now = START + slot * SLOT_MS
        subject.receive_factor(now, now, slot)
    now = START + 366 * DAY - 1
    for back in (1, 100, 364, 365):
        subject.select_history_day(back)
        assert subject.row("factor_history", 1, now) == {
            "time": START + (365 - back) * DAY,
            "carbon_factor": (365 - back) * 96,
        }


def test_a_refused_factor_changes_nothing() -> None:
    subject = meter_on(ConstantCurve(START, 10**6), default_factor=1)
    with pytest.raises(FactorRefusedError):
        subject.receive_factor(START, START + 1, 5)
    assert subject.values(START)["carbon_factor"] == 1


def test_instantaneous_values_belong_together() -> None:
    load = ManualCurve(START)
    load.set_power(START, -6_600_000)
    circuit = Circuit(power_factor=800_000, shares=(2, 1, 1))
    subject = Meter(load, circuit, MeterSettings(gain_error=Fraction(1, 100)))
    values = subject.values(START + 1)
    assert values["power"] == -6_666_000
    assert [values[f"power_{phase}"] for phase in "abc"] == [-3_333_000, -1_666_500, -1_666_500]
    assert values["current_a"] == 18_938  # 3333 W / (220 V * 0.8)
    assert (values["voltage_a"], values["frequency"], values["power_factor"]) == (220_000, 50_000, -800_000)
    assert values["apparent_power"] == 8_332_500


def test_a_single_phase_meter_has_no_other_phases() -> None:
    subject = Meter(ConstantCurve(START, 2_200_000), Circuit(shares=(1,)), MeterSettings())
    values = subject.values(START + 1)
    assert (values["current_a"], values["current_b"], values["voltage_b"]) == (10_000, 0, 0)


def test_a_gain_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves nothing"):
        meter_on(ConstantCurve(START, 1), gain_error=Fraction(-1))
