"""Carbon of device, gateway and centre against each other."""

from dataclasses import replace
from typing import Any

import pytest
from checks_support import GRACE_MS, KWH, SLOTS, Centre
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, interval, station_model
from sqlalchemy import Engine

from cloud_receiver.checks.parties import deviating
from cloud_receiver.findings import Finding
from cloud_receiver.registry import Registry
from wire.records import EventCode, EventRecord, FreezeKind, FreezeRecord, FreezeSource, IntervalRecord, Record

MIDNIGHT = DAY_MS + SLOTS * SLOT_MS
DAY_UG = 96 * FACTOR * 1000  # 1 kWh in each slot


@pytest.mark.parametrize(
    ("values", "who"),
    [
        ((100, 100, 100), None),
        ((109, 100, 100), None),
        ((111, 100, 100), "device"),
        ((100, 120, 100), "gateway"),
        ((120, 120, 100), "centre"),
        ((140, 120, 100), "all three"),
        ((110, 105, 100), None),
        ((100, 120, None), "device or gateway"),
        ((100, 109, None), None),
    ],
)
def test_who_deviates_from_the_other_two(values: tuple[int, int, int | None], who: str | None) -> None:
    assert deviating(*values, 10, 1) == who


@pytest.fixture
def centre(engine: Engine, gateway: FakeGateway) -> Centre:
    station = station_model(1)
    result = Centre(engine, gateway, Registry(station=(station.model_copy(update={"meter": station.meter[:1]}),)))
    result.clock.wall_ms = MIDNIGHT + SLOT_MS + GRACE_MS
    result.dispatch(dict.fromkeys(range(-1, SLOTS + 1), FACTOR))
    return result


def frozen(time_ms: int, energy: int, carbon: int, *, own: bool) -> FreezeRecord:
    source = FreezeSource.METER if own else FreezeSource.GATEWAY_MEASURED
    return FreezeRecord("C01", time_ms, FreezeKind.DAILY, energy, 0, carbon, 0, source)


def shifted(record: IntervalRecord, slots: int) -> IntervalRecord:
    """Return a record of a register that begins with 1 kWh, as of the slot before the day."""
    return replace(
        record,
        start_ms=record.start_ms + slots * SLOT_MS,
    )


def day(device_ug: int, *, intervals: list[IntervalRecord] | None = None, first: int = 777) -> list[Record]:
    """Return a day whose meter's own carbon register rose by `device_ug`, and the slots around it."""
    records = intervals or [shifted(interval(number), -1) for number in range(98)]
    begin = next(each for each in records if each.start_ms + SLOT_MS == DAY_MS)
    end = next(each for each in records if each.start_ms + SLOT_MS == MIDNIGHT)
    return [
        *records,
        frozen(DAY_MS, begin.forward_total_mwh, begin.carbon_forward_total_ug, own=False),
        frozen(DAY_MS, begin.forward_total_mwh, first, own=True),
        frozen(MIDNIGHT, end.forward_total_mwh, end.carbon_forward_total_ug, own=False),
        frozen(MIDNIGHT, end.forward_total_mwh, first + device_ug, own=True),
    ]


def party(centre: Centre, kind: str = "carbon_party_day") -> list[Finding]:
    return [item for item in centre.check() if item.kind == kind]


def first(item: Finding) -> dict[str, Any]:
    details = item.evidence["details"]
    assert isinstance(details, list)
    return dict(details[0])


def test_a_device_that_counts_alike_is_no_finding(centre: Centre) -> None:
    centre.store(day(DAY_UG))
    assert centre.check() == []


def test_a_device_with_another_factor_deviates(centre: Centre) -> None:
    centre.store(day(DAY_UG * 11 // 10))
    (item,) = party(centre)
    assert (item.meter, item.day_ms, item.severity) == ("C01", DAY_MS, "warning")
    found = first(item)
    assert (found["deviates"], found["direction"]) == ("device", "forward")
    assert (found["device_ug"], found["gateway_ug"], found["centre_ug"]) == (DAY_UG * 11 // 10, DAY_UG, DAY_UG)


def test_the_tolerance_is_of_midnights_steps_and_records(centre: Centre) -> None:
    # Two midnights of 2 kWh between readings, 60 kW for 2 s and two steps of 0.01 kWh; 0.02 kg; 96 records.
    edges = 2 * (2 * KWH + 33_333 + 20_000) * FACTOR // 1000
    tolerance = edges + 20_000_000 + 96
    centre.store(day(DAY_UG + tolerance))
    assert party(centre) == []
    centre.store([replace(day(DAY_UG)[-1], carbon_forward_total_ug=777 + DAY_UG + tolerance + 2)])
    (item,) = party(centre)
    assert first(item)["tolerance_ug"] == tolerance


def test_a_gateway_that_used_another_factor_deviates(centre: Centre) -> None:
    wrong = [shifted(interval(number, factor=FACTOR + 60_000), -1) for number in range(98)]
    centre.store(day(DAY_UG, intervals=wrong))
    (item,) = party(centre)
    assert first(item)["deviates"] == "gateway"


def test_a_factor_that_neither_used_shows_at_the_centre(centre: Centre) -> None:
    wrong = [shifted(interval(number, factor=FACTOR + 60_000), -1) for number in range(98)]
    centre.store(day(96 * (FACTOR + 60_000) * 1000, intervals=wrong))
    (item,) = party(centre)
    assert first(item)["deviates"] == "centre"
    assert first(item)["centre_ug"] == DAY_UG


def test_without_all_records_registers_tell_two_of_them_apart(centre: Centre) -> None:
    some = [shifted(interval(number), -1) for number in range(98) if number not in range(30, 35)]
    centre.store(day(DAY_UG * 12 // 10, intervals=some))
    (item,) = party(centre)
    found = first(item)
    assert (found["deviates"], found["centre_ug"], found["gateway_ug"]) == ("device or gateway", None, DAY_UG)


def test_a_meter_that_freezes_no_carbon_has_nothing_of_its_own(centre: Centre) -> None:
    records = day(DAY_UG)
    same = [
        replace(each, carbon_forward_total_ug=records[place - 1].carbon_forward_total_ug)
        if isinstance(each, FreezeRecord) and each.source == FreezeSource.METER
        else each
        for place, each in enumerate(records)
    ]
    centre.store(same)
    assert centre.check() == []


@pytest.mark.parametrize("code", [EventCode.RESET, EventCode.EXCHANGE])
def test_registers_that_began_anew_are_not_compared(centre: Centre, code: EventCode) -> None:
    centre.store([*day(DAY_UG * 2), EventRecord("C01", DAY_MS + SLOT_MS, code)])
    assert party(centre) == []


def test_a_month_is_compared_by_its_own_freezes(engine: Engine, gateway: FakeGateway) -> None:
    """Of a month of which the centre has its last day alone, the registers of meter and gateway are compared."""
    station = station_model(1, since="2026-06-30T00:00:00+08:00")
    centre = Centre(engine, gateway, Registry(station=(station.model_copy(update={"meter": station.meter[:1]}),)))
    centre.clock.wall_ms = DAY_MS + SLOT_MS + GRACE_MS
    centre.dispatch(dict.fromkeys(range(-97, 2), FACTOR))
    june = DAY_MS - 30 * SLOTS * SLOT_MS
    last_day = [shifted(interval(number), -97) for number in range(99)]
    early = [shifted(interval(number), -30 * SLOTS - 2) for number in range(3)]
    begin, end = early[1], next(each for each in last_day if each.start_ms + SLOT_MS == DAY_MS)
    centre.store(
        [
            *early,
            frozen(june, begin.forward_total_mwh, begin.carbon_forward_total_ug, own=False),
            frozen(june, begin.forward_total_mwh, 500, own=True),
            *last_day,
            frozen(DAY_MS, end.forward_total_mwh, end.carbon_forward_total_ug, own=False),
            frozen(DAY_MS, end.forward_total_mwh, 10**11, own=True),
        ]
    )
    (item,) = party(centre, "carbon_party_month")
    assert item.day_ms == june
    assert first(item)["deviates"] == "device or gateway"
    assert first(item)["device_ug"] == 10**11 - 500


def test_a_carbon_register_that_never_counted_is_not_compared(centre: Centre) -> None:
    centre.store(day(0, first=0))
    assert party(centre) == []


def test_a_carbon_register_that_stands_still_deviates(centre: Centre) -> None:
    centre.store(day(0, first=5))
    (item,) = party(centre)
    assert (first(item)["deviates"], first(item)["device_ug"]) == ("device", 0)
