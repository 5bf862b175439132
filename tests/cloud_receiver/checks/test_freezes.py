"""A meter's own freeze beside the gateway's: both kept, and compared as closely as interpolation allows."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from intake_support import Bench, Message
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, interval
from sqlalchemy import Engine

from cloud_receiver import database, findings, schema
from cloud_receiver.checks.freezes import FreezeRow, around, preferred
from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.checks.runner import Runner
from cloud_receiver.config import Checks
from cloud_receiver.findings import Finding
from cloud_receiver.registry import Registry
from wire.records import (
    EventCode,
    EventRecord,
    FreezeKind,
    FreezeRecord,
    FreezeSource,
    IntervalRecord,
    Quality,
    Record,
)

MIDNIGHT = DAY_MS + 96 * SLOT_MS
SECOND = MIDNIGHT + 96 * SLOT_MS
KWH = 1_000_000
REST = 33_333 + 20_000  # 60 kW for 2 s, and two register steps of 0.01 kWh


@pytest.fixture
def bench(engine: Engine) -> Bench:
    bench = Bench(engine)
    bench.clock.wall_ms = SECOND + 4 * SLOT_MS
    return bench


def frozen(
    forward: int,
    source: FreezeSource = FreezeSource.METER,
    *,
    time_ms: int = MIDNIGHT,
    reverse: int = 0,
    meter: str = "C01",
    kind: FreezeKind = FreezeKind.DAILY,
) -> FreezeRecord:
    # As the intervals have it, at their one factor.
    return FreezeRecord(meter, time_ms, kind, forward, reverse, forward * FACTOR // 1000, 0, source)


def slots(first: int, last: int, *, energy: int = KWH, meter: str = "C01", readings: int = 15) -> list[IntervalRecord]:
    return [replace(interval(number, meter, energy=energy), readings=readings) for number in range(first, last + 1)]


class Sender:
    """Sends records with ascending sequences."""

    def __init__(self, bench: Bench, gateway: FakeGateway) -> None:
        self.bench, self.gateway, self.next = bench, gateway, 1

    def send(self, *records: Record, context: bytes | None = None) -> None:
        self.bench.take(Message(self.gateway.topic, self.gateway.envelope(self.next, list(records), context=context)))
        self.next += len(records)


@pytest.fixture
def sender(bench: Bench, gateway: FakeGateway) -> Sender:
    return Sender(bench, gateway)


def check(bench: Bench, registry: Registry) -> list[Finding]:
    asyncio.run(Runner(bench.engine, registry, bench.clock, Checks(grace_minutes=100_000)).round())
    with database.reading(bench.engine) as connection:
        return [item for item in findings.listed(connection) if item.kind == "freeze_difference"]


def details(item: Finding) -> list[dict[str, Any]]:
    found = item.evidence["details"]
    assert isinstance(found, list)
    return found


def test_both_freezes_of_a_midnight_are_kept(sender: Sender, bench: Bench) -> None:
    sender.send(frozen(96 * KWH, FreezeSource.GATEWAY_MEASURED), frozen(95_990_000))
    rows = bench.rows(schema.freeze)
    assert [(row.time_ms, row.source, row.forward_total_mwh) for row in rows] == [
        (MIDNIGHT, FreezeSource.GATEWAY_MEASURED, 96 * KWH),
        (MIDNIGHT, FreezeSource.METER, 95_990_000),
    ]


@pytest.mark.parametrize(
    ("beyond", "found"), [(0, 0), (1, 1), (-2 * (2 * KWH + REST), 0), (-2 * (2 * KWH + REST) - 1, 1)]
)
def test_they_may_differ_by_the_energy_between_the_readings_around_midnight(
    sender: Sender, bench: Bench, registry: Registry, beyond: int, found: int
) -> None:
    own = 96 * KWH + 2 * KWH + REST + beyond
    sender.send(*slots(94, 97), frozen(96 * KWH, FreezeSource.GATEWAY_MEASURED), frozen(own))
    assert len(check(bench, registry)) == found


def test_a_finding_says_what_differs(sender: Sender, bench: Bench, registry: Registry) -> None:
    sender.send(*slots(94, 97), frozen(96 * KWH, FreezeSource.GATEWAY_INTERPOLATED), frozen(90 * KWH, reverse=3 * KWH))
    (item,) = check(bench, registry)
    assert (item.meter, item.severity, item.day_ms, item.last_ms) == ("C01", "warning", DAY_MS, MIDNIGHT)
    assert details(item) == [
        {
            "start": "2026-07-02T00:00:00+08:00",
            "direction": "forward",
            "meter_mwh": 90 * KWH,
            "gateway_mwh": 96 * KWH,
            "gateway_source": "gateway_interpolated",
            "difference_mwh": -6 * KWH,
            "tolerance_mwh": 2 * KWH + REST,
        },
        {
            "start": "2026-07-02T00:00:00+08:00",
            "direction": "reverse",
            "meter_mwh": 3 * KWH,
            "gateway_mwh": 0,
            "gateway_source": "gateway_interpolated",
            "difference_mwh": 3 * KWH,
            "tolerance_mwh": REST,
        },
    ]


@pytest.mark.parametrize(
    "case",
    [
        (FreezeSource.GATEWAY_MEASURED, 15, 2_500_000),  # 60 kW for 150 s: readings a minute apart
        (FreezeSource.GATEWAY_MEASURED, 900, 2 * KWH),  # 60 kW for 120 s
        (FreezeSource.GATEWAY_INTERPOLATED, 15, 20 * KWH),  # all that both intervals counted
    ],
)
def test_readings_close_to_midnight_leave_less_open(
    sender: Sender, bench: Bench, registry: Registry, case: tuple[FreezeSource, int, int]
) -> None:
    source, readings, explained = case
    around_midnight = slots(94, 97, energy=10 * KWH, readings=readings)
    sender.send(*around_midnight, frozen(960 * KWH, source), frozen(960 * KWH + explained + REST))
    assert check(bench, registry) == []
    sender.send(frozen(960 * KWH + explained + REST + 1))
    (item,) = check(bench, registry)
    assert details(item)[0]["tolerance_mwh"] == explained + REST


@pytest.mark.parametrize(("step_kwh", "steps_mwh"), [("0.001", 11_000), ("0.4", 800_000)])
def test_a_freeze_has_steps_of_its_own(
    sender: Sender, bench: Bench, registry: Registry, step_kwh: str, steps_mwh: int
) -> None:
    station = registry.station[0]
    meters = tuple(meter.model_copy(update={"resolution_kwh": Decimal(step_kwh)}) for meter in station.meter)
    finer = Registry(station=(station.model_copy(update={"meter": meters}),))
    sender.send(*slots(94, 97), frozen(96 * KWH, FreezeSource.GATEWAY_MEASURED), frozen(90 * KWH))
    (item,) = check(bench, finer)
    assert details(item)[0]["tolerance_mwh"] == 2 * KWH + 33_333 + steps_mwh


def test_a_freeze_that_comes_last_is_compared(sender: Sender, bench: Bench, registry: Registry) -> None:
    sender.send(*slots(90, 97), frozen(96 * KWH, FreezeSource.GATEWAY_MEASURED))
    assert check(bench, registry) == []
    sender.send(frozen(50 * KWH))
    assert len(check(bench, registry)) == 1


def test_a_freeze_waits_for_the_reading_after_its_midnight(sender: Sender, bench: Bench, registry: Registry) -> None:
    sender.send(*slots(90, 95), frozen(96 * KWH, FreezeSource.GATEWAY_MEASURED), frozen(50 * KWH))
    assert check(bench, registry) == []
    sender.send(*slots(96, 96))
    assert len(check(bench, registry)) == 1


def test_there_is_nothing_to_compare_with_a_partial_freeze_or_another_journals(
    sender: Sender, bench: Bench, registry: Registry
) -> None:
    sender.send(*slots(94, 97), frozen(96 * KWH, FreezeSource.GATEWAY_PARTIAL), frozen(50 * KWH))
    sender.send(frozen(50 * KWH), context=b"journal2")
    sender.send(
        frozen(96 * KWH, FreezeSource.GATEWAY_MEASURED, meter="X"), frozen(5, meter="X"), *slots(94, 97, meter="X")
    )
    assert check(bench, registry) == []


@pytest.mark.parametrize("code", [EventCode.ROLLOVER, EventCode.RESET, EventCode.EXCHANGE, EventCode.GAP])
def test_registers_that_parted_are_compared_by_what_they_count_since(
    sender: Sender, bench: Bench, registry: Registry, code: EventCode
) -> None:
    event = EventRecord("C01", DAY_MS + 10 * SLOT_MS, code)
    first = [*slots(94, 97), frozen(96 * KWH, FreezeSource.GATEWAY_MEASURED), frozen(7 * KWH)]
    sender.send(event, *first)
    assert check(bench, registry) == []  # how far apart they are was not known
    gateway = frozen(192 * KWH, FreezeSource.GATEWAY_MEASURED, time_ms=SECOND)
    sender.send(*slots(190, 193), gateway, frozen(103 * KWH, time_ms=SECOND))
    assert check(bench, registry) == []
    sender.send(frozen(97 * KWH, time_ms=SECOND))
    (item,) = check(bench, registry)
    assert item.day_ms == MIDNIGHT
    assert details(item)[0]["difference_mwh"] == -6 * KWH
    assert details(item)[0]["tolerance_mwh"] == 2 * (2 * KWH + REST)


def test_a_break_between_two_freezes_leaves_nothing_to_compare(
    sender: Sender, bench: Bench, registry: Registry
) -> None:
    sender.send(*slots(94, 97), frozen(96 * KWH, FreezeSource.GATEWAY_MEASURED), frozen(96 * KWH))
    sender.send(EventRecord("C01", SECOND - SLOT_MS * 20, EventCode.RESET))
    gateway = frozen(192 * KWH, FreezeSource.GATEWAY_MEASURED, time_ms=SECOND)
    sender.send(*slots(190, 193), gateway, frozen(3 * KWH, time_ms=SECOND))
    assert check(bench, registry) == []


def test_the_gateway_s_freeze_is_the_register_of_its_interval(sender: Sender, bench: Bench, registry: Registry) -> None:
    sender.send(*slots(94, 97), frozen(96 * KWH, FreezeSource.GATEWAY_MEASURED))
    assert check(bench, registry) == []
    wrong = replace(frozen(96 * KWH, FreezeSource.GATEWAY_INTERPOLATED), forward_total_mwh=96 * KWH + 1)
    sender.send(wrong, *slots(93, 93))
    (item,) = check(bench, registry)
    energy, carbon = details(item)[0], details(item)[1:]
    assert energy == {
        "start": "2026-07-02T00:00:00+08:00",
        "between": "gateway and intervals",
        "kind": "daily",
        "direction": "forward",
        "gateway_mwh": 96 * KWH + 1,
        "intervals_mwh": 96 * KWH,
        "difference_mwh": 1,
    }
    assert carbon == []


def test_a_gateway_s_frozen_carbon_is_that_of_its_interval(sender: Sender, bench: Bench, registry: Registry) -> None:
    wrong = replace(frozen(96 * KWH, FreezeSource.GATEWAY_MEASURED), carbon_forward_total_ug=96 * FACTOR * 1000 + 5)
    sender.send(*slots(94, 97), wrong)
    (item,) = check(bench, registry)
    assert (details(item)[0]["direction"], details(item)[0]["difference_ug"]) == ("carbon_forward", 5)


def test_a_partial_freeze_is_not_held_against_intervals(sender: Sender, bench: Bench, registry: Registry) -> None:
    sender.send(*slots(94, 97), frozen(90 * KWH, FreezeSource.GATEWAY_PARTIAL))
    assert check(bench, registry) == []


def test_a_meter_s_freeze_stands_against_intervals_where_the_gateway_froze_nothing(
    sender: Sender, bench: Bench, registry: Registry
) -> None:
    sender.send(*slots(94, 97), frozen(96 * KWH + 2 * KWH + REST))
    assert check(bench, registry) == []
    sender.send(frozen(96 * KWH + 2 * KWH + REST + 1))
    (item,) = check(bench, registry)
    assert details(item)[0]["gateway_mwh"] == 96 * KWH


@pytest.mark.parametrize(
    ("source", "apart"), [(FreezeSource.METER, 33_333 + 10_000), (FreezeSource.GATEWAY_MEASURED, 0)]
)
def test_a_month_s_freeze_is_that_of_its_first_day(
    sender: Sender, bench: Bench, registry: Registry, source: FreezeSource, apart: int
) -> None:
    sender.send(frozen(96 * KWH, source), frozen(96 * KWH + apart, source, kind=FreezeKind.MONTHLY), *slots(90, 90))
    sender.send(frozen(7, meter="X"))
    assert check(bench, registry) == []
    sender.send(frozen(96 * KWH + apart + 1, source, kind=FreezeKind.MONTHLY), *slots(91, 91))
    (item,) = check(bench, registry)
    found = details(item)[0]
    assert (found["between"], found["difference_mwh"], found["tolerance_mwh"]) == ("month and day", apart + 1, apart)


def rows(*shape: tuple[int, int, Quality]) -> list[IntervalRow]:
    """Return intervals by (slot relative to midnight, readings, quality)."""
    return [
        IntervalRow(number * SLOT_MS, 1, 1, place, SLOT_MS, 5, 0, 0, 0, None, 0, 0, 0, 0, 0, readings, quality)
        for place, (number, readings, quality) in enumerate(shape)
    ]


@pytest.mark.parametrize(
    ("shape", "starts"),
    [
        (((-2, 1), (-1, 1), (0, 1), (1, 1)), [-1, 0]),
        (((-2, 1), (-1, 0), (0, 0), (1, 3)), [-2, -1, 0, 1]),
        (((-2, 1), (0, 1)), []),
        (((-1, 1), (1, 1)), []),
        (((-1, 1),), []),
        (((0, 1), (1, 1)), []),
        ((), []),
    ],
)
def test_the_intervals_around_midnight_reach_to_the_nearest_readings(
    shape: tuple[tuple[int, int], ...], starts: list[int]
) -> None:
    found = around(rows(*((number, readings, Quality.MEASURED) for number, readings in shape)), 0)
    assert [row.start_ms // SLOT_MS for row in found] == starts


def test_an_interval_that_lacks_energy_bounds_nothing() -> None:
    assert around(rows((-1, 1, Quality.MEASURED), (0, 1, Quality.PARTIAL)), 0) == ()


def test_the_meters_own_freeze_is_preferred_then_the_gateways_best_and_latest() -> None:
    ranked = [
        FreezeRow(0, 1, 1, 9, 0, 1, 0, FreezeSource.METER),
        FreezeRow(0, 1, 2, 5, 0, 2, 0, FreezeSource.GATEWAY_MEASURED),
        FreezeRow(0, 1, 1, 6, 0, 3, 0, FreezeSource.GATEWAY_MEASURED),
        FreezeRow(0, 1, 1, 5, 0, 3, 0, FreezeSource.GATEWAY_MEASURED),
        FreezeRow(0, 1, 3, 7, 0, 4, 0, FreezeSource.GATEWAY_INTERPOLATED),
        FreezeRow(0, 1, 3, 8, 0, 5, 0, FreezeSource.GATEWAY_PARTIAL),
    ]
    for place in range(len(ranked)):
        assert preferred(reversed(ranked[place:])) == ranked[place]
    assert preferred(()) is None
