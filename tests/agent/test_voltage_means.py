"""Means of voltage and power by quarter of an hour: which polls make them, and when they are told."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config_file import load_config
from agent.reading import Reading
from agent.voltage_means import MeterMeans, MeterPoints, VoltageMeans, meter_points
from profiles import load
from profiles.modbus.codec import encode
from profiles.modbus.model import RegisterPoint
from profiles.modbus.plan import ReadBlock
from profiles.model import CodecError
from wire.records import EventCode, EventRecord
from wire.voltage_means import QUARTER_MS, VoltageBlock, VoltageMean

HOUR_MS = 3_600_000
ORIGIN_MS = 1_767_196_800_000  # 2026-01-01T00:00:00+08:00
ONE = MeterPoints(("voltage_a",), ("power",))
THREE = MeterPoints(("voltage_a", "voltage_b", "voltage_c"), ("power",))
GRID = replace(THREE, by_phase=True)


@dataclass(frozen=True)
class Named:
    """A point of which only the name counts here."""

    name: str


@dataclass(frozen=True)
class Poll:
    """A request whose octets are its values in JSON."""

    names: tuple[str, ...]

    @property
    def points(self) -> Any:
        """What it brings."""
        return tuple(Named(name) for name in self.names)

    def decode(self, reply: bytes) -> dict[str, int]:
        """Return the values; octets that are none raise CodecError."""
        try:
            return dict(json.loads(reply))
        except ValueError as error:
            raise CodecError("no values") from error


ENERGY = Poll(("energy_forward",))
VALUES = Poll(("voltage_a", "voltage_b", "voltage_c", "power", "power_a", "power_b", "power_c"))


@dataclass
class Bench:
    """The means of one meter, and what they told."""

    points: MeterPoints = ONE
    timezone: str = "Asia/Shanghai"
    told: list[EventRecord] = field(default_factory=list)
    room: bool = True
    trusted: bool = True
    now_ms: int = ORIGIN_MS

    def __post_init__(self) -> None:
        self.means = VoltageMeans(
            {"m": self.points},
            self.timezone,
            now_ms=lambda: self.now_ms,
            tell=self.told.append,
            has_room=lambda: self.room,
            trusted=lambda: self.trusted,
        )

    def poll(self, at_ms: int, voltages: Iterable[int] = (230_000,), power: int | None = 0, **more: Any) -> None:
        """Bring a poll, so many ms after the origin."""
        self.now_ms = ORIGIN_MS + at_ms
        values = dict(zip(("voltage_a", "voltage_b", "voltage_c"), voltages, strict=False))
        if power is not None:
            values["power"] = power
        blocks = ((ENERGY, b'{"energy_forward": 1}'), (VALUES, json.dumps(values).encode()))
        self.means.take(Reading("m", self.now_ms, 1, 0, more.pop("blocks", blocks), **more))

    def quarter(self, number: int, voltages: Iterable[int] = (230_000,), power: int = 0) -> None:
        """Bring a poll in each half of a quarter, counted from the origin."""
        found = tuple(voltages)
        for half in (0, 1):
            self.poll(number * QUARTER_MS + half * QUARTER_MS // 2, found, power)

    def over(self) -> None:
        """Let time pass without a poll, until every block is over."""
        self.now_ms += 6 * HOUR_MS
        self.means.tell_due()

    def block(self) -> VoltageBlock:
        """Return the one block that is told."""
        self.over()
        (event,) = self.told
        return VoltageBlock.from_details(event.details)


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


@pytest.mark.parametrize(
    ("points", "voltages", "expected"),
    [
        (ONE, (230_000,), (230_000,)),
        (THREE, (230_000, 231_000, 230_500), (230_500,)),
        (THREE, (230_000, 0, 0), (230_000,)),
        (THREE, (230_000, 2_300, 900), (230_000,)),  # what open inputs pick up
        (THREE, (230_000, -1, 232_000), (231_000,)),
        (THREE, (230_000,), (230_000,)),  # the meter has no value for the others
        (GRID, (230_000, 231_000, 230_500), (230_000, 231_000, 230_500)),
        (GRID, (230_000, 231_000, 0), (230_500,)),
        (GRID, (0, 231_000, 0), (231_000,)),
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
    bench = Bench(GRID)
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
    means = MeterMeans(GRID)
    means.begin(0)
    found = [(at_ms, voltages, power % 10**9) for at_ms, voltages, power in found]
    for at_ms, voltages, power in found:
        named = dict(zip(GRID.voltages, voltages, strict=True))
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


@pytest.mark.parametrize(
    ("profile", "keys", "expected"),
    [
        ("sim-carbon-meter", "", THREE),
        ("sim-charger", 'role = "auxiliary"', THREE),
        ("sim-carbon-meter", 'role = "grid"', GRID),
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
