"""Means of voltage and power by quarter of an hour: what they are, and when they are told."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from voltage_means_support import EACH, HOUR_MS, ONE, ORIGIN_MS, THREE, Bench

from agent.config_file import load_config
from agent.voltage_means import MeterMeans, MeterPoints, meter_points
from wire.records import EventCode
from wire.voltage_means import QUARTER_MS, VoltageBlock, VoltageMean


def test_six_hours_are_told_with_the_first_poll_after_them() -> None:
    bench = Bench()
    for number in range(24):
        bench.quarter(number, (230_000 + 10 * number,), 1_000_000 * number)
    assert bench.told == []
    bench.poll(6 * HOUR_MS)
    (event,) = bench.told
    assert (event.meter, event.time_ms, event.code) == ("m", ORIGIN_MS + 6 * HOUR_MS, EventCode.VOLTAGE_MEANS)
    assert VoltageBlock.from_details(event.details) == VoltageBlock(
        ORIGIN_MS, tuple(VoltageMean((230_000 + 10 * number,), 1_000_000 * number) for number in range(24))
    )


@pytest.mark.parametrize(
    ("timezone", "hours"),
    [("Asia/Shanghai", [6, 12, 18, 24]), ("UTC", [2, 8, 14, 20]), ("Asia/Kathmandu", [2.25, 8.25, 14.25, 20.25])],
)
def test_blocks_end_with_each_six_hours_of_local_time(timezone: str, hours: list[float]) -> None:
    bench = Bench(timezone=timezone)
    for number in range(24 * 4 + 1):
        bench.quarter(number)
    assert [event.time_ms for event in bench.told] == [ORIGIN_MS + hour * HOUR_MS for hour in hours]


def test_a_night_of_seven_hours_is_one_block() -> None:
    """Clocks go back at 03:00 in Berlin, on 2026-10-25."""
    bench = Bench(timezone="Europe/Berlin")
    start_ms = 1_792_879_200_000 - ORIGIN_MS  # 00:00
    for number in range(7 * 4 + 1):
        bench.quarter(start_ms // QUARTER_MS + number)
    (event,) = bench.told
    assert len(VoltageBlock.from_details(event.details).means) == 28


def test_a_block_is_told_without_a_poll_after_it() -> None:
    """That of a meter that has fallen silent."""
    bench = Bench()
    bench.quarter(0)
    bench.now_ms = ORIGIN_MS + 6 * HOUR_MS - 1
    bench.means.tell_due()
    assert bench.told == []
    bench.now_ms += 1
    bench.means.tell_due()
    bench.means.tell_due()
    assert [event.time_ms for event in bench.told] == [ORIGIN_MS + QUARTER_MS]


def test_the_open_quarter_goes_on_over_a_look_at_what_is_due() -> None:
    bench = Bench()
    bench.poll(0, (230_000,))
    bench.means.tell_due()
    bench.poll(QUARTER_MS - 1, (230_020,))
    assert bench.block().means == (VoltageMean((230_010,), 0),)


def test_means_are_rounded_once_half_to_even() -> None:
    bench = Bench()
    for at_ms, voltage, power in ((0, 230_000, 1_000_000), (1, 230_011, 1_000_600), (QUARTER_MS // 2, 230_004, 900)):
        bench.poll(at_ms, (voltage,), power)  # 230 005 mV, 667 166.7 mW
    bench.poll(QUARTER_MS, (230_014,), 2_000)
    bench.poll(2 * QUARTER_MS - 1, (230_016,), 3_000)  # 230 015 mV, 2 500 mW
    assert bench.block().means == (VoltageMean((230_000,), 667_000), VoltageMean((230_020,), 2_000))


@pytest.mark.parametrize(
    ("voltage", "power", "expected"),
    [
        (999_984, 9_998_600, VoltageMean((999_980,), 9_999_000)),
        (999_994, 9_999_600, VoltageMean((1_000_000,), 10_000_000)),
        (10_000_049, -60_004_999, VoltageMean((10_000_000,), -60_000_000)),
        (110_000_500, 2_500_123_456_789, VoltageMean((110_000_000,), 2_500_000_000_000)),
    ],
)
def test_steps_grow_with_the_largest_value(voltage: int, power: int, expected: VoltageMean) -> None:
    bench = Bench()
    bench.quarter(0, (voltage,), power)
    assert bench.block().means == (expected,)


@pytest.mark.parametrize(("step_ms", "kept"), [(59_999, True), (-59_999, True), (60_000, False), (-(10**9), False)])
def test_what_is_not_told_is_thrown_away_when_the_clock_was_wrong(step_ms: int, kept: bool) -> None:
    bench = Bench()
    bench.quarter(0)
    bench.poll(QUARTER_MS)
    bench.means.stepped(step_ms)
    bench.poll(2 * QUARTER_MS - 1)
    bench.over()
    assert [len(VoltageBlock.from_details(event.details).means) for event in bench.told] == [2] * kept


def test_another_meter_begins_another_block() -> None:
    """And no quarter has polls of both."""
    bench = Bench()
    bench.quarter(0)
    bench.poll(QUARTER_MS)
    bench.poll(2 * QUARTER_MS - 1, exchanged=True)
    bench.quarter(2)
    bench.over()
    assert [VoltageBlock.from_details(event.details).start_ms for event in bench.told] == [
        ORIGIN_MS,
        ORIGIN_MS + 2 * QUARTER_MS,
    ]


def test_without_room_a_block_is_dropped_and_counted() -> None:
    bench = Bench(room=False)
    bench.quarter(0)
    bench.over()
    bench.room = True
    bench.over()
    assert (bench.told, bench.means.dropped) == ([], 1)


def test_what_is_told_is_not_told_again() -> None:
    bench = Bench()
    bench.over()
    bench.quarter(24)
    bench.over()
    bench.over()
    assert len(bench.told) == 1


polls = st.lists(
    st.tuples(
        st.integers(0, QUARTER_MS - 1), st.lists(st.integers(200_000, 250_000), min_size=3, max_size=3), st.integers()
    ),
    min_size=1,
    max_size=8,
)


@given(polls)
def test_the_mean_is_that_of_all_polls_whatever_their_order(found: list[tuple[int, list[int], int]]) -> None:
    means = MeterMeans(EACH)
    means.begin(0)
    found = [(at_ms, voltages, power % 10**9) for at_ms, voltages, power in found]
    for at_ms, voltages, power in found:
        named = dict(zip(EACH.voltages, voltages, strict=True))
        means.add(at_ms, named | {"power": power})
    means.end()
    block = means.take()
    halves = {2 * at_ms < QUARTER_MS for at_ms, _, _ in found}
    assert (block is None) == (len(halves) < 2)
    if block is None:
        return
    (mean,) = block.means
    assert mean is not None
    for index in range(3):
        exact = Fraction(sum(voltages[index] for _, voltages, _ in found), len(found))
        assert abs(mean.voltages_mv[index] - exact) <= 5
    exact = Fraction(sum(power for _, _, power in found), len(found))
    assert abs(mean.power_mw - exact) <= 500 * 10 ** max(0, len(str(int(exact))) - 7)


@pytest.mark.parametrize(
    ("profile", "keys", "expected"),
    [
        ("sim-carbon-meter", "", EACH),
        ("sim-charger", 'role = "auxiliary"', THREE),
        ("sim-carbon-meter", 'role = "grid"', EACH),
        ("eastron-sdm120", "", ONE),
        ("sim-carbon-meter", 'role = "flow"', None),
        (
            "sim-carbon-meter",
            'points = ["voltage_a", "power_b", "power_c"]',
            MeterPoints(("voltage_a",), ("power_b", "power_c")),
        ),
        ("sim-carbon-meter", 'points = ["voltage_a"]', None),
        ("sim-carbon-meter", 'points = ["power"]', None),
        ("eastron-sdm72", "", None),  # no voltages
    ],
)
def test_which_meters_have_means(site: Any, profile: str, keys: str, expected: MeterPoints | None) -> None:
    path: Path = site.configure(broker_port=1, meter_ports=[1])
    text = path.read_text("utf-8").replace('profile = "sim-carbon-meter"', f'profile = "{profile}"\n{keys}')
    path.write_text(text, "utf-8")
    assert meter_points(load_config(path)) == ({} if expected is None else {"meter-1": expected})
    path.write_text(text.replace("[factor]", "[report]\nvoltage_means = false\n[factor]"), "utf-8")
    assert meter_points(load_config(path)) == {}


def test_the_voltage_of_a_direct_current_meter_is_none_of_a_supply(site: Any) -> None:
    path: Path = site.configure(broker_port=1, meter_ports=[1])
    text = path.read_text("utf-8").replace('transport = "modbus-tcp"', 'transport = "tcp"').replace("unit = 1\n", "")
    meter = 'address = "1"\nprofile = "dlt645-dc-charger"'
    path.write_text(text.replace('profile = "sim-carbon-meter"', meter), "utf-8")
    loaded = load_config(path)
    assert "voltage" in loaded.profiles["meter-1"].points
    assert meter_points(loaded) == {}
