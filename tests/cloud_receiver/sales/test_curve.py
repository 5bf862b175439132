"""What records say of energy between instants: bounds that hold whatever the load did within a record."""

import random

import pytest
from sales_support import DAY_MS, HOUR_MS, KWH, SLOT_MS
from window_support import MEASURED, rows

from cloud_receiver.sales.curve import Curve, Row
from wire.records import Quality

POWER_MW = 60 * KWH


def at(hours: float) -> int:
    return DAY_MS + round(hours * HOUR_MS)


def test_whole_records_are_exact() -> None:
    curve = Curve(rows({0: 1, 1: 2, 2: 4, 3: 8}), POWER_MW)
    assert curve.bounds(at(0.25), at(0.75)) == (6 * KWH, 6 * KWH, 0)
    assert curve.bounds(at(0), at(24)) == (15 * KWH, 15 * KWH, 0)


def test_part_of_a_record_is_bounded_by_the_rated_power() -> None:
    curve = Curve(rows({0: 12}), POWER_MW)  # at most 1 kWh a minute
    assert curve.bounds(at(0), at(0) + 600_000) == (7 * KWH, 10 * KWH, 0)
    assert curve.bounds(at(0) + 60_000, at(0) + 120_000) == (0, KWH, 0)


def test_where_nothing_is_known_the_rated_power_is_the_bound() -> None:
    curve = Curve([row for row in rows({0: 1, 8: 1}, 12) if row.start_ms == at(0)], POWER_MW)
    assert curve.bounds(at(0), at(1)) == (KWH, 46 * KWH, 2_700_000)
    assert curve.bounds(at(5), at(6)) == (0, 60 * KWH, HOUR_MS)
    assert Curve([], POWER_MW).bounds(at(1), at(1)) == (0, 0, 0)


def test_a_register_that_goes_on_tells_the_energy_of_a_gap() -> None:
    found = [row for row in rows({0: 1, 2: 5, 3: 5, 8: 1}) if not at(0.25) <= row.start_ms < at(2)]
    curve = Curve(found, POWER_MW)
    assert curve.bounds(at(0), at(24)) == (12 * KWH, 12 * KWH, 0)
    assert curve.bounds(at(0.25), at(1)) == (0, 10 * KWH, 0)


@pytest.mark.parametrize(
    "broken", [{"journal": 2}, {"quality": int(Quality.PARTIAL)}, {"total_mwh": 0}], ids=["journal", "partial", "back"]
)
def test_a_register_that_does_not_tells_nothing(broken: dict[str, int]) -> None:
    first, *_, last = rows({0: 1, 4: 1}, 5)
    curve = Curve([first, last._replace(**broken)], POWER_MW)
    low, high, unknown = curve.bounds(at(0), at(1.25))
    assert (low, unknown) == (2 * KWH, 2_700_000)
    assert high >= 47 * KWH


def test_of_records_that_overlap_each_time_counts_once() -> None:
    curve = Curve([*rows({0: 1}, 2), Row(DAY_MS, DAY_MS + SLOT_MS, KWH, KWH, 2, MEASURED)], POWER_MW)
    assert curve.bounds(at(0), at(0.5)).high == KWH


def test_bounds_hold_for_any_load_within_the_records() -> None:
    draw = random.Random(7)
    for _ in range(200):
        minutes = [draw.choice([0, 0, 1]) * draw.uniform(0, 1) for _ in range(120)]  # kWh a minute
        energies = {slot: sum(minutes[slot * 15 : slot * 15 + 15]) for slot in range(8)}
        found = [row for row in rows(energies, 8) if draw.random() < 0.8]
        first = draw.randrange(0, 119)
        end = draw.randrange(first, 121)
        low, high, _ = Curve(found, POWER_MW).bounds(DAY_MS + first * 60_000, DAY_MS + end * 60_000)
        true = sum(minutes[first:end]) * KWH
        assert low - 10 <= true <= high + 10  # registers of the test are cut to 1 mWh


def test_edges_are_ends_of_records_and_not_of_gaps() -> None:
    curve = Curve([rows({}, 1)[0], rows({}, 1, first=3)[0]], POWER_MW)
    assert curve.edges(at(0), at(1)) == [at(0), at(0.25), at(0.75), at(1)]
    assert curve.edges(at(0.1), at(0.7)) == [at(0.25)]


def test_of_a_stretch_without_readings_only_the_whole_is_known() -> None:
    poor = {1: Quality.INTERPOLATED, 2: Quality.ESTIMATED, 3: Quality.ESTIMATED, 4: Quality.INTERPOLATED}
    found = [
        row._replace(quality=int(poor.get(place, Quality.MEASURED)))
        for place, row in enumerate(rows(dict.fromkeys(range(6), 5), 6))
    ]
    curve = Curve(found, POWER_MW)
    assert curve.bounds(at(0.25), at(1.25)) == (20 * KWH, 20 * KWH, 0)
    # All of it may have been in any half an hour, or none.
    assert curve.bounds(at(0.5), at(1)) == (0, 20 * KWH, 0)
    assert curve.bounds(at(1.25), at(1.5)) == (5 * KWH, 5 * KWH, 0)
    assert curve.edges(at(0), at(1.5)) == [at(0), at(0.25), at(1.25), at(1.5)]
    others = [row._replace(journal=2) if place > 2 else row for place, row in enumerate(found)]
    assert Curve(others, POWER_MW).bounds(at(0.25), at(0.75)) == (10 * KWH, 10 * KWH, 0)


def test_a_stretch_without_readings_that_goes_on_beyond_the_records_is_not_known() -> None:
    poor = [row._replace(quality=int(Quality.ESTIMATED)) for row in rows(dict.fromkeys(range(4), 2))]
    after = rows({4: 2}, 1, first=4)
    for found in ([*poor[:4], *after], [*rows({0: 2}, 1), *poor[1:4]]):
        low, high, _ = Curve(found, POWER_MW).bounds(at(0), at(1))
        assert low <= 2 * KWH
        assert high >= 45 * KWH
    whole = Curve([*rows({0: 2}, 1), *poor[1:4], *after], POWER_MW)
    assert whole.bounds(at(0), at(1)) == (8 * KWH, 8 * KWH, 0)
