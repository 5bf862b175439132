"""A generating unit's energy and emission become one record, and nothing of either is lost."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import Meter
from agent.generation import ADJUSTED_BY, EMISSION_DIRECTION, MOST_PENDING, GeneratingUnit, own_schedule
from agent.journal import Append, Journal, to_row
from agent.journal_check import verify
from agent.metering import Metering, MeteringError
from agent.reading import Reading
from diantan_core import FactorSchedule
from profiles import load
from wire.domain import EMISSION_END_UG, check_record
from wire.records import (
    AdjustmentRecord,
    EventCode,
    EventRecord,
    FactorQuality,
    FreezeRecord,
    FreezeSource,
    IntervalRecord,
    Quality,
    Record,
)

START = 1_767_196_800_000  # a local midnight and the first of a month
SLOT = 900_000
KG = 10**12  # ng
UG_PER_KG = 10**9
DISPATCHED = FactorSchedule(default=581_000)  # what the node has, which says nothing of a unit


def unit(**settings: Any) -> GeneratingUnit:
    meter = Meter(id="g", profile="sim-grid-meter", role="generation", **{"rated_kw": Decimal(600_000), **settings})
    return GeneratingUnit(meter, load("sim-grid-meter").points["carbon_forward"], interval_ms=SLOT, timezone="UTC")


def reading(time_ms: int, forward: int, emission_kg: int | None = None, **more: Any) -> Reading:
    return Reading("g", time_ms, forward, 0, emission_ng=None if emission_kg is None else emission_kg * KG, **more)


def feed(one: GeneratingUnit, *readings: Reading) -> list[Record]:
    """Feed as a gateway does; the records must be able to travel."""
    records: list[Record] = []
    for taken in readings:
        if not one.doubts(taken):
            records += one.feed(taken, DISPATCHED)
    for record in records:
        check_record(record)
    return records


def of(kind: type[Any], records: list[Record]) -> list[Any]:
    return [record for record in records if isinstance(record, kind)]


def emitted_kg(records: list[Record]) -> Decimal:
    total = sum(record.carbon_forward_ug for record in of(IntervalRecord, records) + of(AdjustmentRecord, records))
    return Decimal(total) / UG_PER_KG


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


def test_one_poll_without_emission_is_left_aside() -> None:
    """The next one brings both, and the record is whole."""
    one = unit(poll_seconds=300)
    minute = 60_000
    polls = [reading(START, 0, 100), reading(START + 5 * minute, 5, 200), reading(START + 10 * minute, 10)]
    records = feed(one, *polls, reading(START + SLOT, 15, 400))
    (record,) = of(IntervalRecord, records)
    assert (record.forward_mwh, record.carbon_forward_ug) == (15, 300 * UG_PER_KG)
    assert record.quality == Quality.MEASURED


def test_energy_goes_on_alone_and_the_emission_is_settled_when_it_is_back() -> None:
    """Partial records without carbon, then an adjustment for each: energy and emission add up to the registers'."""
    one = unit()
    records = feed(one, reading(START, 0, 1000), *(reading(START + n * SLOT, 10 * n) for n in range(1, 5)))
    alone = of(IntervalRecord, records)
    assert [record.forward_mwh for record in alone] == [10] * 4
    assert {(record.carbon_forward_ug, record.quality) for record in alone} == {(0, Quality.PARTIAL)}
    assert alone[-1].carbon_forward_total_ug == alone[0].carbon_forward_total_ug == 1000 * UG_PER_KG
    more = feed(one, reading(START + 5 * SLOT, 50, 1500))
    settled = of(AdjustmentRecord, more)
    assert [(each.start_ms, each.duration_ms) for each in settled] == [
        (record.start_ms, record.duration_ms) for record in alone
    ]
    assert {(each.factor_used, each.factor_now, each.solve_id) for each in settled} == {(None, None, ADJUSTED_BY)}
    assert {each.carbon_forward_ug for each in settled} == {100 * UG_PER_KG}
    (record,) = of(IntervalRecord, more)
    assert (record.carbon_forward_ug, record.forward_mwh) == (100 * UG_PER_KG, 10)
    assert record.carbon_forward_total_ug == 1100 * UG_PER_KG  # as a late factor, a late emission rewrites no register
    assert emitted_kg(records + more) == 500


def test_a_freeze_without_emission_says_so() -> None:
    """Its source is partial."""
    midnight = START + 32 * 3_600_000  # of UTC, and no first of a month
    one = unit()
    feed(one, reading(midnight - 2 * SLOT, 0, 7))
    (freeze,) = of(FreezeRecord, feed(one, reading(midnight, 10)))
    assert (freeze.source, freeze.carbon_forward_total_ug) == (FreezeSource.GATEWAY_PARTIAL, 7 * UG_PER_KG)


def test_an_emission_register_that_never_answers_costs_no_energy() -> None:
    """From the second interval on every record is there, partial."""
    records = feed(unit(), *(reading(START + n * SLOT, 10 * n) for n in range(4)))
    assert [record.forward_mwh for record in of(IntervalRecord, records)] == [10, 10]
    assert {record.quality for record in of(IntervalRecord, records)} == {Quality.PARTIAL}


@pytest.mark.parametrize(
    ("registers", "settings", "code", "emission"),
    [
        ((999_000, 1_000), {"emission_rollover_kg": Decimal(1_000_000)}, EventCode.ROLLOVER, 2_000),
        ((999_000, 1_000), {}, EventCode.RESET, 0),
        ((1_000, 10**9), {}, EventCode.JUMP, 0),
    ],
)
def test_what_happens_to_the_emission_register_is_an_event(
    registers: tuple[int, int], settings: dict[str, Any], code: EventCode, emission: int
) -> None:
    """Of direction 3, in mg; the energy is counted all the same."""
    one = unit(**settings)
    records = one.feed(reading(START, 0, registers[0]), DISPATCHED)
    records += one.feed(reading(START + SLOT, 77, registers[1]), DISPATCHED)
    (event,) = of(EventRecord, records)
    assert event.code == code
    assert event.details == {1: registers[0] * 10**6, 2: registers[1] * 10**6, 3: EMISSION_DIRECTION}
    assert sum(record.forward_mwh for record in of(IntervalRecord, records)) == 77
    assert emitted_kg(records) == emission


def test_an_exchange_is_told_of_both_and_counted_of_neither() -> None:
    """One event for each register."""
    one = unit()
    records = feed(one, reading(START, 5, 9), reading(START + 60_000, 10**9, 1, exchanged=True))
    events = of(EventRecord, records)
    assert {event.code for event in events} == {EventCode.EXCHANGE}
    assert [event.details[3] for event in events] == [0, 1, EMISSION_DIRECTION]
    assert emitted_kg(records) == 0


def test_an_exchange_while_the_emission_lacks_is_remembered() -> None:
    """The new register's first value is no emission."""
    one = unit()
    feed(one, reading(START, 0, 9_000), reading(START + 2 * SLOT, 10, exchanged=True))
    again = unit()
    again.restore(one.take_state())
    records = feed(again, reading(START + 3 * SLOT, 20, 9_500))
    assert emitted_kg(records) == 0
    (event,) = of(EventRecord, records)
    assert (event.code, event.details[3]) == (EventCode.EXCHANGE, EMISSION_DIRECTION)


def test_energy_that_was_reset_keeps_the_emission() -> None:
    """An interval whose energy nobody knows is a partial record of its emission alone."""
    one = unit()
    records = one.feed(reading(START, 10**9, 0), DISPATCHED)
    records += one.feed(reading(START + 4 * SLOT, 5, 400), DISPATCHED)
    intervals = of(IntervalRecord, records)
    assert emitted_kg(records) == 400
    assert [record.start_ms for record in intervals] == [START + n * SLOT for n in range(4)]
    assert {record.forward_mwh for record in intervals} == {0}
    assert {record.forward_total_mwh for record in intervals} == {10**9}
    assert {record.quality for record in intervals} == {Quality.PARTIAL}


def test_an_odd_emission_is_borne_out_first() -> None:
    """A register that was wrong once changes nothing."""
    one, minute = unit(), 60_000
    kg = [1000, 1100, 3, 1300, 1400]
    records = feed(one, *(reading(START + n * minute, n, value) for n, value in enumerate(kg)))
    records += feed(one, reading(START + SLOT, 15, 2000))
    assert not of(EventRecord, records)
    assert emitted_kg(records) == 1000


def test_an_emission_that_no_register_holds_is_no_reading() -> None:
    """Beyond 64 bits of mg the energy goes on."""
    one = unit()
    one.feed(reading(START, 0, 1), DISPATCHED)
    (record,) = one.feed(reading(START + SLOT, 10, 10**13), DISPATCHED)
    assert isinstance(record, IntervalRecord)
    assert (record.forward_mwh, record.quality) == (10, Quality.PARTIAL)


def test_state_goes_on_after_a_restart() -> None:
    """Both integrators and the records that wait for their emission."""
    one = unit()
    records = feed(one, reading(START, 0, 1000), reading(START + 2 * SLOT, 20))
    two = unit()
    two.restore(one.take_state())
    records += feed(two, reading(START + 3 * SLOT, 30, 1300))
    assert emitted_kg(records) == 300
    assert sum(record.forward_mwh for record in of(IntervalRecord, records)) == 30


def test_a_meter_may_become_a_unit_and_cease_to_be_one() -> None:
    """Its energy goes on where it was."""
    plain = Metering(Meter(id="g", profile="sim-grid-meter"), interval_ms=SLOT, timezone="UTC")
    plain.feed(Reading("g", START, 100, 0), DISPATCHED)
    one = unit()
    one.restore(plain.take_state())
    records = feed(one, reading(START + SLOT, 150, 9_000))
    (record,) = of(IntervalRecord, records)
    assert (record.forward_mwh, record.quality) == (50, Quality.PARTIAL)
    again = Metering(Meter(id="g", profile="sim-grid-meter"), interval_ms=SLOT, timezone="UTC")
    again.restore(one.take_state())
    (after,) = again.feed(Reading("g", START + 2 * SLOT, 160, 0), DISPATCHED)
    assert isinstance(after, IntervalRecord)
    assert after.forward_mwh == 10


@pytest.mark.parametrize("stored", [b"junk", b"\x87\x02", b"\x81\x02"])
def test_a_damaged_state_names_the_meter(stored: bytes) -> None:
    """It is not silently begun anew."""
    with pytest.raises(MeteringError, match="meter g"):
        unit().restore(stored)


def test_a_leap_of_the_clock_breaks_off_what_waited() -> None:
    """The rise over it belongs to no record, and an event says so; energy is not lost."""
    one = unit()
    feed(one, reading(START, 0, 1000), reading(START + SLOT, 10))
    assert one.leap(-SLOT // 3, START + SLOT, DISPATCHED) == []
    records = feed(one, reading(START + 2 * SLOT, 20, 1400))
    (event,) = of(EventRecord, records)
    assert (event.code, event.details[3]) == (EventCode.JUMP, EMISSION_DIRECTION)
    assert sum(record.forward_mwh for record in of(IntervalRecord, records)) == 10


def test_a_leap_without_debts_loses_nothing() -> None:
    """Emission moves along with the energy."""
    one = unit()
    records = feed(one, reading(START + 60_000, 0, 1000), reading(START + SLOT - 60_000, 10, 1100))
    records += one.leap(10 * SLOT, START + 11 * SLOT - 60_000, DISPATCHED)
    records += feed(one, reading(START + 11 * SLOT, 20, 1200))
    assert emitted_kg(records) == 200
    assert sum(record.forward_mwh for record in of(IntervalRecord, records)) == 20
    assert {record.quality for record in of(IntervalRecord, records)} == {Quality.PARTIAL}


def test_what_waits_is_bounded() -> None:
    """After some ten days without emission its rise can't be shared out any more; that is told, not hidden."""
    one = unit()
    feed(one, reading(START, 0, 1000), *(reading(START + n * SLOT, n) for n in range(1, MOST_PENDING + 3)))
    assert len(one.take_state()) < 50_000
    records = feed(one, reading(START + (MOST_PENDING + 4) * SLOT, 10**4, 5000))
    assert not of(AdjustmentRecord, records)
    assert [event.code for event in of(EventRecord, records)] == [EventCode.JUMP]
    assert emitted_kg(records) == 0


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
