"""Means of voltage and power by quarter of an hour: which polls make them, and which count for nothing."""

import json

import pytest
from voltage_means_support import EACH, ONE, ORIGIN_MS, THREE, VALUES, Bench

from agent.reading import Reading
from agent.voltage_means import MeterMeans, MeterPoints
from profiles import load
from profiles.modbus.codec import encode
from profiles.modbus.model import RegisterPoint
from profiles.modbus.plan import ReadBlock
from wire.voltage_means import QUARTER_MS, VoltageBlock, VoltageMean


@pytest.mark.parametrize(
    ("points", "voltages", "expected"),
    [
        (ONE, (230_000,), (230_000,)),
        (THREE, (230_000, 231_000, 230_500), (230_500,)),
        (THREE, (230_000, 0, 0), (230_000,)),
        (THREE, (230_000, 2_300, 900), (230_000,)),  # what open inputs pick up
        (THREE, (230_000, -1, 232_000), (231_000,)),
        (THREE, (230_000,), (230_000,)),  # the meter has no value for the others
        (EACH, (230_000, 231_000, 230_500), (230_000, 231_000, 230_500)),
        (EACH, (230_000, 231_000, 0), (230_500,)),
        (EACH, (0, 231_000, 0), (231_000,)),
    ],
)
def test_phases_that_are_not_there_are_left_out(
    points: MeterPoints, voltages: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    bench = Bench(points)
    bench.quarter(0, voltages, -3_000)
    assert bench.block().means == (VoltageMean(expected, -3_000),)


@pytest.mark.parametrize("voltages", [(0,), (-230_000,), (999,), (1_000_000_001,), ()])
@pytest.mark.parametrize("points", [ONE, THREE])
def test_a_poll_without_a_voltage_counts_for_nothing(points: MeterPoints, voltages: tuple[int, ...]) -> None:
    bench = Bench(points)
    bench.quarter(0, (230_000,), 1_000)
    bench.poll(QUARTER_MS - 1, voltages, 7_000_000)
    bench.quarter(1, voltages, 7_000_000)
    assert bench.block().means == (VoltageMean((230_000,), 1_000),)


@pytest.mark.parametrize("power", [None, 10**15 + 1, -(10**15) - 1])
def test_a_poll_without_a_power_counts_for_nothing(power: int | None) -> None:
    bench = Bench()
    bench.quarter(0, (230_000,), 1_000)
    bench.poll(QUARTER_MS - 1, (220_000,), power)
    assert bench.block().means == (VoltageMean((230_000,), 1_000),)


def test_powers_of_the_phases_are_added_where_there_is_no_sum_and_only_together() -> None:
    bench = Bench(MeterPoints(("voltage_a", "voltage_b"), ("power_a", "power_b")))
    both = {"voltage_a": 230_000, "voltage_b": 230_000, "power_a": 3_000, "power_b": -1_000, "power": 99_000}
    for at_ms, values in ((0, both), (1, both | {"power_a": 5_000}), (QUARTER_MS - 1, both)):
        bench.poll(at_ms, blocks=((VALUES, json.dumps(values).encode()),))
    bench.poll(QUARTER_MS - 1, blocks=((VALUES, json.dumps({"voltage_a": 200_000, "power_a": 7}).encode()),))
    assert bench.block().means == (VoltageMean((230_000,), 3_000),)  # 8 W / 3, rounded


def test_octets_that_hold_no_value_cost_their_poll_only() -> None:
    bench = Bench()
    bench.quarter(0)
    bench.poll(QUARTER_MS - 2, blocks=((VALUES, b"\x00"),))
    bench.poll(QUARTER_MS - 1, blocks=())
    assert bench.block().means == (VoltageMean((230_000,), 0),)


@pytest.mark.parametrize("at_ms", [(0, 1, QUARTER_MS // 2 - 1), (QUARTER_MS // 2, QUARTER_MS - 1), (5,)])
def test_a_quarter_of_which_a_half_was_not_read_is_not_known(at_ms: tuple[int, ...]) -> None:
    bench = Bench()
    bench.quarter(0)
    for time_ms in at_ms:
        bench.poll(QUARTER_MS + time_ms)
    bench.quarter(2)
    assert bench.block().means == (VoltageMean((230_000,), 0), None, VoltageMean((230_000,), 0))


@pytest.mark.parametrize(
    "odd",
    [
        (0, 230_000, 230_000),  # a phase fails
        (655_350, 655_350, 655_350),
        (100_000, 100_000, 100_000),
        (655_350, 230_000, 230_000),
    ],
)
def test_a_quarter_with_an_absurd_poll_is_not_known(odd: tuple[int, ...]) -> None:
    bench = Bench(THREE)
    good = (230_000,) * 3
    bench.quarter(0, good)
    bench.quarter(1, good)
    bench.poll(2 * QUARTER_MS - 2, odd)
    bench.poll(2 * QUARTER_MS - 1, good)
    bench.quarter(2, good)
    assert bench.block().means == (VoltageMean((230_000,), 0), None, VoltageMean((230_000,), 0))


@pytest.mark.parametrize("odd", [(655_350,) * 3, (10_000,) * 3, (230_000, 0, 0)])
def test_absurd_quarters_are_left_out_of_a_block(odd: tuple[int, ...]) -> None:
    bench = Bench(THREE)
    for number in range(5):
        bench.quarter(number, odd if number in (0, 3) else (230_000,) * 3)
    block = bench.block()
    assert block.start_ms == ORIGIN_MS + QUARTER_MS
    assert block.means == (VoltageMean((230_000,), 0), VoltageMean((230_000,), 0), None, VoltageMean((230_000,), 0))


def test_where_as_many_quarters_have_more_phases_those_are_told() -> None:
    bench = Bench(EACH)
    bench.quarter(0, (230_000, 0, 0))
    bench.quarter(1, (231_000, 231_000, 231_000))
    assert bench.block() == VoltageBlock(ORIGIN_MS + QUARTER_MS, (VoltageMean((231_000,) * 3, 0),))


def test_polls_that_are_brief_of_others_or_in_doubt_count_for_nothing() -> None:
    bench = Bench()
    bench.quarter(0)
    bench.poll(QUARTER_MS - 1, (200_000,), brief=True)
    bench.means.take(Reading("another", bench.now_ms, 1, 0, ((VALUES, b'{"voltage_a": 1000, "power": 1}'),)))
    bench.trusted = False
    bench.poll(QUARTER_MS - 1, (200_000,))
    bench.quarter(1)
    assert bench.block().means == (VoltageMean((230_000,), 0),)


def test_registers_that_are_not_wanted_are_not_decoded() -> None:
    """And those that are have the values that the whole poll has."""
    profile = load("sim-carbon-meter")
    points = [point for name, point in profile.points.items() if name in {*THREE.voltages, "power", "frequency"}]
    (block,) = profile.plan(points, "Asia/Shanghai")
    assert isinstance(block, ReadBlock)
    values = {
        "voltage_a": 230_001,
        "voltage_b": 229_002,
        "voltage_c": 231_003,
        "power": -7_000_010,
        "frequency": 49_990,
    }
    words = [0] * block.count
    for name, value in values.items():
        point = profile.points[name]
        assert isinstance(point, RegisterPoint)
        at = point.address - block.address
        words[at : at + point.count] = encode(point, value)
    data = b"".join(word.to_bytes(2, "big") for word in words)
    assert block.decode(data) == values
    del values["frequency"]
    means = MeterMeans(THREE)
    assert means.values([(block, data)]) == values
    assert means.values([(block, data)]) == values
