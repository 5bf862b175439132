"""Readings become records; the state goes with them."""

from decimal import Decimal
from typing import Any

import pytest

from agent.config import Meter
from agent.metering import Metering, MeteringError
from agent.reading import Reading
from diantan_core import FactorSchedule
from wire.records import (
    EventCode,
    EventRecord,
    FactorQuality,
    FreezeKind,
    FreezeRecord,
    FreezeSource,
    IntervalRecord,
)

START = 1_767_196_800_000  # a local midnight and the first of a month
SLOT = 900_000


def metering(**settings: Any) -> Metering:
    """Return a meter's integrator."""
    meter = Meter(id="m", profile="sim-carbon-meter", **settings)
    return Metering(meter, interval_ms=SLOT, timezone="Asia/Shanghai")


def reading(time_ms: int, forward: int, reverse: int = 0, **more: Any) -> Reading:
    """Return a reading."""
    return Reading("m", time_ms, forward, reverse, **more)


def test_an_interval_closes_with_the_reading_at_its_end() -> None:
    """Energies, carbon and totals agree; a reading exactly on the boundary freezes measured values."""
    one, schedule = metering(), FactorSchedule(default=500_000)
    assert one.feed(reading(START - SLOT, 10**9, 5), schedule) == []
    closed = one.feed(reading(START, 10**9 + 7_000_001, 8), schedule)
    interval, *freezes = closed
    assert isinstance(interval, IntervalRecord)
    assert (interval.start_ms, interval.duration_ms) == (START - SLOT, SLOT)
    assert (interval.forward_mwh, interval.reverse_mwh) == (7_000_001, 3)
    assert (interval.forward_total_mwh, interval.reverse_total_mwh) == (10**9 + 7_000_001, 8)
    assert (interval.factor, interval.factor_quality) == (500_000, FactorQuality.DEFAULT)
    assert interval.carbon_forward_ug == 7_000_001 * 500_000 // 1000
    assert [type(record) for record in freezes] == [FreezeRecord, FreezeRecord]
    assert {record.kind for record in freezes if isinstance(record, FreezeRecord)} == set(FreezeKind)
    assert all(isinstance(record, FreezeRecord) and record.time_ms == START for record in freezes)


def test_freezes_stand_behind_the_interval_that_they_close() -> None:
    """A day's gap: intervals and the freeze in the order of time; interpolated, since no reading was at midnight."""
    one, schedule = metering(), FactorSchedule(default=1)
    one.feed(reading(START - 3 * SLOT, 0), schedule)
    records = one.feed(reading(START + 3 * SLOT, 60), schedule)
    kinds = [type(record).__name__ for record in records]
    assert kinds == ["IntervalRecord"] * 3 + ["FreezeRecord"] * 2 + ["IntervalRecord"] * 3
    freeze = records[3]
    assert isinstance(freeze, FreezeRecord)
    assert freeze.source == FreezeSource.GATEWAY_INTERPOLATED
    assert freeze.forward_total_mwh == 30


def test_state_goes_on_after_a_restart() -> None:
    """Energy over the gap comes from the registers."""
    one, schedule = metering(), FactorSchedule(default=1)
    one.feed(reading(START + 1, 100), schedule)
    assert one.dirty
    assert one.unstored
    state = one.take_state()
    two = metering()
    two.restore(state)
    assert not two.unstored
    assert two.last_time_ms == START + 1
    records = two.feed(reading(START + 4 * SLOT, 500), schedule)
    assert sum(record.forward_mwh for record in records if isinstance(record, IntervalRecord)) == 400


def test_a_damaged_state_names_the_meter() -> None:
    """It is not silently begun anew."""
    with pytest.raises(MeteringError, match="meter m"):
        metering().restore(b"junk")


def test_meter_exchange_and_implausible_jump_are_events() -> None:
    """No energy is counted over either."""
    one, schedule = metering(rated_kw=Decimal(100)), FactorSchedule(default=1)
    one.feed(reading(START + 1, 10**9), schedule)
    records = one.feed(reading(START + 60_000, 5, exchanged=True), schedule)
    events = [record for record in records if isinstance(record, EventRecord)]
    assert {(event.code, event.meter) for event in events} == {(EventCode.EXCHANGE, "m")}
    assert {event.details[3]: (event.details[1], event.details[2]) for event in events} == {0: (10**9, 5), 1: (0, 0)}
    records = one.feed(reading(START + 120_000, 10**12), schedule)
    assert [record.code for record in records if isinstance(record, EventRecord)] == [EventCode.JUMP]
    records = one.feed(reading(START + SLOT, 10**12), schedule)
    assert [record.forward_mwh for record in records if isinstance(record, IntervalRecord)] == [0]


def test_a_register_that_was_wrong_for_a_while_brings_no_energy() -> None:
    """Once: nothing happened. For longer: it ends the segment, and the way back is a jump, rated power or not."""
    one, schedule = metering(), FactorSchedule(default=1)
    energies = [400_000_000, 0, 400_100_000, 0, 1, 400_200_000, 400_201_000]
    records = []
    for minute, energy in enumerate(energies):
        taken = reading(START + minute * 60_000, energy)
        if not one.doubts(taken):
            records += one.feed(taken, schedule)
    records += one.feed(reading(START + SLOT, 400_211_000), schedule)
    events = [record.code for record in records if isinstance(record, EventRecord)]
    assert events == [EventCode.RESET, EventCode.JUMP]
    intervals = [record.forward_mwh for record in records if isinstance(record, IntervalRecord)]
    assert intervals == [100_000 + 10_000]


def test_a_coarse_register_is_no_jump() -> None:
    """A kilowatt-hour register that steps between two polls a second apart."""
    one, schedule = metering(rated_kw=Decimal(7), poll_seconds=1), FactorSchedule(default=1)
    one.feed(reading(START + 1000, 5 * 10**6), schedule)
    assert one.feed(reading(START + 2000, 6 * 10**6), schedule) == []
