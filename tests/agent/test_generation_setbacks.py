"""A generating unit whose emission is late, lacks or jumps, whose meter is exchanged, whose gateway starts anew."""

from decimal import Decimal
from typing import Any

import pytest
from generation_support import DISPATCHED, SLOT, START, UG_PER_KG, emitted_kg, feed, of, reading, unit

from agent.config import Meter
from agent.generation import ADJUSTED_BY, EMISSION_DIRECTION, MOST_PENDING
from agent.metering import Metering, MeteringError
from agent.reading import Reading
from wire.records import (
    AdjustmentRecord,
    EventCode,
    EventRecord,
    FreezeRecord,
    FreezeSource,
    IntervalRecord,
    Quality,
)


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
