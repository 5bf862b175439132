"""A generating unit's energy and emission become one record, and nothing of either is lost."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from generation_support import DISPATCHED, SLOT, START, UG_PER_KG, emitted_kg, feed, of, reading, unit
from hypothesis import given
from hypothesis import strategies as st

from agent.config import Meter
from agent.generation import own_schedule
from agent.journal import Journal
from agent.journal_check import verify
from agent.journal_entry import Append, to_row
from agent.metering import Metering
from agent.reading import Reading
from wire.domain import EMISSION_END_UG
from wire.records import (
    AdjustmentRecord,
    EventRecord,
    FactorQuality,
    FreezeRecord,
    FreezeSource,
    IntervalRecord,
    Quality,
)


def test_one_record_has_the_energy_and_what_the_emission_register_measured() -> None:
    """No factor was applied, so none is said to have been; the total is the register's."""
    records = feed(unit(), reading(START, 10**12, 5_000_000), reading(START + SLOT, 10**12 + 150 * 10**9, 5_123_000))
    (record,) = of(IntervalRecord, records)
    assert (record.forward_mwh, record.carbon_forward_ug) == (150 * 10**9, 123_000 * UG_PER_KG)
    assert (record.factor, record.factor_quality) == (None, FactorQuality.UNDEFINED)
    assert record.carbon_forward_total_ug == 5_123_000 * UG_PER_KG
    assert record.forward_total_mwh == 10**12 + 150 * 10**9
    assert (record.carbon_reverse_ug, record.carbon_reverse_total_ug) == (0, 0)
    assert record.quality == Quality.INTERPOLATED  # of two readings a quarter of an hour apart


@pytest.mark.parametrize("late_ms", [(0, 0, 0, 0), (4000, 4000, 4000, 4000), (3000, 0, 250_000, 1), (1, 2, 9000, 7)])
def test_an_emission_read_after_the_energies_is_of_its_own_time(late_ms: tuple[int, ...]) -> None:
    """1 kg a second and 1 kWh a second: however late each reply, each quarter of an hour has 1 kg for each kWh."""
    one = unit()
    times = [START + 100, START + 300_000, START + SLOT - 2000, START + SLOT + 298_000, START + 2 * SLOT]
    readings = [
        Reading("g", time, (time - START) * 1000, 0, emission_ng=(time + late - START) * 10**9, emission_ms=time + late)
        for time, late in zip(times, (0, *late_ms), strict=True)
    ]
    whole = of(IntervalRecord, feed(one, *readings))
    assert [(record.start_ms, record.duration_ms) for record in whole] == [
        (START, SLOT),
        (START + SLOT, SLOT),
    ]
    assert [record.forward_mwh for record in whole] == [(SLOT - 100) * 1000, SLOT * 1000]
    assert [record.carbon_forward_ug for record in whole] == [(SLOT - 100) * 10**6, SLOT * 10**6]


def test_a_poll_on_both_sides_of_an_intervals_end_is_left_aside() -> None:
    """Flow ends a minute before: neither energy nor emission gets into the next quarter of an hour."""
    one = unit()
    minute = 60_000
    polls = [
        reading(START, 0, 0, emission_ms=START + 500),
        reading(START + 14 * minute, 14, 28, emission_ms=START + 14 * minute + 500),
        reading(START + SLOT - 100, 14, 28, emission_ms=START + SLOT + 400),
        reading(START + SLOT + minute, 14, 28, emission_ms=START + SLOT + minute + 500),
    ]
    assert [one.doubts(taken) or not one.feed(taken, DISPATCHED) for taken in polls[:3]] == [True, True, True]
    (record,) = of(IntervalRecord, feed(one, polls[3]))
    assert (record.start_ms, record.forward_mwh, record.carbon_forward_ug) == (START, 14, 28 * UG_PER_KG)


def test_polls_that_all_straddle_lose_nothing() -> None:
    """After an interval without a whole poll, the emission counts with the energies' time."""
    one = unit()
    times = [START, *(START + n * SLOT - 1 for n in range(1, 9))]
    records = feed(one, *(reading(time, n, n, emission_ms=time + 2) for n, time in enumerate(times)))
    records += feed(one, reading(START + 8 * SLOT + 60_000, 9, 9), reading(START + 9 * SLOT, 9, 9))
    assert emitted_kg(records) == 9
    assert sum(record.forward_mwh for record in of(IntervalRecord, records)) == 9
    spans = [(record.start_ms, record.duration_ms) for record in of(IntervalRecord, records)]
    assert spans == [(START + n * SLOT, SLOT) for n in range(9)]


def test_a_clock_that_is_set_leaves_energy_and_emission_in_the_same_intervals() -> None:
    """The emission of the last poll goes where its energies go, though it was read after them."""
    one = unit()
    feed(one, *(reading(START + n, n, n, emission_ms=START + n + 5000) for n in (0, 60_000)))
    leapt = one.leap(3 * SLOT - 61_000, START + 3 * SLOT - 1000, DISPATCHED)
    assert [record.start_ms for record in of(IntervalRecord, leapt)] == [START]
    records = feed(one, reading(START + 4 * SLOT, 120_000, 120_000))
    spans = [
        (record.start_ms, record.forward_mwh > 0, record.carbon_forward_ug > 0)
        for record in of(IntervalRecord, records)
    ]
    assert spans == [(START + 2 * SLOT, True, True), (START + 3 * SLOT, True, True)]


def test_a_freeze_has_both_totals() -> None:
    """At midnight between two readings, in the order of time."""
    midnight = START + 32 * 3_600_000  # of UTC, and no first of a month
    records = feed(unit(), reading(midnight - SLOT, 0, 1000), reading(midnight + SLOT, 10**9, 3000))
    assert [type(record) for record in records] == [IntervalRecord, FreezeRecord, IntervalRecord]
    (freeze,) = of(FreezeRecord, records)
    assert (freeze.time_ms, freeze.forward_total_mwh) == (midnight, 10**9 // 2)
    assert freeze.carbon_forward_total_ug == 2000 * UG_PER_KG
    assert freeze.source == FreezeSource.GATEWAY_INTERPOLATED


def test_megatonnes_fit_and_the_total_starts_again_at_two_megatonnes() -> None:
    """The register of an old plant, 40 Mt: increments stay exact where the total of the records passes its end."""
    register = 40 * 10**9 - 50_000  # kg: 40 Mt is a multiple of the total's end
    records = feed(unit(), *(reading(START + n * SLOT, 0, register + 100_000 * n) for n in range(3)))
    first, second = of(IntervalRecord, records)
    assert (first.carbon_forward_ug, second.carbon_forward_ug) == (100_000 * UG_PER_KG,) * 2
    assert (first.carbon_forward_total_ug, second.carbon_forward_total_ug) == (50_000 * UG_PER_KG, 150_000 * UG_PER_KG)
    assert EMISSION_END_UG == 2 * 10**9 * UG_PER_KG


def test_a_unit_with_a_known_factor_uses_that_and_not_the_node_s() -> None:
    """Default quality, and carbon = energy x factor."""
    meter = Meter(id="g", profile="sim-grid-meter", role="generation", emission_factor=Decimal("0.82"))
    one = Metering(meter, interval_ms=SLOT, timezone="UTC", schedule=own_schedule(meter))
    one.feed(Reading("g", START, 0, 0), DISPATCHED)
    (record,) = one.feed(Reading("g", START + SLOT, 150 * 10**9, 0), DISPATCHED)
    assert isinstance(record, IntervalRecord)
    assert (record.factor, record.factor_quality) == (820_000, FactorQuality.DEFAULT)
    assert record.carbon_forward_ug == 150 * 10**9 * 820
    assert one.own_factor


@pytest.mark.parametrize("wrong_ug", [0, 1])
def test_a_journal_is_checked_over_the_end_of_the_total(tmp_path: Path, wrong_ug: int) -> None:
    """`journal verify` knows where the cumulative emission starts again, and finds one that does not go on."""
    records = feed(unit(), *(reading(START + n * SLOT, n, 2 * 10**9 - 150_000 + 100_000 * n) for n in range(4)))
    first, second, third = of(IntervalRecord, records)
    third = replace(third, carbon_forward_total_ug=third.carbon_forward_total_ug + wrong_ug)
    journal = Journal.open(tmp_path / "journal.db", now_ms=START, entropy=bytes)
    journal.commit([Append([to_row(record) for record in (first, second, third)])])
    journal.close()
    assert [total.carbon_forward_total_ug // UG_PER_KG for total in (first, second, third)] == [
        1_999_950_000,
        50_000,
        150_000,
    ]
    assert len(verify(tmp_path / "journal.db").problems) == wrong_ug


polls = st.lists(
    st.tuples(st.integers(1, 3 * SLOT), st.integers(0, 10**8), st.integers(0, 10**14), st.booleans(), st.booleans()),
    min_size=1,
    max_size=40,
)


@given(polls)
def test_energies_and_emissions_add_up_to_the_registers(steps: list[tuple[int, int, int, bool, bool]]) -> None:
    """Whatever polls lacked the emission, and wherever the gateway was restarted: to the mg, at every complete reading.

    The totals of the records go on from one to the next, and the adjustments bring what they lacked.
    """
    one = unit(rated_kw=Decimal(10**9))
    time_ms, energy, emission = START, 10**6, 3 * 10**20
    records = list(feed(one, Reading("g", time_ms, energy, 0, emission_ng=emission)))
    for wait_ms, rise_mwh, rise_ng, has_emission, restarts in steps:
        time_ms, energy, emission = time_ms + wait_ms, energy + rise_mwh, emission + rise_ng
        records += feed(one, Reading("g", time_ms, energy, 0, emission_ng=emission if has_emission else None))
        if restarts:
            state = one.take_state()
            one = unit(rated_kw=Decimal(10**9))
            one.restore(state)
    end_ms = (time_ms // SLOT + 1) * SLOT
    records += feed(one, Reading("g", end_ms, energy, 0, emission_ng=emission))
    intervals = of(IntervalRecord, records)
    assert not of(EventRecord, records)
    assert sum(record.forward_mwh for record in intervals) == energy - 10**6
    settled = of(AdjustmentRecord, records)
    total_ug = sum(record.carbon_forward_ug for record in [*intervals, *settled])
    assert total_ug == (emission // 10**6 - 3 * 10**14) * 1000
    spans = [(record.start_ms, record.duration_ms) for record in intervals]
    assert spans == sorted(set(spans))
    lacking = [span for span, record in zip(spans, intervals, strict=True) if record.quality == Quality.PARTIAL]
    assert {(each.start_ms, each.duration_ms) for each in settled} <= set(lacking)
    chain = 3 * 10**20 // 1000 % EMISSION_END_UG
    for record in intervals:
        chain = (chain + record.carbon_forward_ug) % EMISSION_END_UG
        assert record.carbon_forward_total_ug == chain


@given(st.lists(st.tuples(st.integers(1, 2 * SLOT), st.integers(0, 10**15)), min_size=1, max_size=30), st.data())
def test_records_don_t_depend_on_which_polls_were_missed(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    """A split of a straight line: polls on it change nothing but the number of readings."""
    rate = 7 * 10**9  # ng a ms
    times = sorted(
        {START, START + 40 * SLOT, *(START + sum(wait for wait, _ in steps[: n + 1]) for n in range(len(steps)))}
    )
    some = [time for time in times if time in (times[0], times[-1]) or data.draw(st.booleans())]
    sums = []
    for chosen in (times, some):
        one = unit(rated_kw=Decimal(10**9))
        records = feed(one, *(Reading("g", time, 0, 0, emission_ng=rate * (time - START)) for time in chosen))
        sums.append({record.start_ms: record.carbon_forward_ug for record in of(IntervalRecord, records)})
    assert sums[0].keys() == sums[1].keys()
    # Each reading is floored to 1 mg, and so are both ends of a share.
    assert all(abs(sums[0][start] - sums[1][start]) <= 2_000 for start in sums[0])
