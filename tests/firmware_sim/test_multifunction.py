"""Tariffs, phases, quadrants and demand, against sums worked out by hand or by a slow oracle."""

from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.circuit import Circuit
from firmware_sim.curves import ConstantCurve, Curve, RepeatedCurve
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.multifunction import MultiFunctionSettings
from firmware_sim.tariffs import DEFAULT_HOURS, TARIFFS, TariffSchedule

ZONE = ZoneInfo("Asia/Shanghai")
START = int(datetime(2026, 6, 15, tzinfo=ZONE).timestamp() * 1000)
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def meter_on(load: Curve, circuit: Circuit | None = None, **changes: object) -> Meter:
    settings = {"resolution_mwh": 10_000, "multi_function": MultiFunctionSettings(), **changes}
    return Meter(load, circuit or Circuit(), MeterSettings(**settings))  # type: ignore[arg-type]  # any setting


def tariffs(subject: Meter, now: int, direction: str = "forward") -> list[int]:
    values = subject.values(now)
    return [values[f"energy_{direction}_t{n}"] or 0 for n in TARIFFS]


def test_every_tariff_counts_in_its_hours() -> None:
    subject = meter_on(ConstantCurve(START, 10_000_000))  # 10 kW
    assert tariffs(subject, START + DAY) == [10_000_000 * DEFAULT_HOURS.count(n) for n in TARIFFS]
    values = subject.values(START + DAY)
    assert sum(tariffs(subject, START + DAY)) == values["energy_forward"] == values["energy_total"]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(MINUTE, 5 * HOUR), st.integers(-(10**8), 10**8)), min_size=1, max_size=5),
    st.lists(st.integers(0, 3 * DAY), min_size=1, max_size=12),
    st.lists(st.sampled_from(TARIFFS), min_size=24, max_size=24),
    st.integers(0, 10**9),
    st.sampled_from([-20_000, 0, 3, 20_000]),
)
def test_tariffs_add_up_to_the_total_whenever_it_is_read(
    cycle: list[tuple[int, int]], readings: list[int], hours: list[int], initial: int, drift: int
) -> None:
    extra = MultiFunctionSettings(tariff_hours=tuple(hours))
    many, one = (
        meter_on(
            RepeatedCurve(START, cycle),
            multi_function=extra,
            initial_forward_mwh=initial,
            clock_drift_ppm=Fraction(drift),
            gain_error=Fraction(1, 300),
        )
        for _ in range(2)
    )
    for elapsed in sorted(readings):
        values = many.values(START + elapsed)
        for direction in ("forward", "reverse"):
            assert sum(tariffs(many, START + elapsed, direction)) == values[f"energy_{direction}"]
    last = START + max(readings)
    assert many.values(last) == one.values(last)  # how often it was read changes nothing


def test_a_clock_that_is_set_changes_the_tariff() -> None:
    hours = (1,) * 12 + (2,) * 12
    subject = meter_on(ConstantCurve(START, 6_000_000), multi_function=MultiFunctionSettings(tariff_hours=hours))
    subject.set_clock(START + HOUR, START + 13 * HOUR)
    assert tariffs(subject, START + 3 * HOUR) == [6_000_000, 12_000_000, 0, 0]


def test_freezes_keep_the_tariffs() -> None:
    subject = meter_on(ConstantCurve(START, 10_000_000))
    row = subject.row("daily_freezes", 1, START + 2 * DAY + HOUR)
    assert [row[f"energy_forward_t{n}"] for n in TARIFFS] == [2 * 10_000_000 * DEFAULT_HOURS.count(n) for n in TARIFFS]


def test_a_schedule_that_never_changes_is_asked_once_a_day() -> None:
    schedule = TariffSchedule((3,) * 24, "Asia/Shanghai")
    assert schedule.next_change(START + 1) == START + DAY


@pytest.mark.parametrize("hours", [(1,) * 23, (0,) * 24, (5,) * 24])
def test_a_schedule_that_is_none_is_refused(hours: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="24 hours of tariff 1 to 4"):
        TariffSchedule(hours, "Asia/Shanghai")


def test_phases_and_quadrants_share_the_energy() -> None:
    circuit = Circuit(power_factor=800_000, shares=(1, 1, 2))
    subject = meter_on(RepeatedCurve(START, [(HOUR, 8_000_000), (HOUR, -4_000_000)]), circuit)
    values = subject.values(START + 2 * HOUR)
    assert [values[f"energy_forward_{phase}"] for phase in "abc"] == [2_000_000, 2_000_000, 4_000_000]
    assert [values[f"energy_reverse_{phase}"] for phase in "abc"] == [1_000_000, 1_000_000, 2_000_000]
    # tan φ is 0.75 at a power factor of 0.8
    assert [values[f"reactive_energy_q{n}"] for n in (1, 2, 3, 4)] == [6_000_000, 3_000_000, 0, 0]
    assert (values["reactive_energy_forward"], values["reactive_energy_reverse"]) == (9_000_000, 0)


def test_the_greatest_demand_is_kept_with_its_time_until_the_month_ends() -> None:
    load = RepeatedCurve(START, [(10 * MINUTE, 3_000_000), (5 * MINUTE, 9_000_000), (45 * MINUTE, 1_000_000)])
    subject = meter_on(load)
    values = subject.values(START + 3 * HOUR + 7 * MINUTE)
    # The mean over the first quarter of an hour, exactly; the first of equal ones counts.
    assert (values["demand_forward"], values["demand_forward_time"]) == (5_000_000, START + 15 * MINUTE)
    assert (values["demand_reverse"], values["demand_reverse_time"]) == (0, None)
    assert values["power_demand"] == 1_000_000
    july = int(datetime(2026, 7, 1, tzinfo=ZONE).timestamp() * 1000)
    values = subject.values(july + HOUR)
    assert values["demand_forward_time"] == july + 15 * MINUTE


def test_a_demand_period_in_which_the_clock_is_set_is_left_out() -> None:
    subject = meter_on(RepeatedCurve(START, [(20 * MINUTE, 9_000_000), (10 * HOUR, 1_000_000)]))
    subject.set_clock(START + 10 * MINUTE, START + 16 * MINUTE)
    values = subject.values(START + HOUR)
    # The first whole period of the clock as set begins when 24 of the load's minutes have passed.
    assert values["demand_forward"] == 1_000_000


def test_unbalanced_currents_return_through_the_neutral() -> None:
    single = meter_on(ConstantCurve(START, 2_200_000), Circuit(shares=(1,)))
    assert single.values(START)["neutral_current"] == single.values(START)["current_a"] == 10_000
    balanced = meter_on(ConstantCurve(START, 6_600_000))
    assert balanced.values(START)["neutral_current"] == 0
    # 5, 5 and 10 A: the surplus of the third phase
    unbalanced = meter_on(ConstantCurve(START, 4_400_000), Circuit(shares=(1, 1, 2)))
    assert unbalanced.values(START)["neutral_current"] == 5_000
